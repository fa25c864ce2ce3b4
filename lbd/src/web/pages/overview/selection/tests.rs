use std::net::Ipv4Addr;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::view::{AddressView, ChecksView, FastPath, SnmpView, TrafficView};
use crate::web::pages::overview::tests::server;

fn service(label: &str, state: ServiceState) -> ServiceView {
    ServiceView {
        label: label.into(),
        addresses: vec![AddressView { address: Ipv4Addr::new(192, 168, 10, 100).into(), interface: None }],
        without_server: String::new(),
        traffic: TrafficView::default(),
        ports: "2001".into(),
        protocol: "tcp".into(),
        state,
        problem: None,
        idle_timeout_seconds: None,
        persistence_seconds: None,
        forwarding_method: "snat".into(),
        connections_opened: 0,
        connections_not_taken: 0,
        recent_connections_per_second: Vec::new(),
        fallback_server: None,
        real_servers: Vec::new(),
    }
}

fn view(services: Vec<ServiceView>) -> View {
    View {
        openings: Vec::new(),
        guest_services: None,
        host_name: "lbmaster".into(),
        version: "0".into(),
        started: Timestamp::UNIX_EPOCH,
        configuration_version: 1,
        pending_confirmation: None,
        checks: ChecksView { different: 0, latest_start_milliseconds: 0.0 },
        state: ServiceState::Up,
        problems: Vec::new(),
        conditions: Vec::new(),
        clock: Default::default(),
        mail: Default::default(),
        fast_path: FastPath { available: true, detail: String::new() },
        syslog_servers: Vec::new(),
        interfaces: Vec::new(),
        snmp: SnmpView::default(),
        virtual_services: services,
    }
}

fn farm(count: usize, state: ServiceState) -> View {
    view((0..count).map(|number| service(&format!("S{number}"), state)).collect())
}

fn open_of(selection: &Selection, view: &View) -> usize {
    selection.rows(view).iter().filter(|row| row.is_open).count()
}

#[test]
fn few_services_are_all_open_and_of_many_only_those_with_trouble_within_a_bound() {
    let all = Selection::default();
    assert_eq!(open_of(&all, &farm(3, ServiceState::Up)), 3);
    assert_eq!(open_of(&all, &farm(200, ServiceState::Up)), 0);
    let mut large = farm(200, ServiceState::Down);
    for service in &mut large.virtual_services {
        service.real_servers = serde_json::from_value(vec![server("NODE"); 4].into()).unwrap();
    }
    assert_eq!(open_of(&all, &large), (ROOM - 200 * SERVICE) / (4 * SERVER));
    large.virtual_services.truncate(30);
    assert_eq!(open_of(&all, &large), 30, "where fewer are shown there is room for all");
}

#[test]
fn a_button_opens_and_closes() {
    let toggled = |toggle: &str, open: &str| {
        Selection::from(Wish { toggle: toggle.into(), open: open.into(), ..Wish::default() })
    };
    let opened = toggled("+S7", "");
    assert_eq!(open_of(&opened, &farm(200, ServiceState::Up)), 1);
    assert_eq!(opened.address(), "/?open=S7");
    assert_eq!(open_of(&toggled("-S7", "S7"), &farm(200, ServiceState::Up)), 0);
    assert_eq!(open_of(&toggled("-S1", ""), &farm(3, ServiceState::Up)), 2);
}

#[test]
fn services_are_found_and_ordered() {
    let view = view(vec![
        service("B", ServiceState::Up),
        service("C", ServiceState::Down),
        service("A", ServiceState::Degraded),
    ]);
    let labels = |wish: Wish| {
        let selection = Selection::from(wish);
        let labels = selection.rows(&view).iter().map(|row| row.service.label.clone()).collect::<Vec<_>>();
        labels.concat()
    };
    assert_eq!(labels(Wish::default()), "BCA");
    assert_eq!(labels(Wish { sort: "name".into(), ..Wish::default() }), "ABC");
    assert_eq!(labels(Wish { sort: "state".into(), ..Wish::default() }), "CAB");
    assert_eq!(labels(Wish { show: "trouble".into(), ..Wish::default() }), "CA");
    assert_eq!(labels(Wish { q: " b ".into(), ..Wish::default() }), "B");
    assert_eq!(labels(Wish { q: "10.100".into(), ..Wish::default() }), "BCA");
}

proptest! {
    /// What a page links to shows the same page.
    #[test]
    fn the_address_holds_the_whole_choice(q in "\\PC{0,20}", open in "[A-Z,]{0,9}", toggle in "[+-]?[A-Z]{0,3}") {
        let selection = Selection::from(Wish { q, open, toggle, sort: "name".into(), ..Wish::default() });
        let address: axum::http::Uri = selection.address().parse().unwrap();
        let axum::extract::Query(wish) = axum::extract::Query::<Wish>::try_from_uri(&address).unwrap();
        prop_assert_eq!(Selection::from(wish), selection);
    }
}
