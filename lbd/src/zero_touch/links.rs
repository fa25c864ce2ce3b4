//! The interface of the management: an adapter, several as one, or a VLAN on either. The same questions as the wizard's.

use super::Reading;
use crate::config::document::{BondDocument, VlanDocument};
use crate::config::network::BondMode;
use crate::config::values::{Fault, quoted};

/// The bond's name: there is one.
pub const BOND: &str = "bond0";
/// The first adapter; where the appliance is managed until something else is configured.
const FIRST: &str = "eth0";
/// vSphere gives a machine no more adapters; `eth0` is the first.
const MOST_ADAPTERS: u8 = 10;
/// IEEE 802.1Q: 0 and 4095 are reserved.
const VLAN_IDS: std::ops::RangeInclusive<u16> = 1..=4094;

/// What carries the management network. Nothing is set where nothing was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Adapters that are one; at least two, or none.
    pub members: Vec<String>,
    /// How they are one.
    pub mode: BondMode,
    /// The VLAN on the bond or adapter.
    pub vlan: Option<u16>,
    /// The adapter or the bond.
    pub link: Option<String>,
}

impl Links {
    /// What `reading` says of them; where the bond is, is the management.
    pub(super) fn read(reading: &mut Reading) -> Self {
        // Eight at most, as of every list; no bond has more.
        let mut members = reading.list("bond_members", adapter);
        if let [only] = &members[..] {
            let problem = format!("a bond needs two adapters or more, not {} alone", quoted(only));
            reading.report("bond_members", Fault::new(problem, "give for example eth0, eth1"));
            members.clear();
        }
        let mode = reading.take("bond_mode", mode);
        if mode.is_some() && members.is_empty() {
            reading.notes.push("bond_mode has no effect without bond_members.".into());
        }
        let vlan = reading.take("vlan_id", vlan_id);
        let link = reading.take("management_interface", |text| link(text, &members));
        Self { members, mode: mode.unwrap_or_default(), vlan, link }
    }

    /// The name of the interface that gets the address.
    pub fn interface(&self) -> String {
        let link = self.link();
        self.vlan.map_or_else(|| link.to_owned(), |id| format!("{link}.{id}"))
    }

    fn link(&self) -> &str {
        let usual = if self.members.is_empty() { FIRST } else { BOND };
        self.link.as_deref().unwrap_or(usual)
    }

    /// What must be made of the adapters.
    pub(super) fn documents(&self) -> (Vec<BondDocument>, Vec<VlanDocument>) {
        let bond = || BondDocument {
            name: BOND.into(),
            mode: self.mode.name().into(),
            members: self.members.clone(),
            ..BondDocument::default()
        };
        let vlan =
            |id| VlanDocument { name: self.interface(), link: self.link().to_owned(), id: i64::from(id) };
        let bonds = (!self.members.is_empty()).then(bond);
        (bonds.into_iter().collect(), self.vlan.map(vlan).into_iter().collect())
    }
}

fn adapter(text: &str) -> Result<String, Fault> {
    let name = text.to_ascii_lowercase();
    let known = (0..MOST_ADAPTERS).any(|number| name == format!("eth{number}"));
    known.then_some(name).ok_or_else(|| {
        Fault::new(
            format!("{} is no adapter", quoted(text)),
            "give eth0 for the first one, eth1 for the second",
        )
    })
}

fn mode(text: &str) -> Result<BondMode, Fault> {
    BondMode::ALL.into_iter().find(|mode| text.eq_ignore_ascii_case(mode.name())).ok_or_else(|| {
        let names = BondMode::ALL.map(BondMode::name).join(", ");
        let remedy = format!("give one of {names}; until then {} is used", BondMode::default());
        Fault::new(format!("{} is no mode of a bond", quoted(text)), remedy)
    })
}

fn vlan_id(text: &str) -> Result<u16, Fault> {
    let id = text.parse().ok().filter(|id| VLAN_IDS.contains(id));
    id.ok_or_else(|| {
        let remedy =
            "give a number from 1 to 4094, as your switch has it; until then the network is untagged";
        Fault::new(format!("{} is no VLAN id", quoted(text)), remedy)
    })
}

