//! Reads interfaces, addresses and routes from the kernel, and puts virtual addresses in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use netlink_packet_core::NetlinkMessage;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, LinkUnspec, MulticastGroup, RouteMessageBuilder};
use tokio::sync::watch;

use super::places::{Address, OWN, Places, VIRTUAL};
use super::topology::{Egress, Family, Interface, Network, Topology};

/// Marks a route as lbd's (`rtm_protocol`, linux/rtnetlink.h).
const OUR_ROUTE: RouteProtocol = RouteProtocol::Other(0xec);
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

/// A connection to the kernel's routing subsystem, for one task: the kernel lists one thing at a time on each
/// socket and answers a second request meanwhile with "busy". So there is no second handle to it.
#[derive(Debug)]
pub struct Netlink {
    handle: Handle,
}

impl Netlink {
    /// Connects; the connection is served by a task of its own until this has gone.
    pub fn connect() -> Result<Self, NetlinkError> {
        let (connection, handle, _) = rtnetlink::new_connection()
            .map_err(|error| NetlinkError::new("opening a netlink socket", error))?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// What is there now, with the routes to `destinations`.
    pub async fn topology(&self, destinations: &BTreeSet<IpAddr>) -> Result<Topology, NetlinkError> {
        tokio::time::timeout(TIMEOUT, self.read(destinations))
            .await
            .map_err(|late| NetlinkError::new("reading interfaces and routes", late))?
    }

    async fn read(&self, destinations: &BTreeSet<IpAddr>) -> Result<Topology, NetlinkError> {
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
    async fn route(&self, destination: IpAddr, names: &BTreeMap<u32, String>) -> Option<Egress> {
        let prefix = Family::of(destination).host_prefix();
        let message =
            RouteMessageBuilder::<IpAddr>::new().destination_prefix(destination, prefix).ok()?.build();
        let answer = self.handle.route().get(message).execute().try_next().await.ok()??;
        let interface = answer.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => names.get(index).cloned(),
            _ => None,
        })?;
        let source = answer.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::PrefSource(source) => address_of(source),
            _ => None,
        })?;
        Some(Egress { interface, source })
    }

    /// Makes interfaces, addresses and the default route what they should be, as far as they can be; returns what
    /// could not. New addresses come before old ones go, so that an interface never has none.
    pub async fn place(&self, desired: &Places) -> Vec<NetlinkError> {
        let topology = match self.topology(&BTreeSet::new()).await {
            Ok(topology) => topology,
            Err(error) => return vec![error],
        };
        let mut failures = Vec::new();
        for name in &desired.switched_on {
            failures.extend(self.switch_on(&topology, name).await.err());
        }
        let (wanted, current) = (Address::wanted(desired), Address::present(&topology));
        for new in wanted.difference(&current).filter(|new| !new.is_somebody_elses(&topology)) {
            failures.extend(self.add(new, &topology).await.err());
        }
        for gone in current.difference(&wanted) {
            failures.extend(self.remove(gone, &topology).await.err());
        }
        for family in Family::ALL {
            let gateway = desired.default_gateways.iter().copied().find(|it| Family::of(*it) == family);
            failures.extend(self.set_default_route(family, gateway).await.err());
        }
        failures
    }

    async fn add(&self, new: &Address, topology: &Topology) -> Result<(), NetlinkError> {
        let Network { address, prefix } = new.network;
        let mut request = self.handle.address().add(0, address, prefix);
        *request.message_mut() = address_message(new, topology)?;
        finish(format!("adding {new}"), request.execute()).await
    }

    async fn remove(&self, gone: &Address, topology: &Topology) -> Result<(), NetlinkError> {
        let request = self.handle.address().del(address_message(gone, topology)?);
        finish(format!("removing {gone}"), request.execute()).await
    }

    async fn switch_on(&self, topology: &Topology, name: &str) -> Result<(), NetlinkError> {
        match topology.interfaces.get(name) {
            Some(interface) if !interface.switched_on => {
                let message = LinkUnspec::new_with_index(interface.index).up().build();
                finish(format!("switching on {name}"), self.handle.link().set(message).execute()).await
            }
            _ => Ok(()),
        }
    }

    /// Leaves alone what is right, and every route that is not lbd's.
    async fn set_default_route(&self, family: Family, wanted: Option<IpAddr>) -> Result<(), NetlinkError> {
        let routes = self.default_routes(family).await?;
        // One that somebody else has set to the same router will do.
        let right = routes.iter().any(|route| wanted.is_some() && gateway(route) == wanted);
        let wrong = |route: &RouteMessage| wanted.is_none() || gateway(route) != wanted;
        for route in routes.into_iter().filter(|route| route.header.protocol == OUR_ROUTE && wrong(route)) {
            finish("removing the default route".into(), self.handle.route().del(route).execute()).await?;
        }
        let Some(gateway) = wanted.filter(|_| !right) else { return Ok(()) };
        let doing = format!("adding the default route by {gateway}");
        finish(doing, self.handle.route().add(default_route(gateway)).execute()).await
    }

    async fn default_routes(&self, family: Family) -> Result<Vec<RouteMessage>, NetlinkError> {
        let mut request = RouteMessageBuilder::<IpAddr>::new().build();
        request.header.address_family = match family {
            Family::Ipv4 => AddressFamily::Inet,
            Family::Ipv6 => AddressFamily::Inet6,
        };
        let listing = self.handle.route().get(request).execute();
        let routes: Vec<_> =
            listing.try_collect().await.map_err(|error| NetlinkError::new("listing routes", error))?;
        let is_default = |route: &RouteMessage| route.header.destination_prefix_length == 0;
        Ok(routes.into_iter().filter(is_default).collect())
    }
}

