//! Re-reads a finished OVA and checks every rule known about what vSphere takes.
//!
//! Each rule is a name, what is expected, where that comes from, and a small pure function over what was
//! read. Expected values are written out here once more, not shared with the writer: that is what makes
//! it a check. A rule that cannot be judged because an earlier one is broken says so and counts as not
//! passed, without being named as broken.

mod archive;
mod boot;
mod content;
mod disk;
mod extent;
mod hardware;
mod items;
mod manifest;
mod partitions;
mod profiles;
mod properties;
mod uki;

use std::fmt;

use crate::manifest::Algorithm;
use crate::model::{Content, Ova, Vmdk};
use crate::ovf::Node;
use crate::system::System;
use crate::ustar::Archive;

/// One thing that must hold for an OVA.
#[derive(Debug)]
pub struct Rule {
    /// By which the rule is named when it is broken.
    pub name: &'static str,
    /// What must hold.
    pub expected: &'static str,
    /// Who says so: a section of a specification, or a product or report that shows it.
    pub source: &'static str,
    check: fn(&Subject<'_>) -> Verdict,
}

/// A row of a table of rules.
const fn rule(
    name: &'static str,
    check: fn(&Subject<'_>) -> Verdict,
    source: &'static str,
    expected: &'static str,
) -> Rule {
    Rule { name, expected, source, check }
}

/// Everything a rule may look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    ova: &'a Ova,
    algorithm: Algorithm,
}

/// What was found; or why the rule is not fulfilled.
pub type Verdict = Result<String, Miss>;

/// Why a rule is not fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// It is broken: what was found instead.
    Broken(String),
    /// It cannot be judged: what stands in the way.
    Unknown(&'static str),
}

/// A rule and its verdict on one OVA.
#[derive(Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// What it says.
    pub verdict: Verdict,
}

/// All rules, in the order in which they are reported.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let packaging = archive::RULES.iter().chain(manifest::RULES).chain(disk::RULES);
    let machine = profiles::RULES.iter().chain(hardware::RULES).chain(items::RULES).chain(properties::RULES);
    let system = partitions::RULES.iter().chain(boot::RULES).chain(uki::RULES);
    packaging.chain(machine).chain(extent::RULES).chain(content::RULES).chain(system)
}

/// Checks every rule; `algorithm` is the one that the manifest must use.
pub fn verify(ova: &Ova, algorithm: Algorithm) -> Vec<Finding> {
    let subject = Subject { ova, algorithm };
    rules().map(|rule| Finding { rule, verdict: (rule.check)(&subject) }).collect()
}

/// The names of the rules that are broken.
pub fn broken(findings: &[Finding]) -> Vec<&'static str> {
    let is_broken = |finding: &&Finding| matches!(finding.verdict, Err(Miss::Broken(_)));
    findings.iter().filter(is_broken).map(|finding| finding.rule.name).collect()
}

/// Whether every rule was judged and holds.
pub fn passed(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.verdict.is_ok())
}

impl fmt::Display for Finding {
    /// One line, whatever an OVA has put into the values found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { name, expected, source, .. } = self.rule;
        match &self.verdict {
            Ok(found) => write!(f, "ok    {name:<24} {}", printable(found)),
            Err(Miss::Broken(found)) => {
                write!(f, "FAIL  {name:<24} found {}; expected {expected} [{source}]", printable(found))
            }
            Err(Miss::Unknown(why)) => write!(f, "?     {name:<24} not judged: {why}"),
        }
    }
}

/// At most 200 characters, none of which a terminal obeys.
fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl<'a> Subject<'a> {
    fn archive(&self) -> Result<&'a Archive, Miss> {
        match self.ova.archive.problem {
            None => Ok(&self.ova.archive),
            Some(_) => Err(Miss::Unknown("the archive cannot be read to its end")),
        }
    }

    /// The envelope.
    fn ovf(&self) -> Result<&'a Node, Miss> {
        match &self.ova.ovf {
            Ok(root) if root.name == "ovf:Envelope" => Ok(root),
            _ => Err(Miss::Unknown("the descriptor cannot be read")),
        }
    }

    /// A section of the envelope.
    fn section(&self, name: &str) -> Result<&'a Node, Miss> {
        child(self.ovf()?, name)
    }

    /// A section of the virtual system.
    fn virtual_system(&self, name: &str) -> Result<&'a Node, Miss> {
        child(self.section("ovf:VirtualSystem")?, name)
    }

    /// The hardware items of one resource type.
    fn items(&self, kind: &'a str) -> Result<impl Iterator<Item = &'a Node>, Miss> {
        let hardware = self.virtual_system("ovf:VirtualHardwareSection")?;
        Ok(hardware.all("ovf:Item").filter(move |item| item.text_of("rasd:ResourceType") == Some(kind)))
    }

    fn vmdk(&self) -> Result<&'a Vmdk, Miss> {
        self.ova.vmdk.as_ref().ok_or(Miss::Unknown("there is no VMDK"))
    }

    /// What is on the disk.
    fn system(&self) -> Result<&'a System, Miss> {
        self.vmdk()?.system.as_ref().ok_or(Miss::Unknown("the disk in the VMDK cannot be read"))
    }

    /// The version that the OVA says it has, by its name and in its descriptor.
    fn version(&self) -> Result<&'a str, Miss> {
        let unclear = || Miss::Unknown("the version of the product is not clear");
        properties::product(self).map_err(|_| unclear())?;
        self.virtual_system("ovf:ProductSection")?.text_of("ovf:Version").ok_or_else(unclear)
    }

    /// Tables and grains, once the header is right and the walk over them came to its end.
    fn content(&self) -> Result<&'a Content, Miss> {
        match &self.vmdk()?.content {
            Ok(content) if content.stream.stopped.is_none() => Ok(content),
            Ok(_) => Err(Miss::Unknown("the grains cannot be read to their end")),
            Err(_) => Err(Miss::Unknown("the header is not right")),
        }
    }
}

/// A child that must be there.
fn child<'a>(node: &'a Node, name: &str) -> Result<&'a Node, Miss> {
    node.first(name).ok_or_else(|| Miss::Broken(format!("no {name} in {}", node.name)))
}

/// Fulfilled if `holds`.
fn judge(holds: bool, found: impl ToString) -> Verdict {
    match holds {
        true => Ok(found.to_string()),
        false => Err(Miss::Broken(found.to_string())),
    }
}

/// Fulfilled if what was found is `expected`.
fn equal(found: Option<&str>, expected: &str) -> Verdict {
    judge(found == Some(expected), found.unwrap_or("nothing"))
}

/// Values that a descriptor may lack, for a finding.
fn show(values: &[Option<&str>]) -> String {
    values.iter().map(|value| value.unwrap_or("nothing")).collect::<Vec<_>>().join(", ")
}

/// Fulfilled if no exception was found; `fine` says what was.
fn none(exceptions: Vec<String>, fine: impl ToString) -> Verdict {
    match exceptions.is_empty() {
        true => Ok(fine.to_string()),
        false => Err(Miss::Broken(exceptions.join(", "))),
    }
}
