//! What the table says and offers, and how large it may become.

use serde_json::{Value, json};

use super::*;

/// Every field of a server that passes its check.
pub(super) fn server(label: &str) -> Value {
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
    // Nothing passes where no server is left.
    let (state, now, passing) = match servers[0]["state"] == "down" {
        true => ("down", 0, 0.0),
        false => ("up", 12, 1_234_567.0),
    };
    let service = |number: usize| {
        json!({
            "label": format!("DATALINK_POOL{number}"), "addresses": [{"address": "192.168.10.100", "interface": "eth0"}],
            "ports": "2001", "protocol": "tcp", "state": state, "problem": null, "persistence_seconds": 300,
            "without_server": "connections are refused at once", "connections_opened": 123_456, "connections_now": now,
            "connections_per_second": 3.5, "bytes_in": 1_234_567_890_u64, "bytes_out": 123_456_789,
            "bytes_in_per_second": passing, "bytes_out_per_second": passing / 100.0, "packets_in": 1,
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
    let buttons = html.split("name=\"order\" value=\"").skip(1);
    buttons.filter_map(|button| button.split(' ').next()).collect()
}

#[test]
fn what_who_looks_may_not_order_is_not_offered() {
    let view = view(1, &[server("NODE1")]);
    assert_eq!(orders(&rendered(&view, Role::Operator)), ["drain", "halt"]);
    let html = rendered(&view, Role::Viewer);
    assert!(orders(&html).is_empty() && !html.contains("<form"), "{html}");
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
        (service.traffic.bytes_in_per_second, service.traffic.bytes_out_per_second) = (Some(0.0), Some(0.0));
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

#[test]
fn what_cannot_be_counted_is_unknown() {
    let mut view = view(1, &[server("NODE1")]);
    let traffic = &mut view.virtual_services[0].traffic;
    (traffic.connections_now, traffic.bytes_in_per_second) = (None, None);
    let html = rendered(&view, Role::Viewer);
    assert!(html.contains("<dt>Throughput</dt><dd>unknown</dd>"), "{html}");
    assert!(html.contains("<dt>Open connections</dt><dd>unknown</dd>"), "{html}");
    assert!(html.contains("unknown / 3.5") && html.contains("<small>unknown</small>"), "{html}");
    view.virtual_services[0].traffic.connections_per_second = None;
    assert!(rendered(&view, Role::Viewer).contains("<dt>New per second</dt><dd>unknown</dd>"));
}

#[test]
fn a_drained_server_with_connections_is_still_draining_and_a_fallback_server_has_a_row() {
    let mut drained = server("NODE1");
    (drained["state"], drained["reason"]) = ("drained".into(), "drained by an operator".into());
    let mut view = view(1, &[drained]);
    assert!(rendered(&view, Role::Viewer).contains(r#"<b class="state drained">draining</b>"#));
    view.virtual_services[0].real_servers[0].traffic.connections_now = Some(0);
    assert!(rendered(&view, Role::Viewer).contains(r#"<b class="state drained">drained</b>"#));
    let fallback = json!({
        "address": "192.168.10.5", "port": 104, "serving": true, "snat_source": null, "snat_reason": "",
        "connections_opened": 3, "connections_now": 1, "bytes_in": 1, "bytes_out": 1, "packets_in": 1, "packets_out": 1,
    });
    view.virtual_services[0].fallback_server = serde_json::from_value(fallback).unwrap();
    let html = rendered(&view, Role::Viewer);
    assert!(
        html.contains(r#"<b class="state fallback">serving</b>"#) && html.contains("192.168.10.5:104"),
        "{html}"
    );
}

#[test]
fn a_service_that_is_folded_says_in_a_few_words_what_most_of_its_servers_fail_at() {
    let failing = |reason: &str| {
        let mut failing = server("NODE");
        (failing["state"], failing["reason"]) = ("down".into(), reason.into());
        failing
    };
    let mut servers = vec![failing("connection refused: nothing listens there"); 2];
    servers.push(failing("time-out after 3 s while connecting; the server does not answer at all"));
    let html = rendered(&view(200, &servers), Role::Viewer);
    assert!(
        html.contains("0 of 3 servers up (connection refused): connections are refused at once"),
        "{html}"
    );
    assert!(
        html.contains("0 of 3 servers up: connections are refused at once"),
        "where they are shown: {html}"
    );
}

/// With the frame around it, which is 8 kB, a page of 200 services of 4 servers has at most 150 kB, also on a night on which
/// all fail.
#[test]
fn two_hundred_services_make_a_small_page() {
    let mut down = server("DATALINK_POOL_NODE1");
    down["state"] = "down".into();
    down["reason"] =
        "no route to host: 192.168.10.110 does not answer on its network; check that the server is \
                      switched on, its cable and its address"
            .into();
    for (server, what) in [(server("DATALINK_POOL_NODE1"), "up"), (down, "down")] {
        let size = rendered(
            &view(200, &[server.clone(), server.clone(), server.clone(), server.clone()]),
            Role::Administrator,
        )
        .len();
        assert!((100_000..142_000).contains(&size), "{size} bytes where all are {what}");
    }
}
