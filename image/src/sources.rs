//! Finds Debian's mirror in the build machine's own apt configuration (`sources.list(5)`, both formats), so
//! that no host name is written down in this project.

use crate::packages::SUITE;
use std::fmt;

/// Where the packages and their security updates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    /// The main archive.
    pub main: String,
    /// The security archive, when the machine names one.
    pub security: Option<String>,
}

/// One place that a sources file names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    uri: String,
    suite: String,
}

/// Debian's suites and code names: how a source of Debian itself is told from a third party's.
const DEBIAN_SUITES: &[&str] = &[
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "sid",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];

impl Mirrors {
    /// Looks through the texts of sources files; `(file name, text)`, in apt's order.
    pub fn find<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, NoMirror> {
        let places: Vec<Place> = files.into_iter().flat_map(|(name, text)| read(name, text)).collect();
        let first = |wanted: fn(&str) -> bool| {
            places.iter().find(|place| wanted(&place.suite)).map(|place| place.uri.clone())
        };
        let main = first(|suite| DEBIAN_SUITES.contains(&suite)).ok_or(NoMirror)?;
        Ok(Self { main, security: first(is_security) })
    }

    /// The sources list of the private apt root. `trixie-security` matters: kernels come by it.
    pub fn sources_list(&self, keyring: &str) -> String {
        let line = |uri: &str, suite: &str| format!("deb [signed-by={keyring}] {uri} {suite} main\n");
        let mut list = line(&self.main, SUITE) + &line(&self.main, &format!("{SUITE}-updates"));
        if let Some(security) = &self.security {
            list += &line(security, &format!("{SUITE}-security"));
        }
        list
    }
}

fn is_security(suite: &str) -> bool {
    let base = suite.strip_suffix("-security").or_else(|| suite.strip_suffix("/updates"));
    base.is_some_and(|base| DEBIAN_SUITES.contains(&base))
}

fn read(file: &str, text: &str) -> Vec<Place> {
    if file.ends_with(".sources") { text.split("\n\n").flat_map(stanza).collect() } else { lines(text) }
}

/// One-line format: `deb [options] uri suite component...`.
fn lines(text: &str) -> Vec<Place> {
    let place = |line: &str| {
        let rest = line.trim().strip_prefix("deb ").map(str::trim_start)?;
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        let mut words = rest.split_whitespace();
        Some(Place { uri: words.next()?.to_owned(), suite: words.next()?.to_owned() })
    };
    text.lines().filter_map(place).filter(usable).collect()
}

/// deb822 format: every URI with every suite of a stanza that is switched on and has binary packages.
fn stanza(text: &str) -> Vec<Place> {
    let field = |name: &str| values(text, name);
    if field("enabled").iter().any(|v| v == "no" || v == "false")
        || !field("types").iter().any(|v| v == "deb")
    {
        return Vec::new();
    }
    let suites = field("suites");
    let pairs = field("uris").into_iter().flat_map(|uri| {
        suites.iter().map(move |suite| Place { uri: uri.clone(), suite: suite.clone() }).collect::<Vec<_>>()
    });
    pairs.filter(usable).collect()
}

/// The words of a field and its continuation lines (those that start with white space).
fn values(stanza: &str, name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut inside = false;
    for line in stanza.lines().filter(|line| !line.starts_with('#')) {
        let mut content = line;
        if !line.starts_with([' ', '\t']) {
            let Some((key, value)) = line.split_once(':') else { continue };
            inside = key.trim().eq_ignore_ascii_case(name);
            content = value;
        }
        if inside {
            words.extend(content.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// No CD-ROM, and nothing that could end the line of a sources list.
fn usable(place: &Place) -> bool {
    !place.uri.starts_with("cdrom:") && place.uri.contains(":/") && !place.uri.contains(['[', ']', '"'])
}

/// The build machine's apt knows no Debian archive.
#[derive(Debug, PartialEq, Eq)]
pub struct NoMirror;

impl fmt::Display for NoMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "looking for a Debian mirror in this machine's apt sources (/etc/apt/sources.list and \
             sources.list.d): none names one; name one with --mirror URL",
        )
    }
}

impl std::error::Error for NoMirror {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEB822: &str = "\
Types: deb
# old: http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb deb-src
URIs:
 http://mirror.example/security
Suites: bookworm-security
";

    #[test]
    fn reads_deb822() {
        let mirrors = Mirrors::find([("debian.sources", DEB822)]).unwrap();
        assert_eq!(mirrors.main, "http://mirror.example/debian");
        assert_eq!(mirrors.security.as_deref(), Some("http://mirror.example/security"));
    }

    #[test]
    fn reads_one_line_format_and_passes_over_others() {
        let text = "\
# deb http://a.example/debian bookworm main
deb-src http://b.example/debian bookworm main
deb cdrom:[Debian] bookworm main
deb https://third.example/node nodistro main
deb [arch=amd64 signed-by=/k.gpg] https://c.example/debian bookworm main
deb https://c.example/security bullseye/updates main";
        let mirrors = Mirrors::find([("sources.list", text)]).unwrap();
        assert_eq!(mirrors.main, "https://c.example/debian");
        assert_eq!(mirrors.security.as_deref(), Some("https://c.example/security"));
    }

    #[test]
    fn a_disabled_stanza_or_a_third_party_is_no_mirror() {
        let disabled = format!("Enabled: no\n{DEB822}");
        assert_eq!(Mirrors::find([("a.sources", disabled.as_str())]).unwrap_err(), NoMirror);
        assert_eq!(Mirrors::find([("b.list", "deb https://x.example/ ./")]).unwrap_err(), NoMirror);
    }

    #[test]
    fn private_list_has_all_three_suites_and_the_keyring() {
        let list = Mirrors::find([("d.sources", DEB822)]).unwrap().sources_list("/k.gpg");
        assert_eq!(
            list,
            "deb [signed-by=/k.gpg] http://mirror.example/debian trixie main\n\
             deb [signed-by=/k.gpg] http://mirror.example/debian trixie-updates main\n\
             deb [signed-by=/k.gpg] http://mirror.example/security trixie-security main\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,300}", one_line: bool) {
            let _ = Mirrors::find([(if one_line { "a.list" } else { "a.sources" }, text.as_str())]);
        }
    }
}
