//! What has a history, and which figures. Pure.

use super::FIGURES;

/// How a figure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Things a second.
    PerSecond,
    /// Bytes a second, shown as bits.
    Throughput,
    /// Bytes.
    Bytes,
    /// Of a hundred.
    Percent,
    /// Thousandths of a second.
    Milliseconds,
}

impl Unit {
    /// As the API says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "1",
            Self::PerSecond => "1/s",
            Self::Throughput => "bytes/s",
            Self::Bytes => "bytes",
            Self::Percent => "percent",
            Self::Milliseconds => "ms",
        }
    }
}

/// A figure of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// As the API names it.
    pub name: &'static str,
    /// As people call it.
    pub title: &'static str,
    /// How it is shown.
    pub unit: Unit,
}

const fn figure(name: &'static str, title: &'static str, unit: Unit) -> Figure {
    Figure { name, title, unit }
}

const TRAFFIC: [Figure; 4] = [
    figure("connections", "open connections", Unit::Count),
    figure("new_connections", "new connections", Unit::PerSecond),
    figure("bytes_in", "from clients", Unit::Throughput),
    figure("bytes_out", "to clients", Unit::Throughput),
];

/// What kind of thing; the beginning of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The appliance as a whole.
    Appliance,
    /// A network interface.
    Interface,
    /// A virtual service.
    Service,
    /// A real server in one service.
    Server,
}

impl Kind {
    /// Its figures, in the order in which a cell has them; at most [`FIGURES`].
    pub fn figures(self) -> &'static [Figure] {
        const APPLIANCE: &[Figure] = &[
            figure("cpu", "processors", Unit::Percent),
            figure("memory", "memory", Unit::Percent),
            figure("disk", "disk", Unit::Percent),
            figure("load", "processes that run or wait", Unit::Count),
            figure("daemon_memory", "memory of lbd", Unit::Bytes),
            figure("connections", "open connections", Unit::Count),
            figure("new_connections", "new connections", Unit::PerSecond),
        ];
        const INTERFACE: &[Figure] = &[
            figure("bytes_in", "received", Unit::Throughput),
            figure("bytes_out", "sent", Unit::Throughput),
            figure("packets_in", "packets received", Unit::PerSecond),
            figure("packets_out", "packets sent", Unit::PerSecond),
            figure("errors", "packets damaged or dropped", Unit::PerSecond),
        ];
        const SERVICE: [Figure; FIGURES] = [
            TRAFFIC[0],
            TRAFFIC[1],
            TRAFFIC[2],
            TRAFFIC[3],
            figure("servers_up", "servers that take new connections", Unit::Count),
            figure("available", "available", Unit::Percent),
            figure("snat_ports", "SNAT ports in use, where they are scarcest", Unit::Percent),
        ];
        const SERVER: [Figure; FIGURES] = [
            TRAFFIC[0],
            TRAFFIC[1],
            TRAFFIC[2],
            TRAFFIC[3],
            figure("check", "duration of the health check", Unit::Milliseconds),
            figure("available", "available", Unit::Percent),
            figure("snat_ports", "SNAT ports in use", Unit::Percent),
        ];
        match self {
            Self::Appliance => APPLIANCE,
            Self::Interface => INTERFACE,
            Self::Service => &SERVICE,
            Self::Server => &SERVER,
        }
    }

    /// Of the thing with this key; `None` for what is no key.
    pub fn of(key: &str) -> Option<Self> {
        let parts: Vec<_> = key.split('/').collect();
        match parts.as_slice() {
            ["appliance"] => Some(Self::Appliance),
            ["interface", _] => Some(Self::Interface),
            ["service", _] => Some(Self::Service),
            ["server", _, _] => Some(Self::Server),
            _ => None,
        }
    }
}

/// The key of the appliance.
pub const APPLIANCE: &str = "appliance";

/// The key of an interface.
pub fn interface(name: &str) -> String {
    format!("interface/{name}")
}

/// The key of a service.
pub fn service(label: &str) -> String {
    format!("service/{label}")
}

/// The key of a server in a service.
pub fn server(service: &str, label: &str) -> String {
    format!("server/{service}/{label}")
}

/// A series, as `service/POOL/connections` names it: the key of the thing, and the place and nature of the figure.
pub fn series(name: &str) -> Option<(&str, usize, Figure)> {
    let (key, figure) = name.rsplit_once('/')?;
    let figures = Kind::of(key)?.figures();
    let at = figures.iter().position(|known| known.name == figure)?;
    Some((key, at, figures[at]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_figures_of_different_names_that_fit() {
        for kind in [Kind::Appliance, Kind::Interface, Kind::Service, Kind::Server] {
            let figures = kind.figures();
            let names: BTreeSet<_> = figures.iter().map(|figure| figure.name).collect();
            assert!(names.len() == figures.len() && figures.len() <= FIGURES, "{kind:?}");
        }
    }

    #[test]
    fn a_series_is_named_by_thing_and_figure() {
        let found = |name: &str| series(name).map(|(key, at, figure)| (key.to_owned(), at, figure.unit));
        assert_eq!(found("appliance/cpu"), Some(("appliance".into(), 0, Unit::Percent)));
        assert_eq!(found("server/A/N1/check"), Some(("server/A/N1".into(), 4, Unit::Milliseconds)));
        for wrong in ["cpu", "service/A", "service/A/cpu", "server/A/check", "", "/", "appliance/x"] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
    }
}
