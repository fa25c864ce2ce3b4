//! A private apt root: own lists and state, Debian's keyring, the mirror of the machine's own configuration.
//! Runs as any user, changes nothing on the machine.

use crate::apt_text::{configuration, host_settings, kernel_of, parse_uris, vanished};
use crate::lock::Locked;
use crate::packages::{KERNEL_META, KERNEL_SERIES};
use crate::sources::{Mirrors, NoMirror};
use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// Where Debian's `debian-archive-keyring` puts the keys of all current releases. Debian 12's package has
/// trixie's from 2023.3+deb12u2 on.
const KEYRINGS: &[&str] =
    &["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// A prepared private root.
#[derive(Debug)]
pub struct Apt {
    config: PathBuf,
}

impl Apt {
    /// Makes the root in `folder`. `mirror` takes the place of the machine's own main archive.
    pub fn prepare(folder: &Path, mirror: Option<&str>) -> Result<Self, AptError> {
        let keyring = KEYRINGS.iter().find(|path| Path::new(path).exists()).ok_or(AptError::Keyring)?;
        let mut mirrors = own_mirrors().or_else(|error| match mirror {
            Some(main) => Ok(Mirrors { main: main.to_owned(), security: None }),
            None => Err(AptError::Mirror(error)),
        })?;
        if let Some(main) = mirror {
            mirrors.main = main.to_owned();
        }
        for part in ["state/lists/partial", "cache/archives/partial", "etc/parts"] {
            let path = folder.join(part);
            fs::create_dir_all(&path).map_err(|e| AptError::file(&path, e))?;
        }
        let root = folder.canonicalize().map_err(|e| AptError::file(folder, e))?;
        let apt = Self { config: root.join("apt.conf") };
        let dump = run("apt-config", None, &["dump"], None)?;
        write(&apt.config, &configuration(&root, &host_settings(&dump)))?;
        // A proxy's password may be in it.
        fs::set_permissions(&apt.config, Permissions::from_mode(0o600))
            .map_err(|e| AptError::file(&apt.config, e))?;
        write(&root.join("state/status"), "")?;
        write(&root.join("etc/sources.list"), &mirrors.sources_list(keyring))?;
        Ok(apt)
    }

    /// Fetches the lists of packages.
    pub fn update(&self) -> Result<(), AptError> {
        self.get(&["update", "-q"], None).map(drop)
    }

    /// The concrete package of the current kernel.
    pub fn kernel_package(&self) -> Result<String, AptError> {
        let show = run("apt-cache", Some(&self.config), &["show", "--no-all-versions", KERNEL_META], None)?;
        kernel_of(&show).ok_or(AptError::Series)
    }

    /// Name, version and digest of what apt would download for each of `names`.
    pub fn candidates<S: AsRef<OsStr>>(&self, names: &[S]) -> Result<Vec<Locked>, AptError> {
        let mut arguments = vec![OsStr::new("download"), OsStr::new("--print-uris")];
        arguments.extend(names.iter().map(AsRef::as_ref));
        let found = parse_uris(&self.get(&arguments, None)?);
        let missing = |name: &&S| !found.iter().any(|locked| OsStr::new(&locked.name) == name.as_ref());
        match names.iter().find(missing) {
            Some(name) => Err(AptError::Answer { name: name.as_ref().to_string_lossy().into_owned() }),
            None => Ok(found),
        }
    }

    /// Downloads exactly these versions into `folder`.
    pub fn download(&self, packages: &[&Locked], folder: &Path) -> Result<(), AptError> {
        let mut arguments = vec!["download".to_owned(), "-q".to_owned()];
        arguments.extend(packages.iter().map(|p| format!("{}={}", p.name, p.version)));
        self.get(&arguments, Some(folder)).map(drop)
    }

    fn get<S: AsRef<OsStr>>(&self, arguments: &[S], folder: Option<&Path>) -> Result<String, AptError> {
        run("apt-get", Some(&self.config), arguments, folder)
    }
}

/// The machine's own apt sources.
fn own_mirrors() -> Result<Mirrors, NoMirror> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts =
        fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut parts: Vec<_> =
        parts.filter(|path| path.extension().is_some_and(|e| e == "list" || e == "sources")).collect();
    parts.sort();
    paths.extend(parts);
    let files: Vec<_> =
        paths.iter().filter_map(|path| Some((path.to_str()?, fs::read_to_string(path).ok()?))).collect();
    Mirrors::find(files.iter().map(|(name, text)| (*name, text.as_str())))
}

/// Runs a program of apt in the C locale and returns what it prints.
fn run<S: AsRef<OsStr>>(
    program: &'static str,
    config: Option<&Path>,
    arguments: &[S],
    folder: Option<&Path>,
) -> Result<String, AptError> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .env_remove("LANGUAGE")
        .current_dir(folder.unwrap_or(Path::new("/")));
    match config {
        Some(config) => command.env("APT_CONFIG", config),
        None => command.env_remove("APT_CONFIG"),
    };
    let output = command.output().map_err(|error| AptError::Start { program, error })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(match vanished(&stderr) {
        Some(name) => AptError::Vanished { name },
        None => AptError::Failed { program, doing: arguments.first().map(text).unwrap_or_default(), stderr },
    })
}

fn text<S: AsRef<OsStr>>(argument: &S) -> String {
    argument.as_ref().to_string_lossy().into_owned()
}

fn write(path: &Path, content: &str) -> Result<(), AptError> {
    fs::write(path, content).map_err(|e| AptError::file(path, e))
}

/// Why apt could not be used.
#[derive(Debug)]
pub enum AptError {
    /// There is no keyring of Debian's archive.
    Keyring,
    /// The machine names no mirror.
    Mirror(NoMirror),
    /// A file of the private root cannot be written.
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A program cannot be started.
    Start {
        /// Which one.
        program: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// A program ended with an error.
    Failed {
        /// Which one.
        program: &'static str,
        /// Its first argument.
        doing: String,
        /// What it said.
        stderr: String,
    },
    /// The mirror does not have a locked version any more.
    Vanished {
        /// The package.
        name: String,
    },
    /// The current kernel is of another series.
    Series,
    /// apt said nothing about a package.
    Answer {
        /// Which one.
        name: String,
    },
}

impl AptError {
    fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }
}

impl fmt::Display for AptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring => f.write_str(
                "looking for the keys of Debian's archive in /usr/share/keyrings: none there; install \
                 debian-archive-keyring (2023.3+deb12u2 or later)",
            ),
            Self::Mirror(error) => error.fmt(f),
            Self::File { path, error } => {
                write!(f, "preparing apt's private folder, {}: {error}", path.display())
            }
            Self::Start { program, error } => {
                write!(f, "starting {program}: {error}; this build needs a Debian machine")
            }
            Self::Failed { program, doing, stderr } => write!(
                f,
                "{program} {doing} failed:\n{}\nIf it says NO_PUBKEY, update debian-archive-keyring; else look at the \
                 network and the machine's own apt sources",
                stderr.trim_end()
            ),
            Self::Vanished { name } => write!(
                f,
                "downloading {name} as packages.lock names it: the mirror no longer has that version; run `make lock`, \
                 test, and commit the new packages.lock"
            ),
            Self::Series => write!(
                f,
                "looking up the kernel: {KERNEL_META} no longer depends on {KERNEL_SERIES}*; decide on the new series in \
                 image/src/packages.rs"
            ),
            Self::Answer { name } => {
                write!(f, "looking up {name}: apt names no file for it; correct image/src/packages.rs")
            }
        }
    }
}

impl std::error::Error for AptError {}
