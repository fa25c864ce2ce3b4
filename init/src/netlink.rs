//! Two requests to the kernel's rtnetlink(7): rename an interface, bring one up.

use crate::failure::{Doing, Failure};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use std::os::fd::AsRawFd;

/// `RTM_SETLINK`, `NLM_F_REQUEST | NLM_F_ACK`, `IFLA_IFNAME`, `IFF_UP` (linux/rtnetlink.h, netlink.h, if.h).
const SET_LINK: u16 = 19;
const REQUEST_WITH_ANSWER: u16 = 1 | 4;
const NAME: u16 = 3;
const UP: u32 = 1;

/// The kernel answers at once, if at all.
const PATIENCE: i64 = 2;

/// Gives interface `index` another name.
pub fn rename(index: i32, name: &str) -> Result<(), Failure> {
    request(&message(index, 0, Some(name))).doing(|| format!("renaming network interface {index} to {name}"))
}

/// Brings interface `index` up.
pub fn bring_up(index: i32) -> Result<(), Failure> {
    request(&message(index, UP, None)).doing(|| format!("bringing network interface {index} up"))
}

/// Header, `ifinfomsg`, and the name as an attribute, padded to 4 bytes.
fn message(index: i32, flags: u32, name: Option<&str>) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(flags.to_ne_bytes()); // which of the flags to change
    if let Some(name) = name {
        let length = 4 + name.len() + 1;
        body.extend((length as u16).to_ne_bytes());
        body.extend(NAME.to_ne_bytes());
        body.extend(name.as_bytes());
        body.resize(16 + length.next_multiple_of(4), 0);
    }
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(SET_LINK.to_ne_bytes());
    message.extend(REQUEST_WITH_ANSWER.to_ne_bytes());
    message.extend([0; 8]); // sequence and port: one request a socket
    message.extend(body);
    message
}

fn request(message: &[u8]) -> Result<(), Errno> {
    let kind = (SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
    let fd = socket(AddressFamily::Netlink, kind.0, kind.1, kind.2)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(PATIENCE, 0))?;
    send(fd.as_raw_fd(), message, MsgFlags::empty())?;
    let mut answer = [0; 4096];
    let length = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    verdict(&answer[..length])
}

/// `nlmsgerr`: a negative error number after the header, 0 for success.
fn verdict(answer: &[u8]) -> Result<(), Errno> {
    match answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(Errno::from_raw(error.saturating_neg())),
        None => Err(Errno::EBADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_is_padded_and_has_its_length() {
        let bytes = message(3, 0, Some("eth10"));
        assert_eq!(bytes.len(), 16 + 16 + 12);
        assert_eq!(bytes[..4], 44u32.to_ne_bytes());
        assert_eq!(bytes[20..24], 3i32.to_ne_bytes());
        assert_eq!((&bytes[32..34], &bytes[36..42]), (&10u16.to_ne_bytes()[..], &b"eth10\0"[..]));
    }

    #[test]
    fn answers() {
        let answer = |error: i32| [&[0; 16][..], &error.to_ne_bytes()].concat();
        assert_eq!(verdict(&answer(0)), Ok(()));
        assert_eq!(verdict(&answer(-17)), Err(Errno::EEXIST));
        assert_eq!(verdict(&answer(i32::MIN)), Err(Errno::UnknownErrno));
        assert_eq!(verdict(b"short"), Err(Errno::EBADMSG));
    }
}
