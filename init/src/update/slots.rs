//! Which systems are on the boot partition, by their files' names: pure. There are two at most: the one that runs, and
//! the other.
//!
//! ```text
//! evenkeel_1.1+3.efi     installed: starts next, three tries        -> Waiting
//! evenkeel_1.1+2-1.efi   being tried (it runs), or its power went   -> Waiting
//! evenkeel_1.1.efi       good
//! evenkeel_1.1+0-3.efi   never came up: starts last                 -> Failed
//! evenkeel_1.1+0.efi     somebody went back from it: starts last    -> Left
//! ```
//! systemd-boot starts the newest that has tries left or no counter; those without tries left are its last resort.

use crate::counting::{self, Tries};
use evenkeel_update::status::{Other, Standing, Systems};
use evenkeel_update::version::Version;

/// How often a system may be started before it has proven itself.
const TRIES: u32 = 3;

/// A system's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// As it is now.
    pub name: String,
    /// Of the system.
    pub version: Version,
    /// None for a good one.
    pub tries: Option<Tries>,
}

impl Slot {
    /// Reads a file's name; none for what is no system of ours.
    pub fn parse(name: &str) -> Option<Self> {
        let (plain, tries) = match counting::split(name) {
            Some((plain, tries)) => (plain, Some(tries)),
            None => (name.to_owned(), None),
        };
        let version = plain.strip_prefix("evenkeel_")?.strip_suffix(".efi")?.parse().ok()?;
        Some(Self { name: name.to_owned(), version, tries })
    }

    fn standing(&self) -> Standing {
        match self.tries {
            None => Standing::Good,
            Some(Tries { left: 0, failed: 0 }) => Standing::Left,
            Some(Tries { left: 0, .. }) => Standing::Failed,
            Some(_) => Standing::Waiting,
        }
    }
}

fn good(version: &Version) -> String {
    format!("evenkeel_{version}.efi")
}

/// The name of a system that is to prove itself.
pub fn on_trial(version: &Version) -> String {
    format!("evenkeel_{version}+{TRIES}.efi")
}

/// The name of one that was given up while another one ran.
pub fn given_up(version: &Version) -> String {
    format!("evenkeel_{version}+0-{TRIES}.efi")
}

fn left(version: &Version) -> String {
    format!("evenkeel_{version}+0.efi")
}

/// The file of `version`: the good one where counters were left beside it.
fn file<'a>(slots: &'a [Slot], version: &Version) -> Option<&'a Slot> {
    let mut own = slots.iter().filter(|slot| slot.version == *version);
    own.clone().find(|slot| slot.tries.is_none()).or_else(|| own.next())
}

/// The newest that does not run.
fn other<'a>(slots: &'a [Slot], running: &Version) -> Option<&'a Slot> {
    let others = slots.iter().filter(|slot| slot.version != *running);
    let newest =
        others.reduce(|best, slot| if slot.version.is_newer_than(&best.version) { slot } else { best })?;
    file(slots, &newest.version)
}

/// What there is, for people.
pub fn systems(slots: &[Slot], running: &Version) -> Systems {
    let other = other(slots, running);
    Systems {
        running: running.clone(),
        on_trial: file(slots, running).is_some_and(|own| own.tries.is_some()),
        other: other.map(|slot| Other {
            version: slot.version.clone(),
            standing: slot.standing(),
            is_quick: false,
        }),
    }
}

/// Fails unless the system that runs is there and good: it is what the appliance falls back to.
pub fn require_good(slots: &[Slot], running: &Version) -> Result<(), String> {
    match file(slots, running) {
        None => Err(format!(
            "the system that runs, {running}, is not on the boot partition; start the appliance from its disk"
        )),
        Some(own) if own.tries.is_some() => {
            Err(format!("the system that runs, {running}, is still proving itself; wait for a few minutes"))
        }
        Some(_) => Ok(()),
    }
}

/// The system that starts next, on trial, and is this version.
pub fn waiting<'a>(slots: &'a [Slot], version: &Version) -> Result<&'a Slot, String> {
    let own = file(slots, version).filter(|slot| slot.standing() == Standing::Waiting);
    own.ok_or_else(|| format!("{version} does not wait on the boot partition; install it again"))
}

/// What makes room for a system that is installed: all files but that of the system that runs. Stale counters are among
/// them, so that none makes the next system fall back.
pub fn leftovers(slots: &[Slot], running: &Version) -> Vec<String> {
    let own = file(slots, running).map(|own| own.name.as_str());
    slots.iter().filter(|slot| Some(slot.name.as_str()) != own).map(|slot| slot.name.clone()).collect()
}

