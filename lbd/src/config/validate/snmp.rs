//! Rules of `[snmp]`.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::sources;
use super::{Collector, host_address, port};
use crate::config::Label;
use crate::config::document::{SnmpDocument, SnmpTrapDocument, SnmpUserDocument};
use crate::config::snmp::{
    Authentication, Privacy, Snmp, SnmpText, SnmpUser, SnmpVersion, TrapDestination, TrapWay,
};
use crate::config::values::{Fault, quoted};

/// Port table of the product's specification.
const PORT: u16 = 161;
/// Each manager has one; their keys are made anew whenever the agent starts.
const MOST_USERS: usize = 16;
/// Each has a queue of its own.
const MOST_TRAPS: usize = 8;
/// RFC 3417, and the habit of all managers.
const TRAP_PORT: u16 = 162;
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
    let sources = sources(check, "snmp.sources", &document.sources);
    let location = text(check, "snmp.location", document.location.as_deref());
    let contact = text(check, "snmp.contact", document.contact.as_deref());
    let users = users(check, &document.user);
    let traps = traps(check, &document.trap, users.as_deref().unwrap_or_default());
    Some(Snmp {
        enabled: document.enabled == Some(true),
        traps,
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

/// The destinations that follow the rules.
fn traps(check: &mut Collector, documents: &[SnmpTrapDocument], users: &[SnmpUser]) -> Vec<TrapDestination> {
    if documents.len() > MOST_TRAPS {
        let problem = format!("{} destinations of traps are too many", documents.len());
        check.report("snmp.trap", Fault::new(problem, format!("keep at most {MOST_TRAPS}")));
    }
    let mut seen = BTreeMap::new();
    let mut traps = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("snmp.trap[{index}]");
        check.unique(&field, &mut seen, &document.label, index);
        traps.extend(trap(check, &field, document, users));
    }
    traps
}

fn trap(
    check: &mut Collector,
    field: &str,
    document: &SnmpTrapDocument,
    users: &[SnmpUser],
) -> Option<TrapDestination> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let address = check.take(format!("{field}.address"), host_address(&document.address));
    let port = match document.port {
        Some(value) => check.take(format!("{field}.port"), port(value)),
        None => Some(TRAP_PORT),
    };
    let way = trap_way(check, field, document, users);
    let inform = document.inform == Some(true);
    if inform && way == Some(TrapWay::V1) {
        let fault = Fault::new("version 1 has no informs", "write version = \"v2c\", or leave inform away");
        check.report(format!("{field}.inform"), fault);
    }
    Some(TrapDestination { label: label?, place: (address?, port?).into(), way: way?, inform })
}

fn trap_way(
    check: &mut Collector,
    field: &str,
    document: &SnmpTrapDocument,
    users: &[SnmpUser],
) -> Option<TrapWay> {
    let version = document.version.as_deref().unwrap_or("v2c");
    if version == "v3" {
        let name = document.user.as_deref().unwrap_or_default();
        let known = users.iter().find(|user| user.name.as_str() == name);
        let fault =
            || Fault::new(format!("there is no SNMP user {}", quoted(name)), "name one of [[snmp.user]]");
        return check.take(format!("{field}.user"), known.cloned().ok_or_else(fault)).map(TrapWay::V3);
    }
    if document.user.is_some() {
        let fault = Fault::new("users are of version 3", "remove it, or write version = \"v3\"");
        check.report(format!("{field}.user"), fault);
    }
    match version {
        "v1" => Some(TrapWay::V1),
        "v2c" => Some(TrapWay::V2c),
        other => {
            let fault = unknown(other, ["v1", "v2c", "v3"].into_iter());
            check.report(format!("{field}.version"), fault);
            None
        }
    }
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
        let with_trap = |trap| SnmpDocument { trap: vec![trap], ..SnmpDocument::default() };
        let right_trap = SnmpTrapDocument {
            label: "NMS".into(),
            address: "10.1.2.3".into(),
            ..SnmpTrapDocument::default()
        };
        assert_eq!(told(&with_trap(right_trap.clone())).1, Vec::<String>::new());
        for (wrong, field) in [
            (SnmpTrapDocument { label: "a b".into(), ..right_trap.clone() }, "label"),
            (SnmpTrapDocument { address: "nms".into(), ..right_trap.clone() }, "address"),
            (SnmpTrapDocument { port: Some(70_000), ..right_trap.clone() }, "port"),
            (SnmpTrapDocument { version: some("v2"), ..right_trap.clone() }, "version"),
            (SnmpTrapDocument { version: some("v3"), ..right_trap.clone() }, "user"),
            (SnmpTrapDocument { user: some("nms"), ..right_trap.clone() }, "user"),
            (SnmpTrapDocument { version: some("v1"), inform: Some(true), ..right_trap.clone() }, "inform"),
        ] {
            assert_eq!(told(&with_trap(wrong.clone())).1, [format!("snmp.trap[0].{field}")], "{wrong:?}");
        }
        let twice = SnmpDocument { user: vec![right.clone(), right], ..SnmpDocument::default() };
        assert_eq!(told(&twice).1, ["snmp.user[1].name"]);
    }
}
