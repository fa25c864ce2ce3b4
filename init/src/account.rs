//! lbd's user.

use crate::places::{LBD_USER, LBD_USER_ID, PASSWD};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use std::path::Path;

/// Numbers of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: Uid,
    /// Its group.
    pub group: Gid,
}

impl Account {
    /// The account that the image has for lbd. The file is read here: the C library's own look-up wants to load
    /// libraries, which a static program cannot.
    pub fn of_lbd() -> Self {
        let text = std::fs::read_to_string(PASSWD).unwrap_or_default();
        let (user, group) = find(&text, LBD_USER).unwrap_or((LBD_USER_ID, LBD_USER_ID));
        Self { user: Uid::from_raw(user), group: Gid::from_raw(group) }
    }

    /// This process becomes this account's for good, without a capability, and gets no rights from what it runs.
    pub fn become_it(&self) -> nix::Result<()> {
        setgroups(&[])?;
        setresgid(self.group, self.group, self.group)?;
        // Capabilities go with the last of root's numbers (capabilities(7)).
        setresuid(self.user, self.user, self.user)?;
        nix::sys::prctl::set_no_new_privs()
    }

    /// Makes `path` this account's.
    pub fn take(&self, path: &Path) -> nix::Result<()> {
        nix::unistd::chown(path, Some(self.user), Some(self.group))
    }
}

/// User and group number of `name` in the text of passwd(5).
fn find(text: &str, name: &str) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_numbers_of_a_user() {
        let text = "root:x:0:0:root:/root:/x\nevenkeel:x:900:901:E:/data:/x\nbroken:x\n";
        assert_eq!(find(text, "evenkeel"), Some((900, 901)));
        assert_eq!((find(text, "even"), find(text, "broken")), (None, None));
    }
}
