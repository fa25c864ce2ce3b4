//! How many new connections each service had lately.
//!
//! From the kernel's counters, which miss none: an association that is shorter than the time between two counts of open
//! connections would not be seen in these, and a client that met no server never.

use std::collections::{BTreeMap, VecDeque};
use std::iter::repeat_n;
use std::time::Duration;

use crate::traffic::numbering::is_service_counter;
use crate::view::{COURSE_STEP_SECONDS, COURSE_STEPS};

/// Of all services, by counter name; bounded, and forgotten with its counter.
#[derive(Debug, Default)]
pub(super) struct Courses {
    /// Connections a second in each step, the oldest first.
    rates: BTreeMap<String, VecDeque<f64>>,
    /// The counters when the current step began.
    before: BTreeMap<String, u64>,
    /// When it did.
    begun: Duration,
    /// When the first one began.
    started: Duration,
}

impl Courses {
    /// Begins with what the kernel was found to have.
    pub(super) fn adopt(values: &BTreeMap<String, u64>, now: Duration) -> Self {
        Self { rates: BTreeMap::new(), before: of_services(values), begun: now, started: now }
    }

    /// Takes a new reading: the first one in a new step ends the one before.
    pub(super) fn read(&mut self, values: &BTreeMap<String, u64>, now: Duration) {
        let steps = self.step_of(now).saturating_sub(self.step_of(self.begun));
        if steps == 0 {
            return;
        }
        let steps = usize::try_from(steps).unwrap_or(COURSE_STEPS).min(COURSE_STEPS);
        let seconds = now.saturating_sub(self.begun).as_secs_f64();
        let values = of_services(values);
        let course = |(name, value): (&String, &u64)| {
            // A smaller value has been started anew: it is what is known to have come since.
            let before = self.before.get(name).filter(|before| *before <= value).unwrap_or(&0);
            let rate = thousandths((value - before) as f64 / seconds);
            let mut course = self.rates.remove(name).unwrap_or_default();
            // Of steps without a reading the mean is known.
            course.extend(repeat_n(rate, steps));
            course.drain(..course.len().saturating_sub(COURSE_STEPS));
            (name.clone(), course)
        };
        self.rates = values.iter().map(course).collect();
        (self.before, self.begun) = (values, now);
    }

    /// Steps lie on a grid, so that late readings do not add up.
    fn step_of(&self, time: Duration) -> u64 {
        time.saturating_sub(self.started).as_secs() / COURSE_STEP_SECONDS
    }

    /// Of one counter, the oldest step first; shorter while less is known.
    pub(super) fn of(&self, name: &str) -> Vec<f64> {
        self.rates.get(name).into_iter().flatten().copied().collect()
    }
}

/// One connection in a step is 0.033: more digits say nothing.
fn thousandths(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

fn of_services(values: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let services = values.iter().filter(|(name, _)| is_service_counter(name));
    services.map(|(name, value)| (name.clone(), *value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "A";

    fn reading(value: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([(A.to_owned(), value), ("A/NODE1".to_owned(), value)])
    }

    /// Reads every five seconds until then, with as many connections as `opened` says for the second.
    fn run(courses: &mut Courses, from: u64, until: u64, opened: impl Fn(u64) -> u64) {
        for second in (from..=until).step_by(5) {
            courses.read(&reading(opened(second)), Duration::from_secs(second));
        }
    }

    #[test]
    fn every_step_has_its_rate_and_only_services_have_a_course() {
        let mut courses = Courses::adopt(&reading(100), Duration::ZERO);
        run(&mut courses, 5, 25, |_| 130);
        assert_eq!(courses.of(A), [0.0; 0], "nothing is known before a step has ended");
        run(&mut courses, 30, 60, |second| if second < 60 { 130 } else { 131 });
        assert_eq!(courses.of(A), [1.0, 0.033]);
        assert_eq!(courses.of("A/NODE1"), [0.0; 0]);
    }

    #[test]
    fn what_is_older_than_ten_minutes_is_forgotten() {
        let mut courses = Courses::adopt(&reading(0), Duration::ZERO);
        run(&mut courses, 5, 600, |_| 3000);
        let course = courses.of(A);
        assert_eq!(
            (course.len(), course[0], &course[1..]),
            (COURSE_STEPS, 100.0, &[0.0; COURSE_STEPS - 1][..])
        );
        run(&mut courses, 605, 630, |_| 3000);
        assert_eq!(courses.of(A), [0.0; COURSE_STEPS]);
    }

    #[test]
    fn a_course_goes_with_its_counter() {
        let mut courses = Courses::adopt(&reading(0), Duration::ZERO);
        run(&mut courses, 5, 30, |_| 30);
        courses.read(&BTreeMap::new(), Duration::from_secs(60));
        assert!(courses.rates.is_empty() && courses.before.is_empty());
    }

    #[test]
    fn a_counter_that_starts_anew_gives_what_it_has_counted_since() {
        let mut courses = Courses::adopt(&reading(1000), Duration::ZERO);
        courses.read(&reading(60), Duration::from_secs(30));
        assert_eq!(courses.of(A), [2.0]);
    }

    #[test]
    fn steps_without_a_reading_have_the_mean_and_stay_within_the_bound() {
        let mut courses = Courses::adopt(&reading(0), Duration::ZERO);
        courses.read(&reading(90), Duration::from_secs(90));
        assert_eq!(courses.of(A), [1.0; 3]);
        courses.read(&reading(90), Duration::from_secs(1_000_000));
        assert_eq!(courses.of(A), [0.0; COURSE_STEPS]);
    }

    #[test]
    fn late_readings_do_not_add_up() {
        let start = Duration::from_secs(17);
        let mut courses = Courses::adopt(&reading(0), start);
        for number in 1..=119 {
            courses.read(&reading(0), start + Duration::from_millis(number * 5_045));
        }
        assert_eq!(courses.of(A).len(), COURSE_STEPS);
    }
}
