//! Hostname & DNS, Network Interface Configuration, Routing.

mod edits;

use askama::Template;
use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::ask::{Ask, Pairs};
use super::change::{Told, as_value, write_entry};
use super::entry::EntryForm;
use super::network_tables::{BOND, GATEWAYS, INTERFACE, NAMES, ROUTE, VLAN};
use super::section::SectionForm;
use super::tables::fields;
use crate::config::Document;
use crate::config::document::{BondDocument, InterfaceDocument, RouteDocument, VlanDocument};
use crate::view::{InterfaceView, Passed};
use crate::web::Gateway;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::{Badge, bytes, grouped};
use edits::route_name;

const INTERFACES: &str = "/local/interfaces";
const ROUTING: &str = "/local/routing";
const ON_TRIAL: &str =
    "The change is on trial for two minutes: unless it is confirmed, everything is as before by itself.";

const NAMES_FORM: SectionForm = SectionForm {
    entry: "network",
    page: "/local/hostname",
    edit: "/local/hostname/edit",
    title: "Edit host name and DNS",
    lead: "The change takes effect at once.",
    why: "host name and DNS settings changed",
    sections: NAMES,
    references: Vec::new,
    read: |document| as_value(&document.network),
    write: |document, typed| write_entry(document.network.get_or_insert_default(), fields(NAMES), typed, ""),
};

const GATEWAYS_FORM: SectionForm = SectionForm {
    entry: "network",
    page: ROUTING,
    edit: "/local/routing/edit",
    title: "Edit the default gateways",
    lead: ON_TRIAL,
    why: "default gateways changed",
    sections: GATEWAYS,
    references: Vec::new,
    read: |document| as_value(&document.network),
    write: |document, typed| {
        write_entry(document.network.get_or_insert_default(), fields(GATEWAYS), typed, "")
    },
};

const INTERFACE_FORM: EntryForm = EntryForm {
    what: "interface",
    page: INTERFACES,
    new: "/local/interfaces/interface/_new",
    place: |name, step| format!("/local/interfaces/interface/{name}/{step}"),
    add: ("Add an interface", "Add"),
    key: "name",
    lead: ON_TRIAL,
    sections: INTERFACE,
    read: edits::read_interface,
    write: edits::write_interface,
    remove: edits::remove_interface,
    losses: |_| vec!["Its addresses are taken away; the adapter itself stays as it is.".into()],
};

const BOND_FORM: EntryForm = EntryForm {
    what: "bond",
    page: INTERFACES,
    new: "/local/interfaces/bond/_new",
    place: |name, step| format!("/local/interfaces/bond/{name}/{step}"),
    add: ("Add a bond", "Add"),
    key: "name",
    lead: ON_TRIAL,
    sections: BOND,
    read: edits::read_bond,
    write: edits::write_bond,
    remove: edits::remove_bond,
    losses: |_| {
        vec![
            "Its members are adapters of their own again; its addresses become those of the first one."
                .into(),
        ]
    },
};

const VLAN_FORM: EntryForm = EntryForm {
    what: "VLAN",
    page: INTERFACES,
    new: "/local/interfaces/vlan/_new",
    place: |name, step| format!("/local/interfaces/vlan/{name}/{step}"),
    add: ("Add a VLAN", "Add"),
    key: "name",
    lead: ON_TRIAL,
    sections: VLAN,
    read: edits::read_vlan,
    write: edits::write_vlan,
    remove: edits::remove_vlan,
    losses: |_| vec!["Its addresses go with it.".into()],
};

const ROUTE_FORM: EntryForm = EntryForm {
    what: "static route",
    page: ROUTING,
    new: "/local/routing/route/_new",
    place: |name, step| format!("/local/routing/route/{name}/{step}"),
    add: ("Add a static route", "Add"),
    key: "destination",
    lead: ON_TRIAL,
    sections: ROUTE,
    read: edits::read_route,
    write: edits::write_route,
    remove: edits::remove_route,
    losses: |_| vec!["That network is reached by the default gateway then, if there is one.".into()],
};

pub(super) fn routes() -> Router<Gateway> {
    let pages = Router::new()
        .route(NAMES_FORM.page, get(show_names))
        .route(INTERFACES, get(show_interfaces))
        .route(ROUTING, get(show_routing));
    let sections = pages.merge(section_routes(&NAMES_FORM)).merge(section_routes(&GATEWAYS_FORM));
    [&INTERFACE_FORM, &BOND_FORM, &VLAN_FORM, &ROUTE_FORM]
        .into_iter()
        .fold(sections, |routes, form| routes.merge(form.routes()))
}

