//! What must stand in the kernel: a pure function of configuration, health and network.

mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{Config, RealServer, SnatSource, VirtualService};
use crate::network::places::Places;
use crate::network::topology::{Egress, Family, Network, Topology, VirtualAddress};
use crate::proxy::{Services, service as proxy};
use crate::traffic::numbering::{Mark, Numbering};
use crate::traffic::openings::openings;
use crate::traffic::ruleset::{self, Ruleset};
use crate::traffic::sysctl;
use crate::traffic::table::Parts;

/// Everything that the plan depends on.
pub struct Inputs<'a> {
    /// What is wanted.
    pub config: &'a Config,
    /// The kernel's numbers for it.
    pub numbering: &'a Numbering,
    /// What the network is like.
    pub topology: &'a Topology,
    /// Whether this server of this service takes new connections, unless it is full.
    pub in_service: &'a dyn Fn(&VirtualService, &RealServer) -> bool,
    /// Whether it has as many as it may.
    pub is_full: &'a dyn Fn(&VirtualService, &RealServer) -> bool,
    /// Its share of new clients, in relation to the others' of its service and family.
    pub share: &'a dyn Fn(&VirtualService, &RealServer) -> u32,
    /// Whether the kernel offers flowtables.
    pub fast_path: bool,
}

/// What must stand in the kernel, comparable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// The packet filter's table.
    pub table: Parts,
    /// What lbd forwards itself.
    pub proxied: Services,
    /// Addresses and routes.
    pub places: Places,
    /// Values below `/proc/sys/net`.
    pub settings: BTreeMap<String, &'static str>,
}

/// The plan, and what people want to know about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// For the kernel.
    pub desired: Arc<Desired>,
    /// For people; in the order of the configuration.
    pub services: Vec<ServicePlan>,
}

/// Where a service lives and how its servers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlan {
    /// The interface of each virtual address, or why it has none; in the order of the configuration.
    pub interfaces: Vec<Result<String, String>>,
    /// In the order of the configuration.
    pub servers: Vec<Source>,
    /// Of the fallback server, where there is one.
    pub fallback_server: Option<Source>,
    /// Where the addresses of the SNAT pool live.
    pub pool: BTreeSet<VirtualAddress>,
    /// Addresses of the pool that live nowhere.
    pub homeless: Vec<IpAddr>,
}

/// The source address that a server sees, and why that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `None` while there is no route to the server; the first one of a pool.
    pub address: Option<IpAddr>,
    /// All that it may be, where there is a pool of them.
    pub pool: Vec<IpAddr>,
    /// In words.
    pub reason: String,
}

impl Source {
    /// Without a pool.
    fn one(address: Option<IpAddr>, reason: String) -> Self {
        Self { address, pool: Vec::new(), reason }
    }
}

/// Decides everything.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let services: Vec<_> = inputs.config.services.iter().map(|service| place(inputs, service)).collect();
    let pairs = || inputs.config.services.iter().zip(&services).filter(|(service, _)| service.enabled);
    let addresses = pairs().flat_map(|(service, plan)| {
        let places = service.addresses.iter().zip(&plan.interfaces);
        let places = places.filter_map(|(address, interface)| {
            Some(VirtualAddress { address: *address, interface: interface.clone().ok()? })
        });
        places.chain(plan.pool.iter().cloned())
    });
    let known = pairs().filter_map(|(service, plan)| Some((service, plan, rules(inputs, service, plan)?)));
    let known: Vec<_> = known.collect();
    let proxied = known.iter().filter(|(service, ..)| service.is_proxied());
    let proxied = proxied.map(|(service, plan, rules)| proxy_service(inputs, service, plan, rules));
    let proxied = proxied.map(|service| (service.mark, Arc::new(service))).collect();
    let places = network::places(inputs, addresses.collect());
    let rules = Ruleset {
        answers: network::answers(inputs, &places),
        openings: openings(inputs.config),
        fallback_page_port: inputs.config.layer4.fallback_page_port,
        services: known.into_iter().map(|(.., rules)| rules).collect(),
        numbering: inputs.numbering,
        fast_path: fast_path(inputs, &services),
    };
    let interfaces = inputs.topology.interfaces.keys().map(String::as_str);
    let desired =
        Desired { table: ruleset::table(&rules), proxied, places, settings: sysctl::settings(interfaces) };
    Plan { desired: desired.into(), services }
}

fn place(inputs: &Inputs<'_>, service: &VirtualService) -> ServicePlan {
    let interfaces: Vec<_> =
        service.addresses.iter().map(|address| interface(inputs.topology, service, *address)).collect();
    let homes: Vec<_> = service.addresses.iter().copied().zip(&interfaces).collect();
    let (pool, homeless) = pool(inputs.topology, service, &homes);
    let source = |address| {
        from_pool(inputs.topology, &pool, address)
            .unwrap_or_else(|| source(inputs.topology, service, address, &homes))
    };
    let servers = service.servers.iter().map(|server| source(server.address)).collect();
    let fallback_server = service.fallback_server.map(|server| source(server.address));
    ServicePlan { interfaces, servers, fallback_server, pool, homeless }
}

