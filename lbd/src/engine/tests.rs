//! The engine on a virtual clock: stories, and random events against its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::config::{Document, Format, validate};
use crate::health::{Failure, Passed, Step};
use crate::network::topology::{Egress, Interface, Network};
use crate::plan::Desired;
use crate::store::{Author, Standing};
use crate::traffic::listing::Listing;
use crate::view::{ServerState, ServiceState, View};

const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

fn document(text: &str) -> Document {
    Document::parse(text, Format::Toml).unwrap()
}

fn topology() -> Topology {
    let address = "192.168.10.10".parse().unwrap();
    let interface = Interface {
        index: 2,
        carrier: true,
        hardware: Some([2, 0, 0, 0, 0, 1]),
        networks: BTreeSet::from([Network { address, prefix: 24 }]),
        ..Interface::default()
    };
    let egress = || Egress { interface: "eth0".into(), source: address };
    let servers = ["110", "111", "112", "114"].map(|last| format!("192.168.10.{last}").parse().unwrap());
    Topology {
        interfaces: [("eth0".to_owned(), interface)].into(),
        routes: servers.into_iter().map(|server| (server, egress())).collect(),
    }
}

fn accepted(version: u64) -> Result<Accepted, Refusal> {
    Ok(Accepted { version, confirm_until: None })
}

fn failure() -> Failure {
    Failure::TimedOut { step: Step::Connecting, after: Duration::from_secs(3) }
}

fn result(passed: bool) -> Result<Passed, Failure> {
    let passed = passed.then_some(Passed { took: Duration::from_millis(2), certificate_ends: None });
    passed.ok_or_else(failure)
}

/// The address of a server of the example whose label ends like this.
fn address_of(label: &str) -> IpAddr {
    let config = validate(document(EXAMPLE)).unwrap();
    let mut servers = config.services.iter().flat_map(|service| &service.servers);
    servers.find(|server| server.label.as_str().ends_with(label)).map(|server| server.address).unwrap()
}

/// The engine, its clock, and what it has ordered and not yet heard of.
struct World {
    engine: Engine,
    now: Now,
    /// By how much the wall clock was set.
    clock_set_by: jiff::SignedDuration,
    applies: Vec<(u64, Arc<Desired>)>,
    stores: usize,
    /// What the store holds, and the version that is being written last.
    disk: Vec<(u64, Arc<Document>, Standing)>,
    storing: Option<(Arc<Document>, Standing)>,
    confirms: Vec<u64>,
    looks: usize,
    checks: Vec<(Duration, ProbeId, Arc<Target>)>,
    answers: Vec<(u64, Result<Accepted, Refusal>)>,
    announced: Vec<(Duration, IpAddr)>,
    endings: Vec<Vec<Ending>>,
    version: u64,
}

impl World {
    fn new() -> Self {
        Self::with_kernel(Listing::default())
    }

    fn with_kernel(listing: Listing) -> Self {
        Self::with_config(EXAMPLE, listing)
    }

    fn with_config(text: &str, listing: Listing) -> Self {
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let start = Start {
            config: validate(document(text)).unwrap(),
            version: 1,
            listing,
            topology: topology(),
            fast_path_missing: None,
            problems: Vec::new(),
            host_name: "lbmaster".into(),
        };
        let (engine, effects) = Engine::new(start, now);
        let mut world = Self {
            engine,
            now,
            clock_set_by: jiff::SignedDuration::ZERO,
            applies: Vec::new(),
            stores: 0,
            disk: vec![(1, document(text).into(), Standing::Accepted)],
            storing: None,
            confirms: Vec::new(),
            looks: 0,
            checks: Vec::new(),
            answers: Vec::new(),
            announced: Vec::new(),
            endings: Vec::new(),
            version: 1,
        };
        world.take(effects);
        world
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Apply { number, desired, .. } => self.applies.push((number, desired)),
                Effect::Check { probe, target, .. } => self.checks.push((self.now.monotonic, probe, target)),
                Effect::Store { document, standing, .. } => {
                    self.stores += 1;
                    self.storing = Some((document, standing));
                }
                Effect::Confirm(version) => self.confirms.push(version),
                Effect::Answer(RequestId(id), answer) => self.answers.push((id, answer)),
                Effect::Announce { address, .. } => self.announced.push((self.now.monotonic, address)),
                Effect::LookAtAppliance => self.looks += 1,
                Effect::EndConnections(endings) => self.endings.push(endings),
                Effect::ReadCounters
                | Effect::LookForRoom(_)
                | Effect::FindTitles { .. }
                | Effect::NameServers(_)
                | Effect::CountOften(_)
                | Effect::WatchRoutes(_)
                | Effect::Listen(_)
                | Effect::ListenInClear(_)
                | Effect::AnswerFallback(_)
                | Effect::SendLog(_)
                | Effect::KeepTime(_)
                | Effect::AnswerSnmp(_) => {}
            }
        }
        assert!(self.applies.len() <= 1, "one apply at a time");
        assert!(self.stores <= 1, "one store at a time");
    }

    fn event(&mut self, event: Event) {
        let effects = self.engine.handle(event, self.now);
        self.take(effects);
    }

    /// Lets the clock run from deadline to deadline.
    fn run_for(&mut self, time: Duration) {
        let end = self.now.monotonic + time;
        while self.engine.next_deadline() <= end {
            self.at(self.engine.next_deadline().max(self.now.monotonic));
            let effects = self.engine.handle_deadline(self.now);
            self.take(effects);
        }
        self.at(end);
    }

    fn at(&mut self, monotonic: Duration) {
        let passed = jiff::SignedDuration::try_from(monotonic).unwrap();
        let wall = Timestamp::UNIX_EPOCH + passed + self.clock_set_by;
        self.now = Now { monotonic, wall };
    }

    fn applied(&mut self, result: Result<(), String>) {
        if let Some((number, _)) = self.applies.pop() {
            self.event(Event::Applied { number, outcome: Outcome { rules: result, rest: Ok(()) } });
        }
    }

    fn stored(&mut self, works: bool) {
        if self.stores > 0 {
            self.stores -= 1;
            self.version += u64::from(works);
            let storing = self.storing.take().unwrap();
            self.disk.extend(works.then_some((self.version, storing.0, storing.1)));
            let result = if works { Ok(self.version) } else { Err("disk full".to_owned()) };
            self.event(Event::Stored(result));
        }
    }

    fn confirmed(&mut self, works: bool) {
        let Some(version) = self.confirms.pop() else { return };
        for stored in self.disk.iter_mut().filter(|stored| works && stored.0 == version) {
            stored.2 = Standing::Accepted;
        }
        self.event(Event::Confirmed(works.then_some(()).ok_or_else(|| "disk full".to_owned())));
    }

    /// Answers all checks that wait; those of `down` fail.
    fn answer_checks(&mut self, down: &[&str]) {
        for (_, probe, target) in std::mem::take(&mut self.checks) {
            let failed = down.iter().any(|label| target.address.ip() == address_of(label));
            self.event(Event::Checked { probe, result: result(!failed), late: Duration::ZERO });
        }
    }

    fn change(&mut self, id: u64, text: &str) {
        self.change_based_on(id, text, None);
    }

    fn change_based_on(&mut self, id: u64, text: &str, based_on: Option<u64>) {
        let by = Author { user: "loadbalancer".into(), from: "192.168.10.50".into() };
        let proposal = Proposal { document: document(text), by, comment: "why".into(), based_on };
        self.event(Event::Change { request: RequestId(id), proposal: Box::new(proposal) });
    }

    /// Everything that was ordered is done, and everybody passes.
    fn calm_down(&mut self) {
        for _ in 0..12 {
            if std::mem::take(&mut self.looks) > 0 {
                self.event(Event::Looked(Findings::default()));
            }
            self.answer_checks(&[]);
            self.applied(Ok(()));
            self.stored(true);
            self.confirmed(true);
            self.run_for(Duration::from_secs(5));
        }
        self.answer_checks(&[]);
    }

    fn states(&self) -> Vec<(ServiceState, Vec<ServerState>)> {
        let view = self.engine.view();
        let servers =
            |service: &crate::view::ServiceView| service.real_servers.iter().map(|s| s.state).collect();
        view.virtual_services.iter().map(|service| (service.state, servers(service))).collect()
    }
}

