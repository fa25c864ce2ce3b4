use proptest::prelude::*;

use super::*;
use crate::config::{Document, Format, validate};

const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");
const PASSPHRASE: &str = "five words that nobody guesses";
const HASH: &str =
    "$argon2id$v=19$m=65536,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$klmcZ/I/HZ3Om28M+1qbGM4RAzbeAHmZR0ckZe3Z5Jo";

fn about() -> About {
    About {
        appliance: "lb1".into(),
        time: "2026-11-27T01:00:00Z".parse().unwrap(),
        by: "ann from 192.0.2.1".into(),
        software: "0.1.0".into(),
        configuration_version: 12,
    }
}

fn document(text: &str) -> Document {
    Document::parse(text, Format::Toml).unwrap()
}

fn secrets() -> Secrets {
    serde_json::from_value(serde_json::json!({
        "users": { "users": [{ "name": "loadbalancer", "role": "administrator", "password_hash": HASH }] },
        "mail_password": "of the smart host",
        "snmp": { "community": "hospital" },
    }))
    .unwrap()
}

fn backup() -> Backup {
    Backup { about: about(), document: document(EXAMPLE), secrets: Some(secrets()) }
}

fn refused(bytes: &[u8], passphrase: Option<&str>) -> String {
    let Unusable(problems) = read(bytes, passphrase).expect_err("it was taken");
    problems[0].to_string()
}

/// With its checksum made anew.
fn changed(text: &str, old: &str, new: &str) -> String {
    use sha2::{Digest, Sha256};
    assert!(text.contains(old), "{old}");
    let covered = text.splitn(3, '\n').nth(2).unwrap().replacen(old, new, 1);
    let digest: String = Sha256::digest(&covered).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("# Evenkeel backup, format 1\n# sha256 {digest}\n{covered}")
}

#[test]
fn what_is_not_encrypted_holds_no_secret_and_is_a_configuration() {
    let text = write(&backup(), None).unwrap();
    assert_eq!(read(text.as_bytes(), None).unwrap(), Backup { secrets: None, ..backup() });
    for secret in ["argon2", "smart host", "hospital\""] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert_eq!(document(&text), document(EXAMPLE));
}

#[test]
fn what_is_encrypted_holds_everything_and_opens_with_its_passphrase_alone() {
    let text = write(&backup(), Some(PASSPHRASE)).unwrap();
    assert!(!text.contains("DATALINK") && sealed::is_sealed(text.as_bytes()));
    assert_eq!(read(text.as_bytes(), Some(PASSPHRASE)).unwrap(), backup());
    for (passphrase, words) in [
        (None, "passphrase: this backup is encrypted"),
        (Some(""), "passphrase: this backup is encrypted"),
        (Some("five words that nobody guesses "), "passphrase: the passphrase is wrong"),
    ] {
        let told = refused(text.as_bytes(), passphrase);
        assert!(told.starts_with(words), "{told}");
    }
}

#[test]
fn what_is_not_whole_or_of_something_else_is_refused_in_words() {
    let text = write(&backup(), None).unwrap();
    for (file, words) in [
        ("", "no backup of Evenkeel"),
        (EXAMPLE, "no backup of Evenkeel"),
        ("\u{7f}ELF\0", "no backup of Evenkeel"),
        (&text.replacen("format 1", "format 2", 1), "of a newer version"),
        (&text.replacen("2001", "2002", 1), "not whole, or was changed"),
        (&changed(&text, "\"lb1\"", "\"lb1\\u001b\""), "not whole, or was changed"),
        (&changed(&text, "schema = 1", "schema = 99"), "schema"),
    ] {
        let told = refused(file.as_bytes(), None);
        assert!(told.contains(words), "{told}");
    }
    assert!(refused(&[0xff, 0xfe], None).contains("no backup"));
    assert!(refused(&vec![b'#'; LARGEST + 1], None).contains("bytes are more than"));
    for length in (0..text.len()).step_by(7) {
        assert!(read(&text.as_bytes()[..length], None).is_err(), "cut off after {length} bytes");
    }
    let sealed = write(&backup(), Some(PASSPHRASE)).unwrap();
    for length in [100, sealed.len() / 2, sealed.len() - 40] {
        let told = refused(&sealed.as_bytes()[..length], Some(PASSPHRASE));
        assert!(told.contains("not whole"), "cut off after {length} bytes: {told}");
    }
}

