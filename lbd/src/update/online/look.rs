//! What follows from an index, and when it is looked for again: pure.

use std::time::Duration;

use evenkeel_update::index::Index;
use evenkeel_update::status::{Standing, Systems};
use evenkeel_update::version::Version;

use crate::alert::topic::{Severity, Trouble};

/// After lbd has come up: a machine that has just started has other things to do.
const SOONEST: Duration = Duration::from_secs(120);
/// Of a hundred appliances that were switched on together each looks at another time.
const SPREAD_AT_START: Duration = Duration::from_secs(480);
/// After other settings were stored: whoever stored them waits to see what comes of it.
pub const AFTER_CHANGE: Duration = Duration::from_secs(5);

/// What the newest version is for this appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// It can be downloaded and installed.
    Available,
    /// It is newer, and needs a version in between first: this one, or a later one.
    NeedsBetween(Version),
    /// It, or a newer one, is installed already, and does not run.
    Installed,
    /// It was tried here and never proved itself; whoever knows why not can have it again.
    Failed,
    /// It is not newer than what runs.
    NotNewer,
}

impl Offer {
    /// Of this index, where these systems are.
    pub fn of(index: &Index, systems: &Systems) -> Self {
        let version = &index.version;
        if !version.is_newer_than(&systems.running) {
            return Self::NotNewer;
        }
        // One that failed, or that somebody went back from, stands in nobody's way: what mends it may have a lower number.
        match systems.other.as_ref() {
            Some(other) if other.version == *version && other.standing == Standing::Failed => {
                return Self::Failed;
            }
            Some(other) if other.version == *version => return Self::Installed,
            Some(other) if other.standing == Standing::Waiting && !version.is_newer_than(&other.version) => {
                return Self::Installed;
            }
            _ => {}
        }
        match &index.minimum_version {
            needed if needed.is_newer_than(&systems.running) => Self::NeedsBetween(needed.clone()),
            _ => Self::Available,
        }
    }

    /// Whether it can be downloaded and installed.
    pub fn is_available(&self) -> bool {
        matches!(self, Self::Available | Self::Failed)
    }

    /// Whether every page tells of it.
    pub fn is_news(&self) -> bool {
        matches!(self, Self::Available | Self::NeedsBetween(_))
    }
}

/// From the start of lbd to the first look; `luck` is any byte.
pub fn first_pause(luck: u8) -> Duration {
    SOONEST + SPREAD_AT_START * u32::from(luck) / 255
}

/// From one look to the next: the interval, and up to a tenth less or more.
pub fn pause(interval: Duration, luck: u8) -> Duration {
    interval * 9 / 10 + interval / 5 * u32::from(luck) / 255
}

/// That there is a newer version.
pub fn news(index: &Index) -> Trouble {
    Trouble {
        severity: Severity::Information,
        name: format!("Version {} of Evenkeel", index.version),
        state: "is available".into(),
        over: String::new(),
        why: "the update server offers it".into(),
        effect: "Nothing is downloaded or installed by itself.".into(),
        look_at: "See Maintenance, Software Update.".into(),
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_update::hash::Sha;
    use evenkeel_update::index::Archive;
    use evenkeel_update::status::Other;
    use proptest::prelude::*;

    use super::*;

    fn index(version: &str) -> Index {
        Index {
            format: 1,
            product: "evenkeel".into(),
            version: version.parse().unwrap(),
            minimum_version: "1.0".parse().unwrap(),
            notes: String::new(),
            development: false,
            archive: Archive { url: "a.update".into(), size: 1, sha256: Sha::of(b"x") },
        }
    }

    fn systems(running: &str, other: Option<(&str, Standing)>) -> Systems {
        let other = other.map(|(version, standing)| Other {
            version: version.parse().unwrap(),
            standing,
            is_quick: false,
        });
        Systems { running: running.parse().unwrap(), on_trial: false, other }
    }

    #[test]
    fn only_what_is_newer_than_all_that_is_there_and_works_is_news() {
        for (offered, running, other, offer) in [
            ("1.2", "1.1", None, Offer::Available),
            ("1.2", "1.1", Some(("1.0", Standing::Good)), Offer::Available),
            ("1.2", "1.1", Some(("1.2", Standing::Waiting)), Offer::Installed),
            ("1.2", "1.1", Some(("1.3", Standing::Waiting)), Offer::Installed),
            ("1.2", "1.1", Some(("1.2", Standing::Left)), Offer::Installed),
            ("1.2", "1.1", Some(("1.3", Standing::Left)), Offer::Available),
            ("1.2", "1.1", Some(("1.2", Standing::Failed)), Offer::Failed),
            ("1.2", "1.1", Some(("1.3", Standing::Failed)), Offer::Available),
            ("1.3", "1.1", Some(("1.2", Standing::Failed)), Offer::Available),
            ("1.1", "1.1", None, Offer::NotNewer),
            ("1.0", "1.1", Some(("0.9", Standing::Good)), Offer::NotNewer),
            ("1.2", "0.9", None, Offer::NeedsBetween("1.0".parse().unwrap())),
        ] {
            let found = Offer::of(&index(offered), &systems(running, other));
            assert_eq!(found, offer, "{offered} where {running} runs and {other:?} is there");
            assert_eq!(found.is_news(), matches!(offer, Offer::Available | Offer::NeedsBetween(_)));
        }
    }

    proptest! {
        #[test]
        fn pauses_are_near_the_interval_and_differ(hours in 1_u64..=168, luck in any::<u8>()) {
            let interval = Duration::from_secs(hours * 3600);
            let pause = pause(interval, luck);
            prop_assert!(pause >= interval * 9 / 10 && pause <= interval * 11 / 10);
            prop_assert!((SOONEST..=SOONEST + SPREAD_AT_START).contains(&first_pause(luck)));
        }

        #[test]
        fn nothing_old_is_ever_news(
            offered in "[0-9]\\.[0-9]", running in "[0-9]\\.[0-9]", other in prop::option::of("[0-9]\\.[0-9]"),
        ) {
            let other = other.as_deref().map(|other| (other, Standing::Waiting));
            let (index, systems) = (index(&offered), systems(&running, other));
            if Offer::of(&index, &systems).is_news() {
                prop_assert!(index.version.is_newer_than(&systems.running));
                prop_assert!(systems.other.is_none_or(|other| index.version.is_newer_than(&other.version)));
            }
        }
    }
}
