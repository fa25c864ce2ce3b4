//! Medians, tables for people, and `results.json` for programs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What interleaved runs measured on one system, in the order of the runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(Vec<f64>);

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Samples {
    /// The middle value; the mean of the two middle ones of an even number.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        match (sorted.get(low), sorted.get(high)) {
            (Some(low), Some(high)) => f64::midpoint(*low, *high),
            _ => f64::NAN,
        }
    }

    /// The worst of all runs, where a single bad one counts.
    pub fn highest(&self) -> f64 {
        self.range().1
    }

    /// What each run measured above the run of `base` in the same round.
    pub fn above(&self, base: &Self) -> Self {
        self.0.iter().zip(&base.0).map(|(value, base)| value - base).collect()
    }

    fn range(&self) -> (f64, f64) {
        self.0.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
    }
}

/// What we want a comparison to show.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// The ratio ours / theirs is at least this.
    RatioAtLeast(f64),
    /// The ratio ours / theirs is at most this.
    RatioAtMost(f64),
    /// Our own figure is at most this.
    OursAtMost(f64),
    /// None: for context.
    Context,
}

/// Our figure beside that of a peer.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What was measured.
    pub name: &'static str,
    /// In what.
    pub unit: &'static str,
    /// Our median.
    pub ours: f64,
    /// Whom we compare with.
    pub peer: &'static str,
    /// The peer's median.
    pub theirs: f64,
    /// What we want.
    pub goal: Goal,
}

impl Comparison {
    fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }

    fn goal_in_words(&self) -> String {
        let (bound, met) = match self.goal {
            Goal::RatioAtLeast(least) => (format!("at least {least:.3}"), self.ratio() >= least),
            Goal::RatioAtMost(most) => (format!("at most {most:.3}"), self.ratio() <= most),
            Goal::OursAtMost(most) => (format!("ours at most {most} {}", self.unit), self.ours <= most),
            Goal::Context => return "for context".into(),
        };
        format!("goal: {bound}, {}", if met { "met" } else { "NOT met" })
    }

    fn to_json(&self) -> Value {
        let Self { name, unit, ours, peer, theirs, .. } = self;
        json!({
            "name": name, "unit": unit, "ours": ours, "peer": peer, "theirs": theirs, "ratio": self.ratio(),
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, peer, .. } = self;
        let what = format!("{name}, ours / {peer}");
        write!(f, "{what:<46} {:>12.3}   {}", self.ratio(), self.goal_in_words())
    }
}

/// One benchmark: what was measured on each system, and what follows.
#[derive(Debug, Default)]
pub struct Report {
    title: String,
    systems: Vec<(String, Samples)>,
    comparisons: Vec<Comparison>,
    notes: Vec<String>,
}

impl Report {
    /// An empty report.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Adds a line with a system's median and range.
    pub fn system(&mut self, name: impl Into<String>, samples: &Samples) {
        self.systems.push((name.into(), samples.clone()));
    }

    /// Adds a comparison.
    pub fn compare(&mut self, comparison: Comparison) {
        self.comparisons.push(comparison);
    }

    /// Adds a line of text.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{:<46} {:>12} {:>12} {:>12}", self.title, "", "median", "lowest", "highest")?;
        for (name, samples) in &self.systems {
            let (low, high) = samples.range();
            writeln!(f, "{name:<46} {:>12.2} {low:>12.2} {high:>12.2}", samples.median())?;
        }
        self.comparisons.iter().try_for_each(|comparison| writeln!(f, "{comparison}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "  {note}"))
    }
}

/// Writes the comparisons of all reports to `target/bench/results.json`, and returns where that is.
pub fn write_results(root: &Path, reports: &[Report]) -> io::Result<PathBuf> {
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("results.json");
    let results: Vec<_> =
        reports.iter().flat_map(|report| &report.comparisons).map(Comparison::to_json).collect();
    std::fs::write(&path, format!("{:#}\n", Value::from(results)))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value() {
        let median = |values: &[f64]| values.iter().copied().collect::<Samples>().median();
        assert_eq!(median(&[3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), 3.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_goal_is_judged_by_the_unrounded_ratio() {
        let with = |ours, goal| Comparison { name: "n", unit: "u", ours, peer: "p", theirs: 100.0, goal };
        assert!(with(96.99, Goal::RatioAtLeast(0.97)).goal_in_words().ends_with("NOT met"));
        assert!(with(97.0, Goal::RatioAtLeast(0.97)).goal_in_words().ends_with(", met"));
        assert!(with(5.1, Goal::RatioAtMost(0.05)).goal_in_words().ends_with("NOT met"));
        assert!(with(24.0, Goal::OursAtMost(25.0)).goal_in_words().ends_with(", met"));
    }
}
