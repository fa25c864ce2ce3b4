//! Zero-touch settings: the OVF environment, an XML document that the hypervisor gives to a new machine (DSP0243,
//! chapter 11). init only fetches it, before lbd, which understands it, has any right to mount or to speak to the
//! hypervisor.

use crate::account::Account;
use crate::aside;
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::machine::Machine;
use crate::mounts::{self, HARMLESS};
use crate::places::{LBD_CONFIGURATIONS, MOMENTARY, OVF_ENVIRONMENT};
use nix::mount::{MntFlags, MsFlags, umount2};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Real ones have a few KiB.
const LARGEST: u64 = 1 << 20;

/// A CD drive behind AHCI appears within a second of its driver.
const DRIVE: Duration = Duration::from_secs(2);

/// On the disc, and, where a tool wrote plain ISO 9660 names, with `_`.
const FILE_NAMES: [&str; 2] = ["ovf-env.xml", "ovf_env.xml"];

/// The hypervisor answers while the processor waits: it takes milliseconds, or something is wrong with it.
const HYPERVISOR: Duration = Duration::from_secs(5);

/// VMware's key for it.
const GUEST_KEY: &[u8] = b"ovfEnv";

/// Fetches the OVF environment at the first boot: from a disc, else from VMware. Both may be absent.
pub fn fetch(machine: &mut Machine) -> Result<(), Failure> {
    if has_configuration(Path::new(LBD_CONFIGURATIONS)) {
        return Ok(());
    }
    let document = match from_disc(machine)? {
        Some(document) => Some(document),
        None => from_vmware()?,
    };
    match document {
        None => log::say(Level::Info, "no OVF environment was given"),
        Some(document) => {
            keep(&document, &machine.account)?;
            log::say(Level::Notice, format!("an OVF environment was given: {} bytes", document.len()));
        }
    }
    Ok(())
}

/// True from the second boot on.
fn has_configuration(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| path.extension().is_some_and(|extension| extension == "toml"))
}

/// It may hold a password's hash: only lbd's user can read it.
fn keep(document: &[u8], account: &Account) -> Result<(), Failure> {
    let doing = || format!("writing {OVF_ENVIRONMENT}");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(OVF_ENVIRONMENT)
        .doing(doing)?;
    file.write_all(document).doing(doing)?;
    account.take(Path::new(OVF_ENVIRONMENT)).doing(doing)
}

fn from_disc(machine: &mut Machine) -> Result<Option<Vec<u8>>, Failure> {
    let Some(drives) = machine.wait_for(DRIVE, || Some(drives()).filter(|drives| !drives.is_empty())) else {
        return Ok(None);
    };
    for drive in drives {
        let flags = HARMLESS | MsFlags::MS_RDONLY;
        // An empty drive, or a disc of another kind, is nothing to report.
        if mounts::one(&drive.to_string_lossy(), "iso9660", MOMENTARY, flags, "").is_ok() {
            let document = read_below(Path::new(MOMENTARY));
            umount2(MOMENTARY, MntFlags::MNT_DETACH).doing(|| format!("unmounting {}", drive.display()))?;
            if let Some(document) =
                document.doing(|| format!("reading the properties on {}", drive.display()))?
            {
                return Ok(Some(document));
            }
        }
    }
    Ok(None)
}

fn drives() -> Vec<PathBuf> {
    let entries = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with("sr"));
    names.sort();
    names.into_iter().map(|name| Path::new("/dev").join(name)).collect()
}

fn read_below(folder: &Path) -> std::io::Result<Option<Vec<u8>>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if FILE_NAMES.contains(&name.as_str()) && entry.file_type()?.is_file() {
            return read_bounded(File::open(entry.path())?).map(Some);
        }
    }
    Ok(None)
}

fn read_bounded(file: impl Read) -> std::io::Result<Vec<u8>> {
    let mut document = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut document)?;
    match document.len() as u64 <= LARGEST {
        true => Ok(document),
        false => Err(std::io::Error::other("it is larger than 1 MiB")),
    }
}

