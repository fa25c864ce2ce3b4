//! Services that lbd forwards itself: what clients, servers and administrators see of them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::kernel::Table;
use lab::lbd::SOON;
use lab::topology::{MANAGEMENT, ipv6};
use lab::{Lab, Mode, Pool, Process, peers, random, wait};
use serde_json::Value;

/// So seldom that no story lives to see a second check, unless something hastens it.
const SELDOM: u32 = 3_600;

fn proxied(lab: &Lab) -> Pool {
    lab.pool().with("forwarding_method = \"proxy\"")
}

/// The same, checked once at the beginning.
fn seldom_checked(lab: &Lab) -> Pool {
    proxied(lab).check_every(SELDOM, 10).rise_fall(1, 2)
}

fn start(lab: &Lab, pool: &Pool) -> [Arc<Process>; 2] {
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&lab.config([pool]));
    lab.lbd().wait_service("POOL", "up");
    servers
}

fn other(node: &str) -> &'static str {
    if node == "NODE1" { "NODE2" } else { "NODE1" }
}

fn connections(lab: &Lab, question: &str) -> Vec<Value> {
    let answer = lab.lbd().request("GET", &format!("/api/v1/{question}"), None).expect(200);
    answer.json["connections"].as_array().expect("a list").clone()
}

fn not_taken(lab: &Lab, node: &str) -> u64 {
    lab.lbd().server("POOL", node)["connections_not_taken"].as_u64().expect("a proxied service")
}

/// Files arrive intact, servers see the source address that the status names, one client stays on one server.
fn dicom_works(lab: &Lab) {
    let scps = ["NODE1", "NODE2"].map(|node| (node, lab.server(node).scp("DW_SCP", 2001, Mode::Good)));
    // A check that waits behind the files is no failure.
    lab.lbd().start(&lab.config([&proxied(lab).echo_check("DW_SCP").check_every(10, 10)]));
    lab.lbd().wait_service("POOL", "up");
    let files = lab.client().new_path("files");
    peers::make_files(&files, 50);
    lab.client().storescu(lab.vip(0), 2001, "DW_SCP", &files).expect_ok();
    for _ in 0..5 {
        lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    }
    let (used, unused): (Vec<_>, Vec<_>) =
        scps.iter().partition(|(_, scp)| !scp.peers("MODALITY").is_empty());
    assert_eq!((used.len(), unused.len()), (1, 1), "the client keeps its server");
    let (node, scp) = used[0];
    peers::expect_same_files(&files, &scp.folder);
    assert_eq!(scp.peers("MODALITY"), vec![lab.lbd().snat_source("POOL", node); 6]);
    nothing_is_known_of_patients(lab, &files);
}

/// What lbd has moved byte by byte stands in nothing that it stores, logs or tells.
fn nothing_is_known_of_patients(lab: &Lab, sent: &Path) {
    lab.lbd().wait_status("the associations to be recorded", |_| {
        connections(lab, "closed-connections").len() >= 6
    });
    // A file may vanish meanwhile, which grep tells of.
    let stands_in = |words: &str, folder: &Path| {
        let how = "--recursive --binary-files=text --fixed-strings --devices=skip";
        !lab.appliance().run(format!("grep {how} {words} {}", folder.display())).stdout.is_empty()
    };
    let state = lab.lbd().state_folder();
    assert!(stands_in(peers::PATIENT, sent) && stands_in("POOL", state), "what is there is found");
    assert!(!stands_in(peers::PATIENT, state), "something in {}", state.display());
    let paths = ["log?most=1000", "closed-connections", "connections", "audit", "status"];
    let told = paths.map(|path| lab.lbd().request("GET", &format!("/api/v1/{path}"), None).expect(200).text);
    let log = lab.lbd().process().log();
    assert!(told.iter().chain([&log]).all(|text| !text.contains(peers::PATIENT)), "{told:?}");
}

#[test]
fn fifty_files_arrive_intact_single_arm() {
    let lab = Lab::single_arm();
    dicom_works(&lab);
    assert_eq!(lab.lbd().snat_source("POOL", "NODE1"), lab.vip(0).to_string());
}

#[test]
fn fifty_files_arrive_intact_two_arm() {
    let lab = Lab::two_arm();
    dicom_works(&lab);
    assert_eq!(lab.lbd().snat_source("POOL", "NODE1"), "192.168.10.10");
}

