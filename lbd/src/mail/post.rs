//! The post: takes letters, keeps them on disk, tries them until somebody takes them over, and says how it stands.
//!
//! One task owns the queue. In this order: it takes what was asked of it and what came of attempts, makes the disk
//! follow, starts what is due, tells the engine how it stands. Attempts and disk writes run elsewhere. A letter counts as taken
//! once it is on disk, or in memory where the disk takes nothing, which is said.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::exchange::{Finder, Server};
use super::letter::Letter;
use super::password::PasswordFile;
use super::queue::{Change, Outcome, Queue};
use super::session::{Manners, Trouble, deliver};
use super::spool::Spool;
use crate::config::Alerting;
use crate::config::alerting::Encryption;
use crate::disk_writer::{self, DiskWriter};
use crate::engine::{Event, Now};
use crate::view::MailView;
use crate::web::Published;

/// Letters that are tried at the same time.
const OUT: usize = 4;
/// Wishes that may wait.
const WISHES: usize = 64;

/// The way to the post. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Post {
    wishes: mpsc::Sender<Wish>,
    password: PasswordFile,
}

#[derive(Debug)]
enum Wish {
    Take(Vec<Letter>, oneshot::Sender<()>),
    Hurry(oneshot::Sender<()>),
    Drop(String, String, oneshot::Sender<bool>),
}

/// What the task of the post begins with.
#[derive(Debug)]
pub struct Office {
    wishes: mpsc::Receiver<Wish>,
    spool: Spool,
    password: PasswordFile,
}

/// Both ends, with letters below the state directory.
pub fn open(state_directory: &Path) -> (Post, Office) {
    let (sender, wishes) = mpsc::channel(WISHES);
    let password = PasswordFile::below(state_directory);
    let office = Office { wishes, spool: Spool::below(state_directory), password: password.clone() };
    (Post { wishes: sender, password }, office)
}

impl Post {
    /// Returns once the letters are in the queue. Those that are known already are not taken twice.
    pub async fn take(&self, letters: Vec<Letter>) {
        let (done, is_done) = oneshot::channel();
        if self.wishes.send(Wish::Take(letters, done)).await.is_ok() {
            // The post ends only with lbd.
            let _ = is_done.await;
        }
    }

    /// Tries everything now.
    pub async fn hurry(&self) {
        let (done, is_done) = oneshot::channel();
        if self.wishes.send(Wish::Hurry(done)).await.is_ok() {
            let _ = is_done.await;
        }
    }

    /// Throws a letter away; false where there is none of that name that waits.
    pub async fn throw_away(&self, id: String, why: String) -> bool {
        let (done, is_done) = oneshot::channel();
        let sent = self.wishes.send(Wish::Drop(id, why, done)).await;
        sent.is_ok() && is_done.await.unwrap_or(false)
    }

    /// Sets or forgets the password of the smart host; then everything is tried with it. The error is for people.
    pub async fn set_password(&self, password: Option<String>) -> Result<(), String> {
        let file = self.password.clone();
        let set = tokio::task::spawn_blocking(move || file.set(password)).await;
        set.map_err(|error| error.to_string())??;
        self.hurry().await;
        Ok(())
    }
}

struct Clerk {
    queue: Queue,
    disk: DiskWriter<Vec<Change>>,
    password: PasswordFile,
    pictures: watch::Receiver<Arc<Published>>,
    events: mpsc::Sender<Event>,
    started: Instant,
    disk_failure: Option<String>,
    has_password: bool,
    told: Option<MailView>,
}

