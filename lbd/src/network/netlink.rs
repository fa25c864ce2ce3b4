//! Reads interfaces, addresses and routes from the kernel, and waits for news of them. [`super::placing`] changes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use netlink_packet_core::NetlinkMessage;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::route::RouteAttribute;
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, MulticastGroup, RouteMessageBuilder};
use tokio::sync::watch;

use super::message::{self, Names, address_of};
use super::places::{OWN, VIRTUAL};
use super::topology::{Egress, Family, Interface, Network, Topology};

/// The kernel answers in microseconds; longer means that something is badly wrong.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// One look at the whole replaces a burst of notices, such as a link with a hundred addresses going down.
const SETTLE: Duration = Duration::from_millis(50);

/// Notices can get lost when the kernel's queue overflows; what was missed is found at the latest then.
const RESYNC: Duration = Duration::from_secs(30);

/// What the kernel did not do, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetlinkError(String);

impl NetlinkError {
    pub(super) fn new(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
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
    pub(super) handle: Handle,
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
        let names: Names = links.iter().filter_map(message::link_name).collect();
        let mut interfaces: BTreeMap<_, _> =
            links.iter().filter_map(|link| message::interface(link, &names)).collect();
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
    async fn route(&self, destination: IpAddr, names: &Names) -> Option<Egress> {
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
