//! The policy on a virtual clock: stories, and properties over simulated days.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::episode::{At, CALM, Episode, FLAPS, Rhythm, SETTLE, STEADY, Step};
use super::policy::{Effect, Memory, Policy, Settings};
use super::topic::{Absence, Bulletin, Kind, Notice, Severity, Topic, Trouble};
use crate::engine::Now;

const HOLD_DOWN: u64 = 15;
const DAY: u64 = 24 * 3600;

fn settings(reminder_hours: Option<i64>) -> Settings {
    Settings {
        rhythm: Rhythm {
            hold_down: SignedDuration::from_secs(HOLD_DOWN as i64),
            reminder: reminder_hours.map(SignedDuration::from_hours),
        },
        gathering: SignedDuration::from_secs(10),
    }
}

fn server(number: usize) -> Topic {
    Topic::Server { service: "POOL".into(), server: format!("NODE{number}") }
}

fn trouble() -> Trouble {
    Trouble {
        severity: Severity::Critical,
        name: "Server".into(),
        state: "is down".into(),
        over: "is up again".into(),
        why: "refused".into(),
        effect: String::new(),
        look_at: String::new(),
        place: None,
    }
}

/// Milliseconds since the world began, which is a day before lbd is started last.
fn wall(at: u64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + at as i64).unwrap()
}

/// lbd with its policy, its disk, and one channel that takes everything at once.
struct World {
    policy: Policy,
    memory: Memory,
    started: u64,
    now: u64,
    down: BTreeSet<Topic>,
    told: Vec<(u64, Bulletin)>,
    reminder: Option<i64>,
}

impl World {
    fn new(reminder: Option<i64>) -> Self {
        let now = Now { monotonic: Duration::ZERO, wall: wall(0) };
        let (policy, _) = Policy::new(settings(reminder), Memory::default(), now);
        let (memory, down, told) = Default::default();
        Self { policy, memory, started: 0, now: 0, down, told, reminder }
    }

    fn clock(&self) -> Now {
        Now { monotonic: Duration::from_millis(self.now - self.started), wall: wall(self.now) }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Remember(memory) => self.memory = memory,
                Effect::Tell(bulletin) => {
                    let number = bulletin.number;
                    self.told.push((self.now, bulletin));
                    let effects = self.policy.taken(number);
                    self.perform(effects);
                }
            }
        }
    }

    /// Lets time pass, with everything that is due on the way.
    fn pass_to(&mut self, millisecond: u64) {
        while let Some(due) = self.policy.next_due() {
            let due = self.started + due.as_millis() as u64;
            if due > millisecond {
                break;
            }
            self.now = self.now.max(due);
            let before = self.policy.next_due();
            let effects = self.policy.advance(self.clock());
            self.perform(effects);
            assert_ne!((before, self.now), (self.policy.next_due(), due + 1), "it stands still");
            assert!(!self.policy.is_due(self.clock()), "what is due is done");
        }
        self.now = millisecond;
    }

    fn look(&mut self) {
        let troubles: BTreeMap<_, _> = self.down.iter().map(|topic| (topic.clone(), trouble())).collect();
        let effects = self.policy.observe(troubles, |_| Absence::Well("fine".into()), self.clock());
        self.perform(effects);
    }

    fn set(&mut self, topic: &Topic, is_down: bool) {
        if is_down {
            self.down.insert(topic.clone())
        } else {
            self.down.remove(topic)
        };
        self.look();
    }

    /// lbd dies and is started anew at once; what it has on disk is what it remembered last.
    fn restart(&mut self) {
        self.started = self.now;
        let text = serde_json::to_string(&self.memory).unwrap();
        let memory = serde_json::from_str(&text).unwrap();
        assert_eq!(memory, self.memory);
        let (policy, effects) = Policy::new(settings(self.reminder), memory, self.clock());
        self.policy = policy;
        self.perform(effects);
        self.look();
    }

    fn notices(&self) -> impl Iterator<Item = (u64, &Notice)> {
        self.told.iter().flat_map(|(at, bulletin)| bulletin.notices.iter().map(move |notice| (*at, notice)))
    }

    fn kinds(&self, topic: &Topic) -> Vec<Kind> {
        self.notices().filter(|(_, notice)| notice.topic == *topic).map(|(_, notice)| notice.kind).collect()
    }
}