fn section_routes(form: &'static SectionForm) -> Router<Gateway> {
    let edit = get(async move |ask: Ask| form.ask(ask))
        .post(async move |ask: Ask, pairs: Pairs| form.send(ask, pairs).await);
    Router::new().route(form.edit, edit)
}

#[derive(Template)]
#[template(path = "cluster/hostname.html")]
struct Names {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
}

async fn show_names(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let page = Names {
        notice: told.notice(published.view.configuration_version),
        settings: NAMES_FORM.told(&published.document),
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "cluster/interfaces.html")]
struct Interfaces {
    frame: Frame,
    notice: Option<String>,
    rows: Vec<Row>,
    /// Adapters, bonds and VLANs that have no entry yet.
    bonds: Vec<BondDocument>,
    vlans: Vec<VlanDocument>,
}

/// An interface as it is, and as it is wanted.
struct Row {
    name: String,
    badge: Badge,
    made_of: String,
    addresses: Vec<String>,
    mtu: String,
    speed: String,
    hardware: String,
    driver: String,
    virtual_count: usize,
    /// Received and sent: bytes, packets, those that were lost.
    passed: [(String, String, String); 2],
    has_entry: bool,
    is_member: bool,
}

impl Row {
    fn of(interface: &InterfaceView, document: &Document) -> Self {
        let badge = match (interface.switched_on, interface.has_link) {
            (true, true) => Badge { class: "up", word: "link" },
            (true, false) => Badge { class: "down", word: "no link" },
            (false, _) => Badge { class: "off", word: "off" },
        };
        let counted = |passed: &Passed| {
            (bytes(passed.bytes), grouped(passed.packets), grouped(passed.errors + passed.dropped))
        };
        Self {
            name: interface.name.clone(),
            badge,
            made_of: interface.made_of.clone(),
            addresses: interface.addresses.clone(),
            mtu: interface.mtu.to_string(),
            speed: interface.speed_words(),
            hardware: interface.hardware_address.clone().unwrap_or_default(),
            driver: interface.driver.clone().unwrap_or_default(),
            virtual_count: interface.virtual_address_count,
            passed: [counted(&interface.received), counted(&interface.sent)],
            has_entry: entry(document, &interface.name).is_some(),
            is_member: interface.member_of.is_some(),
        }
    }

    /// It is configured and not there.
    fn missing(interface: &InterfaceDocument) -> Self {
        Self {
            name: interface.name.clone(),
            badge: Badge { class: "down", word: "not there" },
            made_of: "no such adapter, bond or VLAN".into(),
            addresses: interface.addresses.clone(),
            mtu: interface.mtu.map(|mtu| mtu.to_string()).unwrap_or_default(),
            speed: String::new(),
            hardware: String::new(),
            driver: String::new(),
            virtual_count: 0,
            passed: Default::default(),
            has_entry: true,
            is_member: false,
        }
    }
}

fn entry<'a>(document: &'a Document, name: &str) -> Option<&'a InterfaceDocument> {
    document.network.as_ref()?.interface.iter().find(|interface| interface.name == name)
}

async fn show_interfaces(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let document = &published.document;
    let there = &published.view.interfaces;
    let configured = document.network.iter().flat_map(|network| &network.interface);
    let missing = configured.filter(|it| !there.iter().any(|interface| interface.name == it.name));
    let rows = there.iter().map(|interface| Row::of(interface, document)).chain(missing.map(Row::missing));
    let network = document.network.clone().unwrap_or_default();
    let page = Interfaces {
        notice: told.notice(published.view.configuration_version),
        rows: rows.collect(),
        bonds: network.bond,
        vlans: network.vlan,
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "cluster/routing.html")]
struct Routing {
    frame: Frame,
    notice: Option<String>,
    settings: Vec<(&'static str, String)>,
    routes: Vec<(String, RouteDocument)>,
    /// Interface and its gateways.
    answers: Vec<(String, String)>,
}

async fn show_routing(ask: Ask, Query(told): Query<Told>) -> Response {
    let published = ask.latest();
    let network = published.document.network.clone().unwrap_or_default();
    let answers = network.interface.iter().filter_map(|interface| {
        let gateways: Vec<_> =
            [&interface.gateway, &interface.gateway_ipv6].into_iter().flatten().cloned().collect();
        (!gateways.is_empty()).then(|| (interface.name.clone(), gateways.join(", ")))
    });
    let page = Routing {
        notice: told.notice(published.view.configuration_version),
        settings: GATEWAYS_FORM.told(&published.document),
        answers: answers.collect(),
        routes: network.route.iter().map(|it| (route_name(&it.destination), it.clone())).collect(),
        frame: ask.frame,
    };
    page_of(StatusCode::OK, &page)
}
