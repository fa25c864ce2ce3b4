//! The kernel's counters of new connections, and how fast they grow.

use std::collections::BTreeMap;
use std::time::Duration;

use super::course::Courses;

/// By counter name; see [`crate::traffic::numbering`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    values: BTreeMap<String, u64>,
    rates: BTreeMap<String, f64>,
    courses: Courses,
    read_at: Duration,
    /// Why the last reading failed.
    failure: Option<String>,
}

impl Counters {
    /// What the kernel was found to have.
    pub(super) fn adopt(values: BTreeMap<String, u64>, now: Duration) -> Self {
        let courses = Courses::adopt(&values, now);
        Self { values, rates: BTreeMap::new(), courses, read_at: now, failure: None }
    }

    /// Takes a new reading. One that is smaller than before has been started anew.
    pub(super) fn read(&mut self, values: BTreeMap<String, u64>, now: Duration) {
        let seconds = now.saturating_sub(self.read_at).as_secs_f64();
        if seconds > 0.0 {
            let rate = |(name, value): (&String, &u64)| {
                let before = self.values.get(name).filter(|before| *before <= value)?;
                Some((name.clone(), (value - before) as f64 / seconds))
            };
            self.rates = values.iter().filter_map(rate).collect();
            self.read_at = now;
        }
        self.courses.read(&values, now);
        (self.values, self.failure) = (values, None);
    }

    /// There was nothing to be read, for this reason: what was read before is no rate of now.
    pub(super) fn unread(&mut self, why: String) {
        self.failure = Some(why);
    }

    /// For the View.
    pub(super) fn problem(&self) -> Option<String> {
        self.failure.as_ref().map(|why| {
            format!(
                "The kernel's counters cannot be read ({why}): how many connections are new is not known. Traffic goes on; \
                 it is tried again by itself."
            )
        })
    }

    /// Connections opened since the counter was made.
    pub(super) fn value(&self, name: &str) -> u64 {
        self.values.get(name).copied().unwrap_or_default()
    }

    /// Connections a second, between the last two readings; `None` while they cannot be read.
    pub(super) fn rate(&self, name: &str) -> Option<f64> {
        self.failure.is_none().then(|| self.rates.get(name).copied().unwrap_or_default())
    }

    /// Connections a second in each of the last steps, of a service; see [`crate::view::ServiceView`].
    pub(super) fn course(&self, name: &str) -> Vec<f64> {
        self.courses.of(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(value: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("A".to_owned(), value)])
    }

    #[test]
    fn a_rate_lies_between_two_readings_and_never_below_zero() {
        let mut counters = Counters::adopt(reading(100), Duration::ZERO);
        assert_eq!((counters.value("A"), counters.rate("A")), (100, Some(0.0)));
        counters.read(reading(150), Duration::from_secs(5));
        assert_eq!((counters.value("A"), counters.rate("A")), (150, Some(10.0)));
        counters.read(reading(3), Duration::from_secs(10));
        assert_eq!((counters.value("A"), counters.rate("A")), (3, Some(0.0)));
    }

    #[test]
    fn a_rate_is_not_known_while_the_counters_cannot_be_read() {
        let mut counters = Counters::adopt(reading(100), Duration::ZERO);
        counters.read(reading(150), Duration::from_secs(5));
        counters.unread("no memory".into());
        assert_eq!((counters.value("A"), counters.rate("A")), (150, None));
        assert!(counters.problem().is_some_and(|problem| problem.contains("no memory")));
        counters.read(reading(250), Duration::from_secs(15));
        assert_eq!((counters.rate("A"), counters.problem()), (Some(10.0), None));
    }
}