/// Where the addresses of the SNAT pool live: in their networks, or where the service's own address lives already.
fn pool(
    topology: &Topology,
    service: &VirtualService,
    homes: &[(IpAddr, &Result<String, String>)],
) -> (BTreeSet<VirtualAddress>, Vec<IpAddr>) {
    let (mut pool, mut homeless) = (BTreeSet::new(), Vec::new());
    for address in service.snat_pool.iter().copied() {
        let of_service = homes.iter().find(|(known, _)| *known == address);
        let home = match of_service {
            Some((_, home)) => home.as_ref().ok().map(String::as_str),
            None => topology.interface_for(address),
        };
        match home {
            Some(interface) => _ = pool.insert(VirtualAddress { address, interface: interface.to_owned() }),
            None => homeless.push(address),
        }
    }
    (pool, homeless)
}

/// The pool is for servers on the network where it lives: replies to it find their way from there.
fn from_pool(topology: &Topology, pool: &BTreeSet<VirtualAddress>, server: IpAddr) -> Option<Source> {
    let Egress { interface, .. } = topology.routes.get(&server)?;
    let fits = |place: &&VirtualAddress| {
        place.interface == *interface && Family::of(place.address) == Family::of(server)
    };
    let pool: Vec<_> = pool.iter().filter(fits).map(|place| place.address).collect();
    let (first, last) = (*pool.first()?, *pool.last()?);
    let reason = match pool.len() {
        1 => format!("the address of the SNAT pool on {interface}"),
        many => {
            format!(
                "one of the {many} addresses of the SNAT pool ({first} to {last}), by the client's address"
            )
        }
    };
    Some(Source { address: Some(first), pool, reason })
}

fn interface(topology: &Topology, service: &VirtualService, address: IpAddr) -> Result<String, String> {
    match &service.interface {
        Some(name) if topology.interfaces.contains_key(name.as_str()) => Ok(name.to_string()),
        Some(name) => Err(format!("{address} is not reachable: there is no interface {name}")),
        None => topology.interface_for(address).map(str::to_owned).ok_or_else(|| {
            format!(
                "{address} is not reachable: it lies in no network of this appliance; name the interface that it \
                 belongs to, or give an interface an address in its network"
            )
        }),
    }
}

/// The rule of `auto`: replies to the virtual address find their way back where it lives on the interface towards
/// the server and in its network; else nobody there would answer for it, or they would leave by another way.
fn source(
    topology: &Topology,
    service: &VirtualService,
    server: IpAddr,
    homes: &[(IpAddr, &Result<String, String>)],
) -> Source {
    let Some(Egress { interface: name, source }) = topology.routes.get(&server) else {
        return Source::one(None, format!("there is no route to {server}"));
    };
    let configured = match service.snat_source {
        SnatSource::VirtualAddress => service.addresses_of(Family::of(server)).next(),
        SnatSource::Interface => {
            return Source::one(Some(*source), format!("the address of {name}, as configured"));
        }
        SnatSource::Auto => None,
    };
    if let Some(address) = configured {
        return Source::one(Some(address), "the virtual address, as configured".to_owned());
    }
    let network = |address| topology.interfaces.get(name).and_then(|it| it.network_of(address));
    let homes = homes.iter().filter(|(address, _)| Family::of(*address) == Family::of(server));
    let near = homes.filter_map(|(address, home)| Some((*address, *home, network(*address)?)));
    let lives_there = |home: &Result<String, String>| home.as_ref() == Ok(name);
    let (address, reason) = match near.clone().find(|(_, home, _)| lives_there(home)) {
        Some((address, _, network)) => {
            (address, format!("the virtual address: it lies in {name}'s network {network}"))
        }
        None if near.count() > 0 => {
            (*source, format!("the address of {name}: the virtual address lives on another interface"))
        }
        None => {
            let why = "the virtual address does not lie in the network of";
            (*source, format!("the address of {name}: {why} {name}"))
        }
    };
    Source::one(Some(address), reason)
}

fn rules<'a>(
    inputs: &Inputs<'a>,
    service: &'a VirtualService,
    plan: &ServicePlan,
) -> Option<ruleset::Service<'a>> {
    // Clients that knew one that takes no new connections find another server too.
    let usable = service
        .servers
        .iter()
        .zip(&plan.servers)
        .filter(|(server, _)| server.takes_new() && (inputs.in_service)(service, server));
    let (full, taking): (Vec<_>, Vec<_>) = usable.partition(|(server, _)| (inputs.is_full)(service, server));
    let in_service = taking.into_iter().filter_map(|(server, source)| {
        Some(ruleset::Server {
            mark: inputs.numbering.server(&service.label, &server.label)?,
            address: server.address,
            port: server.port,
            share: (inputs.share)(service, server),
            source: source.address,
        })
    });
    let full = full.iter().filter_map(|(server, _)| inputs.numbering.server(&service.label, &server.label));
    Some(ruleset::Service {
        mark: inputs.numbering.service(&service.label)?,
        is_proxied: service.is_proxied(),
        addresses: &service.addresses,
        ports: &service.ports,
        protocol: service.protocol,
        scheduler: service.scheduler,
        idle_timeout: service.idle_timeout,
        persistence: service.persistence,
        sticky_prefixes: service.sticky_prefixes,
        pool: plan.pool.clone(),
        pins: pins(inputs, service),
        fallback: service.fallback,
        fallback_page_port: inputs.config.layer4.fallback_page_port,
        servers: in_service.collect(),
        fallback_server: fallback_server(inputs, service, plan),
        full: full.collect(),
    })
}

