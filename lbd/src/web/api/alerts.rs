//! Alerts and mail: trying the way, looking at the queue, the password of the smart host.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{Method, StatusCode};
use axum::routing::{delete, get, post, put};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resource::{Body, Named};
use super::{Least, Operation, ProblemDocument};
use crate::mail::password;
use crate::view::MailView;
use crate::web::{Caller, Gateway, Role};

const TEST: &str = "/api/v1/alerts/test";
const MAIL: &str = "/api/v1/mail";
const RETRY: &str = "/api/v1/mail/retry";
const LETTER: &str = "/api/v1/mail/queue/{mail}";
const PASSWORD: &str = "/api/v1/mail/password";

pub(super) fn operations() -> Vec<Operation> {
    let order = |path, summary, handler| {
        Operation::new(Method::POST, path, Least::Role(Role::Operator), summary, handler)
    };
    vec![
        order(TEST, "Send a test alert; says which mails are under way", post(test))
            .takes::<TestDocument>()
            .gives::<Tested>()
            .status(202)
            .fails(&[404, 409]),
        Operation::read(MAIL, "How mail stands: what waits, what came of the last mails", get(show))
            .gives::<MailView>(),
        order(RETRY, "Try all mails that wait now", post(retry)).status(204),
        Operation::write(Method::DELETE, LETTER, "Throw a mail that waits away", delete(throw_away))
            .status(204),
        Operation::write(
            Method::PUT,
            PASSWORD,
            "Set the password of the smart host; no answer ever shows it",
            put(set_password),
        )
        .takes::<PasswordDocument>()
        .status(204)
        .fails(&[507]),
        Operation::write(
            Method::DELETE,
            PASSWORD,
            "Forget the password of the smart host",
            delete(forget_password),
        )
        .status(204)
        .fails(&[507]),
    ]
}

/// What a test is about.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TestDocument {
    /// To the addresses of this virtual service; the global ones where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

/// A test alert that is under way.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Tested {
    /// Names of the mails, each for one recipient, as the queue calls them.
    pub mails: Vec<String>,
}

/// The password of the smart host.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordDocument {
    /// In one line.
    password: String,
}

async fn test(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(TestDocument { service }): Body<TestDocument>,
) -> Result<(StatusCode, Json<Tested>), ProblemDocument> {
    let mails = gateway.test_alert(&caller, service).await?;
    Ok((StatusCode::ACCEPTED, Json(Tested { mails })))
}

async fn show(State(gateway): State<Gateway>) -> Json<MailView> {
    Json(gateway.latest().view.mail.clone())
}

async fn retry(State(gateway): State<Gateway>, Extension(caller): Extension<Caller>) -> StatusCode {
    gateway.retry_mail(&caller).await;
    StatusCode::NO_CONTENT
}

async fn throw_away(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.throw_mail_away(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_password(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(PasswordDocument { password }): Body<PasswordDocument>,
) -> Result<StatusCode, ProblemDocument> {
    password::check(&password)
        .map_err(|fault| ProblemDocument::field("password", fault.problem, fault.remedy))?;
    gateway.set_mail_password(&caller, Some(password)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget_password(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.set_mail_password(&caller, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