/// Each row of the table in `episode.rs`: what came before, what happens, what is told, and when the next thing is due.
#[test]
fn transition_table() {
    let at = |second: i64| At {
        moment: SignedDuration::from_secs(second),
        wall: Timestamp::from_second(second).unwrap(),
    };
    let rhythm = settings(Some(24)).rhythm;
    let hold = HOLD_DOWN as i64;
    let (steady, calm, settle) = (STEADY.as_secs(), CALM.as_secs(), SETTLE.as_secs());
    let pass = |episode: &mut Episode, second: i64| episode.pass(at(second), rhythm);
    let told = |kind| Step { notice: Some(kind), is_over: false };
    let due = |episode: &Episode| episode.due(rhythm).map(|due| due.as_secs());

    // Rising: gone too soon, it settles and is forgotten.
    let mut short = Episode::begin(trouble(), at(0));
    assert_eq!((due(&short), pass(&mut short, hold - 1)), (Some(hold), Step::default()));
    short.gone(String::new(), at(hold - 1));
    assert_eq!(due(&short), Some(hold - 1 + settle));
    assert_eq!(pass(&mut short.clone(), hold - 1 + settle), Step { notice: None, is_over: true });
    // Settling: seen again, once more.
    short.seen(trouble(), at(100));
    assert_eq!(due(&short), Some(100 + hold));

    // Rising: it lasts. Told: it is told again after a day. Falling: seen again, nothing new is told.
    let mut long = Episode::begin(trouble(), at(0));
    assert_eq!(pass(&mut long, hold), told(Kind::Began));
    assert_eq!(due(&long), Some(hold + 24 * 3600));
    assert_eq!(pass(&mut long, hold + 24 * 3600), told(Kind::Lasts));
    long.gone(String::new(), at(100_000));
    assert_eq!(due(&long), Some(100_000 + steady));
    long.seen(trouble(), at(100_001));
    assert_eq!(pass(&mut long, 100_000 + steady), Step::default());
    long.gone(String::new(), at(100_100));
    assert_eq!(pass(&mut long, 100_100 + steady), told(Kind::Ended));
    assert_eq!(due(&long), Some(100_100 + settle), "settling");

    // Often enough: told as flapping, well or not. Steady since: told once more. Well again: after a longer calm.
    for ends_well in [false, true] {
        let mut wild = Episode::begin(trouble(), at(0));
        for second in 1..i64::from(FLAPS) {
            wild.gone(String::new(), at(second));
            wild.seen(trouble(), at(second));
        }
        let last = i64::from(FLAPS);
        if ends_well {
            wild.gone(String::new(), at(last));
        }
        assert_eq!(pass(&mut wild, hold), told(Kind::Flaps));
        if !ends_well {
            assert_eq!(pass(&mut wild, last - 1 + steady), told(Kind::Began));
            wild.gone(String::new(), at(1_000));
        }
        let gone = if ends_well { last } else { 1_000 };
        assert_eq!(due(&wild), Some(gone + calm));
        assert_eq!(pass(&mut wild, gone + calm), Step { notice: Some(Kind::Ended), is_over: true });
    }

    // Withdrawn: a last word exactly where there was a first.
    assert!(Episode::begin(trouble(), at(0)).withdrawn(&server(1), "removed".into(), at(1)).is_none());
    long.seen(trouble(), at(200_000));
    assert_eq!(pass(&mut long, 200_000 + hold), told(Kind::Began));
    let last = long.withdrawn(&server(1), "removed".into(), at(200_100)).unwrap();
    assert_eq!((last.kind, last.now.as_str(), last.seconds), (Kind::Withdrawn, "removed", 100));
}

#[test]
fn a_rack_that_dies_and_comes_back_is_two_messages() {
    let mut world = World::new(None);
    for number in 0..40 {
        world.pass_to(1_000 + number as u64 * 225);
        world.set(&server(number), true);
    }
    world.pass_to(600_000);
    assert_eq!(world.told.len(), 1, "{:?}", world.told);
    assert_eq!(world.told[0].1.notices.len(), 40);
    for number in 0..40 {
        world.pass_to(700_000 + number as u64 * 225);
        world.set(&server(number), false);
    }
    world.pass_to(2_000_000);
    assert_eq!(world.told.len(), 2);
    assert!(world.notices().skip(40).all(|(_, notice)| notice.kind == Kind::Ended));
}

