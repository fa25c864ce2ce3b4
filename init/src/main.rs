//! `/init`: the first process; and, when the kernel runs it as `init -q -- <name>`, its loader of modules
//! (`Documentation/admin-guide/sysctl/kernel.rst`, "modprobe").

use evenkeel_init::boot;
use evenkeel_init::log::{self, Level};
use evenkeel_init::machine::Machine;
use evenkeel_init::serve::Server;
use evenkeel_init::shutdown::{self, How};
use evenkeel_init::signals::{self, Signals};
use evenkeel_init::{bless, modules};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

/// Time to read what is on the console.
const TO_READ: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    if std::process::id() != 1 {
        return load_module();
    }
    std::panic::set_hook(Box::new(|panic| log::say(Level::Error, format!("init has a defect: {panic}"))));
    // The first process never returns: the kernel would panic.
    loop {
        let _ = catch_unwind(AssertUnwindSafe(live));
        let _ = catch_unwind(AssertUnwindSafe(survive));
    }
}

fn live() {
    let signals = loop {
        match Signals::take() {
            Ok(signals) => break signals,
            Err(failure) => {
                log::say(Level::Error, failure);
                std::thread::sleep(TO_READ);
            }
        }
    };
    let mut machine = Machine::new();
    boot::run(&mut machine);
    let mut server = Server::new(machine);
    let how = server.run(&signals);
    shutdown::in_order(how, server.lbd(), &signals);
}

/// After a defect, or when the kernel refused to end the machine. A system on trial gives up; any other stays up,
/// because the kernel goes on forwarding without init, until the watchdog restarts it.
fn survive() {
    log::say(Level::Error, "init does nothing any more; restart the machine");
    if bless::counted().is_some() {
        std::thread::sleep(TO_READ);
        shutdown::at_once(How::Restart);
    }
    loop {
        signals::reap();
        std::thread::sleep(TO_READ);
    }
}

fn load_module() -> ExitCode {
    let arguments: Vec<_> =
        std::env::args_os().skip(1).filter_map(|argument| argument.into_string().ok()).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ["-q", "--", name] = words[..] else {
        eprintln!("init: this is the appliance's first process; it cannot be run by hand");
        return ExitCode::FAILURE;
    };
    match modules::as_modprobe(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::say(Level::Warning, failure);
            ExitCode::FAILURE
        }
    }
}
