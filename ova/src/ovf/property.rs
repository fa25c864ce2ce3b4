//! The settings that a deployment may pass, so that the appliance needs no wizard.
//!
//! They reach the guest as an XML document, read once at the first boot. An empty value means "not given":
//! all are optional. What is passed stays readable in vCenter, so no lasting password is among them.

use super::xml::Element;

/// A setting, as vSphere asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// Name under which the guest finds it. No dots and no colons: they would not survive every transport.
    pub key: &'static str,
    /// The heading under which it stands.
    pub category: &'static str,
    /// Its name in the dialogue.
    pub label: &'static str,
    /// Help for the user: what to write, and what an empty field means.
    pub help: &'static str,
    /// Typed without an echo.
    pub hidden: bool,
}

/// All settings, in the order of the dialogue.
pub const PROPERTIES: [Property; 14] = [
    Property {
        key: "hostname",
        category: "Network",
        label: "Host name",
        help: "Name of the appliance, with or without its domain. Empty: lbmaster.",
        hidden: false,
    },
    Property {
        key: "bond_members",
        category: "Network",
        label: "Bond: adapters",
        help: "Adapters that the management network uses as one, for the case that one fails: for example eth0, eth1. \
               Connect them all at power-on. Empty: no bond.",
        hidden: false,
    },
    Property {
        key: "bond_mode",
        category: "Network",
        label: "Bond: mode",
        help: "active-backup, 802.3ad (LACP), balance-rr, balance-xor, broadcast, balance-tlb or balance-alb; all but \
               the first want a switch that knows of it. Empty: active-backup.",
        hidden: false,
    },
    Property {
        key: "vlan_id",
        category: "Network",
        label: "VLAN id",
        help: "Number of the management network where it arrives tagged (IEEE 802.1Q), 1 to 4094. Empty: untagged, as \
               in most port groups.",
        hidden: false,
    },
    Property {
        key: "management_interface",
        category: "Network",
        label: "Management interface",
        help: "Adapter that carries the management network, for example eth1; or bond0. Not with the VLAN in its name. \
               Empty: bond0 where there is a bond, otherwise eth0.",
        hidden: false,
    },
    Property {
        key: "ip_address",
        category: "Network",
        label: "Management IP address (CIDR)",
        help: "Address and prefix length of the management interface, for example 192.168.2.21/24. Not a netmask: write 24 \
               instead of 255.255.255.0. Empty: 192.168.2.21/24, and the wizard on the console asks.",
        hidden: false,
    },
    Property {
        key: "gateway",
        category: "Network",
        label: "Default gateway",
        help: "IP address of the router, for example 192.168.2.1. Empty: no default gateway.",
        hidden: false,
    },
    Property {
        key: "dns",
        category: "Network",
        label: "DNS servers",
        help: "IP addresses, with a comma between them. Empty: none.",
        hidden: false,
    },
    Property {
        key: "search_domain",
        category: "Network",
        label: "Search domain",
        help: "Domain in which names without a dot are looked up, for example hospital.example. Empty: none.",
        hidden: false,
    },
    Property {
        key: "ntp",
        category: "Network",
        label: "NTP servers",
        help: "Names or IP addresses, with a comma between them. Empty: none.",
        hidden: false,
    },
    Property {
        key: "time_zone",
        category: "Network",
        label: "Time zone",
        help: "IANA name of the zone in which times are shown, for example Europe/Berlin. Empty: UTC.",
        hidden: false,
    },
    Property {
        key: "password_hash",
        category: "Access",
        label: "Password, as an Argon2 hash",
        help: "Password of the users loadbalancer and root in the form $argon2id$v=19$... What is written \
               here stays readable in vCenter, so it takes a hash, never the password itself. Empty: no \
               login over the network until the wizard or the one-time password below sets one.",
        hidden: false,
    },
    Property {
        key: "one_time_password",
        category: "Access",
        label: "One-time password",
        help: "Instead of the hash: a password that the first login must change, since it stays readable \
               in vCenter. Empty: none.",
        hidden: true,
    },
    Property {
        key: "configuration",
        category: "Configuration",
        label: "Whole configuration (Base64)",
        help: "A configuration in TOML, encoded in Base64 without line breaks. Empty: no services; configure \
               them in the WebUI.",
        hidden: false,
    },
];

impl Property {
    /// The `Property` element (DSP0243 9.5.1). With `ovf:value=""` it has a default and so is optional.
    pub(super) fn element(&self) -> Element {
        let element = Element::new("Property")
            .attr("ovf:key", self.key)
            .attr("ovf:type", "string")
            .attr("ovf:userConfigurable", true)
            .attr("ovf:value", "");
        let element = if self.hidden { element.attr("ovf:password", true) } else { element };
        element.child(Element::text("Label", self.label)).child(Element::text("Description", self.help))
    }
}
