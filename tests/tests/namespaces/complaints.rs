//! What users of other load balancers complain about, each shown not to happen here. The numbers are those of the
//! list that these stories answer; in brackets where others had it.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::kernel::Table;
use lab::{Host, Lab, Mode, wait};

/// For scheduling on a busy test machine; not part of the product's promise.
const ALLOWANCE: Duration = Duration::from_millis(1500);

fn start_named_pool(lab: &Lab) -> [std::sync::Arc<lab::Process>; 2] {
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    servers
}

fn ask(lab: &Lab) -> String {
    lab.client().ask(lab.vip(0), 2001).server
}

/// Index of the server that the client was given.
fn used(lab: &Lab) -> usize {
    usize::from(ask(lab) == "NODE2")
}

const NODES: [&str; 2] = ["NODE1", "NODE2"];

/// LVS, `expire_quiescent_template`.
#[test]
fn complaint_01_sticky_clients_that_keep_landing_on_a_drained_or_dead_server() {
    let lab = Lab::single_arm();
    let servers = start_named_pool(&lab);
    let first = used(&lab);
    let weights = if first == 0 { [0, 100] } else { [100, 0] };
    lab.lbd().put(&lab.config([&lab.pool().weights(&weights)])).expect(200);
    assert_eq!(ask(&lab), NODES[1 - first], "drained");
    lab.lbd().put(&lab.config([&lab.pool()])).expect(200);
    lab.lbd().wait_service("POOL", "up");
    let second = used(&lab);
    servers[second].kill();
    lab.lbd().wait_server("POOL", NODES[second], "down");
    assert_eq!(ask(&lab), NODES[1 - second], "dead");
}

/// LVS, `expire_nodest_conn`.
#[test]
fn complaint_02_packets_to_a_removed_server_silently_dropped() {
    let lab = Lab::single_arm();
    let _servers = start_named_pool(&lab);
    let held = lab.client().hold(lab.vip(0), 2001);
    held.expect_alive();
    // Only the server that the client does not use is left.
    let left = if held.reply.server == "NODE1" { "NODE2" } else { "NODE1" };
    let (gone, kept) = (lab.server(&held.reply.server).address(), lab.server(left).address());
    let config = lab.config([&lab.pool().weights(&[100])]);
    let config = if config.as_str().contains(&gone.to_string()) {
        config.replacing(&gone.to_string(), &kept.to_string()).replacing(&held.reply.server, left)
    } else {
        config
    };
    lab.lbd().put(&config).expect(200);
    held.expect_reset();
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(ask(&lab), left);
}

/// ldirectord without fork.
#[test]
fn complaint_03_one_slow_check_delaying_all_others() {
    let lab = Lab::single_arm();
    for (port, mode) in [(2001, "silent"), (2002, "mid-pdu"), (2003, "drip:2"), (2004, "never-accept")] {
        lab.server("NODE1").answering(port, mode);
    }
    lab.server("NODE1").drop_silently(2005);
    let good = lab.server("NODE2").scp("DW_SCP", 2006, Mode::Good);
    let slow = (0..5).map(|number| {
        let pool = lab.pool().named(&format!("SLOW{number}"), lab.vip(number)).weights(&[100]);
        pool.server_port(2001 + u16::from(number)).echo_check("DW_SCP")
    });
    let good_pool = lab.pool().named("GOOD", lab.vip(9)).server_port(2006).echo_check("DW_SCP");
    let pools: Vec<_> = slow.chain([good_pool]).collect();
    lab.lbd().start(&lab.config(&pools));
    lab.lbd().wait_server("GOOD", "NODE2", "up");
    let before = good.events("echo").len();
    // Five seconds by themselves; one after the other, five that wait for their time-out would make it twenty and more.
    wait::until(Duration::from_secs(12), "five more checks", || good.events("echo").len() >= before + 5);
}

