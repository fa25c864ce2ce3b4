//! What the forms of virtual services and real servers ask for. A new setting is one line here.

use super::field::{Choice, Field, Section};

const PROTOCOLS: &[Choice] = &[("tcp", "TCP (default)"), ("udp", "UDP"), ("tcp+udp", "TCP and UDP")];
const FORWARDING_METHODS: &[Choice] = &[
    ("snat", "SNAT: the kernel forwards (default)"),
    ("proxy", "Proxy: tries the next server when one fails"),
];
const SCHEDULERS: &[Choice] = &[
    ("weighted-least-connections", "Where few connections are open, by weight (default)"),
    ("weighted-round-robin", "In turn, by weight"),
    ("source-hash", "By the client's address: the same client always meets the same server"),
];
const FALLBACKS: &[Choice] = &[
    ("refuse", "Refuse the connection at once (default)"),
    ("dicom-reject", "Reject the DICOM association as temporary congestion: modalities queue and try again"),
    ("http-page", "Show a page over HTTP, with status 503"),
];
const ON_FAILURE: &[Choice] = &[
    ("reset", "End them: clients connect again, to another server (default)"),
    ("keep", "Leave them alone"),
];
const SNAT_SOURCES: &[Choice] = &[
    ("auto", "The virtual address where replies can find it, else the interface's (default)"),
    ("virtual-address", "Always the virtual address"),
    ("interface", "Always the address of the interface towards the server"),
];
const TRANSPORTS: &[Choice] = &[
    ("udp", "UDP: nobody knows whether a line arrives (default)"),
    ("tcp", "TCP"),
    ("tls", "TLS: encrypted, and only to the right server"),
];
const SEVERITIES: &[Choice] = &[
    ("info", "all but debugging (default)"),
    ("debug", "everything"),
    ("notice", "notices and graver"),
    ("warning", "warnings and graver"),
    ("error", "errors and graver"),
    ("critical", "critical lines and graver"),
    ("alert", "alerts and graver"),
    ("emergency", "emergencies"),
];
const STATES: &[Choice] = &[
    ("online", "Online (default)"),
    ("drain", "Drain: established connections go on"),
    ("halt", "Halt: established connections end"),
];

const SUBJECTS: &[Choice] = &[
    ("plain", "For people (default)"),
    ("ldirectord", "As ldirectord words them, for mail filters that exist: Deleted real server: ..."),
];
const ENCRYPTIONS: &[Choice] = &[
    ("opportunistic", "Where the server offers it, whoever it is (default)"),
    ("starttls", "Always, with STARTTLS"),
    ("tls", "Always, from the first byte on (smart host, port 465)"),
    ("none", "Never"),
];

