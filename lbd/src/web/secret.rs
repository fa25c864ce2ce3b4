//! Secrets: made at random, kept as digests, in files of their own that are replaced as a whole.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::durable;

/// Far more than the users and tokens that are allowed.
const LARGEST_FILE: u64 = 1 << 20;
const LOCK: &str = "lock";

/// What is kept of a secret that was made by [`random`]: nobody can guess 256 bits, so that one round is enough.
pub(super) type Fingerprint = [u8; 32];

/// 256 random bits, as text for cookies and headers.
pub(super) fn random() -> Result<String, String> {
    random_bytes().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// 256 random bits. The error is for people.
pub(crate) fn random_bytes() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| "the system has no random numbers to give".to_owned())?;
    Ok(bytes)
}

/// See [`Fingerprint`].
pub(super) fn fingerprint(secret: &str) -> Fingerprint {
    Sha256::digest(secret).into()
}

/// The same as text.
pub(super) fn hex(fingerprint: &Fingerprint) -> String {
    fingerprint.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A JSON file below `secrets`, readable by lbd's user alone. Every method waits for the disk.
#[derive(Clone)]
pub(crate) struct SecretFile(PathBuf);

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SecretFile {
    pub(crate) fn below(state_directory: &Path, name: &str) -> Self {
        Self(state_directory.join("secrets").join(name))
    }

    /// What it holds; nothing where there is no such file.
    pub(crate) fn load<T: DeserializeOwned + Default>(&self) -> io::Result<T> {
        let mut text = String::new();
        match File::open(&self.0) {
            Ok(file) => file.take(LARGEST_FILE).read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
            Err(error) => return Err(error),
        };
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    /// Reads, changes and writes it, while no other process does the same. The error is for people.
    pub(crate) fn update<T, R>(&self, change: impl FnOnce(&mut T) -> Result<R, String>) -> Result<R, String>
    where
        T: DeserializeOwned + Default + Serialize + PartialEq + Clone,
    {
        let failed = |error: io::Error| format!("cannot write {}: {error}", self.0.display());
        let folder = self.0.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = File::create(folder.join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let before: T = self.load().map_err(|error| format!("cannot read {}: {error}", self.0.display()))?;
        let mut after = before.clone();
        let result = change(&mut after)?;
        if after != before {
            let text = serde_json::to_string_pretty(&after).map_err(|error| error.to_string())?;
            durable::replace(&self.0, text.as_bytes()).map_err(failed)?;
        }
        Ok(result)
    }
}
