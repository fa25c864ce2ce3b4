//! The words of the screens. Each fits 24 lines of 80 characters, its prompt included.

use std::net::Ipv4Addr;

use super::check::{MODES, default_gateway, default_interface, interfaces};
use super::{Answers, Screen, Wizard, answers};
use crate::console::Prompt;
use crate::console::facts::{Adapter, Daemon};
use crate::console::new_password::KEYBOARD;
use crate::console::text::{paragraph, plain};
use crate::network::topology::Network;

const KEYS: &str = "(Enter takes what is in brackets; b goes back; c leaves without any change)";

pub(super) fn text(wizard: &Wizard) -> String {
    let (title, body) = match wizard.screen {
        Screen::ManagementIp => (
            "Management IP address",
            paragraph("The appliance is managed with a web browser, at one address of its own.", 0),
        ),
        Screen::PeerRecovery => (
            "Peer recovery",
            paragraph(
                "A replaced appliance could get its configuration back from the other one of its pair.",
                0,
            ),
        ),
        Screen::CentralManagement => (
            "Centralised management",
            paragraph("The appliance could be managed together with others, from a management server.", 0),
        ),
        Screen::Interfaces => ("Available interfaces", adapters(wizard)),
        Screen::Bonding => {
            ("Bonding", paragraph("Several adapters can be used as one, for the case that one fails.", 0))
        }
        Screen::BondMembers => ("Bonding: members", adapters(wizard)),
        Screen::BondMode => ("Bonding: mode", list(&MODES.map(str::to_owned))),
        Screen::Vlan => ("VLAN", paragraph("The management network can be a tagged VLAN (IEEE 802.1Q).", 0)),
        Screen::VlanId => {
            ("VLAN: id", paragraph("The number that your switch gives the management network.", 0))
        }
        Screen::ManagementInterface => ("Management interface", list(&interfaces(wizard))),
        Screen::Address => (
            "Static IP address",
            paragraph(
                "Address and prefix, as in 192.168.2.21/24. The prefix 24 is the netmask 255.255.255.0. It takes \
                 some seconds to see whether somebody else uses the address.",
                0,
            ),
        ),
        Screen::Gateway => {
            ("Default gateway", paragraph("The router of this network, or none where everybody is near.", 0))
        }
        Screen::DnsServers => {
            ("DNS servers", paragraph("Their addresses with blanks between them, or none.", 0))
        }
        Screen::Password | Screen::PasswordAgain => ("Password", password(wizard)),
        Screen::Summary => ("Summary", summary(wizard)),
    };
    format!("\n-- Setup: {title} --\n\n{body}\n{KEYS}\n")
}

/// What is said to who wants what there is not.
pub(super) fn not_built(screen: Screen) -> &'static str {
    match screen {
        Screen::PeerRecovery => {
            "Peer recovery is not built yet. The wizard goes on without it; a backup can be restored in the WebUI \
             afterwards."
        }
        _ => "Centralised management is not built yet. The wizard goes on without it.",
    }
}

pub(super) fn prompt(wizard: &Wizard) -> Prompt {
    let answers = &wizard.answers;
    let Answers { configures, has_bond, has_vlan, .. } = *answers;
    let text = match wizard.screen {
        Screen::ManagementIp => with_default("Configure the management IP? (Yes/No)", yes(configures)),
        Screen::PeerRecovery => with_default("Recover from a peer? (Yes/No)", "No"),
        Screen::CentralManagement => with_default("Use centralised management? (Yes/No)", "No"),
        Screen::Interfaces => "Press Enter: ".into(),
        Screen::Bonding => with_default("Bond adapters? (Yes/No)", yes(has_bond)),
        Screen::BondMembers => with_default("Adapters of the bond", &answers.bond.members.join(" ")),
        Screen::BondMode => with_default("Mode", &answers.bond.mode),
        Screen::Vlan => with_default("Use a VLAN? (Yes/No)", yes(has_vlan)),
        Screen::VlanId => {
            with_default("VLAN id (1 to 4094)", &answers.vlan.id.map(|id| id.to_string()).unwrap_or_default())
        }
        Screen::ManagementInterface => with_default("Interface", &default_interface(wizard)),
        Screen::Address => {
            with_default("IP address/prefix", &answers.address.map(with_prefix).unwrap_or_default())
        }
        Screen::Gateway => with_default("Default gateway", &or_none(default_gateway(answers))),
        Screen::DnsServers => with_default("DNS servers", &joined(&answers.dns)),
        Screen::Password => {
            let default = match (&answers.password, wizard.has_password) {
                (Some(_), _) => "as typed before",
                (None, true) => "unchanged",
                (None, false) => "",
            };
            return Prompt::hidden(with_default("Password (8 to 256 characters)", default));
        }
        Screen::PasswordAgain => return Prompt::hidden("The same again: "),
        Screen::Summary => with_default("Apply this? (Yes/No)", "Yes"),
    };
    Prompt::new(plain(&text))
}

