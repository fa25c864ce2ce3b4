//! A version of the configuration as text: who made it, when and why, and the document. Pure.
//!
//! The first line is for people, the second holds a checksum of all that follows, the third says who made the
//! change, as JSON in a comment; then comes the document in TOML.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::values::Fault;
use crate::config::{Config, Document, Format, Problem, validate};

const CHECKSUM: &str = "# sha256 ";
const CHANGE: &str = "# change ";
/// A sentence or two: what it says in full belongs into the ticket that it names.
pub const LONGEST_COMMENT: usize = 200;

/// Who asked for something, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Author {
    /// Name of the user.
    pub user: String,
    /// An address, or `local socket`.
    pub from: String,
}

impl Author {
    /// lbd itself, at start or when nobody confirmed.
    pub fn lbd() -> Self {
        Self { user: "lbd".into(), from: "itself".into() }
    }
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {}", self.user, self.from)
    }
}

/// Who made a version, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stamp {
    /// When it was stored.
    pub time: Timestamp,
    /// By whom.
    #[serde(flatten)]
    pub by: Author,
    /// Why, in the author's words; may be empty. One line of at most [`LONGEST_COMMENT`] characters.
    #[serde(default)]
    pub comment: String,
}

/// A comment that can be kept, or what is wrong with it.
pub fn check_comment(comment: &str) -> Result<(), Fault> {
    let length = comment.chars().count();
    if length > LONGEST_COMMENT {
        let remedy = format!("give at most {LONGEST_COMMENT}");
        return Err(Fault::new(format!("the comment has {length} characters"), remedy));
    }
    if comment.chars().any(char::is_control) {
        return Err(Fault::new("the comment has control characters", "write one line of plain text"));
    }
    Ok(())
}

/// What a file of a version holds.
pub(super) fn text(version: u64, document: &Document, stamp: &Stamp) -> String {
    // Strings and a time: there is always a JSON text of them.
    let change = serde_json::to_string(stamp).unwrap_or_default();
    let covered = format!("{CHANGE}{change}\n{}", document.to_toml());
    format!("# evenkeel configuration, version {version}\n{CHECKSUM}{}\n{covered}", digest(&covered))
}

/// A file's content, if it is whole: who made it, and the document's text.
pub fn parse(text: &str) -> Result<(Stamp, &str), String> {
    let damaged = "its beginning is damaged";
    let (_, rest) = text.split_once('\n').ok_or(damaged)?;
    let (checksum, covered) = rest.split_once('\n').ok_or(damaged)?;
    let checksum = checksum.strip_prefix(CHECKSUM).ok_or(damaged)?;
    if digest(covered) != checksum {
        return Err("its checksum does not fit".into());
    }
    let (change, document) = covered.split_once('\n').ok_or(damaged)?;
    let change = change.strip_prefix(CHANGE).ok_or("it does not say who made it")?;
    let stamp =
        serde_json::from_str(change).map_err(|error| format!("it does not say who made it: {error}"))?;
    Ok((stamp, document))
}

/// The document's text as a configuration that can be used.
pub(super) fn config(text: &str) -> Result<Config, String> {
    let first = |problems: Vec<Problem>| problems.first().map(Problem::to_string).unwrap_or_default();
    Document::parse(text, Format::Toml).and_then(validate).map_err(first)
}

fn digest(covered: &str) -> String {
    Sha256::digest(covered).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document() -> Document {
        Document::parse(include_str!("../../../examples/datalink.toml"), Format::Toml).unwrap()
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(user in any::<String>(), comment in any::<String>()) {
            let by = Author { user, from: "10.0.0.1".into() };
            let stamp = Stamp { time: Timestamp::UNIX_EPOCH, by, comment };
            let text = text(7, &document(), &stamp);
            let (read, body) = parse(&text).unwrap();
            prop_assert_eq!(read, stamp);
            prop_assert_eq!(&*config(body).unwrap().document, &document());
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = (parse(&text), check_comment(&text));
        }
    }

    #[test]
    fn comments_are_one_short_line() {
        assert_eq!(check_comment("NODE2 repaired, ticket 4711"), Ok(()));
        assert!(check_comment("two\nlines").is_err() && check_comment(&"x".repeat(201)).is_err());
    }
}
