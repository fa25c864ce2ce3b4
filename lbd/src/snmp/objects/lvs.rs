//! LVS-MIB as the module net-snmp-lvs publishes it, for dashboards that exist.
//!
//! A virtual service is one row, at its place in the configuration, with its first IPv4 address and port; what this old MIB has
//! no words for (IPv6, several addresses, reasons) is in EVENKEEL-MIB. As with ldirectord's quiescent servers, a server that
//! takes no new connections has weight 0.

use std::net::IpAddr;

use async_snmp::Value;

use super::{Column, Row, Scene, Table, counter32, counter64, integer, number, rate, text};
use crate::view::{ServerState, ServiceView, TrafficView};

const LVS: &[u32] = &[1, 3, 6, 1, 4, 1, 8225, 4711];
const TCP: i32 = 6;
const UDP: i32 = 17;
/// `masq`: network address translation.
const MASQUERADED: i32 = 0;
/// `none`: there is no synchronisation daemon of IPVS.
const NO_DAEMON: i32 = 0;
/// No address, in IPv4.
const NOWHERE: [u8; 4] = [0; 4];
const ONES: [u8; 4] = [255; 4];

pub(super) fn tables(scene: &Scene) -> Vec<Table> {
    vec![
        Table::scalars(LVS, GLOBAL),
        Table {
            entry: &[1, 3, 6, 1, 4, 1, 8225, 4711, 17, 1],
            columns: SERVICES,
            rows: scene.service_rows(),
        },
        Table { entry: &[1, 3, 6, 1, 4, 1, 8225, 4711, 18, 1], columns: SERVERS, rows: scene.server_rows() },
    ]
}

const GLOBAL: &[Column] = &[
    Column { number: 1, value: |scene, _| text(&scene.published.view.version) },
    Column { number: 2, value: |scene, _| integer(scene.services().len()) },
    // The kernel's connection table is not IPVS's; its time-outs are netfilter's, in hundredths of a second.
    Column { number: 3, value: |_, _| integer(0) },
    Column { number: 4, value: |_, _| integer(43_200_000) },
    Column { number: 5, value: |_, _| integer(12_000) },
    Column { number: 6, value: |_, _| integer(3_000) },
    Column { number: 7, value: |_, _| integer(NO_DAEMON) },
];

fn ipv4(address: IpAddr) -> Option<Value> {
    Some(Value::IpAddress(match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => NOWHERE,
    }))
}

fn first_port(service: &ServiceView) -> Option<Value> {
    let digits: String = service.ports.chars().take_while(char::is_ascii_digit).collect();
    integer(digits.parse::<u16>().ok()?)
}

/// Packets a second, as far as bytes a second tell: the average packet so far.
fn packets(bytes_per_second: Option<f64>, packets: u64, bytes: u64) -> Option<Value> {
    rate(bytes_per_second.map(|rate| if bytes == 0 { 0.0 } else { rate * packets as f64 / bytes as f64 }))
}

/// IPVS's names of the schedulers.
fn scheduler(scene: &Scene, row: Row) -> Option<Value> {
    let label = &scene.service(row)?.label;
    let documents = &scene.published.document.virtual_service;
    // The document in force may be another one than the one being applied.
    let same = documents.get(row.0).filter(|document| document.label == *label);
    let document = same.or_else(|| documents.iter().find(|document| document.label == *label));
    let word = document.and_then(|document| document.scheduler.as_deref());
    text(match word {
        Some("weighted-round-robin") => "wrr",
        Some("source-hash") => "sh",
        _ => "wlc",
    })
}

fn traffic(scene: &Scene, row: Row) -> Option<&TrafficView> {
    scene.service(row).map(|service| &service.traffic)
}

