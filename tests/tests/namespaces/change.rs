//! Changing the configuration: it takes effect at once, learns are kept, and a crash never leaves a mix.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::kernel::{Table, addresses, wait_address};
use lab::{Config, Lab, random, wait};

/// What tells one configuration from another, everywhere where it shows.
#[derive(Debug, Clone, PartialEq)]
struct Picture {
    config: serde_json::Value,
    /// Label, place and servers with their weights, as the status has them.
    view: Vec<String>,
    table: BTreeSet<String>,
    addresses: BTreeSet<String>,
}

impl Picture {
    fn of(lab: &Lab) -> Self {
        Self {
            config: lab.lbd().config(),
            view: told(&lab.lbd().status()),
            table: Table::read(lab.appliance()).mentions(),
            addresses: addresses(lab.appliance()),
        }
    }

    /// The picture of `config` once every server in it passes its checks, and how long the change took.
    fn settled(lab: &Lab, config: &Config) -> (Self, Duration) {
        let begin = Instant::now();
        lab.lbd().put(config).expect(200);
        let took = begin.elapsed();
        wait_all_up(lab);
        (Self::of(lab), took)
    }
}

fn told(status: &serde_json::Value) -> Vec<String> {
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let service = |service: serde_json::Value| {
        let servers = list(&service["real_servers"]);
        let servers: Vec<_> =
            servers.iter().map(|server| format!("{} {}", server["label"], server["weight"])).collect();
        format!("{} {} {servers:?}", service["label"], service["ports"])
    };
    list(&status["virtual_services"]).into_iter().map(service).collect()
}

fn wait_all_up(lab: &Lab) {
    wait::until(Duration::from_secs(60), "all services to be up", || lab.lbd().status()["state"] == "up");
}

/// Two configurations that differ in virtual addresses, ports, labels and servers.
fn old_and_new(lab: &Lab) -> [Config; 2] {
    let old = [lab.pool().weights(&[100]), lab.pool().named("ONLY_OLD", lab.vip(1)).ports("2002")];
    let new = [
        lab.pool().weights(&[100, 100]),
        lab.pool().named("ONLY_NEW_1", lab.vip(2)).ports("2003").weights(&[10, 20]),
        lab.pool().named("ONLY_NEW_2", lab.vip(3)).ports("2004-2006").server_port(2001),
    ];
    [lab.config(&old), lab.config(&new)]
}

/// So many kills, a third of them expected on the rarer side, are not all on one by chance.
const MANY: u64 = 50;

#[test]
fn killed_at_any_moment_of_a_change_lbd_starts_with_the_old_or_the_new_one_whole() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        for port in [2001, 2002, 2003] {
            lab.server(node).named_server(node, port);
        }
    }
    let configs = old_and_new(&lab);
    lab.lbd().start(&configs[0]);
    let settled = [1, 0].map(|index| (index, Picture::settled(&lab, &configs[index])));
    let longest = settled.iter().map(|(_, (_, took))| *took).max().expect("two");
    let pictures = settled.map(|(index, (picture, _))| (index, picture));
    for (index, picture) in &pictures {
        let virtual_addresses: &[u8] = if *index == 0 { &[0, 1] } else { &[0, 2, 3] };
        let expected: Vec<_> =
            virtual_addresses.iter().map(|number| format!("eth0 {}/32", lab.vip(*number))).collect();
        let found = picture.addresses.iter().filter(|address| address.ends_with("/32"));
        assert_eq!(
            found.collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>(),
            "each has its own, and no other's"
        );
    }
    let mut random = fastrand::Rng::with_seed(random::seed("killed during a change"));
    let mut outcomes = [0, 0];
    let rounds = random::rounds(5, 50);
    for round in 0..rounds {
        let target = usize::from(lab.lbd().config() == pictures[1].1.config);
        // From before the request to after the answer, however fast this machine is.
        let moment = longest.mul_f64(1.5 * random.f64());
        let answered = std::thread::scope(|scope| {
            let change = scope.spawn(|| lab.lbd().put(&configs[target]).status);
            std::thread::sleep(moment);
            lab.lbd().kill();
            change.join().expect("the change is asked for")
        });
        lab.lbd().start_again();
        wait_all_up(&lab);
        let found = Picture::of(&lab);
        let whole = pictures.iter().find(|(_, picture)| *picture == found);
        let Some((index, _)) = whole else {
            panic!("round {round}, killed after {moment:?}: {found:#?}\nis none of {pictures:#?}")
        };
        assert!(
            answered != 200 || *index == target,
            "round {round}: accepted, and lost by a kill after {moment:?}"
        );
        outcomes[usize::from(*index == target)] += 1;
        assert_eq!(lab.client().ask(lab.vip(0), 2001).seen, lab.vip(0).to_string());
    }
    println!("killed during a change: {} times the old one, {} times the new one", outcomes[0], outcomes[1]);
    // By chance a few kills all fall on one side; among many that would mean that none fell into a change.
    assert!(rounds < MANY || !outcomes.contains(&0), "of {rounds} kills: {outcomes:?}");
}

#[test]
fn a_change_keeps_what_does_not_concern_it() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let first = lab.client().ask(lab.vip(0), 2001);
    let load = lab.client().load(lab.vip(0), 2001, 2, 2);
    let before = Table::read(lab.appliance());
    let second = lab.pool().named("SECOND", lab.vip(1));
    lab.lbd().put(&lab.config([&lab.pool(), &second])).expect(200);
    lab.lbd().wait_service("SECOND", "up");
    assert_eq!(lab.client().ask(lab.vip(1), 2001).seen, lab.vip(1).to_string());
    lab.lbd().put(&lab.config([&lab.pool()])).expect(200);
    assert!(!addresses(lab.appliance()).iter().any(|address| address.contains(&lab.vip(1).to_string())));
    assert_ne!(lab.client().scan(lab.vip(1), &[2001])[&2001], "open");
    assert_eq!(lab.client().ask(lab.vip(0), 2001), first, "persistence outlives the changes");
    for (name, packets) in Table::read(lab.appliance()).counters() {
        assert!(packets >= before.counters()[&name], "counter {name} started anew");
    }
    load.expect_no_failures();
}

#[test]
fn a_stored_configuration_outlives_a_stop_and_wins_over_the_initial_one() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().put(&lab.config([&lab.pool().weights(&[7, 9])])).expect(200);
    lab.lbd().stop();
    lab.lbd().start(&lab.config([&lab.pool()]));
    assert_eq!(lab.lbd().server("POOL", "NODE2")["weight"], 9);
}

#[test]
fn a_change_on_trial_is_taken_back_by_a_crash() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    wait_address(lab.appliance(), lab.vip(0));
    let before = Picture::of(&lab);
    let moved = lab.config([&lab.pool()]).replacing("https_port = 9443", "https_port = 9444");
    let accepted = lab.lbd().put(&moved).expect(200).json;
    assert!(accepted["confirm_until"].is_string(), "{accepted:#}");
    assert_eq!(lab.lbd().config()["management"]["https_port"], 9444);
    lab.lbd().kill();
    lab.lbd().start_again();
    assert_eq!(Picture::of(&lab), before, "nobody has confirmed it");
    let history = lab.lbd().request("GET", "/api/v1/config/versions", None).expect(200).json;
    assert_eq!(history[0]["standing"], "unconfirmed", "the history tells what was tried: {history:#}");
    assert_eq!(lab.lbd().status()["configuration_version"], history[1]["version"]);
}
