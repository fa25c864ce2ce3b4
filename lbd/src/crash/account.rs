//! The account of a crash, as init writes it: lines `name: value`, an empty line, the last words. Pure.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hook::LIES_AT;

/// Whose crash it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// lbd's: init has started it again.
    Lbd,
    /// The kernel's: the machine has restarted.
    Kernel,
}

/// A crash, without what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Crash {
    /// By which its last words are asked for.
    pub name: String,
    /// Whose.
    pub whose: Whose,
    /// When, by the appliance's clock.
    pub time: Timestamp,
    /// The software that crashed, where it is known.
    pub version: Option<String>,
    /// How it ended: `killed by SIGSEGV`.
    pub how: String,
    /// Seconds that it had run, where that is known.
    pub life_seconds: Option<u64>,
}

impl Whose {
    /// As people say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lbd => "lbd",
            Self::Kernel => "the kernel",
        }
    }
}

impl Crash {
    /// What happened, as the middle of a sentence: `lbd ended unexpectedly (killed by SIGSEGV)`.
    pub fn words(&self) -> String {
        match self.whose {
            Whose::Lbd => format!("lbd ended unexpectedly or lost a part of itself ({})", self.how),
            Whose::Kernel => format!("the kernel died and the machine restarted ({})", self.how),
        }
    }
}

/// Reads the head of an account; `None` for what is none. Takes any text.
pub fn parse(name: &str, text: &str) -> Option<Crash> {
    let value = |wanted: &str| {
        let heads = text.lines().take_while(|line| !line.is_empty());
        heads
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value)
    };
    let whose = match value("whose")? {
        "lbd" => Whose::Lbd,
        "kernel" => Whose::Kernel,
        _ => return None,
    };
    Some(Crash {
        name: name.to_owned(),
        whose,
        time: Timestamp::from_second(value("time")?.parse().ok()?).ok()?,
        version: value("version").map(str::to_owned),
        how: value("how")?.to_owned(),
        life_seconds: value("life").and_then(|life| life.parse().ok()),
    })
}

/// The last words of an account, each frame of a panic as its place in lbd: `lbd+0x1a2b3c` is what the symbols of that
/// version turn into a name.
pub fn last_words(text: &str) -> String {
    let words = text.split_once("\n\n").map_or("", |(_, words)| words);
    let start = words.lines().rev().find_map(|line| line.trim().strip_prefix(LIES_AT)).and_then(hexadecimal);
    let lines = words
        .lines()
        .map(|line| start.and_then(|start| placed(line, start)).unwrap_or_else(|| line.to_owned()));
    lines.map(|line| line + "\n").collect()
}

/// `  12:     0x7f00b123 - <unknown>` with the place instead of the address; `None` for any other line.
fn placed(line: &str, start: u64) -> Option<String> {
    let (number, rest) = line.split_once(':')?;
    number.trim().parse::<u32>().ok()?;
    let (address, name) = rest.trim().split_once(' ')?;
    let place = hexadecimal(address)?.checked_sub(start)?;
    let name = name.trim_start_matches("- ").replace("<unknown>", "");
    Some(format!("{number}: lbd+{place:#x} {name}").trim_end().to_owned())
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As `init/src/crash.rs` writes it.
    const TEXT: &str = "whose: lbd\ntime: 7\nversion: 0.1.0\nhow: exit code 101\nlife: 3\n\n\
                        thread 'main' (1) panicked at lbd/src/run.rs:1:1:\nno way\nstack backtrace:\n\
                        \u{20}  0:     0x7f00b123 - <unknown>\n   1:     0x7f00a001 - std::rt::lang_start\n\
                        lbd lies in memory at 0x7f00a000\n";

    #[test]
    fn an_account_and_the_places_of_its_frames() {
        let crash = parse("x.txt", TEXT).unwrap();
        assert_eq!((crash.whose, crash.time.as_second(), crash.life_seconds), (Whose::Lbd, 7, Some(3)));
        assert_eq!(crash.words(), "lbd ended unexpectedly or lost a part of itself (exit code 101)");
        let words = last_words(TEXT);
        assert!(words.contains("   0: lbd+0x1123\n   1: lbd+0x1 std::rt::lang_start\n"), "{words}");
        assert!(words.starts_with("thread 'main'") && words.contains("no way\n"), "{words}");
    }

    #[test]
    fn the_kernel_says_neither_version_nor_life() {
        let text = "whose: kernel\ntime: 9\nhow: kernel panic: no init\n\n<0>end\n";
        let crash = parse("k", text).unwrap();
        assert_eq!((crash.version, crash.life_seconds), (None, None));
        assert_eq!(last_words(text), "<0>end\n");
    }

    #[test]
    fn what_is_no_account() {
        for text in
            ["", "whose: me\ntime: 1\nhow: x\n", "whose: lbd\ntime: later\nhow: x\n", "whose: lbd\ntime: 1\n"]
        {
            assert_eq!(parse("n", text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text(text in any::<String>()) {
            let _ = (parse("n", &text), last_words(&text));
        }
    }
}
