//! What a server says of the newest version: read before anybody downloads 40 MB. It lies beside the archive, with its
//! signature, by the same key, in a second file.
//!
//! ```text
//! evenkeel-VERSION.index.json         this
//! evenkeel-VERSION.index.json.minisig its signature
//! evenkeel-VERSION.update             the archive, or whatever the index names
//! ```
//! Whoever publishes copies the first two under a name that stays. An old index that is served again offers nothing that is
//! newer than what runs, and the archive is verified for itself.

use crate::fault::Fault;
use crate::form::{self, Remedies};
use crate::hash::Sha;
use crate::manifest::LARGEST_ARCHIVE;
use crate::signature::Key;
use crate::version::Version;
use serde::{Deserialize, Serialize};

/// The one form of index there is.
pub const FORMAT: u32 = 1;
/// An index has 2 KiB and its notes, which have 16 KiB at most.
pub const LARGEST_INDEX: usize = 64 << 10;
/// A signature has 300 bytes.
pub const LARGEST_SIGNATURE: usize = 4 << 10;
/// What is behind the name of an index in that of its signature.
pub const SIGNATURE_SUFFIX: &str = ".minisig";
/// Longer ones are no use to any server.
const LONGEST_URL: usize = 2_048;

/// What a server says of the newest version. Fields that are not known are passed over: a newer builder may say more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// [`FORMAT`].
    pub format: u32,
    /// [`crate::manifest::PRODUCT`].
    pub product: String,
    /// What there is.
    pub version: Version,
    /// The oldest version that can be updated to it.
    pub minimum_version: Version,
    /// What is new, for people: lines of text.
    pub notes: String,
    /// Made by a developer, not a release.
    pub development: bool,
    /// The archive.
    pub archive: Archive,
}

/// Where the archive is, and how one knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Beginning with `https://`, or relative to the place of the index.
    pub url: String,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of the whole.
    pub sha256: Sha,
}

impl Index {
    /// Reads an index if this key has signed it.
    pub fn verified(json: &[u8], signature: &[u8], key: &Key) -> Result<Self, Fault> {
        key.verify(json, signature).map_err(|fault| match fault {
            Fault::OtherKey => Fault::IndexOfOtherKey,
            Fault::Forged => Fault::IndexForged,
            other => other,
        })?;
        Self::parse(json)
    }

    /// Reads an index whose signature is verified.
    pub fn parse(json: &[u8]) -> Result<Self, Fault> {
        let remedies =
            Remedies { product: "correct the URL", format: "download an update elsewhere, and upload it" };
        let index: Self = form::read(json, FORMAT, &remedies).map_err(Fault::Index)?;
        form::check_notes(&index.notes).map_err(Fault::Index)?;
        index.archive.check()?;
        Ok(index)
    }
}

impl Archive {
    fn check(&self) -> Result<(), Fault> {
        if self.size == 0 || self.size > LARGEST_ARCHIVE {
            let why = format!("its archive has {} bytes, and may have 1 to {LARGEST_ARCHIVE}", self.size);
            return Err(Fault::Index(why));
        }
        let url = &self.url;
        let is_plain =
            (1..=LONGEST_URL).contains(&url.len()) && url.bytes().all(|byte| byte.is_ascii_graphic());
        // What stands before a colon in the first part is a scheme (RFC 3986 section 4.2).
        let has_scheme = url.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
        let is_elsewhere = url.starts_with("//");
        if !is_plain || (has_scheme && !url.starts_with("https://")) || is_elsewhere {
            return Err(Fault::Index("the URL of its archive is neither of https nor relative".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({
            "format": 1, "product": "evenkeel", "version": "1.1", "minimum_version": "1.0", "notes": "New:\n- all",
            "development": false, "later": { "unknown": true },
            "archive": { "url": "evenkeel-1.1.update", "size": 5, "sha256": Sha::of(b"") },
        })
    }

    fn parsed(field: &str, value: Value) -> Result<Index, String> {
        let mut index = good();
        *index.pointer_mut(field).unwrap() = value;
        Index::parse(index.to_string().as_bytes()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn what_a_newer_builder_says_besides_is_passed_over() {
        assert_eq!(parsed("/format", json!(1)).unwrap().version.as_str(), "1.1");
    }

    #[test]
    fn each_rule_is_told() {
        let table = [
            ("/format", json!(2), "download an update elsewhere"),
            ("/product", json!("other"), "another product"),
            ("/version", json!("1+3"), "no version"),
            ("/notes", json!("\u{1b}[2J"), "no plain text"),
            ("/archive/size", json!(1_u64 << 33), "8589934592 bytes"),
            ("/archive/size", json!(0), "0 bytes"),
            ("/archive/sha256", json!("0"), "64 lower-case"),
            ("/archive", Value::Null, "invalid type"),
        ];
        for (field, value, words) in table {
            let told = parsed(field, value).unwrap_err();
            assert!(told.starts_with("the index of updates cannot be used: "), "{told}");
            assert!(told.contains(words), "{field}: {told}");
        }
    }

    #[test]
    fn an_archive_is_beside_the_index_or_on_another_server_that_proves_who_it_is() {
        let long = "u".repeat(LONGEST_URL + 1);
        for good in ["a.update", "../1.1/a.update?x=a:b", "/a.update", "https://other.example/a.update"] {
            assert!(parsed("/archive/url", json!(good)).is_ok(), "{good}");
        }
        for bad in
            ["", "http://x/a", "file:///etc/passwd", "//other.example/a", "a b", "a\nb", "ä", "x:a", &long]
        {
            assert!(parsed("/archive/url", json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_the_key_has_signed_is_read() {
        let [ours, other] = [(); 2].map(|()| minisign::KeyPair::generate_unencrypted_keypair().unwrap());
        let key = Key::parse(&ours.pk.to_box().unwrap().to_string()).unwrap();
        let json = good().to_string().into_bytes();
        let sign = |pair: &minisign::KeyPair| {
            let signed = minisign::sign(Some(&pair.pk), &pair.sk, json.as_slice(), None, None).unwrap();
            signed.into_string().into_bytes()
        };
        let read = |json: &[u8], signature: &[u8]| Index::verified(json, signature, &key);
        assert!(read(&json, &sign(&ours)).is_ok());
        assert!(matches!(read(&json, &sign(&other)), Err(Fault::IndexOfOtherKey)));
        assert!(matches!(read(b"{}", &sign(&ours)), Err(Fault::IndexForged)));
        assert!(matches!(read(&json, b"\xff"), Err(Fault::IndexForged)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Index::parse(&bytes);
        }

        #[test]
        fn no_value_makes_it_panic(at in 0_usize..8, value in any::<i64>(), text in ".{0,40}") {
            let fields =
                ["/format", "/product", "/version", "/minimum_version", "/notes", "/development", "/archive/url",
                 "/archive/size"];
            for value in [json!(value), json!(text)] {
                if let Ok(index) = parsed(fields[at], value) {
                    prop_assert!(index.archive.size <= LARGEST_ARCHIVE);
                }
            }
        }
    }
}
