//! Who may use WebUI and API over the network: users with passwords and sessions, programs with tokens.
//!
//! There is no default password: until one is set, every answer only says how to set it. Users and tokens are read
//! anew for every request, so that whatever is revoked opens nothing from then on; while the disk fails they count
//! as last read, as a disk that fails must not lock out who comes to see about it.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use super::attempts::{Attempts, Rank};
use super::password::{LONGEST_PASSWORD, StoredPassword};
use super::queue::Queue;
use super::secret::{Fingerprint, fingerprint, random};
use super::sessions::{Opening, Session, Sessions};
use super::tokens::{TokenFault, TokenFile, Tokens};
use super::users::{FIRST_USER, UserFile, Users};
use super::{Caller, Peer, Published};
use crate::alert::Alarm;
use crate::alert::topic::{Severity, Topic, Trouble};
use crate::audit::Audit;
use crate::config::document::SecurityDocument;
use crate::config::values::quoted;
use crate::store::Author;

/// The cookie of a session. With this prefix browsers take it over TLS only, for this host and all of its paths
/// (RFC 6265bis section 4.1.3.2).
pub(in crate::web) const COOKIE_NAME: &str = "__Host-evenkeel";
/// Reads of the secrets at the same time; on a disk that hangs each keeps a thread.
const READS: usize = 16;
/// Why a change of users or tokens had no turn.
const BUSY: &str = "several log-ins are under way";
/// A healthy disk answers within milliseconds.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// What to do where users or their passwords cannot be read.
pub(in crate::web) const CANNOT_LOG_IN: &str = "Balancing goes on. Try again in a minute; if it stays so, restart the \
                                                appliance, or set the password anew with `lbd set-password`.";

/// Header of the requests that a page makes by itself: they keep no session from growing idle.
const UNATTENDED: &str = "evenkeel-unattended";

/// Users, tokens and sessions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    users: UserFile,
    tokens: TokenFile,
    audit: Audit,
    start: Instant,
    sessions: Mutex<Sessions>,
    attempts: Mutex<Attempts>,
    /// One password is verified at a time: it takes 9 MiB and a tenth of a second.
    queue: Queue,
    reads: Arc<Semaphore>,
    last: Mutex<Option<Secrets>>,
    /// Who is told of lock-outs.
    alarm: OnceLock<Alarm>,
    /// The configuration in force, which says whether tokens count.
    pictures: OnceLock<watch::Receiver<Arc<Published>>>,
}

/// What was read of the disk.
#[derive(Debug, Clone)]
struct Secrets {
    users: Users,
    tokens: Tokens,
}

/// What a request may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// No password is set: nobody can log in.
    NoPassword,
    /// Nobody is logged in, for this reason.
    Nobody(&'static str),
    /// Somebody.
    Somebody {
        /// Who.
        caller: Caller,
        /// They may do one thing only: choose another password.
        must_change: bool,
        /// A browser's session, which another page might misuse.
        by_session: bool,
    },
    /// Users and tokens cannot be read, for this reason.
    Unreadable(String),
}

/// Why somebody was not logged in, or a password that was asked for once more does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogInRefusal {
    /// Name or password are wrong.
    Wrong,
    /// Too many failures; after this time it may be tried again.
    Wait(Duration),
    /// Too many log-ins are under way.
    Busy,
    /// No password is set: nobody can log in.
    NoPassword,
    /// It failed for this reason.
    Failed(String),
}

