//! The desk of the alerts: shows the policy what the View says, keeps its memory, hands bulletins to the channels.
//!
//! One task, in this order: wait for a picture, a wish or a deadline; let the policy decide; keep its memory durably; hand
//! on what is to be told. A channel takes a bulletin over durably before it is taken out of the outbox: what is told is
//! never lost, and told twice only where lbd dies between.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::episode::Rhythm;
use super::policy::{Effect, Memory, Policy, Settings};
use super::topic::{Bulletin, Kind, Notice, Severity, Topic, Trouble};
use super::{mailing, sightings, words};
use crate::config::Alerting;
use crate::disk_writer::DiskWriter;
use crate::durable;
use crate::engine::Now;
use crate::mail::Post;
use crate::snmp::Snmp;
use crate::web::Published;

/// Incidents and wishes that may wait.
const WISHES: usize = 64;
const FILE: &str = "alerts.json";
/// A farm that is dead as a whole has a memory of some megabytes.
const LARGEST_MEMORY: u64 = 64 << 20;

/// The way to the desk. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Alarm {
    wishes: mpsc::Sender<Wish>,
}

#[derive(Debug)]
enum Wish {
    Happened(Topic, Trouble),
    Now { topic: Topic, trouble: Trouble, done: oneshot::Sender<Vec<String>> },
}

/// What the task of the desk begins with.
#[derive(Debug)]
pub struct Desk {
    wishes: mpsc::Receiver<Wish>,
    file: PathBuf,
}

#[cfg(test)]
impl Desk {
    /// What happened and was not told yet.
    pub(crate) fn next_incident(&mut self) -> Option<(Topic, Trouble)> {
        match self.wishes.try_recv().ok()? {
            Wish::Happened(topic, trouble) => Some((topic, trouble)),
            Wish::Now { .. } => None,
        }
    }
}

/// Both ends, with the memory below the state directory.
pub fn open(state_directory: &Path) -> (Alarm, Desk) {
    let (sender, wishes) = mpsc::channel(WISHES);
    (Alarm { wishes: sender }, Desk { wishes, file: state_directory.join(FILE) })
}

impl Alarm {
    /// Something happened that the View does not show. Never waits: where too much happens, some of it is told in the log
    /// only.
    pub fn happened(&self, topic: Topic, trouble: Trouble) {
        if self.wishes.try_send(Wish::Happened(topic, trouble)).is_err() {
            tracing::warn!("too much happens at once; an alert is not told");
        }
    }

    /// Tells all channels that somebody tries the way, as if it were about this service. Returns the names of the mails
    /// that are under way; none where nobody is to get any.
    pub async fn test(&self, service: Option<String>, by: String) -> Vec<String> {
        self.happened_now(Topic::Test { service }, trial(&by)).await
    }

    /// Tells all channels of something that happened: at once, alone, and however often it did before. Returns the names
    /// of the mails that are under way.
    pub async fn happened_now(&self, topic: Topic, trouble: Trouble) -> Vec<String> {
        let (done, is_done) = oneshot::channel();
        let sent = self.wishes.send(Wish::Now { topic, trouble, done }).await;
        if sent.is_ok() { is_done.await.unwrap_or_default() } else { Vec::new() }
    }
}

/// Everybody who is told. Another way of telling is one more field, and one more line in [`Channels::take`].
#[derive(Debug)]
pub struct Channels {
    /// Mail.
    pub post: Post,
    /// Traps: handed on, and then as safe as a datagram is.
    pub snmp: Snmp,
}

impl Channels {
    /// Returns once every channel has it safely. Returns the names of the mails.
    async fn take(&self, bulletin: &Bulletin, picture: &Published) -> Vec<String> {
        for notice in &bulletin.notices {
            log(notice);
        }
        self.snmp.tell(bulletin);
        let management = &picture.document.management;
        let port = management.https_port.unwrap_or(9443);
        let url = format!("https://{}:{port}/", management.address);
        let letters = mailing::letters(bulletin, &picture.alerting, &picture.view.host_name, &url);
        let names = letters.iter().map(|letter| letter.id.clone()).collect();
        if !letters.is_empty() {
            self.post.take(letters).await;
        }
        names
    }
}

/// As grave as it is: who forwards errors alone hears of a service without servers, and of no recovery.
fn log(notice: &Notice) {
    let (why, line) = (&notice.trouble.why, words::line(notice));
    match (notice.kind, notice.trouble.severity) {
        (Kind::Ended | Kind::Withdrawn, _) | (_, Severity::Information) => {
            tracing::info!(target: "lbd::alert", %why, "{line}");
        }
        (_, Severity::Warning) => tracing::warn!(target: "lbd::alert", %why, "{line}"),
        (_, Severity::Critical) => tracing::error!(target: "lbd::alert", %why, "{line}"),
    }
}

