//! Connections: those of a server that is no more end at once, those of others go on, and all are counted.

use std::time::{Duration, Instant};

use lab::topology::ipv6;
use lab::{Config, Host, Lab, tcp::Held, wait};

/// A pool whose client holds a connection, and the server at its other end.
struct Holding<'a> {
    lab: &'a Lab,
    held: Held,
    server: &'a Host,
    name: &'static str,
    other: &'static str,
}

impl<'a> Holding<'a> {
    fn start(lab: &'a Lab, on_server_failure: &'static str) -> Self {
        for node in ["NODE1", "NODE2"] {
            lab.server(node).named_server(node, 2001);
        }
        lab.lbd().start(&lab.config([&lab.pool().on_server_failure(on_server_failure)]));
        lab.lbd().wait_service("POOL", "up");
        let held = lab.client().hold(lab.vip(0), 2001);
        let (name, other) = match held.reply.server.as_str() {
            "NODE1" => ("NODE1", "NODE2"),
            _ => ("NODE2", "NODE1"),
        };
        held.expect_alive();
        Self { lab, held, server: lab.server(name), name, other }
    }

    fn wait_down(&self) {
        self.lab.lbd().wait_server("POOL", self.name, "down");
    }
}

#[test]
fn a_client_of_a_dead_server_is_reset_within_a_second_and_finds_another() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    holding.server.set_link(false);
    holding.wait_down();
    holding.held.expect_reset();
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, holding.other);
}

#[test]
fn a_client_of_the_last_server_is_reset_within_a_second() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    lab.server(holding.other).set_link(false);
    lab.lbd().wait_server("POOL", holding.other, "down");
    holding.held.expect_alive();
    holding.server.set_link(false);
    lab.lbd().wait_service("POOL", "down");
    holding.held.expect_reset();
}

#[test]
fn a_client_behind_another_arm_is_reset_too() {
    let lab = Lab::two_arm();
    let holding = Holding::start(&lab, "reset");
    holding.server.set_link(false);
    holding.wait_down();
    holding.held.expect_reset();
}

#[test]
fn a_server_that_only_fails_its_check_keeps_its_connections_where_that_is_wanted() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "keep");
    holding.server.refuse_silently(2001);
    holding.wait_down();
    holding.held.expect_alive();
    // The other choice takes effect at once.
    lab.lbd().put(&lab.config([&lab.pool().on_server_failure("reset")])).expect(200);
    holding.held.expect_reset();
}

/// The pool's configuration with these settings for a server instead of its weight; `None` leaves the server out.
fn with_server(lab: &Lab, name: &str, settings: Option<&str>) -> Config {
    let config = lab.config([&lab.pool()]);
    let label = format!("label = \"{name}\"");
    let (before, after) = config.as_str().split_once(&label).expect("the server");
    let (own, rest) = after.split_once("weight = 100\n").expect("its weight");
    let text = match settings {
        Some(settings) => format!("{before}{label}{own}{settings}\n{rest}"),
        None => before.strip_suffix("[[virtual_service.real_server]]\n").expect("its head").to_owned() + rest,
    };
    config.replacing(config.as_str(), &text)
}

#[test]
fn a_drained_server_keeps_its_connections_and_a_removed_one_does_not() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    for settings in ["weight = 0", "weight = 100\nstate = \"drain\""] {
        lab.lbd().put(&with_server(&lab, holding.name, Some(settings))).expect(200);
        holding.held.expect_alive();
    }
    lab.lbd().put(&with_server(&lab, holding.name, None)).expect(200);
    holding.held.expect_reset();
}

#[test]
fn it_is_told_when_a_drained_server_has_no_connection_left() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    let drained = with_server(&lab, holding.name, Some("weight = 100\nstate = \"drain\""));
    lab.lbd().put(&drained).expect(200);
    lab.lbd().wait_reason("POOL", holding.name, "takes no new connections; those that it has go on");
    assert_eq!(lab.lbd().server("POOL", holding.name)["connections_now"], 1);
    drop(holding.held);
    lab.lbd().wait_reason("POOL", holding.name, "takes no new connections; no connection is left");
}

