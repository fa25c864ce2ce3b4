//! Which server a new client gets when some have more connections, or can take no more.

use std::time::Duration;

use lab::kernel::Table;
use lab::tcp::Held;
use lab::{Config, Lab, wait};

/// Far above what it takes until a count has become a share: a quarter of a second and a write.
const SOON: Duration = Duration::from_secs(10);

fn start(lab: &Lab, config: &Config) {
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().start(config);
    lab.lbd().wait_service("POOL", "up");
}

/// The configuration with its first server in another state.
fn with_node1(config: &Config, state: &str) -> Config {
    config.replacing("weight = 100", &format!("weight = 100\nstate = \"{state}\""))
}

/// What the View says of a server.
fn server(lab: &Lab, label: &str) -> serde_json::Value {
    let service = lab.lbd().service("POOL");
    let servers = service["real_servers"].as_array().expect("a list");
    servers.iter().find(|server| server["label"] == label).expect("a server of the pool").clone()
}

fn count(held: &[Held], name: &str) -> usize {
    held.iter().filter(|held| held.reply.server == name).count()
}

fn wait_counted(lab: &Lab, label: &str, connections: usize) {
    let what = format!("{connections} connections of {label} to be counted");
    wait::until(SOON, what, || server(lab, label)["connections_now"] == connections);
}

/// Until what was counted has become shares: they follow at most four times a second.
fn wait_at_rest(lab: &Lab) {
    const REST: Duration = Duration::from_secs(1);
    let read = || Table::read(lab.appliance()).without_counts();
    wait::until(SOON, "the shares to be at rest", || {
        let before = read();
        std::thread::sleep(REST);
        read() == before
    });
}

/// A server that was away has no connections when it comes back; and what the counts have made of the shares outlives
/// lbd.
#[test]
fn new_clients_go_where_few_connections_are_until_there_is_balance() {
    let lab = Lab::single_arm();
    let config = lab.config([&lab.pool().by_least_connections().persistence(None)]);
    start(&lab, &with_node1(&config, "drain"));
    let mut held: Vec<_> = (0..10).map(|_| lab.client().hold(lab.vip(0), 2001)).collect();
    assert_eq!(count(&held, "NODE2"), 10);
    lab.lbd().put(&config).expect(200);
    let share = |label| server(&lab, label)["share_percent"].as_f64().expect("a number");
    wait::until(SOON, "NODE1 to get most new clients", || share("NODE1") > 80.0);
    held.extend((0..8).map(|_| lab.client().hold(lab.vip(0), 2001)));
    // A tenth or so of the new ones may still have gone to the other.
    assert!(count(&held, "NODE1") >= 6, "{held:?}");
    ["NODE1", "NODE2"].into_iter().for_each(|node| wait_counted(&lab, node, count(&held, node)));
    wait_at_rest(&lab);
    lab.lbd().kill();
    let before = Table::read(lab.appliance());
    lab.lbd().start_again();
    lab.lbd().wait_service("POOL", "up");
    wait_counted(&lab, "NODE1", count(&held, "NODE1"));
    Table::read(lab.appliance()).expect_same_as(&before);
    held.iter().for_each(Held::expect_alive);
    // The rest of the way: from then on both get the same.
    for _ in 0..12 {
        held.push(lab.client().hold(lab.vip(0), 2001));
        wait_counted(&lab, "NODE1", count(&held, "NODE1"));
    }
    let (one, two) = (count(&held, "NODE1"), count(&held, "NODE2"));
    assert!(one.abs_diff(two) <= 4, "{one} and {two}");
}

/// The pool's first server takes two connections at a time, and has room again at one.
#[test]
fn a_full_server_takes_nobody_not_even_who_knows_it_until_it_has_room_again() {
    let lab = Lab::single_arm();
    let limited = |config: &Config| {
        let limits = "weight = 100\nmaximum_connections = 3\nminimum_connections = 1";
        config.replacing("weight = 100", limits)
    };
    let config = limited(&lab.config([&lab.pool().weights(&[100])]));
    start(&lab, &config);
    let mut held: Vec<_> = (0..3).map(|_| lab.client().hold(lab.vip(0), 2001)).collect();
    wait::until(SOON, "NODE1 to be full", || server(&lab, "NODE1")["full"] == true);
    let service = lab.lbd().service("POOL");
    assert_eq!(service["state"], "degraded", "{service}");
    assert!(service["problem"].as_str().is_some_and(|why| why.contains("is full")), "{service}");
    assert_eq!(lab.client().scan(lab.vip(0), &[2001])[&2001], "refused");
    // With another server its known client goes there, and its connections go on.
    let both = limited(&lab.config([&lab.pool()]));
    lab.lbd().put(&both).expect(200);
    lab.lbd().wait_server("POOL", "NODE2", "up");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE2");
    held.iter().for_each(Held::expect_alive);
    // The next lbd does not take it for dead.
    lab.lbd().kill();
    lab.lbd().start_again();
    wait::until(SOON, "NODE1 to be full as before", || server(&lab, "NODE1")["full"] == true);
    held.iter().for_each(Held::expect_alive);
    held.pop();
    wait::until(SOON, "the end of one to be counted", || server(&lab, "NODE1")["connections_now"] == 2);
    // Below the maximum, and not yet down to where it is used again.
    wait::holds_for(Duration::from_secs(2), "NODE1 to be full", || server(&lab, "NODE1")["full"] == true);
    held.pop();
    wait::until(SOON, "NODE1 to take new ones again", || server(&lab, "NODE1")["state"] == "up");
    assert_eq!(server(&lab, "NODE1")["full"], false);
    held.iter().for_each(Held::expect_alive);
}

