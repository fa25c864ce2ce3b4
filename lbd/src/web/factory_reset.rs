//! The factory reset: who may order it, what is told before, and the order to init. What the console does is told through here
//! too; it gives its order itself, for it must work without lbd.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::timeout;

use super::access::LogInRefusal;
use super::api::{ProblemDocument, capitalised};
use super::{Caller, Gateway, Published, Role};
use crate::alert::topic::{Severity, Topic, Trouble};
use crate::config::values::quoted;

/// How the sentence about it goes on.
pub(in crate::web) const ERASES: &str = "erases everything now: a factory reset";

/// What is to be told before everything is erased gets so long to leave.
const LAST_MAILS: Duration = Duration::from_secs(10);

/// What confirms it.
pub(in crate::web) struct Confirmation {
    /// Whose password it is; the caller's own where it is not said.
    pub(in crate::web) user: Option<String>,
    pub(in crate::web) password: String,
    /// Of the appliance that is to forget everything.
    pub(in crate::web) host_name: String,
}

impl Gateway {
    /// Whether there is a first process here that can do it; why not, in words.
    pub(in crate::web) fn can_reset_to_factory(&self) -> Result<(), ProblemDocument> {
        match self.updates().is_available() {
            true => Ok(()),
            false => {
                let detail = "lbd runs on a Linux of your own here: to begin anew, end it, remove its state directory, and start \
                              it again.";
                Err(ProblemDocument::new(StatusCode::CONFLICT, "This is not the appliance", detail))
            }
        }
    }

    /// Has everything but the installed versions erased, and the machine restarted. Told before: afterwards there is
    /// nobody who could.
    pub(in crate::web) async fn reset_to_factory(
        &self,
        caller: &Caller,
        confirmation: Confirmation,
    ) -> Result<(), ProblemDocument> {
        let Confirmation { user, password, host_name } = confirmation;
        self.can_reset_to_factory()?;
        check_host_name(&host_name, &self.latest().view.host_name)?;
        let user = self.who_confirms(caller, user).await?;
        let confirmed = self.access().confirm(caller, &user, password, "factory reset").await;
        confirmed.map_err(|refusal| unconfirmed(refusal, &user))?;
        let by = if user == caller.user { String::new() } else { format!(", with the password of {user}") };
        let (gateway, caller) = (self.clone(), caller.clone());
        // What was told is done, also where whoever ordered it has gone meanwhile.
        let reset = tokio::spawn(async move { gateway.tell_and_reset(&caller, &by).await });
        reset.await.unwrap_or_else(|_| Err(crate::engine::Refusal::Ending.into()))
    }

    async fn tell_and_reset(&self, caller: &Caller, by: &str) -> Result<(), ProblemDocument> {
        let tell = |line: String| self.access().audit().change(&caller.author(), &[line]);
        tell(format!("factory reset ordered: everything is erased{by}"));
        self.tell_last(trouble(caller)).await;
        self.updates().reset_to_factory().await.map_err(|refusal| {
            let problem = ProblemDocument::from(refusal);
            tell(format!("the factory reset was not done: {}", problem.sentences()));
            problem
        })
    }

    /// Tells the last thing that is told: returns when the mails about it have left, or after ten seconds.
    pub(in crate::web) async fn tell_last(&self, trouble: Trouble) {
        let mails = self.alarm().happened_now(Topic::Recovery, trouble).await;
        let mut pictures = self.watch();
        let _ = timeout(LAST_MAILS, pictures.wait_for(|picture| have_left(picture, &mails))).await;
    }

    /// Users confirm with their own password. A program has none: it names an administrator, and sends theirs.
    async fn who_confirms(&self, caller: &Caller, named: Option<String>) -> Result<String, ProblemDocument> {
        let users = self.access().users().await.map_err(|why| ProblemDocument::of_disk(&why))?;
        let is_user = users.find(&caller.user).is_some();
        let named = match named {
            None if is_user => return Ok(caller.user.clone()),
            None => {
                let detail = format!(
                    "{} has no password. Say in the field user which administrator's password you send.",
                    capitalised(&caller.user)
                );
                return Err(ProblemDocument::new(
                    StatusCode::FORBIDDEN,
                    "Only users have a password",
                    detail,
                ));
            }
            Some(named) if is_user && named != caller.user => {
                let problem = format!("you are {}, and confirm with your own password", caller.user);
                return Err(ProblemDocument::field("user", problem, "leave it out"));
            }
            Some(named) => named,
        };
        let can =
            |user: &crate::web::users::User| user.role == Role::Administrator && !user.password.must_change;
        match users.find(&named).is_some_and(can) {
            true => Ok(named),
            false => {
                let problem = format!("{} is no administrator with a password of their own", quoted(&named));
                Err(ProblemDocument::field("user", problem, "name one"))
            }
        }
    }
}

/// Host names are the same however they are capitalised (RFC 4343).
fn check_host_name(typed: &str, own: &str) -> Result<(), ProblemDocument> {
    match typed.trim().eq_ignore_ascii_case(own) {
        true => Ok(()),
        false => {
            let remedy = format!("type {own}, if it is {own} that is to forget everything");
            Err(ProblemDocument::field("host_name", "this is not the name of this appliance", remedy))
        }
    }
}

fn unconfirmed(refusal: LogInRefusal, user: &str) -> ProblemDocument {
    match refusal {
        LogInRefusal::Wrong => {
            ProblemDocument::field("password", format!("this is not the password of {user}"), "type it again")
        }
        LogInRefusal::Failed(why) => {
            ProblemDocument::of_disk(&format!("the password cannot be verified: {why}"))
        }
        refusal => refusal.into(),
    }
}

/// Not only: they do not wait. The status may not have them yet.
fn have_left(picture: &Published, mails: &[String]) -> bool {
    let finished = &picture.view.mail.finished;
    mails.iter().all(|id| finished.iter().any(|mail| mail.id == *id))
}

fn trouble(caller: &Caller) -> Trouble {
    Trouble {
        severity: Severity::Critical,
        name: "The appliance".into(),
        state: ERASES.into(),
        over: String::new(),
        why: format!("{} has ordered it, from {}", caller.user, caller.from),
        effect: "Nothing is balanced until it is set up again.".into(),
        look_at: "If nobody of yours did this, find out who knows the password of an administrator.".into(),
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_is_typed_whole() {
        for right in ["lb-1", " LB-1 "] {
            assert_eq!(check_host_name(right, "lb-1"), Ok(()));
        }
        for wrong in ["", "lb", "lb-11", "erase"] {
            let problem = check_host_name(wrong, "lb-1").unwrap_err();
            assert!(problem.sentences().contains("type lb-1"), "{problem:?}");
        }
    }

    #[test]
    fn each_refusal_says_what_to_do_next() {
        for (refusal, status, next) in [
            (LogInRefusal::Wrong, 422, "type it again"),
            (LogInRefusal::Wait(Duration::from_secs(7)), 429, "Wait"),
            (LogInRefusal::Busy, 429, "Try again"),
            (LogInRefusal::NoPassword, 503, "set-password"),
            (LogInRefusal::Failed("no disk".into()), 500, "Try again"),
        ] {
            let problem = unconfirmed(refusal, "ann");
            assert!(problem.status() == status && problem.sentences().contains(next), "{problem:?}");
        }
    }
}
