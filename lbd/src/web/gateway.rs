//! The way from WebUI, API and command line to the engine and its history: plain methods, each with an answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot, watch};

use super::access::Access;
use super::backup::Backups;
use super::certificate::Certificates;
use super::restarts::Restarts;
use crate::alert::Alarm;
use crate::clock::task::Timekeeper;
use crate::config::difference::difference;
use crate::config::{Alerting, Document, OnlineUpdates, Problem};
use crate::conntrack::lookup::Lookup;
use crate::crash::shelf::Shelf;
use crate::engine::{Accepted, Proposal, Refusal};
use crate::history::recorder::History;
use crate::licences::Licences;
use crate::log::journal::Journal;
use crate::mail::Post;
use crate::persistence::lookup::Persistence;
use crate::snmp::Snmp;
use crate::store::{Author, Standing, StoreError, StoredVersion, VersionInfo, check_comment};
use crate::update::Updates;
use crate::vault::Vault;
use crate::view::View;

/// What the engine publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The state, for everybody.
    pub view: View,
    /// The configuration in force; its version is [`View::configuration_version`].
    pub document: Arc<Document>,
    /// What of it alerts and mail depend on.
    pub alerting: Arc<Alerting>,
    /// Where newer versions are looked for; `None`: nowhere.
    pub online_updates: Option<Arc<OnlineUpdates>>,
}

/// What somebody wants of the engine.
#[derive(Debug)]
pub enum Wish {
    /// Another configuration.
    Change(Box<Proposal>),
    /// Keep the one on trial: this version, where it is said.
    Confirm(Option<u64>),
    /// Take the one on trial back now.
    Revert(Option<u64>),
}

/// A wish, and whom to answer.
#[derive(Debug)]
pub struct Request {
    /// The wish.
    pub wish: Wish,
    /// What came of it.
    pub answer: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// Changes that may wait for their turn; further ones are told that lbd is busy.
const WAITING_CHANGES: usize = 32;
/// A change waits for the kernel and the disk; who waits longer has been forgotten.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Reads of the store at the same time; on a disk that hangs each keeps a thread.
const READS: usize = 8;
/// A healthy disk answers within milliseconds.
const LONGEST_READ: Duration = Duration::from_secs(5);
/// Sentences about what changed meanwhile: more say no more.
const MOST_CHANGES_TOLD: usize = 20;

/// What else the gateway leads to.
pub type Helpers = (Journal, Alarm, Post, Timekeeper, Snmp, History, Updates, Shelf, Licences);

/// The way to the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway {
    published: watch::Receiver<Arc<Published>>,
    requests: mpsc::Sender<Request>,
    vault: Arc<Vault>,
    /// One change after the other, in the order in which they came.
    turn: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    connections: Lookup,
    persistence: Persistence,
    access: Access,
    certificates: Certificates,
    journal: Journal,
    alarm: Alarm,
    post: Post,
    timekeeper: Timekeeper,
    snmp: Snmp,
    history: History,
    restarts: Restarts,
    updates: Updates,
    crashes: Shelf,
    licences: Licences,
    backups: Backups,
}

impl Gateway {
    /// The engine publishes to the first and takes requests from the second.
    pub fn new(
        published: watch::Receiver<Arc<Published>>,
        requests: mpsc::Sender<Request>,
        vault: Arc<Vault>,
        connections: Lookup,
        access: Access,
        certificates: Certificates,
        (journal, alarm, post, timekeeper, snmp, history, updates, crashes, licences): Helpers,
    ) -> Self {
        let [turn, waiting, reads] = [1, WAITING_CHANGES, READS].map(|room| Arc::new(Semaphore::new(room)));
        access.judge_tokens_by(published.clone());
        let persistence = Persistence::new(connections.names(), connections.proxy().clone());
        Self {
            published,
            requests,
            vault,
            turn,
            waiting,
            reads,
            connections,
            persistence,
            access,
            certificates,
            journal,
            alarm,
            post,
            timekeeper,
            snmp,
            history,
            restarts: Restarts::default(),
            updates,
            crashes,
            licences,
            backups: Backups::default(),
        }
    }

    /// What crashed; every use waits for the disk.
    pub(in crate::web) fn crashes(&self) -> &Shelf {
        &self.crashes
    }

    /// What is under way about backups.
    pub(in crate::web) fn backups(&self) -> &Backups {
        &self.backups
    }

