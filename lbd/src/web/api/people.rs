//! Who may use the appliance: sessions, users, tokens; and who did.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::capitalised;
use super::resource::{Asked, Body, Named};
use super::{Operation, ProblemDocument};
use crate::audit::{Entry, MOST_ENTRIES};
use crate::web::access::{CANNOT_LOG_IN, LogInRefusal, SessionView};
use crate::web::change_password;
use crate::web::password::check_password;
use crate::web::tokens::Token;
use crate::web::{Caller, Gateway, Peer, Role, people};

pub(super) fn operations() -> Vec<Operation> {
    [session_operations(), password_operations(), user_operations(), token_operations()].concat()
}

fn session_operations() -> Vec<Operation> {
    const SESSION: &str = "/api/v1/session";
    vec![
        Operation::read(SESSION, "Who you are", get(who)).gives::<WhoDocument>(),
        Operation::new(
            Method::POST,
            SESSION,
            super::Least::Public,
            "Log in; the answer sets the cookie of a session",
            post(log_in),
        )
        .takes::<Credentials>()
        .gives::<WhoDocument>()
        .fails(&[401, 403, 429, 500, 503]),
        Operation::new(Method::DELETE, SESSION, super::Least::Role(Role::Viewer), "Log out", delete(log_out))
            .status(204),
        Operation::read("/api/v1/sessions", "Where you are logged in", get(sessions))
            .gives::<Vec<SessionView>>(),
        Operation::new(
            Method::DELETE,
            "/api/v1/sessions",
            super::Least::Role(Role::Viewer),
            "Log yourself out everywhere else",
            delete(log_out_elsewhere),
        )
        .status(204),
        Operation::read("/api/v1/audit", "Who did what, the newest first", get(audit))
            .least(Role::Administrator)
            .query("most", true, "so many lines at most; 100 where nothing is given")
            .gives::<Vec<Entry>>()
            .fails(&[500]),
    ]
}

fn password_operations() -> Vec<Operation> {
    let summary = "Change your own password; everywhere you are logged in, here too, you are logged out";
    let path = change_password::API_PATH;
    vec![
        Operation::new(
            Method::PUT,
            path,
            super::Least::Role(Role::Viewer),
            summary,
            put(change_own_password),
        )
        .takes::<OwnPassword>()
        .status(204)
        .fails(&[429]),
    ]
}

fn user_operations() -> Vec<Operation> {
    const USERS: &str = "/api/v1/users";
    const USER: &str = "/api/v1/users/{user}";
    vec![
        Operation::read(USERS, "All users", get(users))
            .least(Role::Administrator)
            .gives::<Vec<UserDocument>>(),
        Operation::write(Method::POST, USERS, "Add a user", post(add_user))
            .takes::<NewUser>()
            .gives::<UserDocument>()
            .status(201),
        Operation::write(Method::PUT, USER, "Give a user another role, password, or both", put(change_user))
            .takes::<UserChange>()
            .status(204),
        Operation::write(Method::DELETE, USER, "Remove a user, and end their sessions", delete(remove_user))
            .status(204)
            .fails(&[422]),
    ]
}

fn token_operations() -> Vec<Operation> {
    const TOKENS: &str = "/api/v1/tokens";
    vec![
        Operation::read(TOKENS, "All API tokens, without what they open with", get(tokens))
            .least(Role::Administrator)
            .gives::<Vec<TokenDocument>>(),
        Operation::write(
            Method::POST,
            TOKENS,
            "Make an API token; it is shown this once",
            post(create_token),
        )
        .takes::<NewToken>()
        .gives::<CreatedToken>()
        .status(201),
        Operation::write(
            Method::DELETE,
            "/api/v1/tokens/{token}",
            "End a token at once",
            delete(revoke_token),
        )
        .status(204)
        .fails(&[422]),
    ]
}

/// Name and password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    user: String,
    password: String,
}

/// Somebody, and what they may do.
#[derive(Debug, Serialize, JsonSchema)]
struct WhoDocument {
    user: String,
    role: Role,
    /// Where they come from.
    from: String,
    /// They have to choose another password before anything else: PUT /api/v1/password.
    must_change_password: bool,
}