#[test]
fn who_flaps_100_times_in_a_minute_is_told_of_twice() {
    let mut world = World::new(None);
    for change in 0..200 {
        world.pass_to(change * 300);
        world.set(&server(1), change % 2 == 0);
    }
    world.pass_to(3_600_000);
    assert_eq!(world.kinds(&server(1)), [Kind::Flaps, Kind::Ended]);
    let last = &world.told[1].1.notices[0];
    assert_eq!((last.times, last.span_seconds), (100, 59), "{last:?}");
    assert_eq!(world.told.len(), 2);
}

#[test]
fn what_lasts_is_told_again_and_with_all_others_that_last() {
    let mut world = World::new(Some(24));
    for number in 0..3 {
        world.set(&server(number), true);
    }
    world.pass_to(3 * DAY * 1000);
    assert_eq!(world.told.len(), 3);
    assert!(world.told[1..].iter().all(|(_, bulletin)| bulletin.notices.len() == 3));
    assert_eq!(world.kinds(&server(2)), [Kind::Began, Kind::Lasts, Kind::Lasts]);
}

#[test]
fn who_dies_between_telling_and_handing_on_tells_again_under_the_same_number() {
    let mut world = World::new(None);
    world.set(&server(1), true);
    world.pass_to(14_999);
    let mut untold = None;
    for now in [15_000, 25_000] {
        world.now = now;
        for effect in world.policy.advance(world.clock()) {
            match effect {
                Effect::Remember(memory) => world.memory = memory,
                // Killed before the channel has it.
                Effect::Tell(bulletin) => untold = Some(bulletin),
            }
        }
    }
    world.restart();
    assert_eq!(world.told, [(25_000, untold.unwrap())]);
    world.restart();
    world.pass_to(DAY * 1000);
    assert_eq!(world.told.len(), 1, "an outage that was known is not told again");
    world.set(&server(1), false);
    world.pass_to(2 * DAY * 1000);
    assert_eq!(world.kinds(&server(1)), [Kind::Began, Kind::Ended]);
    let ended = world.notices().last().unwrap().1;
    assert_eq!(ended.seconds, DAY as i64, "the length reaches back before the restart");
}

#[test]
fn what_was_gathered_when_lbd_died_is_told_after_it() {
    let mut world = World::new(None);
    world.set(&server(1), true);
    world.pass_to(20_000);
    assert!(world.told.is_empty());
    world.restart();
    world.pass_to(60_000);
    assert_eq!(world.kinds(&server(1)), [Kind::Began]);
}

#[test]
fn incidents_are_told_once_and_their_repetitions_counted() {
    let mut world = World::new(None);
    let topic = Topic::LockOut;
    for minute in 0..9 {
        world.pass_to(minute * 60_000);
        let effects = world.policy.happened(topic.clone(), trouble(), world.clock());
        world.perform(effects);
    }
    world.pass_to(DAY * 1000);
    let times: Vec<_> = world.notices().map(|(_, notice)| notice.times).collect();
    assert_eq!(times, [1, 8]);
    assert_eq!(world.policy.next_due(), None, "it is forgotten");
}

#[test]
fn a_test_is_told_at_once() {
    let mut world = World::new(None);
    let (number, effects) =
        world.policy.happened_now(Topic::Test { service: None }, trouble(), world.clock());
    world.perform(effects);
    assert_eq!((world.told[0].0, world.told[0].1.number), (0, number));
}

/// Outages of one server in seconds: the pause before it, and how long it lasts.
type Outages = Vec<(u64, u64)>;

/// Far apart; some too short to be told, the others longer than the hold-down.
fn outages() -> impl Strategy<Value = Outages> {
    let length = prop_oneof![1..HOLD_DOWN, HOLD_DOWN + 1..4 * 3600];
    prop::collection::vec((900..6 * 3600_u64, length), 0..12)
}