#[test]
fn first_checks_decide_at_once_and_the_view_shows_it() {
    let mut world = World::new();
    assert!(world.states().iter().all(|(state, _)| *state == ServiceState::Checking));
    world.run_for(Duration::from_millis(100));
    world.answer_checks(&["POOL1_NODE2", "POOL3_NODE1"]);
    assert_eq!(world.states()[0].1[0], ServerState::Checking, "the kernel does not have it yet");
    world.applied(Ok(()));
    world.applied(Ok(()));
    use ServerState::{Down, Up};
    let expected = [
        (ServiceState::Degraded, vec![Up, Down]),
        (ServiceState::Up, vec![Up]),
        (ServiceState::Down, vec![Down]),
    ];
    assert_eq!(world.states(), expected);
    assert_eq!(world.engine.view().state, ServiceState::Down);
}

#[test]
fn every_check_starts_each_interval_whatever_the_others_do() {
    let mut world = World::new();
    world.run_for(Duration::from_secs(60));
    let mut starts: BTreeMap<ProbeId, Vec<Duration>> = BTreeMap::new();
    for (at, probe, _) in &world.checks {
        starts.entry(*probe).or_default().push(*at);
    }
    assert_eq!(starts.len(), 4);
    for times in starts.values() {
        assert!(times.len() >= 12 && times[1] - times[0] <= Duration::from_secs(5));
        assert!(times[1..].windows(2).all(|pair| pair[1] - pair[0] == Duration::from_secs(5)), "{times:?}");
    }
}

#[test]
fn a_server_leaves_and_returns_in_the_table() {
    let mut world = World::new();
    world.calm_down();
    let in_service = |world: &World| world.engine.plan.desired.table.whole().maps["servers"].elements.len();
    assert_eq!(in_service(&world), 4);
    let mut seen = Vec::new();
    for down in [&["POOL1_NODE2"][..], &["POOL1_NODE2"], &[], &[]] {
        world.run_for(Duration::from_secs(5));
        world.answer_checks(down);
        world.applied(Ok(()));
        seen.push(in_service(&world));
    }
    assert_eq!(seen, [4, 3, 3, 4]);
}

#[test]
fn a_restart_changes_nothing_in_the_kernel() {
    let mut first = World::new();
    first.run_for(Duration::from_millis(100));
    first.answer_checks(&["POOL1_NODE1"]);
    first.applied(Ok(()));
    let (_, desired) = first.applies.pop().unwrap();
    let kernel = Listing::of(&desired.table.whole());
    let mut second = World::with_kernel(kernel.clone());
    let (_, again) = second.applies.pop().unwrap();
    assert_eq!(crate::traffic::difference::difference(&kernel, &again.table.whole()), "");
    assert_eq!(second.states()[0].1, [ServerState::Down, ServerState::Up], "also before anything is applied");
    assert_eq!(second.states()[0].1, [ServerState::Down, ServerState::Up]);
}

#[test]
fn a_change_is_applied_stored_and_only_then_accepted() {
    let mut world = World::new();
    world.calm_down();
    world.change(1, &EXAMPLE.replace("192.168.10.102", "192.168.10.105"));
    assert!(world.stores == 0 && world.answers.is_empty());
    assert_eq!(**world.engine.document(), document(EXAMPLE), "the old one is shown");
    world.change(2, EXAMPLE);
    assert_eq!(world.answers.pop(), Some((2, Err(Refusal::Busy))));
    world.applied(Ok(()));
    assert!(world.stores == 1 && world.answers.is_empty());
    world.stored(true);
    assert_eq!(world.answers, [(1, accepted(2))]);
    assert_ne!(**world.engine.document(), document(EXAMPLE));
}

#[test]
fn a_change_that_the_kernel_or_the_disk_refuses_is_taken_back_before_it_is_answered() {
    for kernel_works in [false, true] {
        let mut world = World::new();
        world.calm_down();
        let before = world.engine.plan.desired.clone();
        world.change(1, &EXAMPLE.replace("192.168.10.102", "192.168.10.105"));
        world.applied(kernel_works.then_some(()).ok_or_else(|| "no memory".to_owned()));
        world.stored(false);
        assert_eq!(world.applies.last().map(|(_, desired)| desired), Some(&before));
        assert!(world.answers.is_empty());
        world.applied(Ok(()));
        let refusal = match kernel_works {
            false => Refusal::NotApplied("no memory".into()),
            true => Refusal::NotStored("disk full".into()),
        };
        assert_eq!(world.answers, [(1, Err(refusal))]);
        assert_eq!(**world.engine.document(), document(EXAMPLE));
    }
}

