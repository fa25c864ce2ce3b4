//! What the table says and offers, and how large it may become.

use serde_json::{Value, json};

use super::*;

/// Every field of a server that passes its check.
fn server(label: &str) -> Value {
    json!({
        "label": label, "address": "192.168.10.110", "port": 2001, "weight": 100, "share_percent": 25.0,
        "maximum_connections": null, "minimum_connections": null, "full": false, "state": "up",
        "since": "2026-11-25T10:00:00Z", "reason": "passes its check", "check": "DICOM C-ECHO to DW_SCP, port 2001",
        "check_milliseconds": 12.5, "snat_source": "192.168.10.100", "snat_reason": "the virtual address",
        "connections_opened": 123_456, "connections_now": 12, "connections_per_second": 3.5, "bytes_in": 1_234_567_890_u64,
        "bytes_out": 123_456_789, "packets_in": 1, "packets_out": 1, "snat_ports_in_use": 1, "snat_ports_available": 64512,
    })
}

fn view(services: usize, servers: &[Value]) -> View {
    let service = |number: usize| {
        json!({
            "label": format!("DATALINK_POOL{number}"), "addresses": [{"address": "192.168.10.100", "interface": "eth0"}],
            "ports": "2001", "protocol": "tcp", "state": if servers[0]["state"] == "down" { "down" } else { "up" }, "problem": null, "persistence_seconds": 300,
            "without_server": "connections are refused at once", "connections_opened": 123_456, "connections_now": 12,
            "connections_per_second": 3.5, "bytes_in": 1_234_567_890_u64, "bytes_out": 123_456_789,
            "bytes_in_per_second": 1_234_567.0, "bytes_out_per_second": 12_345.0, "packets_in": 1,
            "packets_out": 1, "recent_connections_per_second": (0..20).map(|step| f64::from(step * step % 17) + 0.123).collect::<Vec<_>>(),
            "real_servers": servers,
        })
    };
    let view = json!({
        "host_name": "lbmaster", "version": "0.1.0", "started": "2026-11-25T10:00:00Z", "configuration_version": 1,
        "checks": {"different": 1, "latest_start_milliseconds": 0.0}, "state": "up", "problems": [],
        "fast_path": {"available": true, "detail": ""}, "virtual_services": (0..services).map(service).collect::<Vec<_>>(),
    });
    serde_json::from_value(view).unwrap()
}

fn rendered(view: &View, role: Role) -> String {
    Live::new(view, &Selection::default(), role).render().unwrap()
}

fn orders(html: &str) -> Vec<&str> {
    let buttons = html.split("name=\"state\" value=\"").skip(1);
    buttons.filter_map(|button| button.split('"').next()).collect()
}

#[test]
fn what_who_looks_may_not_order_is_not_offered() {
    let view = view(1, &[server("NODE1")]);
    assert_eq!(orders(&rendered(&view, Role::Operator)), ["drain", "halt"]);
    let html = rendered(&view, Role::Viewer);
    assert!(orders(&html).is_empty() && !html.contains("<form method"), "{html}");
}

#[test]
fn only_administrators_are_asked_about_a_trial() {
    let mut view = view(1, &[server("NODE1")]);
    view.pending_confirmation = Some(
        serde_json::from_value(
            json!({"version": 2, "until": "2026-11-25T10:02:00Z", "by": "loadbalancer", "comment": ""}),
        )
        .unwrap(),
    );
    for role in [Role::Viewer, Role::Operator, Role::Administrator] {
        let html = rendered(&view, role);
        assert!(html.contains("on trial"), "{html}");
        assert_eq!(html.contains("/order/trial"), role == Role::Administrator);
    }
}

#[test]
fn what_passes_is_told_as_text() {
    let busy = view(2, &[server("NODE1")]);
    let html = rendered(&busy, Role::Viewer);
    assert!(html.contains("<small>9.9 Mbit/s in, 99 kbit/s out</small>"), "{html}");
    assert!(html.contains("<dd>20 Mbit/s in, 198 kbit/s out</dd>"), "the sum: {html}");
    let mut quiet = busy;
    for service in &mut quiet.virtual_services {
        (service.traffic.bytes_in_per_second, service.traffic.bytes_out_per_second) = (0.0, 0.0);
    }
    assert!(rendered(&quiet, Role::Viewer).contains("<dd>no traffic</dd>"));
}

#[test]
fn a_full_server_is_called_full_and_not_brought_back_by_hand() {
    let mut full = server("NODE1");
    full["state"] = "drained".into();
    full["full"] = true.into();
    full["reason"] = "full: has 10 connections of at most 10: takes new ones again at 7".into();
    let html = rendered(&view(1, &[full]), Role::Operator);
    assert!(html.contains(">full</b>") && !html.contains(">drained</b>"), "{html}");
    assert_eq!(orders(&html), ["drain", "halt"]);
}

/// With the frame around it, which is 8 kB, a page of 200 services of 4 servers has at most 150 kB. On a night on which all
/// fail it has more: the first twenty show their servers with the reasons.
#[test]
fn two_hundred_services_make_a_small_page() {
    let mut down = server("DATALINK_POOL_NODE1");
    down["state"] = "down".into();
    down["reason"] =
        "no route to host: 192.168.10.110 does not answer on its network; check that the server is \
                      switched on, its cable and its address"
            .into();
    for (server, what, most) in [(server("DATALINK_POOL_NODE1"), "up", 142_000), (down, "down", 240_000)] {
        let size = rendered(
            &view(200, &[server.clone(), server.clone(), server.clone(), server]),
            Role::Administrator,
        )
        .len();
        assert!(size <= most, "{size} bytes where all are {what}");
    }
}