/// keepalived #106.
#[test]
fn complaint_04_a_check_that_flaps_on_every_reload() {
    let lab = Lab::single_arm();
    start_named_pool(&lab);
    let since = |node| lab.lbd().server("POOL", node)["since"].clone();
    let before = NODES.map(since);
    for number in 1..=10 {
        let other = lab.pool().named(&format!("OTHER{number}"), lab.vip(1)).ports("2002");
        lab.lbd().put(&lab.config([&lab.pool(), &other])).expect(200);
        assert_eq!(lab.lbd().service("POOL")["state"], "up", "reload {number}");
    }
    assert_eq!(NODES.map(since), before, "up all the time");
}

/// keepalived #362.
#[test]
fn complaint_05_a_recovered_server_never_used_again() {
    let lab = Lab::single_arm();
    let servers = start_named_pool(&lab);
    servers[0].kill();
    lab.lbd().wait_server("POOL", "NODE1", "down");
    assert_eq!(ask(&lab), "NODE2");
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "up");
    assert!(many_ask(&lab, 4).contains(&"NODE1".to_owned()));
}

/// What as many clients that were never seen before are given.
fn many_ask(lab: &Lab, count: u8) -> Vec<String> {
    lab.client().ip("route replace local 10.1.0.0/16 dev lo");
    lab.appliance().ip(format!("route replace 10.1.0.0/16 via {}", lab.client().address()));
    let clients: Vec<_> = (1..=count).map(|last| Ipv4Addr::new(10, 1, 0, last)).collect();
    lab.client().ask_as(&clients, lab.vip(0), 2001).into_iter().map(|reply| reply.server).collect()
}

/// keepalived #2720.
#[test]
fn complaint_06_weight_leaking_when_a_check_is_killed_on_time_out() {
    let lab = Lab::single_arm();
    let [scp, _] = NODES.map(|node| lab.server(node).scp("DW_SCP", 2002, Mode::Good));
    let _servers = NODES.map(|node| lab.server(node).named_server(node, 2001));
    let check =
        "type = \"dicom-c-echo\"\nport = 2002\ncalling_ae_title = \"A\"\ncalled_ae_title = \"DW_SCP\"";
    lab.lbd().start(&lab.config([&lab.pool().checked_by(check).weights(&[100, 50])]));
    lab.lbd().wait_service("POOL", "up");
    for _ in 0..3 {
        scp.process.freeze();
        lab.lbd().wait_reason("POOL", "NODE1", "time-out");
        lab.lbd().wait_server("POOL", "NODE1", "down");
        scp.process.thaw();
        lab.lbd().wait_server("POOL", "NODE1", "up");
    }
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(lab.lbd().server("POOL", "NODE1")["weight"], 100);
    let replies = many_ask(&lab, 30);
    assert_eq!(replies.iter().filter(|server| *server == "NODE1").count(), 20);
}

/// HAProxy #140, #45.
#[test]
fn complaint_07_zombies_and_cpu_load_from_external_checks() {
    let lab = Lab::single_arm();
    let _servers = NODES.map(|node| lab.server(node).scp("DW_SCP", 2001, Mode::Good));
    const WATCHED: Duration = Duration::from_secs(5);
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP")]));
    lab.lbd().wait_service("POOL", "up");
    let pid = lab.lbd().process().pid();
    // The one program that it does start, nft, is waited for at once.
    let before = lab.lbd().process().cpu_time();
    wait::holds_for(WATCHED, "no zombie", || zombies_of(pid) <= 1);
    let taken = lab.lbd().process().cpu_time() - before;
    assert!(taken < WATCHED / 10, "{taken:?} of a processor in {WATCHED:?} for two servers");
    wait::until(Duration::from_secs(30), "no zombie at all", || zombies_of(pid) == 0);
}

/// Ended children that nobody has waited for.
fn zombies_of(parent: u32) -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let stat = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("stat")).ok();
    let is_zombie = |stat: &String| {
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&parent.to_string())
    };
    processes.filter_map(stat).filter(is_zombie).count()
}

