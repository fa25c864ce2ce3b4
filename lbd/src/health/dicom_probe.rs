//! The DICOM check: associate, C-ECHO, release, over one TCP connection.
//!
//! What is said and how an answer is understood is [`Dialogue`]'s business; this file moves the bytes: one
//! write per PDU, small buffers, every wait under the attempt's deadline.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::attempt::Attempt;
use super::dicom::{ABORT, Dialogue, Next, RELEASE_REQUEST, Titles};
use super::failure::Failure;

/// Larger than what usual servers answer (about 200 bytes), so that one read is enough for each answer.
const CHUNK: usize = 1024;

/// Asks for a C-ECHO and returns how long the answer took.
pub(super) async fn probe(titles: Titles<'_>, attempt: &Attempt) -> Result<Duration, Failure> {
    let mut stream = attempt.connect().await?;
    let outcome = converse(&mut stream, titles, attempt).await;
    let took = attempt.elapsed();
    take_leave(stream, &outcome, attempt).await;
    outcome.map(|()| took)
}

async fn converse(stream: &mut TcpStream, titles: Titles<'_>, attempt: &Attempt) -> Result<(), Failure> {
    let mut dialogue = Dialogue::new(titles);
    let mut chunk = [0; CHUNK];
    loop {
        match dialogue.advance()? {
            Next::Send(pdu) => attempt.step(dialogue.step(), stream.write_all(&pdu)).await?,
            Next::Receive => {
                let step = dialogue.step();
                if dialogue.is_midway() {
                    acknowledge(stream);
                }
                match attempt.step(step, stream.read(&mut chunk)).await? {
                    0 => return Err(Failure::Closed { step }),
                    length => dialogue.receive(&chunk[..length]),
                }
            }
            Next::Passed => return Ok(()),
        }
    }
}

/// Acknowledges a part of a PDU at once. DCMTK writes a C-ECHO answer in two pieces with Nagle's algorithm
/// on; the second waits for this, and the kernel would take its time: 42 ms a check instead of 1 ms.
fn acknowledge(stream: &TcpStream) {
    // Without it the check takes longer and is as good.
    let _ = SockRef::from(stream).set_tcp_quickack(true);
}

/// Ends the association as the state it is in demands (DICOM PS3.8, section 9.2), so that the server has no
/// error to log: an established one is released; one in doubt is aborted; where the server has ended it
/// already, closing is all that is left.
async fn take_leave(mut stream: TcpStream, outcome: &Result<(), Failure>, attempt: &Attempt) {
    match outcome {
        Ok(()) | Err(Failure::BadStatus(_) | Failure::ContextRefused(_)) => {
            attempt.farewell(release(&mut stream)).await;
        }
        Err(
            Failure::TimedOut { .. }
            | Failure::Malformed { .. }
            | Failure::UnexpectedPdu { .. }
            | Failure::TooLarge { .. },
        ) => {
            // What does not fit into the socket's buffer at once is not worth waiting for.
            let _ = stream.try_write(&ABORT);
        }
        Err(_) => {}
    }
}

/// Asks for the release and waits for the server's reply or its end of the connection.
async fn release(stream: &mut TcpStream) -> io::Result<()> {
    let mut reply = RELEASE_REQUEST;
    stream.write_all(&RELEASE_REQUEST).await?;
    stream.read_exact(&mut reply).await?;
    Ok(())
}
