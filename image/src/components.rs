//! `/usr/share/licenses/COMPONENTS.json`: every component that is shipped, with its version, its licence, where its source
//! is, and which of the texts beside the list hold its licence. lbd shows it (`lbd/src/licences.rs`).

use crate::crates::Crate;
use crate::deb::Package;
use crate::embedded::{EMBEDDED, Embedded};
use crate::hash::Sha;
use crate::licences::{COMMON, SOURCES, source};
use crate::lock::Locked;
use crate::toolchain::{Linked, STANDARD_LICENCE, Toolchain};
use crate::unpacked::{Missing, Packages};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// So many licences of a Debian package are named; its text names all of them.
const NAMED: usize = 4;

/// A crate, with the names and the contents of its licence texts.
pub type WithTexts = (Crate, Vec<(String, String)>);

/// The list. The same components give the same bytes.
pub fn document(packages: &Packages, toolchain: &Toolchain, crates: &[WithTexts]) -> Result<String, Missing> {
    let common = common(packages);
    let mut components = Vec::new();
    for (locked, package) in &packages.0 {
        let copyright = packages.find(&format!("usr/share/doc/{}/copyright", locked.name))?;
        components.push(debian(locked, package, &String::from_utf8_lossy(copyright.content), &common));
    }
    components.extend(toolchain.linked.iter().map(|one| linked(one, &common)));
    components.push(standard(toolchain));
    components.extend(crates.iter().map(of_crate));
    components.extend(EMBEDDED.iter().map(embedded));
    Ok(format!("{:#}\n", json!({ "sources": SOURCES, "components": components })))
}

/// The name of the file of a crate's text, below the folder of all texts.
pub fn crate_file(text: &str) -> String {
    format!("crates/{}.txt", &Sha::of(text.as_bytes()).to_string()[..16])
}

/// The licences that Debian keeps once for all packages.
fn common(packages: &Packages) -> BTreeSet<&str> {
    packages.below(COMMON).map(|(_, path, _)| &path[COMMON.len()..]).collect()
}

fn debian(locked: &Locked, package: &Package, copyright: &str, common: &BTreeSet<&str>) -> Value {
    let (name, version) = source(package.field("source").unwrap_or(&locked.name), &locked.version);
    json!({
        "kind": "package",
        "name": locked.name,
        "version": locked.version,
        "licence": licence(copyright),
        "source": format!("Debian source package {name} {version}"),
        "texts": debian_texts(format!("debian/{}.txt", locked.name), copyright, common),
    })
}

/// Of the build machine's own Debian.
fn linked(one: &Linked, common: &BTreeSet<&str>) -> Value {
    let (name, version) = &one.source;
    json!({
        "kind": "linked",
        "name": one.name,
        "version": one.version,
        "licence": licence(&one.copyright),
        "source": format!("Debian source package {name} {version}"),
        "texts": debian_texts(format!("linked/{}.txt", one.name), &one.copyright, common),
    })
}

fn standard(toolchain: &Toolchain) -> Value {
    let texts = toolchain.standard.texts.iter().map(|(name, _)| {
        let title = name.rsplit('/').next().unwrap_or_default().trim_end_matches(".txt");
        text(format!("linked/rust/{name}"), title)
    });
    json!({
        "kind": "linked",
        "name": "rust-std",
        "version": toolchain.standard.version,
        "licence": STANDARD_LICENCE,
        "source": "https://github.com/rust-lang/rust",
        "texts": texts.collect::<Vec<_>>(),
    })
}

fn of_crate((one, texts): &WithTexts) -> Value {
    let texts = texts.iter().map(|(title, content)| text(crate_file(content), title));
    json!({
        "kind": "crate",
        "name": one.name,
        "version": one.version,
        "licence": one.expression(),
        "source": one.repository,
        "texts": texts.collect::<Vec<_>>(),
    })
}

fn embedded(one: &Embedded) -> Value {
    json!({
        "kind": "script",
        "name": one.name,
        "version": one.version,
        "licence": one.licence,
        "source": format!("https://www.npmjs.com/package/{}", one.name),
        "texts": [text(format!("browser/{}.txt", one.name), "LICENSE")],
    })
}