/// A configuration on trial: another port of the WebUI.
fn on_trial() -> World {
    let mut world = World::new();
    world.calm_down();
    world.change(1, &EXAMPLE.replace("9443", "9444"));
    world.applied(Ok(()));
    world.stored(true);
    let (_, answer) = world.answers.pop().unwrap();
    assert!(matches!(answer, Ok(Accepted { version: 2, confirm_until: Some(_) })), "{answer:?}");
    assert_eq!(world.disk[1].2, Standing::Unconfirmed);
    world
}

#[test]
fn what_could_cut_the_administrator_off_is_taken_back_unless_confirmed() {
    let mut world = on_trial();
    let pending = world.engine.view().pending_confirmation.unwrap();
    assert_eq!((pending.version, pending.by.as_str()), (2, "loadbalancer from 192.168.10.50"));
    world.change(2, EXAMPLE);
    assert!(matches!(world.answers.pop(), Some((2, Err(Refusal::OnTrial { version: 2, .. })))));
    world.run_for(Duration::from_secs(119));
    assert_ne!(**world.engine.document(), document(EXAMPLE));
    world.run_for(Duration::from_secs(2));
    world.applied(Ok(()));
    assert_eq!(**world.engine.document(), document(EXAMPLE));
    let view = world.engine.view();
    assert_eq!((view.configuration_version, view.pending_confirmation), (1, None));
    assert!(view.problems[0].contains("version 2 of loadbalancer"), "{:?}", view.problems);
    world.calm_down();
    world.change(3, &EXAMPLE.replace("fall = 2", "fall = 3"));
    world.calm_down();
    assert_eq!(world.answers.pop(), Some((3, accepted(3))));
    assert_eq!(world.engine.view().problems, [""; 0]);
}

/// The clock is set by ten years: what is done, and when on the clock that does not jump, stays the same; what is told of
/// the past is told by the clock as it is now.
#[test]
fn a_clock_that_is_set_by_ten_years_changes_nothing_but_the_times_that_are_told() {
    let live = |set_by: jiff::SignedDuration| {
        let mut world = on_trial();
        world.run_for(Duration::from_secs(30));
        world.clock_set_by = set_by;
        let mut story = Vec::new();
        for second in 0..200 {
            world.run_for(Duration::from_secs(1));
            let checks: Vec<_> = world.checks.iter().map(|(at, probe, _)| (*at, *probe)).collect();
            world.answer_checks(if second > 50 { &["POOL1_NODE2"] } else { &[] });
            let orders = (world.applies.len(), world.endings.clone(), world.announced.clone());
            world.applied(Ok(()));
            let version = world.engine.view().configuration_version;
            story.push((checks, orders, world.states(), version, world.engine.next_deadline()));
        }
        let view = world.engine.view();
        let since = view.virtual_services.iter().flat_map(|service| &service.real_servers);
        let told: Vec<_> = since.map(|server| server.since).chain([view.started]).collect();
        (story, told)
    };
    let (story, told) = live(jiff::SignedDuration::ZERO);
    assert_eq!((story[80].3, story[199].3), (2, 1), "the trial ends by itself");
    for years in [10, -10] {
        let set_by = jiff::SignedDuration::from_hours(years * 365 * 24);
        let (other, moved) = live(set_by);
        assert!(story == other, "{years} years");
        assert_eq!(told.iter().map(|time| *time + set_by).collect::<Vec<_>>(), moved);
    }
}

#[test]
fn a_trial_says_when_it_ends_by_the_clock_as_it_is_now() {
    let mut world = on_trial();
    world.clock_set_by = jiff::SignedDuration::from_hours(1);
    world.run_for(Duration::from_secs(20));
    let until = world.engine.view().pending_confirmation.unwrap().until;
    let left = until.duration_since(world.now.wall).as_secs();
    assert!((95..=100).contains(&left), "{left} s");
}

#[test]
fn a_confirmed_configuration_stays_and_a_confirmation_that_is_not_stored_is_none() {
    let mut world = on_trial();
    world.event(Event::Confirm(RequestId(2), None));
    world.confirmed(false);
    assert_eq!(world.answers.pop(), Some((2, Err(Refusal::NotStored("disk full".into())))));
    world.event(Event::Confirm(RequestId(3), None));
    world.run_for(Duration::from_secs(200));
    assert!(world.answers.is_empty(), "the disk hangs; the time does not run out meanwhile");
    world.confirmed(true);
    assert_eq!(world.answers.pop(), Some((3, accepted(2))));
    world.event(Event::Confirm(RequestId(4), None));
    assert_eq!(world.answers.pop(), Some((4, Err(Refusal::NothingOnTrial))));
    world.run_for(Duration::from_secs(200));
    assert_ne!(**world.engine.document(), document(EXAMPLE));
}

#[test]
fn a_verdict_about_another_version_than_the_one_on_trial_decides_nothing() {
    let mut world = on_trial();
    for (number, event) in
        [(2, Event::Confirm(RequestId(2), Some(1))), (3, Event::Revert(RequestId(3), Some(1)))]
    {
        world.event(event);
        let refusal = Refusal::Outdated { in_force: 2, changed: Vec::new() };
        assert_eq!(world.answers.pop(), Some((number, Err(refusal))));
        assert!(world.engine.view().pending_confirmation.is_some());
    }
    world.event(Event::Confirm(RequestId(4), Some(2)));
    world.confirmed(true);
    assert_eq!(world.answers.pop(), Some((4, accepted(2))));
}

#[test]
fn a_trial_is_ended_by_hand_too() {
    let mut world = on_trial();
    world.event(Event::Revert(RequestId(2), None));
    world.applied(Ok(()));
    assert_eq!(world.answers, [(2, accepted(1))]);
    assert_eq!(**world.engine.document(), document(EXAMPLE));
}

#[test]
fn a_change_based_on_an_older_version_is_refused() {
    let mut world = World::new();
    world.calm_down();
    world.change_based_on(1, &EXAMPLE.replace("fall = 2", "fall = 3"), Some(1));
    world.stored(true);
    assert_eq!(world.answers.pop(), Some((1, accepted(2))));
    world.change_based_on(2, EXAMPLE, Some(1));
    let refusal = Refusal::Outdated { in_force: 2, changed: Vec::new() };
    assert_eq!(world.answers.pop(), Some((2, Err(refusal))));
}

#[test]
fn a_change_of_check_or_order_keeps_health() {
    let mut world = World::new();
    world.calm_down();
    world.change(1, &EXAMPLE.replace("fall = 2", "fall = 3"));
    world.stored(true);
    assert_eq!(world.answers, [(1, accepted(2))], "nothing to apply in the kernel");
    assert!(world.states().iter().all(|(state, _)| *state == ServiceState::Up));
}

