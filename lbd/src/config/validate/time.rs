//! Rules of date and time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::{Collector, host_address};
use crate::clock::zone;
use crate::config::document::TimeDocument;
use crate::config::values::{Fault, HostName, quoted};
use crate::config::{NtpServer, TimeSettings};

/// Four are enough to find one that is wrong (RFC 8633 section 3.2); each is asked every minute.
pub(crate) const MOST_SERVERS: usize = 8;

/// What is valid of the section; what is not has been reported.
pub(super) fn settings(check: &mut Collector, document: Option<&TimeDocument>) -> TimeSettings {
    let zone = document.and_then(|document| document.zone.as_deref());
    let zone = zone.and_then(|name| check.take("time.zone", named(name)));
    let servers = document.map_or(&[][..], |document| &document.ntp_servers);
    if servers.len() > MOST_SERVERS {
        let problem = format!("{} NTP servers are more than the {MOST_SERVERS} allowed", servers.len());
        check.report("time.ntp_servers", Fault::new(problem, "leave the best four"));
    }
    let mut seen = BTreeMap::new();
    let mut ntp_servers = Vec::new();
    for (index, text) in servers.iter().take(MOST_SERVERS).enumerate() {
        let field = format!("time.ntp_servers[{index}]");
        let Some(server) = check.take(&*field, server(text)) else { continue };
        match seen.insert(text.to_ascii_lowercase(), index) {
            None => ntp_servers.push(server),
            Some(first) => {
                let problem = format!("{} is already entry {}", quoted(text), first + 1);
                check.report(field, Fault::new(problem, "name each server once"));
            }
        }
    }
    TimeSettings { zone: zone.unwrap_or(TimeZone::UTC), ntp_servers }
}

/// The zone of this IANA name.
pub(crate) fn named(name: &str) -> Result<TimeZone, Fault> {
    zone::named(name).ok_or_else(|| {
        let problem = format!("there is no time zone {}", quoted(name));
        Fault::new(problem, "give an IANA name, for example UTC, Europe/Berlin or America/New_York")
    })
}

fn server(text: &str) -> Result<NtpServer, Fault> {
    if text.contains(':') || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return host_address(text).map(NtpServer::Address);
    }
    HostName::try_from(text).map(NtpServer::Name).map_err(|_| {
        let remedy = "give a name or an address, for example ntp.hospital.example or 192.168.10.3";
        Fault::new(format!("{} is neither a host name nor an address", quoted(text)), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(zone: Option<&str>, servers: &[&str]) -> (TimeSettings, Vec<String>) {
        let document = TimeDocument {
            zone: zone.map(str::to_owned),
            ntp_servers: servers.iter().map(|server| (*server).to_owned()).collect(),
        };
        let mut check = Collector::default();
        let settings = settings(&mut check, Some(&document));
        (settings, check.problems.into_iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn names_and_addresses_of_both_families_are_taken() {
        let (settings, problems) =
            checked(Some("Europe/Berlin"), &["ntp.hospital.example", "192.168.10.3", "fd00::3"]);
        assert_eq!(problems, [""; 0]);
        let shown: Vec<_> = settings.ntp_servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["ntp.hospital.example", "192.168.10.3", "fd00::3"]);
        assert_eq!(settings.zone.iana_name(), Some("Europe/Berlin"));
        let (settings, problems) = checked(None, &[]);
        assert_eq!((settings.zone, problems.len()), (TimeZone::UTC, 0));
    }

    #[test]
    fn each_mistake_is_named() {
        for zone in ["", "Europe/Atlantis", "CET+1", "../../etc/passwd", "europe"] {
            assert_eq!(checked(Some(zone), &[]).1, ["time.zone"], "{zone}");
        }
        for server in ["", "-x", "192.168.10", "192.168.10.3:123", "224.0.1.1", "fe80::1", "a b"] {
            assert_eq!(checked(None, &["a.example", server]).1, ["time.ntp_servers[1]"], "{server}");
        }
        assert_eq!(checked(None, &["a.example", "A.example"]).1, ["time.ntp_servers[1]"]);
        let many: Vec<_> = (0..=MOST_SERVERS).map(|number| format!("ntp{number}.example")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(checked(None, &many).1, ["time.ntp_servers"]);
    }
}
