//! A form as a page: parts with their inputs, what is wrong on top, and the button that sends it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::field::Section;
use super::input::{Input, Source};
use super::typed::{BASED_ON, COMMENT, Faults, Rejection, Typed};
use crate::config::Document;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;

/// A button beside that which saves.
#[derive(Debug, Clone)]
pub(super) struct Button {
    /// As it is sent.
    pub(super) name: &'static str,
    /// What is sent.
    pub(super) value: String,
    /// Where to; empty for where the form goes anyway.
    pub(super) action: String,
    /// What stands on it.
    pub(super) words: String,
}

/// How the inputs of a part stand beside each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Layout {
    /// Two in a row.
    #[default]
    Two,
    /// A long one, and two short ones.
    Three,
    /// All in one row, as an entry of a list.
    Row,
}

impl Layout {
    /// Of the style sheet.
    fn class(self) -> &'static str {
        match self {
            Self::Two => "",
            Self::Three => " three",
            Self::Row => " row",
        }
    }
}

/// A part of a form, under its heading.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    /// Its heading.
    pub(super) title: String,
    /// Folded away, unless something in it is wrong.
    pub(super) advanced: bool,
    /// How its inputs stand beside each other.
    pub(super) layout: Layout,
    /// What it is about, for people.
    pub(super) lead: String,
    /// Its inputs.
    pub(super) inputs: Vec<Input>,
    /// Its buttons.
    pub(super) buttons: Vec<Button>,
    /// What came of a button, as HTML.
    pub(super) result: String,
}

impl Part {
    fn is_wrong(&self) -> bool {
        self.inputs.iter().any(|input| input.error.is_some() || input.in_force.is_some())
    }
}

impl Section {
    /// The section as a part of a form.
    pub(super) fn part(&self, source: Source<'_>, faults: &mut Faults) -> Part {
        let inputs = self.fields.iter().map(|field| field.input(source, faults)).collect();
        Part { title: self.title.to_owned(), advanced: self.advanced, inputs, ..Part::default() }
    }
}

/// What a form is about and where it leads.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// The heading of the page.
    pub(super) title: String,
    /// A sentence or two.
    pub(super) lead: String,
    /// Where it is sent.
    pub(super) action: String,
    /// Where one goes who changes nothing.
    pub(super) back: String,
    /// What stands on its button; there is none where this is empty.
    pub(super) submit: &'static str,
    /// What was done just before.
    pub(super) notice: Option<String>,
    /// It changes nothing yet: nobody asks why.
    pub(super) without_comment: bool,
}

/// A whole page with a form.
#[derive(Template)]
#[template(path = "cluster/form.html")]
pub(super) struct FormPage {
    frame: Frame,
    about: About,
    rejection: Option<Rejection>,
    /// What no input is to blame for.
    on_top: Vec<String>,
    parts: Vec<Part>,
    based_on: u64,
    comment: Input,
}

impl FormPage {
    /// The form with `parts`, for which `rejection` has been asked for its faults already.
    pub(super) fn new(
        frame: Frame,
        about: About,
        parts: Vec<Part>,
        typed: Option<&Typed>,
        rejection: Option<Rejection>,
    ) -> Self {
        let mut rejection = rejection;
        let mut faults =
            rejection.as_mut().map(|known| std::mem::take(&mut known.faults)).unwrap_or_default();
        let comment = Input::line(COMMENT, "Comment")
            .example("why, for the history")
            .hint("May be left blank. It stands beside the version in the history.")
            .filled(typed, "", &mut faults);
        let mut page = Self { frame, about, rejection, on_top: Vec::new(), parts, based_on: 0, comment };
        page.rejection = page.rejection.map(|known| Rejection { faults, ..known });
        page
    }

    /// The page as an answer; `version` is the one on which it is based.
    pub(super) fn answer(mut self, document: &Document, version: u64) -> Response {
        self.based_on = version;
        let faults = self.rejection.as_mut().map(|known| std::mem::take(&mut known.faults));
        self.on_top = faults.unwrap_or_default().rest(document);
        let wrong =
            self.parts.iter_mut().flat_map(|part| &mut part.inputs).find(|input| input.error.is_some());
        if let Some(input) = wrong {
            input.focus = true;
        }
        let status = self.rejection.as_ref().map_or(StatusCode::OK, |known| known.status);
        page_of(status, &self)
    }

    /// Each with its name and its error; those of the same label are told apart by the heading above them.
    fn wrong_inputs(&self) -> impl Iterator<Item = (&Input, String, &String)> {
        let all =
            || self.parts.iter().flat_map(|part| part.inputs.iter().map(move |input| (&*part.title, input)));
        all().chain([("", &self.comment)]).filter_map(move |(part, input)| {
            let error = input.error.as_ref()?;
            let is_alone = all().filter(|(_, other)| other.label == input.label).count() < 2;
            let name = if is_alone { input.label.clone() } else { format!("{part}, {}", input.label) };
            Some((input, name, error))
        })
    }

    fn based_on_name(&self) -> &'static str {
        BASED_ON
    }
}