fn who_document(caller: &Caller, must_change_password: bool) -> WhoDocument {
    let from = caller.from.to_string();
    WhoDocument { user: caller.user.clone(), role: caller.role, from, must_change_password }
}

async fn who(Extension(caller): Extension<Caller>) -> Json<WhoDocument> {
    Json(who_document(&caller, false))
}

async fn log_in(
    State(gateway): State<Gateway>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Body(Credentials { user, password }): Body<Credentials>,
) -> Result<Response, ProblemDocument> {
    if !super::super::origin::is_ours_or_unknown(&headers) {
        return Err(super::super::origin::problem());
    }
    let logged_in = gateway.access().log_in(&user, password, peer).await?;
    let who = who_document(&logged_in.caller, logged_in.must_change);
    Ok(([(SET_COOKIE, logged_in.cookie)], Json(who)).into_response())
}

impl From<LogInRefusal> for ProblemDocument {
    fn from(refusal: LogInRefusal) -> Self {
        match refusal {
            LogInRefusal::Wrong => Self::new(
                StatusCode::UNAUTHORIZED,
                "Name or password are wrong",
                "Type them in again. The first user is loadbalancer.",
            ),
            LogInRefusal::Wait(wait) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many wrong passwords",
                "From your address too many wrong passwords came. Wait, or use the console of the appliance.",
            )
            .retry_after(wait.as_secs() + 1),
            LogInRefusal::Busy => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many log-ins at once",
                "Several log-ins are under way. Try again in some seconds.",
            )
            .retry_after(2),
            LogInRefusal::NoPassword => no_password(),
            LogInRefusal::Failed(why) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Log-in is not possible",
                format!("{}. {CANNOT_LOG_IN}", capitalised(&why)),
            ),
        }
    }
}

fn no_password() -> ProblemDocument {
    ProblemDocument::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "No password is set yet",
        "Set one at the appliance's console (log in as setup, with the password setup), with `lbd set-password`, or deploy \
         it with the property one_time_password.",
    )
}

