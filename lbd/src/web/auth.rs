//! Who may use WebUI and API: the user `loadbalancer` with the password that the administrator has set.
//!
//! There is no default password: until one is set, every answer only says how to set it. The password is
//! kept as an argon2id hash in a file of its own.

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::api::ProblemDocument;

/// The one user so far (product specification).
pub const USER: &str = "loadbalancer";
/// Long enough against guessing over the network together with [`AT_ONCE`]; short enough to be typed.
const SHORTEST_PASSWORD: usize = 8;
/// A bound for the work of hashing.
const LONGEST_PASSWORD: usize = 256;
/// Passwords that are verified at the same time: each takes 9 MiB and a tenth of a second.
const AT_ONCE: usize = 1;
/// Requests that may wait for their turn; further ones are told to come back.
const WAITING: usize = 8;

/// The argon2id parameters of the OWASP password storage cheat sheet with the least memory but one: 9 MiB, 4
/// passes, 1 lane.
fn hasher() -> Argon2<'static> {
    let params = Params::new(9 * 1024, 4, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Where the hash is kept.
#[derive(Debug, Clone)]
pub struct PasswordFile(PathBuf);

impl PasswordFile {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self(state_directory.join("secrets").join("password"))
    }

    /// Sets a password. The error names what is wrong with it, or with the disk.
    pub fn set(&self, password: &str) -> Result<(), String> {
        let length = password.chars().count();
        if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
            return Err(format!(
                "the password has {length} characters; give {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
            ));
        }
        let hash = hasher().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
        self.write(&hash.to_string()).map_err(|error| format!("cannot write {}: {error}", self.0.display()))
    }

    fn write(&self, hash: &str) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let owner = std::fs::metadata(folder.parent().unwrap_or(folder))?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(hash.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
        // Root sets it for lbd, which must be able to read it.
        for path in [folder, file.path()] {
            use std::os::unix::fs::MetadataExt;
            std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()))?;
        }
        file.as_file().sync_all()?;
        file.persist(&self.0).map_err(|error| error.error)?;
        std::fs::File::open(folder)?.sync_all()
    }

    /// The hash; `None` while no password is set.
    fn read(&self) -> io::Result<Option<String>> {
        match std::fs::read_to_string(&self.0) {
            Ok(hash) => Ok(Some(hash)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Stands before every route that is reached over the network.
#[derive(Debug, Clone)]
pub struct Guard {
    file: PasswordFile,
    turn: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// Digest of hash and password that were right last: a page that asks every second is not hashed anew.
    known: Arc<Mutex<Option<[u8; 32]>>>,
}

impl Guard {
    /// For the password in this file.
    pub fn new(file: PasswordFile) -> Self {
        Self {
            file,
            turn: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(WAITING)),
            known: Arc::default(),
        }
    }

    async fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        let hash = match self.file.read() {
            Ok(Some(hash)) => hash,
            Ok(None) => return Err(no_password()),
            Err(error) => return Err(unreadable(&error)),
        };
        let (user, password) = credentials(headers).ok_or_else(unauthorised)?;
        let digest: [u8; 32] = Sha256::digest([hash.as_bytes(), b"\0", password.as_bytes()].concat()).into();
        let user_is_right = user == USER;
        if user_is_right && *self.known.lock().unwrap_or_else(PoisonError::into_inner) == Some(digest) {
            return Ok(());
        }
        // An unknown user costs the same time as a wrong password.
        let password_is_right = self.verify(hash, password).await?;
        if !(user_is_right && password_is_right) {
            return Err(unauthorised());
        }
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        Ok(())
    }

    async fn verify(&self, hash: String, password: String) -> Result<bool, Response> {
        let _place = self.queue.try_acquire().map_err(|_| too_many())?;
        let _turn = self.turn.acquire().await.map_err(|_| too_many())?;
        let verify = move || {
            let hash = PasswordHash::new(&hash).map_err(|error| io::Error::other(error.to_string()))?;
            Ok(hasher().verify_password(password.as_bytes(), &hash).is_ok())
        };
        let verified = tokio::task::spawn_blocking(verify).await.map_err(io::Error::other);
        verified.flatten().map_err(|error: io::Error| unreadable(&error))
    }
}

/// Middleware: lets a request pass, or answers it.
pub async fn require_password(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.admit(request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(answer) => answer,
    }
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

fn no_password() -> Response {
    super::pages::no_password()
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
        guard.admit(&headers).await.map_or_else(|answer| answer.status().as_u16(), |()| 200)
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

    #[test]
    fn the_password_itself_is_nowhere_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = PasswordFile::below(folder.path());
        file.set("correct horse").unwrap();
        let hash = file.read().unwrap().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=9216,t=4,p=1$"), "{hash}");
        assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
