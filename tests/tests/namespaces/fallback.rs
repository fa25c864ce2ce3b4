//! A service without a server: its fallback server serves, or modalities are told to try again.

use lab::kernel::Table;
use lab::lbd::SOON;
use lab::peers::{Mode, program};
use lab::topology::{MANAGEMENT, ipv6};
use lab::{Lab, Pool, wait};

/// Where lbd answers redirected connections; nobody may reach it in another way.
const ANSWERING_PORT: u16 = 9081;

fn pool(lab: &Lab) -> Pool {
    lab.pool().echo_check("DW_SCP").fallback("dicom-reject")
}

/// What a client gets for a request, with its headers.
fn curl(lab: &Lab, more: &str) -> String {
    let line = format!(
        "curl --silent --show-error --include --max-time 20 {more} http://{}:2001/any?path",
        lab.vip(0)
    );
    lab.client().run(line).expect_ok().replace("\r\n", "\n")
}

#[test]
fn browsers_are_shown_the_page_and_served_when_a_server_is_back() {
    let lab = Lab::single_arm();
    let page = "<h1>Maintenance</h1>";
    let with = |page: &str| lab.config([&lab.pool().fallback("http-page").with(page)]);
    lab.lbd().start(&with(&format!("fallback_page = \"{page}\"")));
    lab.lbd().wait_service("POOL", "down");
    assert_eq!(lab.lbd().service("POOL")["without_server"], "a page is shown over HTTP (status 503)");
    let (head, body) =
        curl(&lab, "").split_once("\n\n").map(|(h, b)| (h.to_lowercase(), b.to_owned())).expect("a head");
    assert_eq!(body, page);
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    for header in [
        "retry-after: 30",
        "cache-control: no-store",
        "connection: close",
        "content-length: 20",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(head.contains(header), "{header} is missing in {head}");
    }
    // What a form sends does not turn the answer into a reset; who asks for the head gets no body.
    let sent = lab.client().new_path("sent");
    std::fs::write(&sent, "x".repeat(300_000)).expect("lab folder");
    assert!(curl(&lab, &format!("--data-binary @{}", sent.display())).ends_with(page));
    assert!(!curl(&lab, "--head").contains(page));
    lab.lbd().put(&with("")).expect(200);
    assert!(curl(&lab, "").contains("<h1>Not available at the moment</h1>"));
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "degraded");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
    server.kill();
    lab.lbd().wait_service("POOL", "down");
    assert!(curl(&lab, "").contains("Not available"));
}

#[test]
fn each_service_shows_its_own_page_over_both_families() {
    let lab = Lab::single_arm().with_ipv6();
    let pool = |number: u8, label: &str| {
        let addresses = [lab.vip(number).into(), ipv6(lab.vip(number)).into()];
        let page = format!("fallback_page = \"Call {label}\"");
        lab.pool()
            .named(label, lab.vip(number))
            .at(&addresses)
            .server("SIX", ipv6(lab.server("NODE1").address()))
            .fallback("http-page")
            .with(&page)
    };
    lab.lbd().start(&lab.config([&pool(0, "FIRST"), &pool(1, "SECOND")]));
    for (number, label) in [(0, "FIRST"), (1, "SECOND")] {
        lab.lbd().wait_service(label, "down");
        for host in [lab.vip(number).to_string(), format!("[{}]", ipv6(lab.vip(number)))] {
            let shown =
                lab.client().run(format!("curl --silent --globoff --max-time 20 http://{host}:2001/"));
            assert_eq!(shown.expect_ok(), format!("Call {label}"), "{host}");
        }
    }
}

fn expect_congestion(lab: &Lab) {
    let output = lab.client().echoscu(lab.vip(0), 2001, "DW_SCP");
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(!output.is_ok(), "{output:?}");
    for words in ["Rejected Transient", "Service Provider (Presentation Related)", "Temporary Congestion"] {
        assert!(said.contains(words), "{words:?} is missing in {said}");
    }
}

#[test]
fn a_modality_is_told_to_try_again_and_served_when_a_server_is_back() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "down");
    let told = lab.lbd().service("POOL")["without_server"].as_str().unwrap_or_default().to_owned();
    assert!(told.contains("temporary congestion"), "{told}");
    expect_congestion(&lab);
    let server = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    lab.lbd().wait_service("POOL", "degraded");
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    server.process.kill();
    lab.lbd().wait_service("POOL", "down");
    expect_congestion(&lab);
}