/// What the proxy needs of what the kernel would have got.
fn proxy_service(
    inputs: &Inputs<'_>,
    service: &VirtualService,
    plan: &ServicePlan,
    rules: &ruleset::Service<'_>,
) -> proxy::Service {
    let known = service.servers.iter().zip(&plan.servers).filter_map(|(server, source)| {
        Some((inputs.numbering.server(&service.label, &server.label)?, (server.limit, source)))
    });
    let known: BTreeMap<_, _> = known.collect();
    let server = |server: &ruleset::Server| {
        let known = known.get(&server.mark);
        let source = known.map(|(_, source)| *source).or(plan.fallback_server.as_ref());
        let pool = source.map(|source| source.pool.clone()).unwrap_or_default();
        proxy::Server {
            mark: server.mark.get(),
            address: server.address,
            port: server.port,
            share: server.share,
            full_at: known.and_then(|(limit, _)| *limit).map(|limit| limit.full_at),
            sources: if pool.is_empty() { server.source.into_iter().collect() } else { pool },
        }
    };
    let places = service.addresses.iter();
    let places = places.flat_map(|address| service.ports.iter().map(|port| (*address, port).into()));
    proxy::Service {
        mark: rules.mark.get(),
        places: places.collect(),
        scheduler: service.scheduler,
        persistence: service.persistence,
        sticky_prefixes: service.sticky_prefixes,
        pins: rules.pins.iter().map(|(client, mark)| (*client, mark.get())).collect(),
        fallback: service.fallback,
        idle_timeout: service.idle_timeout,
        servers: rules.servers.iter().map(server).collect(),
        fallback_server: rules.fallback_server.as_ref().map(server),
    }
}

fn fallback_server(
    inputs: &Inputs<'_>,
    service: &VirtualService,
    plan: &ServicePlan,
) -> Option<ruleset::Server> {
    let server = service.fallback_server?;
    Some(ruleset::Server {
        mark: inputs.numbering.fallback(&service.label)?,
        address: server.address,
        port: server.port,
        share: 0,
        source: plan.fallback_server.as_ref()?.address,
    })
}

fn pins(inputs: &Inputs<'_>, service: &VirtualService) -> BTreeMap<Network, Mark> {
    let mark = |server| inputs.numbering.server(&service.label, server);
    service.pins.iter().filter_map(|(client, server)| Some((*client, mark(server)?))).collect()
}

/// Decides anew what depends on the verdicts, counts and shares of the servers of these services; of nothing else may
/// there be news since `plan` was made.
pub fn renew(inputs: &Inputs<'_>, plan: &mut Plan, services: &BTreeSet<Mark>) {
    let Desired { table, proxied, .. } = Arc::make_mut(&mut plan.desired);
    for (service, place) in inputs.config.services.iter().zip(&plan.services).filter(|(it, _)| it.enabled) {
        let is_wanted = inputs.numbering.service(&service.label).is_some_and(|mark| services.contains(&mark));
        let Some(rules) = is_wanted.then(|| rules(inputs, service, place)).flatten() else { continue };
        table.services.insert(rules.mark, ruleset::part(&rules).into());
        if service.is_proxied() {
            let renewed = proxy_service(inputs, service, place, &rules);
            proxied.insert(renewed.mark, renewed.into());
        }
    }
}

/// The interfaces of the flowtable. nft takes none without one: at the first boot no interface has an address yet.
fn fast_path(inputs: &Inputs<'_>, services: &[ServicePlan]) -> Option<BTreeSet<String>> {
    let interfaces = inputs.fast_path.then(|| interfaces_in_use(inputs, services))?;
    Some(interfaces).filter(|interfaces| !interfaces.is_empty())
}

/// The flowtable watches where clients come in and where servers are reached.
fn interfaces_in_use(inputs: &Inputs<'_>, services: &[ServicePlan]) -> BTreeSet<String> {
    let inward = services.iter().flat_map(|service| service.interfaces.iter().flatten().cloned());
    let servers = inputs.config.services.iter().flat_map(VirtualService::destinations);
    let outward = servers.filter_map(|server| inputs.topology.routes.get(&server));
    inward.chain(outward.map(|egress| egress.interface.clone())).collect()
}

#[cfg(test)]
mod tests;
