//! IF-MIB (RFC 2863): interfaces and their counters.

use async_snmp::Value;

use super::{Column, Row, Scene, Table, counter32, counter64, gauge, integer, text};
use crate::snmp::figures::Interface;

const ETHERNET: i32 = 6;
const LOOPBACK: i32 = 24;
const UP: i32 = 1;
const DOWN: i32 = 2;

pub(super) fn tables(scene: &Scene) -> Vec<Table> {
    let mut rows: Vec<_> = scene
        .figures
        .interfaces
        .iter()
        .enumerate()
        .map(|(position, interface)| (vec![interface.index], (position, 0)))
        .collect();
    rows.sort();
    vec![
        Table::scalars(&[1, 3, 6, 1, 2, 1, 2], COUNT),
        Table { entry: &[1, 3, 6, 1, 2, 1, 2, 2, 1], columns: PLAIN, rows: rows.clone() },
        Table { entry: &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1], columns: EXTENDED, rows },
    ]
}

fn of(scene: &Scene, row: Row) -> Option<&Interface> {
    scene.figures.interfaces.get(row.0)
}

fn up_or_down(is_up: bool) -> Option<Value> {
    integer(if is_up { UP } else { DOWN })
}

const COUNT: &[Column] = &[Column { number: 1, value: |scene, _| integer(scene.figures.interfaces.len()) }];

const PLAIN: &[Column] = &[
    Column { number: 1, value: |scene, row| integer(of(scene, row)?.index) },
    Column { number: 2, value: |scene, row| text(&of(scene, row)?.name) },
    Column {
        number: 3,
        value: |scene, row| integer(if of(scene, row)?.name == "lo" { LOOPBACK } else { ETHERNET }),
    },
    Column { number: 4, value: |scene, row| integer(of(scene, row)?.mtu) },
    Column {
        number: 5,
        value: |scene, row| gauge(of(scene, row)?.megabits_per_second.saturating_mul(1_000_000)),
    },
    Column {
        number: 6,
        value: |scene, row| Some(Value::OctetString(of(scene, row)?.hardware_address.clone().into())),
    },
    Column { number: 7, value: |scene, row| up_or_down(of(scene, row)?.is_switched_on) },
    Column { number: 8, value: |scene, row| up_or_down(of(scene, row)?.is_up) },
    Column { number: 9, value: |_, _| Some(Value::TimeTicks(0)) },
    Column { number: 10, value: |scene, row| counter32(of(scene, row)?.received.bytes) },
    Column { number: 11, value: |scene, row| counter32(unicast(of(scene, row)?)) },
    Column { number: 13, value: |scene, row| counter32(of(scene, row)?.received.dropped) },
    Column { number: 14, value: |scene, row| counter32(of(scene, row)?.received.errors) },
    Column { number: 16, value: |scene, row| counter32(of(scene, row)?.sent.bytes) },
    Column { number: 17, value: |scene, row| counter32(of(scene, row)?.sent.packets) },
    Column { number: 19, value: |scene, row| counter32(of(scene, row)?.sent.dropped) },
    Column { number: 20, value: |scene, row| counter32(of(scene, row)?.sent.errors) },
];

fn unicast(interface: &Interface) -> u64 {
    interface.received.packets.saturating_sub(interface.multicast_received)
}

const EXTENDED: &[Column] = &[
    Column { number: 1, value: |scene, row| text(&of(scene, row)?.name) },
    Column { number: 2, value: |scene, row| counter32(of(scene, row)?.multicast_received) },
    Column { number: 6, value: |scene, row| counter64(of(scene, row)?.received.bytes) },
    Column { number: 7, value: |scene, row| counter64(unicast(of(scene, row)?)) },
    Column { number: 8, value: |scene, row| counter64(of(scene, row)?.multicast_received) },
    Column { number: 10, value: |scene, row| counter64(of(scene, row)?.sent.bytes) },
    Column { number: 11, value: |scene, row| counter64(of(scene, row)?.sent.packets) },
    Column { number: 15, value: |scene, row| gauge(of(scene, row)?.megabits_per_second) },
    Column { number: 18, value: |_, _| text("") },
];
