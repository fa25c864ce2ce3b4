//! Pipes through which bytes go from one socket to the other without entering lbd (splice(2)).
//!
//! A connection has one only while bytes are under way, so that those that are silent cost no more than their sockets.
//! What a slow receiver leaves in pipes is bounded by the kernel (`pipe-user-pages-soft`): beyond 64 MiB of pipes further
//! ones have two pages.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use nix::fcntl::{OFlag, SpliceFFlags, splice};
use nix::unistd::pipe2;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::connections::lock;

/// Empty ones that are kept for the next use.
const MOST_SPARE: usize = 256;
/// At most so many bytes a call; a pipe has fewer.
const MOST: usize = 1 << 20;

/// A pipe, empty unless its user is at work.
#[derive(Debug)]
pub struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// Spare pipes.
#[derive(Debug, Default)]
pub struct Pipes(Mutex<Vec<Pipe>>);

impl Pipes {
    /// A spare pipe, or a new one.
    pub fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = lock(&self.0).pop() {
            return Ok(pipe);
        }
        let (reader, writer) = pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        Ok(Pipe { reader, writer })
    }

    /// Takes an empty pipe back. One with bytes in it must be dropped instead.
    pub fn give_back(&self, empty: Pipe) {
        let mut spare = lock(&self.0);
        if spare.len() < MOST_SPARE {
            spare.push(empty);
        }
    }
}

const FLAGS: SpliceFFlags = SpliceFFlags::SPLICE_F_MOVE.union(SpliceFFlags::SPLICE_F_NONBLOCK);

impl Pipe {
    /// Takes what has arrived; 0 when the other side has closed, `WouldBlock` when nothing has. The pipe must be empty:
    /// else `WouldBlock` could mean that it is full.
    pub fn fill(&self, from: &TcpStream) -> io::Result<usize> {
        from.try_io(Interest::READABLE, || Ok(splice(from, None, &self.writer, None, MOST, FLAGS)?))
    }

    /// Sends the `count` bytes that are in it.
    pub async fn empty(&self, to: &TcpStream, mut count: usize) -> io::Result<()> {
        while count > 0 {
            let some = || Ok(splice(&self.reader, None, to, None, count, FLAGS)?);
            match to.async_io(Interest::WRITABLE, some).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                sent => count = count.saturating_sub(sent),
            }
        }
        Ok(())
    }
}
