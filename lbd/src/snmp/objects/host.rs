//! HOST-RESOURCES-MIB (RFC 2790) and UCD-SNMP-MIB: memory, disk, processors, load.

use async_snmp::{Oid, Value};

use super::{Column, Row, Scene, Table, counter32, gauge, integer, number, text};

/// Where net-snmp begins to number processors, which existing dashboards expect.
const FIRST_PROCESSOR: u32 = 196_608;
const RUNNING: i32 = 2;
/// Averages of so many minutes.
const LOADS: [&str; 3] = ["Load-1", "Load-5", "Load-15"];
const STORAGE: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 2, 1];
const PROCESSOR: &[u32] = &[1, 3, 6, 1, 2, 1, 25, 3, 1, 3];

pub(super) fn tables(scene: &Scene) -> Vec<Table> {
    let rows = |count: usize| (0..count).map(|index| (vec![number(index)], (index, 0))).collect();
    let processors = || {
        let numbers = 0..scene.figures.processors.len();
        numbers.map(|index| (vec![processor(index)], (index, 0))).collect()
    };
    vec![
        Table::scalars(&[1, 3, 6, 1, 2, 1, 25, 1], SYSTEM),
        Table::scalars(&[1, 3, 6, 1, 2, 1, 25, 2], MEMORY_SIZE),
        Table {
            entry: &[1, 3, 6, 1, 2, 1, 25, 2, 3, 1],
            columns: STORAGES,
            rows: rows(1 + usize::from(scene.figures.disk.is_some())),
        },
        Table { entry: &[1, 3, 6, 1, 2, 1, 25, 3, 2, 1], columns: DEVICES, rows: processors() },
        Table { entry: &[1, 3, 6, 1, 2, 1, 25, 3, 3, 1], columns: PROCESSORS, rows: processors() },
        Table::scalars(&[1, 3, 6, 1, 4, 1, 2021, 4], UCD_MEMORY),
        Table { entry: &[1, 3, 6, 1, 4, 1, 2021, 10, 1], columns: UCD_LOAD, rows: rows(LOADS.len()) },
        Table::scalars(&[1, 3, 6, 1, 4, 1, 2021, 11], UCD_PROCESSOR),
    ]
}

fn processor(index: usize) -> u32 {
    FIRST_PROCESSOR + u32::try_from(index).unwrap_or_default()
}

const SYSTEM: &[Column] = &[
    Column { number: 1, value: |scene, _| Some(Value::TimeTicks(scene.figures.uptime_hundredths as u32)) },
    Column { number: 5, value: |_, _| gauge(0) },
    Column { number: 6, value: |scene, _| gauge(scene.figures.processes) },
];

const MEMORY_SIZE: &[Column] = &[Column { number: 2, value: |scene, _| integer(scene.figures.memory.total) }];

/// Bytes of a unit, units, and units in use.
fn storage(scene: &Scene, row: Row) -> Option<(u64, u64, u64)> {
    match row.0 {
        0 => {
            let memory = &scene.figures.memory;
            Some((1024, memory.total, memory.total.saturating_sub(memory.available)))
        }
        _ => scene.figures.disk.map(|disk| (disk.unit, disk.all, disk.all.saturating_sub(disk.free))),
    }
}

const STORAGES: &[Column] = &[
    Column { number: 1, value: |_, row| integer(number(row.0)) },
    Column {
        number: 2,
        value: |_, row| {
            // hrStorageRam, hrStorageFixedDisk.
            let kind = if row.0 == 0 { 2 } else { 4 };
            Some(Value::ObjectIdentifier(Oid::from_slice(&[STORAGE, &[kind]].concat())))
        },
    },
    Column { number: 3, value: |_, row| text(if row.0 == 0 { "Physical memory" } else { "/data" }) },
    Column { number: 4, value: |scene, row| integer(storage(scene, row)?.0) },
    Column { number: 5, value: |scene, row| integer(storage(scene, row)?.1) },
    Column { number: 6, value: |scene, row| integer(storage(scene, row)?.2) },
];

const DEVICES: &[Column] = &[
    Column { number: 1, value: |_, row| integer(processor(row.0)) },
    Column { number: 2, value: |_, _| Some(Value::ObjectIdentifier(Oid::from_slice(PROCESSOR))) },
    Column { number: 3, value: |_, _| text("Processor") },
    Column { number: 5, value: |_, _| integer(RUNNING) },
];

const PROCESSORS: &[Column] = &[
    Column { number: 1, value: |_, _| Some(Value::ObjectIdentifier(Oid::from_slice(&[0, 0]))) },
    Column { number: 2, value: |scene, row| integer(*scene.figures.processors.get(row.0)?) },
];

const UCD_MEMORY: &[Column] = &[
    Column { number: 1, value: |_, _| integer(0) },
    Column { number: 2, value: |_, _| text("swap") },
    Column { number: 3, value: |scene, _| integer(scene.figures.memory.swap_total) },
    Column { number: 4, value: |scene, _| integer(scene.figures.memory.swap_free) },
    Column { number: 5, value: |scene, _| integer(scene.figures.memory.total) },
    Column { number: 6, value: |scene, _| integer(scene.figures.memory.free) },
    Column {
        number: 11,
        value: |scene, _| {
            let memory = &scene.figures.memory;
            integer(memory.free.saturating_add(memory.swap_free))
        },
    },
    Column { number: 13, value: |scene, _| integer(scene.figures.memory.shared) },
    Column { number: 14, value: |scene, _| integer(scene.figures.memory.buffers) },
    Column { number: 15, value: |scene, _| integer(scene.figures.memory.cached) },
];

fn load(scene: &Scene, row: Row) -> Option<f64> {
    scene.figures.load.get(row.0).copied()
}

const UCD_LOAD: &[Column] = &[
    Column { number: 1, value: |_, row| integer(number(row.0)) },
    Column { number: 2, value: |_, row| text(*LOADS.get(row.0)?) },
    Column { number: 3, value: |scene, row| text(format!("{:.2}", load(scene, row)?)) },
    // In hundredths.
    Column { number: 5, value: |scene, row| integer((load(scene, row)? * 100.0).round() as i64) },
];

const UCD_PROCESSOR: &[Column] = &[
    Column { number: 50, value: |scene, _| counter32(scene.figures.ticks.user) },
    Column { number: 51, value: |scene, _| counter32(scene.figures.ticks.nice) },
    Column { number: 52, value: |scene, _| counter32(scene.figures.ticks.system) },
    Column { number: 53, value: |scene, _| counter32(scene.figures.ticks.idle) },
    Column { number: 54, value: |scene, _| counter32(scene.figures.ticks.waiting) },
    Column { number: 56, value: |scene, _| counter32(scene.figures.ticks.interrupts) },
    Column { number: 61, value: |scene, _| counter32(scene.figures.ticks.soft_interrupts) },
];
