//! What a health check may ask, in types that cannot hold an invalid value.

use std::fmt;
use std::ops::RangeInclusive;

use hyper::http::uri::PathAndQuery;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::values::{AeTitle, Fault, HostName, quoted};

/// What a health check asks of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// The server accepts a TCP connection.
    Tcp,
    /// The server completes a TLS handshake.
    Tls(Tls),
    /// The server answers a DICOM C-ECHO (DICOM PS3.4 annex A) with success.
    DicomEcho {
        /// Our own AE title.
        calling: AeTitle,
        /// The server's AE title.
        called: AeTitle,
        /// Over TLS (DICOM PS3.15 annex B); `None` is plain TCP.
        tls: Option<Tls>,
    },
    /// The server answers an HTTP request as expected.
    Http {
        /// What is asked and expected.
        request: HttpRequest,
        /// HTTPS; `None` is plain HTTP.
        tls: Option<Tls>,
    },
    /// The server sends the expected bytes.
    SendExpect {
        /// Sent first; may be empty.
        send: EscapedBytes,
        /// Must occur in the answer; never empty.
        expect: EscapedBytes,
        /// Over TLS; `None` is plain TCP.
        tls: Option<Tls>,
    },
    /// The server answers an ICMP echo request.
    Ping,
    /// The server counts as up.
    AlwaysOn,
    /// The server counts as down.
    AlwaysOff,
}

impl CheckKind {
    /// Whether the question goes to a port, and not to the host as a whole.
    pub fn has_port(&self) -> bool {
        !matches!(self, Self::Ping | Self::AlwaysOn | Self::AlwaysOff)
    }

    /// The check in words, for example `DICOM C-ECHO to DW_SCP, port 2001`.
    pub fn describe(&self, port: u16) -> String {
        let over = |tls: &Option<Tls>| if tls.is_some() { " over TLS" } else { "" };
        match self {
            Self::Tcp => format!("TCP connect to port {port}"),
            Self::Tls(_) => format!("TLS handshake with port {port}"),
            Self::DicomEcho { called, tls, .. } => {
                format!("DICOM C-ECHO{} to {called}, port {port}", over(tls))
            }
            Self::Http { request, tls } => {
                let scheme = if tls.is_some() { "HTTPS" } else { "HTTP" };
                format!("{scheme} GET {} on port {port}", request.path)
            }
            Self::SendExpect { tls, .. } => format!("send and expect{} on port {port}", over(tls)),
            Self::Ping => "ping".into(),
            Self::AlwaysOn => "none: always on".into(),
            Self::AlwaysOff => "none: always off".into(),
        }
    }
}

/// How the server's certificate is judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tls {
    /// By whom it must be issued.
    pub verify: Verify,
    /// The name that it must hold; `None` is the server's address.
    pub server_name: Option<HostName>,
}

/// Which certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verify {
    /// All: the check is about the service, not about who runs it.
    Nothing,
    /// Those issued by the certificate authorities that the system knows.
    System,
    /// These, and those issued by these, in DER; at least one.
    Pinned(Vec<CertificateDer<'static>>),
}

/// Certificate chains have two to four; a whole trust store is not a pin.
const MOST_PINNED: usize = 16;

impl TryFrom<&str> for Verify {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        const REMEDY: &str =
            "write \"none\", \"system\", or certificates in PEM (-----BEGIN CERTIFICATE-----)";
        match value.trim() {
            "none" => return Ok(Self::Nothing),
            "system" => return Ok(Self::System),
            text if text.contains("-----BEGIN") => {}
            text => return Err(Fault::new(format!("{} is not a way to verify", quoted(text)), REMEDY)),
        }
        let read = CertificateDer::pem_slice_iter(value.as_bytes()).collect::<Result<Vec<_>, _>>();
        let certificates = read.unwrap_or_default();
        let readable = |der: &CertificateDer<'_>| crate::health::certificate::read(der).is_some();
        match certificates.len() {
            1..=MOST_PINNED if certificates.iter().all(readable) => Ok(Self::Pinned(certificates)),
            0..=MOST_PINNED => Err(Fault::new("the PEM text holds no readable certificate", REMEDY)),
            count => Err(Fault::new(
                format!("{count} certificates are too many"),
                format!("give at most {MOST_PINNED}: the server's own, or that of its authority"),
            )),
        }
    }
}

