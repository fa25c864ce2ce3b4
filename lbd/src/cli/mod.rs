//! The command line: one verb, one meaning.

mod client;
mod connections;
mod probe;
mod status;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::begin::{self, Origin, Paths};
use crate::config::Document;
use crate::engine::Accepted;
use crate::privileges::{self, Account};
use crate::run;
use crate::sys;
use crate::view::View;
use crate::web::users::UserFile;

/// The load-balancer daemon of Evenkeel.
#[derive(Debug, Parser)]
#[command(name = "lbd", version, about, subcommand_required = true, arg_required_else_help = true)]
pub struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Balance: run the daemon in the foreground
    Run(Run),
    /// Show the state of all virtual services and their servers
    Status(Status),
    /// Check a configuration file and say everything that is wrong with it
    CheckConfig {
        /// The file, in TOML
        file: PathBuf,
    },
    /// Make a configuration file the one in force
    Apply(Apply),
    /// List the connections of clients, or those that have closed
    Connections(connections::Connections),
    /// Make a health check by hand and show each of its steps
    Probe(probe::Probe),
    /// Set the password of the WebUI; it is read from standard input, one line
    SetPassword {
        #[command(flatten)]
        state: StateDirectory,
        #[command(flatten)]
        user: User,
    },
}

#[derive(Debug, Args)]
struct StateDirectory {
    /// Folder for everything that must survive a restart
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/evenkeel")]
    state_directory: PathBuf,
}

#[derive(Debug, Args)]
struct ControlSocket {
    /// Socket of the running daemon
    #[arg(long, value_name = "SOCKET", default_value = "/var/lib/evenkeel/lbd.sock")]
    control_socket: PathBuf,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    state: StateDirectory,
    /// Socket for the command line [default: lbd.sock in the state directory]
    #[arg(long, value_name = "SOCKET")]
    control_socket: Option<PathBuf>,
    /// Configuration to begin with when none is stored yet
    #[arg(long, value_name = "FILE")]
    initial_config: Option<PathBuf>,
    /// As the appliance: with nothing stored, begin with what the deployment passed or the factory defaults
    #[arg(long, conflicts_with = "initial_config")]
    appliance: bool,
    /// OVF environment document with what the deployment passed
    #[arg(long, value_name = "FILE", requires = "appliance")]
    ovf_environment: Option<PathBuf>,
    /// Partition for a copy of the configuration
    #[arg(long, value_name = "DEVICE")]
    rescue_device: Option<PathBuf>,
    /// Folder of files with a sentence each that the status shows
    #[arg(long, value_name = "DIRECTORY")]
    notices: Option<PathBuf>,
    #[command(flatten)]
    user: User,
}

#[derive(Debug, Args)]
struct User {
    /// User, by name or number, that lbd becomes when root starts it, and that owns its files
    #[arg(long, default_value = "evenkeel")]
    user: String,
}

#[derive(Debug, Args)]
struct Status {
    /// As JSON, the same as GET /api/v1/status
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: ControlSocket,
}

#[derive(Debug, Args)]
struct Apply {
    /// The file, in TOML
    file: PathBuf,
    #[command(flatten)]
    socket: ControlSocket,
}

/// Does what the command says. Errors are for the person who gave it.
pub fn carry_out(command: Command) -> Result<(), String> {
    match command.verb {
        Verb::Run(run) => daemon(run),
        Verb::Status(status) => show_status(&status),
        Verb::CheckConfig { file } => {
            let config = begin::read_config(&file)?;
            println!("{} is valid: {} virtual services.", file.display(), config.services.len());
            Ok(())
        }
        Verb::Probe(probe) => probe::carry_out(probe),
        Verb::Connections(question) => connections::show(&question),
        Verb::Apply(apply) => change_config(&apply),
        Verb::SetPassword { state, user } => set_password(&state.state_directory, &user.user),
    }
}

fn daemon(run: Run) -> Result<(), String> {
    let log_level = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt().with_env_filter(log_level).with_writer(std::io::stderr).init();
    sys::give_memory_back();
    let origin = match (run.initial_config, run.appliance) {
        (Some(file), _) => {
            // Refused before anything else happens.
            begin::read_config(&file)?;
            Origin::File(file)
        }
        (None, true) => Origin::Appliance { ovf_environment: run.ovf_environment },
        (None, false) => Origin::None,
    };
    if privileges::is_root() {
        let account = Account::find(&run.user.user).map_err(|error| error.to_string())?;
        account.own_folder(&run.state.state_directory).map_err(|error| error.to_string())?;
        account.become_lbd().map_err(|error| error.to_string())?;
    }
    privileges::check().map_err(|error| error.to_string())?;
    privileges::raise_file_limit();
    let state_directory = run.state.state_directory;
    let control_socket = run.control_socket.unwrap_or_else(|| state_directory.join("lbd.sock"));
    let (notices, rescue_device) = (run.notices, run.rescue_device);
    let paths = Paths { state_directory, control_socket, notices, rescue_device, origin };
    // Two workers: one can wait for a slow system call while the other keeps the checks on time.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting the runtime: {error}"))?;
    runtime.block_on(run::run(paths))
}

fn show_status(status: &Status) -> Result<(), String> {
    let json = client::get(&status.socket.control_socket, "/api/v1/status")?;
    if status.json {
        println!("{json}");
        return Ok(());
    }
    let view: View = serde_json::from_str(&json)
        .map_err(|error| format!("the daemon's answer is not understood: {error}"))?;
    print!("{}", status::text(&view, jiff::Timestamp::now()));
    Ok(())
}

fn change_config(apply: &Apply) -> Result<(), String> {
    let config = begin::read_config(&apply.file)?;
    let document: &Document = &config.document;
    let answer = client::put_toml(&apply.socket.control_socket, "/api/v1/config", document.to_toml())?;
    let accepted: Accepted = serde_json::from_str(&answer)
        .map_err(|error| format!("the daemon's answer is not understood: {error}"))?;
    println!("{} is in force as version {}.", apply.file.display(), accepted.version);
    if let Some(until) = accepted.confirm_until {
        println!("It is taken back at {until:.0} unless you confirm it: POST /api/v1/config/confirm");
    }
    Ok(())
}

fn set_password(state_directory: &Path, user: &str) -> Result<(), String> {
    if privileges::is_root() {
        if !state_directory.exists() {
            let account = Account::find(user).map_err(|error| error.to_string())?;
            account.own_folder(state_directory).map_err(|error| error.to_string())?;
        }
        let owner = Account::owner_of(state_directory).map_err(|error| error.to_string())?;
        owner.become_plain().map_err(|error| error.to_string())?;
    }
    let mut password = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut password)
        .map_err(|error| format!("reading the password: {error}"))?;
    UserFile::below(state_directory).set(password.trim_end_matches(['\r', '\n']))?;
    println!("The password of the user loadbalancer is set.");
    Ok(())
}