    /// Where configuration and secrets are kept; every use waits for the disk.
    pub(in crate::web) fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// How ports of the appliance itself are opened anew.
    pub fn restarts(&self) -> &Restarts {
        &self.restarts
    }

    /// The log.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The alerts.
    pub fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// The mail queue.
    pub fn post(&self) -> &Post {
        &self.post
    }

    /// Who looks after the clock.
    pub fn timekeeper(&self) -> &Timekeeper {
        &self.timekeeper
    }

    /// The SNMP agent.
    pub fn snmp(&self) -> &Snmp {
        &self.snmp
    }

    /// The course of figures.
    pub fn past(&self) -> &History {
        &self.history
    }

    /// The way to updates.
    pub fn updates(&self) -> &Updates {
        &self.updates
    }

    /// The licences of what is shipped.
    pub fn licences(&self) -> &Licences {
        &self.licences
    }

    /// The way to connections, open and closed.
    pub fn connections(&self) -> &Lookup {
        &self.connections
    }

    /// The way to persistence entries.
    pub fn persistence(&self) -> &Persistence {
        &self.persistence
    }

    /// Users, tokens, sessions and the audit log.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The certificate of the WebUI.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The latest picture.
    pub fn latest(&self) -> Arc<Published> {
        self.published.borrow().clone()
    }

    /// Tells of every new picture; a slow reader misses some, never the latest.
    pub fn watch(&self) -> watch::Receiver<Arc<Published>> {
        self.published.clone()
    }

    /// Asks for another configuration. Returns once it is in force and stored, or says why it is neither.
    pub async fn change(&self, proposal: Proposal) -> Result<Accepted, Refusal> {
        let _turn = self.turn().await?;
        self.propose(proposal).await
    }

    /// Changes a part of the configuration in force: no other change comes between reading and writing. With
    /// `based_on`, only if that version is still in force. An edit that changes nothing makes no version.
    pub async fn edit(
        &self,
        by: Author,
        comment: String,
        based_on: Option<u64>,
        edit: impl FnOnce(&mut Document) -> Result<(), Refusal> + Send,
    ) -> Result<Accepted, Refusal> {
        let _turn = self.turn().await?;
        let latest = self.latest();
        let version = latest.view.configuration_version;
        let mut document = latest.document.as_ref().clone();
        if based_on.is_none_or(|based_on| based_on == version) {
            edit(&mut document)?;
            if document == *latest.document {
                return Ok(Accepted { version, confirm_until: None });
            }
        }
        self.propose(Proposal { document, by, comment, based_on: based_on.or(Some(version)) }).await
    }

    /// Makes what version `number` says the configuration in force again, as a new version.
    pub async fn go_back(
        &self,
        number: u64,
        by: Author,
        comment: Option<String>,
        based_on: Option<u64>,
    ) -> Result<Accepted, Refusal> {
        let stored = self.version(number).await?;
        let comment = comment.unwrap_or_else(|| format!("back to version {number}"));
        self.change(Proposal { document: stored.document, by, comment, based_on }).await
    }

    /// Keeps the configuration on trial. Another version than the one that was `seen` is refused.
    pub async fn confirm(&self, by: &Author, seen: Option<u64>) -> Result<Accepted, Refusal> {
        let accepted = self.verdict(Wish::Confirm(seen), seen).await?;
        self.access.audit().change(by, &[format!("version {} confirmed", accepted.version)]);
        Ok(accepted)
    }

    /// Takes the configuration on trial back now; returns the version that is in force then.
    pub async fn revert(&self, by: &Author, seen: Option<u64>) -> Result<Accepted, Refusal> {
        let accepted = self.verdict(Wish::Revert(seen), seen).await?;
        self.access.audit().change(by, &[format!("trial ended: back to version {}", accepted.version)]);
        Ok(accepted)
    }

    /// All stored versions, the newest first.
    pub async fn history(&self) -> Result<Vec<VersionInfo>, Refusal> {
        self.read(Vault::history).await
    }

    /// A stored version.
    pub async fn version(&self, number: u64) -> Result<StoredVersion, Refusal> {
        let found = self.read(move |vault| vault.version(number)).await?;
        found.ok_or_else(|| {
            Refusal::NoVersion(format!("there is no version {number}; the last 50 versions are kept"))
        })
    }