/// An HTTP request and what its answer must be like.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    /// Path and query.
    pub path: HttpPath,
    /// Host header; `None` is the server's address.
    pub host: Option<HttpHost>,
    /// Statuses that pass.
    pub expected_status: StatusRanges,
    /// Must occur in the first 64 KiB of the body.
    pub expected_body: Option<EscapedBytes>,
}

/// Path and query of a request, 1 to 1,024 characters, beginning with a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpPath(String);

const PATH_CHARACTERS: usize = 1024;

impl TryFrom<&str> for HttpPath {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let fits = value.starts_with('/') && value.len() <= PATH_CHARACTERS && !value.contains('#');
        if fits && PathAndQuery::try_from(value).is_ok_and(|path| path.as_str() == value) {
            return Ok(Self(value.to_owned()));
        }
        Err(Fault::new(
            format!("{} is not the path of a page", quoted(value)),
            format!(
                "begin with /, use no spaces and at most {PATH_CHARACTERS} characters, for example /health"
            ),
        ))
    }
}

/// Value of a Host header: a name or an address, with or without a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpHost(String);

impl TryFrom<&str> for HttpHost {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        if (1..=255).contains(&value.len()) && value.chars().all(allowed) {
            return Ok(Self(value.to_owned()));
        }
        Err(Fault::new(
            format!("{} cannot stand in a Host header", quoted(value)),
            "give a name or an address, with or without a port, for example pacs.hospital.example",
        ))
    }
}

macro_rules! text_display {
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
    )*};
}

text_display!(HttpPath, HttpHost);

/// HTTP statuses (100 to 599) as a list of ranges; at least one, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatusRanges(Vec<RangeInclusive<u16>>);

const MOST_STATUS_RANGES: usize = 32;

impl StatusRanges {
    /// Success and redirections.
    pub fn usual() -> Self {
        Self(vec![200..=399])
    }

    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl TryFrom<&str> for StatusRanges {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        let status = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status));
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(status(first)?..=status(last)?).filter(|range| !range.is_empty())
        };
        let ranges: Option<Vec<_>> = value.split(',').map(range).collect();
        ranges.filter(|ranges| ranges.len() <= MOST_STATUS_RANGES).map(Self).ok_or_else(|| {
            Fault::new(
                format!("{} is not a list of HTTP statuses", quoted(value)),
                "give statuses from 100 to 599 and ranges, for example 200-399 or 200,204",
            )
        })
    }
}

impl fmt::Display for StatusRanges {
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

/// At most 1,024 bytes, written as text with `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EscapedBytes(Vec<u8>);

impl EscapedBytes {
    /// A question or a mark to recognise an answer by, not a file.
    pub const MOST: usize = 1024;

    /// The bytes meant.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&str> for EscapedBytes {
    type Error = Fault;

