//! The figures of one moment, from the published picture and from what the kernel says of the machine. Pure.

use super::cell::Code;
use super::system::{Interface, Reading};
use super::{FIGURES, MOST_SUBJECTS, subject};
use crate::view::{ServerState, ServerView, ServiceState, ServiceView, View};

/// The figures of a thing, in the order of [`subject::Kind::figures`].
pub type Figures = [Option<f64>; FIGURES];

/// The figures of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// The keys of the things, each in a line.
    pub names: String,
    /// Of each of them, as they are kept: a large farm has many.
    pub codes: Vec<[Code; FIGURES]>,
    /// So many things more are there than are recorded.
    pub left_out: usize,
}

impl Sample {
    /// Takes the figures. Rates of the machine lie between two readings, which are `seconds` apart.
    pub fn of(view: &View, reading: &Reading, before: Option<(&Reading, f64)>) -> Self {
        let mut sample = Self::default();
        sample.add(subject::APPLIANCE, appliance(view, reading, before));
        for (name, counters) in &reading.interfaces {
            let earlier = before.and_then(|(before, seconds)| Some((before.interfaces.get(name)?, seconds)));
            sample.add(&subject::interface(name), interface(counters, earlier));
        }
        for service in &view.virtual_services {
            sample.add(&subject::service(&service.label), of_service(service));
        }
        for service in &view.virtual_services {
            for server in &service.real_servers {
                sample.add(&subject::server(&service.label, &server.label), of_server(server));
            }
        }
        sample
    }

    /// One thing more.
    pub fn add(&mut self, key: &str, figures: Figures) {
        if self.codes.len() >= MOST_SUBJECTS {
            self.left_out += 1;
            return;
        }
        self.names.push_str(key);
        self.names.push('\n');
        self.codes.push(figures.map(Code::of));
    }
}

fn appliance(view: &View, reading: &Reading, before: Option<(&Reading, f64)>) -> Figures {
    let processors = before.and_then(|(before, _)| {
        let ((busy_before, all_before), (busy, all)) = (before.processors?, reading.processors?);
        let all = all.checked_sub(all_before).filter(|all| *all > 0)?;
        Some(100.0 * busy.saturating_sub(busy_before).min(all) as f64 / all as f64)
    });
    let traffic = || view.virtual_services.iter().map(|service| &service.traffic);
    let connections: Option<u64> = traffic().map(|traffic| traffic.connections_now).sum();
    [
        processors,
        reading.memory,
        reading.disk,
        reading.load,
        reading.daemon_memory,
        connections.map(|count| count as f64),
        traffic().map(|traffic| traffic.connections_per_second).sum(),
    ]
}

fn interface(now: &Interface, before: Option<(&Interface, f64)>) -> Figures {
    // A counter that is smaller than before was started anew: nobody knows how much it missed.
    let rate = |part: fn(&Interface) -> u64| {
        let (before, seconds) = before.filter(|(_, seconds)| *seconds > 0.0)?;
        Some(part(now).checked_sub(part(before))? as f64 / seconds)
    };
    [
        rate(|counters| counters.bytes[0]),
        rate(|counters| counters.bytes[1]),
        rate(|counters| counters.packets[0]),
        rate(|counters| counters.packets[1]),
        rate(|counters| counters.errors),
        None,
        None,
    ]
}

fn of_service(service: &ServiceView) -> Figures {
    let traffic = &service.traffic;
    let up = service.real_servers.iter().filter(|server| server.state == ServerState::Up).count();
    let available = match service.state {
        ServiceState::Up | ServiceState::Degraded => Some(100.0),
        ServiceState::Down => Some(0.0),
        ServiceState::Checking | ServiceState::Off => None,
    };
    let ports = service.real_servers.iter().filter_map(ports);
    [
        traffic.connections_now.map(|count| count as f64),
        traffic.connections_per_second,
        traffic.bytes_in_per_second,
        traffic.bytes_out_per_second,
        Some(up as f64),
        available,
        ports.reduce(f64::max),
    ]
}

fn of_server(server: &ServerView) -> Figures {
    let traffic = &server.traffic;
    // Who is drained or halted passes or fails no less than before, but takes nobody by somebody's will.
    let available = match server.state {
        ServerState::Up => Some(100.0),
        ServerState::Down => Some(0.0),
        ServerState::Drained if server.full => Some(100.0),
        ServerState::Checking | ServerState::Drained | ServerState::Halted | ServerState::Off => None,
    };
    // The duration is that of the last check that passed: while none does there is none.
    let check = server.check_milliseconds.filter(|_| server.state != ServerState::Down);
    [
        traffic.connections_now.map(|count| count as f64),
        traffic.connections_per_second,
        traffic.bytes_in_per_second,
        traffic.bytes_out_per_second,
        check,
        available,
        ports(server),
    ]
}

/// In percent; what is not counted is not known.
fn ports(server: &ServerView) -> Option<f64> {
    server.traffic.connections_now?;
    let available = server.snat_ports_available as f64;
    (available > 0.0).then(|| 100.0 * server.snat_ports_in_use as f64 / available)
}
