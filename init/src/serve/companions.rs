//! What runs beside lbd: the consoles, and VMware's guest services.

use super::Server;
use crate::guest_services::{self, Next};
use crate::log::{self, Level};
use crate::signals::Ended;
use crate::terminals::{self, Terminal};
use std::time::Duration;

impl Server {
    /// Consoles end when people press certain keys: no more than a line for the log.
    pub(super) fn reap_console(&mut self, ended: &Ended) {
        let now = self.machine.now();
        for terminal in &mut self.terminals {
            if let Some(wait) = terminal.ended(ended.0, now) {
                let (name, wait) = (terminal.name(), wait.as_millis());
                log::say(
                    Level::Info,
                    format!("the console of {name} has ended ({}); again in {wait} ms", ended.1),
                );
            }
        }
    }

    /// When a console is to be started.
    pub(super) fn next_console(&self) -> Option<Duration> {
        let next = self.terminals.iter().filter_map(Terminal::next_deadline).min();
        next.map(|next| next.max(terminals::wait_until(self.keeper.starting_since())))
    }

    pub(super) fn keep_consoles(&mut self) {
        let now = self.machine.now();
        if now < terminals::wait_until(self.keeper.starting_since()) {
            return;
        }
        for terminal in self.terminals.iter_mut().filter(|terminal| terminal.is_due(now)) {
            match terminals::start(terminal.name(), terminal.next_start()) {
                Ok(pid) => terminal.started(pid, now),
                Err(failure) => {
                    let wait = terminal.not_started(now).as_millis();
                    log::say(Level::Error, format!("{failure}; the next attempt is in {wait} ms"));
                }
            }
        }
    }

    pub(super) fn keep_guest_services(&mut self) {
        let now = self.machine.now();
        if self.guest_services.next_deadline().is_none_or(|until| until > now) {
            return;
        }
        match guest_services::start() {
            Ok((pid, output)) => {
                self.outputs.push(output);
                self.guest_services.started(pid, now);
            }
            Err(failure) => {
                let next = self.guest_services.not_started(now);
                log::say(Level::Error, format!("{failure}; {}", after(next)));
            }
        }
    }

    pub(super) fn reap_guest_services(&mut self, ended: &Ended) {
        if let Some(next) = self.guest_services.ended(ended.0, self.machine.now()) {
            guest_services::withdraw_word();
            log::say(
                Level::Warning,
                format!("VMware's guest services have ended ({}); {}", ended.1, after(next)),
            );
        }
    }
}

fn after(next: Next) -> String {
    match next {
        Next::Again(wait) => format!("again in {} ms", wait.as_millis()),
        Next::GivenUp => {
            "given up until the next boot: vSphere shows no address and cannot shut this machine down \
                          in order. Does the virtual machine restrict the backdoor \
                          (monitor_control.restrict_backdoor)?"
                .to_owned()
        }
    }
}
