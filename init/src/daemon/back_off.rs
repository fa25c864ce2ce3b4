//! How long to wait before lbd is started again: pure.

use std::time::Duration;

/// The second restart; each further one waits twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(500);

/// Long enough not to burn the processor, short enough that a cause that went away is soon forgotten.
const LONGEST: Duration = Duration::from_secs(30);

/// After so long a life the next end is a new story.
const HEALTHY_LIFE: Duration = Duration::from_secs(60);

/// The waits so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackOff {
    next: Duration,
}

impl BackOff {
    /// How long to wait after an end that followed `life`. The first restart is at once.
    pub fn after(&mut self, life: Duration) -> Duration {
        if life >= HEALTHY_LIFE {
            self.next = Duration::ZERO;
        }
        let wait = self.next;
        self.next = (wait * 2).clamp(FIRST, LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_once_then_longer_and_longer() {
        let mut back_off = BackOff::default();
        let waits: Vec<_> = (0..9).map(|_| back_off.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(waits, [0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }

    #[test]
    fn a_long_life_makes_it_forget() {
        let mut back_off = BackOff::default();
        for _ in 0..5 {
            back_off.after(Duration::from_secs(59));
        }
        assert_eq!(back_off.after(HEALTHY_LIFE), Duration::ZERO);
        assert_eq!(back_off.after(Duration::ZERO), FIRST);
    }
}
