//! Tells the neighbours at which Ethernet address a virtual address lives: gratuitous ARP (RFC 5227 section 3) or an
//! unsolicited neighbour advertisement (RFC 4861 section 7.2.6).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::icmpv6::NeighborAdvertisementHeader;
use etherparse::{
    ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType, Ethernet2Header, Icmpv6Header, Icmpv6Type,
    IpNumber, Ipv6Header,
};

use super::topology::Interface;
use crate::sys;

const BROADCAST: [u8; 6] = [0xff; 6];
/// Every host of the link, in IPv6 and as Ethernet address (RFC 4291 section 2.7.1, RFC 2464 section 7).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_HARDWARE: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
/// RFC 4861 section 7.1.2: with another hop limit it is passed over, as it may come from elsewhere.
const HOP_LIMIT: u8 = 255;
/// RFC 4861 section 4.6.1: target link-layer address, one unit of eight bytes long.
const TARGET_HARDWARE: [u8; 2] = [2, 1];

/// The frames that announce `address`, or why they cannot be made.
pub fn frames(hardware: [u8; 6], address: IpAddr) -> io::Result<Vec<Vec<u8>>> {
    match address {
        // Both forms, as different switches and hosts heed one or the other: a request for one's own address and
        // a reply that nobody asked for.
        IpAddr::V4(address) => Ok([(ArpOperation::REQUEST, [0; 6]), (ArpOperation::REPLY, BROADCAST)]
            .map(|(operation, target)| arp_frame(operation, hardware, target, address))
            .to_vec()),
        IpAddr::V6(address) => Ok(vec![advertisement(hardware, address)?]),
    }
}

fn arp_frame(operation: ArpOperation, hardware: [u8; 6], target: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
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

fn advertisement(hardware: [u8; 6], address: Ipv6Addr) -> io::Result<Vec<u8>> {
    let (source, destination) = (address.octets(), ALL_NODES.octets());
    let payload = [&source[..], &TARGET_HARDWARE, &hardware].concat();
    // The kernel answers as a router too, as it forwards; a host must not see the flag change.
    let flags = NeighborAdvertisementHeader { router: true, solicited: false, r#override: true };
    let kind = Icmpv6Type::NeighborAdvertisement(flags);
    let icmp = Icmpv6Header::with_checksum(kind, source, destination, &payload).map_err(io::Error::other)?;
    let mut ip = Ipv6Header {
        hop_limit: HOP_LIMIT,
        next_header: IpNumber::IPV6_ICMP,
        source,
        destination,
        ..Ipv6Header::default()
    };
    ip.set_payload_length(icmp.header_len() + payload.len()).map_err(io::Error::other)?;
    let ethernet =
        Ethernet2Header { source: hardware, destination: ALL_NODES_HARDWARE, ether_type: EtherType::IPV6 };
    Ok([&ethernet.to_bytes()[..], &ip.to_bytes(), &icmp.to_bytes(), &payload].concat())
}

/// Sends them. A link that is not Ethernet has nobody to tell.
pub fn send(interface: &Interface, address: IpAddr) -> io::Result<()> {
    let Some(hardware) = interface.hardware else { return Ok(()) };
    let protocol = if address.is_ipv4() { EtherType::ARP } else { EtherType::IPV6 };
    let socket = sys::packet_socket(interface.index, protocol.0)?;
    frames(hardware, address)?.iter().try_for_each(|frame| socket.send(frame).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 1];

    #[test]
    fn arp_frames_are_a_request_and_a_reply_about_oneself() {
        let frames = frames(HARDWARE, Ipv4Addr::new(192, 0, 2, 1).into()).unwrap();
        let head = [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0];
        let sender = [2, 0, 0, 0, 0, 1, 192, 0, 2, 1];
        let request = [&head[..], &[1], &sender, &[0; 6], &[192, 0, 2, 1]].concat();
        let reply = [&head[..], &[2], &sender, &[255; 6], &[192, 0, 2, 1]].concat();
        assert_eq!(frames, [request, reply]);
    }

    /// Byte by byte as RFC 4861 section 4.4 draws it; the checksum is that of RFC 4443 section 2.3.
    #[test]
    fn the_advertisement_goes_to_all_nodes_and_overrides() {
        let address: Ipv6Addr = "fd00::100".parse().unwrap();
        let frames = frames(HARDWARE, address.into()).unwrap();
        let ethernet = [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
        let ip = [0x60, 0, 0, 0, 0, 32, 58, 255];
        let (own, all) = (address.octets(), ALL_NODES.octets());
        let icmp = [136, 0, 0, 0, 0xa0, 0, 0, 0];
        let mut expected = [&ethernet[..], &ip, &own, &all, &icmp, &own, &[2, 1], &HARDWARE].concat();
        let words = |bytes: &[u8]| -> u32 {
            bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum()
        };
        let sum = words(&own) + words(&all) + 32 + 58 + words(&expected[54..]);
        let folded = !((sum & 0xffff) + (sum >> 16)) as u16;
        expected[56..58].copy_from_slice(&folded.to_be_bytes());
        assert_eq!(frames, [expected]);
    }
}
