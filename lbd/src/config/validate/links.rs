//! Rules of bonds and VLANs. Bonds are made of adapters, VLANs lie on adapters or bonds: so there are no circles.

use std::collections::BTreeMap;

use super::Collector;
use crate::config::document::{BondDocument, NetworkDocument, VlanDocument};
use crate::config::network::{Bond, BondMode, InterfaceSettings, NetworkSettings, Vlan};
use crate::config::values::{Fault, InterfaceName, quoted};

const MOST_BONDS: usize = 16;
const MOST_MEMBERS: usize = 8;
const MOST_VLANS: usize = 256;
/// What an interface has where nothing is given.
const USUAL_MTU: u32 = 1500;

/// Adds what is valid to `settings`, which has the interfaces already.
pub(super) fn links(check: &mut Collector, document: &NetworkDocument, settings: &mut NetworkSettings) {
    few(check, "network.bond", document.bond.len(), MOST_BONDS);
    few(check, "network.vlan", document.vlan.len(), MOST_VLANS);
    for (index, bond) in document.bond.iter().enumerate() {
        let field = format!("network.bond[{index}]");
        let name = made_name(check, &field, &bond.name, "bond0", settings);
        let bond = self::bond(check, &field, bond, document, settings);
        settings.bonds.extend(name.zip(bond));
    }
    for (index, vlan) in document.vlan.iter().enumerate() {
        let field = format!("network.vlan[{index}]");
        let name = made_name(check, &field, &vlan.name, "eth0.100", settings);
        let vlan = self::vlan(check, &field, vlan, document, settings);
        settings.vlans.extend(name.zip(vlan));
    }
    members_have_nothing_of_their_own(check, document, settings);
    vlans_fit_into_their_links(check, document, settings);
}

fn few(check: &mut Collector, field: &str, count: usize, most: usize) {
    if count > most {
        check.report(field, Fault::new(format!("{count} are too many"), format!("give at most {most}")));
    }
}

/// `eth` and digits: what the appliance calls its adapters.
fn is_adapter_name(name: &str) -> bool {
    name.strip_prefix("eth").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
}

/// The name of something that lbd makes.
fn made_name(
    check: &mut Collector,
    field: &str,
    text: &str,
    example: &str,
    settings: &NetworkSettings,
) -> Option<InterfaceName> {
    let field = format!("{field}.name");
    let name = check.take(&field, InterfaceName::try_from(text))?;
    // The kernel has settings of these names that mean every interface.
    let is_reserved = is_adapter_name(text) || ["lo", "all", "default"].contains(&text);
    if is_reserved {
        let problem = format!("{} is the name of something else", quoted(text));
        check.report(field, Fault::new(problem, format!("give a name of its own, for example {example}")));
        return None;
    }
    if settings.bonds.contains_key(&name) || settings.vlans.contains_key(&name) {
        let problem = format!("there is already a bond or VLAN of the name {}", quoted(text));
        check.report(field, Fault::new(problem, "give each a name of its own"));
        return None;
    }
    Some(name)
}

fn bond(
    check: &mut Collector,
    field: &str,
    document: &BondDocument,
    network: &NetworkDocument,
    settings: &NetworkSettings,
) -> Option<Bond> {
    const MIIMON_MILLISECONDS: i64 = 100;
    let mode = check.take(format!("{field}.mode"), mode(&document.mode));
    let range = 10..=10_000;
    let miimon = format!("{field}.miimon_milliseconds");
    let miimon = check.number(miimon, document.miimon_milliseconds, MIIMON_MILLISECONDS, range);
    let fast_lacp = check.take(format!("{field}.lacp_rate"), fast_lacp(document, mode));
    let mut members = std::collections::BTreeSet::new();
    if !(1..=MOST_MEMBERS).contains(&document.members.len()) {
        let problem = format!("a bond has 1 to {MOST_MEMBERS} members, not {}", document.members.len());
        check.report(
            format!("{field}.members"),
            Fault::new(problem, "name its adapters, for example eth0 and eth1"),
        );
    }
    for (position, text) in document.members.iter().enumerate() {
        let field = format!("{field}.members[{position}]");
        let Some(name) = check.take(&field, InterfaceName::try_from(text.as_str())) else { continue };
        let fault = if !is_adapter(text, network) {
            let problem = format!("{} is no adapter", quoted(text));
            Some(Fault::new(problem, "name adapters, for example eth0 and eth1"))
        } else if let Some(other) = settings.bond_of(&name) {
            let problem = format!("{} belongs to {other} already", quoted(text));
            Some(Fault::new(problem, "name each adapter in one bond only"))
        } else if !members.insert(name) {
            Some(Fault::new(format!("{} is named twice", quoted(text)), "name each adapter once"))
        } else {
            None
        };
        if let Some(fault) = fault {
            check.report(field, fault);
        }
    }
    let miimon_milliseconds = u32::try_from(miimon?).ok()?;
    Some(Bond { mode: mode?, members, miimon_milliseconds, fast_lacp: fast_lacp? })
}

