//! API tokens: for programs, with a role of their own and an end. Kept as digests; a token itself is shown once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Role;
use super::secret::{SecretFile, fingerprint, hex, random};
use super::users::check_name;
use crate::config::values::Fault;

/// Tells a token of ours from other secrets, where one was pasted into the wrong place.
const PREFIX: &str = "evk_";
/// Every script of a hospital its own.
const MOST_TOKENS: usize = 64;
/// Longer than five years nobody remembers what a token was for.
const MOST_DAYS: u32 = 1826;

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Unique.
    pub name: String,
    /// What it opens.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// SHA-256, in hexadecimal digits.
    digest: String,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    tokens: Vec<Token>,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// There is none like it: mistyped or revoked.
    Unknown,
    /// Its time is over.
    Expired,
}

/// A life that a token can have, or what is wrong with it.
pub fn check_days(days: u32) -> Result<(), Fault> {
    if (1..=MOST_DAYS).contains(&days) {
        return Ok(());
    }
    Err(Fault::new(format!("{days} days are out of range"), format!("give 1 to {MOST_DAYS}")))
}

impl Tokens {
    /// In the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter()
    }

    /// The token with this text.
    pub fn find(&self, text: &str, now: Timestamp) -> Result<&Token, TokenFault> {
        let digest = hex(&fingerprint(text));
        let token = self.tokens.iter().find(|token| token.digest == digest).ok_or(TokenFault::Unknown)?;
        if now < token.expires { Ok(token) } else { Err(TokenFault::Expired) }
    }

    /// Adds one for this text. The error is for people.
    fn add(&mut self, token: Token) -> Result<(), String> {
        if self.tokens.iter().any(|other| other.name == token.name) {
            return Err(format!("there is a token {} already; revoke it or choose another name", token.name));
        }
        if self.tokens.len() >= MOST_TOKENS {
            return Err(format!("there are {MOST_TOKENS} tokens already; revoke one first"));
        }
        self.tokens.push(token);
        Ok(())
    }

    /// Whether each could have been made here: the words are for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut kept = Self::default();
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        for token in &self.tokens {
            check_name(&token.name).map_err(|fault| fault.problem)?;
            if !is_digest(&token.digest) || token.created_by.chars().any(char::is_control) {
                return Err(format!("the token {} is damaged", token.name));
            }
            kept.add(token.clone())?;
        }
        Ok(())
    }

    /// By name, what tells one of them from another.
    pub(crate) fn fingerprints(&self) -> BTreeMap<String, String> {
        let of = |token: &Token| format!("{} {} {}", token.role, token.expires, token.digest);
        self.tokens.iter().map(|token| (token.name.clone(), of(token))).collect()
    }

    fn remove(&mut self, name: &str) -> Result<(), String> {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.name != name);
        if self.tokens.len() == before { Err("there is no token of this name".into()) } else { Ok(()) }
    }
}

/// Where the tokens are kept. Every method waits for the disk.
#[derive(Debug, Clone)]
pub struct TokenFile(SecretFile);

impl TokenFile {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self(SecretFile::below(state_directory, "tokens.json"))
    }

    /// All tokens.
    pub fn load(&self) -> io::Result<Tokens> {
        self.0.load()
    }

    /// Puts these in the place of all. The error is for people.
    pub(crate) fn replace(&self, new: Tokens) -> Result<(), String> {
        self.0.update(|tokens: &mut Tokens| {
            *tokens = new;
            Ok(())
        })
    }

    /// Makes a token and returns what is kept of it, and the token itself. The error is for people.
    pub fn create(
        &self,
        name: &str,
        role: Role,
        days: u32,
        by: &str,
        now: Timestamp,
    ) -> Result<(Token, String), String> {
        check_name(name)
            .and_then(|()| check_days(days))
            .map_err(|fault| format!("{}; {}", fault.problem, fault.remedy))?;
        let text = format!("{PREFIX}{}", random()?);
        let life = SignedDuration::from_hours(24 * i64::from(days));
        let expires = now.checked_add(life).map_err(|error| error.to_string())?;
        let digest = hex(&fingerprint(&text));
        let token = Token { name: name.into(), role, created: now, expires, created_by: by.into(), digest };
        self.0.update(|tokens: &mut Tokens| tokens.add(token.clone()))?;
        Ok((token, text))
    }

    /// Ends a token at once. The error is for people.
    pub fn revoke(&self, name: &str) -> Result<(), String> {
        self.0.update(|tokens: &mut Tokens| tokens.remove(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_until_it_ends_or_is_revoked_and_is_nowhere_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::below(folder.path());
        let start = Timestamp::UNIX_EPOCH;
        let day = |days: i64| start + SignedDuration::from_hours(24 * days);
        let (token, text) = file.create("backup", Role::Viewer, 2, "loadbalancer", start).unwrap();
        assert!(text.starts_with(PREFIX) && text.len() == PREFIX.len() + 43, "{text}");
        let stored = std::fs::read_to_string(folder.path().join("secrets/tokens.json")).unwrap();
        assert!(!stored.contains(&text));
        let tokens = file.load().unwrap();
        assert_eq!(tokens.find(&text, day(1)), Ok(&token));
        assert_eq!(tokens.find(&text, day(2)), Err(TokenFault::Expired));
        assert_eq!(tokens.find("evk_x", start), Err(TokenFault::Unknown));
        assert!(file.create("backup", Role::Viewer, 2, "loadbalancer", start).is_err(), "each name once");
        file.revoke("backup").unwrap();
        assert_eq!(file.load().unwrap().find(&text, day(1)), Err(TokenFault::Unknown));
        assert!(file.revoke("backup").is_err());
        for days in [0, MOST_DAYS + 1] {
            assert!(file.create("other", Role::Viewer, days, "x", start).is_err());
        }
    }
}
