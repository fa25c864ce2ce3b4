//! Traps and informs: alerts for managers that are told without asking.
//!
//! A task and a bounded queue for each destination, so that none waits for another and the alerts for none. What a destination
//! does not take is lost: a trap is a datagram that nobody confirms, an inform is sent again for some seconds. What must not be
//! lost goes by mail, which is kept on disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_snmp::{Auth, Client, GenericTrap, Oid, Retry, TrapV1Notification, UsmConfig, Value, VarBind};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::boots::Authority;
use super::objects::{OURS, short_text};
use super::running::{keys, proof};
use super::secret::Secrets;
use super::shares::Shares;
use crate::alert::topic::{Bulletin, Kind, Notice, Severity, Topic};
use crate::alert::words;
use crate::config::Label;
use crate::config::snmp::{TrapDestination, TrapWay};
use crate::view::SnmpTrapView;

/// Alerts that wait for a destination: a rack that dies is some dozens. Further ones are counted as lost.
const QUEUE: usize = 256;
/// For an inform to be confirmed, before it is sent again.
const PATIENCE: Duration = Duration::from_secs(3);
/// So often it is sent again.
const RETRIES: u32 = 3;

/// What is told of an alert. Pure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trap {
    /// `evkAlertRaised`, `evkAlertCleared` or `evkAlertTest`.
    number: u32,
    subject: String,
    text: String,
    severity: i32,
}

impl Trap {
    fn of(notice: &Notice) -> Self {
        let number = match (&notice.topic, notice.kind) {
            (Topic::Test { .. }, _) => 3,
            (_, Kind::Ended | Kind::Withdrawn) => 2,
            _ => 1,
        };
        let severity = match (number, notice.trouble.severity) {
            (2, _) => 1,
            (_, Severity::Information) => 2,
            (_, Severity::Warning) => 3,
            (_, Severity::Critical) => 4,
        };
        let trouble = &notice.trouble;
        let details = match number {
            2 => [notice.now.as_str(), "", ""],
            _ => [trouble.why.as_str(), &trouble.effect, &trouble.look_at],
        };
        let since = format!("Since {:.0}.", notice.since);
        let parts = std::iter::once(since.as_str()).chain(details).filter(|part| !part.is_empty());
        Self { number, subject: words::line(notice), text: parts.collect::<Vec<_>>().join(" "), severity }
    }

    fn objects(&self) -> Vec<VarBind> {
        let object = |number: u32, value: Option<Value>| {
            let name = Oid::from_slice(&[OURS, &[1, 6, number, 0]].concat());
            value.map(|value| VarBind::new(name, value))
        };
        let severity = Some(Value::Integer(self.severity));
        [object(1, short_text(&self.subject)), object(2, short_text(&self.text)), object(3, severity)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn name(&self) -> Oid {
        Oid::from_slice(&[OURS, &[0, self.number]].concat())
    }
}

/// Everything on which what is sent to a destination depends, as it is when something is sent.
#[derive(Clone)]
struct Means {
    destination: TrapDestination,
    secrets: Secrets,
    /// Agent address of version 1.
    ours: [u8; 4],
    /// Of version 3, once its engine has started.
    authority: Option<Authority>,
}

/// What came of it so far.
#[derive(Debug, Clone, Default)]
struct Record {
    sent: u64,
    failed: u64,
    lost: u64,
    last_error: Option<String>,
    last_sent: Option<Timestamp>,
}

/// A destination with its queue and its task, which ends with it.
struct Messenger {
    means: Arc<Mutex<Means>>,
    queue: mpsc::Sender<Trap>,
    record: Arc<Mutex<Record>>,
    task: AbortHandle,
}

impl Drop for Messenger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All of them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Messengers(Arc<Mutex<Vec<Messenger>>>);

impl std::fmt::Debug for Messengers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Messengers")
    }
}

impl Messengers {
    /// Hands an alert on. Never waits; returns to how many.
    pub fn tell(&self, bulletin: &Bulletin) -> usize {
        let traps: Vec<_> = bulletin
            .notices
            .iter()
            .filter(|notice| !words::is_said_by_others(notice, &bulletin.notices))
            .map(Trap::of)
            .collect();
        let messengers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for messenger in messengers.iter() {
            for trap in &traps {
                if messenger.queue.try_send(trap.clone()).is_err() {
                    record(&messenger.record, |record| record.lost += 1);
                }
            }
        }
        messengers.len()
    }

