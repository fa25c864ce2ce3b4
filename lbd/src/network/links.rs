//! Links: bonds, VLANs, MTUs, what is switched on. What must be done to make the kernel have what is wanted, in an order
//! that the kernel accepts. Pure.
//!
//! What is not wanted goes first, VLANs before what they lie on; then bonds come and take their members, which must be
//! switched off for that; VLANs, which need what they lie on; MTUs, of the lower link first; at last all are switched on.

use std::collections::BTreeMap;
use std::fmt;

use super::topology::{Bonding, Interface, LinkKind, Owner};

/// What an interface has where nobody says otherwise, in bytes.
pub const USUAL_MTU: u32 = 1500;

/// A link that lbd looks after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// What it is made of; an adapter is there by itself.
    pub kind: LinkKind,
    /// Bytes; `None`: what is usual, or less where the adapter can do no more.
    pub mtu: Option<u32>,
    /// The bond to which it belongs, which then has MTU and addresses.
    pub bond: Option<String>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A bond or VLAN of lbd's goes.
    Remove(String),
    /// A member leaves its bond.
    Release(String),
    /// A bond or VLAN comes, marked as lbd's and switched off.
    Make(String, LinkKind),
    /// How often a bond looks at its members.
    Watch(String, u32),
    /// For what the kernel does to interfaces that are off only.
    SwitchOff(String),
    /// An adapter becomes a member; the kernel switches it on.
    Enslave {
        /// The adapter.
        member: String,
        /// Its bond.
        bond: String,
    },
    /// In bytes.
    SetMtu(String, u32),
    /// Marks it as lbd's affair, or not any more.
    Mark(String, Owner),
    /// It may carry packets.
    SwitchOn(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(name) => write!(f, "removing {name}"),
            Self::Release(name) => write!(f, "taking {name} out of its bond"),
            Self::Make(name, LinkKind::Bond(bonding)) => {
                write!(f, "making the bond {name} ({})", bonding.mode)
            }
            Self::Make(name, LinkKind::Vlan { link, id }) => {
                write!(f, "making {name}, VLAN {id} on {link}")
            }
            Self::Make(name, LinkKind::Adapter) => write!(f, "making {name}"),
            Self::Watch(name, milliseconds) => {
                write!(f, "letting {name} look at its members every {milliseconds} ms")
            }
            Self::SwitchOff(name) => write!(f, "switching off {name}"),
            Self::Enslave { member, bond } => write!(f, "making {member} a member of {bond}"),
            Self::SetMtu(name, mtu) => write!(f, "setting the MTU of {name} to {mtu} bytes"),
            Self::Mark(name, _) => write!(f, "marking {name}"),
            Self::SwitchOn(name) => write!(f, "switching on {name}"),
        }
    }
}

/// By name.
pub type Links = BTreeMap<String, Interface>;

/// What must be done; nothing where everything is as wanted. What somebody else made is left alone.
pub fn steps(present: &Links, wanted: &BTreeMap<String, Link>) -> Vec<Step> {
    let mut course = Course { links: present.clone(), steps: Vec::new() };
    course.remove(wanted);
    course.release(wanted);
    course.make(wanted, |kind| matches!(kind, LinkKind::Bond(_)));
    course.set_mtus(wanted, |kind| matches!(kind, LinkKind::Bond(_)));
    course.enslave(wanted);
    course.set_mtus(wanted, |kind| *kind == LinkKind::Adapter);
    course.make(wanted, |kind| matches!(kind, LinkKind::Vlan { .. }));
    course.set_mtus(wanted, |kind| matches!(kind, LinkKind::Vlan { .. }));
    course.mark(wanted);
    course.switch_on(wanted);
    course.steps
}

/// Whether a link can become what is wanted without being made anew.
fn is_like(present: &LinkKind, wanted: &LinkKind) -> bool {
    match (present, wanted) {
        (LinkKind::Bond(present), LinkKind::Bond(wanted)) => {
            present.mode == wanted.mode && present.fast_lacp == wanted.fast_lacp
        }
        (present, wanted) => present == wanted,
    }
}

