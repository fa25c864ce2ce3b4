//! Which server a new client gets when some have more connections, or can take no more.

use lab::kernel::Table;
use lab::tcp::Held;
use lab::{Config, Lab, wait};

/// Far above what it takes until a count has become a share: a quarter of a second and a write.
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

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
    wait_counted(&lab, "NODE1", count(&held, "NODE1"));
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
