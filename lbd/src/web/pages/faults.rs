//! What is wrong with a small form, each beside its field.

use super::words::sentence;
use crate::config::Problem;
use crate::web::api::ProblemDocument;
use crate::web::people::NotDone;

/// By field; what belongs to none stands above the form.
#[derive(Default)]
pub(super) struct Faults(Vec<(String, String)>);

impl Faults {
    /// What is said beside this field; empty where nothing is wrong with it.
    pub(super) fn of(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| name == field).map_or("", |(_, text)| text)
    }

    /// Each beside its own field.
    pub(super) fn of_problems(problems: &[Problem]) -> Self {
        Self(problems.iter().map(|problem| (problem.field.clone(), sentence(problem))).collect())
    }

    /// One that stands beside a field.
    pub(super) fn beside(field: &str, text: impl Into<String>) -> Self {
        Self(vec![(field.into(), text.into())])
    }
}

impl From<NotDone> for Faults {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::Missing(what) => Self::beside("", what),
            NotDone::Wrong(problems) => Self::of_problems(&problems),
            NotDone::Failed(why) => Self::beside("", ProblemDocument::of_disk(&why).sentences()),
        }
    }
}
