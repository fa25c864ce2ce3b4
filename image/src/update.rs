//! The update archive: what `image build` wrote, packed and signed. The same inputs give the same bytes but for the
//! signature.

use crate::tree::{Kind, Tree};
use crate::version::Version;
use evenkeel_update::BASE;
use evenkeel_update::fault::Fault;
use evenkeel_update::hash::{Hasher, Sha};
use evenkeel_update::index::{self, Archive, Index, SIGNATURE_SUFFIX};
use evenkeel_update::manifest::{Base, Content, FORMAT, Manifest, PRODUCT, of_lbd};
use evenkeel_update::signature::Key;
use evenkeel_update::write::write;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Notes are for reading on one page.
const MOST_NOTES: usize = 16 << 10;

/// Has a digest of its own.
const INIT: &str = "init";

/// What an archive is packed from.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The disk file; UKI, SBOM and base are beside it.
    pub image: PathBuf,
    /// The version of the image.
    pub version: Version,
    /// The oldest version that can be updated.
    pub minimum_version: Version,
    /// The changelog.
    pub notes: PathBuf,
    /// The secret key.
    pub key: PathBuf,
    /// Of the secret key, where it has one.
    pub passphrase: Option<String>,
    /// It is no release.
    pub is_development: bool,
}

/// The digests of everything that only a restart replaces, as JSON. `boot`: kernel, command line, stub. The image itself
/// holds the same ([`evenkeel_update::BASE`]), by which it knows an update that differs in lbd alone.
pub fn base(tree: &Tree, boot: &[&[u8]]) -> Vec<u8> {
    let init = match tree.get(INIT).map(|entry| &entry.kind) {
        Some(Kind::File(content)) => content.as_slice(),
        _ => &[],
    };
    let mut files = Hasher::default();
    let is_base = |path: &str| path != INIT && path != within(BASE) && !of_lbd(path);
    for (path, entry) in tree.iter().filter(|(path, _)| is_base(path)) {
        let (kind, content) = match &entry.kind {
            Kind::Folder => ('d', Sha::of(b"")),
            Kind::File(content) => ('-', Sha::of(content)),
            Kind::Link(target) => ('l', Sha::of(target.as_bytes())),
            Kind::Device(major, minor) => ('c', Sha::of(format!("{major}:{minor}").as_bytes())),
        };
        files.update(format!("{path}\t{kind}{:o}\t{content}\n", entry.mode).as_bytes());
    }
    let boot: Vec<_> = boot.iter().map(|part| Sha::of(part).to_string()).collect();
    let base =
        Base { kernel: Sha::of(boot.join("\n").as_bytes()), init: Sha::of(init), files: files.finish() };
    // Plain texts: there is always JSON of them.
    serde_json::to_vec_pretty(&base).unwrap_or_default()
}

