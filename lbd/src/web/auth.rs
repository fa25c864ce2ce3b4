//! Who may use WebUI and API: the user `loadbalancer` with the password that the administrator has set.
//!
//! There is no default password: until one is set, every answer only says how to set it. Where the password
//! is a one-time one, every answer to who knows it only says to change it.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use nix::errno::Errno;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::api::ProblemDocument;
use super::password::LONGEST_PASSWORD;
pub use super::password::{PasswordFile, StoredPassword};
use super::{Caller, Peer, Role, change_password};

/// The one user so far (product specification).
pub const USER: &str = "loadbalancer";
/// Passwords that are verified at the same time: each takes 9 MiB and a tenth of a second.
const AT_ONCE: usize = 1;
/// Requests that may wait for their turn; further ones are told to come back.
const WAITING: usize = 8;

/// Reads of the password at the same time; on a disk that hangs each keeps a thread.
const READS: usize = 16;
/// A healthy disk answers within milliseconds.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// Stands before every route that is reached over the network.
#[derive(Debug, Clone)]
pub struct Guard {
    file: PasswordFile,
    turn: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Digest of hash and password that were right last: a page that asks every second is not hashed anew.
    known: Arc<Mutex<Option<[u8; 32]>>>,
    /// Reads of the password that may be under way.
    reads: Arc<Semaphore>,
    /// What was last read: a disk that fails must not lock out who comes to see about it.
    last: Arc<Mutex<Option<StoredPassword>>>,
}

/// What somebody may do who gave the right password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Admission {
    Everything,
    ChangePassword,
}

impl Guard {
    /// For the password in this file.
    pub fn new(file: PasswordFile) -> Self {
        let last = file.stored().ok().flatten();
        Self {
            last: Arc::new(Mutex::new(last)),
            reads: Arc::new(Semaphore::new(READS)),
            file,
            turn: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(WAITING)),
            known: Arc::default(),
        }
    }

    /// What the password is good for is read anew for every request, and is no part of what is remembered of
    /// right passwords: a password that was right before it became a one-time one is worth no more.
    async fn admit(&self, headers: &HeaderMap) -> Result<Admission, Response> {
        let stored = match self.stored().await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Err(super::pages::no_password()),
            Err(error) => return Err(unreadable(&error)),
        };
        let admission = if stored.must_change { Admission::ChangePassword } else { Admission::Everything };
        let (user, password) = credentials(headers).ok_or_else(unauthorised)?;
        let digest: [u8; 32] =
            Sha256::digest([stored.hash.as_bytes(), b"\0", password.as_bytes()].concat()).into();
        let user_is_right = user == USER;
        if user_is_right && *self.known.lock().unwrap_or_else(PoisonError::into_inner) == Some(digest) {
            return Ok(admission);
        }
        // An unknown user costs the same time as a wrong password.
        let verified = self.in_turn(move || stored.verify(&password)).await.map_err(|Busy| too_many())?;
        let password_is_right = verified.map_err(|error| unreadable(&error))?;
        if !(user_is_right && password_is_right) {
            return Err(unauthorised());
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        Ok(admission)
    }

    /// The password as it is stored; while the disk cannot be read, or keeps a read waiting, as it was last read.
    /// Read in a thread of its own: a dying disk must not hold up those that serve.
    async fn stored(&self) -> io::Result<Option<StoredPassword>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Ok(place) = Arc::clone(&self.reads).try_acquire_owned() else {
            return last.map(Some).ok_or_else(|| io::ErrorKind::ResourceBusy.into());
        };
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            file.stored()
        });
        let read = match tokio::time::timeout(LONGEST_READ, read).await {
            Ok(read) => read.map_err(io::Error::other).flatten(),
            Err(_) => Err(io::Error::from(Errno::EIO)),
        };
        match read {
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) && last.is_some() => Ok(last),
            read => read.inspect(|stored| {
                self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(stored);
            }),
        }
    }

    /// Sets another password for who knows the present one.
    pub(super) async fn change(&self, current: String, new: String) -> Outcome {
        let file = self.file.clone();
        let change = move || {
            let stored = file.stored()?.ok_or_else(|| io::Error::other("no password is set"))?;
            if !stored.verify(&current)? {
                return Ok(Outcome::WrongPassword);
            }
            file.set(&new).map(|()| Outcome::Changed).map_err(io::Error::other)
        };
        match self.in_turn(change).await {
            Ok(outcome) => outcome.unwrap_or_else(|error| Outcome::Failed(error.to_string())),
            Err(Busy) => Outcome::Failed("several log-ins are under way; try again in some seconds".into()),
        }
    }

    /// One after the other, and outside the threads that serve: hashing is work.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, Busy> {
        let _place = self.queue.try_acquire().map_err(|_| Busy)?;
        let _turn = self.turn.acquire().await.map_err(|_| Busy)?;
        Ok(tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten())
    }
}