    /// A destination keeps what waits for it whatever else changes: its address, a passphrase, the engine that has started.
    pub(super) fn follow(
        &self,
        destinations: &[TrapDestination],
        secrets: &Secrets,
        ours: [u8; 4],
        authority: Option<&Authority>,
        shares: &Shares,
    ) {
        let mut messengers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *messengers);
        for destination in destinations {
            let (destination, secrets, authority) =
                (destination.clone(), secrets.clone(), authority.cloned());
            let known = before.iter().position(|messenger| messenger.label() == destination.label);
            let means = Means { destination, secrets, ours, authority };
            messengers.push(match known {
                Some(index) => before.swap_remove(index).with(means),
                None => Messenger::start(means, shares.clone()),
            });
        }
    }

    /// In the order of the configuration.
    pub(super) fn views(&self) -> Vec<SnmpTrapView> {
        let view = |messenger: &Messenger| {
            let TrapDestination { label, place, way, inform } = messenger.means().destination;
            let record = messenger.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
            SnmpTrapView {
                label: label.to_string(),
                place: place.to_string(),
                version: way.version().to_owned(),
                user: match &way {
                    TrapWay::V3(user) => user.name.as_str().to_owned(),
                    _ => String::new(),
                },
                inform,
                sent: record.sent,
                failed: record.failed,
                lost: record.lost,
                last_sent: record.last_sent,
                last_error: record.last_error,
            }
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(view).collect()
    }
}

fn record(known: &Mutex<Record>, change: impl FnOnce(&mut Record)) {
    change(&mut known.lock().unwrap_or_else(PoisonError::into_inner));
}

impl Messenger {
    fn start(means: Means, shares: Shares) -> Self {
        let (queue, mut traps) = mpsc::channel::<Trap>(QUEUE);
        let known = Arc::<Mutex<Record>>::default();
        let means = Arc::new(Mutex::new(means));
        let (kept, current) = (known.clone(), means.clone());
        let task = tokio::spawn(async move {
            while let Some(trap) = traps.recv().await {
                let means = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let sent = send(means, &trap, shares.uptime()).await;
                record(&kept, |record| match sent {
                    Ok(()) => {
                        record.sent += 1;
                        record.last_sent = Some(Timestamp::now());
                        record.last_error = None;
                    }
                    Err(why) => {
                        record.failed += 1;
                        record.last_error = Some(why);
                    }
                });
            }
        });
        Self { means, queue, record: known, task: task.abort_handle() }
    }

    fn means(&self) -> Means {
        self.means.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn label(&self) -> Label {
        self.means().destination.label
    }

    /// Goes on with other means. What is counted is of a destination: another one begins at nothing.
    fn with(self, means: Means) -> Self {
        let before =
            std::mem::replace(&mut *self.means.lock().unwrap_or_else(PoisonError::into_inner), means.clone());
        if before.destination != means.destination {
            record(&self.record, |record| *record = Record::default());
        }
        self
    }
}

/// The error is for people.
async fn send(means: Means, trap: &Trap, uptime: u32) -> Result<(), String> {
    let TrapDestination { place, way, inform, .. } = &means.destination;
    let mut builder = Client::builder(*place, auth(&means)?)
        .request_timeout(PATIENCE)
        .retry(Retry::fixed(RETRIES, Duration::ZERO).unwrap_or_default());
    if matches!(way, TrapWay::V3(_)) {
        let Authority { engine, salt } = means.authority.ok_or("SNMP version 3 has not started")?;
        builder = builder.local_authoritative_engine(engine).des_salt_state(salt);
    }
    let client = builder.connect().await.map_err(|error| error.to_string())?;
    let (name, objects) = (trap.name(), trap.objects());
    let sent = match (way, inform) {
        (TrapWay::V1, _) => {
            let ours = Oid::from_slice(OURS);
            let specific = GenericTrap::EnterpriseSpecific;
            let number = i32::try_from(trap.number).unwrap_or_default();
            let trap = TrapV1Notification::new(ours, means.ours, specific, number, uptime, objects);
            match trap {
                Ok(trap) => client.send_v1_trap(trap).await,
                Err(error) => Err(error),
            }
        }
        (_, true) => client.send_inform(&name, uptime, objects).await,
        (_, false) => client.send_trap(&name, uptime, objects).await,
    };
    sent.map_err(|error| error.to_string())
}

fn auth(Means { destination, secrets, .. }: &Means) -> Result<Auth, String> {
    let community = || secrets.community.clone().ok_or("there is no community: set one");
    let user = match &destination.way {
        TrapWay::V1 => return Ok(Auth::v1(community()?.into_bytes())),
        TrapWay::V2c => return Ok(Auth::v2c(community()?.into_bytes())),
        TrapWay::V3(user) => user,
    };
    let name = user.name.as_str();
    let known = secrets.users.get(name).and_then(|known| keys(user, known));
    let (authentication, privacy) =
        known.ok_or_else(|| format!("a passphrase of {name} is missing: set it"))?;
    let new = UsmConfig::new(name.to_owned());
    let proof = proof(user.authentication);
    let config = match privacy {
        Some((encryption, passphrase)) => new.auth_priv(proof, authentication, encryption, passphrase),
        None => new.auth(proof, authentication),
    };
    config.map(Auth::from).map_err(|error| error.to_string())
}