/// The steps so far, and what the kernel has after them.
struct Course {
    links: Links,
    steps: Vec<Step>,
}

impl Course {
    fn take(&mut self, step: Step) {
        after(&mut self.links, &step);
        self.steps.push(step);
    }

    fn names(&self, fits: impl Fn(&str, &Interface) -> bool) -> Vec<String> {
        let fitting = self.links.iter().filter(|(name, link)| fits(name, link));
        fitting.map(|(name, _)| name.clone()).collect()
    }

    fn remove(&mut self, wanted: &BTreeMap<String, Link>) {
        let goes = |name: &str, link: &Interface| {
            let is_wanted = wanted.get(name).is_some_and(|wanted| is_like(&link.kind, &wanted.kind));
            link.owner == Owner::Made && !is_wanted
        };
        let bonds = self.names(|name, link| matches!(link.kind, LinkKind::Bond(_)) && goes(name, link));
        let vlans = self.names(|name, link| match &link.kind {
            LinkKind::Vlan { link: on, .. } => {
                link.owner == Owner::Made && (goes(name, link) || bonds.contains(on))
            }
            _ => false,
        });
        vlans.into_iter().chain(bonds).for_each(|name| self.take(Step::Remove(name)));
    }

    fn release(&mut self, wanted: &BTreeMap<String, Link>) {
        let is_ours = |links: &Links, bond: &str| links.get(bond).is_some_and(|it| it.owner == Owner::Made);
        let leaves = self.names(|name, link| {
            let Some(bond) = &link.controller else { return false };
            let goes_to = wanted.get(name).and_then(|wanted| wanted.bond.as_ref());
            // A bridge of somebody else's keeps its ports.
            goes_to != Some(bond) && (is_ours(&self.links, bond) || goes_to.is_some())
        });
        leaves.into_iter().for_each(|name| self.take(Step::Release(name)));
    }

    fn make(&mut self, wanted: &BTreeMap<String, Link>, of: impl Fn(&LinkKind) -> bool) {
        for (name, Link { kind, .. }) in wanted.iter().filter(|(_, link)| of(&link.kind)) {
            match (self.links.get(name).map(|link| &link.kind), kind) {
                (Some(LinkKind::Bond(present)), LinkKind::Bond(wanted)) => {
                    if present.miimon_milliseconds != wanted.miimon_milliseconds {
                        self.take(Step::Watch(name.clone(), wanted.miimon_milliseconds));
                    }
                }
                (Some(present), wanted) if is_like(present, wanted) => {}
                // One of that name that is somebody else's: the kernel refuses, and says so.
                _ => self.take(Step::Make(name.clone(), kind.clone())),
            }
        }
    }

    fn enslave(&mut self, wanted: &BTreeMap<String, Link>) {
        for (member, link) in wanted {
            let Some(bond) = &link.bond else { continue };
            let Some(present) = self.links.get(member) else { continue };
            if present.controller.as_ref() == Some(bond) || !self.links.contains_key(bond) {
                continue;
            }
            if present.switched_on {
                self.take(Step::SwitchOff(member.clone()));
            }
            self.take(Step::Enslave { member: member.clone(), bond: bond.clone() });
        }
    }

    fn set_mtus(&mut self, wanted: &BTreeMap<String, Link>, of: impl Fn(&LinkKind) -> bool) {
        for (name, link) in wanted.iter().filter(|(_, link)| of(&link.kind) && link.bond.is_none()) {
            let Some(present) = self.links.get(name) else { continue };
            let mtu = link.mtu.unwrap_or_else(|| self.usual_mtu(present));
            if present.mtu != mtu {
                self.take(Step::SetMtu(name.clone(), mtu));
            }
        }
    }