/// An association request as octets (DICOM PS3.8 section 9.3.2): DCMTK's tools of Debian 12 do not speak IPv6, and pynetdicom
/// on a busy machine may take the end of the connection for an abort before it has looked at the answer. Prints the answer.
const ASKS_FOR_AN_ASSOCIATION: &str = "
import socket, sys
def item(kind, body): return bytes([kind, 0]) + len(body).to_bytes(2, 'big') + body
syntaxes = item(0x30, b'1.2.840.10008.1.1') + item(0x40, b'1.2.840.10008.1.2')
user = item(0x50, item(0x51, (16384).to_bytes(4, 'big')) + item(0x52, b'1.2.3'))
titles = b'DW_SCP'.ljust(16) + b'MODALITY'.ljust(16)
body = bytes([0, 1, 0, 0]) + titles + bytes(32) + item(0x10, b'1.2.840.10008.3.1.1.1') + item(0x20, bytes([1, 0, 0, 0]) + syntaxes) + user
connection = socket.create_connection((sys.argv[1], 2001), 20)
connection.sendall(bytes([1, 0]) + len(body).to_bytes(4, 'big') + body)
answer = b''
while part := connection.recv(100): answer += part
print(answer.hex(' '))
";

#[test]
fn a_modality_is_told_to_try_again_over_ipv6_too() {
    let lab = Lab::single_arm().with_ipv6();
    let addresses = [lab.vip(0).into(), ipv6(lab.vip(0)).into()];
    let server = ipv6(lab.server("NODE1").address());
    lab.lbd().start(&lab.config([&pool(&lab).at(&addresses).server("SIX", server)]));
    lab.lbd().wait_service("POOL", "down");
    // The kernel asks for a second whether somebody else has the new address (RFC 4862 section 5.4).
    let shown = || lab.appliance().run("ip -6 address show dev eth0").expect_ok().to_owned();
    let address = ipv6(lab.vip(0)).to_string();
    wait::until(SOON, "the address to be used", || {
        shown().contains(&address) && !shown().contains("tentative")
    });
    // An A-ASSOCIATE-RJ: transient, of the service provider (presentation related), temporary congestion (table 9-21).
    let line = format!("{} - {address}", program("python").display());
    let output = lab.client().run_with_input(line, ASKS_FOR_AN_ASSOCIATION);
    assert_eq!(output.expect_ok(), "03 00 00 00 00 04 00 02 03 01\n");
}

#[test]
fn who_does_not_speak_dicom_is_let_go_at_once() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "down");
    let url = format!("http://{}:2001/", lab.vip(0));
    let output = lab.client().run(format!("curl --silent --show-error --max-time 4 {url}"));
    assert!(!output.is_ok() && !output.stderr.contains("timed out"), "{output:?}");
    expect_congestion(&lab);
}

#[test]
fn nobody_reaches_the_rejection_but_through_a_service() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&pool(&lab)]));
    lab.lbd().wait_service("POOL", "down");
    for address in [lab.vip(0), MANAGEMENT] {
        let found = lab.client().scan(address, &[ANSWERING_PORT]);
        assert!(found.values().all(|state| state != "open"), "{address}: {found:?}");
    }
    lab.lbd().kill();
    let output = lab.client().echoscu(lab.vip(0), 2001, "DW_SCP");
    assert!(format!("{}{}", output.stdout, output.stderr).contains("refused"), "{output:?}");
}

#[test]
fn the_fallback_server_serves_while_nobody_else_does_and_nobody_is_tied_to_it() {
    let lab = Lab::single_arm();
    let fallback = lab.server("POOL3_NODE1");
    fallback.named_server("FALLBACK", 2005);
    let place = format!("{}:2005", fallback.address());
    let pool = lab.pool().with(&format!("fallback_server = \"{place}\""));
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "down");
    let ask = || lab.client().ask(lab.vip(0), 2001);
    // The kernel knows it a moment after the last server has failed.
    lab.lbd().wait_status("the fallback server to serve", |lbd| {
        lbd.service("POOL")["without_server"] == format!("the fallback server {place} is serving")
    });
    let service = lab.lbd().service("POOL");
    assert!(service["problem"].as_str().is_some_and(|told| told.contains(&place)), "{service}");
    let reply = ask();
    assert_eq!(
        (reply.server.as_str(), &service["fallback_server"]["snat_source"]),
        ("FALLBACK", &reply.seen.into())
    );
    assert!(Table::read(lab.appliance()).sticky(lab.client().address()).is_empty());
    let held = lab.client().hold(lab.vip(0), 2001);
    lab.lbd().kill();
    lab.lbd().start_again();
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "degraded");
    assert_eq!(lab.lbd().service("POOL")["fallback_server"]["serving"], false);
    assert_eq!(ask().server, "NODE1");
    held.expect_alive();
    server.kill();
    lab.lbd().wait_service("POOL", "down");
    assert_eq!(ask().server, "FALLBACK", "whatever persistence knew");
    assert!(Table::read(lab.appliance()).sticky(lab.client().address()).is_empty());
    lab.lbd().wait_status("its connection to be counted", |lbd| {
        lbd.service("POOL")["fallback_server"]["connections_now"] == 1
    });
    lab.lbd().put(&lab.config([&lab.pool()])).expect(200);
    held.expect_reset();
}
