//! Security, Firewall Lockdown Wizard, Service Socket Addresses: which ways to manage the appliance are open, to whom, where.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::ask::{Ask, Pairs};
use super::change::{Told, as_value, write_entry};
use super::section::SectionForm;
use super::security_tables::{LOCKDOWN, SECURITY, SOCKETS};
use super::tables::fields;
use crate::config::{Document, Problem};
use crate::view::{OpeningView, View};
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::{Gateway, Peer, Restartable, Role, Sockets};

const SECURITY_PAGE: &str = "/local/security";
const LOCKDOWN_PAGE: &str = "/maintenance/lockdown";
const SOCKETS_PAGE: &str = "/local/sockets";
/// What operators may send too: a restart.
pub(in crate::web) const RESTART_PATH: &str = "/local/sockets/restart";

const ON_TRIAL: &str =
    "The change is on trial for two minutes: unless it is confirmed, everything is as before by itself.";

const SECURITY_FORM: SectionForm = SectionForm {
    entry: "",
    page: SECURITY_PAGE,
    edit: "/local/security/edit",
    title: "Edit the security mode",
    lead: ON_TRIAL,
    why: "security mode changed",
    sections: SECURITY,
    references: Vec::new,
    read: as_value_of,
    write: |document, typed| write_entry(document, fields(SECURITY), typed, ""),
};

const LOCKDOWN_FORM: SectionForm = SectionForm {
    entry: "",
    page: LOCKDOWN_PAGE,
    edit: "/maintenance/lockdown/edit",
    title: "Lock down the management services",
    lead: "A list that would keep you yourself out is refused. Networks of the WebUI are on trial for two minutes: unless the \
           change is confirmed, everything is as before by itself.",
    why: "networks that may manage the appliance changed",
    sections: LOCKDOWN,
    references: Vec::new,
    read: as_value_of,
    write: |document, typed| write_entry(document, fields(LOCKDOWN), typed, ""),
};

const SOCKETS_FORM: SectionForm = SectionForm {
    entry: "",
    page: SOCKETS_PAGE,
    edit: "/local/sockets/edit",
    title: "Edit the service socket addresses",
    lead: "Another address or port of the WebUI is on trial for two minutes: unless it is confirmed there, everything is as \
           before by itself. The others take effect at once.",
    why: "service socket addresses changed",
    sections: SOCKETS,
    references: Vec::new,
    read: as_value_of,
    write: write_sockets,
};

fn as_value_of(document: &Document) -> serde_json::Value {
    as_value(document)
}

/// Another address comes to the interface as on the page of the WebUI.
fn write_sockets(document: &mut Document, typed: &super::typed::Typed) -> Vec<Problem> {
    let before = document.management.clone();
    let problems = write_entry(document, fields(SOCKETS), typed, "");
    let wanted = Sockets::of(document);
    document.management = before;
    wanted.write(document);
    problems
}

pub(super) fn routes() -> Router<Gateway> {
    let ask = |form: &'static SectionForm| {
        get(async move |ask: Ask| form.ask(ask))
            .post(async move |ask: Ask, pairs: Pairs| form.send(ask, pairs).await)
    };
    Router::new()
        .route(SECURITY_PAGE, get(show_security))
        .route(SECURITY_FORM.edit, ask(&SECURITY_FORM))
        .route(LOCKDOWN_PAGE, get(show_lockdown))
        .route(LOCKDOWN_FORM.edit, ask(&LOCKDOWN_FORM))
        .route(SOCKETS_PAGE, get(show_sockets))
        .route(SOCKETS_FORM.edit, ask(&SOCKETS_FORM))
        .route(RESTART_PATH, post(restart))
}

/// A port that answers, and to whom.
struct Open {
    service: String,
    place: String,
    port: String,
    over: String,
    to: String,
}

/// What answers at all, as the packet filter has it: management first, then what is balanced.
fn open(view: &View) -> Vec<Open> {
    let management = view.openings.iter().map(|opening| Open {
        service: opening.service.clone(),
        place: opening.address.to_string(),
        port: format!("{}, {}", opening.port, opening.transport.to_uppercase()),
        over: opening.interface.clone(),
        to: sources(opening),
    });
    let on = view.virtual_services.iter().filter(|service| service.state != crate::view::ServiceState::Off);
    let virtual_services = on.map(|service| Open {
        service: service.label.clone(),
        place: service.addresses.iter().map(|it| it.address.to_string()).collect::<Vec<_>>().join(", "),
        port: format!("{}, {}", service.ports, service.protocol.to_uppercase()),
        over: "every interface".into(),
        to: "everywhere: clients of a virtual service".into(),
    });
    let ping = Open {
        service: "Ping (ICMP echo)".into(),
        place: "every address".into(),
        port: "none".into(),
        over: "every interface".into(),
        to: "everywhere".into(),
    };
    management.chain(virtual_services).chain([ping]).collect()
}

fn sources(opening: &OpeningView) -> String {
    match opening.sources.as_slice() {
        [] => "everywhere".to_owned(),
        sources => sources.join(", "),
    }
}

#[derive(Template)]
#[template(path = "cluster/security.html")]
struct SecurityPage {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
    in_clear: bool,
    open: Vec<Open>,
}

