//! The local socket: for the command line, and for whoever may open the file (lbd's user and root).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::COOKIE;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use super::access::{Access, Admission};
use super::api::ProblemDocument;
use super::room::Activity;
use super::{Caller, Gateway, Peer, Role, connection, router};

/// Connections at the same time: only people and scripts on the machine itself.
const CONNECTIONS: usize = 32;
/// The way out, and to a password of one's own.
const EVERYBODYS: [&str; 2] = ["/api/v1/session", super::change_password::API_PATH];

/// Serves for ever; returns why it could not.
pub async fn serve(gateway: Gateway, path: PathBuf) -> String {
    let listener = match listen(&path) {
        Ok(listener) => listener,
        Err(error) => return format!("cannot listen on the control socket {}: {error}", path.display()),
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let access = gateway.access().clone();
    let router = router(gateway).layer(from_fn_with_state(access, by_session)).layer(from_fn(identify));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else {
            return "the control socket is closed".into();
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let router = router.clone();
                // Nobody's number where the kernel does not say.
                let user = stream.peer_cred().map_or(u32::MAX, |credentials| credentials.uid());
                tokio::spawn(async move {
                    let (peer, activity) = (Peer::Local(user), Activity::default());
                    connection::serve(stream, router, peer, activity, std::future::pending()).await;
                    drop(place);
                });
            }
            Err(error) => return format!("cannot accept on {}: {error}", path.display()),
        }
    }
}

/// Middleware: the permissions of the socket are the log-in.
async fn identify(mut request: Request, next: Next) -> Response {
    if let Some(Peer::Local(user)) = request.extensions().get().copied() {
        request.extensions_mut().insert(Caller::local(user));
    }
    next.run(request).await
}

/// Middleware: who has logged in at the console is themselves, with the same rights as everywhere and as long as their
/// session lasts. It is for administrators; what others may do, they do in the WebUI.
async fn by_session(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get().copied();
    let Some(peer) = peer.filter(|_| request.headers().contains_key(COOKIE)) else {
        return next.run(request).await;
    };
    let refused = |status, title, why: &str| {
        ProblemDocument::new(status, title, format!("{why}. Log in again.")).into_response()
    };
    match access.admit(request.headers(), peer).await {
        Admission::Somebody { caller, must_change, .. } => {
            let is_everybodys = EVERYBODYS.contains(&request.uri().path());
            if (caller.role == Role::Administrator && !must_change) || is_everybodys {
                request.extensions_mut().insert(caller);
                return next.run(request).await;
            }
            refused(StatusCode::FORBIDDEN, "You may not do this", "The console is for administrators")
        }
        Admission::NoPassword => refused(StatusCode::UNAUTHORIZED, "Who are you?", "No password is set"),
        Admission::Nobody(why) => refused(StatusCode::UNAUTHORIZED, "Who are you?", why),
        Admission::Unreadable(why) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, "Log-in is not possible", &why)
        }
    }
}

/// The socket gets its name only when it has its permissions; one of an earlier lbd is replaced.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}