/// Too many passwords wait to be verified.
struct Busy;

/// What became of a change of the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The new one is in force.
    Changed,
    /// What was given as the present one is not.
    WrongPassword,
    /// Why the old one is still in force.
    Failed(String),
}

/// Puts the password before all routes, and adds those that change it.
pub fn guarded(router: Router, guard: Guard) -> Router {
    let passwords = change_password::routes().with_state(guard.clone());
    router.merge(passwords).layer(from_fn_with_state(guard, require_password))
}

/// Middleware: lets a request pass, or answers it.
async fn require_password(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    if super::pages::is_asset(request.uri().path()) {
        return next.run(request).await;
    }
    match guard.admit(request.headers()).await {
        Ok(Admission::Everything) => {
            let from = request.extensions().get().copied().unwrap_or(Peer::Network(IpAddr::from([0; 4])));
            request.extensions_mut().insert(Caller { user: USER.into(), role: Role::Administrator, from });
            next.run(request).await
        }
        Ok(Admission::ChangePassword) if serves_the_change(&request) => {
            request.extensions_mut().insert(change_password::Reason::OneTime);
            next.run(request).await
        }
        Ok(Admission::ChangePassword) => change_password::demand(request.uri().path()),
        Err(answer) => answer,
    }
}

/// The form's own answer.
fn serves_the_change(request: &Request) -> bool {
    matches!((request.method(), request.uri().path()), (&Method::POST, change_password::PATH))
}

/// HTTP Basic (RFC 7617), only ever asked for over TLS.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > 2 * LONGEST_PASSWORD * 4 {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn unauthorised() -> Response {
    let detail = format!("Log in as {USER} with the password that was set for the WebUI.");
    let problem = ProblemDocument::new(StatusCode::UNAUTHORIZED, "A password is needed", detail);
    ([(WWW_AUTHENTICATE, "Basic realm=\"Evenkeel\", charset=\"UTF-8\"")], problem).into_response()
}

fn too_many() -> Response {
    let detail = "Several log-ins are under way. Try again in some seconds.";
    ProblemDocument::new(StatusCode::TOO_MANY_REQUESTS, "Too many log-ins at once", detail).into_response()
}

fn unreadable(error: &io::Error) -> Response {
    let detail = format!("The stored password cannot be read: {error}. Set it anew with `lbd set-password`.");
    ProblemDocument::new(StatusCode::INTERNAL_SERVER_ERROR, "Log-in is not possible", detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(credentials: &str) -> HeaderMap {
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(format!("Basic {encoded}")).unwrap())])
    }

    async fn status(guard: &Guard, headers: HeaderMap) -> u16 {
        guard.admit(&headers).await.map_or_else(|answer| answer.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn only_the_right_user_with_the_right_password_passes() {
        let folder = tempfile::tempdir().unwrap();
        let file = PasswordFile::below(folder.path());
        let guard = Guard::new(file.clone());
        assert_eq!(status(&guard, headers("loadbalancer:")).await, 503, "no password is set");
        assert!(file.set("short").unwrap_err().contains("8"));
        file.set("correct horse").unwrap();
        assert_eq!(status(&guard, HeaderMap::new()).await, 401);
        assert_eq!(status(&guard, headers("loadbalancer:wrong")).await, 401);
        assert_eq!(status(&guard, headers("root:correct horse")).await, 401);
        for _ in 0..2 {
            assert_eq!(status(&guard, headers("loadbalancer:correct horse")).await, 200);
        }
        file.set("another one").unwrap();
        assert_eq!(status(&guard, headers("loadbalancer:correct horse")).await, 401, "changed meanwhile");
    }

    #[tokio::test]
    async fn a_password_remembered_as_right_gives_no_more_than_the_file_says_now() {
        let folder = tempfile::tempdir().unwrap();
        let file = PasswordFile::below(folder.path());
        let guard = Guard::new(file.clone());
        file.set("correct horse").unwrap();
        let right = headers("loadbalancer:correct horse");
        assert_eq!(guard.admit(&right).await.unwrap(), Admission::Everything);
        let stored = file.stored().unwrap().unwrap();
        file.restore(&StoredPassword { must_change: true, ..stored.clone() }).unwrap();
        assert_eq!(guard.admit(&right).await.unwrap(), Admission::ChangePassword, "same hash, with marker");
        file.restore(&stored).unwrap();
        assert_eq!(guard.admit(&right).await.unwrap(), Admission::Everything);
        file.set_one_time("correct horse").unwrap();
        for _ in 0..2 {
            assert_eq!(guard.admit(&right).await.unwrap(), Admission::ChangePassword, "same password");
        }
    }
}