/// From `guestinfo.ovfEnv`. The processor is asked first who it is: elsewhere the port is no place to speak to.
fn from_vmware() -> Result<Option<Vec<u8>>, Failure> {
    match vmw_backdoor::is_vmware_cpu() {
        true => within(HYPERVISOR, ask_vmware).and_then(usable),
        false => Ok(None),
    }
}

const ASKING: &str = "asking VMware for the OVF environment";

fn ask_vmware() -> Result<Option<Vec<u8>>, Failure> {
    let mut access = vmw_backdoor::probe_backdoor_privileged().doing(|| ASKING)?;
    let mut channel = access.open_enhanced_chan().doing(|| ASKING)?;
    channel.get_guestinfo(GUEST_KEY).doing(|| ASKING)
}

/// Asks in a thread of its own, which is left behind when it gets no answer in time. The right to use ports ends with
/// it too.
fn within<T: Send + 'static>(
    limit: Duration,
    ask: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (answer, wait) = channel();
    // Who asked may have given up.
    aside::start(ASKING, move || drop(answer.send(ask())))?;
    let silence =
        |_| Err(Failure::new(ASKING, format!("it has not answered within {} s", limit.as_secs_f32())));
    wait.recv_timeout(limit).unwrap_or_else(silence)
}

/// VMware answers with nothing, or with an empty text, where no property was given.
fn usable(document: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
    match document {
        Some(document) if document.len() as u64 > LARGEST => {
            Err(Failure::new(ASKING, "it is larger than 1 MiB"))
        }
        document => Ok(document.filter(|document| !document.is_empty())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_boot_is_the_one_without_a_configuration() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_configuration(&folder.path().join("missing")));
        fs::write(folder.path().join(".new-1"), "").unwrap();
        assert!(!has_configuration(folder.path()));
        fs::write(folder.path().join("000001.toml"), "").unwrap();
        assert!(has_configuration(folder.path()));
    }

    #[test]
    fn the_document_is_found_whatever_its_case_and_never_too_large() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_below(folder.path()).unwrap().is_none());
        fs::create_dir(folder.path().join("ovf-env.xml")).unwrap();
        fs::write(folder.path().join("OVF_ENV.XML"), "<Environment/>").unwrap();
        assert_eq!(read_below(folder.path()).unwrap().unwrap(), b"<Environment/>");
        assert!(read_bounded(std::io::repeat(0)).is_err());
    }
    #[test]
    fn a_hypervisor_that_says_nothing_is_not_waited_for() {
        let (never, wait) = channel::<()>();
        let failure = within(Duration::from_millis(20), move || wait.recv().doing(|| ASKING)).unwrap_err();
        drop(never);
        assert_eq!(failure.to_string(), format!("{ASKING}: it has not answered within 0.02 s"));
        assert_eq!(within(HYPERVISOR, || Ok(3)).unwrap(), 3);
        let failure = within::<()>(HYPERVISOR, || Err(Failure::new(ASKING, "refused"))).unwrap_err();
        assert!(failure.to_string().ends_with("refused"), "{failure}");
    }

    #[test]
    fn no_document_an_empty_one_and_one_without_bound() {
        assert_eq!(usable(None).unwrap(), None);
        assert_eq!(usable(Some(Vec::new())).unwrap(), None);
        assert_eq!(usable(Some(b"<Environment/>".to_vec())).unwrap().unwrap(), b"<Environment/>");
        assert!(usable(Some(vec![b'x'; LARGEST as usize + 1])).is_err());
    }

    /// No build machine is VMware's: this is the way that every other hypervisor goes.
    #[test]
    fn elsewhere_nobody_is_asked() {
        if !vmw_backdoor::is_vmware_cpu() {
            assert_eq!(from_vmware().unwrap(), None);
        }
    }
}