#[test]
fn the_kernel_is_tried_again_with_longer_pauses() {
    let mut world = World::new();
    let mut tries = Vec::new();
    while tries.len() < 7 {
        if !world.applies.is_empty() {
            tries.push(world.now.monotonic.as_secs());
            world.applied(Err("no memory".into()));
        }
        assert!(world.engine.view().problems[0].contains("no memory"));
        world.run_for(Duration::from_secs(1));
    }
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 61]);
    world.calm_down();
    assert_eq!(world.engine.view().problems, [""; 0]);
}

#[test]
fn whatever_changes_in_the_network_is_looked_at_again() {
    let mut world = World::new();
    world.calm_down();
    world.event(Event::Topology(topology()));
    assert!(world.applies.is_empty(), "nothing has changed");
    let mut changed = topology();
    changed.interfaces.get_mut("eth0").unwrap().carrier = false;
    world.event(Event::Topology(changed));
    assert_eq!(world.applies.len(), 1);
}

#[test]
fn each_service_shows_its_new_connections_of_the_last_minutes_and_an_older_lbd_shows_none() {
    let mut world = World::new();
    world.calm_down();
    let names: BTreeSet<_> = world.engine.plan.desired.table.counters().into_iter().cloned().collect();
    for (seconds, value) in [(30, 60), (60, 60), (90, 150)] {
        world.at(Duration::from_secs(seconds));
        world.event(Event::Counters(Ok(names.iter().map(|name| (name.clone(), value)).collect())));
    }
    let view = world.engine.view();
    let course = |view: &View| view.virtual_services[0].recent_connections_per_second.clone();
    assert_eq!(course(&view), [2.0, 0.0, 3.0]);
    let mut older = serde_json::to_value(&view).unwrap();
    for service in older["virtual_services"].as_array_mut().unwrap() {
        service.as_object_mut().unwrap().remove("recent_connections_per_second").expect("published");
    }
    assert_eq!(course(&serde_json::from_value(older).unwrap()), [0.0; 0]);
}

#[test]
fn a_table_that_has_gone_is_read_again_and_nobody_is_shown_as_up() {
    let mut world = World::new();
    world.calm_down();
    let ours: BTreeMap<_, _> =
        world.engine.plan.desired.table.counters().into_iter().map(|name| (name.clone(), 7)).collect();
    world.event(Event::Counters(Ok(ours)));
    assert!(world.applies.is_empty());
    let effects = world.engine.handle(Event::Counters(Err("No such file or directory".into())), world.now);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Apply { read_again: true, .. })),
        "{effects:?}"
    );
    world.take(effects);
    assert_eq!(world.states()[0].0, ServiceState::Checking);
    world.applied(Ok(()));
    assert_eq!(world.states()[0].0, ServiceState::Up);
}

#[test]
fn one_address_that_cannot_be_placed_delays_no_health_change() {
    let mut world = World::new();
    world.calm_down();
    let trouble = || Outcome { rules: Ok(()), rest: Err("File exists".into()) };
    world.run_for(Duration::from_secs(60));
    let (number, _) = world.applies.pop().expect("the refresh");
    world.event(Event::Applied { number, outcome: trouble() });
    assert!(world.applies.is_empty() && world.engine.view().problems[0].contains("File exists"));
    for _ in 0..2 {
        world.run_for(Duration::from_millis(100));
        let probe = world.checks.last().map(|(_, probe, _)| *probe).unwrap();
        world.event(Event::Checked { probe, result: result(false), late: Duration::ZERO });
    }
    assert_eq!(world.applies.len(), 1, "at once, without waiting for the next try");
    let (number, _) = world.applies.pop().unwrap();
    world.event(Event::Applied { number, outcome: trouble() });
    world.change(1, &EXAMPLE.replace("192.168.10.102", "192.168.10.105"));
    let (number, _) = world.applies.pop().unwrap();
    world.event(Event::Applied { number, outcome: trouble() });
    world.stored(true);
    assert_eq!(world.answers, [(1, accepted(2))], "old trouble is no reason to refuse a change");
}

#[test]
fn a_change_whose_rules_fail_is_refused_though_they_failed_before_in_the_same_way() {
    let mut world = World::new();
    world.calm_down();
    let broken = || Outcome { rules: Err("nft says: broken".into()), rest: Ok(()) };
    world.run_for(Duration::from_secs(60));
    let (number, _) = world.applies.pop().expect("the refresh");
    world.event(Event::Applied { number, outcome: broken() });
    assert!(world.engine.view().problems[0].contains("broken"));
    world.change(1, &EXAMPLE.replace("192.168.10.102", "192.168.10.105"));
    // The change, and its way back.
    while let Some((number, _)) = world.applies.pop() {
        world.event(Event::Applied { number, outcome: broken() });
    }
    assert!(matches!(world.answers.as_slice(), [(1, Err(_))]), "{:?}", world.answers);
    assert_eq!(world.engine.view().configuration_version, 1);
}

#[test]
fn a_server_that_died_during_a_failed_change_stays_out() {
    let mut world = World::new();
    world.calm_down();
    world.change(1, &EXAMPLE.replace("192.168.10.102", "192.168.10.105"));
    world.applied(Ok(()));
    for _ in 0..2 {
        world.run_for(Duration::from_secs(5));
        world.answer_checks(&["POOL1_NODE2"]);
        world.applied(Ok(()));
    }
    assert_eq!(world.states()[0].1[1], ServerState::Down, "shown also while the disk hangs");
    world.stored(false);
    let (_, reverted) = world.applies.last().unwrap();
    assert!(!reverted.table.whole().maps["servers"].elements.contains_key("0x00010002"));
}

#[test]
fn addresses_are_announced_at_once_repeated_and_after_a_link_came_back() {
    let mut world = World::new();
    world.applied(Ok(()));
    world.run_for(Duration::from_secs(70));
    let vip: IpAddr = "192.168.10.100".parse().unwrap();
    let of_vip = |world: &World| -> Vec<u64> {
        world.announced.iter().filter(|(_, a)| *a == vip).map(|(at, _)| at.as_secs()).collect()
    };
    assert_eq!(of_vip(&world), [0, 1, 3, 7, 15, 31, 63]);
    let mut cut = topology();
    cut.interfaces.get_mut("eth0").unwrap().carrier = false;
    world.event(Event::Topology(cut));
    world.event(Event::Topology(topology()));
    world.applied(Ok(()));
    world.run_for(Duration::from_secs(2));
    assert_eq!(of_vip(&world)[7..], [70, 71]);
}

