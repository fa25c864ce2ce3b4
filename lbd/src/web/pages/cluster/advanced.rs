//! Layer 4 Advanced Configuration: what concerns all virtual services at once.

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::ask::{Ask, Pairs, typed};
use super::change::{Edited, Told, as_value, basis, follow, make, write_entry};
use super::for_administrators;
use super::form::{About, FormPage};
use super::input::Source;
use super::tables::{LAYER4, fields};
use super::typed::{Rejection, Typed};
use crate::config::Document;
use crate::fallback;
use crate::view::{ServerView, View};
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::grouped;

const PAGE: &str = "/cluster/advanced";
const EDIT: &str = "/cluster/advanced/edit";
/// As the document calls it.
const ENTRY: &str = "layer4";

pub(super) fn routes() -> Router<Gateway> {
    Router::new().route(PAGE, get(show)).route(EDIT, get(ask_edit).post(edit))
}

#[derive(Template)]
#[template(path = "cluster/advanced.html")]
struct Advanced {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
}

async fn show(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let value = as_value(&published.document.layer4);
    let page = Advanced {
        frame: ask.frame,
        notice: told.notice(published.view.configuration_version),
        settings: fields(LAYER4).map(|field| (field.label, field.told(&value))).collect(),
        facts: facts(&published.view),
    };
    page_of(StatusCode::OK, &page)
}

fn facts(view: &View) -> Vec<(&'static str, String)> {
    let fast_path = if view.fast_path.available { "on" } else { "off" };
    vec![
        ("Fast path", format!("{fast_path}: {}", view.fast_path.detail)),
        ("SNAT source ports, where they are scarcest", scarcest(view)),
        ("Port of the DICOM rejection", unseen(fallback::DICOM_PORT)),
        ("Port of the fallback page", unseen(fallback::HTTP_PORT)),
    ]
}

fn unseen(port: u16) -> String {
    format!("{port}, on the appliance itself; clients never see it")
}

/// Of which server the most source ports are in use.
fn scarcest(view: &View) -> String {
    let services = view.virtual_services.iter();
    let servers =
        services.flat_map(|service| service.real_servers.iter().map(move |server| (service, server)));
    // Pools of addresses have more ports than one address.
    let part =
        |server: &ServerView| server.snat_ports_in_use as f64 / server.snat_ports_available.max(1) as f64;
    match servers.max_by(|(_, a), (_, b)| part(a).total_cmp(&part(b))) {
        Some((service, server)) if server.snat_ports_in_use > 0 => format!(
            "{} of {} in use towards {} of {}",
            grouped(server.snat_ports_in_use),
            grouped(server.snat_ports_available),
            server.label,
            service.label
        ),
        _ => "none in use".into(),
    }
}

async fn ask_edit(ask: Ask) -> Response {
    if !ask.may_change() {
        return for_administrators(ask.frame, &ask.caller);
    }
    edit_page(ask, None, None)
}

async fn edit(ask: Ask, pairs: Pairs) -> Response {
    let typed = typed(pairs);
    let edit = |document: &mut Document| {
        let problems = write_entry(&mut document.layer4, fields(LAYER4), &typed, "");
        Ok(Edited { entry: ENTRY.into(), problems })
    };
    match make(&ask.gateway, &ask.caller, &typed, "layer 4 settings changed", edit).await {
        Ok(saved) => saved.then(PAGE),
        Err(rejection) => {
            let before = basis(&ask.gateway, &typed, &rejection).await;
            let now = as_value(&ask.latest().document.layer4);
            let typed = match before {
                Some(before) => follow(fields(LAYER4), typed, &as_value(&before.layer4), &now),
                None => typed,
            };
            edit_page(ask, Some(&typed), Some(rejection))
        }
    }
}

fn edit_page(ask: Ask, typed: Option<&Typed>, mut rejection: Option<Rejection>) -> Response {
    let published = ask.latest();
    let source = Source {
        entry: &as_value(&published.document.layer4),
        typed,
        prefix: "",
        references: &[],
        outdated: rejection.as_ref().is_some_and(Rejection::is_outdated),
    };
    let mut none = Default::default();
    let faults = rejection.as_mut().map_or(&mut none, |known| &mut known.faults);
    let parts = LAYER4.iter().map(|section| section.part(source, faults)).collect();
    let about = About {
        title: "Edit Layer 4 Advanced Configuration".into(),
        lead: "The change takes effect at once, for all services; established connections go on.".into(),
        action: EDIT.into(),
        back: PAGE.into(),
        submit: "Save",
        ..About::default()
    };
    FormPage::new(ask.frame, about, parts, typed, rejection)
        .answer(&published.document, published.view.configuration_version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, validate};

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    fn written(typed: &[(&str, &str)]) -> (Document, Vec<String>) {
        let mut document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let problems = write_entry(&mut document.layer4, fields(LAYER4), &Typed::new(typed), "");
        (document, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_form_that_is_sent_as_it_was_shown_makes_no_section() {
        let (document, problems) = written(&[("fast_path", "on"), ("snat_ports_warning_percent", "80")]);
        assert_eq!((document.layer4, problems), (None, vec![]));
    }

    #[test]
    fn the_defaults_of_the_form_are_those_of_the_configuration_and_every_setting_counts() {
        let (document, _) = written(&[("fast_path", "on"), ("snat_ports_warning_percent", "80")]);
        let usual = validate(document).unwrap().layer4;
        assert!(usual.fast_path && usual.snat_ports_warning_percent == 80);
        let (document, _) = written(&[("snat_ports_warning_percent", "50")]);
        let other = validate(document).unwrap().layer4;
        assert!(!other.fast_path && other.snat_ports_warning_percent == 50);
    }

    #[test]
    fn what_breaks_rules_is_named() {
        let (document, _) = written(&[("fast_path", "on"), ("snat_ports_warning_percent", "101")]);
        let problems = validate(document).unwrap_err();
        assert_eq!(problems[0].field, "layer4.snat_ports_warning_percent");
        assert_eq!(written(&[("fast_path", "on"), ("snat_ports_warning_percent", "many")]).1.len(), 1);
    }
}