#[test]
fn a_server_that_comes_back_grows_into_its_share() {
    let lab = Lab::single_arm();
    let pool = lab.pool().in_turn().persistence(None);
    start(&lab, &lab.config([&pool]));
    let node1 = || server(&lab, "NODE1");
    let share = || node1()["share_percent"].as_f64().expect("a number");
    // Who is there already is not new.
    let config = lab.config([&pool.with("slow_start_seconds = 8")]);
    lab.lbd().put(&with_node1(&config, "drain")).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "drained");
    lab.lbd().put(&config).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "up");
    let first = share();
    assert!(first > 0.0 && first < 30.0, "{first}");
    let clients = [lab.client().address(); 20];
    let replies = lab.client().ask_as(&clients, lab.vip(0), 2001);
    let ones = replies.iter().filter(|reply| reply.server == "NODE1").count();
    assert!((1..=7).contains(&ones), "{ones} of 20 in the beginning");
    let grown = wait::until(2 * SOON, "NODE1 to have its whole share", || share() == 50.0);
    assert!(grown > Duration::from_secs(3), "after {grown:?}");
    let replies = lab.client().ask_as(&clients, lab.vip(0), 2001);
    assert_eq!(replies.iter().filter(|reply| reply.server == "NODE1").count(), 10);
}

fn at(last: u8) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::new(10, 77, 3, last)
}

fn ask_as(lab: &Lab, client: std::net::Ipv4Addr) -> String {
    lab.client().ask_as(&[client], lab.vip(0), 2001).remove(0).server
}

#[test]
fn a_pinned_client_gets_its_server_and_another_only_while_that_is_out() {
    let lab = Lab::single_arm();
    lab.client().use_addresses("10.77.0.0/16");
    lab.appliance().ip("route add 10.77.0.0/16 via 192.168.10.50");
    let pins = "pin = [{ client = \"10.77.0.0/16\", server = \"NODE1\" }, \
                { client = \"10.77.3.9\", server = \"NODE2\" }]";
    // Everybody else would get NODE2 nearly always.
    let config = lab.config([&lab.pool().weights(&[1, 256]).with(pins)]);
    start(&lab, &config);
    for last in 1..=8 {
        assert_eq!(ask_as(&lab, at(last)), "NODE1");
    }
    assert_eq!(ask_as(&lab, at(9)), "NODE2", "the smaller network counts");
    let out = config.replacing("weight = 1\n", "weight = 1\nstate = \"drain\"\n");
    lab.lbd().put(&out).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "drained");
    assert_eq!([ask_as(&lab, at(1)), ask_as(&lab, at(1))], ["NODE2", "NODE2"]);
    lab.lbd().put(&config).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "up");
    assert_eq!(ask_as(&lab, at(1)), "NODE1", "it is back, whatever persistence knows");
}

#[test]
fn clients_of_one_network_count_as_one_where_persistence_says_so() {
    let lab = Lab::single_arm();
    lab.client().use_addresses("10.77.0.0/16");
    lab.appliance().ip("route add 10.77.0.0/16 via 192.168.10.50");
    let config = lab.config([&lab.pool().in_turn()]);
    start(&lab, &config.replacing("timeout_seconds = 300", "timeout_seconds = 300\nipv4_prefix_length = 24"));
    let first = ask_as(&lab, at(1));
    for last in 2..=7 {
        assert_eq!(ask_as(&lab, at(last)), first);
    }
    let table = Table::read(lab.appliance());
    let network = std::net::Ipv4Addr::new(10, 77, 3, 0);
    assert_eq!((table.sticky(network).len(), table.sticky(at(1)).len()), (1, 0));
    let other = std::net::Ipv4Addr::new(10, 77, 4, 1);
    assert_ne!(ask_as(&lab, other), first, "another network is another client");
}
