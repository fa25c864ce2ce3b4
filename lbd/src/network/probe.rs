//! Asks whether somebody uses an IPv4 address, before it is taken: ARP probes (RFC 5227 section 2.1.1).

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Ethernet2Header, SlicedPacket};
use nix::net::if_::if_nametoindex;

use crate::sys;

/// `PROBE_NUM`.
const PROBES: u32 = 3;
/// Between two probes. RFC 5227 waits for one to two seconds, for hosts that have just been switched on; somebody stands at
/// the console.
const PATIENCE: Duration = Duration::from_millis(700);
const BROADCAST: [u8; 6] = [0xff; 6];
/// More than an Ethernet frame of ARP.
const LARGEST: usize = 256;

/// An Ethernet address.
type Hardware = [u8; 6];

/// Who else uses `address`, by the Ethernet address; blocks for two seconds where nobody does. Needs `CAP_NET_RAW`. The
/// error says what is wrong with the interface.
pub fn ask(interface: &str, address: Ipv4Addr) -> io::Result<Option<Hardware>> {
    let read = |file: &str| std::fs::read_to_string(format!("/sys/class/net/{interface}/{file}"));
    let failed = |what: &str| io::Error::other(format!("{interface} {what}"));
    let hardware = read("address").map_err(|_| failed("does not exist"))?;
    let hardware = parsed(hardware.trim()).ok_or_else(|| failed("is not an Ethernet adapter"))?;
    // Unreadable while it is switched off.
    if read("carrier").map_or(true, |carrier| carrier.trim() != "1") {
        return Err(failed("has no link"));
    }
    let socket = sys::packet_socket(if_nametoindex(interface)?, EtherType::ARP.0)?;
    let frame = frame(hardware, address);
    for _ in 0..PROBES {
        socket.send(&frame)?;
        let end = Instant::now() + PATIENCE;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left))?;
            let mut buffer = [0; LARGEST];
            match io::Read::read(&mut &socket, &mut buffer) {
                Ok(length) => {
                    if let Some(other) = user(&buffer[..length], hardware, address) {
                        return Ok(Some(other));
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}

/// As people write it.
pub fn text(hardware: Hardware) -> String {
    hardware.map(|byte| format!("{byte:02x}")).join(":")
}

fn parsed(text: &str) -> Option<Hardware> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok().filter(|hardware| *hardware != [0; 6])
}

/// A question without an own address, so that nobody takes it for an announcement.
fn frame(hardware: Hardware, address: Ipv4Addr) -> Vec<u8> {
    let ethernet = Ethernet2Header { source: hardware, destination: BROADCAST, ether_type: EtherType::ARP };
    let arp = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: hardware,
        sender_ipv4: [0; 4],
        target_mac: [0; 6],
        target_ipv4: address.octets(),
    };
    [&ethernet.to_bytes()[..], &ArpPacket::from(arp).to_bytes()].concat()
}

/// Who says by this frame that they use the address, or are about to take it themselves. Takes any bytes.
pub fn user(frame: &[u8], own: Hardware, address: Ipv4Addr) -> Option<Hardware> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(etherparse::NetSlice::Arp(arp)) = packet.net else { return None };
    let arp = ArpEthIpv4Packet::try_from(arp.to_packet()).ok()?;
    let wants = arp.operation == ArpOperation::REQUEST
        && arp.sender_ipv4 == [0; 4]
        && arp.target_ipv4 == address.octets();
    let has = arp.sender_ipv4 == address.octets();
    ((has || wants) && arp.sender_mac != own).then_some(arp.sender_mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Hardware = [2, 0, 0, 0, 0, 1];
    const OTHER: Hardware = [2, 0, 0, 0, 0, 2];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    #[test]
    fn a_probe_names_no_sender() {
        let head = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
        let expected = [&head[..], &OWN, &[0; 4], &[0; 6], &[192, 0, 2, 1]].concat();
        assert_eq!(frame(OWN, ADDRESS), expected);
    }

    #[test]
    fn answers_and_other_probes_are_users_and_ones_own_are_not() {
        assert_eq!(user(&frame(OTHER, ADDRESS), OWN, ADDRESS), Some(OTHER), "they are about to take it");
        assert_eq!(user(&frame(OWN, ADDRESS), OWN, ADDRESS), None);
        assert_eq!(user(&frame(OTHER, Ipv4Addr::new(192, 0, 2, 9)), OWN, ADDRESS), None);
        let mut reply = frame(OTHER, Ipv4Addr::new(192, 0, 2, 50));
        reply[21] = 2;
        reply[28..32].copy_from_slice(&ADDRESS.octets());
        assert_eq!(user(&reply, OWN, ADDRESS), Some(OTHER));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = user(&bytes, OWN, ADDRESS);
        }
    }
}