#[test]
fn no_file_costs_more_than_one_of_ours() {
    let stanza = |stanza: &str| format!("age-encryption.org/v1\n-> {stanza}\nAAAA\n--- AAAA\n");
    for (file, words) in [
        (stanza("scrypt AAAAAAAAAAAAAAAAAAAAAA 30"), "the work factor 30, more than the 16 allowed"),
        (stanza("X25519 AAAA"), "encrypted for a key"),
        (stanza("scrypt AAAA 16777216"), "not whole"),
        (stanza("scrypt AAAA"), "not whole"),
        ("age-encryption.org/v1\n".to_owned() + &"-> scrypt A 16\nAAAA\n".repeat(100_000), "not whole"),
    ] {
        let told = refused(file.as_bytes(), Some(PASSPHRASE));
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn secrets_that_could_not_have_been_set_are_refused() {
    let text = file::text(&backup());
    for (old, new, words) in [
        ("m=65536", "m=4194304", "out of range"),
        ("\"loadbalancer\"", "\"somebody\"", "no loadbalancer among them"),
        ("\"administrator\"", "\"viewer\"", "no loadbalancer among them"),
        ("of the smart host", "of the\\nsmart host", "this is no password"),
        ("\"hospital\"", "\"a b\"", "the community has the character"),
        ("\"mail_password\"", "\"other\"", "not whole"),
    ] {
        let told = refused(changed(&text, old, new).as_bytes(), None);
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn what_changes_of_secrets_is_told_without_them() {
    let before = Secrets::default();
    let told = secrets().difference(&before);
    assert_eq!(told, ["user loadbalancer added", "SNMP community added", "password of the smart host added"]);
    assert!(secrets().difference(&secrets()).is_empty());
    assert_eq!(
        before.difference(&secrets()),
        ["SNMP community removed", "password of the smart host removed"]
    );
    assert!(!format!("{:?}", backup()).contains("argon2"));
}

#[test]
fn passphrases_are_long_and_one_line() {
    assert_eq!(sealed::check_passphrase(PASSPHRASE), Ok(()));
    for wrong in ["", "too short", "two lines\nof it", &"x".repeat(257)] {
        let fault = sealed::check_passphrase(wrong).unwrap_err();
        assert!(wrong.is_empty() || !fault.problem.contains(wrong), "{fault:?}");
    }
}

#[test]
fn another_appliance_keeps_its_own_network_and_nothing_else() {
    let (restored, mut own) = (document(EXAMPLE), document(EXAMPLE));
    own.management.address = "192.168.10.11".into();
    own.network = Some(Default::default());
    own.virtual_service.clear();
    let kept = own::kept(&restored, &own);
    assert_eq!((&kept.management, &kept.network), (&own.management, &own.network));
    assert_eq!(
        Document { management: restored.management.clone(), network: restored.network.clone(), ..kept },
        restored
    );
}

/// A folder of fixtures, which only ever grows: what a released version wrote, every later one reads.
fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = format!("{}/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_schema_version_is_a_fixture_and_its_backups_restore() {
    let fixtures = fixtures("schema");
    assert_eq!(fixtures.len(), crate::config::document::SCHEMA as usize);
    for (name, text) in fixtures {
        let written = Backup { document: document(&text), ..backup() };
        let read = read(write(&written, None).unwrap().as_bytes(), None);
        let read = read.unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert_eq!(*validate(read.document).unwrap().document, document(&text), "{name}");
    }
}

#[test]
fn backups_of_every_format_restore() {
    for (name, text) in fixtures("backup") {
        let passphrase = sealed::is_sealed(text.as_bytes()).then_some(PASSPHRASE);
        let read = read(text.as_bytes(), passphrase).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        assert_eq!((read.about, read.secrets), (about(), passphrase.map(|_| secrets())), "{name}");
        assert!(!read.document.virtual_service.is_empty(), "{name}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let _ = read(&bytes, None);
        let _ = read(format!("# Evenkeel backup, format 1\n{text}").as_bytes(), None);
        let _ = read(format!("age-encryption.org/v1\n-> scrypt {text}").as_bytes(), Some(PASSPHRASE));
    }
}
