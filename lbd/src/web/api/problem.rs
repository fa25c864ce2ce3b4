//! Errors as problem documents (RFC 9457).

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Problem;
use crate::engine::Refusal;

/// What is wrong, and where the request breaks rules, each field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProblemDocument {
    /// The same for every occurrence.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What happened this time, and what to do about it.
    detail: String,
    /// Each field that breaks a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
    /// What changed meanwhile, in words, and by whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<String>,
    /// Seconds after which it may be tried again.
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl ProblemDocument {
    /// Without fields.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            title,
            status: status.as_u16(),
            detail: detail.into(),
            problems: Vec::new(),
            changed: Vec::new(),
            retry_after: None,
        }
    }

    /// What is wrong, in a few words.
    pub(in crate::web) fn title(&self) -> &'static str {
        self.title
    }

    /// The HTTP status.
    pub(in crate::web) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What happened, and each field that breaks a rule, as text for people.
    pub(in crate::web) fn sentences(&self) -> String {
        let problems = self.problems.iter().map(|problem| format!("{problem}."));
        std::iter::once(self.detail.clone()).chain(problems).collect::<Vec<_>>().join(" ")
    }

    /// Each field that breaks a rule.
    pub(in crate::web) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What changed meanwhile, a line each.
    pub(in crate::web) fn changed(&self) -> &[String] {
        &self.changed
    }

    /// Fields break rules.
    pub fn invalid(problems: Vec<Problem>) -> Self {
        let detail = "Nothing was changed. Correct the fields below and send it again.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { problems, ..Self::new(status, "The configuration breaks rules", detail) }
    }

    /// A backup cannot be restored.
    pub(in crate::web) fn unusable_backup(problems: Vec<Problem>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { problems, ..Self::new(status, "The backup cannot be restored", "Nothing was changed.") }
    }

    /// One field breaks a rule.
    pub(in crate::web) fn field(field: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::invalid(vec![Problem { field: field.into(), problem: problem.into(), remedy: remedy.into() }])
    }

    /// What the disk did not do: `why` is what it said.
    pub(in crate::web) fn of_disk(why: &str) -> Self {
        let detail = format!("{}. {DISK_REMEDY}", capitalised(why));
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The disk does not do its work", detail)
    }

    /// There is nothing of that name.
    pub(in crate::web) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing of that name", detail)
    }

    /// It may be tried again after so many seconds.
    pub(in crate::web) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// For an entry of the document, whose fields are named within the entry: `virtual_service[1].ports` becomes
    /// `ports`.
    pub(super) fn within(mut self, prefix: &str) -> Self {
        for problem in &mut self.problems {
            if let Some(rest) = problem.field.strip_prefix(prefix) {
                problem.field = rest.trim_start_matches('.').to_owned();
            }
        }
        self
    }
}

/// What to do where the disk of the appliance is at fault.
pub(in crate::web) const DISK_REMEDY: &str = "Balancing goes on, and nothing was changed. Try again in a minute; if it stays \
                                              so, the disk is full or damaged: the System Overview says more of it.";

/// For the beginning of a sentence.
pub(in crate::web) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl IntoResponse for ProblemDocument {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry = self.retry_after.map(|seconds| [(RETRY_AFTER, seconds.to_string())]);
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        // For who shows it to people.
        let itself = Extension(self.clone());
        match retry {
            Some(retry) => (status, kind, retry, itself, Json(self)).into_response(),
            None => (status, kind, itself, Json(self)).into_response(),
        }
    }
}

impl From<Refusal> for ProblemDocument {
    fn from(refusal: Refusal) -> Self {
        let unchanged = "The configuration before it is in force.";
        match refusal {
            Refusal::Invalid(problems) => Self::invalid(problems),
            Refusal::Busy => Self::new(
                StatusCode::CONFLICT,
                "Another change is under way",
                "Look at the configuration again in a second, then repeat your change.",
            ),
            Refusal::Outdated { in_force, changed } => Self {
                changed,
                ..Self::new(
                    StatusCode::PRECONDITION_FAILED,
                    "The configuration was changed meanwhile",
                    format!(
                        "Nothing was changed. Version {in_force} is in force now. Look at what changed, read the \
                         configuration again, and repeat your change."
                    ),
                )
            },
            Refusal::OnTrial { version, by, until } => Self::new(
                StatusCode::CONFLICT,
                "A configuration is on trial",
                format!(
                    "Nothing was changed. Version {version} of {by} waits to be confirmed until {until:.0}; confirm \
                     it or take it back, then repeat your change."
                ),
            ),
            Refusal::NothingOnTrial => Self::new(
                StatusCode::CONFLICT,
                "No configuration is on trial",
                "It was confirmed or taken back already. The history shows what is in force.",
            ),
            Refusal::NoVersion(why) => Self::new(
                StatusCode::NOT_FOUND,
                "The version cannot be read",
                format!(
                    "{}. The history shows which versions there are; choose another one.",
                    capitalised(&why)
                ),
            ),
            Refusal::NoEntry(what) => {
                Self::missing(format!("There is no {what}; it may have been removed: look at what there is."))
            }
            Refusal::Exists(what) => Self::new(
                StatusCode::CONFLICT,
                "There is one of that name already",
                format!("There is a {what} already. Choose another label, or change that one."),
            ),
            Refusal::Ending => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "lbd is ending", "Try again in some seconds.")
            }
            Refusal::NotApplied(why) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The kernel did not take the configuration",
                format!(
                    "{why}. {unchanged} Send the change again; if it fails again, make it in smaller steps to find the \
                     setting that is at fault, and report these words."
                ),
            ),
            Refusal::NotRestored { why, meanwhile } => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The change failed, and what was before it is not fully back",
                format!(
                    "{why}. Putting the previous configuration back has met a failure too: {meanwhile}. It is tried \
                     again by itself; the System Overview shows when it is done."
                ),
            ),
            Refusal::NotStored(why) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "The configuration could not be stored",
                format!("{}. {unchanged} {DISK_REMEDY}", capitalised(&why)),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every refusal, and words that say what to do next.
    #[test]
    fn every_refusal_says_what_to_do_next() {
        let why = || "no space left".to_owned();
        let until = "2026-11-25T10:02:00Z".parse().unwrap();
        let problem = Problem { field: "ports".into(), problem: "no port".into(), remedy: "give one".into() };
        for (refusal, next) in [
            (Refusal::Invalid(vec![problem]), "Correct the fields"),
            (Refusal::Busy, "repeat your change"),
            (Refusal::Outdated { in_force: 2, changed: Vec::new() }, "read the configuration again"),
            (Refusal::OnTrial { version: 2, by: why(), until }, "confirm it or take it back"),
            (Refusal::NothingOnTrial, "The history shows"),
            (Refusal::NoVersion(why()), "choose another one"),
            (Refusal::NoEntry(why()), "may have been removed: look"),
            (Refusal::Exists(why()), "Choose another label"),
            (Refusal::Ending, "Try again"),
            (Refusal::NotApplied(why()), "Send the change again"),
            (Refusal::NotRestored { why: why(), meanwhile: why() }, "tried again by itself"),
            (Refusal::NotStored(why()), "Try again"),
        ] {
            let told = ProblemDocument::from(refusal.clone()).sentences();
            assert!(told.contains(next), "{refusal:?}: {told}");
        }
        assert!(
            ProblemDocument::of_disk("cannot write")
                .sentences()
                .starts_with("Cannot write. Balancing goes on")
        );
    }
}