fn with_default(question: &str, default: &str) -> String {
    if default.is_empty() { format!("{question}: ") } else { format!("{question} [{default}]: ") }
}

fn yes(yes: bool) -> &'static str {
    if yes { "Yes" } else { "No" }
}

fn or_none(address: Option<Ipv4Addr>) -> String {
    address.map_or_else(|| "none".to_owned(), |address| address.to_string())
}

fn joined(addresses: &[Ipv4Addr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(" ") }
}

fn with_prefix(network: Network) -> String {
    format!("{}/{}", network.address, network.prefix)
}

fn list(names: &[String]) -> String {
    names.iter().enumerate().map(|(index, name)| format!("  {}  {}\n", index + 1, plain(name))).collect()
}

/// More than the machine can have (four, product specification), so that a screen holds them.
const MOST_ADAPTERS: usize = 12;

fn adapters(wizard: &Wizard) -> String {
    let line = |(index, adapter): (usize, &Adapter)| {
        let addresses = adapter.addresses.first().map(String::as_str).unwrap_or_default();
        let (name, hardware) = (plain(&adapter.name), plain(&adapter.hardware));
        let link = adapter.link.to_string();
        let line = format!("  {}  {name:<10} {hardware:<17}  {link:<20} {}", index + 1, plain(addresses));
        line.trim_end().to_owned() + "\n"
    };
    let lines: String = wizard.adapters.iter().enumerate().take(MOST_ADAPTERS).map(line).collect();
    if lines.is_empty() { "This machine has no network adapter: add one to it.\n".to_owned() } else { lines }
}

fn password(wizard: &Wizard) -> String {
    let text = "It is for the user loadbalancer of the WebUI, and for the console here, where root is the same user. \
                Nothing is shown while you type.";
    let keyboard = if wizard.has_keyboard { paragraph(KEYBOARD, 0) } else { String::new() };
    paragraph(text, 0) + &keyboard
}

fn summary(wizard: &Wizard) -> String {
    let answers = &wizard.answers;
    let mut lines = Vec::new();
    if answers.configures {
        if answers.has_bond {
            let bond =
                format!("{} of {} ({})", answers::BOND, answers.bond.members.join(" "), answers.bond.mode);
            lines.push(("Bond", bond));
        }
        lines.push(("Management interface", answers.interface.clone()));
        lines.push(("IP address", answers.address.map(with_prefix).unwrap_or_default()));
        lines.push(("Default gateway", or_none(answers.gateway)));
        lines.push(("DNS servers", joined(&answers.dns)));
    } else {
        lines.push(("Network", "unchanged".to_owned()));
    }
    lines.push(("Password", if answers.password.is_some() { "as typed" } else { "unchanged" }.to_owned()));
    lines.iter().map(|(name, value)| format!("  {name:<21} {}\n", plain(value))).collect()
}

/// The last screen.
pub fn complete(daemon: &Daemon, note: Option<&str>) -> String {
    let mut text = "\n-- Configuration complete --\n\n".to_owned();
    if let Daemon::Answers(facts) = daemon {
        text += &format!("WebUI: {} (user loadbalancer)\n", plain(&facts.address()));
        if let Some(fingerprint) = &facts.fingerprint {
            text += "SHA-256 fingerprint of its certificate, to be compared with the browser's:\n";
            let (first, second) = fingerprint.split_at(fingerprint.len().div_ceil(2));
            text += &format!("  {}\n  {}\n", plain(first), plain(second));
        }
    }
    if let Some(note) = note {
        text += &paragraph(note, 0);
    }
    text + &paragraph(
        "Software updates are never installed by themselves: they wait for an administrator.",
        0,
    )
}