/// Of a virtual service; the real servers have forms of their own.
pub(super) const SERVICE: &[Section] = &[
    Section {
        title: "Where clients connect",
        advanced: false,
        fields: &[
            Field::text("label", "Label")
                .example("DATALINK_POOL1")
                .hint("Letters, digits, '_', '-' and '.'; unique."),
            Field::list("addresses", "Virtual addresses")
                .example("192.168.10.100")
                .hint("Free IPv4 or IPv6 addresses in the clients' network, with commas between them."),
            Field::text("ports", "Ports").example("2001").hint("A list, ranges too: 2001,2003-2005."),
            Field::choice("protocol", "Protocol", PROTOCOLS),
            Field::switch("enabled", "In service")
                .hint("Off: the addresses are gone and nothing is checked."),
            Field::choice("forwarding_method", "Forwarding method", FORWARDING_METHODS).hint(
                "With SNAT connections go on whatever happens to the program, and the appliance carries the most. Proxy \
                 is for TCP: no client meets a server that has died since its last check; but connections end, and \
                 persistence is forgotten, when the program restarts (updates), and it carries less. A change is for \
                 new connections.",
            ),
        ],
    },
    Section {
        title: "Which server a client gets",
        advanced: false,
        fields: &[
            Field::choice("scheduler", "Scheduler", SCHEDULERS),
            Field::number("slow_start_seconds", "Slow start", "s").usual("0").hint(
                "A server that comes back grows into its share within that time; 0: it has it at once.",
            ),
            Field::switch("persistence.enabled", "Persistence")
                .hint("A client keeps its server, recognised by its address."),
            Field::number("persistence.timeout_seconds", "Persistence time-out", "s")
                .usual("300")
                .hint("Counted from the client's last new connection."),
            Field::number("persistence.ipv4_prefix_length", "IPv4 clients that count as one", "bits")
                .usual("32")
                .hint("32: each for itself. 24: all whose addresses agree in 24 bits."),
            Field::number("persistence.ipv6_prefix_length", "IPv6 clients that count as one", "bits")
                .usual("128")
                .hint("128: each for itself. With 64 a whole network gets one server."),
        ],
    },
    Section {
        title: "Which servers are healthy",
        advanced: false,
        fields: &[Field::reference("health_check", "Health check")],
    },
    Section {
        title: "E-mail alerts of this service",
        advanced: true,
        fields: &[
            Field::switch("alerts.enabled", "E-mail alerts"),
            Field::text("alerts.source", "From")
                .example("lb@hospital.example")
                .blank("as set for all services"),
            Field::list("alerts.destinations", "To")
                .example("ct-support@hospital.example")
                .blank("as set for all services")
                .hint("Instead of those that are set for all services."),
        ],
    },
    Section {
        title: "Failures and addresses (advanced)",
        advanced: true,
        fields: &[
            Field::text("fallback_server", "Fallback server")
                .example("192.168.10.120:2001")
                .blank("none")
                .hint(
                    "Gets new connections while no real server takes any; it is not checked. An address alone: on the \
                     port that the client asked for.",
                ),
            Field::choice("fallback", "When no server is left", FALLBACKS),
            Field::area("fallback_page", "Fallback page")
                .example("<h1>DoseWatch is being maintained</h1><p>Call 4711.</p>")
                .blank("a page of the appliance's own, which explains")
                .hint("HTML, or plain text; for the choice to show a page."),
            Field::choice("on_server_failure", "Connections of a server that fails", ON_FAILURE),
            Field::number("idle_timeout_seconds", "Idle time-out", "s").usual("0").hint(
                "New connections are forgotten when no packet came for so long, 5 to 432000; 0: when the kernel does \
                 so (TCP 5 days). With a time-out of its own a service does not use the kernel's fast path.",
            ),
            Field::choice("snat_source", "Source address that servers see", SNAT_SOURCES),
            Field::list("snat_pool", "Pool of source addresses")
                .example("192.168.10.120-192.168.10.127")
                .blank("none")
                .hint(
                    "Free addresses or ranges in the servers' network that come before the choice above: each brings \
                     64,512 ports towards a server. A client is always seen under the same one.",
                ),
            Field::text("interface", "Interface of the virtual addresses")
                .example("eth0")
                .blank("the one in whose subnet each address lies"),
        ],
    },
];

/// Of a real server.
pub(super) const SERVER: &[Section] = &[Section {
    title: "Real server",
    advanced: false,
    fields: &[
        Field::text("label", "Label").example("DATALINK_POOL1_NODE1").hint("Unique within the service."),
        Field::text("address", "Address").example("192.168.10.110").hint("IPv4 or IPv6."),
        Field::number("port", "Port", "").example("2001").blank("the port that the client asked for"),
        Field::number("weight", "Weight", "")
            .usual("100")
            .hint("Its share of new clients in relation to the others: 0 (none) to 256."),
        Field::number("maximum_connections", "Maximum connections", "")
            .usual("0")
            .hint("With so many open ones it takes no new clients; 0: no limit."),
        Field::number("minimum_connections", "Minimum connections", "")
            .usual("0")
            .hint("A full server is used again at so many; 0: at three quarters of the maximum."),
        Field::choice("state", "State", STATES).hint("Drained and halted servers take no new connections."),
    ],
}];

/// What concerns all services.
pub(super) const LAYER4: &[Section] = &[Section {
    title: "All virtual services",
    advanced: false,
    fields: &[
        Field::switch("fast_path", "Fast path").hint(
            "Established connections bypass most of the kernel (flowtable). Switch it off while you capture packets.",
        ),
        Field::number("snat_ports_warning_percent", "Warning of scarce source ports", "%").usual("80").hint(
            "When so many of the SNAT source ports towards a server are in use, 10 to 100. When none is left, new connections to it fail.",
        ),
        Field::number("fallback_page_port", "Port of the fallback answers", "").usual("9081").hint(
            "On the appliance itself, for pages and DICOM rejections. Clients never see it: they are redirected there while a service has no server.",
        ),
    ],
}];

