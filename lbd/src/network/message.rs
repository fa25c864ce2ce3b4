//! Between the kernel's messages (rtnetlink(7)) and lbd's own data. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{
    BondFailOverMac, BondLacpRate, BondMode as Mode, InfoBond, InfoData, InfoVlan, LinkAttribute, LinkFlags,
    LinkInfo, LinkLayerType, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::{LinkBond, LinkMessageBuilder, LinkUnspec, LinkVlan, RouteMessageBuilder};

use super::links::Step;
use super::routes::{AnswerRule, Exit, MAIN_TABLE, MARK_BITS, PresentRoute, Route};
use super::topology::{Bonding, Family, Interface, LinkKind, Network, Owner};
use crate::config::network::BondMode;

/// Marks a route or rule as lbd's (`rtm_protocol`, linux/rtnetlink.h).
const OURS: RouteProtocol = RouteProtocol::Other(0xec);
/// Mark interfaces as lbd's (`IFLA_GROUP`, linux/if_link.h): the kernel keeps a number for each, 0 where nobody set one.
const ADOPTED: u32 = 0xec;
const MADE: u32 = 0xed;

/// What is said of links by numbers: names, as far as they are known.
pub(super) type Names = BTreeMap<u32, String>;

/// The name and number of a link; none of the loopback.
pub(super) fn link_name(message: &LinkMessage) -> Option<(u32, String)> {
    if message.header.link_layer_type == LinkLayerType::Loopback {
        return None;
    }
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(text) => Some(text.clone()),
        _ => None,
    });
    Some((message.header.index, name?))
}

/// A link, but for its addresses; none of the loopback.
pub(super) fn interface(message: &LinkMessage, names: &Names) -> Option<(String, Interface)> {
    let (index, name) = link_name(message)?;
    let mut interface = Interface {
        index,
        switched_on: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        ..Interface::default()
    };
    let mut below = None;
    let mut info: &[LinkInfo] = &[];
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(bytes) => interface.hardware = bytes.as_slice().try_into().ok(),
            LinkAttribute::Mtu(bytes) => interface.mtu = *bytes,
            LinkAttribute::MaxMtu(bytes) => interface.largest_mtu = *bytes,
            LinkAttribute::Controller(index) => interface.controller = names.get(index).cloned(),
            LinkAttribute::Group(ADOPTED) => interface.owner = Owner::Adopted,
            LinkAttribute::Group(MADE) => interface.owner = Owner::Made,
            LinkAttribute::Link(index) => below = names.get(index),
            LinkAttribute::LinkInfo(all) => info = all,
            _ => {}
        }
    }
    interface.kind = kind(info, below);
    Some((name, interface))
}

fn kind(info: &[LinkInfo], below: Option<&String>) -> LinkKind {
    let data = info.iter().find_map(|info| match info {
        LinkInfo::Data(data) => Some(data),
        _ => None,
    });
    match data {
        Some(InfoData::Bond(all)) => LinkKind::Bond(bonding(all)),
        Some(InfoData::Vlan(all)) => {
            let id = all.iter().find_map(|info| match info {
                InfoVlan::Id(id) => Some(*id),
                _ => None,
            });
            LinkKind::Vlan { link: below.cloned().unwrap_or_default(), id: id.unwrap_or_default() }
        }
        _ => LinkKind::Adapter,
    }
}

fn bonding(all: &[InfoBond]) -> Bonding {
    let mut bonding = Bonding::default();
    for info in all {
        match info {
            InfoBond::Mode(mode) => {
                let name = mode.to_string();
                let known = BondMode::ALL.into_iter().find(|known| known.name() == name);
                bonding.mode = known.unwrap_or_default();
            }
            InfoBond::MiiMon(milliseconds) => bonding.miimon_milliseconds = *milliseconds,
            InfoBond::AdLacpRate(rate) => bonding.fast_lacp = *rate == BondLacpRate::Fast,
            _ => {}
        }
    }
    bonding
}

/// How a step is asked for.
pub(super) enum Request {
    /// `RTM_NEWLINK` for one that must not be there yet.
    Add(LinkMessage),
    /// `RTM_NEWLINK` for one that is there.
    Change(LinkMessage),
    /// `RTM_SETLINK`.
    Set(LinkMessage),
    /// `RTM_DELLINK`, by number.
    Delete(u32),
}

