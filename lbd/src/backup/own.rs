//! What an appliance keeps of its own when it takes another one's backup. Pure.

use crate::config::Document;

/// `restored` with the network, the host name and the management address of the appliance whose configuration is `own`.
#[must_use]
pub fn kept(restored: &Document, own: &Document) -> Document {
    Document { network: own.network.clone(), management: own.management.clone(), ..restored.clone() }
}