/// Of a syslog server.
pub(super) const SYSLOG_SERVER: &[Section] = &[
    Section {
        title: "Syslog server",
        advanced: false,
        fields: &[
            Field::text("label", "Label").example("SIEM").hint("Letters, digits, '_', '-' and '.'; unique."),
            Field::text("address", "Address").example("10.1.2.3").hint("IPv4 or IPv6."),
            Field::choice("transport", "Transport", TRANSPORTS),
            Field::number("port", "Port", "").example("10514").blank("514, with TLS 6514"),
            Field::choice("severity", "Lines", SEVERITIES),
        ],
    },
    Section {
        title: "With TLS",
        advanced: false,
        fields: &[
            Field::area("tls_verify", "Who may have issued its certificate")
                .example("-----BEGIN CERTIFICATE-----")
                .blank("the usual authorities (system)")
                .hint("The issuer's certificate, or the server's own, in PEM; system; or none: anybody."),
            Field::text("tls_server_name", "Name in its certificate")
                .example("siem.hospital.example")
                .blank("its address"),
        ],
    },
];

/// Who is told of what.
pub(super) const ALERTS: &[Section] = &[
    Section {
        title: "Who gets mail",
        advanced: false,
        fields: &[
            Field::text("source", "From").example("lb@hospital.example").blank("no mail is sent"),
            Field::list("destinations", "To")
                .example("pacs@hospital.example")
                .blank("nobody, but for services with addresses of their own"),
            Field::choice("subjects", "Subjects", SUBJECTS),
        ],
    },
    Section {
        title: "When",
        advanced: false,
        fields: &[
            Field::number("hold_down_seconds", "Trouble must last", "s")
                .usual("15")
                .hint("5 to 3600. What is over sooner is not told, unless it comes again and again."),
            Field::number("gathering_seconds", "Alerts gather for", "s")
                .usual("10")
                .hint("0 to 300. A rack that dies is one mail."),
            Field::number("reminder_hours", "Remind after", "h")
                .usual("24")
                .hint("Of trouble that lasts; 0: never."),
        ],
    },
];

/// How mail gets to its destination.
pub(super) const MAIL: &[Section] = &[Section {
    title: "Mail server",
    advanced: false,
    fields: &[
        Field::text("smart_host", "Smart host")
            .example("mail.hospital.example")
            .blank("the mail servers (MX) of each destination's domain")
            .hint("Name or IPv4 address."),
        Field::number("port", "Port", "")
            .example("587")
            .blank("25, or 465 with encryption from the first byte"),
        Field::choice("encryption", "Encryption", ENCRYPTIONS),
        Field::area("tls_verify", "Trusted certificates")
            .usual("system")
            .hint("Where encryption is demanded: system, none, or certificates in PEM."),
        Field::text("tls_server_name", "Name in the certificate")
            .example("mail.hospital.example")
            .blank("the smart host's"),
        Field::text("user", "User")
            .example("lbmaster")
            .blank("none")
            .hint("Its password is set apart, on the page before this one."),
        Field::text("hello_name", "Name for mail servers (EHLO)")
            .example("lbmaster.hospital.example")
            .blank("the host name"),
    ],
}];

/// Date and time.
pub(super) const TIME: &[Section] = &[Section {
    title: "Date and time",
    advanced: false,
    fields: &[
        Field::reference("zone", "Time zone").usual("UTC").hint("In which pages and mails tell times."),
        Field::list("ntp_servers", "NTP servers")
            .example("ntp.hospital.example, 192.168.10.3")
            .blank("nobody looks after the clock")
            .hint("Names or addresses, at most 8; four are a good number."),
    ],
}];

/// Where newer versions are looked for.
pub(super) const ONLINE_UPDATES: &[Section] = &[Section {
    title: "Update server",
    advanced: false,
    fields: &[
        Field::text("url", "URL")
            .example("https://updates.example/evenkeel.index.json")
            .blank("nobody looks for newer versions")
            .hint("Of the index, beginning with https://."),
        Field::number("interval_hours", "Look every", "h").usual("24"),
        Field::text("proxy", "HTTP proxy")
            .example("http://proxy.hospital.example:3128")
            .blank("no proxy")
            .hint("Where the way out leads through one."),
        Field::area("certificate_authority", "Trusted certificates")
            .blank("the usual authorities")
            .hint("In PEM, instead of the usual authorities: where the server, or a proxy that opens HTTPS, has its own."),
    ],
}];

