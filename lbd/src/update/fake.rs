//! The other side of updates, for tests: an init that answers, and archives of every kind.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use evenkeel_update::hash::Sha;
use evenkeel_update::index::{self, Archive, Index};
use evenkeel_update::manifest::{Base, Content, FORMAT, Manifest, PRODUCT};
use evenkeel_update::write::write;
use minisign::KeyPair;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::Places;

/// The first one is trusted.
pub static KEYS: LazyLock<[KeyPair; 2]> =
    LazyLock::new(|| std::array::from_fn(|_| KeyPair::generate_unencrypted_keypair().unwrap()));

/// What all updates are made of.
pub fn base() -> Base {
    let digest = Sha::of(b"x");
    Base { kernel: digest, init: digest, files: digest }
}

/// An update archive of this version, signed.
pub fn archive(version: &str, keys: &KeyPair) -> Vec<u8> {
    let uki = vec![0xe5; 700_000];
    let manifest = Manifest {
        format: FORMAT,
        product: PRODUCT.into(),
        version: version.parse().unwrap(),
        minimum_version: "1.0".parse().unwrap(),
        notes: "New".into(),
        development: false,
        sbom: Content::of(b"{}"),
        uki: Content::of(&uki),
        base: base(),
    };
    let text = serde_json::to_vec(&manifest).unwrap();
    let signature = minisign::sign(Some(&keys.pk), &keys.sk, text.as_slice(), None, None).unwrap();
    let mut out = Vec::new();
    write(&mut out, &text, signature.into_string().as_bytes(), b"{}", &uki).unwrap();
    out
}

/// What a server says of this archive of this version.
pub fn index(version: &str, archive: &[u8]) -> Index {
    Index {
        format: index::FORMAT,
        product: PRODUCT.into(),
        version: version.parse().unwrap(),
        minimum_version: "1.0".parse().unwrap(),
        notes: "New".into(),
        development: false,
        archive: Archive { url: "new.update".into(), size: archive.len() as u64, sha256: Sha::of(archive) },
    }
}

/// The trusted key, and an init on whose machine version 1.0 runs with the base of all updates, in `folder`.
pub fn places(folder: &Path) -> Places {
    let path = |name| folder.join(name);
    let places = Places { key: path("key.pub"), base: path("base.json"), init_socket: path("init.sock") };
    fs::write(&places.base, serde_json::to_vec(&base()).unwrap()).unwrap();
    fs::write(&places.key, KEYS[0].pk.to_box().unwrap().to_string()).unwrap();
    let listener = UnixListener::bind(&places.init_socket).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut word = [0; 16];
            let length = stream.read(&mut word).await.unwrap();
            let answer = match &word[..length] {
                b"systems\n" => "ok {\"running\":\"1.0\",\"on_trial\":false,\"other\":null}\n",
                b"install\n" | b"quick\n" => "ok 1.1\n",
                b"back\n" => "ok 0.9\n",
                b"reboot\n" => "ok\n",
                _ => "error what?\n",
            };
            // Whoever asked may have gone.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    places
}
