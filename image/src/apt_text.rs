//! The texts that go to and come from apt: its private configuration, its answers. Pure.

use crate::hash::Sha;
use crate::lock::{Locked, is_name, is_version};
use crate::packages::KERNEL_SERIES;
use std::path::Path;

/// `apt.conf(5)` of a private root in `root`. Everything of the machine's own configuration is switched off
/// (hooks, pins, proxies of other programs) but for the settings of the downloads themselves, `host`.
pub fn configuration(root: &Path, host: &str) -> String {
    let root = root.display();
    format!(
        "Dir \"{root}\";\n\
         Dir::State \"state\";\n\
         Dir::State::status \"{root}/state/status\";\n\
         Dir::Cache \"cache\";\n\
         Dir::Etc \"etc\";\n\
         Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"parts\";\n\
         Dir::Etc::trusted \"/dev/null\";\n\
         Dir::Etc::trustedparts \"parts\";\n\
         Dir::Etc::preferencesparts \"parts\";\n\
         Dir::Etc::sourceparts \"parts\";\n\
         Dir::Etc::netrc \"/etc/apt/auth.conf\";\n\
         Dir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Architectures {{ \"amd64\"; }};\n\
         APT::Sandbox::User \"root\";\n\
         APT::Update::Error-Mode \"any\";\n\
         {host}\
         #clear Acquire::Languages;\n\
         Acquire::Languages \"none\";\n\
         Acquire::AllowInsecureRepositories \"false\";\n"
    )
}

/// From the output of `apt-config dump`: how this machine reaches its mirror (proxies, time-outs, clock checks).
/// Nothing that makes apt trust more, and no extra indexes.
pub fn host_settings(dump: &str) -> String {
    let taken = |line: &&str| {
        line.starts_with("Acquire::")
            && !line.starts_with("Acquire::Allow")
            && !line.starts_with("Acquire::IndexTargets")
            && !line.starts_with("Acquire::Languages")
    };
    dump.lines().filter(taken).map(|line| format!("{line}\n")).collect()
}

/// The answer of `apt-get download --print-uris`: `'uri' name_version_arch.deb size SHA256:digest` a line.
pub fn parse_uris(answer: &str) -> Vec<Locked> {
    answer.lines().filter_map(parse_uri_line).collect()
}

fn parse_uri_line(line: &str) -> Option<Locked> {
    let (_, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let mut words = rest.split_whitespace();
    let mut file = words.next()?.strip_suffix(".deb")?.split('_');
    let (name, version) = (file.next()?, file.next()?.replace("%3a", ":"));
    let sha256 = words.find_map(|word| Sha::parse(word.strip_prefix("SHA256:")?))?;
    (is_name(name) && is_version(&version)).then(|| Locked { name: name.to_owned(), version, sha256 })
}

/// The kernel's concrete package: the first of the meta package's `Depends` that is of our series.
pub fn kernel_of(meta: &str) -> Option<String> {
    let depends = meta.lines().find_map(|line| line.strip_prefix("Depends:"))?;
    let names = depends.split([',', '|']).filter_map(|entry| entry.split_whitespace().next());
    names.into_iter().find(|name| name.starts_with(KERNEL_SERIES) && is_name(name)).map(str::to_owned)
}

/// The package that the mirror no longer has, if that is what apt complains about (in the C locale).
pub fn vanished(stderr: &str) -> Option<String> {
    stderr.lines().find_map(|line| {
        let line = line.strip_prefix("E: ")?;
        let quoted = |text: &str| text.split('\'').nth(3).map(str::to_owned);
        match line.strip_prefix("Unable to locate package ") {
            Some(name) => Some(name.to_owned()),
            None if line.starts_with("Version '") && line.ends_with("was not found") => quoted(line),
            None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_uris_with_epochs_and_passes_over_the_rest() {
        let digest = "a".repeat(64);
        let answer = format!(
            "W: something\n'http://m.example/pool/x_1%3a2-3_amd64.deb' x-y_1%3a2-3+b1_amd64.deb 12 SHA256:{digest}\n\
             'http://m.example/z.deb' z_1_amd64.deb 12 MD5:{digest}\n"
        );
        let found = parse_uris(&answer);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].version.as_str()), ("x-y", "1:2-3+b1"));
    }

    #[test]
    fn finds_the_concrete_kernel() {
        let show = "Package: linux-image-amd64\nDepends: linux-image-6.12.117+deb13-amd64 (= 6.12.117-1)\n";
        assert_eq!(kernel_of(show).as_deref(), Some("linux-image-6.12.117+deb13-amd64"));
        assert_eq!(kernel_of("Depends: linux-image-6.18.1+deb14-amd64 (= 6.18.1-1)\n"), None);
    }

    #[test]
    fn knows_a_vanished_version_and_a_vanished_package() {
        assert_eq!(vanished("W: x\nE: Version '1' for 'libc6' was not found\n").as_deref(), Some("libc6"));
        assert_eq!(vanished("E: Unable to locate package foo\n").as_deref(), Some("foo"));
        assert_eq!(vanished("E: Could not connect\n"), None);
    }

    #[test]
    fn keeps_proxies_but_no_hooks_and_no_trust() {
        let dump = "Acquire::http::Proxy \"http://p.example:1\";\nAcquire::AllowInsecureRepositories \"1\";\n\
                    APT::Update::Post-Invoke:: \"rm x\";\nAcquire::IndexTargets::deb::DEP-11 \"\";\nDir::State \"x\";\n";
        assert_eq!(host_settings(dump), "Acquire::http::Proxy \"http://p.example:1\";\n");
    }

    proptest! {
        #[test]
        fn any_answer_is_read(text in "(?s).{0,200}") {
            let _ = (parse_uris(&text), kernel_of(&text), vanished(&text), host_settings(&text));
        }
    }
}
