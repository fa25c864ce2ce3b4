//! The task that looks after the clock.
//!
//! One loop, in this order: carry out what is due (ask servers, start or ask the daemon), tell the engine how the clock
//! stands, wait for an answer, the daemon's end, another configuration, a wish of somebody, or the next deadline. Questions to
//! servers run in tasks of their own; dropping them leaves nothing behind.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::daemon::Daemon;
use super::keeper::{Keeper, Order};
use super::measure::{Asked, ask};
use super::standing::{Setter, Standing, Verdict};
use super::{Wanted, setting};
use crate::config::NtpServer;
use crate::engine::Event;
use crate::view::ClockView;

/// Wishes that may wait.
const WISHES: usize = 8;
/// The View tells offsets again when they differ by so much: others would be news every minute that nobody reads.
const OFFSET_STEP_SECONDS: f64 = 0.0001;
/// States that depend on time alone are looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The way to the task. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Timekeeper(mpsc::Sender<Wish>);

#[derive(Debug)]
enum Wish {
    Synchronise(oneshot::Sender<()>),
    Set(Timestamp, oneshot::Sender<Result<(), String>>),
}

/// What the task begins with.
#[derive(Debug)]
pub struct Office(mpsc::Receiver<Wish>);

/// Both ends.
pub fn open() -> (Timekeeper, Office) {
    let (sender, wishes) = mpsc::channel(WISHES);
    (Timekeeper(sender), Office(wishes))
}

impl Timekeeper {
    /// Starts the time daemon anew, so that it steps the clock, and asks all servers.
    pub async fn synchronise(&self) {
        let (done, is_done) = oneshot::channel();
        if self.0.send(Wish::Synchronise(done)).await.is_ok() {
            // The task ends only with lbd.
            let _ = is_done.await;
        }
    }

    /// Sets the clock. The error is for people.
    pub async fn set(&self, time: Timestamp) -> Result<(), String> {
        let (done, is_done) = oneshot::channel();
        let ending = |_| "lbd ends".to_owned();
        self.0.send(Wish::Set(time, done)).await.map_err(|_| "lbd ends".to_owned())?;
        is_done.await.map_err(ending)?
    }
}

struct Clerk {
    started: Instant,
    folder: PathBuf,
    may_set: bool,
    dns_servers: Vec<std::net::Ipv4Addr>,
    standing: Standing,
    keeper: Keeper,
    daemon: Option<Daemon>,
    /// The servers that the daemon has.
    given: Vec<IpAddr>,
    out: JoinSet<(NtpServer, Asked)>,
    events: mpsc::Sender<Event>,
    /// The state that was told last, and since when it holds on both clocks.
    told: Option<(ClockView, Duration)>,
}

/// Runs as long as lbd does; returns why it ended. Files of the daemon go to `folder`.
pub async fn serve(
    Office(mut wishes): Office,
    mut wanted: watch::Receiver<Wanted>,
    (folder, may_set): (PathBuf, bool),
    events: mpsc::Sender<Event>,
) -> String {
    let mut clerk = Clerk {
        started: Instant::now(),
        folder,
        may_set,
        dns_servers: Vec::new(),
        standing: Standing::default(),
        keeper: Keeper::default(),
        daemon: None,
        given: Vec::new(),
        out: JoinSet::new(),
        events,
        told: None,
    };
    clerk.follow(&wanted.borrow_and_update().clone());
    loop {
        clerk.ask_servers();
        clerk.follow_addresses();
        clerk.keep_daemon().await;
        if clerk.tell().await.is_err() {
            return "nobody wants to know what time it is any more".into();
        }
        let deadline = clerk.deadline();
        tokio::select! {
            Some(asked) = clerk.out.join_next() => match asked {
                Ok((server, asked)) => {
                    let now = clerk.now();
                    clerk.standing.asked(&server, asked, now);
                }
                Err(error) => return format!("asking an NTP server has failed: {error}"),
            },
            ended = ended(&mut clerk.daemon) => clerk.daemon_ended(&ended),
            changed = wanted.changed() => {
                if changed.is_err() {
                    return "nobody says any more what the clock should follow".into();
                }
                let wanted = wanted.borrow_and_update().clone();
                clerk.follow(&wanted);
            }
            wish = wishes.recv() => match wish {
                Some(wish) => clerk.grant(wish).await,
                None => return "nobody asks for the time any more".into(),
            },
            () = tokio::time::sleep_until(deadline) => {}
        }
    }
}

/// How the daemon ended; never, where there is none.
async fn ended(daemon: &mut Option<Daemon>) -> String {
    match daemon {
        Some(daemon) => match daemon.ended().await {
            Ok(status) => format!("it has ended ({status})"),
            Err(error) => format!("its end is not known: {error}"),
        },
        None => std::future::pending().await,
    }
}

