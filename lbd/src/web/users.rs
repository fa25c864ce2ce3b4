//! Who may log in: names, roles and argon2id hashes, in a file apart from the configuration and its versions.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Role;
use super::password::{StoredPassword, check_hash, check_password, hash};
use super::secret::SecretFile;
use crate::config::values::{Fault, quoted};

/// The first administrator (product specification): always there, always administrator.
pub const FIRST_USER: &str = "loadbalancer";
/// A hospital's administrators and its monitoring.
const MOST_USERS: usize = 64;
const LONGEST_NAME: usize = 32;

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Unique.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How they show who they are.
    #[serde(flatten)]
    pub password: StoredPassword,
}

/// All of them, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    users: Vec<User>,
}

/// A name that can be kept, or what is wrong with it.
pub fn check_name(name: &str) -> Result<(), Fault> {
    let first = name.chars().next().is_some_and(|first| first.is_ascii_lowercase());
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    if first && name.len() <= LONGEST_NAME && name.chars().all(rest) {
        return Ok(());
    }
    let remedy = format!("begin with a letter, and use at most {LONGEST_NAME} of a-z, 0-9, dot, - and _");
    Err(Fault::new(format!("{} is no name", quoted(name)), remedy))
}

fn words(fault: Fault) -> String {
    format!("{}; {}", fault.problem, fault.remedy)
}

impl Users {
    /// In the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.users.iter()
    }

    /// The user of this name.
    pub fn find(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// Adds a user, or gives one that exists another password.
    pub fn set(&mut self, name: &str, password: StoredPassword) {
        match self.users.iter_mut().find(|user| user.name == name) {
            Some(user) => user.password = password,
            None => self.users.push(User { name: name.to_owned(), role: Role::Viewer, password }),
        }
        self.keep_the_first();
    }

    /// Adds a user. The error is for people.
    pub fn add(&mut self, name: &str, role: Role, password: StoredPassword) -> Result<(), String> {
        check_name(name).map_err(words)?;
        if self.find(name).is_some() {
            return Err(format!("there is a user {name} already; choose another name"));
        }
        if self.users.len() >= MOST_USERS {
            return Err(format!("there are {MOST_USERS} users already; remove one first"));
        }
        self.users.push(User { name: name.to_owned(), role, password });
        self.keep_the_first();
        Ok(())
    }

    /// Gives a user another role. The error is for people.
    pub fn set_role(&mut self, name: &str, role: Role) -> Result<(), String> {
        if name == FIRST_USER && role != Role::Administrator {
            return Err(format!("{FIRST_USER} stays administrator, so that there always is one"));
        }
        let user = self.users.iter_mut().find(|user| user.name == name);
        user.ok_or_else(|| unknown(name))?.role = role;
        Ok(())
    }

    /// Removes a user. The error is for people.
    pub fn remove(&mut self, name: &str) -> Result<(), String> {
        if name == FIRST_USER {
            return Err(format!("{FIRST_USER} cannot be removed, so that there always is an administrator"));
        }
        let before = self.users.len();
        self.users.retain(|user| user.name != name);
        if self.users.len() == before { Err(unknown(name)) } else { Ok(()) }
    }

    /// Whether no password is set.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Whether each could have been set here: the words are for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut kept = Self::default();
        for User { name, role, password } in &self.users {
            check_hash(&password.hash).map_err(|fault| fault.problem)?;
            kept.add(name, *role, password.clone())?;
        }
        match self.is_empty() || self.find(FIRST_USER).is_some_and(|first| first.role == Role::Administrator)
        {
            true => Ok(()),
            false => Err(format!("there is no {FIRST_USER} among them")),
        }
    }

    /// By name, what tells one of them from another.
    pub(crate) fn fingerprints(&self) -> BTreeMap<String, String> {
        let of = |user: &User| {
            let StoredPassword { hash, must_change } = &user.password;
            (user.name.clone(), format!("{} {must_change} {hash}", user.role))
        };
        self.users.iter().map(of).collect()
    }

    fn keep_the_first(&mut self) {
        if let Some(first) = self.users.iter_mut().find(|user| user.name == FIRST_USER) {
            first.role = Role::Administrator;
        }
    }
}

fn unknown(name: &str) -> String {
    format!("there is no user {}", quoted(name))
}

/// Where the users are kept. Every method waits for the disk.
#[derive(Debug, Clone)]
pub struct UserFile(SecretFile);

impl UserFile {
    /// Below the state directory.
    pub fn below(state_directory: &Path) -> Self {
        Self(SecretFile::below(state_directory, "users.json"))
    }

    /// All users; nobody while no password is set.
    pub fn load(&self) -> io::Result<Users> {
        self.0.load()
    }

    /// Changes them. The error is for people.
    pub fn update<R>(&self, change: impl FnOnce(&mut Users) -> Result<R, String>) -> Result<R, String> {
        self.0.update(change)
    }