/// Runs as long as lbd does; returns why it ended.
pub async fn serve(
    office: Office,
    pictures: watch::Receiver<Arc<Published>>,
    events: mpsc::Sender<Event>,
) -> String {
    let Office { mut wishes, spool, password } = office;
    let loading = spool.clone();
    let loaded = tokio::task::spawn_blocking(move || loading.load()).await;
    let loaded = loaded.map_err(io::Error::other).flatten();
    let disk_failure = loaded.as_ref().err().map(ToString::to_string);
    let disk = match DiskWriter::start("mail", latest, move |changes: Vec<Change>| write(&spool, &changes)) {
        Ok(disk) => disk,
        Err(error) => return format!("starting the thread that keeps mail: {error}"),
    };
    let mut clerk = Clerk {
        queue: Queue::adopt(loaded.unwrap_or_default()),
        disk,
        password,
        pictures,
        events,
        started: Instant::now(),
        disk_failure,
        has_password: false,
        told: None,
    };
    clerk.look_for_password().await;
    let mut out: JoinSet<(String, Outcome)> = JoinSet::new();
    loop {
        clerk.send_due(&mut out);
        if clerk.tell().await.is_err() {
            return "nobody wants to know how mail stands any more".into();
        }
        let due = clerk.queue.next_due().filter(|_| out.len() < OUT && clerk.is_configured());
        tokio::select! {
            wish = wishes.recv() => match wish {
                Some(wish) => clerk.grant(wish).await,
                None => return "nobody hands on mail any more".into(),
            },
            Some(ended) = out.join_next() => match ended {
                Ok((id, outcome)) => clerk.tried(&id, outcome).await,
                Err(error) => return format!("an attempt to send mail has failed: {error}"),
            },
            () = sleep_until(clerk.started, due) => {}
            changed = clerk.pictures.changed() => {
                if changed.is_err() {
                    return "nobody publishes settings any more".into();
                }
            }
        }
    }
}

/// One that fails keeps no other from the disk: a letter that stays there is sent again by the next lbd.
fn write(spool: &Spool, changes: &[Change]) -> io::Result<()> {
    let mut written = Ok(());
    for change in changes {
        written = written.and(spool.follow(change));
    }
    written
}

/// Of each letter only the latest change counts.
fn latest(mut before: Vec<Change>, now: Vec<Change>) -> Vec<Change> {
    before.retain(|change| now.iter().all(|newer| newer.id() != change.id()));
    before.extend(now);
    before
}

async fn sleep_until(started: Instant, due: Option<SignedDuration>) {
    match due {
        Some(due) => tokio::time::sleep_until(started + Duration::try_from(due).unwrap_or_default()).await,
        None => std::future::pending().await,
    }
}

impl Clerk {
    fn now(&self) -> Now {
        Now { monotonic: self.started.elapsed(), wall: Timestamp::now() }
    }

    fn settings(&self) -> (Arc<Alerting>, String) {
        let picture = self.pictures.borrow();
        (picture.alerting.clone(), picture.view.host_name.clone())
    }

    /// Nothing leaves the appliance unless somebody wants mail.
    fn is_configured(&self) -> bool {
        self.pictures.borrow().alerting.is_configured()
    }

    async fn grant(&mut self, wish: Wish) {
        let now = self.now();
        // Whoever asked may have gone.
        match wish {
            Wish::Take(letters, done) => {
                let changes = letters.into_iter().flat_map(|letter| self.queue.add(letter, now)).collect();
                self.follow(changes).await;
                let _ = done.send(());
            }
            Wish::Hurry(done) => {
                self.look_for_password().await;
                self.queue.hurry(now);
                let _ = done.send(());
            }
            Wish::Drop(id, why, done) => {
                let change = self.queue.drop_letter(&id, &why, now);
                let is_gone = change.is_some();
                self.follow(change.into_iter().collect()).await;
                let _ = done.send(is_gone);
            }
        }
    }

    async fn look_for_password(&mut self) {
        let file = self.password.clone();
        let reading = tokio::task::spawn_blocking(move || file.load());
        // While the disk hangs, what was known before holds.
        let Ok(password) = tokio::time::timeout(disk_writer::PATIENCE, reading).await else { return };
        self.has_password = password.is_ok_and(|password| password.is_ok_and(|known| known.is_some()));
    }

    async fn tried(&mut self, id: &str, outcome: Outcome) {
        match &outcome {
            Outcome::Delivered(words) => tracing::info!(id, %words, "a mail is delivered"),
            Outcome::Later(words) | Outcome::Never(words) => {
                tracing::warn!(id, %words, "a mail is not delivered");
            }
        }
        let change = self.queue.tried(id, outcome, self.now());
        self.follow(change.into_iter().collect()).await;
    }

    /// Makes the disk follow. A letter that it does not take stays in memory; so does one that a hanging disk keeps waiting.
    async fn follow(&mut self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let written = self.disk.write(changes).await;
        self.disk_failure = written.err().map(|error| error.to_string());
        if let Some(why) = &self.disk_failure {
            tracing::warn!(%why, "the disk does not take the mail queue; it is kept in memory");
        }
    }

    fn send_due(&mut self, out: &mut JoinSet<(String, Outcome)>) {
        if !self.is_configured() {
            return;
        }
        for letter in self.queue.take_due(self.now(), OUT.saturating_sub(out.len())) {
            let (settings, host_name) = self.settings();
            let password = self.password.clone();
            out.spawn(async move {
                let outcome = send(&letter, &settings, &host_name, password).await;
                (letter.id, outcome)
            });
        }
    }

