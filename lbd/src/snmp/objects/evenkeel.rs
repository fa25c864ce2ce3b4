//! EVENKEEL-MIB: what the View knows of services and servers, with IPv6 addresses and reasons. The module itself is
//! `EVENKEEL-MIB.txt`.

use std::net::IpAddr;

use async_snmp::Value;

use super::{Column, Row, Scene, Table, counter64, gauge, integer, number, rate, text, ticks};
use crate::view::{AddressView, ServerState, ServiceState, TrafficView};

/// Of SnmpAdminString (RFC 3411).
const LONGEST_TEXT: usize = 255;
/// `single`: there is no pair.
const SINGLE: i32 = 1;

pub(super) fn tables(scene: &Scene) -> Vec<Table> {
    let problems = 0..scene.published.view.problems.len();
    let addresses = scene.services().iter().enumerate().flat_map(|(service, view)| {
        let addresses = 0..view.addresses.len();
        addresses.map(move |address| (vec![number(service), number(address)], (service, address)))
    });
    vec![
        Table::scalars(&[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 6694, 1, 1], SYSTEM),
        Table {
            entry: &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 6694, 1, 2, 1],
            columns: PROBLEMS,
            rows: problems.map(|index| (vec![number(index)], (index, 0))).collect(),
        },
        Table {
            entry: &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 6694, 1, 3, 1],
            columns: SERVICES,
            rows: scene.service_rows(),
        },
        Table {
            entry: &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 6694, 1, 4, 1],
            columns: ADDRESSES,
            rows: addresses.collect(),
        },
        Table {
            entry: &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 6694, 1, 5, 1],
            columns: SERVERS,
            rows: scene.server_rows(),
        },
    ]
}

/// As much of it as there is room for.
pub(in crate::snmp) fn short_text(words: &str) -> Option<Value> {
    let mut end = words.len().min(LONGEST_TEXT);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    text(&words[..end])
}

fn truth(is_so: bool) -> Option<Value> {
    integer(if is_so { 1 } else { 2 })
}

fn service_state(state: ServiceState) -> Option<Value> {
    integer(match state {
        ServiceState::Up => 1,
        ServiceState::Checking => 2,
        ServiceState::Degraded => 3,
        ServiceState::Down => 4,
        ServiceState::Off => 5,
    })
}

fn server_state(state: ServerState) -> Option<Value> {
    integer(match state {
        ServerState::Up => 1,
        ServerState::Checking => 2,
        ServerState::Down => 3,
        ServerState::Drained => 4,
        ServerState::Halted => 5,
        ServerState::Off => 6,
    })
}

/// InetAddressType (RFC 4001).
fn address_type(address: IpAddr) -> Option<Value> {
    integer(if address.is_ipv4() { 1 } else { 2 })
}

fn octets(address: IpAddr) -> Option<Value> {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    Some(Value::OctetString(octets.into()))
}

const SYSTEM: &[Column] = &[
    Column { number: 1, value: |scene, _| short_text(&scene.published.view.version) },
    Column { number: 2, value: |scene, _| gauge(scene.published.view.configuration_version) },
    Column { number: 3, value: |scene, _| service_state(scene.published.view.state) },
    Column { number: 4, value: |scene, _| gauge(scene.published.view.problems.len() as u64) },
    Column { number: 5, value: |scene, _| truth(scene.published.view.fast_path.available) },
    Column { number: 6, value: |scene, _| truth(scene.published.view.pending_confirmation.is_some()) },
    Column { number: 7, value: |_, _| integer(SINGLE) },
];

const PROBLEMS: &[Column] =
    &[Column { number: 2, value: |scene, row| short_text(scene.published.view.problems.get(row.0)?) }];

fn address(scene: &Scene, row: Row) -> Option<&AddressView> {
    scene.service(row)?.addresses.get(row.1)
}

const ADDRESSES: &[Column] = &[
    Column { number: 2, value: |scene, row| address_type(address(scene, row)?.address) },
    Column { number: 3, value: |scene, row| octets(address(scene, row)?.address) },
    Column {
        number: 4,
        value: |scene, row| short_text(address(scene, row)?.interface.as_deref().unwrap_or_default()),
    },
];

