//! Moves the bytes of one connection both ways until it ends.
//!
//! What one side closes, the other side hears as closed, and may go on sending (half-close). What one side resets is
//! reset on the other.

use std::io;
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::connections::{Connection, Outcome};
use super::pipes::Pipes;

/// Runs until the connection has ended.
pub async fn relay(client: TcpStream, server: TcpStream, connection: &Connection, pipes: &Pipes) -> Outcome {
    let both = async {
        tokio::try_join!(
            pump(&client, &server, connection, &connection.received, pipes),
            pump(&server, &client, connection, &connection.sent, pipes),
        )
    };
    let outcome = tokio::select! {
        moved = both => if moved.is_ok() { Outcome::Closed } else { Outcome::Reset },
        () = connection.idle() => Outcome::Idle,
        () = connection.ordered() => Outcome::Ordered,
    };
    if outcome != Outcome::Closed {
        [&client, &server].into_iter().for_each(reset_when_dropped);
    }
    outcome
}

/// Makes the other side meet a reset instead of an orderly end.
pub fn reset_when_dropped(stream: &TcpStream) {
    // It fails only for a socket that has ended already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// One direction, until `from` closes.
async fn pump(
    from: &TcpStream,
    to: &TcpStream,
    connection: &Connection,
    bytes: &AtomicU64,
    pipes: &Pipes,
) -> io::Result<()> {
    loop {
        from.readable().await?;
        let pipe = pipes.take()?;
        match pipe.fill(from) {
            Ok(0) => {
                pipes.give_back(pipe);
                connection.half_close();
                return close_sending(to);
            }
            Ok(count) => {
                connection.touch();
                pipe.empty(to, count).await?;
                connection.touch();
                bytes.fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        pipes.give_back(pipe);
    }
}

/// A side that has gone meanwhile needs not hear it.
fn close_sending(to: &TcpStream) -> io::Result<()> {
    match SockRef::from(to).shutdown(Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::proxy::connections::{Connections, Ends};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    /// A client and a server with a relay between them.
    async fn joined(idle: Option<Duration>) -> (TcpStream, TcpStream, JoinHandle<(Outcome, u64, u64)>) {
        let ((client, inward), (server, outward)) = (pair().await, pair().await);
        let place = ([127, 0, 0, 1], 1).into();
        let ends = Ends { mark: 1, client: place, virtual_address: place, server: place, source: place };
        let relayed = tokio::spawn(async move {
            let connection = Connections::default().begin(ends, idle);
            let outcome = relay(inward, outward, &connection, &Pipes::default()).await;
            let bytes = |count: &AtomicU64| count.load(Ordering::Relaxed);
            (outcome, bytes(&connection.received), bytes(&connection.sent))
        });
        (client, server, relayed)
    }

    #[tokio::test]
    async fn a_side_that_has_closed_still_hears_the_other() {
        let (mut client, mut server, relayed) = joined(None).await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "question");
        server.write_all(b"the answer").await.unwrap();
        drop(server);
        heard.clear();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!((heard.as_str(), relayed.await.unwrap()), ("the answer", (Outcome::Closed, 8, 10)));
    }

    #[tokio::test]
    async fn much_more_than_a_pipe_holds_arrives_whole_both_ways() {
        let (client, server, relayed) = joined(None).await;
        let sent: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
        let exchange = async |stream: TcpStream| {
            let (mut reader, mut writer) = stream.into_split();
            let sending = sent.clone();
            let sending = tokio::spawn(async move { writer.write_all(&sending).await.unwrap() });
            let mut heard = Vec::new();
            reader.read_to_end(&mut heard).await.unwrap();
            sending.await.unwrap();
            heard == sent
        };
        let whole = tokio::join!(exchange(client), exchange(server));
        assert_eq!((whole, relayed.await.unwrap()), ((true, true), (Outcome::Closed, 5_000_000, 5_000_000)));
    }

    #[tokio::test]
    async fn a_reset_is_a_reset_on_the_other_side() {
        let (client, mut server, relayed) = joined(None).await;
        reset_when_dropped(&client);
        drop(client);
        let heard = server.read(&mut [0; 8]).await;
        assert_eq!(heard.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        assert_eq!(relayed.await.unwrap().0, Outcome::Reset);
    }

    #[tokio::test]
    async fn silence_resets_both_sides() {
        let (mut client, mut server, relayed) = joined(Some(Duration::from_millis(50))).await;
        for side in [&mut client, &mut server] {
            let heard = side.read(&mut [0; 8]).await;
            assert_eq!(heard.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        }
        assert_eq!(relayed.await.unwrap().0, Outcome::Idle);
    }
}
