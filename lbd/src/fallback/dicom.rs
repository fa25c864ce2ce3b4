//! Rejects associations, so that modalities queue and try again.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::rejection::{Next, REJECTION, Request};

/// For the whole request; a modality sends it at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// For the other side to close (PS3.8 section 9.1.5, the ARTIM timer), so that the answer is not lost by a reset.
const FAREWELL: Duration = Duration::from_secs(2);
const CHUNK: usize = 1024;

/// Whoever does not speak DICOM, or not in time, meets a closed connection.
pub(super) async fn reject(mut stream: TcpStream) {
    if let Ok(Ok(true)) = timeout(REQUEST_TIMEOUT, read_request(&mut stream)).await {
        let _ = timeout(FAREWELL, say_no(&mut stream)).await;
    }
}

/// Whether an association was asked for.
async fn read_request(stream: &mut TcpStream) -> io::Result<bool> {
    let mut request = Request::default();
    let mut chunk = [0; CHUNK];
    loop {
        let count = stream.read(&mut chunk).await?;
        match request.add(chunk.get(..count).unwrap_or_default()) {
            _ if count == 0 => return Ok(false),
            Next::Receive => {}
            Next::Reject => return Ok(true),
            Next::Close => return Ok(false),
        }
    }
}

async fn say_no(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&REJECTION).await?;
    stream.shutdown().await?;
    let mut chunk = [0; CHUNK];
    while stream.read(&mut chunk).await? > 0 {}
    Ok(())
}
