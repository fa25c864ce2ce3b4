//! Passwords: which passwords and hashes are taken, and what is stored of one.
//!
//! A password is kept as an argon2id hash, and whether the first log-in must change it beside it: neither is ever
//! there without the other.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};

use crate::config::values::Fault;

/// Long enough against guessing over the network, where few are verified at a time; short enough to be typed.
const SHORTEST_PASSWORD: usize = 8;
/// A bound for the work of hashing.
pub(super) const LONGEST_PASSWORD: usize = 256;
/// Longer than any hash with the parameters below: 64 bytes of output are 86 characters.
const LONGEST_HASH: usize = 256;
/// KiB. From the least of the OWASP password storage cheat sheet to what widespread tools use by default
/// (64 and 100 MiB), within the smallest machine's 4 GB.
const MEMORY: RangeInclusive<u32> = 7_168..=131_072;
/// Memory times passes, in KiB. The least is OWASP's; the most takes about 1.5 s, at every login.
const WORK: RangeInclusive<u64> = 35_840..=524_288;
/// Django's default is 8 lanes; they are worked on one after the other, so that more cost no more.
const MOST_LANES: u32 = 16;
/// RFC 9106 section 3.1 recommends 16 bytes of salt and allows less; 8 is what the algorithm demands.
const SHORTEST_SALT: usize = 8;
/// RFC 9106 section 4 recommends at least 128 bits of tag.
const SHORTEST_OUTPUT: usize = 16;

/// The argon2id parameters of the OWASP password storage cheat sheet with the least memory but one: 9 MiB, 4
/// passes, 1 lane.
fn hasher() -> Argon2<'static> {
    let params = Params::new(9 * 1024, 4, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Says what is wrong with a new password; never repeats it.
pub fn check_password(password: &str) -> Result<(), Fault> {
    let remedy = format!("give {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters");
    let length = password.chars().count();
    if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) {
        return Err(Fault::new(format!("the password has {length} characters"), remedy));
    }
    // RFC 7617 section 2: they cannot be sent.
    if password.chars().any(char::is_control) {
        return Err(Fault::new("the password has control characters", "leave out tabs and line breaks"));
    }
    Ok(())
}

/// Says what is wrong with a hash that somebody else made: a costly one would keep every login waiting, a cheap
/// one could be guessed where it is readable. Never repeats it, it might be a password in the wrong field.
pub fn check_hash(phc: &str) -> Result<(), Fault> {
    const REMEDY: &str = "make one with `argon2 SALT -id -k 65536 -t 3 -p 1 -e`, SALT being 16 random \
                          characters; it begins with $argon2id$v=19$";
    let fault = |problem: String| Fault::new(problem, REMEDY);
    let hash = (phc.len() <= LONGEST_HASH).then(|| PasswordHash::new(phc).ok()).flatten();
    let hash = hash.ok_or_else(|| fault("this is not an argon2id hash in PHC format".into()))?;
    if hash.algorithm.as_str() != "argon2id" || hash.version != Some(Version::V0x13 as u32) {
        return Err(fault("the hash is not of argon2id, version 19".into()));
    }
    let params = Params::try_from(&hash).map_err(|error| fault(format!("the hash has {error}")))?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if !MEMORY.contains(&memory) {
        let (least, most) = (MEMORY.start(), MEMORY.end());
        return Err(fault(format!("m={memory} is out of range ({least} to {most} KiB)")));
    }
    let (least, most) = (WORK.start(), WORK.end());
    if !WORK.contains(&(u64::from(memory) * u64::from(passes))) {
        return Err(fault(format!("m={memory} times t={passes} is out of range ({least} to {most})")));
    }
    if lanes > MOST_LANES {
        return Err(fault(format!("p={lanes} is out of range (1 to {MOST_LANES})")));
    }
    let salted = hash.salt.is_some_and(|salt| salt.len() >= SHORTEST_SALT);
    if !salted || hash.hash.is_none_or(|output| output.len() < SHORTEST_OUTPUT) {
        return Err(fault("salt or hash are missing or too short".into()));
    }
    Ok(())
}

/// What is stored of a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPassword {
    /// In PHC format.
    #[serde(rename = "password_hash")]
    pub hash: String,
    /// Good for one thing only: to set another one.
    #[serde(default)]
    pub must_change: bool,
}

impl StoredPassword {
    /// Takes a tenth of a second with our own parameters, more with a given hash.
    pub(super) fn verify(&self, password: &str) -> io::Result<bool> {
        let hash = PasswordHash::new(&self.hash).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(hasher().verify_password(password.as_bytes(), &hash).is_ok())
    }
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPassword").field("must_change", &self.must_change).finish_non_exhaustive()
    }
}

/// Takes a tenth of a second. The error is for people.
pub(super) fn hash(password: &str) -> Result<String, String> {
    let hash = hasher().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_are_none_or_too_costly_or_too_cheap_are_refused() {
        const TAIL: &str = "$c2FsdHNhbHRzYWx0c2FsdA$4YnbZOgYTtRkGQ6hAPp2Q7mRvCNMyNbO8lJGsrzO+pc";
        for good in ["m=9216,t=4,p=1", "m=65536,t=3,p=4", "m=102400,t=2,p=8", "m=19456,t=2,p=1"] {
            assert_eq!(check_hash(&format!("$argon2id$v=19${good}{TAIL}")), Ok(()), "{good}");
        }
        let wrong = [
            "m=4194304,t=1,p=1",
            "m=65536,t=4294967295,p=1",
            "m=65536,t=9,p=1",
            "m=65536,t=3,p=16777215",
            "m=65536,t=3,p=17",
            "m=8,t=1,p=1",
            "m=9216,t=1,p=1",
            "m=9216,t=4,p=0",
            "m=99999999999,t=4,p=1",
            "m=9216,t=4,p=1,x=1",
        ];
        let wrong = wrong.map(|costs| format!("$argon2id$v=19${costs}{TAIL}"));
        let others = [
            String::new(),
            "correct horse".into(),
            format!("$argon2i$v=19$m=9216,t=4,p=1{TAIL}"),
            format!("$argon2id$v=16$m=9216,t=4,p=1{TAIL}"),
            format!("$argon2id$m=9216,t=4,p=1{TAIL}"),
            "$argon2id$v=19$m=9216,t=4,p=1".into(),
            "$argon2id$v=19$m=9216,t=4,p=1$c2FsdHNhbHRzYWx0c2FsdA".into(),
            "$argon2id$v=19$m=9216,t=4,p=1$c2FsdHNhbHRzYWx0c2FsdA$4YnbZOgYTtQ".into(),
            format!("$argon2id$v=19$m=9216,t=4,p=1{TAIL}\nmust-change"),
            format!("$argon2id$v=19$m=9216,t=4,p=1{TAIL}{}", "A".repeat(300)),
        ];
        for wrong in wrong.iter().chain(&others) {
            let fault = check_hash(wrong).expect_err(wrong);
            assert!(fault.remedy.contains("argon2 SALT -id"), "{fault:?}");
            assert!(!fault.problem.contains("correct horse"), "{fault:?}");
        }
    }

    #[test]
    fn passwords_are_checked_without_being_repeated() {
        for wrong in ["short", "", "tab\tin the middle", &"x".repeat(257)] {
            let fault = check_password(wrong).unwrap_err();
            assert!(wrong.is_empty() || !fault.problem.contains(wrong), "{fault:?}");
        }
        assert_eq!(check_password("Grüße aus Köln"), Ok(()));
    }
}
