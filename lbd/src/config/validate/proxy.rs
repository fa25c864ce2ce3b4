//! Rules of services whose bytes lbd moves itself.

use std::net::IpAddr;

use super::Collector;
use super::services::Services;
use crate::config::values::{Fault, quoted};
use crate::config::{ForwardingMethod, Layer4, Ports, Protocol};

/// lbd opens a socket for each address and port: so many of one service are enough for whoever needs a range, and a
/// fraction of the files that lbd may open.
const MOST_PLACES: usize = 256;
/// The same of all services together.
const MOST_PLACES_IN_ALL: usize = 4_096;

pub(super) fn forwarding_method(text: Option<&str>) -> Result<ForwardingMethod, Fault> {
    match text {
        None | Some("snat") => Ok(ForwardingMethod::Snat),
        Some("proxy") => Ok(ForwardingMethod::Proxy),
        Some(other) => Err(Fault::new(
            format!("the forwarding method {} is not known", quoted(other)),
            "use \"snat\" (the kernel forwards) or \"proxy\" (lbd forwards, and tries the next server when one does not \
             answer)",
        )),
    }
}

/// What lbd can listen to.
pub(super) fn can_be_proxied(
    check: &mut Collector,
    field: &str,
    protocol: Protocol,
    addresses: &[IpAddr],
    ports: &Ports,
) {
    if protocol != Protocol::Tcp {
        let problem = format!("\"proxy\" forwards TCP only, and the protocol of this service is {protocol}");
        let remedy = "use forwarding_method = \"snat\", or protocol = \"tcp\"; for both make two services";
        check.report(format!("{field}.forwarding_method"), Fault::new(problem, remedy));
    }
    let places = ports.count() * addresses.len();
    if places > MOST_PLACES {
        let problem =
            format!("{places} addresses and ports are too many for \"proxy\", which listens on each");
        let remedy = format!("give at most {MOST_PLACES}, or use forwarding_method = \"snat\"");
        check.report(format!("{field}.ports"), Fault::new(problem, remedy));
    }
}

/// The port of lbd's own answers listens on every address.
pub(super) fn own_ports_stay_free(check: &mut Collector, layer4: &Layer4, services: &Services) {
    for (index, service) in services.iter().filter(|(_, service)| service.is_proxied()) {
        let port = layer4.fallback_page_port;
        if service.ports.contain(port) {
            let problem = format!("lbd itself answers on port {port}, and so cannot proxy it");
            let fault = Fault::new(problem, "use another port, or forwarding_method = \"snat\"");
            check.report(format!("virtual_service[{index}].ports"), fault);
        }
    }
}

pub(super) fn places_are_few(check: &mut Collector, services: &Services) {
    let mut places = 0;
    for (index, service) in services.iter().filter(|(_, service)| service.is_proxied()) {
        let before = places;
        places += service.ports.count() * service.addresses.len();
        if places > MOST_PLACES_IN_ALL && before <= MOST_PLACES_IN_ALL {
            let problem = format!(
                "with this service lbd would proxy more than {MOST_PLACES_IN_ALL} addresses and ports"
            );
            let fault = Fault::new(problem, "give fewer ports, or use forwarding_method = \"snat\"");
            check.report(format!("virtual_service[{index}].ports"), fault);
        }
    }
}
