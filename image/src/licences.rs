//! `/usr/share/licenses`: the licence texts of everything shipped, a list of what has which, and how to get the sources of the
//! GPL parts.

use crate::components::{self, WithTexts};
use crate::deb::Node;
use crate::embedded::EMBEDDED;
use crate::packages::SUITE;
use crate::rootfs::{RootfsError, owner};
use crate::toolchain::Toolchain;
use crate::tree::{Clash, OWN, Tree};
use crate::unpacked::{Missing, Packages};
use std::collections::BTreeSet;

const FOLDER: &str = "usr/share/licenses";
/// The list of all components.
const LIST: &str = "COMPONENTS.json";
/// The source offer.
pub(crate) const SOURCES: &str = "SOURCES.txt";
/// Where Debian keeps the licences that many packages have.
pub(crate) const COMMON: &str = "usr/share/common-licenses/";

/// Adds Debian's copyright files and the common texts they refer to.
pub fn debian(tree: &mut Tree, packages: &Packages) -> Result<(), RootfsError> {
    for (locked, _) in &packages.0 {
        let copyright = packages.find(&format!("usr/share/doc/{}/copyright", locked.name))?;
        tree.file(
            &format!("{FOLDER}/debian/{}.txt", locked.name),
            0o644,
            &owner(&locked.name),
            copyright.content,
        )?;
    }
    let mut found = false;
    for (package, path, node) in packages.below(COMMON) {
        let target = format!("{FOLDER}/common/{}", &path[COMMON.len()..]);
        match node {
            Node::File(content) => tree.file(&target, 0o644, &owner(package), content.clone())?,
            Node::Link(to) => tree.link(&target, &owner(package), to)?,
        }
        found = true;
    }
    if !found {
        return Err(Missing(format!("{COMMON}*")).into());
    }
    Ok(())
}

/// Adds the texts of what the build machine linked into our own programs.
pub fn toolchain(tree: &mut Tree, toolchain: &Toolchain) -> Result<(), Clash> {
    for one in &toolchain.linked {
        let path = format!("{FOLDER}/linked/{}.txt", one.name);
        tree.file(&path, 0o644, &owner(&one.name), one.copyright.as_str())?;
    }
    for (name, text) in &toolchain.standard.texts {
        tree.file(&format!("{FOLDER}/linked/rust/{name}"), 0o644, OWN, text.as_str())?;
    }
    Ok(())
}

/// Adds the texts of what lbd carries for browsers.
pub fn embedded(tree: &mut Tree) -> Result<(), Clash> {
    EMBEDDED
        .iter()
        .try_for_each(|one| tree.file(&format!("{FOLDER}/browser/{}.txt", one.name), 0o644, OWN, one.text))
}

/// Adds the source offer.
pub fn sources(tree: &mut Tree, packages: &Packages, toolchain: &Toolchain) -> Result<(), Clash> {
    tree.file(&format!("{FOLDER}/{SOURCES}"), 0o644, OWN, offer(packages, toolchain))
}

/// Adds the crates' texts, each distinct one once.
pub fn crates(tree: &mut Tree, crates: &[WithTexts]) -> Result<(), Clash> {
    let texts = crates.iter().flat_map(|(_, texts)| texts);
    texts.map(|(_, text)| text.as_str()).try_for_each(|text| {
        tree.file(&format!("{FOLDER}/{}", components::crate_file(text)), 0o644, OWN, text)
    })
}

/// Adds the list of all components, after their texts.
pub fn list(
    tree: &mut Tree,
    packages: &Packages,
    toolchain: &Toolchain,
    crates: &[WithTexts],
) -> Result<(), RootfsError> {
    let list = components::document(packages, toolchain, crates)?;
    Ok(tree.file(&format!("{FOLDER}/{LIST}"), 0o644, OWN, list)?)
}

/// The source packages of what is shipped. `Built-Using` counts too: the signed kernel's source is a shell
/// around the real one.
fn offer(packages: &Packages, toolchain: &Toolchain) -> String {
    let mut names = BTreeSet::new();
    for (locked, package) in &packages.0 {
        let own = package.field("source").unwrap_or(&locked.name);
        names.insert(source(own, &locked.version));
        let built_using = package.field("built-using").unwrap_or_default().split(',').map(str::trim);
        names.extend(built_using.filter(|entry| !entry.is_empty()).map(|entry| source(entry, "")));
    }
    let linked = toolchain.linked.iter().map(|one| one.source.clone()).collect::<BTreeSet<_>>();
    let linked: String = linked.iter().map(|(name, version)| format!("  {name} {version}\n")).collect();
    let list: String = names.iter().map(|(name, version)| format!("  {name} {version}\n")).collect();
    format!(
        "How to get the source code of the free software in this appliance\n\n\
         The appliance contains unmodified programs of Debian ({SUITE}), among them some under the GNU General Public\n\
         License and the GNU Lesser General Public License (Linux, nftables, e2fsprogs, the GNU C library, systemd-boot).\n\
         Their licences are in the folders debian/ and common/ here. Their source packages are:\n\n{list}\n\
         Debian publishes each of them. On a machine with Debian, with a deb-src line for {SUITE} in apt's sources:\n\n\
         \x20 apt-get source --only-source NAME=VERSION\n\n\
         Versions that Debian has replaced since are kept in Debian's snapshot archive.\n\n\
         The appliance's own programs, /init and /bin/lbd, are linked statically with libraries of the Debian machine\n\
         that built them: the GNU C library (GNU Lesser General Public License) and the compiler's own (GNU General Public\n\
         License with the GCC Runtime Library Exception). Their licences are in linked/; their source packages are:\n\n\
         {linked}\n\
         So that you can link /init and /bin/lbd with a changed library, you get their object files on request, on the\n\
         same terms as the sources:\n\n\
         You can ask whoever gave you this appliance: for at least three years after you received it you get, for\n\
         no more than the cost of the copy, the complete corresponding source code on a usual medium.\n\n\
         The crates that are linked into the appliance's own programs are listed in {LIST}; the exact versions\n\
         and checksums of everything are in the SBOM that is published beside the appliance.\n"
    )
}