fn marks(endings: &[Vec<Ending>]) -> Vec<Vec<u32>> {
    let mark = |ending: &Ending| match ending {
        Ending::Server { mark, .. } => Some(*mark),
        Ending::Source(_) => None,
    };
    endings.iter().map(|endings| endings.iter().filter_map(mark).collect()).collect()
}

/// Fails the checks of `down` until the kernel is to be told.
fn take_down(world: &mut World, down: &[&str]) {
    for _ in 0..2 {
        world.run_for(Duration::from_secs(5));
        world.applied(Ok(()));
        world.answer_checks(down);
    }
}

#[test]
fn connections_of_a_failed_server_end_once_the_rules_lead_elsewhere_and_once_more() {
    let mut world = World::new();
    world.calm_down();
    take_down(&mut world, &["POOL1_NODE2"]);
    assert!(world.endings.is_empty(), "the rules still lead there");
    world.applied(Ok(()));
    assert_eq!(marks(&world.endings), [[0x10002]]);
    world.run_for(Duration::from_secs(1));
    assert_eq!(marks(&world.endings), [[0x10002], [0x10002]], "for packets that were on their way");
    world.run_for(Duration::from_secs(1));
    world.answer_checks(&["POOL1_NODE2"]);
    assert_eq!(world.endings.len(), 2);
}

#[test]
fn connections_that_could_not_be_ended_are_told_and_tried_again_unless_the_server_is_back() {
    let mut world = World::new();
    world.calm_down();
    take_down(&mut world, &["POOL1_NODE2"]);
    world.applied(Ok(()));
    world.run_for(Duration::from_secs(1));
    let endings = world.endings.pop().unwrap();
    world.endings.clear();
    let failed = |endings: &Vec<Ending>| Event::ConnectionsEnded {
        endings: endings.clone(),
        result: Err("no memory".into()),
    };
    let is_told = |world: &World| {
        world.engine.view().problems.iter().any(|problem| problem.contains("could not be ended (no memory)"))
    };
    world.event(failed(&endings));
    assert!(is_told(&world));
    world.run_for(Duration::from_secs(2));
    assert_eq!(marks(&world.endings), [[0x10002]]);
    world.event(Event::ConnectionsEnded { endings: endings.clone(), result: Ok(()) });
    assert!(!is_told(&world));
    world.calm_down();
    world.endings.clear();
    world.event(failed(&endings));
    world.run_for(Duration::from_secs(2));
    assert!(world.endings.is_empty(), "the server is back: {:?}", world.endings);
}

#[test]
fn connections_are_kept_where_that_is_configured_and_at_weight_0_while_the_server_passes() {
    let mut world = World::new();
    world.calm_down();
    let keep = "snat_source = \"auto\"\non_server_failure = \"keep\"";
    let drained = EXAMPLE.replace("snat_source = \"auto\"", keep).replacen("weight = 100", "weight = 0", 1);
    assert!(drained.contains("keep") && drained.contains("weight = 0"));
    world.change(1, &drained);
    world.calm_down();
    take_down(&mut world, &["POOL1_NODE2"]);
    world.applied(Ok(()));
    assert!(world.endings.is_empty(), "{:?}", world.endings);
}

#[test]
fn connections_of_a_halted_server_end_when_the_change_is_accepted_and_those_of_a_drained_one_go_on() {
    for (state, expected) in [("drain", vec![]), ("halt", vec![vec![0x10001]])] {
        let mut world = World::new();
        world.calm_down();
        let state = format!("weight = 100\nstate = \"{state}\"");
        world.change(1, &EXAMPLE.replacen("weight = 100", &state, 1));
        world.applied(Ok(()));
        assert!(world.endings.is_empty(), "not yet accepted");
        world.stored(true);
        assert_eq!(marks(&world.endings), expected);
    }
}

#[test]
fn connections_of_a_removed_or_moved_server_end_when_the_change_is_accepted() {
    for accepted in [true, false] {
        let mut world = World::new();
        world.calm_down();
        let moved = EXAMPLE.replace("192.168.10.111", "192.168.10.119");
        world.change(1, &moved);
        world.applied(Ok(()));
        assert!(world.endings.is_empty(), "not yet accepted");
        world.stored(accepted);
        world.applied(Ok(()));
        let new = Some("192.168.10.119".parse().unwrap());
        let expected = vec![vec![Ending::Server { mark: 0x10002, but_those_to: new }]];
        assert_eq!(world.endings, if accepted { expected } else { Vec::new() });
    }
}

#[test]
fn connections_end_that_a_server_sees_under_an_address_that_has_left_the_configuration() {
    let pool = "ports = \"2001\"\nsnat_pool = [\"192.168.10.120-192.168.10.121\"]";
    let with_pool = EXAMPLE.replacen("ports = \"2001\"", pool, 1);
    let mut world = World::with_config(&with_pool, Listing::default());
    world.calm_down();
    assert!(world.endings.is_empty(), "{:?}", world.endings);
    world.change(1, &with_pool.replace("-192.168.10.121", ""));
    world.calm_down();
    let gone = Ending::Source("192.168.10.121".parse().unwrap());
    assert_eq!(world.endings.first(), Some(&vec![gone]));
}

#[test]
fn a_number_is_not_given_to_another_server_while_connections_may_carry_it() {
    let mut world = World::new();
    world.calm_down();
    world.change(1, &EXAMPLE.replace("DATALINK_POOL1_NODE2", "DATALINK_POOL1_NODE9"));
    world.applied(Ok(()));
    world.stored(true);
    assert_eq!(marks(&world.endings), [[0x10002]]);
    let label = |text: &str| crate::config::Label::try_from(text).unwrap();
    let new = world.engine.numbering.server(&label("DATALINK_POOL1"), &label("DATALINK_POOL1_NODE9"));
    assert_eq!(new.map(|mark| mark.get()), Some(0x10003));
}

#[test]
fn a_restart_ends_the_connections_of_servers_that_are_out_and_no_others() {
    let mut first = World::new();
    first.run_for(Duration::from_millis(100));
    first.answer_checks(&["POOL1_NODE1"]);
    first.applied(Ok(()));
    let (_, desired) = first.applies.pop().unwrap();
    let mut second = World::with_kernel(Listing::of(&desired.table.whole()));
    second.applied(Ok(()));
    assert_eq!(marks(&second.endings), [[0x10001]]);
}

