//! The SNMP agent: who may ask what way.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::Label;
use super::values::{Fault, quoted};
use crate::network::topology::Network;

/// Who may ask the SNMP agent, and how. Community and passphrases are no part of it: see [`crate::snmp::secret`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snmp {
    /// Managers are answered.
    pub enabled: bool,
    /// What it answers to: at least one.
    pub versions: BTreeSet<SnmpVersion>,
    /// UDP port on the management address.
    pub port: u16,
    /// From where it may be asked, none within another; empty: from everywhere.
    pub sources: Vec<Network>,
    /// Where the appliance is.
    pub location: String,
    /// Who looks after it.
    pub contact: String,
    /// Users of version 3; each name once.
    pub users: Vec<SnmpUser>,
    /// Who is told of alerts; each label once.
    pub traps: Vec<TrapDestination>,
}

/// A manager that is told of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapDestination {
    /// Its name.
    pub label: Label,
    /// Where it listens.
    pub place: SocketAddr,
    /// As whom it is told.
    pub way: TrapWay,
    /// It confirms what it is told.
    pub inform: bool,
}

/// As whom a manager is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrapWay {
    /// With the community, in version 1.
    V1,
    /// The same in version 2c.
    V2c,
    /// As this user, in version 3.
    V3(SnmpUser),
}

impl TrapWay {
    /// For people.
    pub fn version(&self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3(_) => "v3",
        }
    }
}

/// Versions of SNMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SnmpVersion {
    /// RFC 1157: a community in clear.
    V1,
    /// RFC 3416 with a community in clear (RFC 1901).
    V2c,
    /// RFC 3414: users, proofs and encryption.
    V3,
}

/// A user of version 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnmpUser {
    /// Who.
    pub name: SnmpText,
    /// How messages are proved.
    pub authentication: Authentication,
    /// How they are encrypted; `None`: not at all.
    pub privacy: Option<Privacy>,
}

/// A community, a user's name or a passphrase: of the characters that the product's specification allows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnmpText(String);

/// Beside letters and digits.
const SIGNS: &str = "[]#~_*!=$%?{}@:;^";

impl SnmpText {
    /// Of `least` to `most` characters. `what` names the thing in the error text, which never repeats it.
    pub fn new(text: &str, what: &str, least: usize, most: usize) -> Result<Self, Fault> {
        if !(least..=most).contains(&text.chars().count()) {
            let problem = format!("the {what} has {} characters", text.chars().count());
            return Err(Fault::new(problem, format!("give {least} to {most} characters")));
        }
        match text.chars().find(|c| !c.is_ascii_alphanumeric() && !SIGNS.contains(*c)) {
            None => Ok(Self(text.to_owned())),
            Some(other) => {
                let problem = format!("the {what} has the character {}", quoted(&other.to_string()));
                Err(Fault::new(problem, format!("use A-Z, a-z, 0-9 and the signs {SIGNS}")))
            }
        }
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! named {
    ($(#[$about:meta])* $name:ident: $($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All, in the order in which people are offered them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// In the configuration.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}

named! {
    /// How messages are proved (RFC 3414, RFC 7860).
    Authentication:
    /// HMAC-SHA-256.
    Sha256 = "sha256",
    /// HMAC-SHA-224.
    Sha224 = "sha224",
    /// HMAC-SHA-384.
    Sha384 = "sha384",
    /// HMAC-SHA-512.
    Sha512 = "sha512",
    /// HMAC-SHA-96, for old managers.
    Sha1 = "sha1",
    /// HMAC-MD5-96, for very old ones.
    Md5 = "md5",
}

named! {
    /// How messages are encrypted (RFC 3414, RFC 3826; longer keys as managers agreed to without a standard).
    Privacy:
    /// AES-128.
    Aes128 = "aes128",
    /// AES-192, key extended as in draft-blumenthal-aes-usm-04: net-snmp's AES-192.
    Aes192 = "aes192",
    /// AES-256, the same way: net-snmp's AES-256.
    Aes256 = "aes256",
    /// AES-192, key extended as in draft-reeder-snmpv3-usm-3desede-00: Cisco's way.
    Aes192Cisco = "aes192c",
    /// AES-256, Cisco's way.
    Aes256Cisco = "aes256c",
    /// DES, for old managers.
    Des = "des",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_characters_of_the_specification_are_allowed() {
        let allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789[]#~_*!=$%?{}@:;^";
        for code in 0..=255_u8 {
            let text = char::from(code).to_string().repeat(8);
            let is_allowed = SnmpText::new(&text, "community", 1, 32).is_ok();
            assert_eq!(is_allowed, allowed.contains(char::from(code)), "{text:?}");
        }
        let fault = SnmpText::new("top secret", "passphrase", 8, 64).unwrap_err();
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }

    #[test]
    fn a_passphrase_has_at_least_eight_characters() {
        assert!(SnmpText::new("1234567", "passphrase", 8, 64).is_err());
        assert!(SnmpText::new("12345678", "passphrase", 8, 64).is_ok());
    }
}