/// Going back: which files get which names, in this order, and what then starts next, on trial. Whenever the power goes
/// in between, either the one or the other starts.
pub fn back(slots: &[Slot], running: &Version) -> Result<(Vec<(String, String)>, Version), String> {
    require_good(slots, running)?;
    let Some(other) = other(slots, running) else {
        return Err("there is no other system on this appliance".into());
    };
    let version = &other.version;
    match other.standing() {
        Standing::Good | Standing::Left => {}
        Standing::Waiting => {
            return Err(format!(
                "{version} is installed and starts at the next restart; {running} is the one before it"
            ));
        }
        Standing::Failed => {
            return Err(format!(
                "the other system, {version}, has failed to start; install an update instead"
            ));
        }
    }
    let mut renames = vec![(other.name.clone(), on_trial(version))];
    if running.is_newer_than(version) {
        renames.push((good(running), left(running)));
    }
    Ok((renames, version.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(names: &[&str]) -> Vec<Slot> {
        names.iter().filter_map(|name| Slot::parse(name)).collect()
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn names_and_what_they_mean() {
        let table = [
            ("evenkeel_1.1.efi", Some(Standing::Good)),
            ("evenkeel_1.1+3.efi", Some(Standing::Waiting)),
            ("evenkeel_1.1+2-1.efi", Some(Standing::Waiting)),
            ("evenkeel_1.1+0-3.efi", Some(Standing::Failed)),
            ("evenkeel_1.1+0.efi", Some(Standing::Left)),
            ("evenkeel_1.1.new", None),
            ("other_1.1.efi", None),
            ("evenkeel_.efi", None),
            ("evenkeel_1_1.efi", None),
        ];
        for (name, expected) in table {
            let slot = Slot::parse(name);
            assert_eq!(slot.as_ref().map(Slot::standing), expected, "{name}");
            assert!(slot.is_none_or(|slot| slot.version == version("1.1")), "{name}");
        }
    }

    #[test]
    fn what_there_is() {
        let told = |names: &[&str], running: &str| {
            let Systems { on_trial, other, .. } = systems(&slots(names), &version(running));
            (on_trial, other.map(|other| (other.version.as_str().to_owned(), other.standing)))
        };
        let other = |version: &str, standing| Some((version.to_owned(), standing));
        assert_eq!(told(&["evenkeel_1.0.efi"], "1.0"), (false, None));
        let both = ["evenkeel_1.0.efi", "evenkeel_1.1+3.efi"];
        assert_eq!(told(&both, "1.0"), (false, other("1.1", Standing::Waiting)));
        let trial = ["evenkeel_1.0.efi", "evenkeel_1.1+2-1.efi"];
        assert_eq!(told(&trial, "1.1"), (true, other("1.0", Standing::Good)));
        let stale = ["evenkeel_1.0.efi", "evenkeel_1.0+1-2.efi", "evenkeel_1.1+0-3.efi"];
        assert_eq!(told(&stale, "1.0"), (false, other("1.1", Standing::Failed)));
    }

    #[test]
    fn an_install_leaves_what_runs_and_nothing_else() {
        let all = [
            "evenkeel_0.9.efi",
            "evenkeel_1.0.efi",
            "evenkeel_1.0+3.efi",
            "evenkeel_1.1+0-3.efi",
            "readme.txt",
        ];
        let removed = leftovers(&slots(&all), &version("1.0"));
        assert_eq!(removed, ["evenkeel_0.9.efi", "evenkeel_1.0+3.efi", "evenkeel_1.1+0-3.efi"]);
    }

    #[test]
    fn nothing_is_installed_over_a_system_that_is_on_trial_or_started_from_elsewhere() {
        let told = |names: &[&str]| require_good(&slots(names), &version("1.0"));
        assert!(told(&["evenkeel_1.0.efi"]).is_ok());
        assert!(told(&["evenkeel_1.0+2-1.efi"]).unwrap_err().contains("still proving itself"));
        assert!(told(&["evenkeel_1.1.efi"]).unwrap_err().contains("not on the boot partition"));
    }

    #[test]
    fn only_what_waits_can_be_started() {
        let told = |name: &str| waiting(&slots(&["evenkeel_1.0.efi", name]), &version("1.1")).map(|_| ());
        assert_eq!([told("evenkeel_1.1+3.efi"), told("evenkeel_1.1+2-1.efi")], [Ok(()), Ok(())]);
        for name in ["evenkeel_1.1.efi", "evenkeel_1.1+0-3.efi", "evenkeel_1.1+0.efi", "evenkeel_1.2+3.efi"] {
            assert!(told(name).unwrap_err().contains("does not wait"), "{name}");
        }
        let given_up = Slot::parse(&given_up(&version("1.1"))).unwrap();
        assert_eq!(given_up.standing(), Standing::Failed);
    }

    #[test]
    fn back_and_forth() {
        let told = |names: &[&str], running: &str| {
            let (renames, version) = back(&slots(names), &version(running))?;
            let renames: Vec<_> = renames.into_iter().map(|(from, to)| format!("{from} {to}")).collect();
            Ok::<_, String>((renames.join(", "), version.as_str().to_owned()))
        };
        assert_eq!(
            told(&["evenkeel_1.0.efi", "evenkeel_1.1.efi"], "1.1").unwrap(),
            ("evenkeel_1.0.efi evenkeel_1.0+3.efi, evenkeel_1.1.efi evenkeel_1.1+0.efi".into(), "1.0".into())
        );
        assert_eq!(
            told(&["evenkeel_1.0.efi", "evenkeel_1.1+0.efi"], "1.0").unwrap(),
            ("evenkeel_1.1+0.efi evenkeel_1.1+3.efi".into(), "1.1".into())
        );
        for (other, words) in [
            ("evenkeel_1.1+3.efi", "starts at the next restart"),
            ("evenkeel_1.1+0-3.efi", "failed to start"),
            ("nothing", "no other system"),
        ] {
            let refused = told(&["evenkeel_1.0.efi", other], "1.0").unwrap_err();
            assert!(refused.contains(words), "{other}: {refused}");
        }
    }
}
