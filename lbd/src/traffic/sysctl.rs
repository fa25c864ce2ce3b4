//! Kernel settings that forwarding by virtual addresses needs (Documentation/networking/ip-sysctl.rst).

use std::collections::BTreeMap;

/// Path below `/proc/sys/net` and value, for all interfaces.
const SETTINGS: &[(&str, &str)] = &[
    // Packets of translated connections are forwarded; the forward chain drops all others.
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    // A virtual address is announced by the interface that has it, and by no other.
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/arp_announce", "2"),
    // Single-arm: a client must not be told to talk to the server directly, past the translation.
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    // An interface keeps its other addresses when its first one goes.
    ("ipv4/conf/all/promote_secondaries", "1"),
    // A reset connection leaves nothing behind on either side (no TIME_WAIT), so that its entry need not wait ten
    // seconds: with clients that end by reset there would be hundreds of thousands of dead ones.
    ("netfilter/nf_conntrack_tcp_timeout_close", "2"),
    // Connections are counted with their bytes and the time of their start, and their end is told, also of those
    // that began while lbd was away.
    ("netfilter/nf_conntrack_acct", "1"),
    ("netfilter/nf_conntrack_timestamp", "1"),
    ("netfilter/nf_conntrack_events", "1"),
    // Routes come from the administrator, not from the network.
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/accept_source_route", "0"),
    ("ipv6/conf/all/accept_redirects", "0"),
    ("ipv6/conf/all/accept_source_route", "0"),
];

/// What the kernel should have, given the interfaces that are there.
pub fn settings<'a>(interfaces: impl Iterator<Item = &'a str>) -> BTreeMap<String, &'static str> {
    let mut settings: BTreeMap<_, _> =
        SETTINGS.iter().map(|(path, value)| ((*path).to_owned(), *value)).collect();
    // Redirects are sent where `all` or the interface's own setting says so.
    settings.extend(interfaces.map(|name| (format!("ipv4/conf/{name}/send_redirects"), "0")));
    settings
}