const AUTHENTICATIONS: &[Choice] = &[
    ("sha256", "SHA-256 (default)"),
    ("sha224", "SHA-224"),
    ("sha384", "SHA-384"),
    ("sha512", "SHA-512"),
    ("sha1", "SHA-1, for old managers"),
    ("md5", "MD5, for very old managers"),
];
const PRIVACIES: &[Choice] = &[
    ("aes128", "AES-128 (default)"),
    ("aes192", "AES-192, as net-snmp has it"),
    ("aes256", "AES-256, as net-snmp has it"),
    ("aes192c", "AES-192, as Cisco has it"),
    ("aes256c", "AES-256, as Cisco has it"),
    ("des", "DES, for old managers"),
    ("none", "None: readable by whoever listens"),
];

const TRAP_VERSIONS: &[Choice] = &[
    ("v2c", "v2c, with the community (default)"),
    ("v1", "v1, with the community"),
    ("v3", "v3, as a user"),
];

/// The SNMP agent.
pub(super) const SNMP: &[Section] = &[Section {
    title: "SNMP agent",
    advanced: false,
    fields: &[
        Field::switch("enabled", "Answer managers").usual("off"),
        Field::list("versions", "Versions")
            .usual("v2c, v3")
            .hint("v1, v2c and v3. Versions 1 and 2c send everything, the community too, in clear."),
        Field::list("sources", "Managers")
            .example("10.1.2.3, 10.1.4.0/24")
            .blank("everybody who reaches the management address")
            .hint("Addresses or networks that may ask."),
        Field::number("port", "Port (UDP)", "").usual("161").hint("On the management address."),
        Field::text("location", "Location").example("Room 3, rack 2").blank("not told"),
        Field::text("contact", "Contact").example("pacs@hospital.example").blank("not told"),
    ],
}];

/// A manager that is told of alerts by traps.
pub(super) const SNMP_TRAP: &[Section] = &[Section {
    title: "Destination of traps",
    advanced: false,
    fields: &[
        Field::text("label", "Label").example("NMS").hint("Letters, digits, '_', '-' and '.'; unique."),
        Field::text("address", "Address").example("10.1.2.3").hint("IPv4 or IPv6."),
        Field::number("port", "Port (UDP)", "").usual("162"),
        Field::choice("version", "Version", TRAP_VERSIONS),
        Field::text("user", "User").example("nms").blank("none").hint("With version 3: one of the users."),
        Field::switch("inform", "Informs").usual("off").hint(
            "The manager confirms each, and it is sent again for some seconds until it does. Not with version 1. \
             Without: traps, of which nobody knows whether they arrive.",
        ),
    ],
}];

/// A user of SNMP version 3.
pub(super) const SNMP_USER: &[Section] = &[Section {
    title: "User",
    advanced: false,
    fields: &[
        Field::text("name", "Name")
            .example("nms")
            .hint("1 to 32 letters, digits and signs of []#~_*!=$%?{}@:;^; unique."),
        Field::choice("authentication", "Authentication", AUTHENTICATIONS),
        Field::choice("privacy", "Privacy (encryption)", PRIVACIES)
            .hint("Who has one must encrypt. The passphrases are set apart, on the page before this one."),
    ],
}];

/// What is asked of a server while its service is being added.
pub(super) const SERVER_ROW: &[Field] = &[
    Field::text("label", "Label").blank("named after the service").example("DATALINK_POOL1_NODE1"),
    Field::text("address", "Address").example("192.168.10.110"),
    Field::number("port", "Port", "").blank("the client's").example("2001"),
    Field::number("weight", "Weight", "").usual("100"),
];