/// When each outage begins and ends, in seconds.
fn spans(outages: &Outages) -> Vec<(u64, u64)> {
    let mut now = 0;
    let span = |(pause, length): &(u64, u64)| {
        let begin = now + pause;
        now = begin + length;
        (begin, now)
    };
    outages.iter().map(span).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Over days, with lbd started anew now and then.
    #[test]
    fn every_outage_longer_than_the_hold_down_is_told_once_and_taken_back_once(
        racks in prop::collection::vec(outages(), 1..6),
        restarts in prop::collection::vec(0..3 * DAY, 0..6),
    ) {
        let spans: Vec<_> = racks.iter().map(spans).collect();
        let mut changes: Vec<_> = spans
            .iter()
            .enumerate()
            .flat_map(|(number, spans)| spans.iter().flat_map(move |(begin, end)| {
                [(*begin, Some((number, true))), (*end, Some((number, false)))]
            }))
            .collect();
        // Who is started anew in the last seconds of an outage cannot know how long it was.
        let spoils = |restart: &u64| spans.iter().flatten().any(|(begin, end)| {
            (*begin..=*end + STEADY.as_secs() as u64).contains(restart) && restart + 2 * HOLD_DOWN > *end
        });
        changes.extend(restarts.iter().filter(|restart| !spoils(restart)).map(|restart| (*restart, None)));
        changes.sort_unstable();
        let mut world = World::new(None);
        for (second, change) in changes {
            world.pass_to(second * 1000);
            match change {
                Some((number, is_down)) => world.set(&server(number), is_down),
                None => world.restart(),
            }
        }
        world.pass_to(world.now + DAY * 1000);
        for (number, spans) in spans.iter().enumerate() {
            let told = spans.iter().filter(|(begin, end)| end - begin > HOLD_DOWN).count();
            prop_assert_eq!(world.kinds(&server(number)), [Kind::Began, Kind::Ended].repeat(told));
            let lengths = world.notices().filter(|(_, notice)| notice.topic == server(number));
            let lengths = lengths.filter(|(_, notice)| notice.kind == Kind::Ended).map(|(_, notice)| notice.seconds as u64);
            let expected = spans.iter().map(|(begin, end)| end - begin).filter(|length| *length > HOLD_DOWN);
            for (length, expected) in lengths.zip(expected) {
                // An lbd that has told nobody yet takes its own start for the beginning.
                prop_assert!(length <= expected && length + HOLD_DOWN + 1 >= expected, "{} {}", length, expected);
            }
        }
        prop_assert_eq!(world.policy.open(), 0);
        prop_assert_eq!(world.policy.next_due(), None, "nothing is left to do");
    }

    /// Whatever a server does: nothing is taken back that was not told, nothing told twice, a minute holds at most two notices, an
    /// hour two dozen, and in the end people know how it stands.
    #[test]
    fn whatever_happens_notices_are_few_and_true_in_the_end(
        changes in prop::collection::vec(prop_oneof![1..2_000_u64, 1_000..90_000_u64, 60_000..900_000_u64], 1..200),
    ) {
        let mut world = World::new(None);
        let mut is_down = false;
        for pause in changes {
            world.pass_to(world.now + pause);
            is_down = !is_down;
            world.set(&server(1), is_down);
        }
        world.pass_to(world.now + 3_600_000);
        let kinds = world.kinds(&server(1));
        let mut open = false;
        for kind in &kinds {
            match kind {
                Kind::Began | Kind::Flaps => open = true,
                Kind::Ended => prop_assert!(std::mem::replace(&mut open, false), "{:?}", kinds),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert!(!kinds.windows(2).any(|pair| pair == [Kind::Began, Kind::Began] || pair == [Kind::Flaps, Kind::Flaps]), "{:?}", kinds);
        prop_assert_eq!(open, is_down);
        let times: Vec<_> = world.notices().map(|(at, _)| at).collect();
        prop_assert!(times.windows(3).all(|three| three[2] - three[0] >= 60_000), "{:?}", times);
        prop_assert!(times.windows(25).all(|many| many[24] - many[0] >= 3_600_000), "{:?}", times);
    }
}