#[test]
fn the_fallback_server_serves_while_nobody_else_does_and_the_view_says_so() {
    let text = EXAMPLE.replacen("ports =", "fallback_server = \"192.168.10.120:2001\"\nports =", 1);
    let mut world = World::with_config(&text, Listing::default());
    world.calm_down();
    let service = |world: &World| world.engine.view().virtual_services.remove(0);
    let before = service(&world);
    assert_eq!((before.fallback_server.map(|server| server.serving), before.problem), (Some(false), None));
    assert_eq!(before.without_server, "the fallback server 192.168.10.120:2001 serves");
    take_down(&mut world, &["POOL1_NODE1", "POOL1_NODE2"]);
    // The second verdict came while the kernel was busy with the first.
    world.applied(Ok(()));
    world.applied(Ok(()));
    let during = service(&world);
    assert_eq!(
        (during.state, during.fallback_server.map(|server| server.serving)),
        (ServiceState::Down, Some(true))
    );
    assert!(during.problem.is_some_and(|told| told.contains("192.168.10.120:2001 is serving")));
    assert_eq!(during.without_server, "the fallback server 192.168.10.120:2001 is serving");
    // It ends with its place in the configuration, and so do its connections.
    world.change(1, EXAMPLE);
    world.calm_down();
    assert!(marks(&world.endings).concat().contains(&0x1ffff), "{:?}", world.endings);
}

#[test]
fn counted_connections_are_shown_and_scarce_ports_are_told() {
    use crate::conntrack::census::{Census, Figures};
    let mut world = World::new();
    world.calm_down();
    assert_eq!(world.engine.view().virtual_services[0].traffic.connections_now, None);
    let figures = Figures { connections: 7, ports_in_use: 51_610, ..Figures::default() };
    let census = Census { marks: [(0x10002, figures)].into(), ..Census::default() };
    world.event(Event::Connections(Ok(census)));
    let view = world.engine.view();
    let servers = view.virtual_services[0].real_servers.iter();
    let counts: Vec<_> = servers.map(|server| server.traffic.connections_now).collect();
    assert_eq!((view.virtual_services[0].traffic.connections_now, counts), (Some(7), vec![Some(0), Some(7)]));
    assert!(view.problems[0].contains("51610 of 64512 source ports"), "{:?}", view.problems);
}

#[test]
fn what_was_counted_is_not_told_as_of_now_while_it_cannot_be_counted() {
    use crate::conntrack::census::{Census, Figures};
    use crate::conntrack::entry::Volume;
    let mut world = World::new();
    world.calm_down();
    let count = |world: &mut World, bytes: u64| {
        let received = Volume { bytes, packets: 1 };
        let figures = Figures { connections: 7, received, ..Figures::default() };
        world.event(Event::Connections(Ok(Census {
            marks: [(0x10002, figures)].into(),
            ..Census::default()
        })));
        world.run_for(Duration::from_secs(5));
    };
    let told = |world: &World| {
        let view = world.engine.view();
        let traffic = &view.virtual_services[0].traffic;
        let is_told = view.problems.iter().any(|problem| problem.contains("no memory"));
        (
            traffic.connections_now,
            traffic.bytes_in_per_second.map(|rate| rate > 0.0),
            traffic.bytes_in,
            is_told,
        )
    };
    count(&mut world, 1_000);
    count(&mut world, 9_000);
    assert_eq!(told(&world), (Some(7), Some(true), 9_000, false));
    world.event(Event::Connections(Err("no memory".into())));
    assert_eq!(told(&world), (None, None, 9_000, true), "sums never become smaller");
    count(&mut world, 20_000);
    assert_eq!(told(&world), (Some(7), Some(true), 20_000, false));
    world.event(Event::Counters(Err("no memory".into())));
    assert_eq!(world.engine.view().virtual_services[0].traffic.connections_per_second, None);
    assert!(told(&world).3);
}

#[test]
fn a_syslog_server_that_takes_nothing_is_told_until_it_does() {
    let servers = "[[syslog_server]]\nlabel = \"SIEM\"\naddress = \"10.1.2.3\"\ntransport = \"tcp\"\n";
    let mut world = World::with_config(&format!("{EXAMPLE}\n{servers}"), Listing::default());
    world.calm_down();
    let seen = |world: &World| {
        let view = world.engine.view();
        let server = &view.syslog_servers[0];
        let problems = view.problems.iter().filter(|problem| problem.contains("The syslog server SIEM"));
        (server.state, server.reason.clone(), problems.count())
    };
    assert_eq!(seen(&world).0, crate::view::SyslogState::Connecting);
    let server = crate::config::Label::try_from("SIEM").unwrap();
    for trouble in [Some("connection refused".to_owned()), None] {
        world.run_for(Duration::from_secs(60));
        let since = world.now.wall;
        world.event(Event::Forwarded { server: server.clone(), trouble: trouble.clone() });
        world.run_for(Duration::from_secs(60));
        world.event(Event::Forwarded { server: server.clone(), trouble: trouble.clone() });
        let (state, reason, problems) = seen(&world);
        assert_eq!(problems, usize::from(trouble.is_some()));
        assert_eq!(state == crate::view::SyslogState::Down, trouble.is_some());
        assert_eq!(reason, trouble.unwrap_or_else(|| "takes the log".into()));
        assert_eq!(world.engine.view().syslog_servers[0].since, since);
    }
    world.change(1, EXAMPLE);
    world.calm_down();
    assert!(world.engine.view().syslog_servers.is_empty());
    world.event(Event::Forwarded { server, trouble: Some("late news".into()) });
    assert!(!world.engine.view().problems.iter().any(|problem| problem.contains("syslog")));
}

#[test]
fn the_fast_path_and_the_warning_of_scarce_ports_are_as_configured() {
    use crate::conntrack::census::{Census, Figures};
    let text = format!("{EXAMPLE}\n[layer4]\nfast_path = false\nsnat_ports_warning_percent = 90\n");
    for (text, has_fast_path) in [(EXAMPLE, true), (text.as_str(), false)] {
        let mut world = World::with_config(text, Listing::default());
        world.calm_down();
        let desired = world.engine.plan.desired.clone();
        assert_eq!(desired.table.common.fast_path.is_some(), has_fast_path);
        assert_eq!(world.engine.view().fast_path.available, has_fast_path);
        // Four fifths are in use.
        let figures = Figures { ports_in_use: 51_610, ..Figures::default() };
        let census = Census { marks: [(0x10002, figures)].into(), ..Census::default() };
        world.event(Event::Connections(Ok(census)));
        assert_eq!(world.engine.view().problems.len(), usize::from(has_fast_path));
    }
}