/// The fields of all sections.
pub(super) fn fields(sections: &'static [Section]) -> impl Iterator<Item = &'static Field> {
    sections.iter().flat_map(|section| section.fields)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::config::document::{
        AlertsDocument, Document, MailDocument, OnlineUpdateDocument, PersistenceDocument,
        RealServerDocument, ServiceAlertsDocument, SnmpDocument, SnmpTrapDocument, SnmpUserDocument,
        SyslogServerDocument, TimeDocument, VirtualServiceDocument,
    };
    use crate::config::{Config, Format, validate};
    use crate::web::pages::cluster::field::Kind;

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");
    const TABLES: [(&[Section], &str); 5] = [
        (SERVICE, "/virtual_service/0"),
        (SERVER, "/virtual_service/0/real_server/0"),
        (SYSLOG_SERVER, "/syslog_server/0"),
        (SNMP_USER, "/snmp/user/0"),
        (ONLINE_UPDATES, "/update"),
    ];

    /// The example with one setting of its first service or server as it is said; without it where nothing is.
    fn with(place: &str, path: &str, value: Option<Value>) -> Config {
        let mut json = serde_json::to_value(Document::parse(EXAMPLE, Format::Toml).unwrap()).unwrap();
        json["syslog_server"] = serde_json::json!([{"label": "SIEM", "address": "10.1.2.3"}]);
        json["update"] = serde_json::json!({"url": "https://updates.example/index.json"});
        json["snmp"] = serde_json::json!({"enabled": true, "user": [{"name": "nms"}]});
        let (table, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut entry = json.pointer_mut(place).unwrap();
        if !table.is_empty() {
            let tables = entry.as_object_mut().unwrap();
            entry = tables.entry(table).or_insert_with(|| Value::Object(Default::default()));
        }
        match value {
            Some(value) => entry[name] = value,
            None => drop(entry.as_object_mut().unwrap().remove(name)),
        }
        validate(serde_json::from_value(json).unwrap())
            .unwrap_or_else(|problems| panic!("{path}: {problems:?}"))
    }

    #[test]
    fn every_choice_of_a_form_is_one_that_the_configuration_takes() {
        for (sections, place) in TABLES {
            for field in fields(sections) {
                let Kind::Choice(choices) = field.kind else { continue };
                for (value, _) in choices {
                    with(place, field.path, Some(Value::from(*value)));
                }
            }
        }
    }

    #[test]
    fn what_a_form_calls_the_default_is_the_default() {
        for (sections, place) in TABLES {
            for field in fields(sections).filter(|field| !field.usual.is_empty()) {
                let usual = match field.kind {
                    Kind::Number(_) => Value::from(field.usual.parse::<i64>().unwrap()),
                    Kind::Switch => Value::from(field.usual == "on"),
                    _ => Value::from(field.usual),
                };
                let mut said = with(place, field.path, Some(usual));
                let unsaid = with(place, field.path, None);
                said.document = unsaid.document.clone();
                assert_eq!(said, unsaid, "correct the default of {} in these tables", field.path);
            }
        }
    }

    /// Settings that have pages of their own.
    const ELSEWHERE: [&str; 4] = ["real_server", "pin", "user", "trap"];

    /// A setting that is a table may have an input for each of its parts.
    fn expect_inputs<T: schemars::JsonSchema>(sections: &'static [Section], within: &str) {
        let schema = schemars::schema_for!(T);
        let settings: BTreeSet<_> =
            schema.get("properties").and_then(Value::as_object).unwrap().keys().collect();
        let paths = || fields(sections).filter_map(|field| field.path.strip_prefix(within));
        let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        for setting in settings.iter().filter(|setting| !ELSEWHERE.contains(&setting.as_str())) {
            let is_asked = paths().any(|path| first(path) == **setting);
            assert!(is_asked, "no form asks for {within}{setting}: add a line for it to these tables");
        }
        for path in paths() {
            assert!(settings.contains(&first(path)), "there is no setting {within}{path}");
        }
    }

    #[test]
    fn every_setting_of_services_and_servers_has_its_input() {
        expect_inputs::<VirtualServiceDocument>(SERVICE, "");
        expect_inputs::<PersistenceDocument>(SERVICE, "persistence.");
        expect_inputs::<ServiceAlertsDocument>(SERVICE, "alerts.");
        expect_inputs::<RealServerDocument>(SERVER, "");
        expect_inputs::<SyslogServerDocument>(SYSLOG_SERVER, "");
        expect_inputs::<AlertsDocument>(ALERTS, "");
        expect_inputs::<MailDocument>(MAIL, "");
        expect_inputs::<TimeDocument>(TIME, "");
        expect_inputs::<OnlineUpdateDocument>(ONLINE_UPDATES, "");
        expect_inputs::<SnmpDocument>(SNMP, "");
        expect_inputs::<SnmpUserDocument>(SNMP_USER, "");
        expect_inputs::<SnmpTrapDocument>(SNMP_TRAP, "");
    }
}