/// `linux (= 6.12.1-1)` or `e2fsprogs (1.47.2-3)` or `nftables`, which then has this version.
pub(crate) fn source(entry: &str, version: &str) -> (String, String) {
    match entry.split_once('(') {
        Some((name, rest)) => {
            let version = rest.trim_end_matches(')').trim_start_matches(['=', ' ']);
            (name.trim().to_owned(), version.trim().to_owned())
        }
        None => (entry.trim().to_owned(), version.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crates::Crate;
    use crate::deb::Package;
    use crate::hash::Sha;
    use crate::lock::Locked;
    use crate::toolchain::{Linked, Standard};
    use crate::tree::Kind;

    fn package(name: &str, fields: &[(&str, &str)], files: &[&str]) -> (Locked, Package) {
        let control = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let files = files.iter().map(|path| ((*path).to_owned(), Node::File(b"text".to_vec()))).collect();
        (
            Locked { name: name.into(), version: "1-1".into(), sha256: Sha::of(b"") },
            Package { control, files },
        )
    }

    fn two() -> Packages {
        let fields = [("source", "linux-signed (1+1)"), ("built-using", "linux (= 1-1), x (= 2)")];
        Packages(vec![
            package(
                "linux-image",
                &fields,
                &["usr/share/doc/linux-image/copyright", "usr/share/common-licenses/GPL-2"],
            ),
            package("nftables", &[], &["usr/share/doc/nftables/copyright"]),
        ])
    }

    fn built() -> Toolchain {
        let source = ("glibc".into(), "2-2".into());
        let linked = vec![Linked {
            name: "libc6-dev".into(),
            version: "2-1".into(),
            source,
            copyright: "text".into(),
        }];
        Toolchain { linked, standard: Standard { version: "1".into(), texts: vec![("MIT", "text".into())] } }
    }

    #[test]
    fn every_package_has_its_text_and_its_source() {
        let mut tree = Tree::default();
        let built = built();
        debian(&mut tree, &two()).unwrap();
        toolchain(&mut tree, &built).unwrap();
        sources(&mut tree, &two(), &built).unwrap();
        for path in [
            "debian/linux-image.txt",
            "debian/nftables.txt",
            "common/GPL-2",
            "linked/libc6-dev.txt",
            "linked/rust/MIT",
            "SOURCES.txt",
        ] {
            assert!(tree.get(&format!("{FOLDER}/{path}")).is_some(), "{path}");
        }
        let text = offer(&two(), &built);
        for line in ["  glibc 2-2\n", "  linux 1-1\n", "  linux-signed 1+1\n", "  nftables 1-1\n", "  x 2\n"]
        {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn a_package_without_copyright_is_refused() {
        let mut all = two();
        all.0[1].1.files.clear();
        assert!(debian(&mut Tree::default(), &all).is_err());
    }

    fn serde(name: &str, texts: &[&str]) -> WithTexts {
        let one = Crate {
            name: name.into(),
            version: "1".into(),
            licence: Some("MIT".into()),
            authors: Vec::new(),
            repository: None,
            sha256: None,
            folder: "/".into(),
        };
        (one, texts.iter().map(|text| ("LICENSE".to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn equal_texts_are_kept_once() {
        let mut tree = Tree::default();
        crates(&mut tree, &[serde("a", &["text"]), serde("b", &["text", "other"])]).unwrap();
        let below = format!("{FOLDER}/crates/");
        assert_eq!(tree.iter().filter(|(path, _)| path.starts_with(&below)).count(), 2);
    }

    #[test]
    fn every_text_of_the_list_is_there() {
        let (mut tree, packages, built) = (Tree::default(), two(), built());
        let all = [serde("a", &["text"])];
        debian(&mut tree, &packages).unwrap();
        toolchain(&mut tree, &built).unwrap();
        embedded(&mut tree).unwrap();
        sources(&mut tree, &packages, &built).unwrap();
        crates(&mut tree, &all).unwrap();
        list(&mut tree, &packages, &built, &all).unwrap();
        let Some(Kind::File(list)) = tree.get(&format!("{FOLDER}/{LIST}")).map(|entry| &entry.kind) else {
            panic!("there is no list")
        };
        let list: serde_json::Value = serde_json::from_slice(list).unwrap();
        let components = list["components"].as_array().unwrap().iter();
        let texts = components.flat_map(|one| one["texts"].as_array().unwrap()).map(|text| &text["file"]);
        let named: Vec<_> = texts.chain([&list["sources"]]).map(|file| file.as_str().unwrap()).collect();
        assert!(named.len() > 6, "{named:?}");
        for file in named {
            assert!(tree.get(&format!("{FOLDER}/{file}")).is_some(), "{file}");
        }
    }
}
