//! The licences of everything that the appliance ships: a list and texts that `image` packs (`image/src/components.rs`), read
//! when somebody asks. Whatever is asked for, only a text that the list names is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component as Part, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the image has them.
pub const FOLDER: &str = "/usr/share/licenses";

const LIST: &str = "COMPONENTS.json";
/// Some 300 components take 100 KB.
const LARGEST_LIST: u64 = 4 << 20;
/// The longest text, the notice of Rust's standard library, has 420 KB.
const LARGEST_TEXT: u64 = 2 << 20;

/// Everything that is shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shipped {
    /// The text that says how to get the sources, by the name of its file.
    pub sources: String,
    /// What is shipped: Debian's packages, what is linked into the appliance's own programs, what browsers get.
    pub components: Vec<Component>,
}

/// A part of the appliance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// What it is.
    pub kind: ComponentKind,
    /// Its name where it comes from.
    pub name: String,
    /// Its version there.
    pub version: String,
    /// Its licences, as its authors or Debian name them (SPDX for crates and scripts); null where only its text says it.
    pub licence: Option<String>,
    /// Where its source is; null where it does not say.
    pub source: Option<String>,
    /// Its licence texts.
    pub texts: Vec<LicenceText>,
}

/// A licence text, which many components may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LicenceText {
    /// By which it is asked for.
    pub file: String,
    /// As it is called where it comes from.
    pub title: String,
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ComponentKind {
    /// A package of Debian, unchanged.
    Package,
    /// A library that is linked into lbd and init.
    Linked,
    /// A crate that is.
    Crate,
    /// A script that lbd serves to browsers.
    Script,
}

impl ComponentKind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Package => "Debian package",
            Self::Linked => "linked library",
            Self::Crate => "Rust crate",
            Self::Script => "WebUI script",
        }
    }
}

impl Shipped {
    /// Whether this is one of the texts.
    pub fn names(&self, file: &str) -> bool {
        self.sources == file || self.with(file).next().is_some()
    }

    /// The components that have this text, with its title there.
    pub fn with<'a>(&'a self, file: &'a str) -> impl Iterator<Item = (&'a Component, &'a str)> {
        self.components.iter().filter_map(move |one| {
            one.texts.iter().find(|text| text.file == file).map(|text| (one, text.title.as_str()))
        })
    }
}

/// The folder of list and texts. Every method waits for the disk.
#[derive(Debug, Clone)]
pub struct Licences(PathBuf);

impl Licences {
    /// In this folder, which need not be there: only the appliance has one.
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where they should be.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The list; `None` where there is none.
    pub fn list(&self) -> io::Result<Option<Shipped>> {
        match self.bounded(LIST, LARGEST_LIST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
        }
    }

    /// A text of the list; `None` where the list does not name it. Any name may be given.
    pub fn text(&self, file: &str) -> io::Result<Option<String>> {
        let Some(list) = self.list()? else { return Ok(None) };
        let is_below = Path::new(file).components().all(|part| matches!(part, Part::Normal(_)));
        if !is_below || !list.names(file) {
            return Ok(None);
        }
        let bytes = self.bounded(file, LARGEST_TEXT)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn bounded(&self, file: &str, most: u64) -> io::Result<Vec<u8>> {
        let path = self.0.join(file);
        let mut bytes = Vec::new();
        File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > most {
            true => {
                Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes")))
            }
            false => Ok(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `image` writes it, where a test holds it to this.
    const LIST_OF_IMAGE: &str = include_str!("../../image/fixtures/COMPONENTS.json");

    fn folder(list: &str) -> (tempfile::TempDir, Licences) {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("licenses");
        std::fs::create_dir_all(below.join("debian")).unwrap();
        std::fs::write(below.join(LIST), list).unwrap();
        std::fs::write(folder.path().join("secret"), "planted").unwrap();
        (folder, Licences::at(below))
    }

    #[test]
    fn the_list_of_the_image_is_understood() {
        let (_folder, licences) = folder(LIST_OF_IMAGE);
        let list = licences.list().unwrap().unwrap();
        let kernel = &list.components[0];
        assert_eq!((kernel.kind, kernel.licence.as_deref()), (ComponentKind::Package, Some("GPL-2, GPL-2+")));
        assert_eq!(list.components[1].licence, None);
        assert!(list.components.iter().all(|one| !one.texts.is_empty()));
        let of_gpl: Vec<_> =
            list.with("common/GPL-2").map(|(one, title)| (one.name.as_str(), title)).collect();
        assert_eq!(of_gpl, [("linux-image", "GPL-2")]);
    }

    #[test]
    fn only_texts_of_the_list_are_read() {
        let (folder, licences) = folder(LIST_OF_IMAGE);
        let below = folder.path().join("licenses");
        std::fs::write(below.join("debian/linux-image.txt"), b"<b>\xff").unwrap();
        std::fs::write(below.join("debian/unlisted.txt"), "x").unwrap();
        std::fs::write(below.join("SOURCES.txt"), "ask").unwrap();
        assert_eq!(licences.text("debian/linux-image.txt").unwrap().as_deref(), Some("<b>\u{fffd}"));
        assert_eq!(licences.text("SOURCES.txt").unwrap().as_deref(), Some("ask"));
        for odd in ["", ".", "/", "../secret", "debian/unlisted.txt", "/etc/passwd", "debian", LIST, "a\0b"] {
            assert_eq!(licences.text(odd).unwrap(), None, "{odd:?}");
        }
        assert!(licences.text("common/GPL-2").is_err(), "it is listed, and not there");
    }

    #[test]
    fn a_list_that_names_what_is_elsewhere_opens_nothing() {
        let planted = LIST_OF_IMAGE
            .replace("debian/linux-image.txt", "../secret")
            .replace("SOURCES.txt", "/etc/passwd");
        let (_folder, licences) = folder(&planted);
        for odd in ["../secret", "/etc/passwd"] {
            assert!(licences.list().unwrap().unwrap().names(odd));
            assert_eq!(licences.text(odd).unwrap(), None, "{odd}");
        }
    }

    #[test]
    fn no_folder_is_no_error_and_what_is_too_large_or_odd_is_one() {
        let nowhere = Licences::at("/nowhere/licenses".into());
        assert_eq!((nowhere.list().unwrap(), nowhere.text("SOURCES.txt").unwrap()), (None, None));
        let (_folder, licences) = folder("{}");
        assert!(licences.list().is_err());
        let (folder, licences) = folder_with_text(LARGEST_TEXT + 1);
        let error = licences.text("SOURCES.txt").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        drop(folder);
        let (_folder, licences) = folder_with_text(LARGEST_TEXT);
        assert!(licences.text("SOURCES.txt").unwrap().is_some());
    }

    fn folder_with_text(size: u64) -> (tempfile::TempDir, Licences) {
        let (folder, licences) = folder(LIST_OF_IMAGE);
        let file = File::create(folder.path().join("licenses/SOURCES.txt")).unwrap();
        file.set_len(size).unwrap();
        (folder, licences)
    }
}
