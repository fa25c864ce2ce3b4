//! `/init`: the first process. Four times it is another one: when the kernel runs it as `init -q -- <name>`, its
//! loader of modules (`Documentation/admin-guide/sysctl/kernel.rst`, "modprobe"); as `init --start <program> ...` the
//! first moment of lbd; as `init --terminal <name>` that of a console; and as
//! `init --guest-services` that of VMware's guest services.

use evenkeel_init::boot;
use evenkeel_init::daemon::process;
use evenkeel_init::failure::Failure;
use evenkeel_init::log::{self, Level};
use evenkeel_init::machine::Machine;
use evenkeel_init::serve::Server;
use evenkeel_init::shutdown::{self, How};
use evenkeel_init::signals::{self, Signals};
use evenkeel_init::terminals::Start;
use evenkeel_init::{bless, guest_services, modules, terminals};
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

/// Time to read what is on the console.
const TO_READ: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    if std::process::id() != 1 {
        return other_process();
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
    shutdown::in_order(how, server.lbd(), server.disk(), &signals);
}

/// After a defect, or when the kernel refused to end the machine. A system on trial gives up; any other stays up,
/// because the kernel goes on forwarding without init, until the watchdog restarts it.
fn survive() {
    log::say(Level::Error, "init does nothing any more; restart the machine");
    if bless::counted().is_some() {
        std::thread::sleep(TO_READ);
        shutdown::at_once(How::Restart, None);
    }
    loop {
        signals::reap();
        std::thread::sleep(TO_READ);
    }
}

fn other_process() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_str().unwrap_or_default()).collect();
    let result = match words[..] {
        ["-q", "--", name] => modules::as_modprobe(name),
        [process::START, ..] => Err(process::become_program(&arguments[1..])),
        [guest_services::GUEST_SERVICES] => Err(guest_services::become_services()),
        [terminals::TERMINAL, name] => Err(terminals::become_console(name, Start::Again)),
        [terminals::TERMINAL, name, terminals::FIRST] => Err(terminals::become_console(name, Start::First)),
        _ => {
            Err(Failure::new("running init by hand", "it is the appliance's first process and nothing else"))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::say(Level::Error, failure);
            ExitCode::FAILURE
        }
    }
}
