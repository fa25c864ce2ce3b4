//! Why an archive is refused: for people, with what to do next.

use crate::manifest::Part;
use crate::version::Version;
use std::{fmt, io};

/// Why an archive is refused.
#[derive(Debug)]
pub enum Fault {
    /// What should be the header of this file is something else.
    NotAnArchive(Part),
    /// It ends too early.
    Truncated,
    /// Something follows after its end.
    Trailing,
    /// A file in it is larger than such a file may be.
    TooLarge {
        /// Which one.
        part: Part,
        /// Its size in bytes.
        size: u64,
    },
    /// The key of this appliance cannot be read.
    NoKey(String),
    /// The signature is by another key.
    OtherKey,
    /// The signature is no signature, or not of this manifest.
    Forged,
    /// The manifest cannot be used.
    Manifest(String),
    /// A file has another size than the manifest says.
    Size(Part),
    /// A file has another content than the manifest says.
    Content(Part),
    /// It is not newer than what runs.
    NotNewer {
        /// The archive's version.
        offered: Version,
        /// What runs.
        running: Version,
    },
    /// What runs is too old for it.
    TooOld {
        /// The archive's version.
        offered: Version,
        /// The oldest version that takes it.
        needs: Version,
        /// What runs.
        running: Version,
    },
    /// What was read could not be kept.
    NotKept(io::Error),
    /// What a server says of the newest version cannot be used.
    Index(String),
    /// It is signed by another key.
    IndexOfOtherKey,
    /// Its signature is no signature, or not of it.
    IndexForged,
}

/// For whatever came damaged.
const AGAIN: &str = "download it again and compare it with its checksum";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnArchive(Part::Manifest) => {
                f.write_str("this is no update archive; choose the file whose name ends in .update")
            }
            Self::NotAnArchive(part) => {
                write!(f, "the update archive is damaged where {} should begin; {AGAIN}", part.name())
            }
            Self::Truncated => write!(f, "the update archive is cut off; {AGAIN}"),
            Self::Trailing => write!(f, "something follows after the end of the update archive; {AGAIN}"),
            Self::TooLarge { part, size } => write!(
                f,
                "{} in the update archive has {size} bytes, more than the {} that it may have; this is no update of \
                 Evenkeel",
                part.name(),
                part.limit()
            ),
            Self::NoKey(why) => write!(
                f,
                "this system's own key for updates cannot be read: {why}; deploy the appliance anew from its OVA"
            ),
            Self::OtherKey => f.write_str(
                "the update archive is signed with another key than this system trusts: a release takes releases only, \
                 a development build only what its own developer has built; choose another archive",
            ),
            Self::Forged => write!(f, "the signature of the update archive is wrong; {AGAIN}, and use no other source"),
            Self::Manifest(why) => write!(f, "the manifest of the update archive cannot be used: {why}"),
            Self::Size(part) => {
                write!(f, "{} in the update archive has another size than its manifest says; {AGAIN}", part.name())
            }
            Self::Content(part) => {
                write!(f, "{} in the update archive is not what its manifest says (SHA-256); {AGAIN}", part.name())
            }
            Self::NotNewer { offered, running } => write!(
                f,
                "version {offered} is not newer than {running}, which runs; to return to the version before, go back \
                 instead of installing"
            ),
            Self::TooOld { offered, needs, running } => write!(
                f,
                "version {offered} can be installed from version {needs} on, and {running} runs; install a version in \
                 between first"
            ),
            Self::NotKept(error) => write!(f, "writing the update: {error}; is there room, and does the disk work?"),
            Self::Index(why) => write!(f, "the index of updates cannot be used: {why}"),
            Self::IndexOfOtherKey => f.write_str(
                "the index of updates is signed with another key than this system trusts: a release takes releases only, a \
                 development build only what its own developer has built; correct the URL",
            ),
            Self::IndexForged => f.write_str(
                "the signature of the index of updates is wrong; somebody on the way may have changed it, or index and \
                 signature are of different versions: ask who runs the server",
            ),
        }
    }
}

impl std::error::Error for Fault {}
