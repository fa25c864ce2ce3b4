//! Gratuitous ARP (RFC 5227 section 3): tells neighbours at which Ethernet address a virtual address lives.

use std::io;
use std::net::Ipv4Addr;

use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Ethernet2Header};

use super::topology::Interface;
use crate::sys;

const BROADCAST: [u8; 6] = [0xff; 6];

/// Both forms, as different switches and hosts heed one or the other: a request for one's own address and a
/// reply that nobody asked for.
pub fn frames(hardware: [u8; 6], address: Ipv4Addr) -> [Vec<u8>; 2] {
    [(ArpOperation::REQUEST, [0; 6]), (ArpOperation::REPLY, BROADCAST)]
        .map(|(operation, target)| frame(operation, hardware, target, address))
}

fn frame(operation: ArpOperation, hardware: [u8; 6], target: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let ethernet = Ethernet2Header { source: hardware, destination: BROADCAST, ether_type: EtherType::ARP };
    let arp = ArpEthIpv4Packet {
        operation,
        sender_mac: hardware,
        sender_ipv4: address.octets(),
        target_mac: target,
        target_ipv4: address.octets(),
    };
    let mut frame = ethernet.to_bytes().to_vec();
    frame.extend_from_slice(&ArpPacket::from(arp).to_bytes());
    frame
}

/// Sends both frames. A link that is not Ethernet has nobody to tell.
pub fn send(interface: &Interface, address: Ipv4Addr) -> io::Result<()> {
    let Some(hardware) = interface.hardware else { return Ok(()) };
    let socket = sys::packet_socket(interface.index)?;
    frames(hardware, address).iter().try_for_each(|frame| socket.send(frame).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frames_are_a_request_and_a_reply_about_oneself() {
        let [request, reply] = frames([2, 0, 0, 0, 0, 1], Ipv4Addr::new(192, 0, 2, 1));
        let head = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0];
        let sender = [2, 0, 0, 0, 0, 1, 192, 0, 2, 1];
        assert_eq!(request, [&head[..], &[1], &sender, &[0; 6], &[192, 0, 2, 1]].concat());
        assert_eq!(reply, [&head[..], &[2], &sender, &[255; 6], &[192, 0, 2, 1]].concat());
    }
}
