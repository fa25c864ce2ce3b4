//! Reads interfaces, addresses and routes from the kernel, and puts virtual addresses in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use netlink_packet_core::NetlinkMessage;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{AddressMessageBuilder, Handle, MulticastGroup, RouteMessageBuilder};
use tokio::sync::watch;

use super::topology::{Egress, Interface, Network, Topology, VirtualAddress};

/// Marks an address as lbd's (`IFA_PROTO`, linux/if_addr.h): recognised after a restart, and nobody else's.
const OUR_PROTOCOL: AddressProtocol = AddressProtocol::Other(0xeb);
const HOST_PREFIX: u8 = 32;
/// The kernel answers in microseconds; longer means that something is badly wrong.
const TIMEOUT: Duration = Duration::from_secs(5);
/// One look at the whole replaces a burst of notices, such as a link with a hundred addresses going down.
const SETTLE: Duration = Duration::from_millis(50);

/// Notices can get lost when the kernel's queue overflows; what was missed is found at the latest then.
const RESYNC: Duration = Duration::from_secs(30);

/// What the kernel did not do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetlinkError(String);

impl NetlinkError {
    fn new(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NetlinkError {}

/// A connection to the kernel's routing subsystem.
#[derive(Debug, Clone)]
pub struct Netlink {
    handle: Handle,
}

impl Netlink {
    /// Connects; the connection is served by a task of its own until the last clone has gone.
    pub fn connect() -> Result<Self, NetlinkError> {
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(|error| NetlinkError::new("opening a netlink socket", error))?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// What is there now, with the routes to `destinations`.
    pub async fn topology(&self, destinations: &BTreeSet<Ipv4Addr>) -> Result<Topology, NetlinkError> {
        tokio::time::timeout(TIMEOUT, self.read(destinations))
            .await
            .map_err(|late| NetlinkError::new("reading interfaces and routes", late))?
    }

    async fn read(&self, destinations: &BTreeSet<Ipv4Addr>) -> Result<Topology, NetlinkError> {
        let doing = |what| move |error| NetlinkError::new(what, error);
        let links: Vec<_> =
            self.handle.link().get().execute().try_collect().await.map_err(doing("listing interfaces"))?;
        let mut names = BTreeMap::new();
        let mut interfaces = BTreeMap::new();
        for (name, interface) in links.iter().filter_map(interface) {
            names.insert(interface.index, name.clone());
            interfaces.insert(name, interface);
        }
        let addresses: Vec<_> =
            self.handle.address().get().execute().try_collect().await.map_err(doing("listing addresses"))?;
        for message in &addresses {
            let interface = names.get(&message.header.index).and_then(|name| interfaces.get_mut(name));
            if let Some(interface) = interface {
                take_address(interface, message);
            }
        }
        let mut routes = BTreeMap::new();
        for destination in destinations {
            routes.extend(self.route(*destination, &names).await.map(|egress| (*destination, egress)));
        }
        Ok(Topology { interfaces, routes })
    }

    /// The kernel's answer to `ip route get`; no answer means no route.
    async fn route(&self, destination: Ipv4Addr, names: &BTreeMap<u32, String>) -> Option<Egress> {
        let message =
            RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(destination, HOST_PREFIX).build();
        let answer = self.handle.route().get(message).execute().try_next().await.ok()??;
        let interface = answer.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => names.get(index).cloned(),
            _ => None,
        })?;
        let source = answer.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::PrefSource(RouteAddress::Inet(source)) => Some(*source),
            _ => None,
        })?;
        Some(Egress { interface, source })
    }

    /// Adds the virtual addresses that are missing and removes those of ours that are too many.
    pub async fn place(&self, desired: &BTreeSet<VirtualAddress>) -> Result<(), NetlinkError> {
        let topology = self.topology(&BTreeSet::new()).await?;
        let current = topology.virtual_addresses();
        for gone in current.difference(desired) {
            let doing = format!("removing {} from {}", gone.address, gone.interface);
            let request = self.handle.address().del(message(&topology, gone)?);
            finish(doing, request.execute()).await?;
        }
        for new in desired.difference(&current) {
            let doing = format!("adding {} to {}", new.address, new.interface);
            let mut request = self.handle.address().add(0, IpAddr::V4(new.address), HOST_PREFIX);
            *request.message_mut() = message(&topology, new)?;
            finish(doing, request.execute()).await?;
        }
        Ok(())
    }
}

async fn finish(
    doing: String,
    request: impl Future<Output = Result<(), rtnetlink::Error>>,
) -> Result<(), NetlinkError> {
    match tokio::time::timeout(TIMEOUT, request).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(NetlinkError::new(doing, error)),
        Err(late) => Err(NetlinkError::new(doing, late)),
    }
}

fn message(topology: &Topology, place: &VirtualAddress) -> Result<AddressMessage, NetlinkError> {
    let missing = || {
        NetlinkError::new(
            format!("placing {}", place.address),
            format!("there is no interface {}", place.interface),
        )
    };
    let interface = topology.interfaces.get(&place.interface).ok_or_else(missing)?;
    let mut message = AddressMessageBuilder::<Ipv4Addr>::new()
        .index(interface.index)
        .address(place.address, HOST_PREFIX)
        .build();
    message.attributes.push(AddressAttribute::Protocol(OUR_PROTOCOL));
    Ok(message)
}

fn interface(message: &LinkMessage) -> Option<(String, Interface)> {
    if message.header.link_layer_type == LinkLayerType::Loopback {
        return None;
    }
    let mut name = None;
    let mut interface = Interface {
        index: message.header.index,
        carrier: message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        ..Interface::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text.clone()),
            LinkAttribute::Address(bytes) => interface.hardware = bytes.as_slice().try_into().ok(),
            _ => {}
        }
    }
    Some((name?, interface))
}

fn take_address(interface: &mut Interface, message: &AddressMessage) {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
        _ => None,
    });
    let Some(address) = local.filter(|_| message.header.family == AddressFamily::Inet) else { return };
    if message.attributes.contains(&AddressAttribute::Protocol(OUR_PROTOCOL)) {
        interface.virtual_addresses.insert(address);
    } else {
        interface.networks.insert(Network { address, prefix: message.header.prefix_len });
    }
}

/// Waits for changes of the network, or of the destinations that matter.
pub struct TopologyWatch {
    notices: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    destinations: watch::Receiver<BTreeSet<Ipv4Addr>>,
}

impl TopologyWatch {
    /// Listens to the kernel from now on.
    pub fn start(destinations: watch::Receiver<BTreeSet<Ipv4Addr>>) -> Result<Self, NetlinkError> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv4Route];
        let (connection, _, notices) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|error| NetlinkError::new("listening for changes of the network", error))?;
        tokio::spawn(connection);
        Ok(Self { notices, destinations })
    }

    /// The destinations whose routes matter now.
    pub fn destinations(&mut self) -> BTreeSet<Ipv4Addr> {
        self.destinations.borrow_and_update().clone()
    }

    /// Returns after a change, and now and then without one. An error is final.
    pub async fn changed(&mut self) -> Result<(), NetlinkError> {
        let gone = |what| NetlinkError::new("listening for changes of the network", what);
        tokio::select! {
            notice = self.notices.next() => {
                notice.ok_or_else(|| gone("the socket has gone"))?;
                tokio::time::sleep(SETTLE).await;
                while let Some(Some(_)) = self.notices.next().now_or_never() {}
                Ok(())
            }
            () = tokio::time::sleep(RESYNC) => Ok(()),
            changed = self.destinations.changed() => changed.map_err(|_| gone("lbd is ending")),
        }
    }
}
