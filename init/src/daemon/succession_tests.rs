use super::*;
use proptest::prelude::*;

const TERMS: Terms = Terms { limit: s(180), healthy: s(10) };

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn in_state(state: State) -> Succession {
    Succession { terms: TERMS, state }
}

/// In each state: what is due at a time, for one that has been healthy for so long, and what an end makes of it.
#[test]
fn the_whole_transition_table() {
    let announced = State::Announced { until: s(100) };
    let leaving = |killed| State::Leaving { until: s(100), killed };
    let trying = |ends| State::Trying { since: s(100), ends };
    let table = [
        (announced, 99, 0, None, announced),
        (announced, 99, 99, None, announced),
        (announced, 100, 0, Some(Order::End), State::Leaving { until: s(105), killed: false }),
        (leaving(false), 99, 99, None, leaving(false)),
        (leaving(false), 100, 0, Some(Order::Kill), leaving(true)),
        (leaving(true), 999, 99, None, leaving(true)),
        (trying(0), 100, 9, None, trying(0)),
        (trying(2), 279, 9, None, trying(2)),
        (trying(2), 279, 10, Some(Order::Keep), State::Settled),
        (trying(0), 280, 10, Some(Order::Keep), State::Settled),
        (trying(0), 280, 9, Some(Order::TakeBack(Fault::Unproven)), State::Settled),
        (trying(3), 101, 0, Some(Order::TakeBack(Fault::Ended)), State::Settled),
        (trying(3), 280, 10, Some(Order::TakeBack(Fault::Ended)), State::Settled),
        (State::Settled, 999, 99, None, State::Settled),
    ];
    for (state, now, healthy_for, order, then) in table {
        let mut succession = in_state(state);
        assert_eq!(succession.due(s(now), s(healthy_for)), order, "{state:?} at {now} s");
        assert_eq!(succession.state, then, "{state:?} at {now} s");
    }
    let ends = [
        (announced, trying(0)),
        (leaving(false), trying(0)),
        (leaving(true), trying(0)),
        (trying(0), trying(1)),
        (trying(2), trying(3)),
        (State::Settled, State::Settled),
    ];
    for (state, then) in ends {
        let mut succession = in_state(state);
        succession.ended(s(100));
        assert_eq!(succession.state, then, "{state:?}");
    }
}

#[test]
fn a_good_one_is_kept() {
    let mut succession = Succession::begin(TERMS, s(50));
    assert_eq!((succession.next_deadline(), succession.due(s(50), s(900))), (Some(s(52)), None));
    assert_eq!(succession.due(s(52), s(0)), Some(Order::End));
    succession.ended(s(52));
    assert_eq!((succession.next_deadline(), succession.due(s(52), s(0))), (Some(s(232)), None));
    assert_eq!(succession.due(s(70), s(10)), Some(Order::Keep));
    assert_eq!((succession.next_deadline(), succession.due(s(999), s(0))), (None, None));
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Passes(u64),
    Ends,
    Proves,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![(0..200_u64).prop_map(Event::Passes), Just(Event::Ends), Just(Event::Proves)]
}

proptest! {
    /// Whatever happens, it is settled once, and the old one never comes back after the new one was kept.
    #[test]
    fn it_is_settled_once_and_in_time(events in proptest::collection::vec(event(), 1..60)) {
        let mut succession = Succession::begin(TERMS, s(0));
        let (mut now, mut healthy, mut settled) = (s(0), s(0), 0);
        for event in events {
            match event {
                Event::Passes(seconds) => now += s(seconds),
                Event::Ends => {
                    healthy = s(0);
                    succession.ended(now);
                }
                Event::Proves => healthy = TERMS.healthy,
            }
            while let Some(order) = succession.due(now, healthy) {
                settled += u32::from(matches!(order, Order::Keep | Order::TakeBack(_)));
            }
            prop_assert!(succession.next_deadline().is_none_or(|next| next > now), "nothing is overdue");
        }
        prop_assert!(settled <= 1);
    }
}