/// Between two checks that lie an hour apart.
#[test]
fn no_association_meets_a_server_that_was_killed_between_two_checks() {
    let lab = Lab::single_arm();
    let scps = ["NODE1", "NODE2"].map(|node| lab.server(node).storescp("DW_SCP", 2001));
    let pool = seldom_checked(&lab).echo_check("DW_SCP").in_turn().persistence(None);
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    (0..2).for_each(|_| _ = lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok().len());
    scps[0].process.kill();
    (0..100).for_each(|_| _ = lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok().len());
    lab.lbd().wait_status("the failure to be shown", |_| not_taken(&lab, "NODE1") > 0);
    // It has hastened the check, which alone takes a server out.
    lab.lbd().wait_server("POOL", "NODE1", "down");
}

#[test]
fn no_client_waits_long_for_a_server_that_has_gone_silent_and_who_knew_it_moves() {
    let lab = Lab::single_arm();
    start(&lab, &seldom_checked(&lab));
    let known = lab.client().ask(lab.vip(0), 2001).server;
    lab.server(&known).drop_silently(2001);
    // By one program: a hundred of them take their time on a busy machine.
    let begin = Instant::now();
    let replies = lab.client().ask_as(&[lab.client().address(); 100], lab.vip(0), 2001);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert!(replies.iter().all(|reply| reply.server == other(&known)), "{replies:?}");
    lab.lbd().wait_status("the failure to be shown", |_| not_taken(&lab, &known) > 0);
    assert_eq!(not_taken(&lab, other(&known)), 0);
}

#[test]
fn a_side_that_has_closed_still_hears_the_other() {
    let lab = Lab::single_arm();
    lab.server("NODE1").answering(2001, "after-close");
    lab.lbd().start(&lab.config([&proxied(&lab).weights(&[100])]));
    lab.lbd().wait_service("POOL", "up");
    assert_eq!(lab.client().ask_and_close(lab.vip(0), 2001, "question"), "heard to the end: question");
}

#[test]
fn an_idle_connection_is_reset_after_its_time_out_and_one_that_talks_stays() {
    let lab = Lab::single_arm();
    start(&lab, &proxied(&lab).with("idle_timeout_seconds = 5"));
    let begin = Instant::now();
    let _idle = lab.client().hold(lab.vip(0), 2001);
    let talking = lab.client().hold(lab.vip(0), 2001);
    let only_the_talking_one = || {
        talking.expect_alive();
        connections(&lab, "connections?service=POOL").len() == 1
    };
    wait::until(Duration::from_secs(30), "the idle one to end", only_the_talking_one);
    assert!(begin.elapsed() > Duration::from_secs(4), "after {:?}", begin.elapsed());
    wait::holds_for(Duration::from_secs(6), "the other stays", only_the_talking_one);
    let closed = || connections(&lab, "closed-connections").iter().any(|it| it["cause"] == "timed-out");
    wait::until(SOON, "its end in the record", closed);
}

/// The pool with this line for one of its servers.
fn with_server(lab: &Lab, pool: &Pool, node: &str, line: &str) -> lab::Config {
    let label = format!("label = \"{node}\"");
    lab.config([pool]).replacing(&label, &format!("{label}\n{line}"))
}

#[test]
fn a_drained_server_keeps_its_connections_and_a_halted_one_does_not() {
    let lab = Lab::single_arm();
    start(&lab, &proxied(&lab));
    let held = lab.client().hold(lab.vip(0), 2001);
    let node = held.reply.server.clone();
    lab.lbd().put(&with_server(&lab, &proxied(&lab), &node, "state = \"drain\"")).expect(200);
    held.expect_alive();
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, other(&node), "not even who knows it");
    lab.lbd().wait_status("what is left to be counted", |lbd| {
        let server = lbd.server("POOL", &node);
        server["state"] == "drained" && server["connections_now"] == 1
    });
    lab.lbd().put(&with_server(&lab, &proxied(&lab), &node, "state = \"halt\"")).expect(200);
    held.expect_reset();
    let ended = || connections(&lab, "closed-connections").iter().any(|it| it["cause"] == "ended");
    wait::until(SOON, "its end in the record", ended);
}

#[test]
fn a_client_of_a_dead_server_is_reset_within_a_second_unless_it_is_to_be_kept() {
    let lab = Lab::single_arm();
    let pool = |choice| proxied(&lab).on_server_failure(choice);
    start(&lab, &pool("keep"));
    let held = lab.client().hold(lab.vip(0), 2001);
    let node = held.reply.server.clone();
    lab.server(&node).refuse_silently(2001);
    lab.lbd().wait_server("POOL", &node, "down");
    held.expect_alive();
    lab.lbd().put(&lab.config([&pool("reset")])).expect(200);
    held.expect_reset();
}

