//! Rules of the fallback server of a virtual service.

use std::net::IpAddr;

use super::{Collector, host_address, port};
use crate::config::values::{Fault, quoted};
use crate::config::{FallbackServer, RealServer};
use crate::network::topology::Family;

/// A fallback server that is valid beside the addresses and servers of its service; the outer `None` where what was
/// given is not.
pub(super) fn fallback_server(
    check: &mut Collector,
    field: &str,
    text: Option<&str>,
    addresses: &[IpAddr],
    servers: &[RealServer],
) -> Option<Option<FallbackServer>> {
    let Some(text) = text else { return Some(None) };
    let field = format!("{field}.fallback_server");
    let server = check.take(&field, parsed(text))?;
    check.take(&field, fits(&server, addresses, servers))?;
    Some(Some(server))
}

fn parsed(text: &str) -> Result<FallbackServer, Fault> {
    let (address, number) = split(text);
    let number = number.map(|number| number.parse::<i64>().map_err(|_| no_port(number)).and_then(port));
    Ok(FallbackServer { address: host_address(address)?, port: number.transpose()? })
}

fn no_port(text: &str) -> Fault {
    Fault::new(
        format!("{} is not a port", quoted(text)),
        "give an address and a port such as 192.168.10.120:2001, or an address alone for the port that the client \
         asked for",
    )
}

/// An IPv6 address stands in brackets where a port follows (RFC 3986 section 3.2.2).
fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        return (address, Some(port));
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}

fn fits(server: &FallbackServer, addresses: &[IpAddr], servers: &[RealServer]) -> Result<(), Fault> {
    let family = Family::of(server.address);
    if !addresses.iter().any(|address| Family::of(*address) == family) {
        return Err(Fault::new(
            format!("{} is an {family} address, and the service has none", server.address),
            format!(
                "give a fallback server of the service's family, or add an {family} address to the service"
            ),
        ));
    }
    let same = servers.iter().find(|real| (real.address, real.port) == (server.address, server.port));
    same.map_or(Ok(()), |real| {
        Err(Fault::new(
            format!("{server} is the real server {}", real.label),
            "give another server: this one has failed whenever the fallback server is needed",
        ))
    })
}
