//! Loads kernel modules: for every device by its alias, and a fixed list.

pub mod alias;
pub mod list;
pub mod table;

use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::places;
use alias::{Aliases, canonical};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::{Dependencies, name_of};

/// The tables of the running kernel's modules.
#[derive(Debug, Default)]
struct Tables {
    folder: PathBuf,
    aliases: Aliases,
    dependencies: Dependencies,
    built_in: BTreeSet<String>,
}

/// What can be loaded, and what has been tried.
#[derive(Debug, Default)]
pub struct Modules {
    tables: Arc<Tables>,
    tried: BTreeSet<String>,
    loaded: usize,
}

impl Modules {
    /// Reads the tables of the kernel that runs.
    pub fn read() -> Result<Self, Failure> {
        let release =
            fs::read_to_string("/proc/sys/kernel/osrelease").doing(|| "asking the kernel for its release")?;
        let folder = Path::new(places::MODULES).join(release.trim());
        let read = |file| {
            let path = folder.join(file);
            fs::read_to_string(&path).doing(|| format!("reading {}; no module can be loaded", path.display()))
        };
        let built_in = read("modules.builtin").unwrap_or_default();
        let tables = Tables {
            aliases: Aliases::parse(&read("modules.alias")?),
            dependencies: Dependencies::parse(&read("modules.dep")?),
            built_in: built_in.lines().filter_map(name_of).collect(),
            folder,
        };
        Ok(Self { tables: Arc::new(tables), ..Self::default() })
    }

    /// Loads what devices ask for and the modules of `disks` in this thread, and those of `software`, which ask for no
    /// device, in another one meanwhile: half of the time goes into checking signatures.
    pub fn load_together(&mut self, disks: &[&str], software: &[&[&str]]) {
        let mut others = Self { tables: Arc::clone(&self.tables), ..Self::default() };
        let others = std::thread::scope(|scope| {
            let loading = scope.spawn(move || {
                software.iter().flat_map(|group| group.iter()).for_each(|name| others.load(name));
                others
            });
            self.load_for_devices();
            disks.iter().for_each(|name| self.load(name));
            loading.join()
        });
        match others {
            Ok(mut others) => {
                self.tried.append(&mut others.tried);
                self.loaded += others.loaded;
            }
            // It has told of its defect; the kernel asks for what is missing when it needs it.
            Err(_) => log::say(Level::Error, "not all kernel modules were loaded"),
        }
    }

    /// How many modules have been loaded here.
    pub fn loaded(&self) -> usize {
        self.loaded
    }

    /// Loads what a device asks for.
    pub fn load_alias(&mut self, alias: &str) {
        let names: Vec<_> = self.tables.aliases.modules_for(alias).into_iter().map(str::to_owned).collect();
        for name in names {
            self.load(&name);
        }
    }

    /// Loads a module and what it needs, once. A failure is logged: the boot goes on without it.
    pub fn load(&mut self, name: &str) {
        let name = canonical(name);
        if self.tables.built_in.contains(&name) || !self.tried.insert(name.clone()) {
            return;
        }
        if let Err(failure) = self.load_files(&name) {
            log::say(Level::Warning, failure);
        }
    }

    fn load_files(&mut self, name: &str) -> Result<(), Failure> {
        let doing = || format!("loading the kernel module {name}");
        let tables = Arc::clone(&self.tables);
        let Some(files) = tables.dependencies.files(name) else {
            return Err(Failure::new(doing(), "the image does not have it"));
        };
        for file in files {
            if name_of(file).is_some_and(|before| before == name || self.tried.insert(before)) {
                self.loaded += usize::from(insert(&tables.folder.join(file)).doing(doing)?);
            }
        }
        Ok(())
    }

    /// Loads what all devices ask for. A bus driver makes further devices: walks until nothing new comes. Adapters
    /// come first, because their loading waits for every driver that was told to search in the background.
    pub fn load_for_devices(&mut self) {
        loop {
            let before = self.tried.len();
            let mut wanted = BTreeSet::new();
            for alias in aliases_below(Path::new("/sys/devices")) {
                wanted.extend(self.tables.aliases.modules_for(&alias).into_iter().map(str::to_owned));
            }
            let files = |name: &str| self.tables.dependencies.files(name);
            let is_other = |name: &str| !files(name).is_some_and(|f| f.iter().any(|f| is_adapter(f)));
            let mut ordered: Vec<_> = wanted.into_iter().map(|name| (is_other(&name), name)).collect();
            ordered.sort();
            for (_, name) in ordered {
                self.load(&name);
            }
            if self.tried.len() == before {
                return;
            }
        }
    }
}

/// What the devices below `folder` ask for.
fn aliases_below(folder: &Path) -> BTreeSet<String> {
    let mut aliases = BTreeSet::new();
    // A device may vanish meanwhile; then it needs no module.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            // Links lead to places that the walk reaches anyway.
            Ok(kind) if kind.is_dir() => aliases.append(&mut aliases_below(&entry.path())),
            Ok(kind) if kind.is_file() && entry.file_name() == "modalias" => {
                aliases.extend(fs::read_to_string(entry.path()).map(|alias| alias.trim().to_owned()));
            }
            _ => {}
        }
    }
    aliases
}

/// True if it was loaded now, false if it was there. Its file is a plain `.ko`: the kernel unpacks nothing.
fn insert(path: &Path) -> Result<bool, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match finit_module(&file, parameters(&path.to_string_lossy()), ModuleInitFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        // Two modules can drive a device that only one of them finds.
        Err(Errno::ENODEV) => Ok(false),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// What a module is told.
fn parameters(path: &str) -> &'static CStr {
    match path {
        // Else it makes a bond0 of its own, in the way of the one for which it is loaded.
        _ if name_of(path).as_deref() == Some("bonding") => c"max_bonds=0",
        _ if is_adapter(path) => c"",
        _ => c"async_probe",
    }
}

/// Drivers of disks take half a second to look for them: they do it in the background, while other modules are
/// loaded, and the boot waits for the disk later. Adapters must all be there when they are named: their drivers look
/// at once. (The kernel parameter `async_probe`; a module that is loaded without it waits for all those with it.)
fn is_adapter(path: &str) -> bool {
    path.contains("drivers/net/")
}

/// What the kernel runs as modprobe(8) when it wants a module by a name or alias: `init -q -- <name>`.
pub fn as_modprobe(name: &str) -> Result<(), Failure> {
    let mut modules = Modules::read()?;
    modules.load_alias(name);
    if modules.tables.dependencies.files(name).is_some() {
        modules.load(name);
    }
    Ok(())
}