    /// Tells the engine how it stands, where that is something else than before.
    async fn tell(&mut self) -> Result<(), ()> {
        let (settings, _) = self.settings();
        let mut view = MailView {
            configured: settings.is_configured(),
            way: way(&settings),
            password_set: self.has_password,
            waiting_count: self.queue.len(),
            waiting: self.queue.waiting(self.now()),
            finished: self.queue.finished(),
            gave_way: self.queue.gave_way(),
            last_error: self.queue.last_error().map(str::to_owned),
            disk_failure: self.disk_failure.clone(),
        };
        if let Some(told) = &self.told {
            keep_times(&mut view, told);
        }
        if self.told.as_ref() != Some(&view) {
            self.told = Some(view.clone());
            self.events.send(Event::Mail(Box::new(view))).await.map_err(drop)?;
        }
        Ok(())
    }
}

/// A time that was told stays as it was told, where rounding alone makes it another one.
fn keep_times(view: &mut MailView, told: &MailView) {
    for mail in &mut view.waiting {
        let before =
            told.waiting.iter().find(|before| before.id == mail.id && before.attempts == mail.attempts);
        if let (Some(now), Some(before)) = (mail.next_attempt, before.and_then(|before| before.next_attempt))
            && now.duration_since(before).abs() <= SignedDuration::from_secs(1)
        {
            mail.next_attempt = Some(before);
        }
    }
}

fn way(settings: &Alerting) -> String {
    let mail = &settings.mail;
    match &mail.smart_host {
        Some(host) => format!("smart host {host}, port {}", mail.port),
        None => "the mail servers (MX) of each destination's domain".into(),
    }
}

/// One attempt: all servers in their order, until one takes the letter or refuses it for good.
async fn send(letter: &Letter, settings: &Alerting, host_name: &str, password: PasswordFile) -> Outcome {
    let message = match letter.message() {
        Ok(message) => message,
        Err(why) => return Outcome::Never(why),
    };
    let manners = match manners(settings, host_name, password).await {
        Ok(manners) => manners,
        Err(why) => return Outcome::Later(why),
    };
    let servers = match servers(letter, settings).await {
        Ok(servers) => servers,
        Err(outcome) => return outcome,
    };
    let mut failures = Vec::new();
    for server in &servers {
        match deliver(server, &manners, &message).await {
            Ok(answer) => return Outcome::Delivered(answer),
            Err(trouble @ Trouble::Letter(_)) => return trouble.outcome(),
            Err(Trouble::Server(why)) => failures.push(why),
        }
    }
    Outcome::Later(failures.join("; "))
}

async fn servers(letter: &Letter, settings: &Alerting) -> Result<Vec<Server>, Outcome> {
    let finder = Finder::new(&settings.dns_servers);
    match &settings.mail.smart_host {
        Some(host) => match host.as_str().parse() {
            Ok(address) => Ok(vec![Server { name: host.to_string(), address }]),
            Err(_) => finder
                .map_err(Outcome::Later)?
                .of_host("mail server", host.as_str())
                .await
                .map_err(Outcome::Later),
        },
        None => {
            let domain = letter.to.rsplit_once('@').map_or("", |(_, domain)| domain);
            finder.map_err(Outcome::Later)?.of_domain(domain).await
        }
    }
}

async fn manners(settings: &Alerting, host_name: &str, file: PasswordFile) -> Result<Manners, String> {
    let mail = &settings.mail;
    let credentials = match &mail.user {
        None => None,
        Some(user) => {
            let password = tokio::task::spawn_blocking(move || file.load()).await;
            let password = password.map_err(|error| error.to_string())??;
            let password = password.ok_or_else(|| format!("there is no password for {user}: set it"))?;
            Some((user.clone(), password))
        }
    };
    let hello_name = mail.hello_name.as_ref().map_or(host_name, |name| name.as_str()).to_owned();
    Ok(Manners {
        port: mail.port,
        // Whoever has a password does not give it away unencrypted, unless somebody says so.
        encryption: match mail.encryption {
            Encryption::Opportunistic if credentials.is_some() => Encryption::StartTls,
            other => other,
        },
        verify: mail.verify.clone(),
        server_name: mail.server_name.as_ref().map(ToString::to_string),
        credentials,
        hello_name,
    })
}