fn text(file: String, title: &str) -> Value {
    json!({ "file": file, "title": title })
}

/// The copyright file, and each of the common texts that it leads to.
fn debian_texts(file: String, copyright: &str, common: &BTreeSet<&str>) -> Vec<Value> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
    let led_to = copyright.split("/common-licenses/").skip(1).map(|rest| {
        // A sentence may end with the name.
        rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())].trim_end_matches(['.', '-'])
    });
    let led_to: BTreeSet<_> = led_to.filter(|name| common.contains(name)).collect();
    let led_to = led_to.into_iter().map(|name| text(format!("common/{name}"), name));
    std::iter::once(text(file, "copyright")).chain(led_to).collect()
}

/// The short names in a machine-readable copyright file (Debian's copyright format 1.0), in the order in which they stand
/// there; none where it is written for people alone.
fn licence(copyright: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in copyright.lines().filter_map(|line| line.strip_prefix("License:")).map(str::trim) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let named = names.join(", ");
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::Node;
    use crate::toolchain::Standard;

    /// lbd reads the same file in its own test.
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/COMPONENTS.json");

    const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n\
        Files: *\nLicense: GPL-2\n\nFiles: doc/*\nLicense: GPL-2+\n\nLicense: GPL-2\n The text is in\n \
        /usr/share/common-licenses/GPL-2. A later one may be in /usr/share/common-licenses/GPL-9.\n";

    fn packages() -> Packages {
        let control = [("source", "linux-signed (1+1)")].map(|(name, value)| (name.into(), value.into()));
        let file = |path: &str, text: &str| (path.to_owned(), Node::File(text.into()));
        let files = [
            file("usr/share/common-licenses/GPL-2", "GPL"),
            file("usr/share/doc/linux-image/copyright", COPYRIGHT),
        ];
        let locked = Locked { name: "linux-image".into(), version: "1-1".into(), sha256: Sha::of(b"") };
        Packages(vec![(locked, Package { control: control.into(), files: files.into() })])
    }

    fn toolchain() -> Toolchain {
        let linked = Linked {
            name: "libc6-dev".into(),
            version: "2-1".into(),
            source: ("glibc".into(), "2".into()),
            copyright: "For people.".into(),
        };
        let texts = vec![("licenses/MIT.txt", "text".into())];
        Toolchain { linked: vec![linked], standard: Standard { version: "1.95.0".into(), texts } }
    }

    fn one_crate() -> WithTexts {
        let one = Crate {
            name: "serde".into(),
            version: "1.0.0".into(),
            licence: Some("MIT/Apache-2.0".into()),
            authors: Vec::new(),
            repository: Some("https://github.com/serde-rs/serde".into()),
            sha256: None,
            folder: "/anywhere".into(),
        };
        (one, vec![("LICENSE-MIT".into(), "text".into())])
    }

    #[test]
    fn the_list_is_the_golden_one() {
        let list = document(&packages(), &toolchain(), &[one_crate()]).unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(GOLDEN, &list).unwrap();
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap();
        assert_eq!(list, golden, "run it with UPDATE_GOLDEN=1 and look at what changed");
    }

    #[test]
    fn many_licences_are_counted_and_none_is_made_up() {
        let text: String = (1..=6).map(|number| format!("License: L{number}\n")).collect();
        assert_eq!(licence(&text).as_deref(), Some("L1, L2, L3, L4 and 2 more"));
        assert_eq!(licence("This is free software.\nLicense:\n"), None);
    }

    #[test]
    fn only_common_texts_that_are_there_are_led_to() {
        let common = BTreeSet::from(["GPL-2", "LGPL-2.1"]);
        let files = |copyright: &str| {
            let texts = debian_texts("debian/x.txt".into(), copyright, &common);
            texts.iter().map(|text| text["file"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let both =
            "/usr/share/common-licenses/LGPL-2.1; /usr/share/common-licenses/GPL-2.\n/common-licenses/GPL-2";
        assert_eq!(files(both), ["debian/x.txt", "common/GPL-2", "common/LGPL-2.1"]);
        assert_eq!(files("/common-licenses/../../etc/passwd /common-licenses/é"), ["debian/x.txt"]);
    }
}