async fn show_security(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let http = published.document.security.as_ref().is_some_and(|security| security.http == Some(true));
    let page = SecurityPage {
        notice: told.notice(published.view.configuration_version),
        settings: SECURITY_FORM.told(&published.document),
        in_clear: http,
        open: open(&published.view),
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "cluster/lockdown.html")]
struct LockdownPage {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
    /// Where who asks comes from; empty where that is the appliance itself.
    from: String,
}

async fn show_lockdown(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let from = match ask.caller.from {
        Peer::Network(_) => ask.caller.from.to_string(),
        Peer::Local(_) => String::new(),
    };
    let page = LockdownPage {
        notice: told.notice(published.view.configuration_version),
        settings: LOCKDOWN_FORM.told(&published.document),
        from,
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

/// A service of the appliance with its place.
struct Socket {
    restartable: Restartable,
    name: &'static str,
    effect: &'static str,
    places: Vec<String>,
    state: (&'static str, &'static str),
}

fn socket_rows(view: &View, document: &Document) -> Vec<Socket> {
    let sockets = Sockets::of(document);
    let is_open = |name: &str| view.openings.iter().any(|opening| opening.service.contains(name));
    let state = |open| if open { ("up", "on") } else { ("off", "off") };
    let number = |port: Option<i64>| port.unwrap_or_default();
    let at = |port: Option<i64>, what: &str| format!("{}, port {} ({what})", sockets.address, number(port));
    let http = if is_open("(HTTP)") { "TCP, HTTP" } else { "TCP, HTTP; off" };
    let row = |restartable: Restartable, places, state| Socket {
        restartable,
        name: restartable.name(),
        effect: restartable.effect(),
        places,
        state,
    };
    let web = vec![at(sockets.https_port, "TCP, HTTPS"), at(sockets.http_port, http)];
    let fallback = vec![format!("port {} (TCP)", number(sockets.fallback_page_port))];
    vec![
        row(Restartable::Webui, web, state(true)),
        row(Restartable::Snmp, vec![at(sockets.snmp_port, "UDP")], state(is_open("SNMP"))),
        row(Restartable::FallbackPage, fallback, ("up", "redirected to")),
    ]
}

#[derive(Template)]
#[template(path = "cluster/sockets.html")]
struct SocketsPage {
    frame: Frame,
    notice: Option<String>,
    rows: Vec<Socket>,
    is_operator: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Done {
    restarted: String,
}

async fn show_sockets(ask: Ask, Query(told): Query<Told>, Query(done): Query<Done>) -> Response {
    let published = ask.latest();
    let restarted = Restartable::named(&done.restarted);
    let restarted = restarted.map(|what| format!("{} was started anew.", what.name()));
    let page = SocketsPage {
        notice: restarted.or_else(|| told.notice(published.view.configuration_version)),
        rows: socket_rows(&published.view, &published.document),
        is_operator: ask.caller.role >= Role::Operator,
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

#[derive(Deserialize)]
struct Order {
    service: String,
}

async fn restart(ask: Ask, Form(Order { service }): Form<Order>) -> Response {
    let Some(what) = Restartable::named(&service) else {
        return super::missing(ask.frame, "service of the appliance", &service);
    };
    ask.gateway.restart(what, &ask.caller).await;
    Redirect::to(&format!("{SOCKETS_PAGE}?restarted={}", what.word())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, validate};
    use crate::web::pages::cluster::typed::Typed;

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    fn example() -> Document {
        Document::parse(EXAMPLE, Format::Toml).unwrap()
    }

    #[test]
    fn forms_that_are_sent_as_they_were_shown_change_nothing() {
        for form in [&SECURITY_FORM, &LOCKDOWN_FORM, &SOCKETS_FORM] {
            let mut document = example();
            let value = (form.read)(&document);
            let shown = fields(form.sections).map(|field| (field.path.to_owned(), field.shown(&value)));
            let sent: Vec<_> = shown.filter(|(_, text)| text != "off").collect();
            assert_eq!((form.write)(&mut document, &Typed::from(sent)), []);
            assert_eq!(document, example(), "{}", form.title);
        }
    }

    #[test]
    fn every_setting_of_the_section_has_its_input() {
        let paths: Vec<_> =
            [SECURITY, LOCKDOWN, SOCKETS].into_iter().flat_map(fields).map(|field| field.path).collect();
        let schema = schemars::schema_for!(crate::config::document::SecurityDocument).to_value();
        for name in schema["properties"].as_object().unwrap().keys() {
            assert!(paths.contains(&format!("security.{name}").as_str()), "no form asks for {name}");
        }
    }

    #[test]
    fn what_is_typed_is_in_force() {
        let mut document = example();
        let typed = [("security.mode", "custom"), ("security.http", "on")];
        assert_eq!((SECURITY_FORM.write)(&mut document, &Typed::new(&typed)), []);
        let typed = [("security.web_sources", "10.0.0.0/8"), ("snmp.sources", "")];
        assert_eq!((LOCKDOWN_FORM.write)(&mut document, &Typed::new(&typed)), []);
        let typed = [("security.http_port", "80"), ("layer4.fallback_page_port", "8081")];
        assert_eq!((SOCKETS_FORM.write)(&mut document, &Typed::new(&typed)), []);
        let config = validate(document).unwrap();
        assert_eq!((config.security.http_port, config.security.api_tokens), (Some(80), false));
        assert_eq!((config.security.web_sources.len(), config.layer4.fallback_page_port), (1, 8081));
    }
}