    fn try_from(value: &str) -> Result<Self, Fault> {
        const REMEDY: &str =
            r"after a backslash write r, n, t, 0, another backslash, or x and two hexadecimal digits";
        let mut bytes = Vec::with_capacity(value.len().min(Self::MOST));
        let mut rest = value;
        while let Some(next) = rest.chars().next() {
            let (taken, byte) = match next {
                '\\' => unescape(rest).ok_or_else(|| {
                    let shown: String = rest.chars().take(4).collect();
                    Fault::new(format!("{} is not an escape", quoted(&shown)), REMEDY)
                })?,
                other => {
                    let length = other.len_utf8();
                    bytes.extend_from_slice(&rest.as_bytes()[..length]);
                    rest = &rest[length..];
                    continue;
                }
            };
            bytes.push(byte);
            rest = &rest[taken..];
        }
        match bytes.len() {
            0..=Self::MOST => Ok(Self(bytes)),
            length => Err(Fault::new(
                format!("{length} bytes are too many"),
                format!("give at most {}", Self::MOST),
            )),
        }
    }
}

/// The length of the escape at the beginning of `text`, and its byte.
fn unescape(text: &str) -> Option<(usize, u8)> {
    match *text.as_bytes().get(1)? {
        b'r' => Some((2, b'\r')),
        b'n' => Some((2, b'\n')),
        b't' => Some((2, b'\t')),
        b'0' => Some((2, 0)),
        b'\\' => Some((2, b'\\')),
        b'x' => {
            let digits = text.get(2..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            Some((4, u8::from_str_radix(digits, 16).ok()?))
        }
        _ => None,
    }
}

/// Printable ASCII as it is, all else escaped, spaces at the ends too: safe in one line of any text.
impl fmt::Display for EscapedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(1);
        for (index, byte) in self.0.iter().enumerate() {
            match byte {
                b'\r' => f.write_str("\\r")?,
                b'\n' => f.write_str("\\n")?,
                b'\t' => f.write_str("\\t")?,
                b'\\' => f.write_str("\\\\")?,
                b' ' if index == 0 || index == last => f.write_str("\\x20")?,
                b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
                other => write!(f, "\\x{other:02x}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_mean_their_bytes() {
        let meant = |text: &str| EscapedBytes::try_from(text).map(|value| value.0).map_err(|f| f.problem);
        assert_eq!(meant(r"PING\r\n").unwrap(), b"PING\r\n");
        assert_eq!(meant(r"\x00\xfF\0\t\\").unwrap(), [0, 255, 0, 9, b'\\']);
        assert_eq!(meant("line\nü").unwrap(), "line\nü".as_bytes());
        for wrong in [r"\", r"\q", r"\x1", r"\x+1", r"\xü"] {
            assert!(meant(wrong).is_err(), "{wrong}");
        }
        assert!(meant(&"x".repeat(1025)).is_err());
    }

    #[test]
    fn statuses_are_lists_and_ranges() {
        let statuses = StatusRanges::try_from("200-299, 404").unwrap();
        assert!(statuses.contains(204) && statuses.contains(404) && !statuses.contains(301));
        assert_eq!(statuses.to_string(), "200-299,404");
        for wrong in ["", "99", "600", "300-200", "200-", "ok"] {
            assert!(StatusRanges::try_from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_and_hosts_cannot_smuggle_a_line_into_a_request() {
        for wrong in ["", "health", "/a b", "/a\r\nX: y", "/#top"] {
            assert!(HttpPath::try_from(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "a b", "a\r\nX: y", "ü.example"] {
            assert!(HttpHost::try_from(wrong).is_err(), "{wrong}");
        }
        assert_eq!(HttpPath::try_from("/health?deep=1").unwrap().as_str(), "/health?deep=1");
        assert_eq!(HttpHost::try_from("[2001:db8::1]:8080").unwrap().as_str(), "[2001:db8::1]:8080");
    }

    #[test]
    fn a_way_to_verify_is_a_word_or_certificates() {
        assert_eq!(Verify::try_from("none").unwrap(), Verify::Nothing);
        assert_eq!(Verify::try_from("system").unwrap(), Verify::System);
        for wrong in ["", "yes", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Verify::try_from(wrong).is_err(), "{wrong}");
        }
        let made = rcgen::generate_simple_self_signed(["pacs.example".to_owned()]).unwrap();
        let pinned = Verify::try_from(made.cert.pem().as_str()).unwrap();
        assert_eq!(pinned, Verify::Pinned(vec![made.cert.der().clone()]));
    }

    proptest! {
        #[test]
        fn shown_bytes_read_as_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let value = EscapedBytes(bytes);
            prop_assert_eq!(EscapedBytes::try_from(value.to_string().as_str()).unwrap(), value);
        }
    }
}
