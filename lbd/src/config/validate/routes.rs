//! Rules of static routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::network::leads_to;
use super::{Collector, host_address};
use crate::config::document::RouteDocument;
use crate::config::network::{NetworkSettings, StaticRoute};
use crate::config::values::{Fault, InterfaceName, quoted};
use crate::network::topology::{Family, Network};

const MOST: usize = 256;
const EXAMPLE: &str = "write a network and its prefix, for example 10.0.0.0/8";

/// What is valid of the routes, given the interfaces.
pub(super) fn routes(
    check: &mut Collector,
    documents: &[RouteDocument],
    settings: &NetworkSettings,
) -> BTreeMap<Network, StaticRoute> {
    if documents.len() > MOST {
        let problem = format!("{} routes are too many", documents.len());
        check.report("network.route", Fault::new(problem, format!("give at most {MOST}")));
    }
    let mut routes = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("network.route[{index}]");
        let destination =
            destination(check, &format!("{field}.destination"), &document.destination, settings);
        let route = route(check, &field, document, settings);
        let (Some(destination), Some(route)) = (destination, route) else { continue };
        if Family::of(destination.address) != Family::of(route.gateway) {
            let (of_route, family) = (Family::of(destination.address), Family::of(route.gateway));
            let problem =
                format!("{} is an {family} address, the destination an {of_route} network", route.gateway);
            check.report(
                format!("{field}.gateway"),
                Fault::new(problem, format!("give an {of_route} router")),
            );
        } else if routes.insert(destination, route).is_some() {
            let problem = format!("there is already a route to {destination}");
            check.report(
                format!("{field}.destination"),
                Fault::new(problem, "give one route to each network"),
            );
        }
    }
    routes
}

fn destination(
    check: &mut Collector,
    field: &str,
    text: &str,
    settings: &NetworkSettings,
) -> Option<Network> {
    let network = check.take(field, network(text))?;
    let base = Network { address: network.base(), ..network };
    let mut own = settings.interfaces.iter();
    let is_ours = |known: &Network| known.prefix == base.prefix && known.base() == base.address;
    if let Some((name, _)) = own.find(|(_, interface)| interface.addresses.iter().any(is_ours)) {
        let problem = format!("{base} is the network of {name} itself");
        check.report(field, Fault::new(problem, "remove the route, or correct the destination"));
        return None;
    }
    Some(base)
}

/// `10.0.0.0/8`: a network by its lowest address.
fn network(text: &str) -> Result<Network, Fault> {
    let parsed = text.split_once('/').and_then(|(address, prefix)| {
        let address: IpAddr = address.parse().ok()?;
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= Family::of(address).host_prefix())?;
        Some(Network { address, prefix })
    });
    let network = parsed.ok_or_else(|| Fault::new(format!("{} is not a network", quoted(text)), EXAMPLE))?;
    if network.prefix == 0 {
        let setting = if network.address.is_ipv4() { "default_gateway" } else { "default_gateway_ipv6" };
        let problem = format!("{network} is everything");
        return Err(Fault::new(problem, format!("write the router as {setting} in [network]")));
    }
    if network.base() != network.address {
        let problem = format!("{} is an address in a network", quoted(text));
        return Err(Fault::new(problem, format!("write {network}")));
    }
    // 0.0.0.0/1 and ::/1 are halves of everything, which some use in place of a default route.
    let is_wide = network.address.is_unspecified();
    if !is_wide && host_address(&network.address.to_string()).is_err() {
        return Err(Fault::new(format!("{network} cannot be routed to"), EXAMPLE));
    }
    Ok(network)
}

fn route(
    check: &mut Collector,
    field: &str,
    document: &RouteDocument,
    settings: &NetworkSettings,
) -> Option<StaticRoute> {
    let interface = match document.interface.as_deref() {
        None => None,
        Some(text) => {
            let field = format!("{field}.interface");
            let name = check.take(&field, InterfaceName::try_from(text))?;
            if !settings.interfaces.contains_key(&name) {
                let problem = format!("{name} is not listed as an interface");
                check
                    .report(field, Fault::new(problem, "name one of [[network.interface]], or leave it out"));
                return None;
            }
            Some(name)
        }
    };
    let gateway = check.take(format!("{field}.gateway"), host_address(&document.gateway))?;
    let fits = |name: &InterfaceName| interface.as_ref().is_none_or(|wanted| wanted == name);
    let near = settings.interfaces.iter().filter(|(name, _)| fits(name));
    if !leads_to(near.flat_map(|(_, interface)| &interface.addresses), gateway) {
        let place = interface.as_ref().map_or("the interfaces".to_owned(), ToString::to_string);
        let problem = format!("{gateway} lies in no network of {place}, or is an address of our own");
        let remedy = "give a router in one of these networks, or correct the addresses";
        check.report(format!("{field}.gateway"), Fault::new(problem, remedy));
        return None;
    }
    Some(StaticRoute { gateway, interface })
}