fn mode(text: &str) -> Result<BondMode, Fault> {
    BondMode::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
        let names: Vec<_> = BondMode::ALL.iter().map(|mode| format!("\"{mode}\"")).collect();
        Fault::new(format!("{} is no mode of a bond", quoted(text)), format!("give {}", names.join(", ")))
    })
}

fn fast_lacp(document: &BondDocument, mode: Option<BondMode>) -> Result<bool, Fault> {
    let Some(rate) = document.lacp_rate.as_deref() else { return Ok(false) };
    if mode.is_some_and(|mode| mode != BondMode::Lacp) {
        let problem = format!("the mode {} knows no LACP", quoted(&document.mode));
        return Err(Fault::new(problem, "remove it, or write mode = \"802.3ad\""));
    }
    match rate {
        "slow" => Ok(false),
        "fast" => Ok(true),
        _ => Err(Fault::new(format!("{} is no rate", quoted(rate)), "give \"slow\" or \"fast\"")),
    }
}

/// What is neither a bond nor a VLAN, and is called as adapters are or listed as an interface.
fn is_adapter(name: &str, network: &NetworkDocument) -> bool {
    let is_made = network.bond.iter().any(|bond| bond.name == name)
        || network.vlan.iter().any(|vlan| vlan.name == name);
    !is_made && (is_adapter_name(name) || network.interface.iter().any(|interface| interface.name == name))
}

fn vlan(
    check: &mut Collector,
    field: &str,
    document: &VlanDocument,
    network: &NetworkDocument,
    settings: &NetworkSettings,
) -> Option<Vlan> {
    const EXAMPLE: i64 = 100;
    let id = check.number(format!("{field}.id"), Some(document.id), EXAMPLE, 1..=4094);
    let of_link = format!("{field}.link");
    let link = check.take(&of_link, InterfaceName::try_from(document.link.as_str()))?;
    let is_bond = network.bond.iter().any(|bond| bond.name == document.link);
    if !is_bond && !is_adapter(&document.link, network) {
        let problem = format!("{} is neither an adapter nor a bond", quoted(&document.link));
        check.report(of_link, Fault::new(problem, "name an adapter such as eth0, or a bond that is listed"));
        return None;
    }
    if let Some(bond) = settings.bond_of(&link) {
        let problem = format!("{} is a member of {bond}", quoted(&document.link));
        check.report(of_link, Fault::new(problem, format!("write link = \"{bond}\"")));
        return None;
    }
    let id = u16::try_from(id?).ok()?;
    if let Some((other, _)) = settings.vlans.iter().find(|(_, vlan)| vlan.link == link && vlan.id == id) {
        let problem = format!("{other} is VLAN {id} of {link} already");
        check
            .report(format!("{field}.id"), Fault::new(problem, "give another number, or remove one of them"));
        return None;
    }
    Some(Vlan { link, id })
}

fn members_have_nothing_of_their_own(
    check: &mut Collector,
    document: &NetworkDocument,
    settings: &NetworkSettings,
) {
    for (index, interface) in document.interface.iter().enumerate() {
        let Ok(name) = InterfaceName::try_from(interface.name.as_str()) else { continue };
        let Some(bond) = settings.bond_of(&name) else { continue };
        if settings.interfaces.get(&name).is_some_and(|known| *known != InterfaceSettings::default()) {
            let problem =
                format!("{name} is a member of {bond}, which has addresses, MTU and gateway for it");
            let fault = Fault::new(problem, format!("write them for {bond}, and remove this entry"));
            check.report(format!("network.interface[{index}].name"), fault);
        }
    }
}

fn vlans_fit_into_their_links(check: &mut Collector, document: &NetworkDocument, settings: &NetworkSettings) {
    let mtu = |name: &InterfaceName| {
        settings.interfaces.get(name).and_then(|interface| interface.mtu).unwrap_or(USUAL_MTU)
    };
    let places: BTreeMap<_, _> =
        document.interface.iter().enumerate().map(|(index, it)| (it.name.as_str(), index)).collect();
    for (name, vlan) in &settings.vlans {
        let (of_vlan, of_link) = (mtu(name), mtu(&vlan.link));
        if of_vlan <= of_link {
            continue;
        }
        // Where it has no entry, the one of its link is to blame.
        let place = places.get(name.as_str()).or_else(|| places.get(vlan.link.as_str()));
        let problem = format!("the MTU of {name}, {of_vlan}, is more than the {of_link} of {}", vlan.link);
        let remedy = format!("give {name} at most {of_link}, or {} at least {of_vlan}", vlan.link);
        let index = place.copied().unwrap_or_default();
        check.report(format!("network.interface[{index}].mtu"), Fault::new(problem, remedy));
    }
}