#[test]
fn a_client_of_a_halted_server_is_reset_within_a_second_and_finds_another() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "keep");
    let halted = with_server(&lab, holding.name, Some("weight = 100\nstate = \"halt\""));
    lab.lbd().put(&halted).expect(200);
    holding.held.expect_reset();
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, holding.other);
}

#[test]
fn a_server_replaced_under_its_name_leaves_no_connections_behind() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    lab.server("POOL2_NODE1").named_server("NEW", 2001);
    let config = lab.config([&lab.pool()]);
    let (old, new) = (holding.server.address(), lab.server("POOL2_NODE1").address());
    lab.lbd().put(&config.replacing(&old.to_string(), &new.to_string())).expect(200);
    holding.held.expect_reset();
}

#[test]
fn a_restart_of_lbd_ends_no_connection() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    for _ in 0..2 {
        lab.lbd().kill();
        holding.held.expect_alive();
        lab.lbd().start_again();
        lab.lbd().wait_service("POOL", "up");
        holding.held.expect_alive();
    }
}

#[test]
fn connections_and_bytes_are_counted_by_server() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    let figure = |name: &str| lab.lbd().server("POOL", holding.name)[name].as_u64().unwrap_or_default();
    lab.lbd().wait_status("one connection with its bytes", |_| {
        figure("connections_now") == 1 && figure("bytes_in") > 200 && figure("bytes_out") > 200
    });
    assert_eq!((figure("snat_ports_in_use"), figure("snat_ports_available")), (1, 64_512));
    assert!(figure("packets_in") >= 3 && figure("packets_out") >= 2);
    assert_eq!(lab.lbd().service("POOL")["connections_now"], 1);
    assert_eq!(lab.lbd().server("POOL", holding.other)["connections_now"], 0);
    let before = figure("bytes_in");
    drop(holding.held);
    lab.client().ask(lab.vip(0), 2001);
    lab.lbd().wait_status("none, and the bytes of two", |_| {
        figure("connections_now") == 0 && figure("bytes_in") > before
    });
    let load = lab.client().load(lab.vip(0), 2001, 1, 1);
    let per_second = || lab.lbd().service("POOL")["connections_per_second"].as_f64().unwrap_or_default();
    lab.lbd().wait_status("new connections per second", |_| per_second() > 1.0);
    let throughput = || lab.lbd().service("POOL")["bytes_in_per_second"].as_f64().unwrap_or_default();
    lab.lbd().wait_status("bytes per second", |_| throughput() > 0.0);
    load.expect_no_failures();
}

#[test]
fn a_halted_server_loses_its_connections_and_the_others_keep_theirs() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "keep");
    let halt = |name: &str| {
        let config = lab.config([&lab.pool().on_server_failure("keep")]);
        let label = format!("label = \"{name}\"");
        config.replacing(&label, &format!("{label}\nstate = \"halt\""))
    };
    lab.lbd().put(&halt(holding.other)).expect(200);
    lab.lbd().wait_server("POOL", holding.other, "halted");
    holding.held.expect_alive();
    lab.lbd().put(&halt(holding.name)).expect(200);
    holding.held.expect_reset();
}

/// What the API says to a question about connections.
fn connections(lab: &Lab, question: &str) -> Vec<serde_json::Value> {
    let answer = lab.lbd().request("GET", &format!("/api/v1/{question}"), None).expect(200);
    answer.json["connections"].as_array().expect("a list").clone()
}

