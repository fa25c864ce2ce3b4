//! Rules of `[snmp]`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::pins::network;
use super::{Collector, ipv4_address, port};
use crate::config::document::{SnmpDocument, SnmpUserDocument};
use crate::config::snmp::{Authentication, Privacy, Snmp, SnmpText, SnmpUser, SnmpVersion};
use crate::config::values::{Fault, quoted};
use crate::network::topology::{Family, Network};

/// Port table of the product's specification.
const PORT: u16 = 161;
/// A hospital has a handful of managers; each network is looked at for each datagram that is no answer.
const MOST_SOURCES: usize = 32;
/// Each manager has one; their keys are made anew whenever the agent starts.
const MOST_USERS: usize = 16;
/// RFC 3414 section 5, `usmUserName`.
const LONGEST_NAME: usize = 32;
/// RFC 3418, `sysLocation` and `sysContact`: DisplayString of so many characters.
const LONGEST_TEXT: usize = 255;

/// The agent, if it follows the rules.
pub(super) fn agent(check: &mut Collector, document: &SnmpDocument) -> Option<Snmp> {
    let versions = versions(check, &document.versions);
    let port = match document.port {
        Some(value) => check.take("snmp.port", port(value)),
        None => Some(PORT),
    };
    let sources = sources(check, &document.sources);
    let location = text(check, "snmp.location", document.location.as_deref());
    let contact = text(check, "snmp.contact", document.contact.as_deref());
    let users = users(check, &document.user);
    Some(Snmp {
        versions: versions?,
        port: port?,
        sources: sources?,
        location: location?,
        contact: contact?,
        users: users?,
    })
}

fn versions(check: &mut Collector, words: &[String]) -> Option<BTreeSet<SnmpVersion>> {
    if words.is_empty() {
        return Some(BTreeSet::from([SnmpVersion::V2c, SnmpVersion::V3]));
    }
    let version = |word: &String| match word.as_str() {
        "v1" => Ok(SnmpVersion::V1),
        "v2c" => Ok(SnmpVersion::V2c),
        "v3" => Ok(SnmpVersion::V3),
        other => {
            let problem = format!("{} is no version of SNMP", quoted(other));
            Err(Fault::new(problem, "use \"v1\", \"v2c\" and \"v3\""))
        }
    };
    let versions: Vec<_> = words
        .iter()
        .enumerate()
        .map(|(index, word)| check.take(format!("snmp.versions[{index}]"), version(word)))
        .collect();
    versions.into_iter().collect()
}

/// Those that lie within others are left out: the kernel takes no network twice.
fn sources(check: &mut Collector, texts: &[String]) -> Option<Vec<Network>> {
    if texts.len() > MOST_SOURCES {
        let problem = format!("{} sources are too many", texts.len());
        check.report("snmp.sources", Fault::new(problem, format!("give at most {MOST_SOURCES} networks")));
        return None;
    }
    let all: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| check.take(format!("snmp.sources[{index}]"), source(text)))
        .collect();
    let mut all: Vec<Network> = all.into_iter().collect::<Option<_>>()?;
    all.sort_by_key(|network| (network.prefix, network.base()));
    let mut kept: Vec<Network> = Vec::new();
    for network in all {
        if !kept.iter().any(|wider| wider.contains(network.address)) {
            kept.push(network);
        }
    }
    Some(kept)
}

/// The management address is an IPv4 address: so are those who ask.
fn source(text: &str) -> Result<Network, Fault> {
    if !text.contains('/') {
        let address = IpAddr::V4(ipv4_address(text)?);
        return Ok(Network { address, prefix: Family::Ipv4.host_prefix() });
    }
    let network = network(text)?;
    match network.address {
        IpAddr::V4(_) if network.base() == network.address => Ok(network),
        IpAddr::V4(_) => {
            let problem = format!("{} is an address within {network}", quoted(text));
            Err(Fault::new(problem, format!("write {network} for all of it, or {} alone", network.address)))
        }
        IpAddr::V6(_) => {
            let problem = format!("{network} is an IPv6 network, and the management address an IPv4 one");
            Err(Fault::new(problem, "give an IPv4 network such as 10.1.0.0/16"))
        }
    }
}

fn text(check: &mut Collector, field: &str, text: Option<&str>) -> Option<String> {
    let text = text.unwrap_or_default();
    if text.len() <= LONGEST_TEXT && text.chars().all(|c| (' '..='~').contains(&c)) {
        return Some(text.to_owned());
    }
    let problem = format!("{} is too long, or has characters that SNMP does not know", quoted(text));
    let remedy = format!("give at most {LONGEST_TEXT} printable ASCII characters in one line");
    check.report(field, Fault::new(problem, remedy));
    None
}

