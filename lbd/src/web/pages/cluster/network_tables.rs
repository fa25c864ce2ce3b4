//! What the forms of the appliance's own network ask for.

use super::field::{Choice, Field, Section};

const MODES: &[Choice] = &[
    ("active-backup", "Active-backup: one carries, another takes over; any switch"),
    ("802.3ad", "802.3ad (LACP): all carry, as agreed with the switch"),
    ("balance-xor", "balance-xor: all carry, by address; the switch must have a static group"),
    ("balance-rr", "balance-rr: packets in turn; the switch must have a static group"),
    ("balance-tlb", "balance-tlb: sends on all, receives on one"),
    ("balance-alb", "balance-alb: sends and receives on all"),
    ("broadcast", "broadcast: everything on all"),
];
const LACP_RATES: &[Choice] = &[("slow", "every 30 s (default)"), ("fast", "every second")];

/// How the appliance is called, and whom it asks for names.
pub(super) const NAMES: &[Section] = &[Section {
    title: "Names",
    advanced: false,
    fields: &[
        Field::text("host_name", "Host name").example("lbmaster").blank("as the machine calls itself"),
        Field::list("dns_servers", "DNS servers")
            .example("192.168.10.2, 192.168.10.3")
            .blank("none: names of mail and NTP servers are not found")
            .hint("IPv4 addresses, in the order in which they are asked."),
        Field::text("search_domain", "Search domain")
            .example("hospital.example")
            .blank("none")
            .hint("Names without a dot are looked up in it."),
    ],
}];

/// The way to everything that is not near.
pub(super) const GATEWAYS: &[Section] = &[Section {
    title: "Default gateways",
    advanced: false,
    fields: &[
        Field::text("default_gateway", "Default gateway (IPv4)")
            .example("192.168.10.1")
            .blank("none")
            .hint("A router in a network of an interface."),
        Field::text("default_gateway_ipv6", "Default gateway (IPv6)").example("fd00::1").blank("none"),
    ],
}];

/// An interface.
pub(super) const INTERFACE: &[Section] = &[
    Section {
        title: "Interface",
        advanced: false,
        fields: &[
            Field::text("name", "Interface")
                .example("eth1")
                .hint("An adapter (eth0 to eth3), or a bond or VLAN that is listed."),
            Field::list("addresses", "Addresses")
                .example("192.168.10.21/24, fd00::21/64")
                .blank("none")
                .hint("With their prefix. When the management address is taken away, the first IPv4 address takes its place."),
            Field::number("mtu", "MTU", "bytes")
                .blank("1500")
                .hint("68 to 9216; more than 1500 (jumbo frames) only where the whole network does."),
        ],
    },
    Section {
        title: "Answers by a gateway of its own (two-arm)",
        advanced: true,
        fields: &[
            Field::text("gateway", "Gateway for answers (IPv4)")
                .example("172.16.1.1")
                .blank("answers leave as everything else does")
                .hint("What came to an address on this interface is answered by this router, whatever the default gateway is."),
            Field::text("gateway_ipv6", "Gateway for answers (IPv6)")
                .example("fd01::1")
                .blank("answers leave as everything else does"),
        ],
    },
];

/// A bond.
pub(super) const BOND: &[Section] = &[Section {
    title: "Bond",
    advanced: false,
    fields: &[
        Field::text("name", "Name").example("bond0").hint("At most 15 characters; unique."),
        Field::choice("mode", "Mode", MODES),
        Field::list("members", "Members").example("eth0, eth1").hint(
            "Adapters. Addresses, MTU and gateway of a member that has some become the bond's, the management address \
             too.",
        ),
        Field::number("miimon_milliseconds", "Look at links every", "ms").usual("100"),
        Field::choice("lacp_rate", "LACP rate", LACP_RATES).hint("With 802.3ad only."),
    ],
}];

/// A VLAN.
pub(super) const VLAN: &[Section] = &[Section {
    title: "VLAN",
    advanced: false,
    fields: &[
        Field::text("name", "Name").example("eth0.100").hint("At most 15 characters; unique."),
        Field::text("link", "On").example("eth0").hint("An adapter, or a bond that is listed."),
        Field::number("id", "VLAN number", "").example("100").hint("1 to 4094, as the switch has it."),
    ],
}];

/// A static route.
pub(super) const ROUTE: &[Section] = &[Section {
    title: "Static route",
    advanced: false,
    fields: &[
        Field::text("destination", "Destination").example("10.0.0.0/8").hint("A network with its prefix."),
        Field::text("gateway", "Gateway")
            .example("192.168.10.1")
            .hint("A router in a network of an interface."),
        Field::text("interface", "Interface").example("eth0").blank("the one to that router"),
    ],
}];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemars::JsonSchema;
    use serde_json::Value;

    use super::*;
    use crate::config::document::{
        BondDocument, InterfaceDocument, NetworkDocument, RouteDocument, VlanDocument,
    };
    use crate::config::network::BondMode;
    use crate::web::pages::cluster::tables::fields;

    fn expect_all<T: JsonSchema>(sections: &[&'static [Section]], elsewhere: &[&str]) {
        let schema = schemars::schema_for!(T);
        let settings = schema.get("properties").and_then(Value::as_object).unwrap().keys();
        let settings: BTreeSet<_> =
            settings.map(String::as_str).filter(|name| !elsewhere.contains(name)).collect();
        let asked: BTreeSet<_> =
            sections.iter().flat_map(|sections| fields(sections)).map(|field| field.path).collect();
        assert_eq!(asked, settings, "each setting has its input");
    }

    #[test]
    fn every_setting_of_the_network_has_its_input() {
        expect_all::<NetworkDocument>(&[NAMES, GATEWAYS], &["interface", "bond", "vlan", "route"]);
        expect_all::<InterfaceDocument>(&[INTERFACE], &[]);
        expect_all::<BondDocument>(&[BOND], &[]);
        expect_all::<VlanDocument>(&[VLAN], &[]);
        expect_all::<RouteDocument>(&[ROUTE], &[]);
        let modes: BTreeSet<_> = MODES.iter().map(|(value, _)| *value).collect();
        assert_eq!(modes, BondMode::ALL.map(BondMode::name).into());
    }
}
