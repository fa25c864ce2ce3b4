//! Ends the trial of a counted boot: by renaming its UKI when it is healthy, by a restart when it stays unhealthy.

use crate::aside;
use crate::counting::{self, Counted, blessed};
use crate::esp::{self, Access};
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::places::EFI_VARIABLES;
use crate::shutdown::{self, How};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// A counted boot that is not healthy by then restarts, so that the boot loader's counter falls. Under an emulated
/// processor a boot takes 20 s; a disk check may take a minute or two.
pub const LIMIT: Duration = Duration::from_secs(180);

/// lbd answers for so long, and has proven itself, before its system is called good.
pub const HEALTHY: Duration = Duration::from_secs(10);

/// After a bless that failed.
const AGAIN: Duration = Duration::from_secs(60);

/// Reads whether this boot is on trial.
pub fn counted() -> Option<Counted> {
    let path = Path::new(EFI_VARIABLES).join(counting::VARIABLE);
    counting::parse_variable(&fs::read(path).ok()?)
}

/// The trial of this boot.
#[derive(Debug)]
pub struct Trial {
    counted: Counted,
    /// Ends the time limit, when it is used or dropped.
    limit: Option<Sender<()>>,
    attempt: Option<Receiver<Result<(), Failure>>>,
    next_attempt: Duration,
}

/// Where a trial stands.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing new.
    Going,
    /// The UKI has its lasting name.
    Passed,
    /// It could not be renamed; it is tried again.
    Failed(Failure),
}

impl Trial {
    /// Begins: the machine restarts after [`LIMIT`], unless lbd is healthy by then.
    pub fn begin(counted: Counted) -> Self {
        Self { counted, limit: Some(limit()), attempt: None, next_attempt: Duration::ZERO }
    }

    /// Of a system that has proven itself already, in an lbd of its own: nothing restarts the machine.
    pub fn passed(counted: Counted) -> Self {
        Self { counted, limit: None, attempt: None, next_attempt: Duration::ZERO }
    }

    /// What is tried.
    pub fn counted(&self) -> &Counted {
        &self.counted
    }

    /// `healthy_for`: how long lbd has answered, nothing before it has proven itself. Blesses in a thread of its own,
    /// because a failing disk can hold up a mount for ever. A healthy system that cannot be blessed goes on: traffic counts more.
    pub fn go_on(
        &mut self,
        now: Duration,
        healthy_for: Duration,
        esp: impl FnOnce() -> Option<PathBuf>,
    ) -> Progress {
        if let Some(outcome) = self.attempt.as_ref().and_then(|attempt| attempt.try_recv().ok()) {
            self.attempt = None;
            self.next_attempt = now + AGAIN;
            return match outcome {
                Ok(()) => Progress::Passed,
                Err(failure) => Progress::Failed(failure),
            };
        }
        if healthy_for >= HEALTHY && self.attempt.is_none() && now >= self.next_attempt {
            self.limit = None;
            self.attempt = Some(attempt(self.counted.clone(), esp()));
        }
        Progress::Going
    }
}

/// Restarts the machine after [`LIMIT`], unless what it returns is dropped before. A thread of its own: it must
/// work when a phase of the boot hangs.
fn limit() -> Sender<()> {
    let (passed, wait) = channel();
    let watch = move || {
        if wait.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            let seconds = LIMIT.as_secs();
            log::say(
                Level::Error,
                format!("this system is on trial and not healthy after {seconds} s: restarting"),
            );
            shutdown::at_once(How::Restart, None);
        }
    };
    if let Err(failure) = aside::start("limiting the time of a system on trial", watch) {
        log::say(Level::Error, failure);
    }
    passed
}

fn attempt(counted: Counted, esp: Option<PathBuf>) -> Receiver<Result<(), Failure>> {
    let (answer, outcome) = channel();
    let told = answer.clone();
    let work = move || {
        let result =
            esp::with(esp.as_deref(), Access::Write, |root| rename(&root.join(&counted.folder), &counted));
        // The loop may have moved on to a shutdown.
        let _ = answer.send(result);
    };
    if let Err(failure) = aside::start("marking this system as good", work) {
        let _ = told.send(Err(failure));
    }
    outcome
}

/// Renames, and removes what is left of other countings of the same system. Blessed already is fine.
fn rename(folder: &Path, counted: &Counted) -> Result<(), Failure> {
    let (from, to) = (folder.join(&counted.name), folder.join(&counted.blessed));
    let doing = || format!("renaming {} to {}", counted.name, counted.blessed);
    if from.exists() || !to.exists() {
        fs::rename(&from, &to).doing(doing)?;
    }
    let entries = fs::read_dir(folder).doing(doing)?.flatten();
    for stale in entries
        .filter(|entry| blessed(&entry.file_name().to_string_lossy()).as_ref() == Some(&counted.blessed))
    {
        fs::remove_file(stale.path()).doing(|| format!("removing {}", stale.path().display()))?;
    }
    for path in [to.as_path(), folder] {
        File::open(path).and_then(|file| file.sync_all()).doing(|| format!("syncing {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(files: &[&str], name: &str) -> (Result<(), Failure>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), file).unwrap();
        }
        let counted = Counted { folder: String::new(), name: name.into(), blessed: blessed(name).unwrap() };
        let result = rename(folder.path(), &counted);
        let mut left: Vec<_> = folder
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        (result, left)
    }

    #[test]
    fn one_file_of_this_version_stays_and_others_are_left_alone() {
        let table: [&[&str]; 4] = [
            &["a_1.1+2-1.efi", "a_1.0.efi", "b+3.efi"],
            &["a_1.1+2-1.efi", "a_1.1.efi", "a_1.0.efi", "b+3.efi"],
            &["a_1.1+2-1.efi", "a_1.1+3.efi", "a_1.0.efi", "b+3.efi"],
            &["a_1.1.efi", "a_1.0.efi", "b+3.efi"],
        ];
        for files in table {
            let (result, left) = after(files, "a_1.1+2-1.efi");
            assert_eq!(result, Ok(()));
            assert_eq!(left, ["a_1.0.efi", "a_1.1.efi", "b+3.efi"], "{files:?}");
        }
    }

    #[test]
    fn a_system_that_is_not_there_cannot_be_blessed() {
        let (result, left) = after(&["a_1.0.efi"], "a_1.1+2-1.efi");
        assert!(result.unwrap_err().to_string().starts_with("renaming a_1.1+2-1.efi to a_1.1.efi: "));
        assert_eq!(left, ["a_1.0.efi"]);
    }
}
