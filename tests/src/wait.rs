//! Waiting for an event, with a deadline and a message that says what did not happen.

use std::time::{Duration, Instant};

/// The first pause between two looks at a condition: short beside every time that a story measures.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// A look starts a process as a rule: who waits long and looks often takes the machine from what is waited for.
const LONGEST_PAUSE: Duration = Duration::from_millis(150);
/// The pauses grow with the time waited so far, so that it is measured to 5 %.
const PART_OF_THE_TIME: u32 = 20;

/// Waits until `condition` yields a value, and returns it with the time it took.
///
/// # Panics
/// When `deadline` has passed; `what` then says what was waited for.
pub fn until_some<T>(
    deadline: Duration,
    what: impl std::fmt::Display,
    mut condition: impl FnMut() -> Option<T>,
) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return (value, start.elapsed());
        }
        assert!(start.elapsed() < deadline, "after {deadline:?}, still waiting for: {what}");
        pause(start);
    }
}

/// Waits until `condition` holds, and returns the time it took.
///
/// # Panics
/// When `deadline` has passed.
pub fn until(
    deadline: Duration,
    what: impl std::fmt::Display,
    mut condition: impl FnMut() -> bool,
) -> Duration {
    until_some(deadline, what, || condition().then_some(())).1
}

/// Asserts that `condition` holds all the time for `period`: for stories about what must not happen.
///
/// # Panics
/// When it does not hold.
pub fn holds_for(period: Duration, what: impl std::fmt::Display, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < period {
        assert!(condition(), "after {:?} of {period:?} no longer true: {what}", start.elapsed());
        std::thread::sleep(FIRST_PAUSE);
    }
}

/// The pause between two looks at a condition that has been waited for since `start`.
pub(crate) fn pause(start: Instant) {
    std::thread::sleep((start.elapsed() / PART_OF_THE_TIME).clamp(FIRST_PAUSE, LONGEST_PAUSE));
}
