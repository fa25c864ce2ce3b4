//! The manifest: one digest per file (DSP0243 5.1), `SHA1(name)= hex`, exactly so.

use std::fmt;
use std::io::{self, Read};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// How files are digested. ESXi before 6.5 takes SHA1 only, and VMware's own tool uses it up to hardware
/// version 12: it guards against damage here, not against forgery (that is the signature beside the OVA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// For hardware versions up to 12.
    #[default]
    Sha1,
    /// For vSphere 6.5 and later.
    Sha256,
}

impl Algorithm {
    /// The hexadecimal digest of all that `input` gives, and how many bytes that was.
    pub fn digest(self, input: &mut dyn Read) -> io::Result<String> {
        match self {
            Algorithm::Sha1 => digest::<Sha1>(input),
            Algorithm::Sha256 => digest::<Sha256>(input),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        })
    }
}

fn digest<D: Digest>(input: &mut dyn Read) -> io::Result<String> {
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// A line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How the file was digested.
    pub algorithm: Algorithm,
    /// Which file.
    pub name: String,
    /// The digest, in lower case hexadecimal.
    pub digest: String,
}

impl fmt::Display for Line {
    /// No space in front of the bracket: with one, vSphere says "Invalid OVF checksum algorithm".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}({})= {}", self.algorithm, self.name, self.digest)
    }
}

impl Line {
    /// Reads a line without its end; `None` if it is not written exactly as [`Line`] writes it.
    fn parse(text: &str) -> Option<Line> {
        let (algorithm, rest) = text.split_once('(')?;
        let (name, digest) = rest.split_once(")= ")?;
        let (algorithm, length) = match algorithm {
            "SHA1" => (Algorithm::Sha1, 40),
            "SHA256" => (Algorithm::Sha256, 64),
            _ => return None,
        };
        let hex = digest.len() == length && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        hex.then(|| Line { algorithm, name: name.to_owned(), digest: digest.to_owned() })
    }
}

/// A manifest that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The lines that are written as they must be.
    pub lines: Vec<Line>,
    /// The other ones.
    pub malformed: Vec<String>,
}

impl Manifest {
    /// Takes any text.
    pub fn parse(text: &str) -> Manifest {
        let mut manifest = Manifest::default();
        for text in text.split_terminator('\n') {
            match Line::parse(text) {
                Some(line) => manifest.lines.push(line),
                None => manifest.malformed.push(text.to_owned()),
            }
        }
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    #[test]
    fn digests_are_those_of_the_standards() {
        assert_eq!(Algorithm::Sha1.digest(&mut io::empty()).unwrap(), EMPTY);
        let sha256 = Algorithm::Sha256.digest(&mut &b"abc"[..]).unwrap();
        assert!(sha256.starts_with("ba7816bf") && sha256.ends_with("f20015ad"));
    }

    #[test]
    fn a_line_that_is_written_is_read() {
        let line = Line { algorithm: Algorithm::Sha1, name: "a.ovf".to_owned(), digest: EMPTY.to_owned() };
        let manifest = Manifest::parse(&line.to_string());
        assert_eq!((manifest.lines, manifest.malformed), (vec![line], vec![]));
    }

    #[test]
    fn any_other_form_is_malformed() {
        for prefix in ["SHA1 (a)= ", "SHA1(a) = ", "SHA1(a)=", "sha1(a)= ", "SHA512(a)= ", "SHA256(a)= "] {
            let text = format!("{prefix}{EMPTY}\n");
            assert_eq!(Manifest::parse(&text).malformed.len(), 1, "{text}");
        }
        assert_eq!(Manifest::parse(&format!("SHA1(a)= {EMPTY}\r\n")).malformed.len(), 1);
        assert_eq!(Manifest::parse("\n").malformed, [""]);
    }
}