fn service_traffic(scene: &Scene, row: Row) -> Option<&TrafficView> {
    scene.service(row).map(|service| &service.traffic)
}

const SERVICES: &[Column] = &[
    Column { number: 2, value: |scene, row| short_text(&scene.service(row)?.label) },
    Column { number: 3, value: |scene, row| service_state(scene.service(row)?.state) },
    Column { number: 4, value: |scene, row| short_text(&scene.service(row)?.ports) },
    Column { number: 5, value: |scene, row| short_text(&scene.service(row)?.protocol) },
    Column { number: 6, value: |scene, row| short_text(&scene.service(row)?.forwarding_method) },
    Column {
        number: 7,
        value: |scene, row| short_text(scene.service(row)?.problem.as_deref().unwrap_or_default()),
    },
    Column { number: 8, value: |scene, row| gauge(scene.service(row)?.real_servers.len() as u64) },
    Column {
        number: 9,
        value: |scene, row| {
            let servers = scene.service(row)?.real_servers.iter();
            gauge(servers.filter(|server| server.state == ServerState::Up).count() as u64)
        },
    },
    Column {
        number: 10,
        value: |scene, row| {
            truth(scene.service(row)?.fallback_server.as_ref().is_some_and(|server| server.serving))
        },
    },
    Column { number: 11, value: |scene, row| gauge(service_traffic(scene, row)?.connections_now?) },
    Column { number: 12, value: |scene, row| counter64(scene.service(row)?.connections_opened) },
    Column { number: 13, value: |scene, row| rate(service_traffic(scene, row)?.connections_per_second) },
    Column { number: 14, value: |scene, row| counter64(service_traffic(scene, row)?.bytes_in) },
    Column { number: 15, value: |scene, row| counter64(service_traffic(scene, row)?.bytes_out) },
    Column { number: 16, value: |scene, row| rate(service_traffic(scene, row)?.bytes_in_per_second) },
    Column { number: 17, value: |scene, row| rate(service_traffic(scene, row)?.bytes_out_per_second) },
];

fn server_traffic(scene: &Scene, row: Row) -> Option<&TrafficView> {
    scene.server(row).map(|server| &server.traffic)
}

const SERVERS: &[Column] = &[
    Column { number: 2, value: |scene, row| short_text(&scene.server(row)?.label) },
    Column { number: 3, value: |scene, row| address_type(scene.server(row)?.address) },
    Column { number: 4, value: |scene, row| octets(scene.server(row)?.address) },
    Column { number: 5, value: |scene, row| gauge(scene.server(row)?.port.unwrap_or_default().into()) },
    Column { number: 6, value: |scene, row| server_state(scene.server(row)?.state) },
    Column { number: 7, value: |scene, row| short_text(&scene.server(row)?.reason) },
    Column { number: 8, value: |scene, row| ticks(scene, scene.server(row)?.since) },
    Column { number: 9, value: |scene, row| short_text(&scene.server(row)?.check) },
    Column { number: 10, value: |scene, row| rate(Some(scene.server(row)?.check_milliseconds? * 1e3)) },
    Column { number: 11, value: |scene, row| integer(scene.server(row)?.weight) },
    Column {
        number: 12,
        value: |scene, row| integer((scene.server(row)?.share_percent * 10.0).round() as i64),
    },
    Column { number: 13, value: |scene, row| gauge(server_traffic(scene, row)?.connections_now?) },
    Column { number: 14, value: |scene, row| counter64(scene.server(row)?.connections_opened) },
    Column { number: 15, value: |scene, row| rate(server_traffic(scene, row)?.connections_per_second) },
    Column { number: 16, value: |scene, row| counter64(server_traffic(scene, row)?.bytes_in) },
    Column { number: 17, value: |scene, row| counter64(server_traffic(scene, row)?.bytes_out) },
    Column { number: 18, value: |scene, row| rate(server_traffic(scene, row)?.bytes_in_per_second) },
    Column { number: 19, value: |scene, row| rate(server_traffic(scene, row)?.bytes_out_per_second) },
    Column { number: 20, value: |scene, row| gauge(scene.server(row)?.snat_ports_in_use) },
    Column { number: 21, value: |scene, row| gauge(scene.server(row)?.snat_ports_available) },
];
