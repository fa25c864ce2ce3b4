//! SNMPv2-MIB (RFC 3418): the groups system and snmp.

use async_snmp::{Oid, Value};

use super::{Column, Scene, Table, counter32, integer, text};

/// Room for experiments below net-snmp's number (NET-SNMP-MIB, `netSnmpPlaypen`), until there is an enterprise number of our
/// own.
pub(in crate::snmp) const OURS: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 6694];
/// `evenkeelAppliance` in EVENKEEL-MIB.
const APPLIANCE: u32 = 3;
/// Layers of the model that it serves: 72 is transport and application (RFC 3418, `sysServices`).
const SERVICES: i32 = 72;
/// `disabled` (RFC 3418, `snmpEnableAuthenTraps`): a wrong community is counted, and told to nobody.
const NO_AUTHENTICATION_TRAPS: i32 = 2;

pub(super) fn tables(_: &Scene) -> Vec<Table> {
    vec![Table::scalars(&[1, 3, 6, 1, 2, 1, 1], SYSTEM), Table::scalars(&[1, 3, 6, 1, 2, 1, 11], SNMP)]
}

const SYSTEM: &[Column] = &[
    Column { number: 1, value: |scene, _| text(description(scene)) },
    Column {
        number: 2,
        value: |_, _| Some(Value::ObjectIdentifier(Oid::from_slice(&[OURS, &[APPLIANCE]].concat()))),
    },
    Column { number: 3, value: |scene, _| Some(Value::TimeTicks(scene.uptime)) },
    Column { number: 4, value: |scene, _| text(&scene.contact) },
    Column { number: 5, value: |scene, _| text(&scene.published.view.host_name) },
    Column { number: 6, value: |scene, _| text(&scene.location) },
    Column { number: 7, value: |_, _| integer(SERVICES) },
];

fn description(scene: &Scene) -> String {
    format!("Evenkeel load balancer {}", scene.published.view.version)
}

const SNMP: &[Column] = &[
    Column { number: 1, value: |scene, _| counter32(scene.counters.received) },
    Column { number: 2, value: |scene, _| counter32(scene.counters.answered) },
    Column { number: 3, value: |scene, _| counter32(scene.counters.wrong_version) },
    Column { number: 4, value: |scene, _| counter32(scene.counters.wrong_community) },
    // The community may read and nothing else, and what it may not is answered.
    Column { number: 5, value: |_, _| counter32(0) },
    Column { number: 6, value: |scene, _| counter32(scene.counters.malformed) },
    Column { number: 30, value: |_, _| integer(NO_AUTHENTICATION_TRAPS) },
    Column { number: 31, value: |scene, _| counter32(scene.counters.dropped) },
    Column { number: 32, value: |_, _| counter32(0) },
];