#[test]
fn who_is_that_is_answered_for_open_connections() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    let client = lab.client().address();
    let mine =
        connections(&lab, &format!("connections?client={client}&service=POOL&server={}", holding.name));
    let [connection] = mine.as_slice() else { panic!("{mine:#?}") };
    let text = |name: &str| connection[name].as_str().unwrap_or_default().to_owned();
    assert_eq!((text("service"), text("server")), ("POOL".to_owned(), holding.name.to_owned()));
    assert_eq!(text("state"), "established");
    assert_eq!(text("virtual_address"), format!("{}:2001", lab.vip(0)));
    assert_eq!(text("server_address"), format!("{}:2001", holding.server.address()));
    let port = text("snat_source").rsplit_once(':').expect("a port").1.to_owned();
    let seen = holding.server.run("ss -Hnt state established sport = :2001");
    let ends_with_it = |word: &str| word.ends_with(&format!(":{port}"));
    assert!(seen.stdout.split_whitespace().any(ends_with_it), "the server sees {}", seen.stdout);
    assert!(connection["age_seconds"].is_u64() && connection["bytes_in"].as_u64() > Some(100));
    assert_eq!(connections(&lab, &format!("connections?port={port}")).len(), 1);
    assert_eq!(connections(&lab, "connections?service=POOL").len(), 1);
    for nobody in ["client=192.0.2.1", "service=OTHER", "port=1", "server=NODE9"] {
        assert_eq!(connections(&lab, &format!("connections?{nobody}")), [serde_json::Value::Null; 0]);
    }
    let refused = lab.lbd().request("GET", "/api/v1/connections?client=ct-scanner", None).expect(400);
    assert!(refused.text.contains("client=ct-scanner"), "{}", refused.text);
    let socket = lab.lbd().control_socket();
    let said = lab
        .lbd()
        .command(&format!("connections --client {client} --control-socket {}", socket.display()), "");
    assert!(said.expect_ok().contains(&format!("POOL/{}", holding.name)), "{said:?}");
}

#[test]
fn who_was_that_is_answered_for_closed_connections_also_after_a_restart() {
    let lab = Lab::single_arm();
    let holding = Holding::start(&lab, "reset");
    let open = connections(&lab, "connections");
    let source = open[0]["snat_source"].as_str().expect("a source").to_owned();
    let port = source.rsplit_once(':').expect("a port").1.to_owned();
    drop(holding.held);
    let question = format!("closed-connections?client={}&port={port}&since=1h", lab.client().address());
    wait::until(lab::lbd::SOON, "the closed connection", || connections(&lab, &question).len() == 1);
    lab.lbd().kill();
    lab.lbd().start_again();
    let closed = connections(&lab, &question);
    assert_eq!(closed[0]["server"], holding.name);
    assert_eq!((&closed[0]["cause"], &closed[0]["snat_source"]), (&"reset".into(), &source.into()));
    assert!(closed[0]["bytes_out"].as_u64() > Some(100) && closed[0]["started"].is_string());
    assert_eq!(connections(&lab, &format!("closed-connections?port={port}&until=1h")).len(), 0);
    // The server's end is told apart.
    lab.lbd().wait_service("POOL", "up");
    let held = lab.client().hold(lab.vip(0), 2001);
    lab.server(&held.reply.server).set_link(false);
    let ended = || connections(&lab, "closed-connections").iter().any(|closed| closed["cause"] == "ended");
    wait::until(lab::lbd::SOON, "the connection of the dead server", ended);
}

/// Nothing tells of them but the kernel's table: the checks come too seldom to notice.
#[test]
fn connections_that_a_server_refuses_or_does_not_answer_are_counted() {
    let lab = Lab::single_arm();
    let server = lab.server("NODE1");
    let serving = server.named_server("NODE1", 2001);
    let pool = lab.pool().weights(&[100]).check_every(60, 3).rise_fall(1, 2);
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    lab.client().ask(lab.vip(0), 2001);
    serving.kill();
    let not_taken = || lab.lbd().server("POOL", "NODE1")["connections_not_taken"].as_u64();
    assert_eq!(lab.client().scan(lab.vip(0), &[2001])[&2001], "refused");
    wait::until(lab::lbd::SOON, "the refusal to be counted", || not_taken() == Some(1));
    server.drop_silently(2001);
    assert_eq!(lab.client().scan(lab.vip(0), &[2001])[&2001], "silent");
    // Its entry would wait two minutes for an answer; a halt ends it.
    lab.lbd()
        .command(
            &format!("server halt POOL NODE1 --control-socket {}", lab.lbd().control_socket().display()),
            "",
        )
        .expect_ok();
    wait::until(lab::lbd::SOON, "the silence to be counted", || not_taken() == Some(2));
    assert_eq!(lab.lbd().service("POOL")["connections_not_taken"], 2);
    let causes: Vec<_> =
        connections(&lab, "closed-connections").iter().map(|it| it["cause"].clone()).collect();
    assert!(causes.contains(&"ended".into()) && causes.contains(&"reset".into()), "{causes:?}");
}

