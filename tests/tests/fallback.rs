//! A service without a server: its fallback server serves, or modalities are told to try again.

use lab::kernel::Table;
use lab::peers::Mode;
use lab::topology::MANAGEMENT;
use lab::{Lab, Pool};

/// Where lbd answers redirected connections; nobody may reach it in another way.
const REJECTION_PORT: u16 = 7104;

fn pool(lab: &Lab) -> Pool {
    lab.pool().echo_check("DW_SCP").fallback("dicom-reject")
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
        let found = lab.client().scan(address, &[REJECTION_PORT]);
        assert_ne!(found[&REJECTION_PORT], "open", "{address}");
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
    let service = lab.lbd().service("POOL");
    assert_eq!(service["without_server"], format!("the fallback server {place} is serving"));
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
