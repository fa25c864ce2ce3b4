//! What others have written and lbd carries inside: the scripts of the WebUI, as `lbd/assets/README.md` lists them.

/// A package that lbd carries.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// Its name in npm's registry.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its licence (SPDX).
    pub licence: &'static str,
    /// The text of that.
    pub text: &'static str,
}

/// All of them.
pub const EMBEDDED: [Embedded; 2] = [
    Embedded {
        name: "htmx.org",
        version: "4.0.1",
        licence: "0BSD",
        text: include_str!("../../lbd/assets/htmx.LICENSE"),
    },
    Embedded {
        name: "uplot",
        version: "1.6.32",
        licence: "MIT",
        text: include_str!("../../lbd/assets/uplot.LICENSE"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_assets() {
        let readme = include_str!("../../lbd/assets/README.md");
        let from_elsewhere = readme.lines().filter(|line| line.contains(".min.")).count();
        assert_eq!(from_elsewhere, EMBEDDED.len());
        for one in EMBEDDED {
            let listed = |line: &&str| line.contains(&format!("`{}`", one.name));
            let line = readme.lines().find(listed).unwrap_or_default();
            assert!(line.contains(one.version) && line.contains(one.licence), "{}: {line}", one.name);
        }
        let script = include_str!("../../lbd/assets/uplot.min.js");
        assert!(script.contains("(v1.6.32)"), "the script says its version itself");
    }
}
