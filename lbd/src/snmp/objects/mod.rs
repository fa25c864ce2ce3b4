//! What managers may ask for: tables of objects, read from the View and from the kernel's figures. Pure.

mod evenkeel;
mod host;
mod interfaces;
mod lvs;
mod system;
mod table;

use std::sync::Arc;

use async_snmp::Value;
use jiff::Timestamp;

pub(super) use evenkeel::short_text;
pub(super) use system::OURS;
pub(super) use table::{Column, Row, Table};

use super::figures::Figures;
use crate::view::{ServerView, ServiceView, SnmpCounters};
use crate::web::Published;

/// Everything that objects are made of, at one instant.
pub(super) struct Scene {
    pub(super) published: Arc<Published>,
    pub(super) figures: Figures,
    pub(super) counters: SnmpCounters,
    pub(super) location: String,
    pub(super) contact: String,
    /// Hundredths of a second since the agent began.
    pub(super) uptime: u32,
    pub(super) now: Timestamp,
}

impl Scene {
    fn services(&self) -> &[ServiceView] {
        &self.published.view.virtual_services
    }

    fn service(&self, row: Row) -> Option<&ServiceView> {
        self.services().get(row.0)
    }

    fn server(&self, row: Row) -> Option<&ServerView> {
        self.service(row)?.real_servers.get(row.1)
    }

    /// Rows of all services; numbers begin with one.
    fn service_rows(&self) -> Vec<(Vec<u32>, Row)> {
        (0..self.services().len()).map(|index| (vec![number(index)], (index, 0))).collect()
    }

    /// Rows of all servers, by the numbers of service and server.
    fn server_rows(&self) -> Vec<(Vec<u32>, Row)> {
        let rows = self.services().iter().enumerate().flat_map(|(service, view)| {
            let servers = 0..view.real_servers.len();
            servers.map(move |server| (vec![number(service), number(server)], (service, server)))
        });
        rows.collect()
    }
}

/// Everything at one instant, in the order of the names.
pub(super) struct Catalogue {
    scene: Scene,
    tables: Vec<Table>,
}

impl Catalogue {
    pub(super) fn new(scene: Scene) -> Self {
        let mut tables = system::tables(&scene);
        tables.extend(interfaces::tables(&scene));
        tables.extend(host::tables(&scene));
        tables.extend(lvs::tables(&scene));
        tables.extend(evenkeel::tables(&scene));
        tables.sort_by_key(|table| table.entry);
        Self { scene, tables }
    }

    /// The value of this object.
    pub(super) fn get(&self, name: &[u32]) -> Found {
        // The longest is the last that fits: tables stand below groups of scalars.
        let table = self.tables.iter().rfind(|table| name.starts_with(table.entry));
        table.map_or(Found::NoObject, |table| table.get(&self.scene, name))
    }

    /// The first object behind this name.
    pub(super) fn next(&self, name: &[u32]) -> Option<(Vec<u32>, Value)> {
        self.tables.iter().find_map(|table| table.next(&self.scene, name))
    }
}

/// What there is under a name.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Value(Value),
    /// There is no such object.
    NoObject,
    /// The object has no such row.
    NoInstance,
}

/// The number of what stands at `index`.
fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn text(text: impl Into<String>) -> Option<Value> {
    Some(Value::OctetString(text.into().into()))
}

/// A whole number; the largest there is for what is larger.
fn integer(number: impl TryInto<i32>) -> Option<Value> {
    Some(Value::Integer(number.try_into().unwrap_or(i32::MAX)))
}

/// Begins anew at nothing when it is full, as counters of 32 bits do (RFC 2578 section 7.1.6).
fn counter32(number: u64) -> Option<Value> {
    Some(Value::Counter32(number as u32))
}

fn counter64(number: u64) -> Option<Value> {
    Some(Value::Counter64(number))
}

/// Stays at its largest (RFC 2578 section 7.1.7).
fn gauge(number: u64) -> Option<Value> {
    Some(Value::Gauge32(u32::try_from(number).unwrap_or(u32::MAX)))
}

/// A rate, rounded.
fn rate(number: Option<f64>) -> Option<Value> {
    gauge(number.unwrap_or_default().round().max(0.0) as u64)
}

/// Hundredths of a second from then until now.
fn ticks(scene: &Scene, since: Timestamp) -> Option<Value> {
    let hundredths = scene.now.duration_since(since).as_millis().max(0) / 10;
    Some(Value::TimeTicks(hundredths as u32))
}

#[cfg(test)]
mod tests;
