//! lbd's own user, and the few capabilities it keeps (capabilities(7)).

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, User, chown, getuid, setgroups, setresgid, setresuid};

/// `NET_ADMIN`: rules, addresses and kernel settings, by lbd and by the `nft` that it starts.
/// `NET_RAW`: gratuitous ARP.
/// `NET_BIND_SERVICE`: listening to ports below 1024 of proxied services, such as DICOM's 104.
const NEEDED: [Capability; 3] =
    [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW, Capability::CAP_NET_BIND_SERVICE];

/// Kept aside on the appliance, for the programs that set the clock and for them alone: lbd does not use it itself, and
/// `nft` does not get it.
const CLOCK: Capability = Capability::CAP_SYS_TIME;

/// Who lbd runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    user: Uid,
    group: Gid,
}

/// Why lbd cannot run as its own user.
#[derive(Debug)]
pub struct PrivilegeError(String);

impl PrivilegeError {
    fn new(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self(format!("{doing}: {error}"))
    }
}

impl fmt::Display for PrivilegeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PrivilegeError {}

impl Account {
    /// By name or number; a number needs no entry in the user database.
    pub fn find(name: &str) -> Result<Self, PrivilegeError> {
        if let Ok(number) = name.parse::<u32>() {
            return Ok(Self { user: Uid::from_raw(number), group: Gid::from_raw(number) });
        }
        let doing = format!("looking up the user {name}");
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self { user: user.uid, group: user.gid }),
            Ok(None) => Err(PrivilegeError::new(
                doing,
                "there is none; create it with `useradd --system --no-create-home evenkeel`, or name another with --user",
            )),
            Err(error) => Err(PrivilegeError::new(doing, error)),
        }
    }

    /// Makes `folder`, and gives it to this account when it is new.
    pub fn own_folder(&self, folder: &Path) -> Result<(), PrivilegeError> {
        if folder.exists() {
            return Ok(());
        }
        let failed = |error: &dyn fmt::Display| {
            PrivilegeError::new(format!("making the state directory {}", folder.display()), error)
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        chown(folder, Some(self.user), Some(self.group)).map_err(|error| failed(&error))
    }

    /// The owner of `folder`.
    pub fn owner_of(folder: &Path) -> Result<Self, PrivilegeError> {
        let metadata = std::fs::symlink_metadata(folder);
        let metadata = metadata
            .map_err(|error| PrivilegeError::new(format!("looking at {}", folder.display()), error))?;
        Ok(Self { user: Uid::from_raw(metadata.uid()), group: Gid::from_raw(metadata.gid()) })
    }

    /// Becomes this account for good, with the needed capabilities and no others, also in programs that it
    /// starts; `with_clock` keeps aside what the programs need that set the clock. Must run before any other thread exists.
    pub fn become_lbd(&self, with_clock: bool) -> Result<(), PrivilegeError> {
        self.become_it(&NEEDED.into_iter().collect(), with_clock)
    }

    /// Becomes this account for good, without any capability: root's rights must not follow where files of
    /// another account lead.
    pub fn become_plain(&self) -> Result<(), PrivilegeError> {
        self.become_it(&CapsHashSet::new(), false)
    }

    fn become_it(&self, keep: &CapsHashSet, with_clock: bool) -> Result<(), PrivilegeError> {
        let doing =
            |what: &'static str| move |error: caps::errors::CapsError| PrivilegeError::new(what, error);
        let switching = |error| PrivilegeError::new("switching to lbd's own user", error);
        let bounding = caps::read(None, CapSet::Bounding).map_err(doing("reading capabilities"))?;
        let mut aside = keep.clone();
        // Whoever started lbd may have kept it for themselves.
        aside.extend(Some(CLOCK).filter(|clock| with_clock && bounding.contains(clock)));
        for other in bounding.difference(&aside) {
            caps::drop(None, CapSet::Bounding, *other).map_err(doing("giving up capabilities"))?;
        }
        caps::securebits::set_keepcaps(true).map_err(doing("keeping capabilities"))?;
        setgroups(&[]).map_err(switching)?;
        setresgid(self.group, self.group, self.group).map_err(switching)?;
        setresuid(self.user, self.user, self.user).map_err(switching)?;
        let sets = [
            (CapSet::Effective, keep),
            (CapSet::Permitted, &aside),
            (CapSet::Inheritable, &aside),
            (CapSet::Ambient, keep),
        ];
        for (set, capabilities) in sets {
            caps::set(None, set, capabilities).map_err(doing("setting capabilities"))?;
        }
        nix::sys::prctl::set_no_new_privs().map_err(switching)
    }
}

/// True for root, who must switch to an account of lbd's own.
pub fn is_root() -> bool {
    getuid().is_root()
}

/// For the most proxied connections (`proxy/mod.rs`), and all else.
const FILES_WANTED: u64 = 320_000;

/// As many open files as are wanted, or as are allowed: root may raise the limit, which others inherit from whoever
/// started lbd. A check that finds no room for its socket would count against the server.
pub fn raise_file_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        let most = hard.max(FILES_WANTED);
        setrlimit(Resource::RLIMIT_NOFILE, most, most)
            .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard, hard))
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// How many files may be open.
pub fn file_limit() -> u64 {
    // Without an answer the least that Linux gives.
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(soft, _)| soft)
}

/// Whether programs that lbd starts may set the clock.
pub fn may_set_clock() -> bool {
    let has = |set| caps::has_cap(None, set, CLOCK).unwrap_or(false);
    has(CapSet::Permitted) && has(CapSet::Inheritable)
}

/// Says which needed capability is missing.
pub fn check() -> Result<(), PrivilegeError> {
    let have = caps::read(None, CapSet::Effective)
        .map_err(|error| PrivilegeError::new("reading capabilities", error))?;
    let ambient = caps::read(None, CapSet::Ambient)
        .map_err(|error| PrivilegeError::new("reading capabilities", error))?;
    match NEEDED.iter().find(|needed| !have.contains(needed) || !ambient.contains(needed)) {
        None => Ok(()),
        Some(missing) => Err(PrivilegeError::new(
            "checking capabilities",
            format!(
                "{missing} is missing among the effective and ambient ones; start lbd as root, or with ambient capabilities"
            ),
        )),
    }
}
