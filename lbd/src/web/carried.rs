//! What somebody typed into a form whose session had ended meanwhile. It goes through the log-in and back to them, who
//! look at it before it is sent again. The appliance keeps nothing of it, and secrets are not carried.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::pages::{self, Frame};
use super::{login, origin};

/// A larger form is not carried: anybody may send one. Forms of the WebUI have a few kilobytes.
const LARGEST: usize = 32 << 10;
/// The same for the number of inputs.
const MOST_FIELDS: usize = 500;
/// Names of what is carried, in the form of the log-in, begin with this.
const PREFIX: &str = "typed.";
/// Where it is to be sent.
const PATH: &str = "typed_for";
/// What is carried takes this much more of the log-in's form.
pub(super) const ROOM: usize = LARGEST + MOST_FIELDS * PREFIX.len() + 2048;
/// Where the forms are in which much is typed.
const FORMS: [&str; 2] = ["/cluster/", "/logs/servers/"];
/// What a press of a button orders there: to be pressed again where one sees what it does.
const ORDERS: [&str; 2] = ["/remove", "/switch"];
/// Inputs that hold secrets.
const SECRETS: [&str; 5] = ["current", "new", "again", "password", "private_key"];
/// Inputs that say nothing to people.
const UNSEEN: [&str; 2] = ["based_on", "back"];

/// A form that waits to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    path: String,
    fields: Vec<(String, String)>,
}

impl Carried {
    /// Of a request that nobody was logged in for; `None` where it is no form of ours, too large, or holds a secret.
    pub(super) async fn of(request: Request) -> Option<Self> {
        // A page from elsewhere must not put words into the mouth of who logs in.
        if !origin::is_ours(request.headers()) || length(request.headers())? > LARGEST {
            return None;
        }
        let path = request.uri().path().to_owned();
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST).await.ok()?;
        let request = Request::from_parts(parts, Body::from(body));
        let Form(fields) = Form::<Vec<(String, String)>>::from_request(request, &()).await.ok()?;
        Self { path, fields }.checked()
    }

    /// Out of the form of the log-in.
    pub(super) fn out_of(fields: Vec<(String, String)>) -> Option<Self> {
        let path = fields.iter().find(|(name, _)| name == PATH)?.1.clone();
        let carried = |(name, text): (String, String)| Some((name.strip_prefix(PREFIX)?.to_owned(), text));
        Self { path, fields: fields.into_iter().filter_map(carried).collect() }.checked()
    }

    fn checked(self) -> Option<Self> {
        let is_secret = |(name, text): &(String, String)| {
            SECRETS.contains(&name.as_str()) && !text.is_empty() || text.contains("PRIVATE KEY")
        };
        let is_ours =
            login::safe(&self.path) == self.path && FORMS.iter().any(|forms| self.path.starts_with(forms));
        let is_ours = is_ours && !ORDERS.iter().any(|order| self.path.ends_with(order));
        let is_usual = (1..=MOST_FIELDS).contains(&self.fields.len()) && !self.fields.iter().any(is_secret);
        (is_ours && is_usual).then_some(self)
    }

    /// For the form of the log-in: name and text of its hidden inputs.
    pub(super) fn hidden(&self) -> Vec<(String, &str)> {
        let fields = self.fields.iter().map(|(name, text)| (format!("{PREFIX}{name}"), text.as_str()));
        fields.chain([(PATH.to_owned(), self.path.as_str())]).collect()
    }

    /// What was typed, to look at and to send by a button.
    pub(super) fn review(&self, user: &str) -> Response {
        pages::page_of(StatusCode::OK, &Review { frame: Frame::bare(), user, carried: self })
    }

    /// In words, without what is there for programs.
    fn seen(&self) -> impl Iterator<Item = (String, &str)> {
        let seen = self.fields.iter().filter(|(name, _)| !UNSEEN.contains(&name.as_str()));
        seen.map(|(name, text)| (name.replace(['_', '.', '-'], " "), text.as_str()))
    }
}

#[derive(Template)]
#[template(path = "review.html")]
struct Review<'a> {
    frame: Frame,
    user: &'a str,
    carried: &'a Carried,
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str, site: &str) -> Request {
        let request = Request::post("/cluster/services/_new").header("sec-fetch-site", site);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("content-length", body.len()).body(Body::from(body.to_owned())).unwrap()
    }

    #[tokio::test]
    async fn what_was_typed_comes_back_whole() {
        let carried = Carried::of(request("label=A+B&ports=%3Cb%3E&ports=2", "same-origin")).await.unwrap();
        let hidden = carried.hidden().into_iter().map(|(name, text)| (name, text.to_owned())).collect();
        assert_eq!(Carried::out_of(hidden), Some(carried.clone()));
        assert_eq!(carried.fields[1], ("ports".to_owned(), "<b>".to_owned()));
    }

    #[tokio::test]
    async fn secrets_and_forms_of_others_and_large_ones_are_not_carried() {
        let key = "certificate=x&private_key=-----BEGIN+PRIVATE+KEY-----";
        let large = format!("template={}", "x".repeat(LARGEST));
        let many = "a=1&".repeat(MOST_FIELDS + 1);
        for body in [key, "certificate=-----BEGIN+PRIVATE+KEY", "current=secret", "", &large, &many] {
            assert_eq!(Carried::of(request(body, "same-origin")).await, None, "{body:.40}");
        }
        assert_eq!(Carried::of(request("label=A", "cross-site")).await, None);
        for path in ["//evil.example/", "/login", "/order/trial", "/cluster/services/A/remove"] {
            let pairs = [("typed_for", path), ("typed.label", "A")];
            let pairs = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
            assert_eq!(Carried::out_of(pairs), None, "{path}");
        }
    }
}
