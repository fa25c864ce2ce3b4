use super::*;
use proptest::prelude::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn running() -> Keeper {
    let mut keeper = Keeper::new();
    assert_eq!(keeper.due(s(1)), Some(Order::Start));
    keeper.started(s(1));
    keeper
}

fn ask(keeper: &mut Keeper, at: u64, well: bool) {
    assert_eq!(keeper.due(s(at)), Some(Order::Ask), "at {at} s");
    assert_eq!(keeper.due(s(at)), None, "one question at a time");
    keeper.answered(s(at), well);
}

#[test]
fn asks_eagerly_until_the_first_answer_then_every_ten_seconds() {
    let mut keeper = running();
    for turn in 0..3 {
        let at = s(1) + EAGER * turn;
        assert_eq!((keeper.due(at), keeper.due(at)), (Some(Order::Ask), None));
        keeper.answered(at, false);
        assert_eq!((keeper.is_up(), keeper.starting_since()), (false, Some(s(1))));
        assert_eq!(keeper.next_deadline(), Some(at + EAGER));
    }
    ask(&mut keeper, 4, true);
    assert_eq!((keeper.is_up(), keeper.starting_since()), (true, None));
    assert_eq!(keeper.next_deadline(), Some(s(14)));
    assert_eq!(keeper.due(s(13)), None);
    ask(&mut keeper, 14, true);
    assert_eq!(keeper.healthy_for(), s(10));
}

#[test]
fn three_misses_in_a_row_kill_two_do_not() {
    let mut keeper = running();
    for (at, well) in [(1, true), (11, false), (21, false), (31, true), (41, false), (51, false), (61, false)]
    {
        ask(&mut keeper, at, well);
    }
    assert_eq!(keeper.due(s(61)), Some(Order::Kill));
    assert_eq!((keeper.due(s(99)), keeper.next_deadline()), (None, None), "killed once");
    assert_eq!(keeper.ended(s(99)), s(0));
    assert_eq!(keeper.due(s(99)), Some(Order::Start));
}

#[test]
fn a_hung_lbd_is_killed_thirty_five_seconds_after_its_last_answer() {
    let mut keeper = running();
    ask(&mut keeper, 1, true);
    for at in [11, 21, 31] {
        assert_eq!(keeper.due(s(at)), Some(Order::Ask), "at {at} s");
        keeper.answered(s(at + 5), false);
    }
    assert_eq!(keeper.due(s(36)), Some(Order::Kill));
}

#[test]
fn one_miss_ends_the_healthy_time() {
    let mut keeper = running();
    for (at, well) in [(1, true), (11, true), (21, false), (31, true)] {
        ask(&mut keeper, at, well);
    }
    assert_eq!(keeper.healthy_for(), s(0));
}

#[test]
fn an_lbd_that_never_answers_is_killed_even_while_it_is_asked() {
    let mut keeper = running();
    assert_eq!(keeper.due(s(1)), Some(Order::Ask));
    assert_eq!(keeper.next_deadline(), Some(s(61)));
    assert_eq!(keeper.due(s(60)), None);
    assert_eq!(keeper.due(s(61)), Some(Order::Kill));
}

#[test]
fn another_program_does_not_wait_for_what_the_one_before_it_did() {
    let mut keeper = running();
    (2..6).for_each(|at| {
        keeper.ended(s(at));
        keeper.started(s(at));
    });
    keeper.start_anew(s(6));
    assert_eq!(keeper.ended(s(6)), s(0), "it runs until it is told to end");
    keeper.started(s(6));
    assert_ne!(keeper.ended(s(6)), s(0));
    keeper.start_anew(s(6));
    assert_eq!(keeper.due(s(6)), Some(Order::Start), "it was waiting");
}

#[test]
fn an_answer_to_a_dead_lbd_means_nothing() {
    let mut keeper = running();
    assert_eq!(keeper.due(s(1)), Some(Order::Ask));
    keeper.ended(s(2));
    let before = keeper.clone();
    keeper.answered(s(3), true);
    assert_eq!(keeper, before);
}

#[test]
fn restarts_wait_longer_and_longer() {
    let mut keeper = running();
    let waits: Vec<_> = (2..6)
        .map(|at| {
            let wait = keeper.ended(s(at));
            keeper.started(s(at));
            wait.as_millis()
        })
        .collect();
    assert_eq!(waits, [0, 500, 1000, 2000]);
    assert_eq!(keeper.not_started(s(6)), s(4));
    assert_eq!((keeper.due(s(9)), keeper.due(s(10))), (None, Some(Order::Start)));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Answer(bool),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![(0u64..40_000).prop_map(Step::Pass), any::<bool>().prop_map(Step::Answer), Just(Step::End)]
}

proptest! {
    /// Whatever happens: it is started only when it does not run, killed only when it does, and while nothing is
    /// asked or killed there is always a next deadline, at which something is due.
    #[test]
    fn never_stuck_and_never_twice(steps in proptest::collection::vec(step(), 1..80)) {
        let (mut keeper, mut now) = (Keeper::new(), Duration::ZERO);
        let (mut alive, mut asking, mut killed) = (false, false, false);
        for step in steps {
            match step {
                Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                Step::Answer(well) if asking => { keeper.answered(now, well); asking = false; }
                Step::End if alive => { keeper.ended(now); (alive, asking, killed) = (false, false, false); }
                _ => {}
            }
            while let Some(order) = keeper.due(now) {
                match order {
                    Order::Start => { prop_assert!(!alive); keeper.started(now); alive = true; }
                    Order::Ask => { prop_assert!(alive && !asking && !killed); asking = true; }
                    Order::Kill => { prop_assert!(alive && !killed); killed = true; }
                }
            }
            prop_assert!(keeper.next_deadline().is_some_and(|at| at > now) || asking || killed);
        }
    }
}
