//! `image build`: reads the inputs, calls the builders in order, writes the results.

use crate::cache::{self, CacheError, Places};
use crate::crates::{self, Crate, CratesError, ROOTS};
use crate::deb::{DebError, Package};
use crate::disk::{self, DiskError, LAYOUT};
use crate::esp::EspFiles;
use crate::hash::Sha;
use crate::initramfs;
use crate::licences;
use crate::lock::Lock;
use crate::packages::{BOOT_LOADER, STUB};
use crate::rootfs::{self, RootfsError};
use crate::sbom;
use crate::toolchain::{self, Toolchain, ToolchainError};
use crate::tree::{Clash, OWN, Tree};
use crate::uki::{self, UkiError};
use crate::unpacked::{Missing, Packages, kernel};
use crate::update;
use crate::version::Version;
use evenkeel_update::BASE;
use evenkeel_update::fault::Fault;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// What a build is given.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The static program that becomes `/init`.
    pub init: PathBuf,
    /// The static program that becomes `/bin/lbd`.
    pub lbd: PathBuf,
    /// The version of the image.
    pub version: Version,
    /// The kernel command line.
    pub cmdline: String,
    /// The workspace's `Cargo.lock`.
    pub cargo_lock: PathBuf,
    /// The public key (minisign's) whose updates the image takes.
    pub trusted_key: PathBuf,
    /// It is no release: the key is a developer's.
    pub is_development: bool,
    /// The disk file to write; the other files take its name.
    pub output: PathBuf,
    /// Lock and packages.
    pub places: Places,
}

/// The kernel command line of a release. Kernel messages go to screen and serial port; `/dev/console` is the last
/// one, the serial port, where init writes too. `panic=10`: a dead kernel starts again, so that boot counting can
/// fall back.
pub const CMDLINE: &str = "console=tty0 console=ttyS0,115200 panic=10 quiet loglevel=4";

/// Builds everything; `say` gets a line for each step.
pub fn run(inputs: &Inputs, say: &mut dyn FnMut(String)) -> Result<(), BuildError> {
    if inputs.output.extension().is_none_or(|extension| extension != "raw") {
        return Err(BuildError::Name { path: inputs.output.clone() });
    }
    let lock = cache::read_lock(&inputs.places)?;
    let packages = unpack(&lock, &inputs.places)?;
    say(format!("packages  {} of packages.lock, checked and unpacked", packages.0.len()));
    let crates = crates::read(&inputs.cargo_lock)?;
    let toolchain = toolchain::read()?;
    let mut tree = root(inputs, &packages, &crates, &toolchain)?;
    let base =
        update::base(&tree, &[kernel(&packages)?.1, inputs.cmdline.as_bytes(), packages.find(STUB)?.content]);
    tree.file(update::within(BASE), 0o644, OWN, base.as_slice())?;
    let archive = initramfs::archive(&tree).map_err(BuildError::Pack)?;
    let initrd = initramfs::compress(&archive).map_err(BuildError::Pack)?;
    say(format!(
        "initramfs {} paths, {} unpacked, {} packed",
        tree.iter().count(),
        mib(&archive),
        mib(&initrd)
    ));
    drop(archive);
    let uki = unified(inputs, &packages, &initrd)?;
    write(&inputs.output.with_extension("efi"), &uki, say)?;
    write(&inputs.output.with_extension("base.json"), &base, say)?;
    write(
        &inputs.output.with_extension("sbom.json"),
        sbom::document(&inputs.version, &packages, &crates, &toolchain).as_bytes(),
        say,
    )?;
    write(&inputs.output.with_extension("files.txt"), tree.listing().as_bytes(), say)?;
    write_disk(inputs, &packages, &uki, say)
}

/// Reads and unpacks all locked packages.
pub fn unpack(lock: &Lock, places: &Places) -> Result<Packages, BuildError> {
    let mut packages = Packages::default();
    for locked in lock.iter() {
        let deb = cache::read(locked, &places.packages)?;
        let name = || locked.name.clone();
        let package = Package::unpack(&deb).map_err(|error| BuildError::Package { name: name(), error })?;
        if package.field("package") != Some(&locked.name) || package.field("version") != Some(&locked.version)
        {
            return Err(BuildError::Other { name: name() });
        }
        packages.0.push((locked.clone(), package));
    }
    Ok(packages)
}

fn root(
    inputs: &Inputs,
    packages: &Packages,
    all: &[Crate],
    toolchain: &Toolchain,
) -> Result<Tree, BuildError> {
    let mut tree = rootfs::assemble(packages, &inputs.version)?;
    for ((path, file), owner) in [("init", &inputs.init), ("bin/lbd", &inputs.lbd)].into_iter().zip(ROOTS) {
        let content = fs::read(file).map_err(BuildError::io("reading", file))?;
        rootfs::own_program(&mut tree, path, &format!("crate:{owner}"), &content)?;
    }
    let key = fs::read(&inputs.trusted_key).map_err(BuildError::io("reading", &inputs.trusted_key))?;
    update::check_key(&key).map_err(|error| BuildError::Key { path: inputs.trusted_key.clone(), error })?;
    rootfs::trust(&mut tree, &key, inputs.is_development)?;
    licences::debian(&mut tree, packages)?;
    licences::toolchain(&mut tree, toolchain)?;
    licences::embedded(&mut tree)?;
    licences::sources(&mut tree, packages, toolchain)?;
    let with_texts = |one: &Crate| Ok((one.clone(), crates::licence_texts(one)?));
    let with_texts: Vec<_> = all.iter().map(with_texts).collect::<Result<_, CratesError>>()?;
    licences::crates(&mut tree, &with_texts)?;
    licences::list(&mut tree, packages, toolchain, &with_texts)?;
    Ok(tree)
}

