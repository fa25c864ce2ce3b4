use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

use super::*;
use crate::config::network::BondMode;

fn adapter(switched_on: bool) -> Interface {
    Interface { mtu: USUAL_MTU, largest_mtu: 9_000, switched_on, ..Interface::default() }
}

fn adapters(names: &[&str]) -> Links {
    names.iter().map(|name| ((*name).to_owned(), adapter(true))).collect()
}

fn bonding(mode: BondMode) -> LinkKind {
    LinkKind::Bond(Bonding { mode, miimon_milliseconds: 100, fast_lacp: false })
}

fn vlan(link: &str, id: u16) -> Link {
    Link { kind: LinkKind::Vlan { link: link.to_owned(), id }, ..Link::default() }
}

fn bond_of(mode: BondMode, members: &[&str], mtu: Option<u32>) -> BTreeMap<String, Link> {
    let member = Link { bond: Some("bond0".into()), ..Link::default() };
    let mut wanted: BTreeMap<_, _> =
        members.iter().map(|name| ((*name).to_owned(), member.clone())).collect();
    wanted.insert("bond0".into(), Link { kind: bonding(mode), mtu, bond: None });
    wanted
}

fn told(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

fn apply(present: &Links, steps: &[Step]) -> Links {
    let mut links = present.clone();
    steps.iter().for_each(|step| after(&mut links, step));
    links
}

#[test]
fn a_vlan_on_a_bond_with_jumbo_frames_comes_in_the_order_that_the_kernel_accepts() {
    let mut wanted = bond_of(BondMode::ActiveBackup, &["eth0", "eth1"], Some(9_000));
    wanted.insert("bond0.100".into(), vlan("bond0", 100));
    let present = adapters(&["eth0", "eth1", "eth2"]);
    let found = steps(&present, &wanted);
    assert_eq!(
        told(&found),
        [
            "making the bond bond0 (active-backup)",
            "setting the MTU of bond0 to 9000 bytes",
            "switching off eth0",
            "making eth0 a member of bond0",
            "switching off eth1",
            "making eth1 a member of bond0",
            "making bond0.100, VLAN 100 on bond0",
            "setting the MTU of bond0.100 to 1500 bytes",
            "marking eth0",
            "marking eth1",
            "switching on bond0",
            "switching on bond0.100",
        ]
    );
    let there = apply(&present, &found);
    assert_eq!(told(&steps(&there, &wanted)), [""; 0]);
    assert_eq!(there["eth2"], present["eth2"], "not lbd's affair");
    let gone = steps(&there, &BTreeMap::new());
    assert_eq!(told(&gone)[..2], ["removing bond0.100", "removing bond0"]);
    let left = apply(&there, &gone);
    assert!(left.keys().eq(["eth0", "eth1", "eth2"]) && left["eth0"].mtu == USUAL_MTU, "{left:?}");
}

#[test]
fn only_what_differs_is_touched() {
    let wanted = bond_of(BondMode::ActiveBackup, &["eth0", "eth1"], None);
    let there = apply(&adapters(&["eth0", "eth1"]), &steps(&adapters(&["eth0", "eth1"]), &wanted));
    let mut slower = wanted.clone();
    slower.get_mut("bond0").unwrap().kind =
        LinkKind::Bond(Bonding { miimon_milliseconds: 500, ..Bonding::default() });
    assert_eq!(told(&steps(&there, &slower)), ["letting bond0 look at its members every 500 ms"]);
    let smaller = bond_of(BondMode::ActiveBackup, &["eth0"], None);
    let fewer = told(&steps(&there, &smaller));
    assert_eq!(fewer, ["taking eth1 out of its bond", "marking eth1"]);
    let other = told(&steps(&there, &bond_of(BondMode::Lacp, &["eth0", "eth1"], None)));
    assert_eq!(other[..2], ["removing bond0", "making the bond bond0 (802.3ad)"], "its mode is for life");
}

#[test]
fn what_somebody_else_made_is_left_alone() {
    let mut present = adapters(&["eth0", "eth1"]);
    present.insert("bond9".into(), Interface { kind: bonding(BondMode::BalanceRr), ..adapter(true) });
    present.get_mut("eth1").unwrap().controller = Some("bond9".into());
    assert_eq!(told(&steps(&present, &BTreeMap::new())), [""; 0]);
    let wanted = BTreeMap::from([("eth0".to_owned(), Link::default())]);
    assert_eq!(told(&steps(&present, &wanted)), ["marking eth0"]);
}

#[test]
fn an_adapter_that_can_do_less_than_is_usual_has_what_it_can() {
    let wanted = BTreeMap::from([("eth0".to_owned(), Link::default())]);
    let small = Interface { mtu: 1_450, largest_mtu: 1_450, ..adapter(true) };
    let present = Links::from([("eth0".to_owned(), small)]);
    assert_eq!(told(&steps(&present, &wanted)), ["marking eth0"]);
}

const NAMES: [&str; 4] = ["eth0", "eth1", "eth2", "eth3"];

fn mtu() -> impl Strategy<Value = Option<u32>> {
    prop::option::of(1_400_u32..9_000)
}

/// What a valid configuration may want of four adapters, two bonds and VLANs on all of them.
fn wanted() -> impl Strategy<Value = BTreeMap<String, Link>> {
    let mode = prop_oneof![Just(BondMode::ActiveBackup), Just(BondMode::Lacp), Just(BondMode::BalanceXor)];
    let bond = (mode, 50_u32..53, mtu());
    let bonds = btree_map(prop_oneof![Just("bond0"), Just("bond1")], bond, 0..=2);
    let owners = prop::array::uniform4(prop::option::weighted(0.8, 0_usize..4));
    let vlans = btree_set((0_usize..6, 1_u16..4), 0..5);
    (bonds, owners, prop::array::uniform4(mtu()), vlans).prop_map(|(bonds, owners, mtus, vlans)| {
        let mut wanted = BTreeMap::new();
        let names: Vec<_> = bonds.keys().copied().collect();
        for (index, name) in NAMES.iter().enumerate() {
            // 0 and 1 are the bonds that there may be; else it stands for itself.
            let Some(owner) = owners[index] else { continue };
            let bond = names.get(owner).map(|bond| (*bond).to_owned());
            let mtu = mtus[index].filter(|_| bond.is_none());
            wanted.insert((*name).to_owned(), Link { bond, mtu, ..Link::default() });
        }
        for (name, (mode, miimon_milliseconds, mtu)) in bonds {
            let kind =
                LinkKind::Bond(Bonding { mode, miimon_milliseconds, fast_lacp: mode == BondMode::Lacp });
            wanted.insert(name.to_owned(), Link { kind, mtu, bond: None });
        }
        for (on, id) in vlans {
            let on = NAMES.into_iter().chain(["bond0", "bond1"]).nth(on).unwrap();
            let Some(below) = wanted.get(on).filter(|link| link.bond.is_none()) else { continue };
            let mtu = Some(below.mtu.unwrap_or(USUAL_MTU).min(1_400));
            wanted.insert(format!("{on}.{id}"), Link { mtu, ..vlan(on, id) });
        }
        wanted
    })
}

proptest! {
    /// Whatever came before: in the end there is what a fresh start would have made, and nothing is left to do.
    #[test]
    fn any_sequence_ends_where_a_fresh_start_does(all in prop::collection::vec(wanted(), 1..5)) {
        let fresh = adapters(&NAMES);
        let mut links = fresh.clone();
        for wanted in &all {
            links = apply(&links, &steps(&links, wanted));
            prop_assert_eq!(told(&steps(&links, wanted)), [""; 0]);
        }
        let last = all.last().unwrap();
        let direct = apply(&fresh, &steps(&fresh, last));
        let without_switches = |links: &Links| {
            let mut links = links.clone();
            // Who has left a bond and is not wanted any more is off.
            links.values_mut().filter(|link| link.owner == Owner::Other).for_each(|link| link.switched_on = true);
            links
        };
        prop_assert_eq!(without_switches(&links), without_switches(&direct));
    }

    /// No step asks for what the kernel refuses.
    #[test]
    fn every_step_is_possible_when_it_is_taken(before in wanted(), wanted in wanted()) {
        let mut links = adapters(&NAMES);
        let first = steps(&links, &before);
        let second = steps(&apply(&links, &first), &wanted);
        for step in first.iter().chain(&second) {
            match step {
                Step::Make(name, kind) => {
                    prop_assert!(!links.contains_key(name));
                    if let LinkKind::Vlan { link, .. } = kind {
                        prop_assert!(links.contains_key(link), "{step}");
                    }
                }
                Step::Enslave { member, bond } => {
                    prop_assert!(!links[member].switched_on && links[member].controller.is_none(), "{step}");
                    prop_assert!(links.contains_key(bond), "{step}");
                }
                Step::SetMtu(name, mtu) => {
                    if let LinkKind::Vlan { link, .. } = &links[name].kind {
                        prop_assert!(links[link].mtu >= *mtu, "{step}");
                    }
                }
                Step::Remove(name) | Step::Release(name) | Step::Watch(name, _) | Step::SwitchOff(name)
                | Step::Mark(name, _) | Step::SwitchOn(name) => prop_assert!(links.contains_key(name), "{step}"),
            }
            after(&mut links, step);
        }
    }
}
