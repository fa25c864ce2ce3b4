//! The View as text for a terminal.

use std::fmt::Write;
use std::net::SocketAddr;

use jiff::Timestamp;

use crate::view::{ServerState, ServerView, ServiceState, TrafficView, View};
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
    }
    text
}

fn server_line(server: &ServerView, now: Timestamp) -> String {
    let place = match (server.address, server.port) {
        (address, Some(port)) => SocketAddr::new(address, port).to_string(),
        (address, None) => address.to_string(),
    };
    let source =
        server.snat_source.map_or("no source address".to_owned(), |source| format!("seen as {source}"));
    format!(
        "{:<8} {} {place} for {}: {} ({}; weight {}, {}, {}; {} connections opened)",
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

fn traffic_words(traffic: &TrafficView) -> String {
    let now = traffic.connections_now.map_or_else(|| "?".to_owned(), |now| now.to_string());
    format!(
        "{now} connections, {:.1} new/s, {} bytes in, {} out",
        traffic.connections_per_second, traffic.bytes_in, traffic.bytes_out
    )
}

fn service_word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Up => "UP",
        ServiceState::Checking => "CHECKING",
        ServiceState::Degraded => "DEGRADED",
        ServiceState::Down => "DOWN",
        ServiceState::Off => "off",
    }
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
