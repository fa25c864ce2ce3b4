//! Who may log in: users, their roles, and one-time passwords that are shown once.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

use super::faults::Faults;
use super::frame::Frame;
use super::{message, page_of};
use crate::web::api::ProblemDocument;
use crate::web::people::{NewUser, NotDone, UserChange, one_time_password};
use crate::web::users::FIRST_USER;
use crate::web::{Caller, Gateway, Role};

/// Where they are, for administrators.
pub(in crate::web) const PAGE: &str = "/password/users";

/// What a role may do, for those who give it.
pub(super) const ROLES: [(Role, &str); 3] = [
    (Role::Viewer, "viewer: looks at everything but users, tokens and the audit log"),
    (Role::Operator, "operator: also drains, halts, brings back and probes servers"),
    (Role::Administrator, "administrator: everything"),
];

pub(super) fn routes() -> Router<Gateway> {
    Router::new()
        .route(PAGE, get(page).post(add))
        .route("/password/users/{user}/role", post(change_role))
        .route("/password/users/{user}/password", post(new_password))
        .route("/password/users/{user}/remove", post(remove))
}

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    frame: Frame,
    rows: Vec<Row>,
    /// As typed into the form.
    name: String,
    role: Role,
    faults: Faults,
}

struct Row {
    name: String,
    role: Role,
    must_change: bool,
    /// Who cannot be removed, so that there always is an administrator.
    is_first: bool,
    is_caller: bool,
}

#[derive(Debug, Deserialize)]
struct Added {
    name: String,
    role: Role,
}

async fn page(State(gateway): State<Gateway>, frame: Frame) -> Response {
    let new = Added { name: String::new(), role: Role::Operator };
    list(&gateway, frame, StatusCode::OK, new, Faults::default()).await
}

async fn list(
    gateway: &Gateway,
    frame: Frame,
    status: StatusCode,
    Added { name, role }: Added,
    faults: Faults,
) -> Response {
    let users = match gateway.access().users().await {
        Ok(users) => users,
        Err(why) => return unreadable(frame, &why),
    };
    let row = |user: &crate::web::users::User| Row {
        name: user.name.clone(),
        role: user.role,
        must_change: user.password.must_change,
        is_first: user.name == FIRST_USER,
        is_caller: frame.caller.as_ref().is_some_and(|caller| caller.user == user.name),
    };
    let rows = users.iter().map(row).collect();
    page_of(status, &Users { frame, rows, name, role, faults })
}

/// The secrets cannot be read.
pub(super) fn unreadable(frame: Frame, why: &str) -> Response {
    message::refused(frame, &ProblemDocument::of_disk(why))
}

/// A secret that is shown this once.
#[derive(Template)]
#[template(path = "secret.html")]
pub(super) struct Secret {
    pub(super) frame: Frame,
    pub(super) title: String,
    pub(super) secret: String,
    /// What it is for, and what to do with it.
    pub(super) text: String,
    pub(super) back: &'static str,
}

fn one_time(frame: Frame, user: &str, secret: String) -> Response {
    let title = format!("One-time password of {user}");
    let text = format!(
        "Give it to {user}. Whoever logs in with it must first choose another one; nothing else is open to them until \
         then."
    );
    page_of(StatusCode::OK, &Secret { frame, title, secret, text, back: PAGE })
}

async fn add(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Form(Added { name, role }): Form<Added>,
) -> Response {
    let name = name.trim().to_owned();
    let password = match one_time_password() {
        Ok(password) => password,
        Err(why) => return unreadable(frame, &why),
    };
    let new = NewUser { name: name.clone(), role, password: password.clone(), must_change: true };
    match gateway.access().add_user(&caller.author(), new).await {
        Ok(()) => one_time(frame, &name, password),
        Err(why) => {
            let (typed, status) = (Added { name, role }, why.status());
            list(&gateway, frame, status, typed, why.into()).await
        }
    }
}

#[derive(Debug, Deserialize)]
struct NewRole {
    role: Role,
}

async fn change_role(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Path(user): Path<String>,
    Form(NewRole { role }): Form<NewRole>,
) -> Response {
    let change = UserChange { role: Some(role), ..UserChange::default() };
    done(gateway.access().change_user(&caller.author(), user, change).await, frame)
}

async fn new_password(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Path(user): Path<String>,
) -> Response {
    let password = match one_time_password() {
        Ok(password) => password,
        Err(why) => return unreadable(frame, &why),
    };
    let change = UserChange { role: None, password: Some(password.clone()), must_change: true };
    match gateway.access().change_user(&caller.author(), user.clone(), change).await {
        Ok(()) => one_time(frame, &user, password),
        Err(why) => done(Err(why), frame),
    }
}

async fn remove(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    frame: Frame,
    Path(user): Path<String>,
) -> Response {
    done(gateway.access().remove_user(&caller.author(), user).await, frame)
}

fn done(result: Result<(), NotDone>, frame: Frame) -> Response {
    match result {
        Ok(()) => Redirect::to(PAGE).into_response(),
        Err(why) => message::refused(frame, &ProblemDocument::from(why)),
    }
}
