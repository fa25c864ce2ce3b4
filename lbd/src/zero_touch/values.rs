//! The rule of each zero-touch setting: text to value, or what is wrong with it and what to write instead.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::clock::zone;
use crate::config::values::{Fault, quoted};
use crate::config::{self, Document, Format, HostName, Problem, address_with_prefix, ipv4_address, validate};
use crate::network::topology::Network;
use crate::web::password::check_hash;

/// DNS or NTP servers: more than anybody asks; a bound for the size of the configuration.
const MOST_ENTRIES: usize = 8;
/// Linux: `HOST_NAME_MAX`.
const HOST_NAME_CHARACTERS: usize = 64;
/// Problems of a configuration that are told; the first ones explain the others often enough.
const MOST_PROBLEMS: usize = 10;

pub(super) fn host_name(text: &str) -> Result<HostName, Fault> {
    if text.len() > HOST_NAME_CHARACTERS {
        let problem = format!("{} is longer than {HOST_NAME_CHARACTERS} characters", quoted(text));
        return Err(Fault::new(problem, "shorten it, for example by leaving out the domain"));
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return Err(Fault::new(
            format!("{} is an address", quoted(text)),
            "give a name, for example lbmaster",
        ));
    }
    HostName::try_from(text)
}

/// The same as [`management_address`]; what is used instead is told too.
pub(super) fn address(text: &str) -> Result<Network, Fault> {
    management_address(text).map_err(|fault| {
        let remedy = format!("{}; until then {} is used", fault.remedy, "192.168.2.21/24");
        Fault::new(fault.problem, remedy)
    })
}

/// Address and prefix of a host; a netmask is answered with the prefix that it means.
pub fn management_address(text: &str) -> Result<Network, Fault> {
    let network = address_with_prefix(text)?;
    let IpAddr::V4(host) = network.address else {
        let problem = format!("{} is not an IPv4 address", quoted(text));
        return Err(Fault::new(problem, "give an IPv4 address, for example 192.168.2.21/24"));
    };
    let hosts = u32::MAX.checked_shr(u32::from(network.prefix)).unwrap_or(0);
    let host = host.to_bits() & hosts;
    // RFC 3021: a network of two addresses has neither a network nor a broadcast address.
    if network.prefix < 31 && (host == 0 || host == hosts) {
        let kind = if host == 0 { "network" } else { "broadcast" };
        let problem = format!("{} is the {kind} address of its network", quoted(text));
        return Err(Fault::new(problem, "give the address of a host, for example 192.168.2.21/24"));
    }
    Ok(network)
}

/// A router, and not far away.
pub(super) fn gateway(text: &str, near: Network) -> Result<Ipv4Addr, Fault> {
    let gateway = ipv4_address(text)?;
    let own = format!("{}/{}", near.address, near.prefix);
    if near.address == gateway {
        return Err(Fault::new(
            format!("{gateway} is the appliance's own address"),
            "give the router's address",
        ));
    }
    if !near.contains(gateway.into()) {
        let problem = format!("{gateway} is not in the network of {own}");
        return Err(Fault::new(problem, "give a router in this network, or correct ip_address"));
    }
    Ok(gateway)
}

/// A name or an address.
pub(super) fn time_server(text: &str) -> Result<HostName, Fault> {
    // What looks like an address, must be one: a name never ends in a number (RFC 1123 section 2.1).
    let last = text.rsplit('.').next().unwrap_or_default();
    if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        ipv4_address(text)?;
    }
    // In small letters: a name is the same in any, and must be there once.
    HostName::try_from(text.to_ascii_lowercase().as_str())
}

/// Not an address.
pub(super) fn search_domain(text: &str) -> Result<HostName, Fault> {
    const EXAMPLE: &str = "give a domain, for example hospital.example";
    if text.parse::<IpAddr>().is_ok() {
        return Err(Fault::new(format!("{} is an address", quoted(text)), EXAMPLE));
    }
    HostName::try_from(text).map_err(|_| Fault::new(format!("{} is no domain", quoted(text)), EXAMPLE))
}

/// Its IANA name, in the usual letters.
pub(super) fn time_zone(text: &str) -> Result<String, Fault> {
    config::time_zone(text).map(|found| zone::name(&found).to_owned())
}

/// The entries that pass, each once, and what is wrong with the others.
pub(super) fn list<T: PartialEq>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, Fault>,
) -> (Vec<T>, Vec<Fault>) {
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let mut words =
        text.split(|c: char| matches!(c, ',' | ';') || c.is_whitespace()).filter(|word| !word.is_empty());
    for word in words.by_ref().take(MOST_ENTRIES) {
        match parse(word) {
            Ok(entry) if entries.contains(&entry) => {}
            Ok(entry) => entries.push(entry),
            Err(fault) => faults.push(fault),
        }
    }
    let more = words.count();
    if more > 0 {
        faults.push(Fault::new(
            format!("{more} entries too many are left out"),
            format!("give at most {MOST_ENTRIES}"),
        ));
    }
    (entries, faults)
}

/// Not more than a check: it is kept as it was given.
pub(super) fn password_hash(text: &str) -> Result<String, Fault> {
    check_hash(text).map(|()| text.to_owned())
}

/// TOML, or Base64 of it: `[management]` is in every configuration, and no bracket in Base64 (RFC 4648).
pub(super) fn configuration(text: &str) -> Result<Document, Vec<Problem>> {
    let is_toml = text.contains('[');
    let toml = if is_toml { Ok(text.to_owned()) } else { decode(text) };
    let toml = toml.map_err(|fault| {
        vec![Problem { field: "configuration".into(), problem: fault.problem, remedy: fault.remedy }]
    })?;
    let config = Document::parse(&toml, Format::Toml).and_then(validate);
    config.map(|config| std::sync::Arc::unwrap_or_clone(config.document)).map_err(|problems| {
        // An attribute of XML has no line breaks (XML 1.0 section 3.3.3).
        let flattened = is_toml && !toml.contains('\n');
        let named = |problem: Problem| Problem {
            field: format!("configuration: {}", problem.field),
            remedy: match flattened {
                true => "pass it in Base64: the line breaks were lost on the way".into(),
                false => problem.remedy,
            },
            problem: problem.problem,
        };
        problems.into_iter().take(MOST_PROBLEMS).map(named).collect()
    })
}

fn decode(text: &str) -> Result<String, Fault> {
    const REMEDY: &str = "encode the file with `base64 -w0 FILE`";
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let compact: String = text.split_whitespace().collect();
    let bytes = GeneralPurpose::new(&STANDARD, lenient).decode(compact).map_err(|error| {
        let error = error.to_string();
        Fault::new(format!("neither TOML nor Base64: {}", error.trim_end_matches('.')), REMEDY)
    })?;
    String::from_utf8(bytes).map_err(|_| Fault::new("the text in Base64 is not UTF-8", REMEDY))
}