/// The builder of either family takes no gateway before it knows the family.
fn default_route(gateway: IpAddr) -> RouteMessage {
    match gateway {
        IpAddr::V4(gateway) => {
            RouteMessageBuilder::<Ipv4Addr>::new().protocol(OUR_ROUTE).gateway(gateway).build()
        }
        IpAddr::V6(gateway) => {
            RouteMessageBuilder::<Ipv6Addr>::new().protocol(OUR_ROUTE).gateway(gateway).build()
        }
    }
}

fn gateway(route: &RouteMessage) -> Option<IpAddr> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(gateway) => address_of(gateway),
        _ => None,
    })
}

fn address_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn address_message(address: &Address, topology: &Topology) -> Result<AddressMessage, NetlinkError> {
    let missing = || NetlinkError::new(format!("placing {address}"), "there is no such interface");
    address.message(topology).ok_or_else(missing)
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

fn interface(message: &LinkMessage) -> Option<(String, Interface)> {
    if message.header.link_layer_type == LinkLayerType::Loopback {
        return None;
    }
    let mut name = None;
    let mut interface = Interface {
        index: message.header.index,
        switched_on: message.header.flags.contains(LinkFlags::Up),
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

/// Link-local addresses are the kernel's own affair.
fn take_address(interface: &mut Interface, message: &AddressMessage) {
    if message.header.scope == AddressScope::Link {
        return;
    }
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        // For IPv4 `Address` may be a peer's; for IPv6 `Local` is there only beside one.
        AddressAttribute::Local(address @ IpAddr::V4(_)) => Some(*address),
        AddressAttribute::Address(address @ IpAddr::V6(_)) => Some(*address),
        _ => None,
    });
    let Some(address) = address else { return };
    let network = Network { address, prefix: message.header.prefix_len };
    if message.attributes.contains(&AddressAttribute::Protocol(VIRTUAL)) {
        interface.virtual_addresses.insert(address);
        return;
    }
    interface.networks.insert(network);
    if message.attributes.contains(&AddressAttribute::Protocol(OWN)) {
        interface.networks_of_ours.insert(network);
    }
}

/// Waits for changes of the network, or of the destinations that matter.
pub struct TopologyWatch {
    notices: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    destinations: watch::Receiver<BTreeSet<IpAddr>>,
}

impl TopologyWatch {
    /// Listens to the kernel from now on.
    pub fn start(destinations: watch::Receiver<BTreeSet<IpAddr>>) -> Result<Self, NetlinkError> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv6Route,
        ];
        let (connection, _, notices) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|error| NetlinkError::new("listening for changes of the network", error))?;
        tokio::spawn(connection);
        Ok(Self { notices, destinations })
    }

    /// The destinations whose routes matter now.
    pub fn destinations(&mut self) -> BTreeSet<IpAddr> {
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
