//! What a refused change must leave as it was.

use std::collections::BTreeSet;

use crate::kernel::{Table, addresses};
use crate::topology::Lab;

/// Everything that a refused change must leave as it was: configuration, files, kernel.
#[derive(Debug)]
pub struct InForce {
    config: serde_json::Value,
    stored: Vec<(String, Vec<u8>)>,
    table: Table,
    addresses: BTreeSet<String>,
}

impl InForce {
    /// What is in force now.
    pub fn read(lab: &Lab) -> Self {
        Self {
            config: lab.lbd().config(),
            stored: lab.lbd().stored_files(),
            table: Table::read(lab.appliance()),
            addresses: addresses(lab.appliance()),
        }
    }

    /// Asserts that it still is.
    pub fn expect_still(&self, lab: &Lab, after: &str) {
        let now = Self::read(lab);
        assert_eq!(now.config, self.config, "configuration after: {after}");
        let differing = now.stored.iter().filter(|file| !self.stored.contains(file)).map(|(name, _)| name);
        assert_eq!(differing.collect::<Vec<_>>(), [""; 0], "files changed after: {after}");
        assert_eq!(now.stored.len(), self.stored.len(), "files gone after: {after}");
        now.table.expect_same_as(&self.table);
        assert_eq!(now.addresses, self.addresses, "addresses after: {after}");
    }
}