/// Where a path of the running system is in a [`Tree`].
pub fn within(path: &'static str) -> &'static str {
    path.trim_start_matches('/')
}

/// Whether this is a public key of minisign's.
pub fn check_key(key: &[u8]) -> Result<(), Fault> {
    Key::parse(&String::from_utf8_lossy(key)).map(|_| ())
}

/// Makes a pair, `key` and the same name with `.pub`, unless it is there.
pub fn make_key(key: &Path) -> Result<(), String> {
    if key.exists() && key.with_extension("pub").exists() {
        return Ok(());
    }
    let failed = |error: minisign::PError| format!("making a key pair: {error}");
    let KeyPair { pk, sk } = KeyPair::generate_unencrypted_keypair().map_err(failed)?;
    let secret = sk.to_box(Some("Evenkeel: signs updates")).map_err(failed)?.to_string();
    let public = pk.to_box().map_err(failed)?.to_string();
    let put = |path: &Path, text: &str, mode: u32| {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    for (path, text, mode) in [(key.to_owned(), secret, 0o600), (key.with_extension("pub"), public, 0o644)] {
        put(&path, &text, mode).map_err(|error| format!("writing the key {}: {error}", path.display()))?;
    }
    Ok(())
}

/// Packs the archive beside the image, its checksum as `sha256sum -c` reads it, and the signed index that servers offer it by.
/// Gives the archive's path.
pub fn pack(inputs: &Inputs) -> Result<PathBuf, String> {
    let beside = |extension: &str| read(&inputs.image.with_extension(extension));
    let (uki, sbom) = (beside("efi")?, beside("sbom.json")?);
    let base = serde_json::from_slice(&beside("base.json")?)
        .map_err(|error| format!("reading the base: {error}"))?;
    let manifest = Manifest {
        format: FORMAT,
        product: PRODUCT.into(),
        version: inputs.version.clone(),
        minimum_version: inputs.minimum_version.clone(),
        notes: notes(&String::from_utf8_lossy(&read(&inputs.notes)?))?,
        development: inputs.is_development,
        sbom: Content::of(&sbom),
        uki: Content::of(&uki),
        base,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?;
    Manifest::parse(&text).map_err(|fault| fault.to_string())?;
    let signature = sign(inputs, &text)?;
    let path = inputs.image.with_extension("update");
    let failed = |error: io::Error| format!("writing {}: {error}", path.display());
    let mut out = io::BufWriter::new(File::create(&path).map_err(failed)?);
    write(&mut out, &text, signature.as_bytes(), &sbom, &uki).and_then(|()| out.flush()).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Content { size, sha256 } = Content::of(&read(&path)?);
    fs::write(path.with_added_extension("sha256"), format!("{sha256}  {name}\n")).map_err(failed)?;
    offer(inputs, manifest, Archive { url: name, size, sha256 })?;
    Ok(path)
}

/// Writes the index beside the archive.
fn offer(inputs: &Inputs, manifest: Manifest, archive: Archive) -> Result<(), String> {
    let Manifest { product, version, minimum_version, notes, development, .. } = manifest;
    let index =
        Index { format: index::FORMAT, product, version, minimum_version, notes, development, archive };
    let text = serde_json::to_vec_pretty(&index).map_err(|error| error.to_string())?;
    Index::parse(&text).map_err(|fault| fault.to_string())?;
    let path = inputs.image.with_extension("index.json");
    let signature = path.with_added_extension(SIGNATURE_SUFFIX.trim_start_matches('.'));
    for (path, bytes) in [(&signature, sign(inputs, &text)?.into_bytes()), (&path, text)] {
        fs::write(path, bytes).map_err(|error| format!("writing {}: {error}", path.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("reading {}: {error}; is the image built?", path.display()))
}

fn sign(inputs: &Inputs, text: &[u8]) -> Result<String, String> {
    let failed = |error: minisign::PError| format!("signing with {}: {error}", inputs.key.display());
    let secret = String::from_utf8_lossy(&read(&inputs.key)?).into_owned();
    let sealed = || SecretKeyBox::from_string(&secret);
    let key: SecretKey = match &inputs.passphrase {
        Some(passphrase) => sealed().and_then(|sealed| sealed.into_secret_key(Some(passphrase.clone()))),
        None => sealed().and_then(SecretKeyBox::into_unencrypted_secret_key),
    }
    .map_err(failed)?;
    let public = PublicKey::from_secret_key(&key).map_err(failed)?;
    let comment = format!("Evenkeel {}", inputs.version);
    let signature =
        minisign::sign(Some(&public), &key, text, Some(&comment), Some(&comment)).map_err(failed)?;
    Ok(signature.into_string())
}

/// The first section of the changelog, without its heading.
fn notes(changelog: &str) -> Result<String, String> {
    let mut sections = changelog.split("\n## ").skip(1);
    let section = sections.next().and_then(|section| section.split_once('\n')).map(|(_, text)| text.trim());
    let notes = section
        .filter(|text| !text.is_empty())
        .ok_or("the changelog has no section that begins with \"## \"")?;
    let end = (0..=MOST_NOTES.min(notes.len())).rev().find(|at| notes.is_char_boundary(*at)).unwrap_or(0);
    let cut = if end < notes.len() { " ..." } else { "" };
    Ok(format!("{}{cut}", &notes[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_update::archive::Reader;

    fn inputs(folder: &Path, key: &str) -> Inputs {
        let image = folder.join("evenkeel-1.1.raw");
        fs::write(image.with_extension("efi"), [7; 2000]).unwrap();
        fs::write(image.with_extension("sbom.json"), "{}").unwrap();
        fs::write(image.with_extension("base.json"), base(&Tree::default(), &[b"kernel"])).unwrap();
        fs::write(folder.join("CHANGELOG.md"), "# Changelog\n\n## 1.1\n\n- New.\n\n## 1.0\n\n- Old.\n")
            .unwrap();
        let key = folder.join(key);
        make_key(&key).unwrap();
        let (version, minimum_version) = ("1.1".parse().unwrap(), "1.0".parse().unwrap());
        let notes = folder.join("CHANGELOG.md");
        Inputs { image, version, minimum_version, notes, key, passphrase: None, is_development: true }
    }

    #[test]
    fn what_is_packed_is_what_is_read_and_its_checksum_fits() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(folder.path(), "one.key");
        let path = pack(&inputs).unwrap();
        let key = Key::parse(&fs::read_to_string(inputs.key.with_extension("pub")).unwrap()).unwrap();
        let mut reader = Reader::new(key, "1.0".parse().unwrap());
        let mut content = Vec::new();
        let bytes = fs::read(&path).unwrap();
        reader.push(&bytes, &mut |_, bytes| content.write_all(bytes)).unwrap();
        let manifest = reader.finish().unwrap();
        assert_eq!((manifest.notes.as_str(), manifest.development), ("- New.", true));
        assert_eq!(content.len(), 2002);
        let sum = fs::read_to_string(path.with_added_extension("sha256")).unwrap();
        assert_eq!(sum, format!("{}  evenkeel-1.1.update\n", Sha::of(&bytes)));
    }

    #[test]
    fn the_index_names_the_archive_and_has_the_same_signature() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = inputs(folder.path(), "one.key");
        let archive = fs::read(pack(&inputs).unwrap()).unwrap();
        let key = Key::parse(&fs::read_to_string(inputs.key.with_extension("pub")).unwrap()).unwrap();
        let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let signature = file("evenkeel-1.1.index.json.minisig");
        let index = Index::verified(&file("evenkeel-1.1.index.json"), &signature, &key).unwrap();
        assert_eq!(
            (index.version.as_str(), index.notes.as_str(), index.development),
            ("1.1", "- New.", true)
        );
        let named = Archive {
            url: "evenkeel-1.1.update".into(),
            size: archive.len() as u64,
            sha256: Sha::of(&archive),
        };
        assert_eq!(index.archive, named);
    }

    #[test]
    fn a_pair_that_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("new/a.key");
        make_key(&key).unwrap();
        let before = fs::read(&key).unwrap();
        make_key(&key).unwrap();
        assert_eq!(fs::read(&key).unwrap(), before);
        assert!(check_key(&fs::read(key.with_extension("pub")).unwrap()).is_ok());
        assert!(check_key(b"no key").is_err());
    }

    #[test]
    fn another_lbd_or_version_has_the_same_base_and_anything_else_has_not() {
        let of = |path: &str, content: &str| {
            let mut tree = Tree::default();
            tree.file("init", 0o755, "x", "init").unwrap();
            tree.file("etc/passwd", 0o644, "x", "root").unwrap();
            let mut changed = Tree::default();
            for (at, entry) in tree.iter().filter(|(at, _)| *at != path) {
                if let Kind::File(content) = &entry.kind {
                    changed.file(at, entry.mode, "x", content.clone()).unwrap();
                }
            }
            changed.file(path, 0o755, "x", content).unwrap();
            base(&changed, &[b"kernel", b"quiet"])
        };
        assert_eq!(of("bin/lbd", "one"), of("bin/lbd", "two"));
        for path in ["etc/os-release", "usr/share/licenses/COMPONENTS.json", "etc/evenkeel/base.json"] {
            assert_eq!(of(path, "one"), of(path, "two"), "{path}");
        }
        for path in ["init", "etc/passwd", "bin/nft"] {
            assert_ne!(of(path, "one"), of(path, "two"), "{path}");
        }
        let booted = |line: &[u8]| base(&Tree::default(), &[b"kernel", line]);
        assert_ne!(booted(b"quiet"), booted(b"quiet panic=10"));
    }

    #[test]
    fn long_notes_are_cut() {
        let long = format!("# C\n\n## 1\n{}", "é".repeat(20_000));
        assert!(notes(&long).unwrap().len() <= MOST_NOTES + 4);
        assert!(notes("# C\n").is_err());
    }
}