    /// Puts these in the place of all. The error is for people.
    pub(crate) fn replace(&self, new: Users) -> Result<(), String> {
        self.update(|users| {
            *users = new;
            Ok(())
        })
    }

    /// Sets the password of [`FIRST_USER`]. The error names what is wrong with it, or with the disk.
    pub fn set(&self, password: &str) -> Result<(), String> {
        self.set_password(FIRST_USER, password, false)
    }

    /// Sets a password of [`FIRST_USER`] that lets in nobody but to change it.
    pub fn set_one_time(&self, password: &str) -> Result<(), String> {
        self.set_password(FIRST_USER, password, true)
    }

    /// Sets the password of [`FIRST_USER`] of which this is the hash.
    pub fn set_hash(&self, phc: &str) -> Result<(), String> {
        self.restore(&StoredPassword { hash: phc.to_owned(), must_change: false })
    }

    /// Puts back what [`Self::stored`] returned.
    pub fn restore(&self, stored: &StoredPassword) -> Result<(), String> {
        check_hash(&stored.hash).map_err(words)?;
        self.update(|users| {
            users.set(FIRST_USER, stored.clone());
            Ok(())
        })
    }

    /// The password of [`FIRST_USER`]; `None` while none is set.
    pub fn stored(&self) -> io::Result<Option<StoredPassword>> {
        Ok(self.load()?.find(FIRST_USER).map(|user| user.password.clone()))
    }

    /// Sets the password of a user that exists, or of the first one. The error is for people.
    pub fn set_password(&self, name: &str, password: &str, must_change: bool) -> Result<(), String> {
        let password = hashed(password, must_change)?;
        self.update(|users| {
            if name != FIRST_USER && users.find(name).is_none() {
                return Err(unknown(name));
            }
            users.set(name, password);
            Ok(())
        })
    }
}

/// A password ready to be stored, or what is wrong with it. Takes a tenth of a second.
pub fn hashed(password: &str, must_change: bool) -> Result<StoredPassword, String> {
    check_password(password).map_err(words)?;
    Ok(StoredPassword { hash: hash(password)?, must_change })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file() -> (tempfile::TempDir, UserFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = UserFile::below(folder.path());
        (folder, file)
    }

    fn password() -> StoredPassword {
        StoredPassword { hash: "$argon2id$".into(), must_change: false }
    }

    #[test]
    fn the_password_itself_is_nowhere_on_disk() {
        let (folder, file) = file();
        file.set("correct horse").unwrap();
        let path = folder.path().join("secrets/users.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("$argon2id$v=19$m=9216,t=4,p=1$") && !text.contains("horse"), "{text}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_one_time_password_stays_one_until_it_is_replaced() {
        let (_folder, file) = file();
        assert_eq!(file.stored().unwrap(), None);
        file.set_one_time("only once").unwrap();
        let one_time = file.stored().unwrap().unwrap();
        assert!(one_time.must_change && one_time.verify("only once").unwrap());
        file.set("for good!").unwrap();
        assert!(!file.stored().unwrap().unwrap().must_change);
        file.restore(&one_time).unwrap();
        assert_eq!(file.stored().unwrap(), Some(one_time));
    }

    #[test]
    fn a_given_hash_is_as_good_as_its_password() {
        let (_folder, file) = file();
        // Made by the reference implementation, as the remedy of a wrong hash says.
        let hash = "$argon2id$v=19$m=65536,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$klmcZ/I/HZ3Om28M+1qbGM4RAzbeAHmZR0ckZe3Z5Jo";
        file.set_hash(hash).unwrap();
        let stored = file.stored().unwrap().unwrap();
        assert!(stored.verify("correct horse").unwrap() && !stored.verify("wrong").unwrap());
        assert!(!stored.must_change && !format!("{stored:?}").contains("argon2"));
    }

    #[test]
    fn there_is_always_an_administrator() {
        let mut users = Users::default();
        users.set(FIRST_USER, password());
        assert_eq!(users.find(FIRST_USER).unwrap().role, Role::Administrator);
        assert!(users.remove(FIRST_USER).is_err() && users.set_role(FIRST_USER, Role::Viewer).is_err());
        users.add("monitoring", Role::Viewer, password()).unwrap();
        assert!(users.add("monitoring", Role::Viewer, password()).is_err(), "each name once");
        users.set_role("monitoring", Role::Operator).unwrap();
        assert_eq!(users.find("monitoring").unwrap().role, Role::Operator);
        users.remove("monitoring").unwrap();
        assert!(users.remove("monitoring").is_err());
    }

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!(check_name("a.b-c_1"), Ok(()));
        for wrong in ["", "A", "1a", "a b", "a\n", "ä", &"a".repeat(33)] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
        let mut users = Users::default();
        for number in 0..MOST_USERS {
            users.add(&format!("u{number}"), Role::Viewer, password()).unwrap();
        }
        assert!(users.add("one.more", Role::Viewer, password()).is_err());
    }
}
