//! What was typed, on the spot: a value, or what is wrong with it and what to type instead.

use std::net::Ipv4Addr;

use super::answers::BOND;
use super::{Answers, Wizard};
use crate::config::values::{Fault, quoted};
use crate::config::{Document, ipv4_address};
use crate::network::topology::Network;
use crate::zero_touch::management_address;

/// Asked one after the other; more only make a failing name slower.
const MOST_DNS_SERVERS: usize = 8;
/// IEEE 802.1Q: 0 and 4095 are reserved.
const VLAN_IDS: std::ops::RangeInclusive<u16> = 1..=4094;
/// What is typed for no value at all.
const NONE: &str = "none";

/// The kernel's modes of a bond (Documentation/networking/bonding.rst), the usual one first.
pub(super) const MODES: [&str; 7] =
    ["active-backup", "802.3ad", "balance-rr", "balance-xor", "broadcast", "balance-tlb", "balance-alb"];

pub(super) fn yes_or_no(line: &str, default: bool) -> Result<bool, Fault> {
    match line.to_ascii_lowercase().as_str() {
        "" => Ok(default),
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err(Fault::new(format!("{} is neither yes nor no", quoted(line)), "type yes or no")),
    }
}

/// By number or name among these.
fn choice(line: &str, names: &[String]) -> Option<String> {
    let by_number = || line.parse::<usize>().ok()?.checked_sub(1).and_then(|index| names.get(index));
    names.iter().find(|name| name.eq_ignore_ascii_case(line)).or_else(by_number).cloned()
}

/// Two adapters or more, each once.
pub(super) fn members(line: &str, wizard: &Wizard) -> Result<Vec<String>, Fault> {
    let adapters = wizard.adapters.iter().map(|adapter| adapter.name.clone());
    // Neither a bond nor a VLAN that are there already.
    let names: Vec<_> = adapters.filter(|name| name != BOND && !name.contains('.')).collect();
    let typed = &wizard.answers.bond.members;
    let mut members = if line.is_empty() { typed.clone() } else { Vec::new() };
    for word in words(line) {
        let name = choice(word, &names).ok_or_else(|| no_adapter(word, &names))?;
        if !members.contains(&name) {
            members.push(name);
        }
    }
    match members.len() {
        0 | 1 => Err(Fault::new("a bond needs two adapters or more", format!("type {}", names.join(" ")))),
        _ => Ok(members),
    }
}

fn no_adapter(word: &str, names: &[String]) -> Fault {
    Fault::new(format!("there is no adapter {}", quoted(word)), format!("type one of {}", names.join(", ")))
}

pub(super) fn mode(line: &str, default: &str) -> Result<String, Fault> {
    if line.is_empty() {
        return Ok(default.to_owned());
    }
    choice(line, &MODES.map(str::to_owned)).ok_or_else(|| {
        Fault::new(
            format!("{} is no mode of a bond", quoted(line)),
            format!("type one of {}", MODES.join(", ")),
        )
    })
}

pub(super) fn vlan_id(line: &str, default: Option<u16>) -> Result<Option<u16>, Fault> {
    let id = if line.is_empty() { default } else { line.parse().ok() };
    id.filter(|id| VLAN_IDS.contains(id)).map(Some).ok_or_else(|| {
        Fault::new(
            format!("{} is no VLAN id", quoted(line)),
            "type a number from 1 to 4094, as your switch has it",
        )
    })
}

/// What the management may use: the bond, or adapters that are in none.
pub(super) fn interfaces(wizard: &Wizard) -> Vec<String> {
    let Answers { has_bond, bond, has_vlan, vlan, .. } = &wizard.answers;
    let adapters = wizard.adapters.iter().map(|adapter| adapter.name.clone());
    let free = adapters.filter(|name| !has_bond || !bond.members.contains(name));
    let bond = has_bond.then(|| BOND.to_owned());
    let links = bond.into_iter().chain(free.filter(|name| !has_bond || name != BOND));
    match vlan.id.filter(|_| *has_vlan) {
        None => links.collect(),
        Some(id) => links.map(|link| format!("{link}.{id}")).collect(),
    }
}

pub(super) fn interface(line: &str, wizard: &Wizard) -> Result<String, Fault> {
    let names = interfaces(wizard);
    let line = if line.is_empty() { default_interface(wizard) } else { line.to_owned() };
    choice(&line, &names).ok_or_else(|| no_adapter(&line, &names))
}

/// What was chosen before where it can still be chosen, else the first.
pub(super) fn default_interface(wizard: &Wizard) -> String {
    let names = interfaces(wizard);
    let chosen = &wizard.answers.interface;
    if names.contains(chosen) { chosen.clone() } else { names.first().cloned().unwrap_or_default() }
}

/// Address and prefix, with a slash or a blank between them.
pub(super) fn address(line: &str, answers: &Answers, present: &Document) -> Result<Network, Fault> {
    if line.is_empty() {
        let typed = answers.address;
        return typed.ok_or_else(|| Fault::new("nothing was typed", "type for example 192.168.2.21/24"));
    }
    let parts: Vec<_> =
        line.split(|c: char| c == '/' || c.is_whitespace()).filter(|part| !part.is_empty()).collect();
    let network = management_address(&parts.join("/"))?;
    let text = network.address.to_string();
    let service = present.virtual_service.iter().find(|service| service.addresses.contains(&text));
    match service {
        None => Ok(network),
        Some(service) => Err(Fault::new(
            format!("{text} is the address of the virtual service {}", quoted(&service.label)),
            "give another one",
        )),
    }
}

pub(super) fn gateway(line: &str, answers: &Answers) -> Result<Option<Ipv4Addr>, Fault> {
    if line.is_empty() {
        return Ok(default_gateway(answers));
    }
    if line.eq_ignore_ascii_case(NONE) {
        return Ok(None);
    }
    let gateway = ipv4_address(line)?;
    let Some(network) = answers.address else { return Ok(Some(gateway)) };
    if network.address == gateway {
        let problem = format!("{gateway} is the appliance's own address");
        return Err(Fault::new(problem, "give the router's address"));
    }
    if !network.contains(gateway.into()) {
        let problem = format!("{gateway} is not in the network {network} of the appliance's address");
        return Err(Fault::new(
            problem,
            "give a router in this network, or go back with b and correct the address",
        ));
    }
    Ok(Some(gateway))
}

/// What was typed before where it is still near.
pub(super) fn default_gateway(answers: &Answers) -> Option<Ipv4Addr> {
    let near = |gateway: &Ipv4Addr| {
        let gateway = (*gateway).into();
        answers.address.is_none_or(|network| network.contains(gateway) && network.address != gateway)
    };
    answers.gateway.filter(near)
}

pub(super) fn dns(line: &str, default: &[Ipv4Addr]) -> Result<Vec<Ipv4Addr>, Fault> {
    if line.is_empty() {
        return Ok(default.to_vec());
    }
    if line.eq_ignore_ascii_case(NONE) {
        return Ok(Vec::new());
    }
    let mut servers = Vec::new();
    for word in words(line) {
        let server = ipv4_address(word)?;
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    if servers.len() > MOST_DNS_SERVERS {
        let problem = format!("{} DNS servers are too many", servers.len());
        return Err(Fault::new(problem, format!("give at most {MOST_DNS_SERVERS}")));
    }
    Ok(servers)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace()).filter(|word| !word.is_empty())
}