#[test]
fn a_fallback_server_serves_while_nobody_else_does_and_nobody_is_tied_to_it() {
    let lab = Lab::single_arm();
    let fallback = lab.server("POOL3_NODE1");
    fallback.named_server("FALLBACK", 2005);
    let line = format!("fallback_server = \"{}:2005\"", fallback.address());
    lab.lbd().start(&lab.config([&proxied(&lab).with(&line)]));
    lab.lbd().wait_service("POOL", "down");
    let ask = || lab.client().ask(lab.vip(0), 2001).server;
    assert_eq!(ask(), "FALLBACK");
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "degraded");
    assert_eq!(ask(), "NODE1");
    // At once, before any check has seen it.
    server.kill();
    assert_eq!(ask(), "FALLBACK");
}

#[test]
fn without_a_server_modalities_are_told_to_try_again_browsers_see_the_page_and_others_are_refused() {
    let lab = Lab::single_arm();
    let with = |choice: &str| lab.config([&proxied(&lab).fallback(choice)]);
    lab.lbd().start(&with("refuse"));
    lab.lbd().wait_service("POOL", "down");
    let echo = || {
        let output = lab.client().echoscu(lab.vip(0), 2001, "DW_SCP");
        format!("{}{}", output.stdout, output.stderr)
    };
    assert!(echo().contains("refused"), "{}", echo());
    lab.lbd().put(&with("dicom-reject")).expect(200);
    assert!(echo().contains("Temporary Congestion"), "{}", echo());
    lab.lbd().put(&with("http-page\"\nfallback_page = \"Call 4711")).expect(200);
    let shown = lab.client().run(format!("curl --silent --max-time 20 http://{}:2001/", lab.vip(0)));
    assert_eq!(shown.expect_ok(), "Call 4711");
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "degraded");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
}

#[test]
fn a_client_is_remembered_listed_forgotten_and_pinned() {
    let lab = Lab::single_arm();
    let pool = proxied(&lab).in_turn().persistence(Some(200));
    start(&lab, &pool);
    let client = lab.client().address();
    let ask = || lab.client().ask(lab.vip(0), 2001).server;
    let first = ask();
    assert_eq!([ask(), ask()], [first.clone(), first.clone()], "whose turn it is does not matter");
    let together = lab.client().ask_together(50, client, lab.vip(0), 2001);
    assert!(together.iter().all(|reply| reply.server == first));
    let listed = lab.lbd().request("GET", "/api/v1/persistence?service=POOL", None).expect(200).json;
    let entry = &listed["entries"][0];
    assert_eq!((&listed["total"], &entry["server"]), (&1.into(), &first.clone().into()), "{listed}");
    assert_eq!((&entry["client"], &entry["timeout_seconds"]), (&client.to_string().into(), &200.into()));
    let path = format!("/api/v1/persistence/POOL/{client}");
    lab.lbd().request("DELETE", &path, None).expect(200);
    lab.lbd().request("DELETE", &path, None).expect(404);
    let servers: BTreeSet<_> = (0..2)
        .map(|_| {
            let server = ask();
            lab.lbd().request("DELETE", &path, None).expect(200);
            server
        })
        .collect();
    assert_eq!(servers.len(), 2, "a stranger each time");
    for node in ["NODE1", "NODE2"] {
        let pin = format!("pin = [{{ client = \"{client}\", server = \"{node}\" }}]");
        lab.lbd().put(&lab.config([&pool.clone().with(&pin)])).expect(200);
        assert_eq!([ask(), ask()], [node, node]);
    }
}

#[test]
fn the_forwarding_method_changes_under_load_without_a_failure() {
    let lab = Lab::single_arm();
    start(&lab, &proxied(&lab));
    let load = lab.client().load(lab.vip(0), 2001, 4, 4);
    let by_proxy = lab.client().hold(lab.vip(0), 2001);
    lab.lbd().put(&lab.config([&lab.pool()])).expect(200);
    let by_kernel = lab.client().hold(lab.vip(0), 2001);
    load.wait_more(50);
    for _ in 0..random::rounds(3, 40) {
        for pool in [proxied(&lab), lab.pool()] {
            lab.lbd().put(&lab.config([&pool])).expect(200);
            load.wait_more(50);
        }
    }
    let done = load.expect_no_failures();
    assert!(done.opened >= 350, "{done:?}");
    by_proxy.expect_alive();
    by_kernel.expect_alive();
    // Both are still connections of their servers: a halt ends them.
    let halted = "state = \"halt\"";
    let config = with_server(&lab, &lab.pool(), "NODE1", halted);
    lab.lbd()
        .put(&config.replacing("label = \"NODE2\"", &format!("label = \"NODE2\"\n{halted}")))
        .expect(200);
    by_proxy.expect_reset();
    by_kernel.expect_reset();
    let listens = || lab.appliance().run("ss -Hlnt sport = :2001").stdout.contains(":2001");
    wait::until(SOON, "lbd to listen no more", || !listens());
}