impl Clerk {
    /// Never jumps.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn deadline(&self) -> Instant {
        let now = self.now();
        let waiting = [self.standing.next_due(), self.keeper.next_due(), Some(now + LOOK_EVERY)];
        self.started + waiting.into_iter().flatten().min().unwrap_or(now)
    }

    fn follow(&mut self, wanted: &Wanted) {
        self.dns_servers.clone_from(&wanted.dns_servers);
        let now = self.now();
        self.standing.follow(wanted, now);
    }

    fn ask_servers(&mut self) {
        for (server, address) in self.standing.take_due(self.now()) {
            let dns_servers = self.dns_servers.clone();
            self.out.spawn(async move {
                let asked = ask(server.clone(), address, dns_servers).await;
                (server, asked)
            });
        }
    }

    /// Starts the daemon anew where its servers are elsewhere.
    fn follow_addresses(&mut self) {
        let addresses = self.standing.addresses();
        if !self.may_set || addresses == self.given {
            return;
        }
        self.given = addresses;
        self.start_anew();
    }

    fn start_anew(&mut self) {
        // It ends when it is dropped.
        self.daemon = None;
        let now = self.now();
        if self.given.is_empty() {
            self.keeper.rest();
        } else {
            self.keeper.want(now);
        }
        if self.may_set {
            self.standing.setter_is(Setter::Seeks);
        }
    }

    async fn keep_daemon(&mut self) {
        while let Some(order) = self.keeper.due(self.now()) {
            match order {
                Order::Start => match Daemon::start(&self.given, &self.folder) {
                    Ok(daemon) => {
                        self.daemon = Some(daemon);
                        let now = self.now();
                        self.keeper.started(now);
                    }
                    Err(why) => self.daemon_ended(&why),
                },
                Order::Ask => self.ask_daemon().await,
                Order::Kill => {
                    tracing::error!("the time daemon does not answer and is killed");
                    if let Some(daemon) = &mut self.daemon {
                        daemon.kill();
                    }
                }
            }
        }
    }

    async fn ask_daemon(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let observed = daemon.observe().await;
        self.keeper.answered(observed.is_ok());
        match observed {
            Ok(observed) if observed.synchronised => self.standing.setter_is(Setter::Holds),
            Ok(_) => self.standing.setter_is(Setter::Seeks),
            // The keeper kills one that never answers; its end is told.
            Err(why) => tracing::debug!(%why, "the time daemon does not answer"),
        }
    }

    fn daemon_ended(&mut self, why: &str) {
        self.daemon = None;
        let now = self.now();
        if let Some(pause) = self.keeper.ended(now) {
            tracing::error!("the time daemon: {why}; it starts again in {} s", pause.as_secs());
            self.standing.setter_is(Setter::Fails(why.to_owned()));
        }
    }

    async fn grant(&mut self, wish: Wish) {
        // Whoever asked may have gone.
        match wish {
            Wish::Synchronise(done) => {
                self.start_anew();
                let now = self.now();
                self.standing.begin_anew(now);
                let _ = done.send(());
            }
            Wish::Set(time, done) => {
                let result = setting::set(time).await;
                let now = self.now();
                self.standing.clock_was_set(now);
                let _ = done.send(result);
            }
        }
    }

    /// Tells the engine how the clock stands, where that is something else than before.
    async fn tell(&mut self) -> Result<(), ()> {
        let now = self.now();
        let Verdict { state, reason, offset_seconds, source } = self.standing.judge(now);
        let since = match &self.told {
            Some((told, since)) if told.state == state => *since,
            _ => now,
        };
        let view = ClockView {
            state,
            reason,
            since: wall_of(now.saturating_sub(since)),
            may_set: self.may_set,
            offset_seconds,
            source,
            servers: self.standing.views(),
            zone: String::new(),
        };
        if !self.told.as_ref().is_some_and(|(told, _)| is_same(told, &view)) {
            self.told = Some((view.clone(), since));
            self.events.send(Event::Clock(Box::new(view))).await.map_err(drop)?;
        }
        Ok(())
    }
}

/// So long ago, by a clock that may just have been set.
fn wall_of(ago: Duration) -> Timestamp {
    let now = Timestamp::now();
    let ago = SignedDuration::try_from(ago).unwrap_or_default();
    now.saturating_sub(ago).unwrap_or(now)
}

/// Whether nobody would see a difference.
fn is_same(told: &ClockView, now: &ClockView) -> bool {
    /// The clocks drift apart; a clock that was set is something else.
    const SINCE: SignedDuration = SignedDuration::from_secs(2);
    let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < OFFSET_STEP_SECONDS,
        (a, b) => a == b,
    };
    let mut same = told.clone();
    if near(told.offset_seconds, now.offset_seconds) {
        same.offset_seconds = now.offset_seconds;
    }
    if told.since.duration_since(now.since).abs() < SINCE {
        same.since = now.since;
    }
    for (known, now) in same.servers.iter_mut().zip(&now.servers) {
        if near(known.offset_seconds, now.offset_seconds) && known.round_trip_seconds.is_some() {
            (known.offset_seconds, known.round_trip_seconds) = (now.offset_seconds, now.round_trip_seconds);
        }
    }
    same == *now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{ClockState, TimeServerView};

    fn view(offset: f64, since: i64) -> ClockView {
        ClockView {
            state: ClockState::Synchronised,
            reason: "the clock follows ntp".into(),
            since: Timestamp::from_second(since).unwrap(),
            may_set: true,
            offset_seconds: Some(offset),
            source: Some("ntp".into()),
            servers: vec![TimeServerView {
                server: "ntp".into(),
                address: None,
                answers: true,
                reason: "answers".into(),
                offset_seconds: Some(offset),
                round_trip_seconds: Some(offset * 2.0),
                stratum: Some(2),
            }],
            zone: String::new(),
        }
    }

    #[test]
    fn what_nobody_would_see_is_no_news() {
        assert!(is_same(&view(0.001, 1000), &view(0.001_05, 1001)));
        assert!(!is_same(&view(0.001, 1000), &view(0.002, 1000)));
        assert!(!is_same(&view(0.001, 1000), &view(0.001, 5000)), "the clock was set");
        let silent = ClockView { servers: Vec::new(), ..view(0.001, 1000) };
        assert!(!is_same(&view(0.001, 1000), &silent));
    }
}
