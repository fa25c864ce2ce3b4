//! A quick update: another lbd takes the place of the one that runs, and gives it back if it is no good. The kernel goes
//! on forwarding meanwhile.

use super::{Server, logged};
use crate::bless::{self, Trial};
use crate::control::Later;
use crate::daemon::succession::{Fault, Order, Succession, Terms};
use crate::log::{self, Level};
use crate::notices;
use crate::places::OTHER;
use crate::update::quick::{self, Successor};
use crate::update::{self, Prepared, swap};
use std::path::Path;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

/// How often it is looked whether the new lbd has been laid out.
const LOOK: Duration = Duration::from_millis(100);

/// The same as for a boot on trial.
const TERMS: Terms = Terms { limit: bless::LIMIT, healthy: bless::HEALTHY };

/// Where it stands, if one is under way.
#[derive(Debug, Default)]
pub(super) enum Replacement {
    /// None is.
    #[default]
    None,
    /// The new lbd is being unpacked, in a thread.
    Preparing(Receiver<Prepared>),
    /// It is in the other one's place.
    Tried(Successor, Succession),
}

impl Server {
    /// Begins. What comes of it is answered when the new lbd is in its place.
    pub(super) fn replace_lbd(&mut self, answer: Later) {
        if !matches!(self.replacement, Replacement::None) {
            return answer.say("error lbd is being replaced already; wait until that is decided\n");
        }
        let (ready, prepared) = channel();
        update::prepare(self.esp(), answer, ready);
        self.replacement = Replacement::Preparing(prepared);
    }

    /// An lbd has ended, or could not be started.
    pub(super) fn successor_ended(&mut self) {
        if let Replacement::Tried(_, succession) = &mut self.replacement {
            succession.ended(self.machine.now());
        }
    }

    /// Before lbd is started: which one that is may change here.
    pub(super) fn go_on_with_replacement(&mut self) {
        match &mut self.replacement {
            Replacement::None => {}
            Replacement::Preparing(prepared) => match prepared.try_recv() {
                Ok(prepared) => self.put_in_place(prepared),
                Err(TryRecvError::Empty) => {}
                // Refused, and answered.
                Err(TryRecvError::Disconnected) => self.replacement = Replacement::None,
            },
            Replacement::Tried(_, succession) => {
                let healthy_for = if self.proven { self.keeper.healthy_for() } else { Duration::ZERO };
                if let Some(order) = succession.due(self.machine.now(), healthy_for) {
                    self.follow(order);
                }
            }
        }
    }

    /// When there is something to go on with.
    pub(super) fn next_of_replacement(&self) -> Option<Duration> {
        match &self.replacement {
            Replacement::None => None,
            Replacement::Preparing(_) => Some(self.machine.now() + LOOK),
            Replacement::Tried(_, succession) => succession.next_deadline(),
        }
    }

    fn put_in_place(&mut self, Prepared { successor, answer, turn }: Prepared) {
        if let Err(failure) = swap::exchange(Path::new("/"), Path::new(OTHER)) {
            self.replacement = Replacement::None;
            logged(swap::forget(Path::new(OTHER)));
            return answer.say(&update::refusal(&failure));
        }
        let (version, now) = (&successor.version, self.machine.now());
        log::say(Level::Notice, format!("lbd is replaced by that of version {version}"));
        answer.say(&format!("ok {version}\n"));
        quick::forget_installed();
        drop(turn);
        self.keeper.start_anew(now);
        self.replacement = Replacement::Tried(successor, Succession::begin(TERMS, now));
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::End => {
                self.told_to_end = true;
                match &self.lbd {
                    Some(lbd) => lbd.terminate(),
                    // Between two lives.
                    None => self.successor_ended(),
                }
            }
            Order::Kill => {
                log::say(Level::Warning, "the lbd that is replaced did not end and is killed");
                self.kill_lbd();
            }
            Order::Keep => self.keep_successor(),
            Order::TakeBack(fault) => self.take_back(fault),
        }
    }

    fn kill_lbd(&mut self) {
        self.told_to_end = true;
        if let Some(lbd) = &self.lbd {
            lbd.kill();
        }
    }

    /// Its system needs no counter any more: the next restart starts it as a good one.
    fn keep_successor(&mut self) {
        if let Replacement::Tried(successor, _) = std::mem::take(&mut self.replacement) {
            let version = &successor.version;
            log::say(Level::Notice, format!("version {version} works: the lbd before it is removed"));
            notices::withdraw("update");
            self.machine.trial = Some(Trial::passed(successor.counted));
            logged(swap::forget(Path::new(OTHER)));
        }
    }

    fn take_back(&mut self, fault: Fault) {
        let Replacement::Tried(successor, _) = std::mem::take(&mut self.replacement) else { return };
        let exchanged = logged(swap::exchange(Path::new("/"), Path::new(OTHER)));
        self.kill_lbd();
        self.keeper.start_anew(self.machine.now());
        // Where they have not changed places, what lies there is the one that works.
        exchanged.and_then(|()| logged(swap::forget(Path::new(OTHER))));
        let (version, why) = (&successor.version, words(fault));
        let running = update::running().map_or_else(|_| "the version before it".into(), String::from);
        notices::write(
            "update",
            &format!(
                "Version {version} was started without a restart and {why}: the appliance has gone back to {running}, \
                 without a restart. Maintenance, Software Update says why."
            ),
        );
        quick::give_up(successor.version, self.esp());
    }
}

fn words(fault: Fault) -> &'static str {
    match fault {
        Fault::Ended => "its lbd ended three times",
        Fault::Unproven => "never proved itself",
    }
}