#[test]
fn a_connection_that_both_sides_closed_is_recorded_as_closed() {
    let lab = Lab::single_arm();
    lab.server("NODE1").answering(2001, "after-close");
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100])]));
    lab.lbd().wait_service("POOL", "up");
    // The kernel remembers a closed connection for two minutes.
    lab.appliance().run("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=1").expect_ok();
    assert!(lab.client().ask_and_close(lab.vip(0), 2001, "hello").ends_with("hello"));
    let closed = wait::until_some(lab::lbd::SOON, "the closed connection", || {
        connections(&lab, "closed-connections").into_iter().next()
    });
    assert_eq!((&closed.0["cause"], &closed.0["server"]), (&"closed".into(), &"NODE1".into()));
}

#[test]
fn a_server_that_is_halted_everywhere_loses_its_connections_in_every_service() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let pools = [("FIRST", 1), ("SECOND", 2)].map(|(name, number)| lab.pool().named(name, lab.vip(number)));
    lab.lbd().start(&lab.config(&pools.map(|pool| pool.weights(&[100]))));
    let held = [("FIRST", 1), ("SECOND", 2)].map(|(name, number)| {
        lab.lbd().wait_service(name, "up");
        lab.client().hold(lab.vip(number), 2001)
    });
    held.iter().for_each(Held::expect_alive);
    let (address, socket) = (lab.server("NODE1").address(), lab.lbd().control_socket());
    let order = format!("server halt --everywhere {address} --control-socket {}", socket.display());
    lab.lbd().command(&order, "").expect_ok();
    held.iter().for_each(Held::expect_reset);
}

#[test]
fn an_idle_connection_is_forgotten_after_its_time_out_and_one_that_talks_stays() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100]).with("idle_timeout_seconds = 5")]));
    lab.lbd().wait_service("POOL", "up");
    let begin = Instant::now();
    let _idle = lab.client().hold(lab.vip(0), 2001);
    let talking = lab.client().hold(lab.vip(0), 2001);
    let open = || connections(&lab, "connections?service=POOL");
    let only_the_talking_one = || {
        talking.expect_alive();
        open().len() == 1
    };
    assert_eq!(open().len(), 2);
    wait::until(Duration::from_secs(30), "the idle one to be forgotten", only_the_talking_one);
    assert!(begin.elapsed() > Duration::from_secs(4), "after {:?}", begin.elapsed());
    wait::holds_for(Duration::from_secs(6), "the other stays", only_the_talking_one);
    let [left] = open().try_into().expect("one");
    assert!(left["age_seconds"].as_u64() >= Some(9), "the same entry ever since: {left:#}");
}

#[test]
fn an_idle_time_out_counts_for_both_protocols_and_families_and_can_change() {
    let lab = Lab::single_arm().with_ipv6();
    let node = lab.server("NODE1");
    node.named_server("NODE1", 2001);
    let addresses = [lab.vip(0).into(), ipv6(lab.vip(0)).into()];
    let pool = lab.pool().weights(&[100]).server("NODE1-6", ipv6(node.address())).at(&addresses);
    let with = |seconds: u32| {
        let config = lab.config([&pool.clone().with(&format!("idle_timeout_seconds = {seconds}"))]);
        config.replacing("protocol = \"tcp\"", "protocol = \"tcp+udp\"")
    };
    lab.lbd().start(&with(600));
    lab.lbd().wait_service("POOL", "up");
    for address in addresses {
        assert!(lab.client().ask_udp(address, 2001).contains("NODE1"));
    }
    let _held = lab.client().hold(lab.vip(0), 2001);
    let left = || {
        let open = connections(&lab, "connections?service=POOL");
        open.iter().map(|one| one["seconds_left"].as_u64().unwrap_or_default()).collect::<Vec<_>>()
    };
    let all = left();
    assert!(all.len() == 3 && all.iter().all(|left| (560..=600).contains(left)), "{all:?}");
    lab.lbd().put(&with(1_200)).expect(200);
    let _new = lab.client().hold(lab.vip(0), 2001);
    assert!(left().iter().any(|left| (1_160..=1_200).contains(left)), "{:?}", left());
    lab.lbd().put(&with(0)).expect(200);
    let _endless = lab.client().hold(lab.vip(0), 2001);
    assert!(left().iter().any(|left| *left > 400_000), "{:?}", left());
}
