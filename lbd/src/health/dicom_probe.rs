//! The DICOM check: associate, C-ECHO, release, over one connection.
//!
//! What is said and how an answer is understood is [`Dialogue`]'s business; this file moves the bytes: one
//! write per PDU, small buffers, every wait under the attempt's deadline.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Connection;
use super::attempt::Attempt;
use super::dicom::{ABORT, Dialogue, Next, RELEASE_REQUEST, Titles};
use super::failure::{Failure, Step};
use crate::config::check_kind::Tls;

/// Larger than what usual servers answer (about 200 bytes), so that one read is enough for each answer.
const CHUNK: usize = 1024;

/// Asks for a C-ECHO and returns how long the answer took.
pub(super) async fn probe(
    titles: Titles<'_>,
    tls: Option<&Tls>,
    attempt: &mut Attempt,
) -> Result<Duration, Failure> {
    let mut stream = attempt.open(tls).await?;
    let outcome = converse(&mut stream, titles, attempt).await;
    let took = attempt.elapsed();
    take_leave(stream, &outcome, attempt).await;
    outcome.map(|()| took)
}

async fn converse(stream: &mut Connection, titles: Titles<'_>, attempt: &mut Attempt) -> Result<(), Failure> {
    let mut dialogue = Dialogue::new(titles);
    let mut chunk = [0; CHUNK];
    loop {
        match dialogue.advance()? {
            Next::Send(pdu) => {
                if dialogue.step() == Step::EchoAnswer {
                    attempt.note(|| "A-ASSOCIATE-AC received: the association is established");
                }
                attempt.step(dialogue.step(), send(stream, &pdu)).await?;
                attempt.note(|| match dialogue.step() {
                    Step::EchoAnswer => "C-ECHO-RQ sent".to_owned(),
                    _ => format!("A-ASSOCIATE-RQ sent: {} calls {}", titles.calling, titles.called),
                });
            }
            Next::Receive => {
                let step = dialogue.step();
                if dialogue.is_midway() {
                    stream.acknowledge();
                }
                match attempt.step(step, stream.read(&mut chunk)).await? {
                    0 => return Err(Failure::Closed { step }),
                    length => dialogue.receive(&chunk[..length]),
                }
            }
            Next::Passed => {
                attempt.note(|| "C-ECHO-RSP received: success");
                return Ok(());
            }
        }
    }
}

async fn send(stream: &mut Connection, pdu: &[u8]) -> io::Result<()> {
    stream.write_all(pdu).await?;
    stream.flush().await
}

/// Ends the association as the state it is in demands (DICOM PS3.8, section 9.2), so that the server has no
/// error to log: an established one is released; one in doubt is aborted; where the server has ended it
/// already, closing is all that is left.
async fn take_leave(mut stream: Connection, outcome: &Result<(), Failure>, attempt: &mut Attempt) {
    match outcome {
        Ok(()) | Err(Failure::BadStatus(_) | Failure::ContextRefused(_)) => {
            attempt.farewell(release(&mut stream)).await;
            attempt.note(|| "released and closed");
        }
        Err(
            Failure::TimedOut { .. }
            | Failure::Malformed { .. }
            | Failure::UnexpectedPdu { .. }
            | Failure::TooLarge { .. },
        ) => {
            // What does not fit into the socket's buffer at once is not worth waiting for.
            attempt.farewell(send(&mut stream, &ABORT)).await;
            attempt.note(|| "A-ABORT sent and closed");
        }
        Err(_) => {}
    }
}

/// Asks for the release and waits for the server's reply or its end of the connection.
async fn release(stream: &mut Connection) -> io::Result<()> {
    let mut reply = RELEASE_REQUEST;
    send(stream, &RELEASE_REQUEST).await?;
    stream.read_exact(&mut reply).await?;
    // Over TLS the server is told that this is the end, and not an accident.
    stream.shutdown().await
}