    /// What distinguishes two versions, in words; `None` is the configuration in force.
    pub async fn difference(&self, from: Option<u64>, to: Option<u64>) -> Result<Vec<String>, Refusal> {
        let read = async |number: Option<u64>| match number {
            Some(number) => Ok(Arc::new(self.version(number).await?.document)),
            None => Ok(self.latest().document.clone()),
        };
        Ok(difference(&*read(from).await?, &*read(to).await?))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Refusal::Busy)?;
        match tokio::time::timeout(LONGEST_WAIT, self.turn.acquire()).await {
            Ok(turn) => turn.map_err(|_| Refusal::Ending),
            Err(_) => Err(Refusal::Busy),
        }
    }

    async fn propose(&self, proposal: Proposal) -> Result<Accepted, Refusal> {
        check_comment(&proposal.comment).map_err(|fault| {
            let field = "comment".into();
            Refusal::Invalid(vec![Problem { field, problem: fault.problem, remedy: fault.remedy }])
        })?;
        let based_on = proposal.based_on;
        let by = proposal.by.clone();
        let before = self.latest();
        let differences = difference(&before.document, &proposal.document);
        match self.ask(Wish::Change(Box::new(proposal))).await {
            Ok(accepted) => {
                let version = accepted.version;
                let mut lines: Vec<_> =
                    differences.into_iter().map(|line| format!("version {version}: {line}")).collect();
                if lines.is_empty() {
                    lines.push(format!("version {version}: the same as before"));
                }
                self.access.audit().change(&by, &lines);
                Ok(accepted)
            }
            Err(refusal) => Err(self.with_changes(refusal, based_on).await),
        }
    }

    async fn verdict(&self, wish: Wish, seen: Option<u64>) -> Result<Accepted, Refusal> {
        match self.ask(wish).await {
            Err(refusal) => Err(self.with_changes(refusal, seen).await),
            accepted => accepted,
        }
    }

    /// A refusal that says that there is another version says what is another there.
    async fn with_changes(&self, refusal: Refusal, seen: Option<u64>) -> Refusal {
        match refusal {
            Refusal::Outdated { in_force, .. } => {
                let changed = self.changed_since(seen.unwrap_or(in_force), in_force).await;
                Refusal::Outdated { in_force, changed }
            }
            refusal => refusal,
        }
    }

    /// What changed after `version`, in words, and by whom; empty where it cannot be read. Of what was only tried, what is on
    /// trial now.
    async fn changed_since(&self, version: u64, in_force: u64) -> Vec<String> {
        let told = self.read(move |vault| {
            let counts = |info: &VersionInfo| {
                info.standing == Standing::Accepted || [version, in_force].contains(&info.version)
            };
            let later = vault.history()?.into_iter().rev().filter(counts);
            let later: Vec<_> = later.skip_while(|info| info.version < version).collect();
            let mut told = Vec::new();
            for pair in later.windows(2) {
                let (Some(old), Some(new)) =
                    (vault.version(pair[0].version)?, vault.version(pair[1].version)?)
                else {
                    continue;
                };
                let by =
                    new.info.stamp.as_ref().map_or_else(String::new, |stamp| format!(" by {}", stamp.by));
                let lines = difference(&old.document, &new.document);
                told.extend(
                    lines.into_iter().map(|line| format!("version {}{by}: {line}", new.info.version)),
                );
                if told.len() >= MOST_CHANGES_TOLD {
                    break;
                }
            }
            told.truncate(MOST_CHANGES_TOLD);
            Ok(told)
        });
        told.await.unwrap_or_default()
    }

    async fn ask(&self, wish: Wish) -> Result<Accepted, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { wish, answer }).await.map_err(|_| Refusal::Ending)?;
        match tokio::time::timeout(LONGEST_WAIT, answered).await {
            Ok(answer) => answer.map_err(|_| Refusal::Ending)?,
            Err(_) => Err(Refusal::Busy),
        }
    }

    /// In a thread of its own: a dying disk must not hold up those that serve.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Vault) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let busy = || Refusal::NoVersion("the disk does not answer; try again in some seconds".into());
        let place = Arc::clone(&self.reads).try_acquire_owned().map_err(|_| busy())?;
        let vault = self.vault.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            read(&vault)
        });
        match tokio::time::timeout(LONGEST_READ, read).await {
            Ok(Ok(read)) => read.map_err(|error| Refusal::NoVersion(error.to_string())),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}