    /// A VLAN cannot carry more than what it lies on.
    fn usual_mtu(&self, link: &Interface) -> u32 {
        let below = match &link.kind {
            LinkKind::Vlan { link, .. } => self.links.get(link).map(|below| below.mtu),
            LinkKind::Adapter | LinkKind::Bond(_) => None,
        };
        usual_mtu(link).min(below.unwrap_or(u32::MAX))
    }

    /// What lbd looks after no more is left as the next start would find it.
    fn mark(&mut self, wanted: &BTreeMap<String, Link>) {
        for name in self.names(|name, link| link.owner == Owner::Other && wanted.contains_key(name)) {
            self.take(Step::Mark(name, Owner::Adopted));
        }
        for name in self.names(|name, link| link.owner == Owner::Adopted && !wanted.contains_key(name)) {
            if let Some(mtu) = self.links.get(&name).filter(|it| it.mtu != usual_mtu(it)).map(usual_mtu) {
                self.take(Step::SetMtu(name.clone(), mtu));
            }
            self.take(Step::Mark(name, Owner::Other));
        }
    }

    fn switch_on(&mut self, wanted: &BTreeMap<String, Link>) {
        for name in self.names(|name, link| !link.switched_on && wanted.contains_key(name)) {
            self.take(Step::SwitchOn(name));
        }
    }
}

fn usual_mtu(present: &Interface) -> u32 {
    match present.largest_mtu {
        0 => USUAL_MTU,
        largest => USUAL_MTU.min(largest),
    }
}

/// What the kernel makes of a step.
fn after(links: &mut Links, step: &Step) {
    match step {
        Step::Remove(name) => {
            links.remove(name);
            links.retain(|_, link| !matches!(&link.kind, LinkKind::Vlan { link: on, .. } if on == name));
            members(links, name).for_each(let_go);
        }
        Step::Release(name) => change(links, name, let_go),
        Step::Make(name, kind) => {
            let mtu = match kind {
                LinkKind::Vlan { link, .. } => links.get(link).map_or(USUAL_MTU, |link| link.mtu),
                _ => USUAL_MTU,
            };
            let made = Interface { kind: kind.clone(), owner: Owner::Made, mtu, ..Interface::default() };
            links.insert(name.clone(), made);
        }
        Step::Watch(name, milliseconds) => {
            if let Some(Interface { kind: LinkKind::Bond(bonding), .. }) = links.get_mut(name) {
                *bonding = Bonding { miimon_milliseconds: *milliseconds, ..bonding.clone() };
            }
        }
        Step::Enslave { member, bond } => {
            let mtu = links.get(bond).map_or(USUAL_MTU, |bond| bond.mtu);
            change(links, member, |link| {
                (link.controller, link.switched_on, link.mtu) = (Some(bond.clone()), true, mtu);
            });
        }
        Step::SetMtu(name, mtu) => {
            change(links, name, |link| link.mtu = *mtu);
            members(links, name).for_each(|member| member.mtu = *mtu);
            let lies_on =
                |link: &&mut Interface| matches!(&link.kind, LinkKind::Vlan { link: on, .. } if on == name);
            links.values_mut().filter(lies_on).for_each(|vlan| vlan.mtu = vlan.mtu.min(*mtu));
        }
        Step::Mark(name, owner) => change(links, name, |link| link.owner = *owner),
        Step::SwitchOff(name) => change(links, name, |link| link.switched_on = false),
        Step::SwitchOn(name) => change(links, name, |link| link.switched_on = true),
    }
}

fn change(links: &mut Links, name: &str, how: impl FnOnce(&mut Interface)) {
    if let Some(link) = links.get_mut(name) {
        how(link);
    }
}

fn members<'a>(links: &'a mut Links, bond: &'a str) -> impl Iterator<Item = &'a mut Interface> {
    links.values_mut().filter(move |link| link.controller.as_deref() == Some(bond))
}

/// A member that has left its bond is off.
fn let_go(link: &mut Interface) {
    (link.controller, link.switched_on) = (None, false);
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
