//! Rules of the manifest, of the descriptor as a document, and of the files that it names.

use std::collections::BTreeSet;

use super::{Miss, Rule, Subject, Verdict, judge, none, rule};
use crate::manifest::Manifest;
use crate::ovf::Fault;

const FCOS: &str = "DSP0243 7.1, fedora-coreos-tracker #391";

pub const RULES: &[Rule] = &[
    rule(
        "manifest-syntax",
        syntax,
        "DSP0243 5.1, HAOS #826",
        "lines `SHA1(name)= hex`, no space before the bracket",
    ),
    rule(
        "manifest-algorithm",
        algorithm,
        "open-vmdk mkova",
        "SHA1, unless packed with --manifest sha256: ESXi before 6.5 takes no other",
    ),
    rule("manifest-complete", complete, "DSP0243 5.1", "every file but the manifest, once"),
    rule("manifest-digests", digests, "DSP0243 5.1", "the digests of the files as they are"),
    rule("ovf-xml", xml, "DSP0243 6", "well-formed XML in UTF-8, at most 256 KB, no DTD"),
    rule("ovf-prefixes", prefixes, "HAOS #660", "every XML prefix declared"),
    rule("ovf-envelope", envelope, "DSP0243 7", "Envelope of http://schemas.dmtf.org/ovf/envelope/1"),
    rule(
        "file-references",
        file_references,
        "DSP0243 7.1",
        "References lists exactly the other files of the archive",
    ),
    rule("file-size", file_size, FCOS, "ovf:size is the size of the file"),
    rule("no-nvram", no_nvram, "EFI without NVRAM entries", "no nvram file or setting: refused by ESXi 6"),
];

fn manifest<'a>(s: &Subject<'a>) -> Result<&'a Manifest, Miss> {
    match &s.ova.manifest {
        Some(manifest) if manifest.malformed.is_empty() => Ok(manifest),
        _ => Err(Miss::Unknown("the manifest cannot be read")),
    }
}

fn syntax(s: &Subject<'_>) -> Verdict {
    s.archive()?;
    match &s.ova.manifest {
        None => judge(false, "no manifest"),
        Some(manifest) => none(manifest.malformed.clone(), format!("{} lines", manifest.lines.len())),
    }
}

fn algorithm(s: &Subject<'_>) -> Verdict {
    let used: Vec<String> = manifest(s)?.lines.iter().map(|line| line.algorithm.to_string()).collect();
    judge(used.iter().all(|name| *name == s.algorithm.to_string()), used.join(", "))
}

fn complete(s: &Subject<'_>) -> Verdict {
    let mut listed: Vec<&str> = manifest(s)?.lines.iter().map(|line| line.name.as_str()).collect();
    let files = s.archive()?.files().map(|entry| entry.name.as_str());
    let mut expected: Vec<&str> =
        files.filter(|name| !name.ends_with(".mf") && !name.ends_with(".cert")).collect();
    listed.sort_unstable();
    expected.sort_unstable();
    judge(listed == expected, listed.join(", "))
}

fn digests(s: &Subject<'_>) -> Verdict {
    let lines = &manifest(s)?.lines;
    let wrong = lines.iter().enumerate().filter_map(|(position, line)| {
        let digest = s.ova.digests.get(&position)?;
        (*digest != line.digest).then(|| format!("{} for {}, which has {digest}", line.digest, line.name))
    });
    none(wrong.collect(), "equal")
}

fn xml(s: &Subject<'_>) -> Verdict {
    s.archive()?;
    match &s.ova.ovf {
        Ok(root) => Ok(format!("{} elements", root.walk().len())),
        Err(Fault::Xml(what)) => judge(false, what),
        Err(Fault::Prefix(_)) => Err(Miss::Unknown("an XML prefix is not declared")),
    }
}

fn prefixes(s: &Subject<'_>) -> Verdict {
    match &s.ova.ovf {
        Ok(_) => Ok("all".to_owned()),
        Err(Fault::Prefix(what)) => judge(false, what),
        Err(Fault::Xml(_)) => Err(Miss::Unknown("the descriptor is not well-formed")),
    }
}

fn envelope(s: &Subject<'_>) -> Verdict {
    match &s.ova.ovf {
        Ok(root) => judge(root.name == "ovf:Envelope", &root.name),
        Err(_) => Err(Miss::Unknown("the descriptor cannot be read")),
    }
}

/// A `File` of the `References`.
pub struct Reference<'a> {
    pub id: Option<&'a str>,
    pub href: Option<&'a str>,
    pub size: Option<&'a str>,
}

/// The `File`s of the `References`, in their order.
pub fn references<'a>(s: &Subject<'a>) -> Result<Vec<Reference<'a>>, Miss> {
    let files = s.section("ovf:References")?.all("ovf:File");
    Ok(files
        .map(|file| Reference {
            id: file.attr("ovf:id"),
            href: file.attr("ovf:href"),
            size: file.attr("ovf:size"),
        })
        .collect())
}

fn file_references(s: &Subject<'_>) -> Verdict {
    let listed: Vec<&str> = references(s)?.iter().map(|file| file.href.unwrap_or("nothing")).collect();
    let files = s.archive()?.files().map(|entry| entry.name.as_str());
    let others: BTreeSet<&str> =
        files.filter(|name| ![".ovf", ".mf", ".cert"].iter().any(|ending| name.ends_with(ending))).collect();
    let same = listed.len() == others.len() && listed.iter().all(|name| others.contains(name));
    judge(same, listed.join(", "))
}

fn file_size(s: &Subject<'_>) -> Verdict {
    let archive = s.archive()?;
    let references = references(s)?;
    let mut sizes = Vec::new();
    for file in &references {
        if let Some(entry) = archive.files().find(|entry| Some(entry.name.as_str()) == file.href) {
            let size = file.size.unwrap_or("nothing");
            judge(size == entry.size.to_string(), format!("{size}, the file has {}", entry.size))?;
            sizes.push(size);
        }
    }
    Ok(sizes.join(", "))
}

fn no_nvram(s: &Subject<'_>) -> Verdict {
    let mentions = |value: &&String| value.to_ascii_lowercase().contains("nvram");
    let values = s.ovf()?.walk().into_iter().flat_map(|node| node.attributes.values());
    none(values.filter(mentions).cloned().collect(), "none")
}