/// The bond, or an adapter that is not in it.
fn link(text: &str, members: &[String]) -> Result<String, Fault> {
    match text.eq_ignore_ascii_case(BOND) {
        true if members.is_empty() => Err(Fault::new(
            format!("there is no {BOND}"),
            "give its adapters as bond_members, or name an adapter",
        )),
        true => Ok(BOND.to_owned()),
        false => match adapter(text)? {
            name if members.contains(&name) => {
                let remedy =
                    format!("leave it empty, or give {BOND} or an adapter that is not in bond_members");
                Err(Fault::new(format!("{name} belongs to {BOND}"), remedy))
            }
            name => Ok(name),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::super::{Settings, initial_document};
    use crate::config::{Config, validate};

    fn configured(properties: &[(&str, &str)]) -> (Settings, Config) {
        let settings = with(properties);
        let config = validate(initial_document(&settings)).unwrap();
        (settings, config)
    }

    /// Problems with their keys, and the interface that is used all the same.
    fn told(properties: &[(&str, &str)]) -> (Vec<String>, String) {
        let (settings, config) = configured(properties);
        let problems = settings.problems.iter().map(ToString::to_string).collect();
        (problems, config.management.interface.as_str().to_owned())
    }

    #[test]
    fn a_vlan_on_a_bond_gets_the_address() {
        let (settings, config) = configured(&[
            ("bond_members", "ETH0, eth2"),
            ("bond_mode", "802.3AD"),
            ("vlan_id", "100"),
            ("ip_address", "10.0.0.5/24"),
            ("gateway", "10.0.0.1"),
        ]);
        assert!(settings.problems.is_empty() && settings.notes.is_empty(), "{settings:?}");
        assert_eq!(config.management.interface.as_str(), "bond0.100");
        let network = config.document.network.clone().unwrap();
        assert_eq!(
            (&*network.interface[0].name, &*network.interface[0].addresses[0]),
            ("bond0.100", "10.0.0.5/24")
        );
        assert_eq!(
            (&*network.bond[0].mode, &network.bond[0].members[..]),
            ("802.3ad", &["eth0".into(), "eth2".into()][..])
        );
        assert_eq!((&*network.vlan[0].link, network.vlan[0].id), ("bond0", 100));
    }

    #[test]
    fn the_management_is_where_it_is_wanted() {
        for (properties, expected) in [
            (&[("management_interface", "eth1")][..], "eth1"),
            (&[("management_interface", "eth1"), ("vlan_id", "7")], "eth1.7"),
            (&[("vlan_id", "4094")], "eth0.4094"),
            (&[("bond_members", "eth0 eth1")], "bond0"),
            (&[("bond_members", "eth0;eth1"), ("management_interface", "Bond0")], "bond0"),
            (&[("bond_members", "eth1,eth2"), ("management_interface", "eth0")], "eth0"),
        ] {
            assert_eq!(told(properties), (vec![], expected.to_owned()));
        }
    }

    #[test]
    fn wrong_values_are_named_and_the_appliance_can_be_reached_all_the_same() {
        for (properties, problem, expected) in [
            (&[("bond_members", "eth0")][..], "bond_members: a bond needs two", "eth0"),
            (&[("bond_members", "eth0 eth0")], "bond_members: a bond needs two", "eth0"),
            (&[("bond_members", "eth0 eth1 wlan0")], "bond_members: \"wlan0\" is no adapter", "bond0"),
            (&[("bond_members", "eth0, eth10")], "bond_members: \"eth10\" is no adapter", "eth0"),
            (
                &[("bond_members", "eth0 eth1"), ("bond_mode", "lacp")],
                "bond_mode: \"lacp\" is no mode",
                "bond0",
            ),
            (&[("vlan_id", "0")], "vlan_id: \"0\" is no VLAN id", "eth0"),
            (&[("vlan_id", "4095")], "vlan_id: \"4095\" is no VLAN id", "eth0"),
            (&[("vlan_id", "eth0.5")], "vlan_id: \"eth0.5\" is no VLAN id", "eth0"),
            (&[("management_interface", "eth0.5")], "management_interface: \"eth0.5\" is no adapter", "eth0"),
            (&[("management_interface", "bond0")], "management_interface: there is no bond0", "eth0"),
            (
                &[("bond_members", "eth0 eth1"), ("management_interface", "eth1")],
                "management_interface: eth1 belongs to bond0",
                "bond0",
            ),
        ] {
            let (problems, interface) = told(properties);
            assert!(problems[0].starts_with(problem), "{properties:?}: {problems:?}");
            assert_eq!(interface, expected, "{properties:?}");
        }
    }

    #[test]
    fn a_bond_has_eight_members() {
        let all = (0..10).map(|number| format!("eth{number}")).collect::<Vec<_>>().join(" ");
        let (problems, interface) = told(&[("bond_members", &all)]);
        assert!(problems[0].contains("2 entries too many"), "{problems:?}");
        assert_eq!(interface, "bond0", "with the first eight");
    }

    #[test]
    fn a_mode_without_a_bond_is_noted() {
        let settings = with(&[("bond_mode", "802.3ad")]);
        assert_eq!(settings.notes, ["bond_mode has no effect without bond_members."]);
    }
}