const SERVICES: &[Column] = &[
    Column { number: 1, value: |_, row| integer(number(row.0)) },
    Column { number: 2, value: scheduler },
    Column {
        number: 3,
        value: |scene, row| integer(if scene.service(row)?.protocol == "udp" { UDP } else { TCP }),
    },
    Column {
        number: 4,
        value: |scene, row| {
            let mut addresses = scene.service(row)?.addresses.iter().map(|view| view.address);
            addresses.find(IpAddr::is_ipv4).map_or(Some(Value::IpAddress(NOWHERE)), ipv4)
        },
    },
    Column { number: 5, value: |scene, row| first_port(scene.service(row)?) },
    Column { number: 6, value: |_, _| integer(0) },
    Column {
        number: 7,
        value: |scene, row| {
            integer(scene.service(row)?.persistence_seconds.unwrap_or_default().saturating_mul(100))
        },
    },
    Column { number: 8, value: |_, _| Some(Value::IpAddress(ONES)) },
    Column { number: 9, value: |scene, row| integer(scene.service(row)?.real_servers.len()) },
    Column { number: 10, value: |scene, row| counter32(scene.service(row)?.connections_opened) },
    Column { number: 11, value: |scene, row| counter32(traffic(scene, row)?.packets_in) },
    Column { number: 12, value: |scene, row| counter32(traffic(scene, row)?.packets_out) },
    Column { number: 13, value: |scene, row| counter64(traffic(scene, row)?.bytes_in) },
    Column { number: 14, value: |scene, row| counter64(traffic(scene, row)?.bytes_out) },
    Column { number: 15, value: |scene, row| rate(traffic(scene, row)?.connections_per_second) },
    Column { number: 16, value: |scene, row| packets_in(traffic(scene, row)?) },
    Column { number: 17, value: |scene, row| packets_out(traffic(scene, row)?) },
    Column { number: 18, value: |scene, row| rate(traffic(scene, row)?.bytes_in_per_second) },
    Column { number: 19, value: |scene, row| rate(traffic(scene, row)?.bytes_out_per_second) },
];

fn packets_in(traffic: &TrafficView) -> Option<Value> {
    packets(traffic.bytes_in_per_second, traffic.packets_in, traffic.bytes_in)
}

fn packets_out(traffic: &TrafficView) -> Option<Value> {
    packets(traffic.bytes_out_per_second, traffic.packets_out, traffic.bytes_out)
}

fn server_traffic(scene: &Scene, row: Row) -> Option<&TrafficView> {
    scene.server(row).map(|server| &server.traffic)
}

const SERVERS: &[Column] = &[
    Column { number: 1, value: |_, row| integer(number(row.0)) },
    Column { number: 2, value: |_, row| integer(number(row.1)) },
    Column { number: 3, value: |scene, row| ipv4(scene.server(row)?.address) },
    Column {
        number: 4,
        value: |scene, row| match scene.server(row)?.port {
            Some(port) => integer(port),
            None => first_port(scene.service(row)?),
        },
    },
    Column { number: 5, value: |_, _| integer(MASQUERADED) },
    Column {
        number: 6,
        value: |scene, row| {
            let server = scene.server(row)?;
            integer(if server.state == ServerState::Up { server.weight } else { 0 })
        },
    },
    Column { number: 7, value: |scene, row| counter32(scene.server(row)?.connections_opened) },
    Column { number: 8, value: |scene, row| counter32(server_traffic(scene, row)?.packets_in) },
    Column { number: 9, value: |scene, row| counter32(server_traffic(scene, row)?.packets_out) },
    Column { number: 10, value: |scene, row| counter64(server_traffic(scene, row)?.bytes_in) },
    Column { number: 11, value: |scene, row| counter64(server_traffic(scene, row)?.bytes_out) },
    Column { number: 12, value: |scene, row| rate(server_traffic(scene, row)?.connections_per_second) },
    Column { number: 13, value: |scene, row| packets_in(server_traffic(scene, row)?) },
    Column { number: 14, value: |scene, row| packets_out(server_traffic(scene, row)?) },
    Column { number: 15, value: |scene, row| rate(server_traffic(scene, row)?.bytes_in_per_second) },
    Column { number: 16, value: |scene, row| rate(server_traffic(scene, row)?.bytes_out_per_second) },
];
