//! What clients of a service without a server meet, where they are not refused: an answer of lbd's own.
//!
//! The kernel redirects their connections to one [`port`] of ours, which nobody reaches otherwise: the input chain lets in
//! what was redirected only. [`choice`] knows what a service's clients meet there; [`rejection`] and [`dicom`] tell
//! modalities to try again (the protocol without I/O, and moving its bytes), [`choice`] and [`http`] show people a page. What
//! lbd answers ends with lbd: then the kernel refuses these connections.

pub mod choice;
pub mod rejection;

mod dicom;
mod http;
mod port;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::config::Fallback;
use crate::web::Published;

/// Pages that are shown at the same time: half of the [`port`]'s connections, so that browsers leave room for modalities.
const PAGES: usize = port::CONNECTIONS / 2;

/// Answers for ever at `port`; what is answered, and that port, are those of the configuration in force. When `restarts`
/// changes, the port is closed and opened anew; connections under way go on.
pub async fn serve(
    published: watch::Receiver<Arc<Published>>,
    port: watch::Receiver<u16>,
    restarts: watch::Receiver<u64>,
) -> String {
    let room = Arc::new(Semaphore::new(PAGES));
    let redirected = move |stream: TcpStream| answer_redirected(stream, published.clone(), room.clone());
    port::follow(port, restarts, redirected).await;
    "the port of the fallback answers is closed".into()
}

async fn answer_redirected(
    stream: TcpStream,
    published: watch::Receiver<Arc<Published>>,
    room: Arc<Semaphore>,
) {
    let Some(place) = port::place_before_redirection(&stream) else { return };
    let fallback = choice::fallback_at(&published.borrow().document, place);
    let _shown = match fallback {
        Fallback::HttpPage => match room.try_acquire() {
            Ok(shown) => Some(shown),
            Err(_) => return,
        },
        Fallback::Refuse | Fallback::DicomReject => None,
    };
    answer(fallback, stream, place, published).await;
}

/// Answers a connection that lbd has accepted itself at `place`; one to be refused is closed.
pub async fn answer(
    fallback: Fallback,
    stream: TcpStream,
    place: SocketAddr,
    published: watch::Receiver<Arc<Published>>,
) {
    match fallback {
        Fallback::Refuse => drop(stream),
        Fallback::DicomReject => dicom::reject(stream).await,
        Fallback::HttpPage => {
            http::show(stream, move || choice::page_at(&published.borrow().document, place)).await;
        }
    }
}