fn unified(inputs: &Inputs, packages: &Packages, initrd: &[u8]) -> Result<Vec<u8>, BuildError> {
    let (release, linux) = kernel(packages)?;
    let parts = uki::Parts {
        stub: packages.find(STUB)?.content,
        osrel: &rootfs::os_release(&inputs.version),
        cmdline: &inputs.cmdline,
        uname: &release,
        initrd,
        linux,
    };
    Ok(uki::build(&parts)?)
}

/// Written beside its place and moved there when it is whole.
fn write_disk(
    inputs: &Inputs,
    packages: &Packages,
    uki: &[u8],
    say: &mut dyn FnMut(String),
) -> Result<(), BuildError> {
    let path = &inputs.output;
    let partial = path.with_extension("raw.partial");
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    let mut file = options.open(&partial).map_err(BuildError::io("creating", &partial))?;
    let files = EspFiles { boot_loader: packages.find(BOOT_LOADER)?.content, uki, version: &inputs.version };
    disk::write(&mut file, &LAYOUT, &files)?;
    fs::rename(&partial, path).map_err(BuildError::io("moving into place", path))?;
    say(format!("disk      {} ({} GiB, sparse)", path.display(), LAYOUT.disk >> 30));
    Ok(())
}

fn write(path: &Path, content: &[u8], say: &mut dyn FnMut(String)) -> Result<(), BuildError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(BuildError::io("making the folder", folder))?;
    }
    fs::write(path, content).map_err(BuildError::io("writing", path))?;
    say(format!("wrote     {} {} sha256 {}", path.display(), mib(content), Sha::of(content)));
    Ok(())
}

fn mib(bytes: &[u8]) -> String {
    format!("{:.2} MiB", bytes.len() as f64 / f64::from(1 << 20))
}

/// Why an image cannot be built.
#[derive(Debug)]
pub enum BuildError {
    /// The packages are not there.
    Cache(CacheError),
    /// The crates cannot be listed.
    Crates(CratesError),
    /// What the build machine adds is not known.
    Toolchain(ToolchainError),
    /// A package cannot be unpacked.
    Package {
        /// Which one.
        name: String,
        /// Why not.
        error: DebError,
    },
    /// A package says that it is another one.
    Other {
        /// What it should be.
        name: String,
    },
    /// The root file system cannot be put together.
    Rootfs(RootfsError),
    /// The initramfs cannot be packed.
    Pack(io::Error),
    /// No UKI.
    Uki(UkiError),
    /// No disk.
    Disk(DiskError),
    /// The disk file's name does not end in `.raw`.
    Name {
        /// The name.
        path: PathBuf,
    },
    /// The trusted key is none.
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: Fault,
    },
    /// A file cannot be read or written.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        error: io::Error,
    },
}

impl BuildError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { doing, path, error }
    }
}

/// `From` for each error that is passed on as it is.
macro_rules! passed_on {
    ($($error:ty => $variant:expr),* $(,)?) => {$(
        impl From<$error> for BuildError {
            fn from(error: $error) -> Self {
                $variant(error)
            }
        }
    )*};
}

passed_on! {
    CacheError => Self::Cache,
    CratesError => Self::Crates,
    ToolchainError => Self::Toolchain,
    RootfsError => Self::Rootfs,
    UkiError => Self::Uki,
    DiskError => Self::Disk,
    Missing => |error| Self::Rootfs(RootfsError::Missing(error)),
    Clash => |error| Self::Rootfs(RootfsError::Clash(error)),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cache(error) => error.fmt(f),
            Self::Crates(error) => error.fmt(f),
            Self::Toolchain(error) => error.fmt(f),
            Self::Package { name, error } => write!(f, "unpacking package {name}: {error}"),
            Self::Other { name } => {
                write!(
                    f,
                    "unpacking package {name}: its control file names another package or version; run `make lock`"
                )
            }
            Self::Rootfs(error) => error.fmt(f),
            Self::Pack(error) => write!(f, "packing the initramfs: {error}"),
            Self::Uki(error) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
            Self::Name { path } => {
                write!(f, "writing {}: give the disk file a name that ends in .raw", path.display())
            }
            Self::Key { path, error } => {
                write!(f, "reading the trusted key {}: {error}; `image key` makes a pair", path.display())
            }
            Self::Io { doing, path, error } => write!(f, "{doing} {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for BuildError {}
