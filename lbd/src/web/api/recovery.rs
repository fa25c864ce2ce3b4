//! What people do at the machine's own terminals who have no password: done, logged and told.

use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::post;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::Body;
use super::{Operation, ProblemDocument};
use crate::alert::topic::{Severity, Topic, Trouble};
use crate::web::factory_reset::ERASES;
use crate::web::people::{NewUser, UserChange};
use crate::web::users::FIRST_USER;
use crate::web::{Caller, Gateway, Peer, Role};

pub(super) fn operations() -> Vec<Operation> {
    let summary = "A step of the recovery at the machine's own terminals; over the local socket only";
    vec![
        Operation::write(Method::POST, "/api/v1/recovery", summary, post(recover))
            .takes::<RecoveryStep>()
            .status(204)
            .fails(&[403, 507]),
    ]
}

/// What somebody does.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecoveryStep {
    /// They have entered the recovery: logged and told.
    Entered,
    /// The first user gets another password, without the present one; all their sessions end.
    NewPassword {
        /// 8 to 256 characters.
        password: String,
    },
    /// They are about to erase everything: answered when the mails about it have left, or after ten seconds.
    FactoryReset,
}

async fn recover(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(step): Body<RecoveryStep>,
) -> Result<StatusCode, ProblemDocument> {
    if !matches!(caller.from, Peer::Local(_)) {
        let detail = "This is done at the console of the virtual machine: restart it and follow what the console offers.";
        return Err(ProblemDocument::new(StatusCode::FORBIDDEN, "Not over the network", detail));
    }
    let (severity, state) = match step {
        RecoveryStep::Entered => (Severity::Warning, "was entered after a restart"),
        RecoveryStep::NewPassword { password } => {
            set_password(&gateway, &caller, password).await?;
            (Severity::Warning, "has set another password for loadbalancer")
        }
        RecoveryStep::FactoryReset => (Severity::Critical, ERASES),
    };
    gateway.access().audit().change(&caller.author(), &[format!("recovery at the console {state}")]);
    let trouble = trouble(severity, state, &caller);
    match severity {
        // Whether they have left or not, what was ordered is done.
        Severity::Critical => gateway.tell_last(trouble).await,
        _ => drop(gateway.alarm().happened_now(Topic::Recovery, trouble).await),
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn set_password(gateway: &Gateway, caller: &Caller, password: String) -> Result<(), ProblemDocument> {
    let access = gateway.access();
    let users = access.users().await.map_err(|why| ProblemDocument::of_disk(&why))?;
    let (name, by) = (FIRST_USER.to_owned(), caller.author());
    match users.find(FIRST_USER) {
        Some(_) => {
            let change = UserChange { role: None, password: Some(password), must_change: false };
            access.change_user(&by, name, change).await?;
        }
        None => {
            let new = NewUser { name, role: Role::Administrator, password, must_change: false };
            access.add_user(&by, new).await?;
        }
    }
    Ok(())
}

fn trouble(severity: Severity, state: &str, caller: &Caller) -> Trouble {
    Trouble {
        severity,
        name: "The recovery at the console".into(),
        state: state.into(),
        over: String::new(),
        why: format!("somebody at the machine's own console ({})", caller.author()),
        effect: String::new(),
        look_at: "If nobody of yours did this, find out who may open the console of this virtual machine."
            .into(),
        place: None,
    }
}
