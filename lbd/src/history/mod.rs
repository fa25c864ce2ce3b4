//! What was: figures of services, servers, interfaces and the appliance over 31 days, in files of bounded size.
//!
//! ```text
//! View, /proc -> sample -> 10 s (2 hours) -> 1 min (1 day) -> 10 min (7 days) -> 1 h (31 days)
//! ```
//!
//! A [`cell`] is what is kept of one thing and one step: mean and peak of [`FIGURES`] figures, with a checksum. A
//! [`shelf`] holds the steps of one length in files with the names of the things at their beginning. A step of a coarser
//! shelf is made from the finer one's on disk when it has ended ([`keeper`]): nothing of it is in memory meanwhile, and a
//! restart or a power cut in between costs nothing but what was being written.
//!
//! Beside the figures, [`outages`] keeps every change of [`standing`] with its reason in 64 MB, from which a [`report`] of a
//! month is made.
//!
//! The [`recorder`] is a thread of its own that reads the published picture: a disk that hangs or is full keeps nobody
//! waiting. [`lookup`] answers questions from the files.
//!
//! Bounds. A cell has 32 bytes, a step at most [`MOST_SUBJECTS`] of them. That is 283 + 566 + 396 + 293 MB for the four
//! shelves of the largest farm that is recorded, 1.4 GB for 1,000 services of 10 servers, 2 MB for the example
//! configuration, and an eighth more where files have just begun. Memory: 0.7 MB while a step of 11,000 things is being
//! written, 0.1 MB otherwise.
//!
//! Clocks. The time of a step is the wall clock's. One that jumps forward leaves a hole. After one that jumped back the
//! steps that are recorded later count, and those that were recorded for the same times before do not: nothing is there
//! twice, and recording never waits.

pub mod cell;
pub mod keeper;
pub mod lookup;
pub mod outages;
pub mod recorder;
pub mod report;
pub mod sample;
pub mod segment;
pub mod shelf;
pub mod standing;
pub mod subject;
pub mod system;

use std::time::Duration;

/// Figures of a thing; which ones is said by [`subject::Kind::figures`].
pub const FIGURES: usize = 7;
/// 1,000 services of 10 servers, the appliance, its interfaces, and some room. What is beyond is not recorded, which the
/// page says.
pub const MOST_SUBJECTS: usize = 12_288;

/// Steps of one length, and how long they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Seconds of a step.
    pub step: i64,
    /// Steps that are kept at least.
    pub steps: usize,
    /// Where they are, below the folder of the history.
    pub folder: &'static str,
}

impl Level {
    /// Seconds that are kept at least.
    pub fn span(&self) -> i64 {
        self.step * i64::try_from(self.steps).unwrap_or(i64::MAX)
    }
}

/// From the finest to the coarsest: each step is a whole number of the one before.
pub const LEVELS: [Level; 4] = [
    Level { step: 10, steps: 720, folder: "10s" },
    Level { step: 60, steps: 1_440, folder: "1min" },
    Level { step: 600, steps: 1_008, folder: "10min" },
    Level { step: 3_600, steps: 744, folder: "1h" },
];

/// How often a sample is taken: the finest step.
pub const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);

/// What was missed for longer, in seconds, is not known: more than a restart of lbd takes, through which the kernel goes
/// on.
pub const HOLE: i64 = 30;

/// The beginning of the step in which a moment lies; seconds since 1970.
pub fn step_of(time: i64, step: i64) -> i64 {
    time.div_euclid(step) * step
}
