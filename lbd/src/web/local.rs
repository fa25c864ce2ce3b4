//! The local socket: for the command line, and for whoever may open the file (lbd's user and root).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use super::room::Activity;
use super::{Caller, Gateway, Peer, connection, router};

/// Connections at the same time: only people and scripts on the machine itself.
const CONNECTIONS: usize = 32;

/// Serves for ever; returns why it could not.
pub async fn serve(gateway: Gateway, path: PathBuf) -> String {
    let listener = match listen(&path) {
        Ok(listener) => listener,
        Err(error) => return format!("cannot listen on the control socket {}: {error}", path.display()),
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let router = router(gateway).layer(from_fn(identify));
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