/// Somebody who has just logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// Who.
    pub caller: Caller,
    /// They may do one thing only: choose another password.
    pub must_change: bool,
    /// The value of `Set-Cookie`.
    pub cookie: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Access {
    /// For users and tokens below this directory.
    pub fn new(state_directory: &Path, audit: Audit) -> Self {
        let (users, tokens) = (UserFile::below(state_directory), TokenFile::below(state_directory));
        let last = read(&users, &tokens).ok();
        Self(Arc::new(Inner {
            users,
            tokens,
            audit,
            start: Instant::now(),
            sessions: Mutex::default(),
            attempts: Mutex::default(),
            queue: Queue::default(),
            reads: Arc::new(Semaphore::new(READS)),
            last: Mutex::new(last),
            alarm: OnceLock::new(),
            pictures: OnceLock::new(),
        }))
    }

    /// The log of changes and log-ins.
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Who sends these headers, and what they may do.
    pub async fn admit(&self, headers: &HeaderMap, from: Peer) -> Admission {
        let secrets = match self.secrets().await {
            Ok(secrets) => secrets,
            Err(error) => return Admission::Unreadable(error.to_string()),
        };
        if secrets.users.iter().next().is_none() {
            return Admission::NoPassword;
        }
        match bearer(headers) {
            Some(_) if !self.takes_tokens() => {
                Admission::Nobody("API tokens do not count here: an administrator has switched them off")
            }
            Some(text) => by_token(&secrets.tokens, text, from),
            None => self.by_session(&secrets.users, headers, from),
        }
    }

    fn by_session(&self, users: &Users, headers: &HeaderMap, from: Peer) -> Admission {
        let nobody = Admission::Nobody("you are not logged in, or were idle for too long");
        let Some(id) = session_cookie(headers).map(fingerprint) else { return nobody };
        let now = self.now();
        let session = match headers.contains_key(UNATTENDED) {
            true => lock(&self.0.sessions).look(&id, now),
            false => lock(&self.0.sessions).find(&id, now),
        };
        let Some(session) = session else { return nobody };
        // A user who has gone, or has another password, has no session any more.
        let user = users.find(&session.user).filter(|user| credential(&user.password) == session.credential);
        let Some(user) = user else {
            lock(&self.0.sessions).close(&id);
            return nobody;
        };
        let caller = Caller { user: user.name.clone(), role: user.role, from };
        Admission::Somebody { caller, must_change: user.password.must_change, by_session: true }
    }

    /// Verifies a password and opens a session: always a new one, so that nobody can log in to a session that
    /// somebody else knows.
    pub async fn log_in(&self, user: &str, password: String, from: Peer) -> Result<LoggedIn, LogInRefusal> {
        let source = source(from);
        let wait = lock(&self.0.attempts).wait(source, user, self.now());
        if !wait.is_zero() {
            return Err(LogInRefusal::Wait(wait));
        }
        let secrets = self.secrets().await.map_err(|error| LogInRefusal::Failed(error.to_string()))?;
        let first = secrets.users.find(FIRST_USER).ok_or(LogInRefusal::NoPassword)?;
        let found = secrets.users.find(user);
        // An unknown user costs the same time as a wrong password.
        let stored = found.unwrap_or(first).password.clone();
        let rank = lock(&self.0.attempts).rank(source, self.now());
        let is_right = password.len() <= 4 * LONGEST_PASSWORD
            && self.in_turn_of(rank, move || stored.verify(&password)).await?.map_err(|error| {
                LogInRefusal::Failed(format!("the stored password cannot be used: {error}"))
            })?;
        let Some(found) = found.filter(|_| is_right) else {
            if lock(&self.0.attempts).failed(source, user, self.now()) {
                self.0.audit.log_in(&author(user, from), "log-in refused: wrong name or password");
            }
            if !lock(&self.0.attempts).wait(source, user, self.now()).is_zero() {
                self.tell_lock_out(&author(user, from));
            }
            return Err(LogInRefusal::Wrong);
        };
        lock(&self.0.attempts).succeeded(source, user, self.now());
        let id = random().map_err(LogInRefusal::Failed)?;
        let opening = Opening { user, credential: credential(&found.password), from };
        lock(&self.0.sessions).open(fingerprint(&id), &opening, self.now());
        self.0.audit.log_in(&author(user, from), "logged in");
        Ok(LoggedIn {
            caller: Caller { user: found.name.clone(), role: found.role, from },
            must_change: found.password.must_change,
            cookie: format!("{COOKIE_NAME}={id}; Path=/; Secure; HttpOnly; SameSite=Strict"),
        })
    }

    /// Whether tokens count is read from these from now on.
    pub fn judge_tokens_by(&self, pictures: watch::Receiver<Arc<Published>>) {
        // There is one configuration as long as lbd runs.
        let _ = self.0.pictures.set(pictures);
    }

    fn takes_tokens(&self) -> bool {
        let Some(pictures) = self.0.pictures.get() else { return true };
        pictures.borrow().document.security.as_ref().is_none_or(SecurityDocument::takes_tokens)
    }

    /// Lock-outs are told through these alerts from now on.
    pub fn alert_through(&self, alarm: Alarm) {
        // There is one desk of alerts as long as lbd runs.
        let _ = self.0.alarm.set(alarm);
    }

    fn tell_lock_out(&self, by: &Author) {
        let Some(alarm) = self.0.alarm.get() else { return };
        let trouble = Trouble {
            severity: Severity::Warning,
            name: "Log-in".into(),
            state: "was locked out after wrong passwords".into(),
            over: String::new(),
            why: format!("too many wrong passwords for {} from {}", quoted(&by.user), by.from),
            effect: "Nobody else is kept from logging in.".into(),
            look_at: "The audit log shows who tried what from where.".into(),
            place: None,
        };
        alarm.happened(Topic::LockOut, trouble);
    }

    /// Ends the session of these headers; returns the value of `Set-Cookie` that makes the browser forget it.
    pub fn log_out(&self, headers: &HeaderMap, by: &Author) -> String {
        if let Some(id) = session_cookie(headers) {
            lock(&self.0.sessions).close(&fingerprint(id));
            self.0.audit.log_in(by, "logged out");
        }
        format!("{COOKIE_NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
    }

    /// Where a user is logged in, the latest used first; these headers are those of one of the sessions.
    pub fn sessions(&self, user: &str, headers: &HeaderMap) -> Vec<SessionView> {
        let (now, this) = (self.now(), session_cookie(headers).map(fingerprint));
        let seconds_since = |then: Duration| now.saturating_sub(then).as_secs();
        let sessions = lock(&self.0.sessions).of(user, now);
        let view = |(id, session): (Fingerprint, Session)| SessionView {
            from: session.from.to_string(),
            logged_in_seconds_ago: seconds_since(session.started),
            used_seconds_ago: seconds_since(session.used),
            is_this: Some(id) == this,
        };
        sessions.into_iter().map(view).collect()
    }

    /// Ends all sessions of who asks, but the one of these headers.
    pub fn log_out_elsewhere(&self, by: &Caller, headers: &HeaderMap) {
        let this = session_cookie(headers).map(fingerprint);
        let ended = lock(&self.0.sessions).close_others_of(&by.user, this.as_ref());
        if ended > 0 {
            self.0.audit.log_in(&by.author(), &format!("ended {ended} other sessions of their own"));
        }
    }

    /// Sets another password for who knows the present one. All sessions of the user end.
    pub async fn change_password(
        &self,
        by: &Caller,
        current: String,
        new: String,
    ) -> Result<(), LogInRefusal> {
        let user = by.user.clone();
        let change = move |users: &UserFile| users.set_password(&user, &new, false);
        self.with_password(by, &by.user, current, "change of the own password", change).await?;
        lock(&self.0.sessions).close_all_of(&by.user);
        self.0.audit.change(&by.author(), &[format!("password of {} changed", by.user)]);
        Ok(())
    }

    /// Whether this is the password of `user`, asked for once more before `what`, which cannot be undone.
    pub async fn confirm(
        &self,
        by: &Caller,
        user: &str,
        password: String,
        what: &str,
    ) -> Result<(), LogInRefusal> {
        self.with_password(by, user, password, what, |_| Ok(())).await
    }

    /// Does `work` where the password is that of `user`. Whoever guesses is slowed down as at the log-in.
    async fn with_password(
        &self,
        by: &Caller,
        user: &str,
        password: String,
        what: &str,
        work: impl FnOnce(&UserFile) -> Result<(), String> + Send + 'static,
    ) -> Result<(), LogInRefusal> {
        let source = source(by.from);
        let wait = lock(&self.0.attempts).wait(source, user, self.now());
        if !wait.is_zero() {
            return Err(LogInRefusal::Wait(wait));
        }
        // Read before the turn: a disk that hangs must not keep it.
        let known = self.secrets().await.map_err(|error| LogInRefusal::Failed(error.to_string()))?;
        let (inner, name) = (self.0.clone(), user.to_owned());
        let verify = move || {
            let stored =
                known.users.find(&name).ok_or_else(|| io::Error::other("there is no such user any more"))?;
            let is_right = stored.password.verify(&password)?;
            if is_right {
                work(&inner.users).map_err(io::Error::other)?;
            }
            Ok(is_right)
        };
        match self.in_turn(verify).await? {
            Ok(true) => Ok(()),
            Ok(false) => {
                if lock(&self.0.attempts).failed(source, user, self.now()) {
                    self.0.audit.log_in(&by.author(), &format!("{what} refused: wrong password"));
                }
                Err(LogInRefusal::Wrong)
            }
            Err(error) => Err(LogInRefusal::Failed(error.to_string())),
        }
    }

    /// All users. The error is for people.
    pub async fn users(&self) -> Result<Users, String> {
        self.secrets().await.map(|secrets| secrets.users).map_err(|error| error.to_string())
    }

    /// All tokens. The error is for people.
    pub async fn tokens(&self) -> Result<Tokens, String> {
        self.secrets().await.map(|secrets| secrets.tokens).map_err(|error| error.to_string())
    }

    /// Changes the users, and says in the log that `by` did what `what` says. The error is for people.
    pub async fn change_users(
        &self,
        by: &Author,
        what: String,
        change: impl FnOnce(&UserFile) -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let inner = self.0.clone();
        let changed = self.in_turn(move || change(&inner.users).map_err(io::Error::other)).await;
        changed.map_err(|_| BUSY.to_owned())?.map_err(|error| error.to_string())?;
        self.0.audit.change(by, &[what]);
        Ok(())
    }

    /// The same for tokens.
    pub async fn change_tokens<T: Send + 'static>(
        &self,
        by: &Author,
        what: String,
        change: impl FnOnce(&TokenFile) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let inner = self.0.clone();
        let changed = self.in_turn(move || change(&inner.tokens).map_err(io::Error::other)).await;
        let result = changed.map_err(|_| BUSY.to_owned())?.map_err(|error| error.to_string())?;
        self.0.audit.change(by, &[what]);
        Ok(result)
    }

    /// Read in a thread of its own: a dying disk must not hold up those that serve.
    async fn secrets(&self) -> io::Result<Secrets> {
        let last = lock(&self.0.last).clone();
        let Ok(place) = Arc::clone(&self.0.reads).try_acquire_owned() else {
            return last.ok_or_else(|| io::ErrorKind::ResourceBusy.into());
        };
        let inner = self.0.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            read(&inner.users, &inner.tokens)
        });
        let eio = nix::errno::Errno::EIO;
        let read = match tokio::time::timeout(LONGEST_READ, read).await {
            Ok(read) => read.map_err(io::Error::other).flatten(),
            Err(_) => Err(io::Error::from(eio)),
        };
        match (read, last) {
            (Err(error), Some(last)) if error.raw_os_error() == Some(eio as i32) => Ok(last),
            (read, _) => read.inspect(|secrets| *lock(&self.0.last) = Some(secrets.clone())),
        }
    }

    /// For who is known already.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, LogInRefusal> {
        self.in_turn_of(Rank::default(), work).await
    }

    /// One after the other, by rank, and outside the threads that serve: hashing is work.
    async fn in_turn_of<T: Send + 'static>(
        &self,
        rank: Rank,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, LogInRefusal> {
        let turn = self.0.queue.turn(rank).await.ok_or(LogInRefusal::Busy)?;
        // With the work, which goes on when nobody waits for it any more.
        let work = move || {
            let _turn = turn;
            work()
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten())
    }

    fn now(&self) -> Duration {
        self.0.start.elapsed()
    }
}

