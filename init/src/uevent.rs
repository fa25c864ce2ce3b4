//! Kernel events about devices: what appears after the walk through `/sys`, and later while the system runs.
//! Format: `lib/kobject_uevent.c` in the kernel: a headline, then `KEY=value` strings, separated by NUL.

use crate::failure::{Doing, Failure};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, setsockopt, socket, sockopt,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The kernel's own multicast group (group 2 is udev's).
const KERNEL_GROUP: u32 = 1;

/// `UEVENT_BUFFER_SIZE` is 2048; the headline comes on top.
const LARGEST: usize = 8192;

/// Room for the events of a whole boot; each takes some 2 KiB of socket memory.
const QUEUE: usize = 4 << 20;

/// What init wants to know of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uevent {
    /// `add`, `remove`, `change`, ...
    pub action: String,
    /// `net`, `block`, `input`, ...
    pub subsystem: String,
    /// Path below `/sys`.
    pub path: String,
    /// By which a module is found.
    pub alias: Option<String>,
}

impl Uevent {
    /// A device of `subsystem` has appeared.
    pub fn adds(&self, subsystem: &str) -> bool {
        self.action == "add" && self.subsystem == subsystem
    }

    /// The device's own name: the last part of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Reads a message; what is unknown is passed over.
pub fn parse(message: &[u8]) -> Uevent {
    let mut event = Uevent::default();
    for part in message.split(|byte| *byte == 0) {
        let text = String::from_utf8_lossy(part);
        match text.split_once('=') {
            Some(("ACTION", value)) => event.action = value.to_owned(),
            Some(("SUBSYSTEM", value)) => event.subsystem = value.to_owned(),
            Some(("DEVPATH", value)) => event.path = value.to_owned(),
            Some(("MODALIAS", value)) => event.alias = Some(value.to_owned()),
            _ => {}
        }
    }
    event
}

/// The socket that the kernel sends events to.
#[derive(Debug)]
pub struct Uevents(OwnedFd);

/// What [`Uevents::next`] found.
#[derive(Debug)]
pub enum Next {
    /// An event.
    Event(Uevent),
    /// Some were lost: look at everything again.
    Lost,
    /// None is waiting.
    Nothing,
}

impl Uevents {
    /// Listens from now on.
    pub fn open() -> Result<Self, Failure> {
        let doing = || "listening for the kernel's device events";
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkKObjectUEvent;
        let fd = socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol).doing(doing)?;
        setsockopt(&fd, sockopt::RcvBufForce, &QUEUE).doing(doing)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP)).doing(doing)?;
        Ok(Self(fd))
    }

    /// The next event that is waiting.
    pub fn next(&self) -> Next {
        let mut buffer = [0; LARGEST];
        loop {
            match recvfrom::<NetlinkAddr>(self.0.as_raw_fd(), &mut buffer) {
                // Only the kernel has the number 0.
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    return Next::Event(parse(&buffer[..length]));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => return Next::Lost,
                Err(_) => return Next::Nothing,
            }
        }
    }
}

impl AsFd for Uevents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_added_adapter() {
        let message = b"add@/devices/pci/net/eth0\0ACTION=add\0DEVPATH=/devices/pci/net/eth0\0SUBSYSTEM=net\0SEQNUM=9\0";
        let event = parse(message);
        assert!(event.adds("net"));
        assert_eq!((event.name(), event.alias.as_deref()), ("eth0", None));
    }

    #[test]
    fn a_device_that_wants_a_module() {
        let event =
            parse(b"add@/d\0ACTION=add\0DEVPATH=/d\0SUBSYSTEM=pci\0MODALIAS=pci:v000015ADd000007B0=x\0");
        assert_eq!(event.alias.as_deref(), Some("pci:v000015ADd000007B0=x"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
        }
    }
}
