//! How late checks start: the largest of the last one to two minutes. Pure: time is an argument.

use std::time::Duration;

/// Long enough that somebody who looks now and then sees a trouble, short enough to see it end.
const WINDOW: Duration = Duration::from_secs(60);

/// The largest lateness of this window and of the one before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness {
    begun: Duration,
    current: Duration,
    previous: Duration,
}

impl Lateness {
    /// A check has started so much after its time.
    pub(super) fn observe(&mut self, late: Duration, now: Duration) {
        if now >= self.begun + WINDOW {
            self.previous = if now < self.begun + 2 * WINDOW { self.current } else { Duration::ZERO };
            self.current = Duration::ZERO;
            self.begun = now;
        }
        self.current = self.current.max(late);
    }

    /// The largest.
    pub(super) fn largest(&self) -> Duration {
        self.current.max(self.previous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_remembered_for_one_to_two_minutes() {
        let mut lateness = Lateness::default();
        let mut at = |second, late| {
            lateness.observe(Duration::from_millis(late), Duration::from_secs(second));
            lateness.largest().as_millis()
        };
        assert_eq!((at(0, 3), at(10, 50), at(59, 1)), (3, 50, 50));
        assert_eq!((at(61, 2), at(119, 2), at(122, 1)), (50, 50, 2));
        assert_eq!(at(1000, 1), 1);
    }
}
