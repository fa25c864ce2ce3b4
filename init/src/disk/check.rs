//! What e2fsck's exit code means: pure. e2fsck(8), "EXIT CODE": a sum of bits.

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Mount it.
    Sound,
    /// Errors were corrected; mount it. (2, "the system should be rebooted", is for a mounted file system.)
    Repaired,
    /// Errors are left that the careful check does not dare to correct.
    Damaged,
    /// The check itself did not work: an unreadable disk, a program that was killed.
    Failed,
}

const CORRECTED: i32 = 1 | 2;
const UNCORRECTED: i32 = 4;

/// `code` is none when e2fsck ended by a signal or at its deadline.
pub fn verdict(code: Option<i32>) -> Verdict {
    match code {
        Some(0) => Verdict::Sound,
        Some(code) if code & !(CORRECTED | UNCORRECTED) != 0 => Verdict::Failed,
        Some(code) if code & UNCORRECTED != 0 => Verdict::Damaged,
        Some(_) => Verdict::Repaired,
        None => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_and_sums() {
        let table = [
            (Some(0), Verdict::Sound),
            (Some(1), Verdict::Repaired),
            (Some(2), Verdict::Repaired),
            (Some(3), Verdict::Repaired),
            (Some(4), Verdict::Damaged),
            (Some(5), Verdict::Damaged),
            (Some(8), Verdict::Failed),
            (Some(12), Verdict::Failed),
            (Some(16), Verdict::Failed),
            (Some(32), Verdict::Failed),
            (Some(128), Verdict::Failed),
            (Some(-1), Verdict::Failed),
            (None, Verdict::Failed),
        ];
        for (code, expected) in table {
            assert_eq!(verdict(code), expected, "{code:?}");
        }
    }
}