#[test]
fn changes_elsewhere_and_of_the_service_itself_drop_no_connection() {
    let lab = Lab::single_arm();
    start(&lab, &proxied(&lab));
    let load = lab.client().load(lab.vip(0), 2001, 2, 4);
    let held = lab.client().hold(lab.vip(0), 2001);
    lab.server("POOL2_NODE1").named_server("SECOND", 2003);
    let second =
        Pool::new("SECOND", lab.vip(1), vec![("S".into(), lab.server("POOL2_NODE1").address(), 100)]);
    let second = second.ports("2003").with("forwarding_method = \"proxy\"");
    for round in 0..4 {
        let pool =
            proxied(&lab).weights(&[100, 10 * (round + 1)]).at(&[lab.vip(0).into(), lab.vip(2).into()]);
        lab.lbd().put(&lab.config([&pool, &second])).expect(200);
        lab.lbd().wait_service("SECOND", "up");
        assert_eq!(lab.client().ask(lab.vip(1), 2003).server, "SECOND");
        load.wait_more(20);
        lab.lbd().put(&lab.config([&proxied(&lab)])).expect(200);
        load.wait_more(20);
    }
    load.expect_no_failures();
    held.expect_alive();
}

#[test]
fn nothing_but_the_proxied_ports_answers_and_with_lbd_they_go() {
    let lab = Lab::two_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server("SSH", 22);
    }
    start(&lab, &proxied(&lab).ports("104,2001,3000-3002").server_port(2001));
    let scan = |address: Ipv4Addr| {
        let found =
            lab.client().scan(address, &[22, 80, 104, 2000, 2001, 2999, 3000, 3001, 3002, 3003, 9081, 9443]);
        found.into_iter().filter(|(_, state)| state == "open").map(|(port, _)| port).collect::<Vec<_>>()
    };
    assert_eq!(scan(lab.vip(0)), [104, 2001, 3000, 3001, 3002]);
    assert_eq!(scan(MANAGEMENT), [0; 0]);
    assert_eq!(scan(lab.server("NODE1").address()), [0; 0], "the appliance is no router");
    let sockets = lab.appliance().run("ss --no-header --listening --numeric --tcp");
    let places = sockets.expect_ok().lines().filter_map(|line| line.split_whitespace().nth(3));
    let on_vip = places.filter(|place| place.starts_with(&lab.vip(0).to_string())).count();
    assert_eq!(on_vip, 5, "{}", sockets.stdout);
    let table = || Table::read(lab.appliance()).without_counts();
    let before = table();
    lab.lbd().kill();
    assert_eq!(lab.client().scan(lab.vip(0), &[2001])[&2001], "refused");
    lab.lbd().start_again();
    // It answers at its socket a moment before it listens.
    let listens = || lab.appliance().run("ss -Hlnt").stdout.contains(&format!("{}:2001", lab.vip(0)));
    wait::until(SOON, "lbd to listen again", listens);
    table().expect_same_as(&before);
    assert!(
        lab.client().ask(lab.vip(0), 2001).server.starts_with("NODE"),
        "at once, without waiting for checks"
    );
}

#[test]
fn both_families_are_proxied_each_to_its_own_servers() {
    let lab = Lab::single_arm().with_ipv6();
    let node = lab.server("NODE1");
    let addresses = [lab.vip(0).into(), ipv6(lab.vip(0)).into()];
    start(&lab, &proxied(&lab).at(&addresses).server("SIX", ipv6(node.address())));
    assert!(lab.client().ask(lab.vip(0), 2001).seen.contains('.'));
    let reply = lab.client().ask(ipv6(lab.vip(0)), 2001);
    assert_eq!((reply.server.as_str(), reply.seen), ("NODE1", lab.lbd().snat_source("POOL", "SIX")));
}

