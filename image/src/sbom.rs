//! The bill of materials: CycloneDX 1.6, JSON. No time stamp and a serial number derived from the content, so that
//! the same image has the same SBOM.

use crate::crates::{Crate, ROOTS};
use crate::embedded::{EMBEDDED, Embedded};
use crate::guid::derived_text;
use crate::hash::Sha;
use crate::packages::SUITE;
use crate::toolchain::{Linked, STANDARD_LICENCE, Toolchain};
use crate::unpacked::Packages;
use crate::version::Version;
use serde_json::{Value, json};

/// The SBOM as text.
pub fn document(version: &Version, packages: &Packages, crates: &[Crate], toolchain: &Toolchain) -> String {
    let mut components: Vec<Value> = packages
        .0
        .iter()
        .map(|(locked, package)| {
            let architecture = package.field("architecture").unwrap_or("amd64");
            let purl = format!(
                "pkg:deb/debian/{}@{}?arch={architecture}&distro={SUITE}",
                encode(&locked.name),
                encode(&locked.version)
            );
            component("library", &locked.name, &locked.version, &purl, Some(&locked.sha256))
        })
        .collect();
    components.extend(crates.iter().map(crate_component));
    components.extend(toolchain.linked.iter().map(linked_component));
    components.extend(EMBEDDED.iter().map(embedded_component));
    components.push(standard_component(&toolchain.standard.version));
    let content = Value::from(components.clone()).to_string();
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", derived_text(&format!("sbom {version} {content}"))),
        "version": 1,
        "metadata": { "component": {
            "type": "operating-system", "bom-ref": "evenkeel", "name": "evenkeel", "version": version.as_str(),
        }},
        "components": components,
    });
    format!("{document:#}\n")
}

fn crate_component(one: &Crate) -> Value {
    let purl = format!("pkg:cargo/{}@{}", encode(&one.name), encode(&one.version));
    let kind = if ROOTS.contains(&one.name.as_str()) { "application" } else { "library" };
    let mut value = component(kind, &one.name, &one.version, &purl, one.sha256.as_ref());
    if let Some(licence) = one.expression() {
        value["licenses"] = json!([{ "expression": licence }]);
    }
    value
}

/// Of the build machine's own Debian, whatever that is: no `distro`.
fn linked_component(one: &Linked) -> Value {
    let purl = format!("pkg:deb/debian/{}@{}?arch=amd64", encode(&one.name), encode(&one.version));
    let mut value = component("library", &one.name, &one.version, &purl, None);
    value["description"] = "linked statically into /init and /bin/lbd".into();
    value
}

fn embedded_component(one: &Embedded) -> Value {
    let purl = format!("pkg:npm/{}@{}", encode(one.name), encode(one.version));
    let mut value = component("library", one.name, one.version, &purl, None);
    value["licenses"] = json!([{ "expression": one.licence }]);
    value["description"] = "compiled into /bin/lbd, which serves it to browsers".into();
    value
}

fn standard_component(version: &str) -> Value {
    let purl = format!("pkg:generic/rust-std@{}", encode(version));
    let mut value = component("library", "rust-std", version, &purl, None);
    value["licenses"] = json!([{ "expression": STANDARD_LICENCE }]);
    value
}

fn component(kind: &str, name: &str, version: &str, purl: &str, sha256: Option<&Sha>) -> Value {
    let mut value = json!({ "type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl });
    if let Some(sha256) = sha256 {
        value["hashes"] = json!([{ "alg": "SHA-256", "content": sha256.to_string() }]);
    }
    value
}

/// Percent-encoding of a package URL's parts: letters, digits, `.`, `-`, `_`, `~` and `:` stay.
fn encode(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b".-_~:".contains(&b);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::Package;
    use crate::lock::Locked;
    use crate::toolchain::Standard;

    fn sample() -> String {
        let locked = Locked { name: "libstdc++6".into(), version: "1:2+b1".into(), sha256: Sha::of(b"deb") };
        let one = Crate {
            name: "serde".into(),
            version: "1.0.0".into(),
            licence: Some("MIT/Apache-2.0".into()),
            authors: Vec::new(),
            repository: None,
            sha256: Some(Sha::of(b"crate")),
            folder: "/anywhere".into(),
        };
        let linked = Linked {
            name: "libc6-dev".into(),
            version: "2.36-9".into(),
            source: ("glibc".into(), "2.36-9".into()),
            copyright: String::new(),
        };
        let standard = Standard { version: "1.95.0".into(), texts: Vec::new() };
        let toolchain = Toolchain { linked: vec![linked], standard };
        document(&"1.0".parse().unwrap(), &Packages(vec![(locked, Package::default())]), &[one], &toolchain)
    }

    #[test]
    fn names_every_kind_with_purl_and_digest() {
        let bom: Value = serde_json::from_str(&sample()).unwrap();
        assert_eq!(
            bom["components"][0]["purl"],
            "pkg:deb/debian/libstdc%2B%2B6@1:2%2Bb1?arch=amd64&distro=trixie"
        );
        assert_eq!(bom["components"][0]["hashes"][0]["content"], Sha::of(b"deb").to_string());
        assert_eq!(bom["components"][1]["purl"], "pkg:cargo/serde@1.0.0");
        assert_eq!(bom["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bom["components"][2]["purl"], "pkg:deb/debian/libc6-dev@2.36-9?arch=amd64");
        let purls: Vec<_> = (3..=5).map(|at| bom["components"][at]["purl"].as_str().unwrap()).collect();
        assert_eq!(purls, ["pkg:npm/htmx.org@4.0.1", "pkg:npm/uplot@1.6.32", "pkg:generic/rust-std@1.95.0"]);
    }

    #[test]
    fn same_content_same_text_and_no_folder_of_the_build_machine() {
        assert_eq!(sample(), sample());
        assert!(!sample().contains("/anywhere"));
    }
}
