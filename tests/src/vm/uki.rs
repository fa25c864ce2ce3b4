//! Other UKIs made of the one under test: its kernel and system with another version or command line.

use super::artefacts;

/// A command line that lets the keyboard kill all but the first process (`Documentation/admin-guide/sysrq.rst`,
/// command `i`), which is switched off in the product.
pub const WITH_SYSRQ: &str = "console=ttyS0 panic=10 loglevel=4 sysrq_always_enabled=1";

/// A command line with which the kernel finds no init: it panics, and starts again at once.
pub const WITHOUT_INIT: &str = "console=ttyS0 rdinit=/none root=/none panic=-1";

/// What a kernel without an init dies of.
pub const NO_INIT: &str = "VFS: Unable to mount root fs";

/// The UKI that `make appliance` built, to be changed. Texts in it are replaced by others of the same length, so
/// that nothing moves.
#[derive(Debug, Clone)]
pub struct Uki(Vec<u8>);

impl Uki {
    /// As it was built.
    pub fn built() -> Self {
        let path = artefacts::uki();
        Self(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// The same under another version, as long as the own one.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        let own = env!("CARGO_PKG_VERSION");
        self.replacing(&format!("VERSION_ID={own}\n"), &format!("VERSION_ID={version}\n"))
    }

    /// The same with another kernel command line, at most as long as the own one.
    #[must_use]
    pub fn command_line(self, line: &str) -> Self {
        // What `image/src/build.rs` gives a release.
        let own = "console=tty0 console=ttyS0,115200 panic=10 quiet loglevel=4";
        assert!(line.len() <= own.len(), "{line:?} is longer than {own:?}");
        self.replacing(own, &format!("{line:width$}", width = own.len()))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn replacing(mut self, old: &str, new: &str) -> Self {
        assert_eq!(old.len(), new.len(), "{old:?} and {new:?} must have one length");
        let places: Vec<_> =
            (0..self.0.len() - old.len()).filter(|at| self.0[*at..].starts_with(old.as_bytes())).collect();
        assert_eq!(places.len(), 1, "{old:?} occurs {} times in the UKI", places.len());
        self.0[places[0]..places[0] + new.len()].copy_from_slice(new.as_bytes());
        self
    }
}