/// An address that moves between appliances is not here all the time.
#[test]
fn lbd_listens_before_the_address_is_there() {
    let lab = Lab::single_arm();
    let vip = Ipv4Addr::new(10, 5, 0, 100);
    let pool = proxied(&lab).named("POOL", vip).snat_source("interface");
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_status("that the address lives nowhere", |lbd| {
        lbd.service("POOL")["problem"].as_str().is_some_and(|told| told.contains("10.5.0.100"))
    });
    lab.client().ip("address add 10.5.0.50/24 dev eth0");
    lab.appliance().ip("address add 10.5.0.10/24 dev eth0");
    lab.lbd().wait_service("POOL", "up");
    assert!(lab.client().ask(vip, 2001).server.starts_with("NODE"));
}

#[test]
fn connections_are_counted_listed_and_recorded_like_the_kernels() {
    let lab = Lab::single_arm();
    start(&lab, &proxied(&lab));
    let held = lab.client().hold(lab.vip(0), 2001);
    held.expect_alive();
    let node = held.reply.server.clone();
    assert_eq!(lab.lbd().service("POOL")["forwarding_method"], "proxy");
    lab.lbd().wait_status("one connection with its bytes", |lbd| {
        let server = lbd.server("POOL", &node);
        let at_least = |name: &str, least: u64| server[name].as_u64() >= Some(least);
        server["connections_now"] == 1
            && at_least("bytes_in", 1)
            && at_least("bytes_out", 10)
            && at_least("connections_opened", 1)
    });
    let open = connections(&lab, &format!("connections?client={}", lab.client().address()));
    let [connection] = open.as_slice() else { panic!("{open:#?}") };
    let text = |name: &str| connection[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (text("service"), text("server"), text("state")),
        ("POOL".into(), node.clone(), "established".into())
    );
    assert_eq!(text("virtual_address"), format!("{}:2001", lab.vip(0)));
    let port = text("snat_source").rsplit_once(':').expect("a port").1.to_owned();
    let seen = lab.server(&node).run("ss -Hnt state established sport = :2001");
    assert!(seen.stdout.contains(&format!(":{port}")), "the server sees {}", seen.stdout);
    let sides = lab.appliance().run("ss -Hnto state established ( sport = :2001 or dport = :2001 )");
    assert_eq!(sides.stdout.matches("timer:(keepalive").count(), 2, "{}", sides.stdout);
    drop(held);
    let question = format!("closed-connections?port={port}");
    wait::until(SOON, "the closed connection", || connections(&lab, &question).len() == 1);
    let closed = connections(&lab, &question);
    assert_eq!((&closed[0]["server"], &closed[0]["cause"]), (&node.into(), &"reset".into()));
    assert!(closed[0]["bytes_out"].as_u64() > Some(10) && closed[0]["started"].is_string());
}

#[test]
fn a_server_never_has_more_connections_than_it_may() {
    let lab = Lab::single_arm();
    let pool = proxied(&lab).persistence(None);
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let limited = lab.config([&pool]).replacing_all("weight = 100", "weight = 100\nmaximum_connections = 10");
    lab.lbd().start(&limited);
    lab.lbd().wait_service("POOL", "up");
    let mut counts = [0, 0];
    let replies = lab.client().ask_together(20, lab.client().address(), lab.vip(0), 2001);
    replies.iter().for_each(|reply| counts[usize::from(reply.server == "NODE2")] += 1);
    assert_eq!(counts, [10, 10], "a burst too");
}

#[test]
fn udp_is_refused_with_the_field_that_is_wrong() {
    let lab = Lab::single_arm();
    start(&lab, &lab.pool());
    let config = lab.config([&proxied(&lab)]).replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"");
    let refused = lab.lbd().put(&config).expect(422);
    assert!(refused.text.contains("virtual_service[0].forwarding_method"), "{}", refused.text);
}

#[test]
fn an_address_and_port_that_somebody_else_has_is_refused_and_changes_nothing() {
    let lab = Lab::single_arm();
    start(&lab, &lab.pool());
    lab.appliance().answering(2005, "silent");
    let held = lab.client().hold(lab.vip(0), 2001);
    let refused = lab.lbd().put(&lab.config([&proxied(&lab).ports("2001,2005")])).expect(500);
    assert!(refused.text.contains(&format!("listening to {}:2005", lab.vip(0))), "{}", refused.text);
    held.expect_alive();
    let listening = || lab.appliance().run("ss -Hlnt").stdout.contains(&format!("{}:2001", lab.vip(0)));
    wait::until(SOON, "nobody to listen", || !listening());
    assert_eq!(lab.lbd().service("POOL")["forwarding_method"], "snat");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, held.reply.server);
}
