//! The loop that runs until the machine ends.
//!
//! Each round, in this order: wait for something to read or the next deadline; take signals first, so that an end
//! of lbd is known before anybody asks about it; then device events, lbd's output and answer, commands, the power
//! button; then let a quick update, the keeper and the trial decide, and start consoles and VMware's
//! guest services; then look at the disk; last, feed the
//! watchdog: a round that hangs anywhere starves it.

mod companions;
mod succession;

use crate::adapters;
use crate::aside;
use crate::bless::Progress;
use crate::button::Button;
use crate::control::{self, Client, Command, Control, Said};
use crate::crash::{self, Crash, Whose};
use crate::daemon::health::Question;
use crate::daemon::keeper::{Keeper, Order};
use crate::daemon::last_words::LastWords;
use crate::daemon::output::Output;
use crate::daemon::process::Process;
use crate::disk::table::Disk;
use crate::disk::{self, Data};
use crate::failure::Failure;
use crate::guest_services::GuestServices;
use crate::log::{self, Level};
use crate::machine::Machine;
use crate::mounts::{self, HARMLESS};
use crate::notices;
use crate::places::{INIT_SOCKET, LBD_SOCKET, PSTORE};
use crate::shutdown::How;
use crate::signals::{self, Ended, Signals};
use crate::terminals::Terminal;
use crate::update;
use crate::watchdog::{MEAL, Watchdog};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use succession::Replacement;

/// How often the mounted disk is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Everything that the loop watches.
#[derive(Debug)]
pub struct Server {
    machine: Machine,
    keeper: Keeper,
    lbd: Option<Process>,
    outputs: Vec<Output>,
    last_words: LastWords,
    /// This lbd was told to end: however it does, it is no crash.
    told_to_end: bool,
    question: Option<Question>,
    control: Option<Control>,
    clients: Vec<Client>,
    buttons: Vec<Button>,
    terminals: Vec<Terminal>,
    guest_services: GuestServices,
    watchdog: Option<Watchdog>,
    next_meal: Duration,
    next_look: Duration,
    /// The data partition has failed, and is still what is seen on /data.
    data_is_lost: bool,
    announced: bool,
    /// This lbd has proven that the system does its work.
    proven: bool,
    replacement: Replacement,
    /// Whether a system was given up, and whether a kernel died, has been looked for.
    looked_for_failed: bool,
}

impl Server {
    /// After the boot.
    pub fn new(mut machine: Machine) -> Self {
        let control = logged(Control::open(Path::new(INIT_SOCKET), &machine.account));
        let watchdog = logged(Watchdog::start(&mut machine.modules));
        Self {
            machine,
            keeper: Keeper::new(),
            lbd: None,
            outputs: Vec::new(),
            last_words: LastWords::default(),
            told_to_end: false,
            question: None,
            control,
            clients: Vec::new(),
            buttons: Button::all(),
            terminals: Terminal::all(),
            guest_services: guest_services(),
            watchdog,
            next_meal: Duration::ZERO,
            next_look: LOOK,
            data_is_lost: false,
            announced: false,
            proven: false,
            replacement: Replacement::None,
            looked_for_failed: false,
        }
    }

    /// Runs until somebody wants the machine to end.
    pub fn run(&mut self, signals: &Signals) -> How {
        loop {
            let order =
                self.take_signals(signals).or_else(|| self.take_commands()).or_else(|| self.take_buttons());
            if let Some(how) = order {
                return how;
            }
            self.take_devices();
            self.take_outputs();
            self.take_answer();
            self.go_on_with_replacement();
            self.keep_lbd();
            self.keep_consoles();
            self.keep_guest_services();
            self.go_on_with_trial();
            self.look_at_disk();
            self.feed_watchdog();
            self.wait(signals);
        }
    }

    /// The lbd that runs, if one does.
    pub fn lbd(&self) -> Option<&Process> {
        self.lbd.as_ref()
    }

    /// The disk with our partitions.
    pub fn disk(&self) -> Option<&Disk> {
        self.machine.disk.as_ref()
    }

    fn wait(&self, signals: &Signals) {
        let mut fds = vec![signals.as_fd()];
        fds.extend(self.machine.uevents.as_ref().map(AsFd::as_fd));
        fds.extend(self.outputs.iter().map(AsFd::as_fd));
        fds.extend(self.question.as_ref().map(AsFd::as_fd));
        fds.extend(self.control.as_ref().filter(|_| self.clients.len() < control::MOST).map(AsFd::as_fd));
        fds.extend(self.clients.iter().map(AsFd::as_fd));
        fds.extend(self.buttons.iter().map(AsFd::as_fd));
        let mut fds: Vec<_> = fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Everything that can be read is read without waiting: which one it was does not matter.
        let _ = poll(&mut fds, self.timeout());
    }

