//! Chooses kernel modules and writes the tables that init loads them by. Debian's packages hold no
//! `modules.dep` (depmod runs at installation), so the tables are made here from the modules themselves.

use crate::modinfo::{ModInfo, canonical};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fmt::Write;

/// One chosen module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Path below `/lib/modules/<release>/`, ending in `.ko`.
    pub path: String,
    /// The uncompressed file.
    pub content: Vec<u8>,
    info: ModInfo,
}

/// The chosen modules by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules(BTreeMap<String, Module>);

impl Modules {
    /// Takes `wanted` and all that they need. Names in `builtin` are already in the kernel. `load` gives a
    /// module's path (`kernel/fs/ext4/ext4.ko`) and uncompressed content, none if the kernel has no such module.
    pub fn choose(
        wanted: impl IntoIterator<Item = impl AsRef<str>>,
        builtin: &BTreeSet<String>,
        load: impl Fn(&str) -> Result<Option<(String, Vec<u8>)>, ModuleError>,
    ) -> Result<Self, ModuleError> {
        let mut chosen = Self::default();
        let mut queue: Vec<String> = wanted.into_iter().map(|name| canonical(name.as_ref())).collect();
        while let Some(name) = queue.pop() {
            if builtin.contains(&name) || chosen.0.contains_key(&name) {
                continue;
            }
            let (path, content) = load(&name)?.ok_or_else(|| ModuleError::Unknown { name: name.clone() })?;
            let info = ModInfo::read(&content).map_err(|e| ModuleError::read(&name, e))?;
            queue.extend(info.depends.iter().cloned());
            chosen.0.insert(name, Module { path, content, info });
        }
        Ok(chosen)
    }

    /// The modules in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Module> {
        self.0.values()
    }

    /// `modules.dep`: for each module all that must be loaded before it, in the order of `modprobe`: the last of
    /// the line first. Soft dependencies that are here count, for nobody answers the kernel when it asks later.
    pub fn dep_table(&self) -> String {
        let mut table = String::new();
        for (name, module) in &self.0 {
            let mut before = Vec::new();
            self.visit(name, &mut BTreeSet::new(), &mut before);
            before.pop();
            let line = before.iter().rev().fold(format!("{}:", module.path), |line, path| line + " " + path);
            table += &(line + "\n");
        }
        table
    }

    /// `modules.alias`: `alias <pattern> <module>`.
    pub fn alias_table(&self) -> String {
        let mut table = String::new();
        for (name, module) in &self.0 {
            for alias in &module.info.aliases {
                let _ = writeln!(table, "alias {alias} {name}");
            }
        }
        table
    }

    /// Depth first: what `name` needs, then itself.
    fn visit<'a>(&'a self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<&'a str>) {
        let Some(module) = self.0.get(name) else { return };
        if !seen.insert(name.to_owned()) {
            return;
        }
        for soft in &module.info.before {
            for provider in self.providers(soft) {
                self.visit(provider, seen, order);
            }
        }
        for hard in &module.info.depends {
            self.visit(hard, seen, order);
        }
        order.push(&module.path);
    }

    /// The chosen modules with this name or exactly this alias. Not those bound to a kind of processor: they refuse
    /// to load on another, and nothing may depend on that.
    fn providers<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        let provides = move |name: &str, aliases: &[String]| {
            let named = name == wanted || aliases.iter().any(|alias| canonical(alias) == wanted);
            named && !aliases.iter().any(|alias| alias.starts_with("cpu:"))
        };
        self.0
            .iter()
            .filter(move |(name, module)| provides(name, &module.info.aliases))
            .map(|(name, _)| name.as_str())
    }
}

/// The names in the text of `modules.builtin`: one path a line.
pub fn builtin_names(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| name_of(line.trim())).collect()
}

/// `kernel/fs/nls/nls-x.ko.xz` -> `nls_x`; none when it is no module.
pub fn name_of(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let stem = file.strip_suffix(".xz").unwrap_or(file).strip_suffix(".ko")?;
    Some(canonical(stem))
}

/// Why the modules cannot be put together.
#[derive(Debug, PartialEq, Eq)]
pub enum ModuleError {
    /// The kernel has no module of this name, neither as a file nor built in.
    Unknown {
        /// The name.
        name: String,
    },
    /// A module cannot be read.
    Read {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
}

impl ModuleError {
    /// `name` cannot be read because of `why`.
    pub fn read(name: &str, why: impl fmt::Display) -> Self {
        Self::Read { name: name.to_owned(), why: why.to_string() }
    }
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(
                f,
                "choosing kernel modules: this kernel has no module {name}; if Debian renamed or dropped it, change \
                 image/src/module_list.rs"
            ),
            Self::Read { name, why } => {
                write!(f, "reading kernel module {name}: {why}; fetch the kernel package again")
            }
        }
    }
}

impl std::error::Error for ModuleError {}

#[cfg(test)]
#[path = "modules_tests.rs"]
mod tests;
