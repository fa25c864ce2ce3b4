//! Makes the kernel have what the engine wants: settings, rules, addresses, in this order.
//!
//! Rules come before addresses, so that an address never answers without them. What is there already is not
//! touched. A failure leaves the rest undone and forgets what was known, so that the next apply reads it anew.

use std::path::Path;

use crate::network::netlink::Netlink;
use crate::plan::Desired;
use crate::traffic::difference::difference;
use crate::traffic::listing::Listing;
use crate::traffic::nft;

const SETTINGS_FOLDER: &str = "/proc/sys/net";

/// The way to the kernel; one task owns it.
#[derive(Debug)]
pub struct Dataplane {
    netlink: Netlink,
    /// What the kernel has; `None` when that is not certain.
    current: Option<Listing>,
}

impl Dataplane {
    /// Starts from what the kernel was found to have.
    pub fn new(netlink: Netlink, current: Listing) -> Self {
        Self { netlink, current: Some(current) }
    }

    /// Applies all of `desired`, or says what could not be applied.
    pub async fn apply(&mut self, desired: &Desired) -> Result<(), String> {
        let current = match self.current.take() {
            Some(current) => current,
            None => nft::list().await.map_err(|error| error.to_string())?,
        };
        for (name, value) in &desired.settings {
            write_setting(name, value)?;
        }
        let script = difference(&current, &desired.table);
        if !script.is_empty() {
            nft::apply(&script).await.map_err(|error| error.to_string())?;
        }
        self.netlink.place(&desired.places).await.map_err(|error| error.to_string())?;
        self.current = Some(Listing::of(&desired.table));
        Ok(())
    }
}

/// A value that is there already is not written again. An interface that has gone meanwhile needs none.
fn write_setting(name: &str, value: &str) -> Result<(), String> {
    let path = Path::new(SETTINGS_FOLDER).join(name);
    match std::fs::read_to_string(&path) {
        Ok(current) if current.trim() == value => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && name.contains("/conf/") => Ok(()),
        _ => std::fs::write(&path, value)
            .map_err(|error| format!("setting {} to {value}: {error}", path.display())),
    }
}