/// The message for a step; `None` where an interface that it needs is not there.
pub(super) fn request(step: &Step, index: impl Fn(&str) -> Option<u32>) -> Option<Request> {
    let of = |name: &str| Some(LinkUnspec::new_with_index(index(name)?));
    Some(match step {
        Step::Remove(name) => Request::Delete(index(name)?),
        Step::Release(name) => Request::Set(of(name)?.nocontroller().build()),
        Step::Make(name, LinkKind::Bond(bonding)) => Request::Add(bond(name, bonding)),
        Step::Make(name, LinkKind::Vlan { link, id }) => {
            Request::Add(LinkVlan::new(name, index(link)?, *id).link_group(MADE).build())
        }
        Step::Make(_, LinkKind::Adapter) => return None,
        Step::Watch(name, milliseconds) => {
            let message = LinkMessageBuilder::<LinkBond>::new(name).index(index(name)?);
            Request::Change(message.miimon(*milliseconds).build())
        }
        Step::SwitchOff(name) => Request::Set(of(name)?.down().build()),
        Step::Enslave { member, bond } => Request::Set(of(member)?.controller(index(bond)?).build()),
        Step::SetMtu(name, mtu) => Request::Set(of(name)?.mtu(*mtu).build()),
        Step::Mark(name, owner) => {
            let group = match owner {
                Owner::Other => 0,
                Owner::Adopted => ADOPTED,
                Owner::Made => MADE,
            };
            Request::Set(of(name)?.link_group(group).build())
        }
        Step::SwitchOn(name) => Request::Set(of(name)?.up().build()),
    })
}

fn bond(name: &str, Bonding { mode, miimon_milliseconds, fast_lacp }: &Bonding) -> LinkMessage {
    let kernels = mode.name().parse::<Mode>().unwrap_or(Mode::ActiveBackup);
    let mut message = LinkBond::new(name).mode(kernels).miimon(*miimon_milliseconds).link_group(MADE);
    if *mode == BondMode::ActiveBackup {
        // Each adapter keeps its own Ethernet address: a virtual switch drops frames from an address that it did not
        // give to the adapter (VMware's "forged transmits", refused by default).
        message = message.append_info_data(InfoBond::FailOverMac(BondFailOverMac::Active));
    }
    if *fast_lacp {
        message = message.append_info_data(InfoBond::AdLacpRate(BondLacpRate::Fast));
    }
    message.build()
}

fn in_family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

/// Asks for all routes of a family.
pub(super) fn routes_of(family: Family) -> RouteMessage {
    let mut message = RouteMessageBuilder::<IpAddr>::new().build();
    message.header.address_family = in_family(family);
    message
}

/// The route of a message, if it is one that lbd could have set: to a network, by one way.
pub(super) fn route(message: &RouteMessage, names: &Names) -> Option<PresentRoute> {
    let header = &message.header;
    let (mut table, mut destination, mut gateway, mut interface) =
        (u32::from(header.table), None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Destination(address) => destination = address_of(address),
            RouteAttribute::Gateway(address) => gateway = address_of(address),
            RouteAttribute::Oif(index) => interface = names.get(index).cloned(),
            _ => {}
        }
    }
    let unspecified: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let prefix = header.destination_prefix_length;
    let is_of_interest = header.kind == RouteType::Unicast
        && (table == MAIN_TABLE || Exit::all().any(|exit| exit.table() == table));
    is_of_interest.then(|| PresentRoute {
        route: Route {
            table,
            destination: Network { address: destination.unwrap_or(unspecified), prefix },
            gateway,
            interface,
        },
        is_ours: header.protocol == OURS,
    })
}

/// The address that a route names.
pub(super) fn address_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// Sets a route; `None` where its interface is not there.
pub(super) fn new_route(route: &Route, index: impl Fn(&str) -> Option<u32>) -> Option<RouteMessage> {
    let Network { address, prefix } = route.destination;
    let interface = match &route.interface {
        Some(name) => Some(index(name)?),
        None => None,
    };
    // The builder of either family takes no gateway before it knows the family.
    let mut message = match address {
        IpAddr::V4(address) => {
            let builder = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(address, prefix);
            let builder = match route.gateway {
                Some(IpAddr::V4(gateway)) => builder.gateway(gateway),
                _ => builder.scope(RouteScope::Link),
            };
            builder.protocol(OURS).table_id(route.table).build()
        }
        IpAddr::V6(address) => {
            let builder = RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(address, prefix);
            let builder = match route.gateway {
                Some(IpAddr::V6(gateway)) => builder.gateway(gateway),
                _ => builder,
            };
            builder.protocol(OURS).table_id(route.table).build()
        }
    };
    message.attributes.extend(interface.map(RouteAttribute::Oif));
    Some(message)
}

