//! Random sequences of configurations, health events and connections, replayed against the real kernel and a small model
//! of what should happen. A sequence that fails is made shorter before it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use lab::tcp::Held;
use lab::{Config, Lab, Process, random};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner};

const NODES: [&str; 3] = ["NODE1", "NODE2", "POOL2_NODE1"];
/// The number of the fallback server, which never dies.
const FALLBACK: usize = NODES.len();
const FALLBACK_HOST: &str = "POOL3_NODE1";
const SNAT_POOL: [&str; 2] = ["192.168.10.120", "192.168.10.121"];
const CLIENTS: u8 = 4;
const PORT: u16 = 2001;
/// A sequence that fails is tried again so many times at most, each time with less.
const SHORTENINGS: u32 = 40;
/// And for so many milliseconds: each try may wait for what never comes.
const LONGEST_SHORTENING: u32 = 60_000;

/// What the operator wants of the servers, and whether clients keep theirs.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    states: [&'static str; 3],
    weights: [u16; 3],
    persistence: bool,
    scheduler: &'static str,
    options: Options,
}

/// Settings of the service that change how clients are served, not by whom; but for the fallback server.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Options {
    enabled: bool,
    proxied: bool,
    fallback_server: bool,
    snat_pool: bool,
    idle_timeout: bool,
}

impl Options {
    const FIRST: Self =
        Self { enabled: true, proxied: false, fallback_server: false, snat_pool: false, idle_timeout: false };

    /// In the table of the service.
    fn lines(self, lab: &Lab) -> String {
        let pool = SNAT_POOL.map(|address| format!("\"{address}\"")).join(", ");
        let fallback = lab.server(FALLBACK_HOST).address();
        let lines = [
            (!self.enabled, "enabled = false".to_owned()),
            (self.proxied, "forwarding_method = \"proxy\"".to_owned()),
            (self.fallback_server, format!("fallback_server = \"{fallback}\"")),
            (self.snat_pool, format!("snat_pool = [{pool}]")),
            (self.idle_timeout, "idle_timeout_seconds = 600".to_owned()),
        ];
        let wanted = lines.into_iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }
}

#[derive(Debug, Clone)]
enum Step {
    Configure(Setting),
    Dies(usize),
    Returns(usize),
    Connect(u8),
    Hold,
    /// lbd is killed and starts again.
    Crash,
}

fn setting() -> impl Strategy<Value = Setting> {
    let state = || prop_oneof![4 => Just("online"), 1 => Just("drain"), 1 => Just("halt")];
    let weight = || prop_oneof![4 => 1_u16..=256, 1 => Just(0_u16)];
    let scheduler =
        prop_oneof![Just("weighted-least-connections"), Just("weighted-round-robin"), Just("source-hash")];
    // A service whose servers all have weight 0 is refused.
    let weights =
        [weight(), weight(), weight()].prop_filter("a weight", |weights| weights.iter().any(|w| *w > 0));
    ([state(), state(), state()], weights, any::<bool>(), scheduler, options()).prop_map(
        |(states, weights, persistence, scheduler, options)| Setting {
            states,
            weights,
            persistence,
            scheduler,
            options,
        },
    )
}

