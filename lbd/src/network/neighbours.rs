//! Who was met on the networks of the appliance: the kernel's neighbour table (ARP and NDP).

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures_util::TryStreamExt;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};

use super::message::{self, Names};
use super::netlink::{Netlink, NetlinkError, TIMEOUT};

/// More are for programs that read the kernel itself.
const MOST: usize = 1_000;

/// An entry of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// Name of the interface.
    pub interface: String,
    /// Its address.
    pub address: IpAddr,
    /// Its Ethernet address; empty while it is not known.
    pub hardware: String,
    /// How it stands, in words.
    pub state: &'static str,
}

/// Those that there are, by interface and address; 1,000 at most.
pub async fn list() -> Result<Vec<Neighbour>, NetlinkError> {
    let read = async {
        let doing = |what| move |error| NetlinkError::new(what, error);
        let handle = Netlink::connect()?.handle;
        let links: Vec<_> =
            handle.link().get().execute().try_collect().await.map_err(doing("listing interfaces"))?;
        let names: BTreeMap<_, _> = links.iter().filter_map(message::link_name).collect();
        let all: Vec<_> =
            handle.neighbours().get().execute().try_collect().await.map_err(doing("listing neighbours"))?;
        let mut found: Vec<_> = all.iter().filter_map(|message| neighbour(message, &names)).collect();
        found.sort();
        found.truncate(MOST);
        Ok(found)
    };
    tokio::time::timeout(TIMEOUT, read).await.map_err(|late| NetlinkError::new("listing neighbours", late))?
}

/// An entry, if it is of somebody else on a network.
fn neighbour(message: &NeighbourMessage, names: &Names) -> Option<Neighbour> {
    let state = words(message.header.state)?;
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(IpAddr::from(*address)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some(IpAddr::from(*address)),
        _ => None,
    })?;
    let hardware = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => Some(bytes),
        _ => None,
    });
    let pairs = hardware.into_iter().flatten().map(|byte| format!("{byte:02x}"));
    let interface = names.get(&message.header.ifindex)?.clone();
    Some(Neighbour { interface, address, hardware: pairs.collect::<Vec<_>>().join(":"), state })
}

/// Nothing for what is no neighbour, such as a multicast address.
fn words(state: NeighbourState) -> Option<&'static str> {
    Some(match state {
        NeighbourState::Reachable => "reachable: has answered lately",
        NeighbourState::Stale => "known, not asked lately",
        NeighbourState::Delay | NeighbourState::Probe => "known, is being asked again",
        NeighbourState::Incomplete => "is being asked, no answer yet",
        NeighbourState::Failed => "does not answer: look at its power, cable and VLAN",
        NeighbourState::Permanent => "set by hand",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_in_words() {
        let names = BTreeMap::from([(2, "eth0".to_owned())]);
        let mut message = NeighbourMessage::default();
        message.header.ifindex = 2;
        message.header.state = NeighbourState::Failed;
        message.attributes =
            vec![NeighbourAttribute::Destination(NeighbourAddress::Inet([192, 0, 2, 1].into()))];
        let found = neighbour(&message, &names).unwrap();
        assert_eq!((found.interface.as_str(), found.hardware.as_str()), ("eth0", ""));
        assert!(found.state.starts_with("does not answer"));
        message.header.state = NeighbourState::Noarp;
        assert_eq!(neighbour(&message, &names), None);
    }
}
