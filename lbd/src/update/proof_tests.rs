use super::*;
use crate::config::{Document, Format, validate};
use crate::engine::{Engine, Now, Start};
use crate::network::topology::Topology;
use crate::traffic::listing::Listing;

const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

/// Three services with two servers each, all of which serve.
fn view() -> View {
    let config = validate(Document::parse(EXAMPLE, Format::Toml).unwrap()).unwrap();
    let start = Start {
        config,
        version: 7,
        listing: Listing::default(),
        topology: Topology::default(),
        fast_path_missing: None,
        problems: Vec::new(),
        host_name: "lbmaster".into(),
    };
    let now = Now { monotonic: std::time::Duration::ZERO, wall: jiff::Timestamp::UNIX_EPOCH };
    let mut view = Engine::new(start, now).0.view();
    for service in &mut view.virtual_services {
        service.addresses.iter_mut().for_each(|address| address.interface = Some("eth0".into()));
        service.real_servers.iter_mut().for_each(|server| server.state = ServerState::Up);
    }
    view
}

#[test]
fn the_same_as_before_is_enough() {
    let view = view();
    assert!(view.virtual_services.len() > 1 && view.virtual_services[0].real_servers.len() > 1);
    assert_eq!(shortfall(&Before::of(&view), &view), None);
}

#[test]
fn what_is_missing_is_told_and_one_server_is_not() {
    type Change = fn(&mut View);
    let table: [(Change, Option<&str>); 7] = [
        (|view| view.configuration_version = 6, Some("Version 6 of the configuration is in force")),
        (|view| _ = view.virtual_services.pop(), Some("is missing from the configuration")),
        (
            |view| view.virtual_services[0].addresses[0].interface = None,
            Some("does not stand on any interface"),
        ),
        (
            |view| {
                for server in &mut view.virtual_services[0].real_servers {
                    (server.state, server.reason) = (ServerState::Down, "no answer".into());
                }
            },
            Some("passes its check, and before at least one did: no answer"),
        ),
        (|view| view.virtual_services[0].real_servers[0].state = ServerState::Down, None),
        (|view| view.configuration_version = 8, None),
        (
            |view| {
                view.configuration_version = 8;
                view.virtual_services.pop();
            },
            None,
        ),
    ];
    for (change, words) in table {
        let before = Before::of(&view());
        let mut now = view();
        change(&mut now);
        let told = shortfall(&before, &now);
        match words {
            None => assert_eq!(told, None),
            Some(words) => assert!(told.as_ref().is_some_and(|told| told.contains(words)), "{told:?}"),
        }
    }
}

#[test]
fn what_did_not_work_before_need_not_work_now() {
    let mut broken = view();
    broken.virtual_services[0].addresses[0].interface = None;
    broken.virtual_services[0].real_servers.iter_mut().for_each(|server| server.state = ServerState::Down);
    let before = Before::of(&broken);
    assert_eq!(shortfall(&before, &broken), None);
    assert_eq!(shortfall(&before, &view()), None);
}

#[test]
fn an_older_system_may_have_taken_an_older_configuration_whose_services_must_work() {
    let before = Before::of(&view()).in_any_version();
    let mut older = view();
    older.configuration_version = 6;
    older.virtual_services.pop();
    assert_eq!(shortfall(&before, &older), None);
    older.virtual_services[0].real_servers.iter_mut().for_each(|server| server.state = ServerState::Down);
    assert!(shortfall(&before, &older).is_some());
}

#[test]
fn it_is_written_down_and_read_again() {
    let before = Before::of(&view());
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<Before>(&text).unwrap(), before);
}
