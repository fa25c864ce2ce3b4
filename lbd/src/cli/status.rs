//! The View as text for a terminal.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use crate::console::facts::service_word;
use crate::view::{FallbackServerView, ServerState, ServerView, TrafficView, View};
use crate::web::pages::ago;

/// One paragraph a service, one line a server.
pub fn text(view: &View, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}: {}, version {}, configuration version {}, running for {}",
        view.host_name,
        service_word(view.state),
        view.version,
        view.configuration_version,
        ago(view.started, now)
    );
    if let Some(services) = &view.guest_services {
        let since = ago(services.since, now);
        let _ = writeln!(text, "VMware guest services: {} (for {since})", services.reason);
    }
    for problem in &view.problems {
        let _ = writeln!(text, "! {problem}");
    }
    for service in &view.virtual_services {
        let _ = writeln!(
            text,
            "\n{:<9} {} {} ({}; {} connections opened)",
            service_word(service.state),
            service.label,
            service.place(),
            traffic_words(&service.traffic),
            service.connections_opened
        );
        if let Some(problem) = &service.problem {
            let _ = writeln!(text, "  ! {problem}");
        }
        for server in &service.real_servers {
            let _ = writeln!(text, "  {}", server_line(server, now));
        }
        if let Some(server) = &service.fallback_server {
            let _ = writeln!(text, "  {}", fallback_line(server));
        }
    }
    text
}

fn server_line(server: &ServerView, now: Timestamp) -> String {
    let place = place(server.address, server.port);
    let source = match server.snat_pool.len() {
        0 | 1 => source_words(server.snat_source),
        many => format!("seen as one of {many} addresses"),
    };
    let not_taken = match server.connections_not_taken {
        0 => String::new(),
        count => format!(", {count} not taken"),
    };
    format!(
        "{:<8} {} {place} for {}: {} ({}; weight {}, {}, {}; {} connections opened{not_taken})",
        server_word(server.state),
        server.label,
        ago(server.since, now),
        server.reason,
        server.check,
        server.weight,
        source,
        traffic_words(&server.traffic),
        server.connections_opened
    )
}

fn fallback_line(server: &FallbackServerView) -> String {
    format!(
        "{:<8} fallback server {} ({}, {}; {} connections opened)",
        if server.serving { "SERVING" } else { "waiting" },
        place(server.address, server.port),
        source_words(server.snat_source),
        traffic_words(&server.traffic),
        server.connections_opened
    )
}

fn place(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| SocketAddr::new(address, port).to_string())
}

fn source_words(source: Option<IpAddr>) -> String {
    source.map_or("no source address".to_owned(), |source| format!("seen as {source}"))
}

fn traffic_words(traffic: &TrafficView) -> String {
    let now = traffic.connections_now.map_or_else(|| "?".to_owned(), |now| now.to_string());
    let rate = |rate: Option<f64>, digits: usize| {
        rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.digits$}"))
    };
    format!(
        "{now} connections, {} new/s, {} bytes in, {} out, {} and {} a second",
        rate(traffic.connections_per_second, 1),
        traffic.bytes_in,
        traffic.bytes_out,
        rate(traffic.bytes_in_per_second, 0),
        rate(traffic.bytes_out_per_second, 0)
    )
}

fn server_word(state: ServerState) -> &'static str {
    match state {
        ServerState::Up => "up",
        ServerState::Checking => "checking",
        ServerState::Down => "DOWN",
        ServerState::Drained => "drained",
        ServerState::Halted => "halted",
        ServerState::Off => "off",
    }
}
