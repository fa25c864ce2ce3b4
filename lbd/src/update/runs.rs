//! Which version ran since when, and with which configuration it took over. Pure.
//!
//! Whoever goes back to another version wants to know what was changed since that one ran last.

use evenkeel_update::version::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Ten years of two updates a year, some of them taken back.
const KEPT: usize = 40;

/// A version that took over from another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which version.
    pub version: Version,
    /// When it had shown that it does its work.
    pub since: Timestamp,
    /// The version of the configuration that was in force then.
    pub configuration_version: u64,
}

/// All of them, the latest last; each is of another version than the one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs(Vec<Run>);

impl Runs {
    /// With `run` as the latest; `None` where its version is the one that ran before a restart too.
    pub fn with(mut self, run: Run) -> Option<Self> {
        if self.0.last().is_some_and(|last| last.version == run.version) {
            return None;
        }
        self.0.push(run);
        let old = self.0.len().saturating_sub(KEPT);
        self.0.drain(..old);
        Some(self)
    }

    /// What took over from `version` when that ran for the last time; `None` where it runs, or never did.
    pub fn after(&self, version: &Version) -> Option<&Run> {
        let last = self.0.iter().rposition(|run| run.version == *version)?;
        self.0.get(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(version: &str, second: i64, configuration_version: u64) -> Run {
        let since = Timestamp::from_second(second).unwrap();
        Run { version: version.parse().unwrap(), since, configuration_version }
    }

    fn all(runs: impl IntoIterator<Item = Run>) -> Runs {
        runs.into_iter().fold(Runs::default(), |runs, run| runs.clone().with(run).unwrap_or(runs))
    }

    #[test]
    fn a_restart_of_the_same_version_is_no_other_run() {
        let runs = all([run("1.0", 1, 3), run("1.0", 2, 4)]);
        assert_eq!(runs, Runs(vec![run("1.0", 1, 3)]));
        assert_eq!(runs.after(&"1.0".parse().unwrap()), None, "it runs");
    }

    #[test]
    fn what_took_over_last_counts() {
        let runs = all([run("1.0", 1, 3), run("1.1", 2, 5), run("1.0", 3, 6), run("1.2", 4, 8)]);
        let after = |version: &str| runs.after(&version.parse().unwrap()).cloned();
        assert_eq!(after("1.0"), Some(run("1.2", 4, 8)));
        assert_eq!(after("1.1"), Some(run("1.0", 3, 6)));
        assert_eq!((after("1.2"), after("2.0")), (None, None));
    }

    #[test]
    fn the_list_is_bounded() {
        let runs = all((0..100).map(|number| run(&format!("1.{number}"), number, 1)));
        assert_eq!(runs.0.len(), KEPT);
        assert_eq!(runs.0.last(), Some(&run("1.99", 99, 1)));
    }
}