    /// Until the next deadline, rounded up: a round too early would only be repeated.
    fn timeout(&self) -> PollTimeout {
        let deadlines = [Some(self.next_meal), Some(self.next_look), self.keeper.next_deadline()];
        let more = self
            .question
            .as_ref()
            .map(Question::deadline)
            .into_iter()
            .chain(self.clients.iter().map(Client::deadline))
            .chain(self.next_of_replacement())
            .chain(self.next_console())
            .chain(self.guest_services.next_deadline())
            .chain(self.last_words.next_deadline());
        let next = deadlines.into_iter().flatten().chain(more).min().unwrap_or_default();
        let left = next.saturating_sub(self.machine.now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    fn take_signals(&mut self, signals: &Signals) -> Option<How> {
        let mut how = None;
        while let Some(signal) = signals.next() {
            match How::asked_by(signal) {
                None => self.reap(),
                asked => how = asked,
            }
        }
        how
    }

    fn reap(&mut self) {
        for ended in signals::reap() {
            if self.lbd.as_ref().is_some_and(|lbd| lbd.pid() == ended.0) {
                // A pipe holds four readings.
                (0..4).for_each(|_| self.take_outputs());
                self.keep_last_words(&ended);
                // A program that lbd had started must not outlive it: nobody hears what it says.
                if let Some(lbd) = self.lbd.take() {
                    lbd.kill();
                }
                self.question = None;
                let wait = self.keeper.ended(self.machine.now()).as_millis();
                self.successor_ended();
                // Until it answers again.
                log::show_notices();
                log::say(Level::Error, format!("lbd has ended ({}); it starts again in {wait} ms", ended.1));
            }
            self.reap_console(&ended);
            self.reap_guest_services(&ended);
        }
    }

    fn take_outputs(&mut self) {
        let (now, words) = (self.machine.now(), &mut self.last_words);
        self.outputs.retain_mut(|output| output.pass_on(words, now));
        if let Some(words) = self.last_words.survived(now) {
            crash_of_lbd("a part of it panicked; it goes on".into(), None, words).keep();
        }
    }

    fn keep_last_words(&mut self, ended: &Ended) {
        let (life, words) = self.last_words.take(self.machine.now());
        if !ended.is_orderly() && !self.told_to_end {
            crash_of_lbd(ended.1.clone(), Some(life), words).keep();
        }
    }

    fn take_commands(&mut self) -> Option<How> {
        let now = self.machine.now();
        while self.clients.len() < control::MOST {
            match self.control.as_ref().and_then(|control| control.accept(now)) {
                Some(client) => self.clients.push(client),
                None => break,
            }
        }
        let mut commands = Vec::new();
        self.clients.retain_mut(|client| match client.listen(now) {
            Said::Nothing => true,
            Said::Command(command) => {
                commands.push((command, client.later()));
                false
            }
            Said::Done => false,
        });
        let mut end = None;
        for (command, answer) in commands {
            match command {
                Command::End(how) => end = Some(how),
                Command::RestartLbd => {
                    log::say(Level::Notice, "lbd is to end and to start again");
                    self.told_to_end = true;
                    if let Some(lbd) = &self.lbd {
                        lbd.terminate();
                    }
                }
                Command::Proven => self.proven = true,
                Command::Update(update::Order::Quick) => self.replace_lbd(answer),
                Command::Update(order) => update::carry_out(order, self.esp(), answer),
            }
        }
        end
    }

    fn esp(&self) -> Option<PathBuf> {
        self.machine.disk.as_ref().and_then(Disk::esp)
    }

    fn take_buttons(&mut self) -> Option<How> {
        let mut pressed = false;
        self.buttons.retain_mut(|button| button.pressed().inspect(|now| pressed |= *now).is_some());
        if pressed {
            log::show_notices();
            log::say(Level::Notice, "the power button was pressed");
        }
        pressed.then_some(How::PowerOff)
    }

    /// What was plugged in gets its module, its name, or an ear.
    fn take_devices(&mut self) {
        for event in self.machine.take_events() {
            if event.adds("net") {
                logged(adapters::name_newcomer(event.name()));
            } else if event.adds("input") {
                self.buttons.extend(Button::open(event.name()));
            }
        }
    }

    fn take_answer(&mut self) {
        let now = self.machine.now();
        let Some(outcome) = self.question.as_mut().and_then(|question| question.outcome(now)) else { return };
        self.question = None;
        self.answered(outcome);
    }

    fn answered(&mut self, outcome: Result<(), Failure>) {
        let now = self.machine.now();
        let well = outcome.is_ok();
        match outcome {
            Ok(()) if !self.announced => {
                self.announced = true;
                log::say(Level::Notice, format!("lbd answers, {} ms after init's start", now.as_millis()));
                // From now on somebody may be typing.
                log::show_errors_only();
                if !std::mem::replace(&mut self.looked_for_failed, true) {
                    update::look_for_failed(self.esp());
                    look_for_kernels_last_words();
                }
            }
            // Before its first answer an lbd is only starting.
            Err(failure) if self.keeper.is_up() => log::say(Level::Warning, failure),
            _ => {}
        }
        self.keeper.answered(now, well);
    }

    fn keep_lbd(&mut self) {
        while let Some(order) = self.keeper.due(self.machine.now()) {
            match order {
                Order::Start => self.start_lbd(),
                Order::Ask => match Question::ask(Path::new(LBD_SOCKET), self.machine.now()) {
                    Ok(question) => self.question = Some(question),
                    Err(failure) => self.answered(Err(failure)),
                },
                Order::Kill => {
                    self.told_to_end = false;
                    let why = "lbd does not answer and is killed";
                    log::say(Level::Error, why);
                    self.last_words.hear(&format!("init: {why}"), self.machine.now());
                    self.question = None;
                    if let Some(lbd) = &self.lbd {
                        lbd.kill();
                    }
                }
            }
        }
    }

    fn start_lbd(&mut self) {
        self.see_disk();
        // The lbd that ran knew everything; the next one could not even open its files.
        if self.data_is_lost && logged(disk::cover()).is_some() {
            self.data_is_lost = false;
        }
        let now = self.machine.now();
        match Process::start() {
            Ok((process, outputs)) => {
                log::say(Level::Info, format!("lbd runs as process {}", process.pid()));
                self.announced = false;
                self.proven = false;
                self.told_to_end = false;
                self.lbd = Some(process);
                self.last_words.born(now);
                self.outputs.extend(outputs);
                self.keeper.started(now);
            }
            Err(failure) => {
                let wait = self.keeper.not_started(now).as_millis();
                self.successor_ended();
                log::say(Level::Error, format!("{failure}; the next attempt is in {wait} ms"));
            }
        }
    }

    fn go_on_with_trial(&mut self) {
        let (now, disk) = (self.machine.now(), self.machine.disk.as_ref());
        let healthy_for = if self.proven { self.keeper.healthy_for() } else { Duration::ZERO };
        let Some(trial) = &mut self.machine.trial else { return };
        match trial.go_on(now, healthy_for, || disk.and_then(Disk::esp)) {
            Progress::Going => {}
            Progress::Failed(failure) => {
                let name = &trial.counted().name;
                notices::write(
                    "bless",
                    &format!(
                        "This system works but could not be marked as good ({failure}); after three more restarts the \
                     older one starts instead of {name}."
                    ),
                );
            }
            Progress::Passed => {
                log::say(Level::Notice, format!("this system is good: {}", trial.counted().blessed));
                self.machine.trial = None;
            }
        }
    }

    /// From time to time.
    fn look_at_disk(&mut self) {
        if self.machine.now() < self.next_look {
            return;
        }
        self.next_look = self.machine.now() + LOOK;
        self.see_disk();
    }

    /// Says once when the disk goes wrong; then there is nothing more to look at.
    fn see_disk(&mut self) {
        if let Some(trouble) = self.machine.data.as_ref().and_then(Data::trouble) {
            notices::write("disk", trouble);
            self.machine.data = None;
            self.data_is_lost = true;
        }
    }

    fn feed_watchdog(&mut self) {
        if self.machine.now() < self.next_meal {
            return;
        }
        self.next_meal = self.machine.now() + MEAL;
        if let Some(Err(failure)) = self.watchdog.as_mut().map(Watchdog::feed) {
            log::say(Level::Error, failure);
        }
    }
}

fn crash_of_lbd(how: String, life: Option<Duration>, words: Vec<String>) -> Crash {
    let version = update::running().ok().map(String::from);
    Crash { whose: Whose::Lbd, time: SystemTime::now(), version, how, life, words }
}

/// In a thread of its own: firmware may take long for each of its variables.
fn look_for_kernels_last_words() {
    let look = || {
        let place = Path::new(PSTORE);
        // A kernel without it keeps none.
        if !place.exists() || logged(mounts::one("pstore", "pstore", PSTORE, HARMLESS, "")).is_none() {
            return;
        }
        logged(crash::take_kernels(place));
    };
    // The loop must go on, whatever there is no room for.
    if let Err(failure) = aside::start("looking for the last words of a kernel", look) {
        log::say(Level::Error, failure);
    }
}

/// The processor says by itself whether it is VMware's: nobody else has the channel.
fn guest_services() -> GuestServices {
    let is_vmware = vmw_backdoor::is_vmware_cpu();
    let found =
        if is_vmware { "VMware's guest services are started" } else { "not on VMware: no guest services" };
    log::say(Level::Info, found);
    GuestServices::new(is_vmware)
}

/// What went well; a failure goes to the log.
fn logged<T>(result: Result<T, Failure>) -> Option<T> {
    result.inspect_err(|failure| log::say(Level::Error, failure)).ok()
}
