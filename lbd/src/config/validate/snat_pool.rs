//! Rules of the pool of SNAT addresses of a virtual service.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::services::Services;
use super::{Collector, host_address};
use crate::config::values::{Fault, quoted};
use crate::config::{Label, Management, NetworkSettings};
use crate::network::topology::Family;

/// Four million ports towards each port of a server: more than the kernel's table of connections holds.
const MOST_ADDRESSES: usize = 64;

/// The addresses of a pool that is valid by itself.
pub(super) fn snat_pool(
    check: &mut Collector,
    field: &str,
    texts: &[String],
    virtual_addresses: &[IpAddr],
) -> Option<Vec<IpAddr>> {
    let field = format!("{field}.snat_pool");
    let mut pool = Vec::new();
    let mut all_right = true;
    for (index, text) in texts.iter().enumerate() {
        let part = range(text).and_then(|part| added(&pool, part, virtual_addresses));
        match check.take(format!("{field}[{index}]"), part) {
            Some(part) => pool.extend(part),
            None => all_right = false,
        }
    }
    all_right.then_some(pool)
}

fn range(text: &str) -> Result<Vec<IpAddr>, Fault> {
    let Some((first, last)) = text.split_once('-') else { return Ok(vec![host_address(text.trim())?]) };
    let (first, last) = (host_address(first.trim())?, host_address(last.trim())?);
    let example = "write the lower address first, for example 192.168.10.120-192.168.10.127";
    let count = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => i128::from(last.to_bits()) - i128::from(first.to_bits()),
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            // Without overflow: addresses differ by less than 2^127 where they lie in one network.
            last.to_bits().wrapping_sub(first.to_bits()).cast_signed()
        }
        _ => return Err(Fault::new(format!("{} mixes IPv4 and IPv6", quoted(text)), example)),
    };
    if count < 0 {
        return Err(Fault::new(format!("{} runs backwards", quoted(text)), example));
    }
    let steps = usize::try_from(count).ok().filter(|steps| *steps < MOST_ADDRESSES);
    let steps = steps.ok_or_else(|| too_many(&format!("{} has", quoted(text))))?;
    Ok((0..=steps).filter_map(|step| nth_after(first, step)).collect())
}

fn nth_after(first: IpAddr, step: usize) -> Option<IpAddr> {
    Some(match first {
        IpAddr::V4(first) => Ipv4Addr::from_bits(first.to_bits().checked_add(step.try_into().ok()?)?).into(),
        IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits().checked_add(step.try_into().ok()?)?).into(),
    })
}

fn too_many(what: &str) -> Fault {
    Fault::new(
        format!("{what} more than {MOST_ADDRESSES} addresses"),
        format!(
            "give at most {MOST_ADDRESSES} addresses; each has 64,512 ports towards each port of a server"
        ),
    )
}

fn added(pool: &[IpAddr], part: Vec<IpAddr>, virtual_addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Fault> {
    if pool.len() + part.len() > MOST_ADDRESSES {
        return Err(too_many("the pool has"));
    }
    for address in &part {
        let family = Family::of(*address);
        if pool.contains(address) {
            return Err(Fault::new(format!("{address} is named twice"), "name each address once"));
        }
        if !virtual_addresses.iter().any(|known| Family::of(*known) == family) {
            return Err(Fault::new(
                format!("{address} is an {family} address, and the service has none"),
                format!("add an {family} address to the service, or remove this one"),
            ));
        }
    }
    Ok(part)
}

/// Nobody else may have an address of a pool, but for the service itself and other pools.
pub(super) fn pools_do_not_collide(
    check: &mut Collector,
    management: &Management,
    network: Option<&NetworkSettings>,
    services: &Services,
) {
    let owners = owners(management, network, services);
    for (index, service) in services {
        for address in service.snat_pool.iter().filter(|address| !service.addresses.contains(address)) {
            let Some(owner) = owners.get(address) else { continue };
            let fault = Fault::new(format!("{address} is {owner}"), "give addresses that nobody else has");
            check.report(format!("virtual_service[{index}].snat_pool"), fault);
        }
    }
}

fn owners(
    management: &Management,
    network: Option<&NetworkSettings>,
    services: &Services,
) -> BTreeMap<IpAddr, String> {
    let mut owners = BTreeMap::new();
    for service in services.values() {
        let server = |label: &Label| format!("the real server {label} of {}", service.label);
        owners.extend(
            service.addresses.iter().map(|it| (*it, format!("the virtual address of {}", service.label))),
        );
        owners.extend(service.servers.iter().map(|it| (it.address, server(&it.label))));
        let fallback = service.fallback_server.iter();
        owners.extend(fallback.map(|it| (it.address, format!("the fallback server of {}", service.label))));
    }
    for (name, interface) in network.into_iter().flat_map(|network| &network.interfaces) {
        owners.extend(interface.addresses.iter().map(|it| (it.address, format!("the address of {name}"))));
    }
    owners.insert(management.address.into(), "the management address of the appliance".to_owned());
    owners
}