fn settings(alerting: &Alerting) -> Settings {
    let signed = |time: std::time::Duration| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
    let alerts = &alerting.alerts;
    Settings {
        rhythm: Rhythm { hold_down: signed(alerts.hold_down), reminder: alerts.reminder.map(signed) },
        gathering: signed(alerts.gathering),
    }
}

/// Runs as long as lbd does; returns why it ended.
pub async fn serve(desk: Desk, mut pictures: watch::Receiver<Arc<Published>>, channels: Channels) -> String {
    let Desk { mut wishes, file } = desk;
    let started = Instant::now();
    let now = || Now { monotonic: started.elapsed(), wall: Timestamp::now() };
    let reading = file.clone();
    let memory = tokio::task::spawn_blocking(move || read(&reading)).await.unwrap_or_default();
    let first = pictures.borrow_and_update().clone();
    let (mut policy, effects) = Policy::new(settings(&first.alerting), memory, now());
    let keeping =
        DiskWriter::start("alerts", |_, newest| newest, move |memory: Memory| write(&file, &memory));
    let disk = match keeping {
        Ok(disk) => disk,
        Err(error) => return format!("starting the thread that keeps what was told: {error}"),
    };
    let mut clerk = Clerk { disk, channels, picture: first };
    clerk.perform(&mut policy, effects).await;
    let mut is_first = true;
    loop {
        let due = policy.next_due().map(|due| started + due);
        let effects = tokio::select! {
            changed = pictures.changed(), if !is_first => {
                if changed.is_err() {
                    return "nobody publishes pictures any more".into();
                }
                clerk.picture = pictures.borrow_and_update().clone();
                clerk.look(&mut policy, now())
            }
            () = std::future::ready(()), if is_first => {
                is_first = false;
                clerk.look(&mut policy, now())
            }
            () = sleep_until(due) => policy.advance(now()),
            wish = wishes.recv() => match wish {
                Some(Wish::Happened(topic, trouble)) => policy.happened(topic, trouble, now()),
                Some(Wish::Now { topic, trouble, done }) => {
                    let (number, effects) = policy.happened_now(topic, trouble, now());
                    let names = clerk.perform(&mut policy, effects).await;
                    // Whoever asked may have gone.
                    let _ = done.send(names.into_iter().filter(|(of, _)| *of == number).flat_map(|(_, names)| names).collect());
                    Vec::new()
                }
                None => return "nobody reports incidents any more".into(),
            },
        };
        clerk.perform(&mut policy, effects).await;
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn trial(by: &str) -> Trouble {
    Trouble {
        severity: Severity::Information,
        name: "This is a test".into(),
        state: "of the alerts".into(),
        over: String::new(),
        why: format!("{by} asked for it"),
        effect: "None. Alerts that matter come the same way.".into(),
        look_at: String::new(),
        place: None,
    }
}

struct Clerk {
    disk: DiskWriter<Memory>,
    channels: Channels,
    picture: Arc<Published>,
}

impl Clerk {
    fn look(&self, policy: &mut Policy, now: Now) -> Vec<Effect> {
        policy.set(settings(&self.picture.alerting));
        let view = &self.picture.view;
        policy.observe(sightings::troubles(view), |topic| sightings::absence(view, topic), now)
    }

    /// Carries out what the policy orders. Returns the number of each bulletin with the names of its mails.
    async fn perform(&self, policy: &mut Policy, effects: Vec<Effect>) -> Vec<(u64, Vec<String>)> {
        let mut names = Vec::new();
        for effect in effects {
            match effect {
                Effect::Remember(memory) => self.keep(memory).await,
                Effect::Tell(bulletin) => {
                    names.push((bulletin.number, self.channels.take(&bulletin, &self.picture).await));
                    for effect in policy.taken(bulletin.number) {
                        if let Effect::Remember(memory) = effect {
                            self.keep(memory).await;
                        }
                    }
                }
            }
        }
        names
    }

    /// A disk that takes nothing, or hangs, costs the memory over a restart, not the alerts.
    async fn keep(&self, memory: Memory) {
        if let Err(error) = self.disk.write(memory).await {
            tracing::warn!(%error, "the disk does not keep what was told; after a restart it may be told again");
        }
    }
}

/// What an earlier lbd kept; nothing where that cannot be read: then what is wrong is told again.
fn read(file: &Path) -> Memory {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(LARGEST_MEMORY).read_to_string(&mut text));
    match read {
        Ok(_) => serde_json::from_str(&text).unwrap_or_else(|error| {
            tracing::warn!(%error, file = %file.display(), "cannot read what was told; it may be told again");
            Memory::default()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
        Err(error) => {
            tracing::warn!(%error, file = %file.display(), "cannot read what was told; it may be told again");
            Memory::default()
        }
    }
}

fn write(file: &Path, memory: &Memory) -> io::Result<()> {
    let text = serde_json::to_string(memory).map_err(io::Error::other)?;
    durable::replace(file, text.as_bytes())
}
