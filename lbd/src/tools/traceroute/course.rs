//! Which hop is probed when, and when there is no more to find out. Pure.
//!
//! A few hops at a time get one probe each, until the destination or who stops them has answered; then each hop up to
//! there gets the other two. So the destination gets few probes more than it answers: a Linux host sends six ICMP errors
//! at once to the same address, and one a second from then on (`icmp_ratelimit`, Documentation/networking/ip-sysctl.rst).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::reply::{Meaning, Reply};

/// Longer ways than this are loops.
pub(super) const MOST_HOPS: u8 = 30;
/// Probes of each hop.
pub(super) const PROBES: u8 = 3;
/// For a hop before the next ones are probed; its answer counts later too.
const ONWARDS: Duration = Duration::from_secs(1);
/// Hops of the first wave, and of the others: most servers are near.
const WAVES: [u8; 2] = [2, 4];

/// A hop with what came of its probes, `None` for one that nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    /// From 1.
    pub number: u8,
    /// In the order in which they ended.
    pub replies: Vec<Option<Reply>>,
}

impl Hop {
    /// The first answer.
    pub(super) fn reply(&self) -> Option<&Reply> {
        self.replies.iter().flatten().next()
    }

    /// The first answer that says that there is no way on.
    pub(super) fn end(&self) -> Option<&Reply> {
        self.replies.iter().flatten().find(|reply| reply.meaning != Meaning::OnTheWay)
    }
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// One probe to each of these hops; a hop may stand there twice.
    Probe(Vec<u8>),
    /// Nothing before an answer, or this instant.
    Wait(Option<Instant>),
    /// All is known that can be.
    Over,
}

/// A traceroute under way.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Those that were probed, from 1 on.
    hops: Vec<Hop>,
    /// Probes of each hop whose outcome is not known yet.
    open: BTreeMap<u8, u8>,
    wave: Option<Wave>,
    is_repeated: bool,
}

#[derive(Debug, Clone, Copy)]
struct Wave {
    first: u8,
    ends: Instant,
}

