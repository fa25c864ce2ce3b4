//! A health check that is made together with the service that needs it: nobody has to leave the form.

use super::form::Part;
use super::input::{Choosable, Input, Source};
use super::tables::SERVICE;
use super::typed::{Faults, Rejection, Typed};
use crate::config::document::HealthCheckDocument;
use crate::config::{Document, Label};

/// The input of the health check.
const CHECK: &str = "health_check";
/// The input of the AE title for a new DICOM check.
const CALLED: &str = "new_called_ae_title";
/// As whom the appliance calls, as the product's specification has it.
pub(super) const CALLING: &str = "LOADBALANCER";
/// What may be made on the way; no label begins like that.
const NEW: [(&str, &str); 4] = [
    ("+dicom-c-echo", "New: DICOM C-ECHO"),
    ("+tcp", "New: TCP connect"),
    ("+ping", "New: ping"),
    ("+always-on", "New: none, always on"),
];

/// The checks to choose from; for a new service those that can be made come first.
pub(super) fn choices(document: &Document, new_first: bool) -> Vec<Choosable> {
    let known = document.health_check.iter().map(|check| Choosable {
        value: check.label.clone(),
        words: check.label.clone(),
        group: "Checks that are there",
    });
    let new = NEW.iter().map(|(value, words)| Choosable {
        value: (*value).to_owned(),
        words: (*words).to_owned(),
        group: "A new check for this service",
    });
    if new_first { new.chain(known).collect() } else { known.chain(new).collect() }
}

/// Adds the check that the service `service` asks for, and has the form name it.
pub(super) fn add_if_wanted(document: &mut Document, typed: Typed, service: &str) -> Typed {
    let Some(kind) = typed.text(CHECK).strip_prefix('+').map(str::to_owned) else { return typed };
    let is_dicom = kind == "dicom-c-echo";
    let label = free_label(document, &usual_label(service));
    document.health_check.push(HealthCheckDocument {
        label: label.clone(),
        kind,
        calling_ae_title: is_dicom.then(|| CALLING.to_owned()),
        called_ae_title: is_dicom.then(|| typed.text(CALLED).to_owned()),
        ..HealthCheckDocument::default()
    });
    typed.with(CHECK, label)
}

/// What is wrong with the service's own label is told there, not here once more.
fn usual_label(service: &str) -> String {
    let label = format!("{service}-check");
    if Label::try_from(label.as_str()).is_ok() { label } else { "check".to_owned() }
}

/// `wanted`, or `wanted-2` and so on where there is a check of that name.
pub(super) fn free_label(document: &Document, wanted: &str) -> String {
    let is_free = |label: &String| !document.health_check.iter().any(|check| check.label == *label);
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

/// What is wrong with a check that would have been new belongs to the input of its AE title.
pub(super) fn named_by_input(rejection: Rejection, document: &Document) -> Rejection {
    let field = format!("health_check[{}].called_ae_title", document.health_check.len());
    Rejection { faults: rejection.faults.renamed(&field, CALLED), ..rejection }
}

/// The sections of a service's form, the AE title beside the choice of the check.
pub(super) fn service_parts(source: Source<'_>, rejection: &mut Option<Rejection>) -> Vec<Part> {
    let mut none = Faults::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let mut parts: Vec<_> = SERVICE.iter().map(|section| section.part(source, faults)).collect();
    let has_check = |part: &&mut Part| part.inputs.iter().any(|input| input.name == CHECK);
    if let Some(part) = parts.iter_mut().find(has_check) {
        let title = Input::line(CALLED, "AE title of the servers (aec)")
            .example("DW_SCP")
            .hint("For a new DICOM C-ECHO only, which calls as LOADBALANCER.")
            .filled(source.typed, "", faults);
        part.inputs.push(title);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    #[test]
    fn a_new_check_gets_a_name_of_its_own_and_the_service_names_it() {
        let mut document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let typed = Typed::new(&[(CHECK, "+dicom-c-echo"), (CALLED, "PACS")]);
        for label in ["X-check", "X-check-2"] {
            let typed = add_if_wanted(&mut document, typed.clone(), "X");
            assert_eq!(typed.text(CHECK), label);
            let made = document.health_check.last().unwrap();
            assert_eq!((made.label.as_str(), made.called_ae_title.as_deref()), (label, Some("PACS")));
        }
        let known = Typed::new(&[(CHECK, "DICOM-C_Echo-Check-VIP1")]);
        assert_eq!(add_if_wanted(&mut document, known.clone(), "X"), known);
        assert_eq!(document.health_check.len(), 5);
    }
}