fn users(check: &mut Collector, documents: &[SnmpUserDocument]) -> Option<Vec<SnmpUser>> {
    if documents.len() > MOST_USERS {
        let problem = format!("{} users are too many", documents.len());
        check.report("snmp.user", Fault::new(problem, format!("keep at most {MOST_USERS}")));
    }
    let mut seen = BTreeMap::new();
    let mut users = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("snmp.user[{index}]");
        if let Some(first) = seen.insert(document.name.as_str(), index) {
            let problem = format!("the user {} is entry {} already", quoted(&document.name), first + 1);
            check.report(format!("{field}.name"), Fault::new(problem, "give each user its own name"));
        }
        users.push(user(check, &field, document));
    }
    users.into_iter().collect()
}

fn user(check: &mut Collector, field: &str, document: &SnmpUserDocument) -> Option<SnmpUser> {
    let name = SnmpText::new(&document.name, "name", 1, LONGEST_NAME);
    let name = check.take(format!("{field}.name"), name);
    let authentication = match document.authentication.as_deref() {
        None => Some(Authentication::Sha256),
        Some(word) => {
            let found = Authentication::ALL.iter().copied().find(|known| known.word() == word);
            let words = Authentication::ALL.iter().map(|known| known.word());
            check.take(format!("{field}.authentication"), found.ok_or_else(|| unknown(word, words)))
        }
    };
    let privacy = match document.privacy.as_deref() {
        None => Some(Some(Privacy::Aes128)),
        Some("none") => Some(None),
        Some(word) => {
            let found = Privacy::ALL.iter().copied().find(|known| known.word() == word);
            let words = Privacy::ALL.iter().map(|known| known.word()).chain(["none"]);
            check.take(format!("{field}.privacy"), found.ok_or_else(|| unknown(word, words))).map(Some)
        }
    };
    Some(SnmpUser { name: name?, authentication: authentication?, privacy: privacy? })
}

fn unknown<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let known: Vec<_> = known.collect();
    Fault::new(format!("{} is not known", quoted(word)), format!("use one of {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &SnmpDocument) -> (Option<Snmp>, Vec<String>) {
        let mut check = Collector::default();
        let agent = agent(&mut check, document);
        (agent, check.problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn nothing_given_means_the_safe_versions_on_the_usual_port() {
        let (agent, problems) = told(&SnmpDocument::default());
        let agent = agent.unwrap();
        assert_eq!(agent.versions, BTreeSet::from([SnmpVersion::V2c, SnmpVersion::V3]));
        assert_eq!((agent.port, agent.sources.len(), problems.len()), (161, 0, 0));
        let user = SnmpUserDocument { name: "nms".into(), ..SnmpUserDocument::default() };
        let (agent, _) = told(&SnmpDocument { user: vec![user], ..SnmpDocument::default() });
        let user = &agent.unwrap().users[0];
        assert_eq!((user.authentication, user.privacy), (Authentication::Sha256, Some(Privacy::Aes128)));
    }

    #[test]
    fn a_network_within_another_one_is_left_out() {
        let sources = ["10.1.2.3", "10.1.0.0/16", "192.168.10.5", "10.1.0.0/16"].map(str::to_owned).to_vec();
        let (agent, _) = told(&SnmpDocument { sources, ..SnmpDocument::default() });
        let kept: Vec<_> = agent.unwrap().sources.iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["10.1.0.0/16", "192.168.10.5/32"]);
    }

    #[test]
    fn each_mistake_is_named() {
        let some = |text: &str| Some(text.to_owned());
        let with_user = |user| SnmpDocument { user: vec![user], ..SnmpDocument::default() };
        let right = SnmpUserDocument { name: "nms".into(), ..SnmpUserDocument::default() };
        for (wrong, field) in [
            (SnmpDocument { versions: vec!["v2".into()], ..SnmpDocument::default() }, "versions[0]"),
            (SnmpDocument { port: Some(0), ..SnmpDocument::default() }, "port"),
            (SnmpDocument { sources: vec!["10.1.2.3/16".into()], ..SnmpDocument::default() }, "sources[0]"),
            (SnmpDocument { sources: vec!["fd00::/64".into()], ..SnmpDocument::default() }, "sources[0]"),
            (SnmpDocument { sources: vec!["10.1.2.3".into(); 33], ..SnmpDocument::default() }, "sources"),
            (SnmpDocument { location: some("a\nb"), ..SnmpDocument::default() }, "location"),
            (SnmpDocument { contact: Some("x".repeat(256)), ..SnmpDocument::default() }, "contact"),
            (with_user(SnmpUserDocument { name: "a b".into(), ..right.clone() }), "user[0].name"),
            (
                with_user(SnmpUserDocument { authentication: some("none"), ..right.clone() }),
                "user[0].authentication",
            ),
            (with_user(SnmpUserDocument { privacy: some("rot13"), ..right.clone() }), "user[0].privacy"),
        ] {
            assert_eq!(told(&wrong).1, [format!("snmp.{field}")], "{wrong:?}");
        }
        let twice = SnmpDocument { user: vec![right.clone(), right], ..SnmpDocument::default() };
        assert_eq!(told(&twice).1, ["snmp.user[1].name"]);
    }
}
