//! What questions in the query of a request have in common.

use jiff::{SignedDuration, Timestamp};

/// Examples of what [`moment`] understands, for error texts.
pub(super) const MOMENTS: &str =
    "a moment such as 2026-11-25T08:30:00Z, or how long ago it was, such as 90m or 2h";

/// A moment, or how long ago it was.
pub(super) fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let ago = |ago: SignedDuration| now.checked_sub(ago).ok();
    text.parse().ok().or_else(|| text.parse().ok().and_then(ago))
}

/// What was given, for error texts.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}
