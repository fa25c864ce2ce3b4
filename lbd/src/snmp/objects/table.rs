//! A table of objects, whose values are made when they are asked for: a thousand services of ten servers cost nothing while
//! nobody looks.

use async_snmp::Value;

use super::{Found, Scene};

/// Where a row's values are found: for example the positions of a service and of a server in it.
pub(in crate::snmp) type Row = (usize, usize);

/// A column, or in a group of scalars one of them.
pub(in crate::snmp) struct Column {
    pub(in crate::snmp) number: u32,
    /// `None` where this row has no such value.
    pub(in crate::snmp) value: fn(&Scene, Row) -> Option<Value>,
}

/// A table; or a group of scalars, which is a table of the one row 0.
pub(in crate::snmp) struct Table {
    /// The name of its entry, or of its group.
    pub(in crate::snmp) entry: &'static [u32],
    /// By number.
    pub(in crate::snmp) columns: &'static [Column],
    /// By index.
    pub(in crate::snmp) rows: Vec<(Vec<u32>, Row)>,
}

impl Table {
    /// Scalars.
    pub(in crate::snmp) fn scalars(group: &'static [u32], columns: &'static [Column]) -> Self {
        Self { entry: group, columns, rows: vec![(vec![0], (0, 0))] }
    }

    pub(super) fn get(&self, scene: &Scene, name: &[u32]) -> Found {
        let Some([number, index @ ..]) = name.strip_prefix(self.entry) else { return Found::NoObject };
        let Ok(column) = self.columns.binary_search_by_key(number, |column| column.number) else {
            return Found::NoObject;
        };
        let row = self.rows.binary_search_by(|(known, _)| known.as_slice().cmp(index));
        let value = row.ok().and_then(|row| (self.columns[column].value)(scene, self.rows[row].1));
        value.map_or(Found::NoInstance, Found::Value)
    }

    /// The first value behind `name`, which may be any name at all.
    pub(super) fn next(&self, scene: &Scene, name: &[u32]) -> Option<(Vec<u32>, Value)> {
        let (number, index) = match name.strip_prefix(self.entry) {
            Some([number, index @ ..]) => (*number, index),
            Some([]) => (0, &[][..]),
            None if name < self.entry => (0, &[][..]),
            None => return None,
        };
        let columns = self.columns.iter().filter(|column| column.number >= number);
        columns.into_iter().find_map(|column| {
            let begin = match column.number == number {
                true => self.rows.partition_point(|(known, _)| known.as_slice() <= index),
                false => 0,
            };
            self.rows[begin..].iter().find_map(|(index, row)| {
                let value = (column.value)(scene, *row)?;
                Some(([self.entry, &[column.number], index.as_slice()].concat(), value))
            })
        })
    }
}