/// A count in which the servers with these numbers have so many open connections.
fn census(counts: &[(u32, u64)]) -> Event {
    use crate::conntrack::census::{Census, Figures};
    let figures = |(mark, connections): &(u32, u64)| {
        (*mark, Figures { connections: *connections, ..Figures::default() })
    };
    Event::Connections(Ok(Census { marks: counts.iter().map(figures).collect(), ..Census::default() }))
}

fn shares(world: &World) -> Vec<f64> {
    let view = world.engine.view();
    view.virtual_services[0].real_servers.iter().map(|server| server.share_percent).collect()
}

fn by_least_connections() -> String {
    let scheduler = "ports = \"2001\"\nscheduler = \"weighted-least-connections\"";
    EXAMPLE.replacen("ports = \"2001\"", scheduler, 1)
}

#[test]
fn new_clients_go_where_few_connections_are_and_balance_writes_nothing() {
    let mut world = World::with_config(&by_least_connections(), Listing::default());
    world.calm_down();
    assert_eq!(shares(&world), [50.0, 50.0]);
    let orders = |world: &mut World, counts: &[(u32, u64)]| {
        world.event(census(counts));
        let orders = world.applies.len();
        world.applied(Ok(()));
        orders
    };
    assert_eq!(orders(&mut world, &[(0x10001, 5), (0x10002, 4), (0x20001, 70)]), 0, "near enough");
    assert_eq!(orders(&mut world, &[(0x10001, 12), (0x10002, 4)]), 1);
    assert!(shares(&world)[0] < 35.0, "{:?}", shares(&world));
    assert_eq!(orders(&mut world, &[(0x10001, 12), (0x10002, 4)]), 0, "nothing new");
    assert_eq!(orders(&mut world, &[(0x10001, 12), (0x10002, 11)]), 0, "balanced again");
}

#[test]
fn a_full_server_takes_nobody_until_it_has_room_again_and_a_restart_does_not_take_it_for_dead() {
    let text = EXAMPLE.replacen("weight = 100", "weight = 100\nmaximum_connections = 10", 1);
    let mut world = World::new();
    world.calm_down();
    world.change(1, &text);
    world.calm_down();
    let mut seen = Vec::new();
    for connections in [9, 10, 30, 8, 7] {
        world.event(census(&[(0x10001, connections), (0x10002, 8)]));
        world.applied(Ok(()));
        seen.push(world.engine.view().virtual_services[0].real_servers[0].full);
    }
    assert_eq!(seen, [false, true, true, true, false], "again at three quarters");
    assert_eq!(world.endings, [[]; 0], "who is full keeps what it has");
    world.event(census(&[(0x10001, 10)]));
    let (number, desired) = world.applies.pop().unwrap();
    world.event(Event::Applied { number, outcome: Outcome::DONE });
    let view = world.engine.view();
    assert_eq!(view.virtual_services[0].state, ServiceState::Up);
    assert_eq!(
        view.virtual_services[0].real_servers[0].reason,
        "full: has 10 connections of at most 10: takes new ones again at 7"
    );
    let mut second = World::with_config(&text, Listing::of(&desired.table.whole()));
    second.applied(Ok(()));
    assert_eq!(second.states()[0].1, [ServerState::Drained, ServerState::Up]);
    assert_eq!(second.endings, [[]; 0]);
}

#[test]
fn a_server_that_comes_back_grows_into_its_share() {
    let text = EXAMPLE.replacen("ports = \"2001\"", "ports = \"2001\"\nslow_start_seconds = 32", 1);
    let mut world = World::new();
    world.calm_down();
    world.change(1, &text);
    world.calm_down();
    assert_eq!(shares(&world), [50.0, 50.0], "nobody is new");
    for _ in 0..2 {
        world.run_for(Duration::from_secs(5));
        world.answer_checks(&["POOL1_NODE1"]);
        world.applied(Ok(()));
    }
    assert_eq!(shares(&world), [0.0, 100.0]);
    let mut seen = Vec::new();
    for _ in 0..60 {
        world.run_for(Duration::from_secs(1));
        world.answer_checks(&[]);
        world.applied(Ok(()));
        seen.push(shares(&world)[0]);
    }
    seen.retain(|share| *share > 0.0);
    assert!(seen[0] < 7.0 && seen.windows(2).all(|pair| pair[0] <= pair[1]), "{seen:?}");
    assert_eq!(seen.last(), Some(&50.0));
    let growing = seen.iter().filter(|share| **share < 50.0).count();
    assert!((28..=32).contains(&growing), "{seen:?}");
}

#[test]
fn a_restart_goes_on_with_the_shares_that_the_kernel_has() {
    let mut first = World::with_config(&by_least_connections(), Listing::default());
    first.calm_down();
    first.event(census(&[(0x10001, 12), (0x10002, 4)]));
    let (_, desired) = first.applies.pop().unwrap();
    let mut kernel = Listing::of(&desired.table.whole());
    // What nft lists of the rule: the turns, which are not those of the weights.
    let table = desired.table.whole();
    let rule = table.chains["share_1"].rules[0].text();
    let turns = |mark: u32| rule.matches(&format!(": 0x{mark:08x}")).count() as u32;
    let counted = [0x10001, 0x10002].map(|mark| (mark, turns(mark)));
    assert!(counted[0].1 < counted[1].1 && counted[0].1 > 0, "{rule}");
    kernel.turns.insert("share_1".into(), counted.into());
    let mut second = World::with_config(&by_least_connections(), kernel.clone());
    let (_, again) = second.applies.pop().unwrap();
    assert_eq!(crate::traffic::difference::difference(&kernel, &again.table.whole()), "");
}

/// What can happen to an engine.
#[derive(Debug, Clone)]
enum Happening {
    Wait(u16),
    Checks(Vec<&'static str>),
    Applied(bool),
    Stored(bool),
    Change(usize),
    Confirm(bool),
    Revert,
    Link(bool),
    Count(u64),
}

fn step() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1_u16..8000).prop_map(Happening::Wait),
        prop::sample::subsequence(vec!["POOL1_NODE1", "POOL1_NODE2", "POOL2_NODE1"], 0..=3)
            .prop_map(Happening::Checks),
        any::<bool>().prop_map(Happening::Applied),
        any::<bool>().prop_map(Happening::Stored),
        (0_usize..6).prop_map(Happening::Change),
        any::<bool>().prop_map(Happening::Confirm),
        Just(Happening::Revert),
        any::<bool>().prop_map(Happening::Link),
        (0_u64..20).prop_map(Happening::Count),
    ]
}