impl Course {
    /// To be asked at the beginning, after each outcome, and at the instant that it named.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let last = self.last();
        if self.is_repeated {
            let is_open = self.open.range(..=last).any(|(_, open)| *open > 0);
            return if is_open { Next::Wait(None) } else { Next::Over };
        }
        if let Some(Wave { first, ends }) = self.wave
            && now < ends
            && (first..=last).any(|hop| self.replies_of(hop).is_empty())
        {
            return Next::Wait(Some(ends));
        }
        if self.end().is_some() || last == MOST_HOPS {
            self.is_repeated = true;
            let others = (1..PROBES).flat_map(|_| 1..=last);
            return self.probe(others.collect());
        }
        let length = WAVES[usize::from(self.wave.is_some())];
        let (first, until) = (last + 1, (last + length).min(MOST_HOPS));
        self.wave = Some(Wave { first, ends: now + ONWARDS });
        self.hops.extend((first..=until).map(|number| Hop { number, replies: Vec::new() }));
        self.probe((first..=until).collect())
    }

    /// What came of one probe of a hop; `None` for no answer in time.
    pub(super) fn ended(&mut self, hop: u8, reply: Option<Reply>) {
        if let Some(open) = self.open.get_mut(&hop) {
            *open = open.saturating_sub(1);
        }
        if let Some(known) = self.hops.get_mut(usize::from(hop).saturating_sub(1)) {
            known.replies.push(reply);
        }
    }

    /// The hops up to the one where it ended, or all.
    pub(super) fn into_hops(self) -> Vec<Hop> {
        let last = self.last();
        self.hops.into_iter().take(last.into()).collect()
    }

    fn probe(&mut self, hops: Vec<u8>) -> Next {
        for hop in &hops {
            *self.open.entry(*hop).or_default() += 1;
        }
        Next::Probe(hops)
    }

    /// The nearest hop that is no router on the way: answers may overtake each other, and some get lost.
    fn end(&self) -> Option<u8> {
        self.hops.iter().find(|hop| hop.end().is_some()).map(|hop| hop.number)
    }

    fn last(&self) -> u8 {
        self.end().or_else(|| self.hops.last().map(|hop| hop.number)).unwrap_or(0)
    }

    fn replies_of(&self, hop: u8) -> &[Option<Reply>] {
        self.hops.get(usize::from(hop).saturating_sub(1)).map_or(&[], |hop| &hop.replies)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reply::Reason;
    use super::*;
    use proptest::prelude::*;

    fn reply(meaning: Meaning) -> Option<Reply> {
        let from = [192, 0, 2, 1].into();
        Some(Reply { from, took: Duration::from_millis(1), meaning })
    }

    /// A network that answers at once; `None` for hops that never do. Returns hops, probes and duration.
    fn walk(answer: impl Fn(u8) -> Option<Meaning>) -> (Vec<Hop>, Vec<u8>, Duration) {
        const PATIENCE: Duration = Duration::from_millis(3500);
        let begin = Instant::now();
        let (mut course, mut now) = (Course::default(), begin);
        let (mut sent, mut late) = (Vec::new(), Vec::new());
        loop {
            match course.next(now) {
                Next::Probe(hops) => {
                    sent.extend(&hops);
                    for hop in hops {
                        match answer(hop) {
                            Some(meaning) => course.ended(hop, reply(meaning)),
                            None => late.push((now + PATIENCE, hop)),
                        }
                    }
                }
                Next::Wait(until) => {
                    let given_up = late.first().map(|(at, _)| *at);
                    now = [until, given_up].into_iter().flatten().min().expect("nothing to wait for");
                    while late.first().is_some_and(|(at, _)| *at <= now) {
                        course.ended(late.remove(0).1, None);
                    }
                }
                Next::Over => return (course.into_hops(), sent, now - begin),
            }
        }
    }

    #[test]
    fn a_near_server_gets_few_probes_and_is_found_at_once() {
        let (hops, sent, took) = walk(|_| Some(Meaning::Arrived));
        assert_eq!(sent, [1, 2, 1, 1]);
        assert_eq!((hops.len(), hops[0].replies.len(), took), (1, 3, Duration::ZERO));
        let at_five = |hop| Some(if hop < 5 { Meaning::OnTheWay } else { Meaning::Arrived });
        let (hops, sent, _) = walk(at_five);
        assert_eq!(hops.len(), 5);
        assert_eq!(sent[..6], [1, 2, 3, 4, 5, 6], "the first probes");
        assert!(hops.iter().all(|hop| hop.replies.len() == 3), "{hops:?}");
    }

    #[test]
    fn a_silent_hop_holds_up_and_ends_nothing() {
        let (hops, _, took) = walk(|hop| match hop {
            1 => None,
            2 => Some(Meaning::Arrived),
            _ => None,
        });
        assert_eq!(hops.len(), 2);
        assert_eq!(hops[0].replies, [None, None, None]);
        assert!(hops[1].end().is_some());
        assert!(took <= Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn nobody_at_all_is_given_up_in_time() {
        let (hops, sent, took) = walk(|_| None);
        assert_eq!((hops.len(), sent.len()), (30, 90));
        assert!(took <= Duration::from_secs(12), "{took:?}");
    }

    #[test]
    fn a_late_end_counts() {
        let begin = Instant::now();
        let mut course = Course::default();
        assert_eq!(course.next(begin), Next::Probe(vec![1, 2]));
        course.ended(1, reply(Meaning::OnTheWay));
        assert_eq!(course.next(begin), Next::Wait(Some(begin + ONWARDS)));
        assert_eq!(course.next(begin + ONWARDS), Next::Probe(vec![3, 4, 5, 6]));
        course.ended(2, reply(Meaning::Stopped(Reason::Host)));
        assert_eq!(course.next(begin + 3 * ONWARDS), Next::Probe(vec![1, 2, 1, 2]));
        for hop in [1, 2, 1, 2] {
            course.ended(hop, None);
        }
        assert_eq!(course.next(begin + 3 * ONWARDS), Next::Over, "3 to 6 are of no interest any more");
    }

    proptest! {
        #[test]
        fn it_ends_whatever_answers(answers in prop::collection::vec(0u8..4, 30)) {
            let (hops, sent, took) = walk(|hop| match answers[usize::from(hop) - 1] {
                0 => None,
                1 => Some(Meaning::Arrived),
                _ => Some(Meaning::OnTheWay),
            });
            let end = answers.iter().position(|answer| *answer == 1).map_or(30, |index| index + 1);
            prop_assert_eq!(hops.len(), end);
            prop_assert!(hops.iter().all(|hop| hop.replies.len() == 3));
            prop_assert!(sent.len() <= 90 && took < Duration::from_secs(12));
        }
    }
}
