//! Users and tokens as they are changed, from API and pages alike: what is wrong is named by its field, what was done
//! stands in the audit log.

use axum::http::StatusCode;
use jiff::Timestamp;

use super::Role;
use super::access::Access;
use super::api::ProblemDocument;
use super::password::check_password;
use super::secret::random_bytes;
use super::tokens::{Token, TokenFile, check_days};
use super::users::{FIRST_USER, UserFile, Users, check_name, hashed};
use crate::config::Problem;
use crate::config::values::Fault;
use crate::store::Author;

/// A user who is to be.
pub(super) struct NewUser {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) password: String,
    /// The first log-in must change it.
    pub(super) must_change: bool,
}

/// What is to change of a user.
#[derive(Default)]
pub(super) struct UserChange {
    pub(super) role: Option<Role>,
    pub(super) password: Option<String>,
    /// The password is a one-time one.
    pub(super) must_change: bool,
}

/// A token that is to be.
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) role: Role,
    /// Until it ends.
    pub(super) days: u32,
}

/// Why nothing was changed.
pub(super) enum NotDone {
    /// There is nobody, or no token, of this name.
    Missing(&'static str),
    /// Each field that breaks a rule.
    Wrong(Vec<Problem>),
    /// It was not stored, for this reason.
    Failed(String),
}

impl NotDone {
    /// Of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<NotDone> for ProblemDocument {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::Missing(what) => Self::missing(what),
            NotDone::Wrong(problems) => Self::invalid(problems),
            NotDone::Failed(why) => Self::of_disk(&why),
        }
    }
}

fn wrong(field: &str, Fault { problem, remedy }: Fault) -> NotDone {
    NotDone::Wrong(vec![Problem { field: field.into(), problem, remedy }])
}

const NO_USER: &str = "There is no such user; they may have been removed.";
const NO_TOKEN: &str = "There is no such token; it may have been revoked.";

impl Access {
    pub(super) async fn add_user(&self, by: &Author, new: NewUser) -> Result<(), NotDone> {
        let NewUser { name, role, password, must_change } = new;
        check_name(&name).map_err(|fault| wrong("name", fault))?;
        check_password(&password).map_err(|fault| wrong("password", fault))?;
        if self.users().await.map_err(NotDone::Failed)?.find(&name).is_some() {
            let fault = Fault::new(format!("there is a user {name} already"), "choose another name");
            return Err(wrong("name", fault));
        }
        let what = format!("user {name} added as {role}");
        let change = move |file: &UserFile| {
            let password = hashed(&password, must_change)?;
            file.update(|users: &mut Users| users.add(&name, role, password))
        };
        self.change_users(by, what, change).await.map_err(NotDone::Failed)
    }

    pub(super) async fn change_user(&self, by: &Author, name: String, to: UserChange) -> Result<(), NotDone> {
        self.known_user(&name).await?;
        let UserChange { role, password, must_change } = to;
        if let Some(password) = &password {
            check_password(password).map_err(|fault| wrong("password", fault))?;
        }
        if name == FIRST_USER && role.is_some_and(|role| role != Role::Administrator) {
            let fault = Fault::new(
                format!("{FIRST_USER} stays administrator, so that there always is one"),
                "give another user this role",
            );
            return Err(wrong("role", fault));
        }
        let kind = if must_change { "a one-time password" } else { "another password" };
        let what = match (role, &password) {
            (Some(role), Some(_)) => format!("user {name}: role {role}, {kind}"),
            (Some(role), None) => format!("user {name}: role {role}"),
            (None, _) => format!("user {name}: {kind}"),
        };
        let change = move |file: &UserFile| {
            let password = password.map(|password| hashed(&password, must_change)).transpose()?;
            file.update(|users: &mut Users| {
                if let Some(role) = role {
                    users.set_role(&name, role)?;
                }
                if let Some(password) = password {
                    users.set(&name, password);
                }
                Ok(())
            })
        };
        self.change_users(by, what, change).await.map_err(NotDone::Failed)
    }

    pub(super) async fn remove_user(&self, by: &Author, name: String) -> Result<(), NotDone> {
        self.known_user(&name).await?;
        if name == FIRST_USER {
            let problem = format!("{FIRST_USER} cannot be removed, so that there always is an administrator");
            return Err(wrong("user", Fault::new(problem, "give it another password instead")));
        }
        let what = format!("user {name} removed");
        let change = move |file: &UserFile| file.update(|users: &mut Users| users.remove(&name));
        self.change_users(by, what, change).await.map_err(NotDone::Failed)
    }

    async fn known_user(&self, name: &str) -> Result<(), NotDone> {
        let users = self.users().await.map_err(NotDone::Failed)?;
        users.find(name).map(|_| ()).ok_or(NotDone::Missing(NO_USER))
    }

    /// Makes a token; returns what is kept of it, and the token itself.
    pub(super) async fn create_token(&self, by: &Author, new: NewToken) -> Result<(Token, String), NotDone> {
        let NewToken { name, role, days } = new;
        check_name(&name).map_err(|fault| wrong("name", fault))?;
        check_days(days).map_err(|fault| wrong("days", fault))?;
        if self.tokens().await.map_err(NotDone::Failed)?.iter().any(|token| token.name == name) {
            let fault =
                Fault::new(format!("there is a token {name} already"), "revoke it or choose another name");
            return Err(wrong("name", fault));
        }
        let what = format!("token {name} made for a {role}, {days} days");
        let made_by = by.user.clone();
        let create = move |file: &TokenFile| file.create(&name, role, days, &made_by, Timestamp::now());
        self.change_tokens(by, what, create).await.map_err(NotDone::Failed)
    }

    pub(super) async fn revoke_token(&self, by: &Author, name: String) -> Result<(), NotDone> {
        let tokens = self.tokens().await.map_err(NotDone::Failed)?;
        if !tokens.iter().any(|token| token.name == name) {
            return Err(NotDone::Missing(NO_TOKEN));
        }
        let what = format!("token {name} revoked");
        self.change_tokens(by, what, move |file: &TokenFile| file.revoke(&name))
            .await
            .map_err(NotDone::Failed)
    }
}

/// A password to be read from a screen and typed in once: 80 random bits in letters and digits that nobody mistakes
/// for each other.
pub(super) fn one_time_password() -> Result<String, String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters: Vec<_> =
        random_bytes()?.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let groups = letters.chunks(4).take(4).map(|group| group.iter().collect::<String>());
    Ok(groups.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_time_password_is_a_password_and_never_the_same() {
        let [first, second] = [one_time_password().unwrap(), one_time_password().unwrap()];
        assert_eq!((first.len(), check_password(&first)), (19, Ok(())));
        assert_ne!(first, second);
    }
}
