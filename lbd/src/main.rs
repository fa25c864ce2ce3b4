//! `lbd`: the daemon and its command line.

use std::process::ExitCode;

use clap::Parser;
use lbd::cli::{self, Command};

fn main() -> ExitCode {
    match cli::carry_out(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}
