//! Community and passphrases: in a file of their own, in no answer, no log and no version of the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::snmp::SnmpText;
use crate::config::values::Fault;
use crate::web::secret::SecretFile;

/// RFC 3414 section 11.2, and the product's specification.
const SHORTEST_PASSPHRASE: usize = 8;
/// Nobody types a longer one.
const LONGEST: usize = 64;

/// What is kept.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// Of versions 1 and 2c.
    #[serde(default)]
    pub(super) community: Option<String>,
    /// By user of version 3.
    #[serde(default)]
    pub(super) users: BTreeMap<String, Passphrases>,
}

impl Secrets {
    /// Whether each could have been set here, in words that do not repeat it.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.community.as_deref().map_or(Ok(()), check_community)?;
        self.users.iter().try_for_each(|(user, passphrases)| {
            SnmpText::new(user, "user", 1, LONGEST)?;
            let Passphrases { authentication, privacy } = passphrases;
            authentication.iter().chain(privacy).try_for_each(|text| check_passphrase(text))
        })
    }

    /// Each, by what it is called.
    pub(crate) fn named(&self) -> Vec<(String, String)> {
        let community = self.community.iter().map(|text| ("SNMP community".to_owned(), text.clone()));
        let users = self.users.iter().flat_map(|(user, passphrases)| {
            let kinds = [("authentication", &passphrases.authentication), ("privacy", &passphrases.privacy)];
            let named =
                move |kind: &str, text: &String| (format!("SNMP {kind} passphrase of {user}"), text.clone());
            kinds.into_iter().filter_map(move |(kind, text)| Some(named(kind, text.as_ref()?)))
        });
        community.chain(users).collect()
    }
}

/// Of one user.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passphrases {
    #[serde(default)]
    pub(super) authentication: Option<String>,
    #[serde(default)]
    pub(super) privacy: Option<String>,
}

/// What somebody sets anew; what is not named stays.
#[derive(Clone, Default)]
pub struct NewPassphrases {
    /// Proves messages.
    pub authentication: Option<String>,
    /// Encrypts them.
    pub privacy: Option<String>,
}

/// Where they are kept. Every method waits for the disk; errors are for people.
#[derive(Clone)]
pub struct Keeper(SecretFile);

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Keeper {
    /// Below the state directory.
    pub(crate) fn below(state_directory: &Path) -> Self {
        Self(SecretFile::below(state_directory, "snmp.json"))
    }

    pub(crate) fn load(&self) -> Result<Secrets, String> {
        self.0.load().map_err(|error| format!("community and passphrases cannot be read: {error}"))
    }

    /// Puts these in the place of all.
    pub(crate) fn replace(&self, new: Secrets) -> Result<(), String> {
        self.0.update(|secrets: &mut Secrets| {
            *secrets = new;
            Ok(())
        })
    }

    pub(super) fn set_community(&self, community: Option<String>) -> Result<(), String> {
        self.0.update(|secrets: &mut Secrets| {
            secrets.community = community;
            Ok(())
        })
    }

    /// Those of users that are not in the configuration any more are forgotten.
    pub(super) fn set_passphrases(
        &self,
        user: &str,
        new: NewPassphrases,
        known: &[String],
    ) -> Result<(), String> {
        self.0.update(|secrets: &mut Secrets| {
            secrets.users.retain(|name, _| known.contains(name));
            let kept = secrets.users.entry(user.to_owned()).or_default();
            kept.authentication = new.authentication.or(kept.authentication.take());
            kept.privacy = new.privacy.or(kept.privacy.take());
            Ok(())
        })
    }
}

/// A community, or what is wrong with it, in words that do not repeat it.
pub fn check_community(text: &str) -> Result<(), Fault> {
    SnmpText::new(text, "community", 1, LONGEST).map(drop)
}

/// A passphrase, the same way.
pub fn check_passphrase(text: &str) -> Result<(), Fault> {
    SnmpText::new(text, "passphrase", SHORTEST_PASSPHRASE, LONGEST).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_anew_stays_and_who_has_gone_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::below(folder.path());
        let some = |text: &str| Some(text.to_owned());
        let both = NewPassphrases { authentication: some("authentication"), privacy: some("privacy1") };
        keeper.set_passphrases("old", both.clone(), &["old".into()]).unwrap();
        keeper.set_passphrases("nms", both, &["nms".into()]).unwrap();
        let one = NewPassphrases { privacy: some("privacy2"), ..NewPassphrases::default() };
        keeper.set_passphrases("nms", one, &["nms".into()]).unwrap();
        keeper.set_community(some("hospital")).unwrap();
        let secrets = keeper.load().unwrap();
        assert_eq!(secrets.users.keys().collect::<Vec<_>>(), ["nms"]);
        assert_eq!(secrets.users["nms"].authentication.as_deref(), Some("authentication"));
        assert_eq!(secrets.users["nms"].privacy.as_deref(), Some("privacy2"));
        assert_eq!(secrets.community.as_deref(), Some("hospital"));
    }
}
