//! Makes the kernel have what the engine wants: rules, settings, addresses, in this order; and the proxy, which listens
//! before the rules let clients in, and follows when they do.
//!
//! Rules come before addresses, so that nothing is forwarded and no address answers without them. What is there already is not
//! touched. After a failure of the rules the table is read anew; one of the rest does not hinder the others.

use std::path::Path;
use std::sync::Arc;

use crate::engine::Outcome;
use crate::network::netlink::Netlink;
use crate::plan::Desired;
use crate::proxy::Proxy;
use crate::traffic::difference::difference;
use crate::traffic::listing::Listing;
use crate::traffic::nft::{self, NftError};

const SETTINGS_FOLDER: &str = "/proc/sys/net";

/// The way to the kernel; one task owns it.
#[derive(Debug)]
pub struct Dataplane {
    netlink: Netlink,
    proxy: Proxy,
    current: Current,
}

/// What is known of the kernel's table.
#[derive(Debug)]
enum Current {
    /// It was listed.
    Listed(Listing),
    /// This was applied last.
    Applied(Arc<Desired>),
    /// Nothing is certain.
    Unknown,
}

impl Dataplane {
    /// Starts from what the kernel was found to have.
    pub fn new(netlink: Netlink, proxy: Proxy, current: Listing) -> Self {
        Self { netlink, proxy, current: Current::Listed(current) }
    }

    /// Applies all of `desired` as far as it can be, and says what could not. Without the rules nothing else is done:
    /// the appliance forwards nothing that they do not allow.
    pub async fn apply(&mut self, desired: &Arc<Desired>, read_again: bool) -> Outcome {
        if read_again {
            self.current = Current::Unknown;
        }
        let mut failures = self.proxy.prepare(&desired.proxied).await;
        if let Err(error) = self.apply_rules(desired).await {
            return Outcome { rules: Err(error.to_string()), rest: Ok(()) };
        }
        self.proxy.follow(&desired.proxied).await;
        let settings = desired.settings.iter().filter_map(|(name, value)| write_setting(name, value).err());
        failures.extend(settings);
        failures.extend(self.netlink.place(&desired.places).await.iter().map(ToString::to_string));
        Outcome { rules: Ok(()), rest: if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) } }
    }

    async fn apply_rules(&mut self, desired: &Arc<Desired>) -> Result<(), NftError> {
        let script = match std::mem::replace(&mut self.current, Current::Unknown) {
            Current::Listed(listing) => difference(&listing, &desired.table.whole()),
            Current::Unknown => difference(&nft::list().await?, &desired.table.whole()),
            Current::Applied(before) => {
                let (before, after) = (&before.table, &desired.table);
                difference(&Listing::of(&before.but(after)), &after.but(before))
            }
        };
        if !script.is_empty() {
            nft::apply(&script).await?;
        }
        self.current = Current::Applied(desired.clone());
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
