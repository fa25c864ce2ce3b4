//! The way to the kernel's connection table: a netlink socket, never waited for without a deadline.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use tokio::io::unix::AsyncFd;

use super::entry::{self, Entry, MarkFilter};
use super::wire::{Message, Reply, messages};
use crate::sys;

/// The kernel fills a part of a dump up to this size (`NLMSG_GOODSIZE` and the reader's buffer, at most 32 KiB).
const BUFFER: usize = 32 << 10;
/// For each part of an answer; the kernel needs microseconds, and seconds for a table of millions.
const PATIENCE: Duration = Duration::from_secs(5);
/// `NFNLGRP_CONNTRACK_DESTROY` is group 3.
const ENDS: u32 = 1 << (3 - 1);
/// What the kernel may keep for us of ends that we have not read yet: about 20,000 of them.
const EVENT_BUFFER: usize = 16 << 20;

/// What was asked of the connection table, and why it was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConntrackError {
    doing: &'static str,
    why: String,
}

impl ConntrackError {
    fn new(doing: &'static str, why: impl fmt::Display) -> Self {
        Self { doing, why: why.to_string() }
    }
}

impl fmt::Display for ConntrackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.why)
    }
}

impl std::error::Error for ConntrackError {}

fn open(groups: u32) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, Some(SockProtocol::NetlinkNetFilter))?;
    if groups != 0 {
        setsockopt(&socket, sockopt::RcvBufForce, &EVENT_BUFFER)?;
    }
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    sys::watch(socket)
}

async fn receive(socket: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut ready = socket.readable().await?;
        let attempt = ready.try_io(|socket| Ok(recv(socket.as_raw_fd(), buffer, MsgFlags::empty())?));
        if let Ok(received) = attempt {
            return received;
        }
    }
}

/// Asks one thing at a time.
#[derive(Debug)]
pub struct Table {
    socket: AsyncFd<OwnedFd>,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Table {
    /// Opens the way.
    pub fn open() -> Result<Self, ConntrackError> {
        let socket =
            open(0).map_err(|error| ConntrackError::new("opening the kernel's connection table", error))?;
        Ok(Self { socket, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Hands every connection of a virtual service that `filter` means to `each`, until that says stop by false.
    pub async fn each(
        &mut self,
        filter: MarkFilter,
        mut each: impl FnMut(Entry) -> bool,
    ) -> Result<(), ConntrackError> {
        let wanted = |entry: &Entry| entry.is_translated() && filter.matches(entry.mark);
        let mut goes_on = true;
        let request = entry::dump(self.next(), filter);
        self.ask("listing connections", &request, |message| {
            let is_wanted = goes_on && entry::is_entry(message);
            if let Some(entry) = is_wanted.then(|| Entry::read(message.body)).flatten().filter(wanted) {
                goes_on = each(entry);
            }
        })
        .await
    }

    /// Makes the kernel forget every connection with this mark.
    pub async fn delete_marked(&mut self, mark: u32) -> Result<(), ConntrackError> {
        match entry::delete_marked(self.next(), mark) {
            Some(request) => self.delete(&request).await,
            None => Ok(()),
        }
    }

    /// Makes the kernel forget one connection; one that has gone meanwhile is no failure.
    pub async fn delete_one(&mut self, entry: &Entry) -> Result<(), ConntrackError> {
        let request = entry::delete_one(self.next(), entry);
        self.delete(&request).await
    }

    async fn delete(&mut self, request: &[u8]) -> Result<(), ConntrackError> {
        self.ask("ending connections", request, |_| ()).await
    }

    /// The sequence number of the next request.
    pub(crate) fn next(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }

    /// Sends a request with the sequence number of the last [`Self::next`], and reads its answer to the end. That what was
    /// asked for is not there is no failure.
    pub(crate) async fn ask(
        &mut self,
        doing: &'static str,
        request: &[u8],
        mut part: impl FnMut(&Message<'_>),
    ) -> Result<(), ConntrackError> {
        let failed = |why: &dyn fmt::Display| ConntrackError::new(doing, why);
        send(self.socket.as_raw_fd(), request, MsgFlags::empty()).map_err(|errno| failed(&errno))?;
        loop {
            let received = tokio::time::timeout(PATIENCE, receive(&self.socket, &mut self.buffer)).await;
            let length = received
                .map_err(|_| failed(&format!("no answer from the kernel within {} s", PATIENCE.as_secs())))?
                .map_err(|error| failed(&error))?;
            let datagram = self.buffer.get(..length).unwrap_or_default();
            // What a request that was given up has left behind is passed over.
            for message in messages(datagram).filter(|message| message.sequence == self.sequence) {
                match message.reply() {
                    Reply::Finished => return Ok(()),
                    Reply::Refused(nix::libc::ENOENT) => return Ok(()),
                    Reply::Refused(errno) => return Err(failed(&io::Error::from_raw_os_error(errno))),
                    Reply::Part(_) => part(&message),
                }
            }
            // A large table is always ready to be read on: checks that are due come first.
            tokio::task::yield_now().await;
        }
    }
}

/// A connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// As it was.
    pub entry: Entry,
    /// True when somebody asked for it, false when it closed or its time ran out.
    pub on_request: bool,
}

/// What a look at the events brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// These have ended.
    pub seen: Vec<End>,
    /// More have ended than fitted into the kernel's buffer; nobody knows how many.
    pub some_lost: bool,
}

/// Hears of every connection that ends, from now on.
#[derive(Debug)]
pub struct EndWatch {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

/// Ends that are taken together.
const BATCH: usize = 256;

impl EndWatch {
    /// Begins to listen.
    pub fn open() -> Result<Self, ConntrackError> {
        let failed = |error| ConntrackError::new("listening for the ends of connections", error);
        Ok(Self { socket: open(ENDS).map_err(failed)?, buffer: vec![0; BUFFER] })
    }

    /// Waits for the next ends of connections of virtual services. Those that are there already come together.
    pub async fn next(&mut self) -> Result<Ends, ConntrackError> {
        let failed = |error| ConntrackError::new("listening for the ends of connections", error);
        let mut ends = Ends::default();
        let mut length = match receive(&self.socket, &mut self.buffer).await {
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => {
                return Ok(Ends { some_lost: true, ..ends });
            }
            received => received.map_err(failed)?,
        };
        for _ in 0..BATCH {
            let datagram = self.buffer.get(..length).unwrap_or_default();
            ends.seen.extend(messages(datagram).filter_map(|message| end(&message)));
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(more) => length = more,
                Err(errno) => {
                    ends.some_lost = errno == Errno::ENOBUFS;
                    break;
                }
            }
        }
        Ok(ends)
    }
}

fn end(message: &Message<'_>) -> Option<End> {
    let entry = entry::is_end(message).then(|| Entry::read(message.body)).flatten()?;
    entry.is_translated().then_some(End { entry, on_request: message.cause != 0 })
}