/// lbd's rule that a message tells of.
pub(super) fn rule(message: &RuleMessage) -> Option<AnswerRule> {
    let family = Family::ALL.into_iter().find(|family| in_family(*family) == message.header.family)?;
    let has = |attribute| message.attributes.contains(&attribute);
    let is_of = |exit: &Exit| new_rule(AnswerRule { family, exit: *exit }).attributes.into_iter().all(&has);
    Some(AnswerRule { family, exit: Exit::all().find(is_of)? })
}

/// Sets, or removes, a rule.
pub(super) fn new_rule(AnswerRule { family, exit }: AnswerRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = in_family(family);
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Priority(exit.table()),
        RuleAttribute::FwMark(exit.mark()),
        RuleAttribute::FwMask(MARK_BITS),
        RuleAttribute::Table(exit.table()),
        RuleAttribute::Protocol(OURS),
    ];
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        let (address, prefix) = text.split_once('/').unwrap();
        Network { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    }

    #[test]
    fn a_route_that_was_set_is_found_again_as_ours() {
        let names = Names::from([(7, "eth1".to_owned())]);
        let table = Exit::all().next().unwrap().table();
        for (destination, gateway, table) in [
            ("0.0.0.0/0", "192.0.2.1", MAIN_TABLE),
            ("10.0.0.0/8", "192.0.2.1", table),
            ("fd08::/32", "fd00::1", MAIN_TABLE),
            ("::/0", "fd00::1", table),
            ("192.0.2.0/24", "", table),
        ] {
            let (destination, gateway) = (network(destination), gateway.parse().ok());
            let route_wanted = Route { table, destination, gateway, interface: Some("eth1".into()) };
            let message = new_route(&route_wanted, |_| Some(7)).unwrap();
            assert_eq!(
                route(&message, &names),
                Some(PresentRoute { route: route_wanted.clone(), is_ours: true })
            );
            assert!(new_route(&route_wanted, |_| None).is_none(), "without its interface");
        }
    }

    #[test]
    fn routes_of_the_kernels_own_tables_are_passed_over() {
        let local = 255;
        let wanted =
            Route { table: local, destination: network("192.0.2.1/32"), gateway: None, interface: None };
        assert_eq!(route(&new_route(&wanted, |_| None).unwrap(), &Names::new()), None);
    }

    #[test]
    fn a_rule_that_was_set_is_found_again_and_others_are_not() {
        for family in Family::ALL {
            for exit in Exit::all() {
                let wanted = AnswerRule { family, exit };
                assert_eq!(rule(&new_rule(wanted)), Some(wanted));
                let mut foreign = new_rule(wanted);
                foreign.attributes.pop();
                assert_eq!(rule(&foreign), None, "nobody said that it is lbd's");
            }
        }
    }

    #[test]
    fn what_was_made_is_told_as_it_was_wanted() {
        let names = Names::from([(2, "eth0".to_owned()), (3, "bond0".to_owned())]);
        let bonding = Bonding { mode: BondMode::Lacp, miimon_milliseconds: 250, fast_lacp: true };
        for kind in [LinkKind::Bond(bonding), LinkKind::Vlan { link: "eth0".into(), id: 100 }] {
            let step = Step::Make("made".into(), kind.clone());
            let index = |name: &str| names.iter().find(|(_, known)| *known == name).map(|(index, _)| *index);
            let Some(Request::Add(message)) = request(&step, index) else { panic!("it is made") };
            let (name, interface) = interface(&message, &names).unwrap();
            assert_eq!((name.as_str(), interface.kind, interface.owner), ("made", kind, Owner::Made));
        }
        let lost = Step::Make("made".into(), LinkKind::Vlan { link: "eth9".into(), id: 100 });
        assert!(request(&lost, |_| None).is_none());
    }
}
