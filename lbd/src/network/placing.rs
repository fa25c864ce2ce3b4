//! Makes the kernel's network what it should be: links, then addresses, then routes and rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures_util::TryStreamExt;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::route::RouteMessage;
use rtnetlink::IpVersion;

use super::links::{Link, Step, steps};
use super::message::{self, Names, Request};
use super::netlink::{Netlink, NetlinkError, TIMEOUT};
use super::places::{Address, Places};
use super::routes::{AnswerRule, Difference, PresentRoute, Route, difference};
use super::topology::{Family, Network, Topology};

impl Netlink {
    /// Makes links, addresses, routes and rules what they should be, as far as they can be; returns what could not. New
    /// addresses come before old ones go, so that an interface never has none. Where a link could not be made, only what
    /// is new comes: what was before holds on.
    pub async fn place(&self, desired: &Places) -> Vec<NetlinkError> {
        let mut failures: Vec<_> = self.place_links(&desired.links).await.err().into_iter().collect();
        let has_links = failures.is_empty();
        let topology = match self.topology(&BTreeSet::new()).await {
            Ok(topology) => topology,
            Err(error) => return vec![error],
        };
        let is_there = |address: &&Address| has_links || topology.interfaces.contains_key(&address.interface);
        let (wanted, current) = (Address::wanted(desired), Address::present(&topology));
        let new = wanted.difference(&current).filter(|new| !new.is_somebody_elses(&topology));
        for new in new.filter(is_there) {
            failures.extend(self.add(new, &topology).await.err());
        }
        if !has_links {
            return failures;
        }
        for gone in current.difference(&wanted) {
            failures.extend(self.remove(gone, &topology).await.err());
        }
        for family in Family::ALL {
            failures.extend(self.place_routes(family, desired, &topology).await);
        }
        failures
    }

    /// Each step builds on those before it: after one that failed, none is taken.
    async fn place_links(&self, wanted: &BTreeMap<String, Link>) -> Result<(), NetlinkError> {
        let before = self.topology(&BTreeSet::new()).await?;
        let mut indices: BTreeMap<_, _> =
            before.interfaces.iter().map(|(name, interface)| (name.clone(), interface.index)).collect();
        for step in &steps(&before.interfaces, wanted) {
            self.take(step, &before, &indices).await?;
            if let Step::Make(name, _) = step {
                // Only the kernel knows its number.
                indices.insert(name.clone(), self.index_of(name).await?);
            }
        }
        Ok(())
    }

    async fn take(
        &self,
        step: &Step,
        before: &Topology,
        indices: &BTreeMap<String, u32>,
    ) -> Result<(), NetlinkError> {
        let request = message::request(step, |name| indices.get(name).copied());
        let request = request.ok_or_else(|| NetlinkError::new(step, "there is no such interface"))?;
        let links = self.handle.link();
        let doing = doing(step, before);
        match request {
            Request::Add(message) => finish(doing, links.add(message).execute()).await,
            Request::Change(message) => finish(doing, links.change(message).execute()).await,
            Request::Set(message) => finish(doing, links.set(message).execute()).await,
            Request::Delete(index) => finish(doing, links.del(index).execute()).await,
        }
    }

