//! What init tells of the systems on the boot partition, as JSON in one line.

use crate::version::Version;
use serde::{Deserialize, Serialize};

/// Everything about the systems of this appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systems {
    /// What runs.
    pub running: Version,
    /// What runs has not been marked as good yet.
    pub on_trial: bool,
    /// Another one, if there is one.
    pub other: Option<Other>,
}

/// A system that does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Which one.
    pub version: Version,
    /// What it is good for.
    pub standing: Standing,
    /// Only its lbd differs from what runs, by which it can be replaced at once.
    #[serde(default)]
    pub is_quick: bool,
}

/// What a system is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It ran, and was marked as good.
    Good,
    /// It starts next, on trial.
    Waiting,
    /// It was started until its tries were used up, and never came up healthy.
    Failed,
    /// Somebody went back from it to what runs now.
    Left,
}
