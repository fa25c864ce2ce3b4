//! `/usr/share/licenses`: the licence texts of everything shipped, and how to get the sources of the GPL parts.

use crate::crates::Crate;
use crate::deb::Node;
use crate::embedded::EMBEDDED;
use crate::hash::Sha;
use crate::packages::SUITE;
use crate::rootfs::{RootfsError, owner};
use crate::toolchain::Toolchain;
use crate::tree::{Clash, OWN, Tree};
use crate::unpacked::{Missing, Packages};
use std::collections::BTreeSet;
use std::fmt::Write;

const FOLDER: &str = "usr/share/licenses";

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
    const COMMON: &str = "usr/share/common-licenses/";
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
    tree.file(&format!("{FOLDER}/SOURCES.txt"), 0o644, OWN, offer(packages, toolchain))
}

/// Adds the crates' texts, each distinct one once, and an index of which crate has which.
pub fn crates(tree: &mut Tree, crates: &[(Crate, Vec<String>)]) -> Result<(), RootfsError> {
    let mut index = String::from(
        "Crate, version, licence (SPDX), source, and the files here that hold its licence texts.\n\n",
    );
    for (one, texts) in crates {
        let source = one.repository.as_deref().unwrap_or("-");
        let licence = one.licence.as_deref().unwrap_or("-");
        let _ = write!(index, "{} {}\n  {licence}\n  {source}\n", one.name, one.version);
        for text in texts {
            let name = format!("{}.txt", &Sha::of(text.as_bytes()).to_string()[..16]);
            tree.file(&format!("{FOLDER}/crates/{name}"), 0o644, OWN, text.as_str())?;
            let _ = writeln!(index, "  {name}");
        }
    }
    Ok(tree.file(&format!("{FOLDER}/crates/INDEX.txt"), 0o644, OWN, index)?)
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
         The crates that are linked into the appliance's own programs are listed in crates/INDEX.txt; the exact versions\n\
         and checksums of everything are in the SBOM that is published beside the appliance.\n"
    )
}

/// `linux (= 6.12.1-1)` or `e2fsprogs (1.47.2-3)` or `nftables`.
fn source(entry: &str, version: &str) -> (String, String) {
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
    use crate::deb::Package;
    use crate::lock::Locked;
    use crate::toolchain::{Linked, Standard};

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

    #[test]
    fn equal_texts_are_kept_once() {
        let one = |name: &str| Crate {
            name: name.into(),
            version: "1".into(),
            licence: Some("MIT".into()),
            repository: None,
            sha256: None,
            folder: "/".into(),
        };
        let mut tree = Tree::default();
        crates(
            &mut tree,
            &[(one("a"), vec!["text".into()]), (one("b"), vec!["text".into(), "other".into()])],
        )
        .unwrap();
        assert_eq!(tree.iter().filter(|(path, _)| path.starts_with("usr/share/licenses/crates/")).count(), 3);
    }
}
