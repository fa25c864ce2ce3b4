//! What the forms about the ways to manage the appliance ask for; paths are those of the whole document.

use super::field::{Choice, Field, Section};

const MODES: &[Choice] = &[("secure", "secure: HTTPS only (default)"), ("custom", "custom: as chosen below")];

/// Which ways are open.
pub(super) const SECURITY: &[Section] = &[Section {
    title: "Security mode",
    advanced: false,
    fields: &[
        Field::choice("security.mode", "Security mode", MODES)
            .hint("In the mode secure, API tokens count and nothing is answered in clear."),
        Field::switch("security.api_tokens", "API tokens count").hint(
            "Off: programs get in with a user's name and password only. For the mode custom; in the mode secure it must be on.",
        ),
        Field::switch("security.http", "WebUI over HTTP").usual("off").hint(
            "Everybody on the way reads passwords. For the mode custom only.",
        ),
    ],
}];

/// Who may reach what.
pub(super) const LOCKDOWN: &[Section] = &[Section {
    title: "Networks that may manage the appliance",
    advanced: false,
    fields: &[
        Field::list("security.web_sources", "WebUI and API")
            .example("192.168.10.0/24, 10.1.2.3")
            .blank("everywhere")
            .hint("Addresses or networks, at most 32. Your own must be among them."),
        Field::list("snmp.sources", "SNMP")
            .example("10.1.4.0/24")
            .blank("everywhere")
            .hint("Addresses or networks of the managers, at most 32."),
    ],
}];

/// Where the services answer.
pub(super) const SOCKETS: &[Section] = &[
    Section {
        title: "Management address",
        advanced: false,
        fields: &[
            Field::text("management.interface", "Interface").hint("Over which administrators come."),
            Field::text("management.address", "Address").hint(
                "An IPv4 address of that interface, where WebUI, API and SNMP answer; never a virtual address.",
            ),
        ],
    },
    Section {
        title: "Ports",
        advanced: false,
        fields: &[
            Field::number("management.https_port", "WebUI and API over HTTPS (TCP)", "").usual("9443"),
            Field::number("security.http_port", "WebUI over HTTP (TCP)", "")
                .usual("9080")
                .hint("It answers only where the page Security has switched it on."),
            Field::number("snmp.port", "SNMP (UDP)", "")
                .usual("161")
                .hint("It answers only where the page SNMP Configuration has switched it on."),
            Field::number("layer4.fallback_page_port", "Fallback answers, pages and DICOM rejections (TCP)", "")
                .usual("9081")
                .hint("Nobody reaches it directly: the kernel redirects clients of a service without a server."),
        ],
    },
];
