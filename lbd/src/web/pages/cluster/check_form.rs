//! The form of a health check: its name, its text, and a test before anything is saved.

use axum::response::Response;

use super::ask::Ask;
use super::check_test::{ADDRESS, PORT, TARGET, TITLES, Tested, targets};
use super::form::{About, Button, FormPage, Layout, Part};
use super::input::{Control, Input};
use super::new_check::CALLING;
use super::typed::{Faults, Rejection, Typed};
use crate::config::Problem;
use crate::config::document::{Document, HealthCheckDocument};
use crate::health::template::{self, Fault, TEMPLATES};

/// The input of the name.
pub(super) const LABEL: &str = "label";
/// The input of the text.
pub(super) const TEMPLATE: &str = "template";
/// Room for every setting of a check without scrolling.
const LINES: u8 = 12;
const SETTINGS: &str = "A setting a line, as name=value; a line that begins with # is a comment. For all: interval, \
    fast-interval, timeout (seconds), rise, fall (checks in a row). For those that ask a port: port. DICOM-C-ECHO: \
    aet (our AE title), aec (the server's). NEGOTIATE: send, expect. HTTP: path, host, status, body. With TLS: tls \
    (yes or no), verify (none, system or pinned, then the certificate), server-name.";

/// The text with which a new check begins.
pub(super) fn beginning(template: &str) -> String {
    let known = TEMPLATES.iter().find(|(name, ..)| *name == template).unwrap_or(&TEMPLATES[0]);
    let some = |text: &str| Some(text.to_owned());
    let check = HealthCheckDocument {
        kind: known.1.to_owned(),
        interval_seconds: Some(5),
        timeout_seconds: Some(3),
        rise: Some(2),
        fall: Some(2),
        ..HealthCheckDocument::default()
    };
    let check = match known.1 {
        "dicom-c-echo" => {
            HealthCheckDocument { calling_ae_title: some(CALLING), called_ae_title: some("DW_SCP"), ..check }
        }
        "http" | "https" => {
            HealthCheckDocument { path: some("/"), expected_status: some("200-399"), ..check }
        }
        "send-expect" => HealthCheckDocument { send: some("EHLO lb\\r\\n"), expect: some("220 "), ..check },
        _ => check,
    };
    template::render(&check)
}

/// Faults of a text as problems of its input.
pub(super) fn problems_of(faults: Vec<Fault>) -> Vec<Problem> {
    let problem = |Fault { line, problem, remedy }| Problem {
        field: TEMPLATE.to_owned(),
        problem: format!("line {line}: {problem}"),
        remedy,
    };
    faults.into_iter().map(problem).collect()
}

/// What the page of a check has to show.
#[derive(Default)]
pub(super) struct Shown<'a> {
    /// Of the check that is edited; `None` for a new one.
    pub(super) label: Option<&'a str>,
    /// What was typed.
    pub(super) typed: Option<&'a Typed>,
    /// Why nothing was changed.
    pub(super) rejection: Option<Rejection>,
    /// What a test has found.
    pub(super) tested: Option<Tested>,
    /// What was done.
    pub(super) notice: Option<String>,
}

/// The page.
pub(super) fn page(ask: Ask, shown: Shown<'_>) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let Shown { label, typed, mut rejection, tested, notice } = shown;
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let in_force = document.health_check.iter().find(|check| Some(check.label.as_str()) == label);
    let parts = vec![check_part(in_force, typed, faults), test_part(document, label, typed, faults, tested)];
    let about = About { notice, ..about(label, ask.may_change()) };
    FormPage::new(ask.frame, about, parts, typed, rejection)
        .answer(document, published.view.configuration_version)
}

fn about(label: Option<&str>, may_change: bool) -> About {
    let known = About {
        lead: "What a server must answer to count as healthy. Test it before you save it.".into(),
        back: "/cluster/checks".into(),
        ..About::default()
    };
    let submit = |word| if may_change { word } else { "" };
    match label {
        Some(label) => About {
            title: format!("Health check {label}"),
            action: format!("/cluster/checks/{label}"),
            submit: submit("Save"),
            ..known
        },
        None => About {
            title: "Add a health check".into(),
            action: "/cluster/checks/_new".into(),
            submit: submit("Add the check"),
            ..known
        },
    }
}

fn check_part(in_force: Option<&HealthCheckDocument>, typed: Option<&Typed>, faults: &mut Faults) -> Part {
    let (label, text) =
        in_force.map(|check| (check.label.as_str(), template::render(check))).unwrap_or_default();
    let label = Input::line(LABEL, "Label")
        .example("DICOM-C_Echo-Check-VIP1")
        .hint("Letters, digits, '_', '-' and '.'; unique. Services follow a new name.")
        .filled(typed, label, faults);
    let text = Input::line(TEMPLATE, "Template and parameters")
        .hint(SETTINGS)
        .control(Control::Area(LINES))
        .filled(typed, &text, faults);
    Part { title: "The check".into(), inputs: vec![label, text], ..Part::default() }
}

fn test_part(
    document: &Document,
    label: Option<&str>,
    typed: Option<&Typed>,
    faults: &mut Faults,
    tested: Option<Tested>,
) -> Part {
    let action = format!("/cluster/checks/{}/test", label.unwrap_or("_new"));
    let button = |name, words: &str| Button {
        name,
        value: "1".into(),
        action: action.clone(),
        words: words.to_owned(),
    };
    let targets = targets(document, label);
    let first = targets.first().map(|target| target.value.clone()).unwrap_or_default();
    let target = Input::line(TARGET, "Server").options(targets).filled(typed, &first, faults);
    let address = Input::line(ADDRESS, "Address")
        .example("192.168.10.110")
        .hint("Where no server is chosen.")
        .filled(typed, "", faults);
    let port = Input::line(PORT, "Port")
        .example("2001")
        .hint("Blank: the check's.")
        .control(Control::Digits)
        .filled(typed, "", faults);
    Part {
        title: "Test it now".into(),
        lead: "Asks once with the text above, saved or not, and changes nothing.".into(),
        layout: Layout::Three,
        inputs: vec![target, address, port],
        buttons: vec![button("test", "Test now"), button(TITLES, "Which AE titles answer?")],
        result: tested.map(|tested| tested.html()).unwrap_or_default(),
        ..Part::default()
    }
}
