//! Each server's share of new clients: its weight, and what the counts of connections make of it.

use std::collections::BTreeMap;

use super::Engine;
use crate::config::{Config, RealServer, Scheduler, VirtualService};
use crate::network::topology::Family;
use crate::traffic::balance::{Balance, Load};
use crate::traffic::listing::Listing;
use crate::traffic::numbering::{Mark, Numbering};
use crate::traffic::ruleset::share_chain_name;

/// What is learnt from the counts, by service and family.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares {
    balances: BTreeMap<(Mark, Family), Balance>,
}

impl Shares {
    /// At start: the turns that the kernel has go on, so that a restart changes nothing by itself.
    pub(super) fn adopt(config: &Config, known: &Numbering, listing: &Listing) -> Self {
        let mut balances = BTreeMap::new();
        for service in config.services.iter().filter(|service| follows_counts(service)) {
            let Some(mark) = known.service(&service.label) else { continue };
            for family in service.families() {
                let Some(turns) = listing.turns.get(&share_chain_name(mark, family)) else { continue };
                let of = |server: &RealServer| {
                    let mark = known.server(&service.label, &server.label)?.get();
                    Some((mark, server.weight.get(), *turns.get(&mark)?))
                };
                balances.insert((mark, family), Balance::adopt(service.servers.iter().filter_map(of)));
            }
        }
        Self { balances }
    }
}

/// Whether the shares of its servers depend on the counts.
fn follows_counts(service: &VirtualService) -> bool {
    service.enabled && service.scheduler == Scheduler::WeightedLeastConnections && service.servers.len() > 1
}

impl Engine {
    /// Whether connections must be counted often.
    pub(super) fn counts_matter(&self) -> bool {
        self.config.services.iter().any(follows_counts)
    }

    /// Lets shares follow the latest count; true when one has changed by it.
    pub(super) fn follow_counts(&mut self) -> bool {
        let mut before = std::mem::take(&mut self.shares.balances);
        let mut changed = false;
        for service in self.config.services.iter().filter(|service| follows_counts(service)) {
            let Some(mark) = self.numbering.service(&service.label) else { continue };
            for family in service.families() {
                let mut balance = before.remove(&(mark, family)).unwrap_or_default();
                changed |= balance.follow(&self.loads(service, family));
                self.shares.balances.insert((mark, family), balance);
            }
        }
        changed
    }

    fn loads(&self, service: &VirtualService, family: Family) -> Vec<Load> {
        let servers = service.servers.iter().filter(|server| {
            Family::of(server.address) == family && server.takes_new() && self.in_service(service, server)
        });
        let load = |server: &RealServer| {
            let mark = self.numbering.server(&service.label, &server.label)?.get();
            let connections = self.connections.connections_now(mark).unwrap_or_default();
            Some(Load { mark, weight: server.weight.get(), connections })
        };
        servers.filter_map(load).collect()
    }

    /// A server's share of new clients in relation to the others' of its service and family.
    pub(super) fn share(&self, service: &VirtualService, server: &RealServer) -> u32 {
        let balanced = || {
            let of_service = self.numbering.service(&service.label)?;
            let balance = self.shares.balances.get(&(of_service, Family::of(server.address)))?;
            balance.share(self.numbering.server(&service.label, &server.label)?.get())
        };
        balanced().unwrap_or_else(|| server.weight.get().into())
    }

    /// Whether a server may take new connections now, as far as it is up to the server itself.
    pub(super) fn in_service(&self, service: &VirtualService, server: &RealServer) -> bool {
        self.checks.in_service(&service.label, &server.label)
    }
}
