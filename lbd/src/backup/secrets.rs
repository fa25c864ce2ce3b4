//! What is kept apart from the configuration: users, tokens, the WebUI's certificate with its key, passwords.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Unusable;
use crate::config::Problem;
use crate::mail::password::{self, PasswordFile};
use crate::snmp::secret::{Keeper, Secrets as SnmpSecrets};
use crate::web::certificate::{CertificateFile, offer};
use crate::web::tokens::{TokenFile, Tokens};
use crate::web::users::{UserFile, Users};

/// All of it. Never shown: only what distinguishes two of them is told.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Nobody where no password was set.
    #[serde(default)]
    pub(crate) users: Users,
    #[serde(default)]
    pub(crate) tokens: Tokens,
    /// With its key, in PEM; `None`: the one that is there stays.
    #[serde(default)]
    pub(crate) certificate: Option<String>,
    /// Of the smart host.
    #[serde(default)]
    pub(crate) mail_password: Option<String>,
    #[serde(default)]
    pub(crate) snmp: SnmpSecrets,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Whether each could have been set here.
    pub(super) fn check(&self) -> Result<(), Unusable> {
        let field = |field: &str, why: String| {
            let remedy = "use another backup, or one without secrets".to_owned();
            Unusable(vec![Problem { field: field.into(), problem: why, remedy }])
        };
        self.users.check().map_err(|why| field("users", why))?;
        self.tokens.check().map_err(|why| field("tokens", why))?;
        let mail = self.mail_password.as_deref().map_or(Ok(()), password::check);
        mail.map_err(|fault| field("mail password", fault.problem))?;
        self.snmp.check().map_err(|fault| field("snmp", fault.problem))
    }

    /// Whether its certificate can be shown now, in the words of one that somebody brings.
    pub fn check_certificate(&self, now: Timestamp) -> Result<(), Unusable> {
        let checked = self.certificate.as_deref().map(|pem| offer::checked(pem, "", "", now));
        checked.transpose().map(drop).map_err(Unusable)
    }

    /// What changes where these take the place of `before`: a sentence each, without any secret.
    pub fn difference(&self, before: &Self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.users.is_empty() {
            told.extend(entries("user", &before.users.fingerprints(), &self.users.fingerprints()));
        }
        told.extend(entries("API token", &before.tokens.fingerprints(), &self.tokens.fingerprints()));
        if self.certificate.is_some() && self.certificate != before.certificate {
            told.push("certificate and private key of the WebUI replaced".into());
        }
        told.extend(entries("", &before.passwords(), &self.passwords()));
        told
    }

    /// Those that are one text each, by what they are called.
    fn passwords(&self) -> BTreeMap<String, String> {
        let mail =
            self.mail_password.as_ref().map(|text| ("password of the smart host".to_owned(), text.clone()));
        mail.into_iter().chain(self.snmp.named()).collect()
    }
}

/// What came, went or is another one, by its name.
fn entries(kind: &str, before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let line = |name: &str, what: &str| format!("{kind} {name} {what}").trim_start().to_owned();
    let gone = before.keys().filter(|name| !now.contains_key(*name)).map(|name| line(name, "removed"));
    let other = now.iter().filter_map(|(name, text)| match before.get(name) {
        None => Some(line(name, "added")),
        Some(known) if known != text => Some(line(name, "replaced")),
        Some(_) => None,
    });
    gone.chain(other).collect()
}

/// Where they are kept. Every method waits for the disk; errors are for people.
#[derive(Debug, Clone)]
pub struct SecretPlaces {
    users: UserFile,
    tokens: TokenFile,
    certificate: CertificateFile,
    mail: PasswordFile,
    snmp: Keeper,
}

impl SecretPlaces {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self {
            users: UserFile::below(state_directory),
            tokens: TokenFile::below(state_directory),
            certificate: CertificateFile::below(state_directory),
            mail: PasswordFile::below(state_directory),
            snmp: Keeper::below(state_directory),
        }
    }

    /// All that there is.
    pub fn load(&self) -> Result<Secrets, String> {
        Ok(Secrets {
            users: self.users.load().map_err(|error| format!("the users cannot be read: {error}"))?,
            tokens: self.tokens.load().map_err(|error| format!("the tokens cannot be read: {error}"))?,
            certificate: self
                .certificate
                .load()
                .map_err(|error| format!("the certificate cannot be read: {error}"))?,
            mail_password: self.mail.load()?,
            snmp: self.snmp.load()?,
        })
    }

    /// Puts these in the place of what there is; all of them, or none where the disk takes back what it took.
    pub fn replace(&self, secrets: &Secrets) -> Result<(), String> {
        let before = self.load()?;
        self.write(secrets).inspect_err(|_| {
            if let Err(error) = self.write(&before) {
                tracing::error!(error, "cannot put the secrets of before back");
            }
        })
    }

    fn write(&self, secrets: &Secrets) -> Result<(), String> {
        // Without a user nobody could log in any more.
        if !secrets.users.is_empty() {
            self.users.replace(secrets.users.clone())?;
        }
        self.tokens.replace(secrets.tokens.clone())?;
        self.mail.set(secrets.mail_password.clone())?;
        self.snmp.replace(secrets.snmp.clone())?;
        let certificate = secrets.certificate.as_deref().map(|pem| self.certificate.store(pem));
        certificate
            .transpose()
            .map(drop)
            .map_err(|error| format!("the certificate cannot be stored: {error}"))
    }
}
