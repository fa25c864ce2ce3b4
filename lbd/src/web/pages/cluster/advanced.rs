//! Layer 4 Advanced Configuration: what concerns all virtual services at once.

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::ask::{Ask, Pairs};
use super::change::{Told, as_value, write_entry};
use super::section::SectionForm;
use super::tables::{ALERTS, LAYER4, fields};
use crate::view::{ServerView, View};
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::{grouped, time};

const PAGE: &str = "/cluster/advanced";

const FORM: SectionForm = SectionForm {
    entry: "layer4",
    page: PAGE,
    edit: "/cluster/advanced/edit",
    title: "Edit Layer 4 Advanced Configuration",
    lead: "The change takes effect at once, for all services; established connections go on.",
    why: "layer 4 settings changed",
    sections: LAYER4,
    read: |document| as_value(&document.layer4),
    write: |document, typed| write_entry(&mut document.layer4, fields(LAYER4), typed, ""),
    references: Vec::new,
};

const ALERTS_FORM: SectionForm = SectionForm {
    entry: "alerts",
    page: PAGE,
    edit: "/cluster/advanced/alerts/edit",
    title: "Edit alerts by e-mail",
    lead: "A service may have addresses of its own; they are set in its form.",
    why: "alert settings changed",
    sections: ALERTS,
    read: |document| as_value(&document.alerts),
    write: |document, typed| write_entry(&mut document.alerts, fields(ALERTS), typed, ""),
    references: Vec::new,
};

pub(super) fn routes() -> Router<Gateway> {
    let ask_alerts = async |ask: Ask| ALERTS_FORM.ask(ask);
    let send_alerts = async |ask: Ask, pairs: Pairs| ALERTS_FORM.send(ask, pairs).await;
    Router::new()
        .route(PAGE, get(show))
        .route(
            FORM.edit,
            get(async |ask: Ask| FORM.ask(ask))
                .post(async |ask: Ask, pairs: Pairs| FORM.send(ask, pairs).await),
        )
        .route(ALERTS_FORM.edit, get(ask_alerts).post(send_alerts))
}

#[derive(Template)]
#[template(path = "cluster/advanced.html")]
struct Advanced {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
    facts: Vec<(&'static str, String)>,
    alerts: Vec<(&'static str, String)>,
}

async fn show(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let page = Advanced {
        frame: ask.frame,
        notice: told.notice(published.view.configuration_version),
        settings: FORM.told(&published.document),
        alerts: ALERTS_FORM.told(&published.document),
        facts: facts(&published.view),
    };
    page_of(StatusCode::OK, &page)
}

fn facts(view: &View) -> Vec<(&'static str, String)> {
    let fast_path = if view.fast_path.available { "on" } else { "off" };
    vec![
        ("Fast path", format!("{fast_path}: {}", view.fast_path.detail)),
        ("SNAT source ports, where they are scarcest", scarcest(view)),
        ("VMware guest services", guest_services(view)),
    ]
}

fn guest_services(view: &View) -> String {
    match &view.guest_services {
        None => "off: this machine does not run on VMware, or they have not begun".to_owned(),
        Some(services) => format!("{}, since {}", services.reason, time(services.since)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Format, validate};
    use crate::web::pages::cluster::typed::Typed;

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