    async fn index_of(&self, name: &str) -> Result<u32, NetlinkError> {
        let doing = |error: &dyn fmt::Display| NetlinkError::new(format!("looking for {name}"), error);
        let mut links = self.handle.link().get().match_name(name.to_owned()).execute();
        let found: Option<LinkMessage> = match tokio::time::timeout(TIMEOUT, links.try_next()).await {
            Ok(found) => found.map_err(|error| doing(&error))?,
            Err(late) => return Err(doing(&late)),
        };
        found.map(|link| link.header.index).ok_or_else(|| doing(&"it is not there"))
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

    /// Routes and rules of a family; rules lead nowhere before their routes are there.
    async fn place_routes(&self, family: Family, desired: &Places, topology: &Topology) -> Vec<NetlinkError> {
        let mut failures = Vec::new();
        let (messages, present) = match self.routes(family, topology).await {
            Ok(routes) => routes,
            Err(error) => return vec![error],
        };
        let is_wanted = |route: &&Route| Family::of(route.destination.address) == family;
        let wanted: BTreeSet<_> = desired.routes.iter().filter(is_wanted).cloned().collect();
        let wanted_rules: BTreeSet<_> =
            desired.rules.iter().copied().filter(|rule| rule.family == family).collect();
        let rules = match self.rules(family).await {
            Ok(rules) => rules,
            // A kernel without them has none to remove.
            Err(_) if wanted_rules.is_empty() => BTreeSet::new(),
            Err(error) => return vec![error],
        };
        for gone in rules.difference(&wanted_rules) {
            let request = self.handle.rule().del(message::new_rule(*gone));
            failures.extend(finish(format!("removing {gone}"), request.execute()).await.err());
        }
        let Difference { gone, new } = difference(&present, &wanted);
        for index in gone {
            let request = self.handle.route().del(messages[index].clone());
            failures
                .extend(finish(format!("removing {}", present[index].route), request.execute()).await.err());
        }
        for route in new {
            failures.extend(self.add_route(&route, topology).await.err());
        }
        for new in wanted_rules.difference(&rules) {
            let mut request = self.handle.rule().add();
            *request.message_mut() = message::new_rule(*new);
            failures.extend(finish(format!("adding {new}"), request.execute()).await.err());
        }
        failures
    }

    async fn add_route(&self, route: &Route, topology: &Topology) -> Result<(), NetlinkError> {
        let doing = format!("adding {route}");
        let index = |name: &str| topology.interfaces.get(name).map(|interface| interface.index);
        match message::new_route(route, index) {
            Some(message) => finish(doing, self.handle.route().add(message).execute()).await,
            None => Err(NetlinkError::new(doing, "there is no such interface")),
        }
    }

    /// Those that lbd could have set, each with the message that names it to the kernel.
    async fn routes(
        &self,
        family: Family,
        topology: &Topology,
    ) -> Result<(Vec<RouteMessage>, Vec<PresentRoute>), NetlinkError> {
        let names: Names =
            topology.interfaces.iter().map(|(name, interface)| (interface.index, name.clone())).collect();
        let listing = self.handle.route().get(message::routes_of(family)).execute().try_collect();
        let routes: Vec<_> = listed("listing routes", listing).await?;
        let known = routes.into_iter().filter_map(|route| {
            let present = message::route(&route, &names)?;
            Some((route, present))
        });
        Ok(known.unzip())
    }

    async fn rules(&self, family: Family) -> Result<BTreeSet<AnswerRule>, NetlinkError> {
        let version = match family {
            Family::Ipv4 => IpVersion::V4,
            Family::Ipv6 => IpVersion::V6,
        };
        let listing = self.handle.rule().get(version).execute().try_collect();
        let rules: Vec<_> = listed("listing rules for routes", listing).await?;
        Ok(rules.iter().filter_map(message::rule).collect())
    }
}

async fn listed<T>(
    doing: &str,
    listing: impl Future<Output = Result<Vec<T>, rtnetlink::Error>>,
) -> Result<Vec<T>, NetlinkError> {
    match tokio::time::timeout(TIMEOUT, listing).await {
        Ok(listed) => listed.map_err(|error| NetlinkError::new(doing, error)),
        Err(late) => Err(NetlinkError::new(doing, late)),
    }
}

/// What is being done, with what helps where it fails.
fn doing(step: &Step, before: &Topology) -> String {
    let largest = match step {
        Step::SetMtu(name, mtu) => before.interfaces.get(name).map(|it| it.largest_mtu).filter(|it| it < mtu),
        _ => None,
    };
    match largest {
        Some(largest) if largest > 0 => format!("{step}, though it takes {largest} at most"),
        _ => step.to_string(),
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