/// Where somebody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionView {
    /// The address from which they logged in.
    pub from: String,
    /// When they did.
    pub logged_in_seconds_ago: u64,
    /// When the session was used last.
    pub used_seconds_ago: u64,
    /// It is the one that asks.
    pub is_this: bool,
}

/// Whose guesses are counted together.
fn source(from: Peer) -> IpAddr {
    match from {
        Peer::Network(address) => address,
        Peer::Local(_) => IpAddr::from([127, 0, 0, 1]),
    }
}

fn read(users: &UserFile, tokens: &TokenFile) -> io::Result<Secrets> {
    Ok(Secrets { users: users.load()?, tokens: tokens.load()? })
}

fn author(user: &str, from: Peer) -> Author {
    // Somebody may have typed the password into the field of the name, or a whole book.
    let known = super::users::check_name(user).is_ok();
    Author { user: if known { user.to_owned() } else { "(no valid name)".into() }, from: from.to_string() }
}

fn credential(password: &StoredPassword) -> Fingerprint {
    fingerprint(&password.hash)
}

fn by_token(tokens: &Tokens, text: &str, from: Peer) -> Admission {
    match tokens.find(text, Timestamp::now()) {
        Ok(token) => {
            let caller = Caller { user: format!("token {}", token.name), role: token.role, from };
            Admission::Somebody { caller, must_change: false, by_session: false }
        }
        Err(TokenFault::Unknown) => Admission::Nobody("the token is not known, or was revoked"),
        Err(TokenFault::Expired) => Admission::Nobody("the token has expired; ask for a new one"),
    }
}

/// RFC 6750 section 2.1.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}
