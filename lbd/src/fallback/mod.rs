//! What clients of a service without a server meet, where they are not refused: an answer of lbd's own.
//!
//! The kernel redirects their connections to a [`port`] of ours; [`rejection`] and [`dicom`] tell modalities to try again
//! (the protocol without I/O, and moving its bytes), [`page`] and [`http`] show people a page. What lbd answers ends with
//! lbd: then the kernel refuses these connections.

pub mod page;
pub mod rejection;

mod dicom;
mod http;
mod port;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::config::Fallback;
use crate::web::Published;

/// Where redirected DICOM connections arrive. Nothing else reaches it, nor the port of the page: the input chain lets in what
/// was redirected only.
pub const DICOM_PORT: u16 = 7104;

/// Answers for ever; the pages, and the port where people are shown them, are those of the configuration in force. When
/// `restarts` changes, both ports are closed and opened anew; connections under way go on.
pub async fn serve(
    published: watch::Receiver<Arc<Published>>,
    page_port: watch::Receiver<u16>,
    restarts: watch::Receiver<u64>,
) -> String {
    let show = move |stream: TcpStream| {
        let place = http::place_before_redirection(&stream);
        show_page(stream, place, published.clone())
    };
    let (_keep, always) = watch::channel(DICOM_PORT);
    tokio::join!(
        port::follow(always, restarts.clone(), "the DICOM rejection", dicom::reject),
        port::follow(page_port, restarts, "the fallback page", show)
    );
    "the ports of the fallback answers are closed".into()
}

async fn show_page(stream: TcpStream, place: Option<SocketAddr>, published: watch::Receiver<Arc<Published>>) {
    http::show(stream, place, move |place| page::page_for(&published.borrow().document, place)).await;
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
        Fallback::HttpPage => show_page(stream, Some(place), published).await,
    }
}