async fn log_out(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let cookie = gateway.access().log_out(&headers, &caller.author());
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

async fn sessions(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Json<Vec<SessionView>> {
    Json(gateway.access().sessions(&caller.user, &headers))
}

async fn log_out_elsewhere(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> StatusCode {
    gateway.access().log_out_elsewhere(&caller, &headers);
    StatusCode::NO_CONTENT
}

/// The present password and another one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnPassword {
    /// With which you logged in.
    current: String,
    /// 8 to 256 characters.
    new: String,
}

async fn change_own_password(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(OwnPassword { current, new }): Body<OwnPassword>,
) -> Result<Response, ProblemDocument> {
    let access = gateway.access();
    if access.users().await.map_err(|why| ProblemDocument::of_disk(&why))?.find(&caller.user).is_none() {
        return Err(no_own_password(&caller));
    }
    check_password(&new).map_err(|fault| ProblemDocument::field("new", fault.problem, fault.remedy))?;
    if new == current {
        return Err(ProblemDocument::field("new", "this is the present password", "choose another one"));
    }
    match access.change_password(&caller, current, new).await {
        Ok(()) => {
            let cookie = access.log_out(&headers, &caller.author());
            Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
        }
        Err(LogInRefusal::Wrong) => Err(ProblemDocument::field(
            "current",
            "this is not the present password",
            "give the one with which you logged in",
        )),
        Err(LogInRefusal::Failed(why)) => {
            Err(ProblemDocument::of_disk(&format!("the password is not changed: {why}")))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// For tokens, and for who administers the machine itself.
fn no_own_password(caller: &Caller) -> ProblemDocument {
    ProblemDocument::new(
        StatusCode::FORBIDDEN,
        "Only users have a password",
        format!(
            "{} is no user. Log in as one, or let an administrator set a user's password with \
             PUT /api/v1/users/USER or `lbd user edit USER --new-password`.",
            caller.user
        ),
    )
}

#[derive(Deserialize)]
struct Most {
    most: Option<usize>,
}

async fn audit(
    State(gateway): State<Gateway>,
    Asked(Most { most }): Asked<Most>,
) -> Result<Json<Vec<Entry>>, ProblemDocument> {
    let audit = gateway.access().audit().clone();
    let most = most.unwrap_or(100).min(MOST_ENTRIES);
    let read = tokio::task::spawn_blocking(move || audit.read(most)).await;
    let read = read.map_err(std::io::Error::other).flatten();
    read.map(Json)
        .map_err(|error| ProblemDocument::of_disk(&format!("the audit log cannot be read: {error}")))
}

/// A user, without password.
#[derive(Debug, Serialize, JsonSchema)]
struct UserDocument {
    name: String,
    role: Role,
    /// The password is a one-time one.
    must_change_password: bool,
}

async fn users(State(gateway): State<Gateway>) -> Result<Json<Vec<UserDocument>>, ProblemDocument> {
    let users = gateway.access().users().await.map_err(|why| ProblemDocument::of_disk(&why))?;
    let document = |user: &crate::web::users::User| UserDocument {
        name: user.name.clone(),
        role: user.role,
        must_change_password: user.password.must_change,
    };
    Ok(Json(users.iter().map(document).collect()))
}

/// A user who is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// At most 32 of a-z, 0-9, dot, - and _, beginning with a letter.
    name: String,
    role: Role,
    /// 8 to 256 characters.
    password: String,
    /// The first log-in must change it.
    #[serde(default)]
    must_change_password: bool,
}

async fn add_user(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewUser>,
) -> Result<Response, ProblemDocument> {
    let NewUser { name, role, password, must_change_password } = new;
    let document = UserDocument { name: name.clone(), role, must_change_password };
    let new = people::NewUser { name, role, password, must_change: must_change_password };
    gateway.access().add_user(&caller.author(), new).await?;
    Ok((StatusCode::CREATED, Json(document)).into_response())
}

/// What is to change of a user.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// Unchanged where it is omitted.
    role: Option<Role>,
    /// Unchanged where it is omitted. 8 to 256 characters.
    password: Option<String>,
    /// The password is a one-time one: the next log-in must change it.
    #[serde(default)]
    must_change_password: bool,
}

async fn change_user(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<String>,
    Body(UserChange { role, password, must_change_password }): Body<UserChange>,
) -> Result<StatusCode, ProblemDocument> {
    let change = people::UserChange { role, password, must_change: must_change_password };
    gateway.access().change_user(&caller.author(), name, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_user(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<String>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.access().remove_user(&caller.author(), name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token, without what it opens with.
#[derive(Debug, Serialize, JsonSchema)]
struct TokenDocument {
    name: String,
    role: Role,
    created: Timestamp,
    expires: Timestamp,
    created_by: String,
}

fn token_document(token: &Token) -> TokenDocument {
    TokenDocument {
        name: token.name.clone(),
        role: token.role,
        created: token.created,
        expires: token.expires,
        created_by: token.created_by.clone(),
    }
}

async fn tokens(State(gateway): State<Gateway>) -> Result<Json<Vec<TokenDocument>>, ProblemDocument> {
    let tokens = gateway.access().tokens().await.map_err(|why| ProblemDocument::of_disk(&why))?;
    Ok(Json(tokens.iter().map(token_document).collect()))
}

/// A token that is to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// At most 32 of a-z, 0-9, dot, - and _, beginning with a letter.
    name: String,
    role: Role,
    /// Days until it ends, 1 to 1826.
    days: u32,
}

/// A token, this once.
#[derive(Serialize, JsonSchema)]
struct CreatedToken {
    #[serde(flatten)]
    document: TokenDocument,
    /// For `Authorization: Bearer ...`.
    token: String,
}

async fn create_token(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Body(NewToken { name, role, days }): Body<NewToken>,
) -> Result<Response, ProblemDocument> {
    let new = people::NewToken { name, role, days };
    let (token, text) = gateway.access().create_token(&caller.author(), new).await?;
    let created = CreatedToken { document: token_document(&token), token: text };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

async fn revoke_token(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<String>,
) -> Result<StatusCode, ProblemDocument> {
    gateway.access().revoke_token(&caller.author(), name).await?;
    Ok(StatusCode::NO_CONTENT)
}
