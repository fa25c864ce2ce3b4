//! Types of single values. Each is made from text by `TryFrom` and cannot hold an invalid value.

use std::fmt;
use std::ops::RangeInclusive;

/// Why a value was refused: what is wrong, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong, with the value that was given.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Fault {
    /// A fault in two halves of a sentence.
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

/// At most this much of a refused value is repeated in an error text.
const SHOWN_CHARACTERS: usize = 40;

/// A value in quotation marks, shortened, without control characters: safe in any error text.
pub fn quoted(value: &str) -> String {
    let shown: String = value.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    let rest = if value.chars().count() > SHOWN_CHARACTERS { "..." } else { "" };
    format!("\"{shown}{rest}\"")
}

/// Name of a service, server or check: 1 to 63 of `A-Z a-z 0-9 _ - .`, the first a letter or digit.
///
/// The characters are safe in every text in which the label stands: nft's scripts, paths of the API, file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(String);

/// As for a DNS label; two of them with a sign between fit into nft's limit of 128 for a comment.
const LABEL_CHARACTERS: usize = 63;

impl TryFrom<&str> for Label {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if value.is_empty() {
            return Err(Fault::new("the label is empty", "give a name, for example DATALINK_POOL1"));
        }
        if value.len() > LABEL_CHARACTERS {
            return Err(Fault::new(
                format!("the label {} is longer than {LABEL_CHARACTERS} characters", quoted(value)),
                format!("shorten it to {LABEL_CHARACTERS} characters"),
            ));
        }
        if !value.chars().all(allowed) || !value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Fault::new(
                format!("the label {} has characters that are not allowed", quoted(value)),
                "use A-Z, a-z, 0-9, '_', '-' and '.', beginning with a letter or digit",
            ));
        }
        Ok(Self(value.to_owned()))
    }
}

/// DICOM application entity title: 1 to 16 characters of the default repertoire without backslash and
/// control characters, leading and trailing spaces removed (PS3.5 section 6.2, value representation AE).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AeTitle(String);

/// PS3.5 section 6.2: at most 16 bytes.
const AE_TITLE_CHARACTERS: usize = 16;

impl TryFrom<&str> for AeTitle {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let title = value.trim_matches(' ');
        if title.is_empty() {
            return Err(Fault::new("the AE title is empty", "give the AE title, for example DW_SCP"));
        }
        if title.chars().any(|c| !(' '..='~').contains(&c) || c == '\\') {
            return Err(Fault::new(
                format!("the AE title {} has characters that DICOM does not allow", quoted(title)),
                "use printable ASCII characters without backslash",
            ));
        }
        if title.len() > AE_TITLE_CHARACTERS {
            return Err(Fault::new(
                format!("the AE title {} has {} characters", quoted(title), title.len()),
                format!("DICOM allows at most {AE_TITLE_CHARACTERS}"),
            ));
        }
        Ok(Self(title.to_owned()))
    }
}

/// Name of a network interface: 1 to 15 of `A-Z a-z 0-9 _ - .` (the kernel's limit is 15, `IFNAMSIZ`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(String);

const INTERFACE_CHARACTERS: usize = 15;

impl TryFrom<&str> for InterfaceName {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let fits = (1..=INTERFACE_CHARACTERS).contains(&value.len());
        if fits && value.chars().all(allowed) && value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Ok(Self(value.to_owned()));
        }
        Err(Fault::new(
            format!("{} is not the name of a network interface", quoted(value)),
            format!("give a name of at most {INTERFACE_CHARACTERS} characters, for example eth0"),
        ))
    }
}

/// Name of a host, or an IPv4 address in its place: labels of letters, digits and hyphens (RFC 1123 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// RFC 1035 section 2.3.4, in characters of text.
const HOST_NAME_CHARACTERS: usize = 253;

impl TryFrom<&str> for HostName {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if value.len() <= HOST_NAME_CHARACTERS && value.split('.').all(label) {
            return Ok(Self(value.to_owned()));
        }
        Err(Fault::new(
            format!("{} is not a host name", quoted(value)),
            "give labels of letters, digits and hyphens with dots between them, for example lbmaster",
        ))
    }
}

impl HostName {
    /// A name without a dot is one in this domain.
    #[must_use]
    pub fn within(self, domain: Option<&Self>) -> Self {
        match domain {
            Some(domain) if !self.0.contains('.') => {
                Self::try_from(format!("{self}.{domain}")).unwrap_or(self)
            }
            _ => self,
        }
    }
}

macro_rules! text_value {
    ($($name:ident),*) => {$(
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Fault;

            fn try_from(value: String) -> Result<Self, Fault> {
                Self::try_from(value.as_str())
            }
        }
    )*};
}

text_value!(Label, AeTitle, InterfaceName, HostName);

/// A server's share of new clients in relation to the others: 0 (none) to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// The largest weight. Ten servers of it still make a share table of a few thousand slots at most.
    pub const LARGEST: u16 = 256;
    /// What the product's specification sets where none is given.
    pub const DEFAULT: Self = Self(100);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for Weight {
    type Error = Fault;

    fn try_from(value: i64) -> Result<Self, Fault> {
        match u16::try_from(value) {
            Ok(weight) if weight <= Self::LARGEST => Ok(Self(weight)),
            _ => Err(Fault::new(
                format!("the weight {value} is out of range"),
                format!("give 0 (no new clients) to {}; the usual weight is 100", Self::LARGEST),
            )),
        }
    }
}

/// The ports of a virtual service: ranges in ascending order that do not overlap; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

impl Ports {
    /// The ranges, ascending.
    pub fn ranges(&self) -> &[RangeInclusive<u16>] {
        &self.0
    }

    /// Each port, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().flat_map(Clone::clone)
    }

    /// How many ports there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// Whether this port is among them.
    pub fn contain(&self, port: u16) -> bool {
        self.0.iter().any(|range| range.contains(&port))
    }

    /// The lowest port.
    pub fn first(&self) -> u16 {
        *self.0[0].start()
    }
}

/// A bound for the size of the kernel's map.
const MOST_PORT_RANGES: usize = 64;

impl TryFrom<&str> for Ports {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let mut ranges =
            value.split(',').map(|part| port_range(part.trim())).collect::<Result<Vec<_>, _>>()?;
        if ranges.len() > MOST_PORT_RANGES {
            return Err(Fault::new(
                format!("{} port ranges are too many", ranges.len()),
                format!("give at most {MOST_PORT_RANGES}, or join neighbours as in 2001-2010"),
            ));
        }
        ranges.sort_by_key(|range| *range.start());
        match ranges.windows(2).find(|pair| pair[0].end() >= pair[1].start()) {
            Some(pair) => Err(Fault::new(
                format!("port {} is named twice in {}", pair[1].start(), quoted(value)),
                "name each port once",
            )),
            None => Ok(Self(ranges)),
        }
    }
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse().ok().filter(|port| *port != 0);
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        (Some(first), Some(last)) => Err(Fault::new(
            format!("the port range {} runs backwards", quoted(text)),
            format!("write {last}-{first}"),
        )),
        _ => Err(Fault::new(
            format!("{} is not a port or a range of ports", quoted(text)),
            "give ports from 1 to 65535, for example 2001 or 2001,2003-2005",
        )),
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match range.start() == range.end() {
                true => write!(f, "{comma}{}", range.start())?,
                false => write!(f, "{comma}{}-{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}