fn variant(index: usize) -> String {
    match index {
        0 => EXAMPLE.to_owned(),
        1 => EXAMPLE.replace("192.168.10.102", "192.168.10.105"),
        4 | 5 => EXAMPLE.replace("9443", &format!("944{index}")),
        2 => EXAMPLE.replace("DATALINK_POOL1_NODE2", "OTHER").replace("192.168.10.111", "192.168.10.114"),
        _ => by_least_connections()
            .replacen("ports = \"2001\"", "ports = \"2001\"\nslow_start_seconds = 32", 1)
            .replace("weight = 100", "weight = 3\nmaximum_connections = 10")
            .replace("fall = 2", "fall = 1"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens: each request is answered once, a refused change leaves no trace, an accepted one is in
    /// force, the plan is what it would be if it were made anew, and when all is calm the kernel has what it says.
    #[test]
    fn promises_hold_under_random_events(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        let mut asked = 0;
        for step in steps {
            match step {
                Happening::Wait(time) => world.run_for(Duration::from_millis(u64::from(time))),
                Happening::Checks(down) => world.answer_checks(&down),
                Happening::Applied(works) => world.applied(works.then_some(()).ok_or_else(|| "no".to_owned())),
                Happening::Stored(works) => world.stored(works),
                Happening::Change(index) => {
                    asked += 1;
                    world.change(asked, &variant(index));
                }
                Happening::Confirm(works) => {
                    asked += 1;
                    world.event(Event::Confirm(RequestId(asked), None));
                    world.confirmed(works);
                }
                Happening::Revert => {
                    asked += 1;
                    world.event(Event::Revert(RequestId(asked), None));
                }
                Happening::Count(connections) => world.event(census(&[(0x10001, connections), (0x10002, 7)])),
                Happening::Link(up) => {
                    let mut topology = topology();
                    topology.interfaces.get_mut("eth0").unwrap().carrier = up;
                    world.event(Event::Topology(topology));
                }
            }
            prop_assert!(world.engine.has_news() || world.engine.plan == world.engine.with_inputs(plan::plan));
        }
        world.calm_down();
        // Longer than any trial.
        world.run_for(Duration::from_secs(121));
        world.calm_down();
        let mut answered: Vec<_> = world.answers.iter().map(|(id, _)| *id).collect();
        answered.sort_unstable();
        prop_assert_eq!(answered, (1..=asked).collect::<Vec<_>>());
        // What a restart would find.
        let accepted = world.disk.iter().rev().find(|(.., standing)| *standing == Standing::Accepted);
        let (version, in_force, _) = accepted.unwrap();
        prop_assert_eq!(&**world.engine.document(), &**in_force);
        prop_assert_eq!(world.engine.view().configuration_version, *version);
        prop_assert!(world.engine.kernel.has(&world.engine.plan.desired));
        prop_assert!(world.states().iter().all(|(state, _)| *state == ServiceState::Up));
    }
}

fn proxied() -> String {
    EXAMPLE.replacen("protocol = \"tcp\"", "forwarding_method = \"proxy\"", 1)
}

#[test]
fn a_server_that_does_not_take_a_proxied_connection_is_asked_soon_and_not_judged() {
    let mut world = World::with_config(&proxied(), Listing::default());
    world.calm_down();
    world.run_for(Duration::from_secs(30));
    world.answer_checks(&[]);
    let states = world.states();
    let due = |world: &World| world.engine.checks.next_due().unwrap();
    // As if a check had failed: the fast interval of two seconds after the last one.
    world.run_for(Duration::from_millis(100));
    world.answer_checks(&[]);
    world.event(Event::NotTaken([0x10001, 0x7_0007].into()));
    assert!(due(&world) <= world.now.monotonic + Duration::from_secs(2));
    assert_eq!(world.states(), states);
}

#[test]
fn what_the_proxy_opened_and_what_servers_did_not_take_is_shown() {
    use crate::conntrack::census::Census;
    use crate::proxy::Tally;
    let mut world = World::with_config(&proxied(), Listing::default());
    world.calm_down();
    let tally = |opened, failures| Tally { opened, failures };
    let mut census = Census::default();
    census.proxy.tallies = [(0x10000, tally(9, 0)), (0x10001, tally(7, 2))].into();
    census.proxy.refused = 3;
    world.event(Event::Connections(Ok(census)));
    let names =
        world.engine.plan.desired.table.counters().into_iter().map(|name| (name.clone(), 1)).collect();
    world.event(Event::Counters(Ok(names)));
    let view = world.engine.view();
    let service = &view.virtual_services[0];
    assert_eq!((service.forwarding_method.as_str(), service.connections_opened), ("proxy", 10));
    let of_servers: Vec<_> =
        service.real_servers.iter().map(|it| (it.connections_opened, it.connections_not_taken)).collect();
    assert_eq!(of_servers, [(8, 2), (1, 0)]);
    assert!(
        view.problems[0].starts_with("3 connections to proxied services were refused"),
        "{:?}",
        view.problems
    );
    assert_eq!(service.connections_not_taken, 2);
}

#[test]
fn a_restart_keeps_the_servers_of_a_proxied_service() {
    let mut world = World::with_config(&proxied(), Listing::default());
    world.calm_down();
    let listing = Listing::of(&world.engine.plan.desired.table.whole());
    let mut world = World::with_config(&proxied(), listing);
    let up = |world: &World| world.states()[0].0 == ServiceState::Up;
    assert!(!up(&world), "lbd does not listen yet");
    world.applied(Ok(()));
    assert!(up(&world), "without any check");
    assert_eq!(world.engine.plan.desired.proxied[&0x10000].servers.len(), 2);
}

#[test]
fn the_proxy_follows_the_verdicts() {
    let mut world = World::with_config(&proxied(), Listing::default());
    world.calm_down();
    let servers = |world: &World| world.engine.plan.desired.proxied[&0x10000].servers.len();
    assert_eq!(servers(&world), 2);
    take_down(&mut world, &["DATALINK_POOL1_NODE1"]);
    assert_eq!(servers(&world), 1);
    world.applied(Ok(()));
    assert!(marks(&world.endings).concat().contains(&0x10001), "its connections end: {:?}", world.endings);
}
