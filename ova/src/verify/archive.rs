//! Rules of the tar archive.

use super::{Rule, Subject, Verdict, judge, none, rule};
use crate::ustar::Entry;

/// vSphere reads plain ustar and nothing newer.
const USTAR: &str = "DSP0243 5.3, open-vmdk mkova";
const SAME_BYTES: &str = "reproducible build";

pub const RULES: &[Rule] = &[
    rule("tar-readable", readable, USTAR, "headers with right checksums, files within the archive"),
    rule("tar-ustar", ustar, USTAR, "magic and version of ustar in every header"),
    rule("tar-no-extensions", no_extensions, USTAR, "regular files only, no PAX or GNU headers"),
    rule("tar-order", order, "DSP0243 5.3", ".ovf, .mf, then the files in the order of References"),
    rule("tar-names", names, "DSP0243 5.1", "plain file names that begin with the name of the .ovf"),
    rule("tar-mode", mode, SAME_BYTES, "mode 0644"),
    rule("tar-owner", owner, SAME_BYTES, "user 0 and group 0"),
    rule("tar-time", time, SAME_BYTES, "modification time 1577836800"),
    rule("tar-header", header, SAME_BYTES, "nothing in the headers but name, size and the above"),
    rule("tar-padding", padding, USTAR, "zeros behind each file, up to the end of its block"),
    rule("tar-end", end, "POSIX.1-1988 ustar", "two or more blocks of zeros, and nothing behind"),
    rule(
        "no-certificate",
        no_certificate,
        "signature is beside the OVA",
        "no .cert: self-signed, it gains only a warning",
    ),
];

fn readable(s: &Subject<'_>) -> Verdict {
    match &s.ova.archive.problem {
        None => Ok(format!("{} entries", s.ova.archive.entries.len())),
        Some(problem) => judge(false, problem),
    }
}

/// The names of the entries for which `good` does not hold, with what they have instead.
fn exceptions(s: &Subject<'_>, good: fn(&Entry) -> bool, has: fn(&Entry) -> String) -> Verdict {
    let entries = &s.archive()?.entries;
    let bad = entries.iter().filter(|entry| !good(entry));
    let all = entries.first().map(has).unwrap_or_default();
    none(bad.map(|entry| format!("{}: {}", entry.name, has(entry))).collect(), all)
}

fn ustar(s: &Subject<'_>) -> Verdict {
    exceptions(s, |e| e.ustar, |e| if e.ustar { "ustar".to_owned() } else { "other magic".to_owned() })
}

fn no_extensions(s: &Subject<'_>) -> Verdict {
    exceptions(s, |e| e.kind == b'0', |e| format!("type {:?}", char::from(e.kind)))
}

fn mode(s: &Subject<'_>) -> Verdict {
    exceptions(s, |e| e.mode == Some(0o644), |e| format!("mode {:o}", e.mode.unwrap_or_default()))
}

fn owner(s: &Subject<'_>) -> Verdict {
    exceptions(
        s,
        |e| (e.uid, e.gid) == (Some(0), Some(0)),
        |e| format!("user {}, group {}", number(e.uid), number(e.gid)),
    )
}

fn time(s: &Subject<'_>) -> Verdict {
    exceptions(s, |e| e.mtime == Some(1_577_836_800), |e| number(e.mtime))
}

fn header(s: &Subject<'_>) -> Verdict {
    // The magic has a rule of its own.
    exceptions(s, |e| e.plain || !e.ustar, |e| if e.plain { "plain" } else { "other fields" }.to_owned())
}

fn padding(s: &Subject<'_>) -> Verdict {
    exceptions(s, |e| e.padded, |e| if e.padded { "zeros".to_owned() } else { "other padding".to_owned() })
}

/// A number of a header, which may be unreadable.
fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "unreadable".to_owned(), |number| number.to_string())
}

fn order(s: &Subject<'_>) -> Verdict {
    let names: Vec<&str> = s.archive()?.files().map(|entry| entry.name.as_str()).collect();
    let first_two = names.len() >= 2 && names[0].ends_with(".ovf") && names[1].ends_with(".mf");
    let referenced = super::manifest::references(s).unwrap_or_default();
    let expected =
        referenced.iter().filter_map(|file| names.iter().position(|&name| Some(name) == file.href));
    judge(first_two && expected.is_sorted(), names.join(", "))
}

fn names(s: &Subject<'_>) -> Verdict {
    let names: Vec<&str> = s.archive()?.files().map(|entry| entry.name.as_str()).collect();
    let base = names.iter().find_map(|name| name.strip_suffix(".ovf")).unwrap_or_default();
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let manifest = names.iter().find(|name| name.ends_with(".mf"));
    let good = !base.is_empty()
        && manifest.is_none_or(|name| name.strip_suffix(".mf") == Some(base))
        && names.iter().all(|name| plain(name) && name.starts_with(base));
    judge(good, names.join(", "))
}

fn end(s: &Subject<'_>) -> Verdict {
    let archive = s.archive()?;
    let good = archive.end_zero && archive.end_bytes >= 1024 && archive.end_bytes.is_multiple_of(512);
    let what = if archive.end_zero { "zeros" } else { "bytes that are not all zero" };
    judge(good, format!("{} {what}", archive.end_bytes))
}

fn no_certificate(s: &Subject<'_>) -> Verdict {
    let certificates = s.archive()?.files().filter(|entry| entry.name.ends_with(".cert"));
    none(certificates.map(|entry| entry.name.clone()).collect(), "none")
}