/// HAProxy #3243.
#[test]
fn complaint_08_parallel_first_connections_of_one_client_spread_over_servers() {
    let lab = Lab::single_arm();
    start_named_pool(&lab);
    let replies = lab.client().ask_together(50, lab.client().address(), lab.vip(0), 2001);
    assert_eq!(replies.len(), 50);
    assert!(replies.iter().all(|reply| reply.server == replies[0].server), "{replies:?}");
}

/// HAProxy #842.
#[test]
fn complaint_09_persistence_lost_on_reload() {
    let lab = Lab::single_arm();
    start_named_pool(&lab);
    let before = many_ask(&lab, 20);
    let known = |lab: &Lab| Table::read(lab.appliance()).sticky(Ipv4Addr::new(10, 1, 0, 1)).len();
    assert_eq!(known(&lab), 1);
    let other = lab.pool().named("OTHER", lab.vip(1)).ports("2002");
    lab.lbd().put(&lab.config([&lab.pool(), &other])).expect(200);
    lab.lbd().kill();
    lab.lbd().start_again();
    assert_eq!(known(&lab), 1);
    assert_eq!(many_ask(&lab, 20), before);
}

/// Envoy #8295.
#[test]
fn complaint_10_a_panic_threshold_that_sends_traffic_to_dead_hosts() {
    let lab = Lab::single_arm();
    let scps = NODES.map(|node| lab.server(node).scp("SOMEBODY_ELSE", 2001, Mode::Good));
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP")]));
    lab.lbd().wait_service("POOL", "down");
    // The ports are open, and yet nobody is sent there.
    assert_eq!(lab.client().scan(lab.vip(0), &[2001])[&2001], "refused");
    lab.client().echoscu(lab.vip(0), 2001, "SOMEBODY_ELSE").expect_failure("");
    assert!(scps.iter().all(|scp| scp.peers("MODALITY").is_empty()));
}

/// kubernetes #71358.
#[test]
fn complaint_11_black_holes_after_a_server_is_replaced() {
    let lab = Lab::single_arm();
    let _servers = NODES.map(|node| lab.server(node).named_server(node, 2001));
    let config = lab.config([&lab.pool().weights(&[100])]);
    lab.lbd().start(&config);
    lab.lbd().wait_service("POOL", "up");
    let held = lab.client().hold(lab.vip(0), 2001);
    assert_eq!(held.reply.server, "NODE1");
    let [old, new] = NODES.map(|node| lab.server(node).address().to_string());
    lab.lbd().put(&config.replacing(&old, &new)).expect(200);
    held.expect_reset();
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(ask(&lab), "NODE2", "though it was stuck to the one before");
}

/// fo-dicom #1875.
#[test]
fn complaint_12_checks_that_need_30_seconds_to_notice_a_dead_host() {
    let lab = Lab::single_arm();
    let _servers = NODES.map(|node| lab.server(node).scp("DW_SCP", 2001, Mode::Good));
    // The usual rhythm: every 5 s, time-out 3 s, out after two.
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP").check_every(5, 3)]));
    lab.lbd().wait_service("POOL", "up");
    let hosts: [&Host; 2] = NODES.map(|node| lab.server(node));
    let dead = Instant::now();
    hosts[0].set_link(false);
    wait::until(Duration::from_secs(30), "NODE1 to be down", || {
        lab.lbd().server("POOL", "NODE1")["state"] == "down"
    });
    assert!(dead.elapsed() < Duration::from_secs(11) + ALLOWANCE, "{:?}", dead.elapsed());
}

/// dcm4chee-arc-light #4190.
#[test]
fn complaint_13_probes_that_make_a_dicom_server_log_an_error_each_time() {
    let lab = Lab::single_arm();
    let dcmtk = lab.server("NODE1").storescp("DW_SCP", 2001);
    let pynetdicom = lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good);
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP")]));
    lab.lbd().wait_service("POOL", "up");
    let before = pynetdicom.events("echo").len();
    wait::until(Duration::from_secs(15), "some checks", || pynetdicom.events("echo").len() >= before + 4);
    let log = dcmtk.process.log();
    assert!(!log.contains("E: ") && !log.contains("W: ") && !log.contains("F: "), "{log}");
    let log = pynetdicom.process.log();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
}