fn options() -> impl Strategy<Value = Options> {
    let often = || prop::bool::weighted(0.5);
    (prop::bool::weighted(0.9), often(), often(), often(), often()).prop_map(
        |(enabled, proxied, fallback_server, snat_pool, idle_timeout)| Options {
            enabled,
            proxied,
            fallback_server,
            snat_pool,
            idle_timeout,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => setting().prop_map(Step::Configure),
        1 => (0..NODES.len()).prop_map(Step::Dies),
        1 => (0..NODES.len()).prop_map(Step::Returns),
        5 => (0..CLIENTS).prop_map(Step::Connect),
        1 => Just(Step::Hold),
        1 => Just(Step::Crash),
    ];
    vec(step, 5..20)
}

impl Setting {
    fn first() -> Self {
        let (states, weights) = (["online"; 3], [100; 3]);
        let (scheduler, options) = ("weighted-round-robin", Options::FIRST);
        Self { states, weights, persistence: true, scheduler, options }
    }

    fn config(&self, lab: &Lab) -> Config {
        let mut pool = lab.pool().rise_fall(1, 1).persistence(self.persistence.then_some(300));
        pool = pool.without_servers().with(&self.options.lines(lab));
        let scheduler = format!("protocol = \"tcp\"\nscheduler = \"{}\"", self.scheduler);
        let config = lab.config([&pool]).replacing("protocol = \"tcp\"", &scheduler);
        (0..NODES.len()).fold(config, |config, node| {
            config.followed_by(&format!(
                "[[virtual_service.real_server]]\nlabel = \"{}\"\naddress = \"{}\"\nweight = {}\nstate = \"{}\"\n",
                NODES[node],
                lab.server(NODES[node]).address(),
                self.weights[node],
                self.states[node]
            ))
        })
    }

    /// Whether a server may take new connections, as far as the operator goes.
    fn admits(&self, node: usize) -> bool {
        self.options.enabled && self.states[node] == "online" && self.weights[node] > 0
    }
}

/// What should be: knows nothing of rules, marks and chains.
struct Model {
    setting: Setting,
    alive: BTreeSet<usize>,
    /// Who keeps which server; only while nothing has happened that may have ended it.
    kept: BTreeMap<u8, usize>,
}

impl Model {
    fn takes_new(&self, node: usize) -> bool {
        self.alive.contains(&node) && self.setting.admits(node)
    }

    /// Whether established connections to a server go on.
    fn carries(&self, node: usize) -> bool {
        if node == FALLBACK {
            return self.setting.options.enabled && self.setting.options.fallback_server;
        }
        self.setting.options.enabled && self.alive.contains(&node) && self.setting.states[node] != "halt"
    }

    /// What was kept of a server that takes none is not to be relied on any more.
    fn forget(&mut self) {
        let gone: Vec<_> = (0..NODES.len()).filter(|node| !self.takes_new(*node)).collect();
        self.kept.retain(|_, node| !gone.contains(node));
    }

    /// The servers of which one must answer this client; none: it must be refused.
    fn may_answer(&self, client: u8) -> BTreeSet<usize> {
        if let Some(node) = self.kept.get(&client) {
            return BTreeSet::from([*node]);
        }
        let real: BTreeSet<_> = (0..NODES.len()).filter(|node| self.takes_new(*node)).collect();
        let Options { enabled, fallback_server, .. } = self.setting.options;
        if real.is_empty() && enabled && fallback_server { BTreeSet::from([FALLBACK]) } else { real }
    }

    /// Another one is in force.
    fn set(&mut self, setting: &Setting) {
        let (old, new) = (self.setting.options, setting.options);
        // lbd and the kernel remember each for itself.
        if !setting.persistence || !new.enabled || old.proxied != new.proxied {
            self.kept.clear();
        }
        self.setting = setting.clone();
    }
}

/// The real thing beside its model.
struct World {
    lab: Lab,
    model: Model,
    servers: BTreeMap<usize, Arc<Process>>,
    held: Vec<Holding>,
}

/// A connection that a client holds.
struct Holding {
    node: usize,
    /// The server sees an address of the SNAT pool, and it ends with that.
    from_pool: bool,
    /// It was opened through lbd, and ends with it.
    by_proxy: bool,
    connection: Held,
}

/// The number of who answered.
fn number(name: &str) -> usize {
    if name == "FALLBACK" {
        return FALLBACK;
    }
    NODES.iter().position(|known| *known == name).expect("a server of ours")
}

impl World {
    fn start() -> Self {
        let lab = Lab::single_arm();
        let servers =
            (0..NODES.len()).map(|node| (node, lab.server(NODES[node]).named_server(NODES[node], PORT)));
        let servers: BTreeMap<_, _> = servers.collect();
        lab.server(FALLBACK_HOST).named_server("FALLBACK", PORT);
        lab.client().use_addresses("10.77.0.0/24");
        lab.appliance().ip(format!("route add 10.77.0.0/24 via {}", lab.client().address()));
        let model = Model {
            setting: Setting::first(),
            alive: servers.keys().copied().collect(),
            kept: BTreeMap::new(),
        };
        lab.lbd().start(&model.setting.config(&lab));
        let world = Self { lab, model, servers, held: Vec::new() };
        world.wait_settled();
        world
    }

    /// Until lbd knows which servers are alive.
    fn wait_settled(&self) {
        for (node, name) in NODES.iter().enumerate() {
            let expected = match (self.model.setting.states[node], self.model.alive.contains(&node)) {
                _ if !self.model.setting.options.enabled => "off",
                (_, false) => "down",
                ("halt", true) => "halted",
                ("drain", true) => "drained",
                (_, true) if self.model.setting.weights[node] == 0 => "drained",
                _ => "up",
            };
            self.lab.lbd().wait_status(&format!("{name} to be {expected}"), |api| {
                let state = api.server("POOL", name)["state"].as_str().unwrap_or_default().to_owned();
                // One that is told to take none may be shown as that also while it is down.
                state == expected || (expected == "down" && !self.model.setting.admits(node) && state != "up")
            });
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Configure(setting) => {
                self.lab.lbd().put(&setting.config(&self.lab)).expect(200);
                self.model.set(setting);
            }
            Step::Dies(node) => {
                if let Some(server) = self.servers.remove(node) {
                    server.kill();
                    self.model.alive.remove(node);
                }
            }
            Step::Returns(node) => {
                let (lab, name) = (&self.lab, NODES[*node]);
                self.servers.entry(*node).or_insert_with(|| lab.server(name).named_server(name, PORT));
                self.model.alive.insert(*node);
            }
            Step::Connect(client) => return self.connect(*client),
            Step::Hold => return self.hold(),
            Step::Crash => {
                self.lab.lbd().kill();
                self.lab.lbd().start_again();
                self.lose_what_lbd_forwarded();
            }
        }
        self.model.forget();
        self.wait_settled();
        self.look_at_held();
    }

    fn connect(&mut self, client: u8) {
        let expected = self.model.may_answer(client);
        if expected.is_empty() {
            let port = &self.lab.client().scan(self.lab.vip(0), &[PORT])[&PORT];
            match self.model.setting.options.enabled {
                true => assert_eq!(port, "refused", "no server is left"),
                false => assert_ne!(port, "open", "the service is switched off"),
            }
            return;
        }
        let source = Ipv4Addr::new(10, 77, 0, 1 + client);
        let reply = self.lab.client().ask_as(&[source], self.lab.vip(0), PORT).remove(0);
        let node = number(&reply.server);
        assert!(expected.contains(&node), "client {client} reached {node}, not one of {expected:?}");
        let source = reply.seen.as_str();
        match self.model.setting.options.snat_pool {
            true => assert!(SNAT_POOL.contains(&source), "{source} is not of the pool"),
            false => assert_eq!(source, self.lab.vip(0).to_string()),
        }
        if self.model.setting.persistence && node != FALLBACK {
            self.model.kept.insert(client, node);
        }
    }

    fn hold(&mut self) {
        // The client's usual address is nobody's whom the model remembers.
        let may_answer = self.model.may_answer(CLIENTS);
        if !may_answer.is_empty() && self.held.len() < 3 {
            let connection = self.lab.client().hold(self.lab.vip(0), PORT);
            let node = number(&connection.reply.server);
            assert!(may_answer.contains(&node), "a connection reached {node}");
            let Options { proxied: by_proxy, snat_pool: from_pool, .. } = self.model.setting.options;
            self.held.push(Holding { node, from_pool, by_proxy, connection });
        }
    }

    fn lose_what_lbd_forwarded(&mut self) {
        self.model.kept.retain(|_, _| !self.model.setting.options.proxied);
        let (lost, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|holding| holding.by_proxy);
        self.held = left;
        for Holding { connection, node, .. } in lost {
            assert_ne!(connection.say().0, "ok", "a connection to {node}, which ended with lbd");
        }
    }

    fn look_at_held(&mut self) {
        for holding in std::mem::take(&mut self.held) {
            let Holding { node, from_pool, connection, .. } = &holding;
            let is_there = *node == FALLBACK || self.model.alive.contains(node);
            let has_source = !from_pool || self.model.setting.options.snat_pool;
            if self.model.carries(*node) && has_source {
                connection.expect_alive();
                self.held.push(holding);
            } else if is_there && self.model.setting.options.enabled {
                connection.expect_reset();
            } else {
                // A process that is killed ends its connections in an orderly way; with its service an address has gone.
                assert_ne!(connection.say().0, "ok", "a connection to {node}, which is not served any more");
            }
        }
    }
}

#[test]
fn whatever_happens_in_whatever_order_happens_as_in_the_model() {
    let runs = Runs {
        cases: u32::try_from(random::rounds(4, 60)).expect("few"),
        max_shrink_iters: SHORTENINGS,
        max_shrink_time: LONGEST_SHORTENING,
        failure_persistence: None,
        ..Runs::default()
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&random::seed("model").to_le_bytes());
    let mut runner = TestRunner::new_with_rng(runs, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let outcome = runner.run(&steps(), |steps| {
        let mut world = World::start();
        steps.iter().for_each(|step| world.take(step));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
