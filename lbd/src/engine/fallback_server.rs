//! What people may know of the fallback server of a service.

use super::Engine;
use super::picture::traffic;
use crate::config::{Fallback, FallbackServer, VirtualService};
use crate::network::topology::Family;
use crate::plan::ServicePlan;
use crate::traffic::numbering::fallback_counter;
use crate::view::FallbackServerView;

impl Engine {
    /// `None` where the service has none.
    pub(super) fn fallback_view(
        &self,
        service: &VirtualService,
        plan: &ServicePlan,
    ) -> Option<FallbackServerView> {
        let (server, source) = service.fallback_server.zip(plan.fallback_server.as_ref())?;
        let mark = self.numbering.fallback(&service.label);
        let figures = mark.and_then(|mark| self.connections.figures(mark.get()));
        let throughput = self.connections.rate(mark);
        let counter = fallback_counter(service.label.as_str());
        Some(FallbackServerView {
            address: server.address,
            port: server.port,
            serving: mark.is_some_and(|mark| self.kernel.serves(mark)),
            snat_source: source.address,
            snat_reason: source.reason.clone(),
            connections_opened: self.counters.value(&counter),
            traffic: traffic(self.counters.rate(&counter), figures.as_ref(), throughput),
        })
    }
}

/// That it serves, for who reads why a service is not well.
pub(super) fn serves(server: Option<&FallbackServerView>) -> Option<String> {
    let server = server.filter(|server| server.serving)?;
    let place = FallbackServer { address: server.address, port: server.port };
    Some(format!(
        "the fallback server {place} is serving, as no real server takes new clients; it is not checked"
    ))
}

/// What clients meet when no server is left.
pub(super) fn without_server(service: &VirtualService, server: Option<&FallbackServerView>) -> String {
    let otherwise = match service.fallback {
        Fallback::Refuse => "connections are refused at once",
        Fallback::DicomReject => {
            "associations are rejected as temporary congestion, so that modalities try again"
        }
        Fallback::HttpPage => "a page is shown over HTTP (status 503)",
    };
    let Some(place) = service.fallback_server else { return otherwise.to_owned() };
    let first = match server.is_some_and(|server| server.serving) {
        true => format!("the fallback server {place} is serving"),
        false => format!("the fallback server {place} serves"),
    };
    let other = service.families().find(|family| *family != Family::of(place.address));
    other.map_or_else(|| first.clone(), |family| format!("{first}; over {family} {otherwise}"))
}
