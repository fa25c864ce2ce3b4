//! How often passwords may be tried. Pure; time is an argument.
//!
//! Each source address has a budget of failed log-ins, and a smaller one for each user name. Nobody's budget
//! depends on what happens at other addresses, so that guessing locks out nobody but the guesser. The consoles of the
//! machine count as one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A person mistypes a few times; a program gets one more guess every half minute.
const OF_USER: Budget = Budget { most: 5, every: Duration::from_secs(30) };
/// Many people may sit behind one address.
const OF_SOURCE: Budget = Budget { most: 20, every: Duration::from_secs(10) };
/// Entries of the table; the one that has the most budget left makes room.
const MOST_ENTRIES: usize = 4096;
/// What is forgiven costs nobody a wait any more, but for so long a place behind those who have not failed: guessers from
/// hundreds of addresses come back to each of them after a minute.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Addresses from which somebody logged in, the latest of which are remembered.
const MOST_KNOWN: usize = 256;
/// No user has a longer name.
const LONGEST_NAME: usize = 32;

struct Budget {
    most: u32,
    /// After this time one more failure is forgiven.
    every: Duration,
}

/// Failures of a source, of all names or of one.
type Key = (IpAddr, Option<String>);

/// What is remembered of log-ins.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Instant at which all failures are forgiven; it may have passed.
    forgiven: BTreeMap<Key, Duration>,
    /// Sources from which somebody has logged in since lbd started, and when last.
    known: BTreeMap<IpAddr, Duration>,
}

/// Where somebody stands among those who wait for their password to be verified: the smaller the sooner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Nobody has logged in from there yet.
    is_unknown: bool,
    /// How much was mistyped or guessed there lately, as the time after which all of it is forgotten.
    failed: Duration,
}

impl Attempts {
    /// How long somebody has to wait before the next attempt; zero where they need not.
    pub(super) fn wait(&self, source: IpAddr, user: &str, now: Duration) -> Duration {
        let waits = keys(source, user).map(|(key, budget)| {
            // One attempt is allowed as soon as less than the whole budget is used.
            let full = budget.every * (budget.most - 1);
            self.forgiven.get(&key).map_or(Duration::ZERO, |forgiven| forgiven.saturating_sub(now + full))
        });
        waits.into_iter().max().unwrap_or_default()
    }

    /// Where who tries from this address stands.
    pub(super) fn rank(&self, source: IpAddr, now: Duration) -> Rank {
        let source = network(source);
        let forgiven = self.forgiven.get(&(source, None));
        let failed = forgiven.map_or(Duration::ZERO, |forgiven| (*forgiven + REMEMBERED).saturating_sub(now));
        Rank { is_unknown: !self.known.contains_key(&source), failed }
    }

    /// A log-in failed. Returns whether it was the first one for a while, or used the budget up: worth a line in
    /// the log, which a guesser must not fill.
    pub(super) fn failed(&mut self, source: IpAddr, user: &str, now: Duration) -> bool {
        self.forgiven.retain(|_, forgiven| *forgiven + REMEMBERED > now);
        let mut is_news = false;
        for (key, budget) in keys(source, user) {
            let is_of_user = key.1.is_some();
            let forgiven = self.forgiven.entry(key).or_insert(now);
            is_news |= is_of_user && *forgiven <= now;
            *forgiven = budget.every + (*forgiven).max(now);
            let used = *forgiven - now;
            is_news |= used > budget.every * (budget.most - 1) && used <= budget.every * budget.most;
        }
        while self.forgiven.len() > MOST_ENTRIES {
            let slightest =
                self.forgiven.iter().min_by_key(|(_, forgiven)| **forgiven).map(|(key, _)| key.clone());
            slightest.and_then(|key| self.forgiven.remove(&key));
        }
        is_news
    }

    /// The right password settles what the same person mistyped.
    pub(super) fn succeeded(&mut self, source: IpAddr, user: &str, now: Duration) {
        for (key, _) in keys(source, user).into_iter().filter(|(key, _)| key.1.is_some()) {
            self.forgiven.remove(&key);
        }
        self.known.insert(network(source), now);
        if self.known.len() > MOST_KNOWN {
            let oldest = self.known.iter().min_by_key(|(_, last)| **last).map(|(source, _)| *source);
            oldest.and_then(|source| self.known.remove(&source));
        }
    }
}

fn keys(source: IpAddr, user: &str) -> [(Key, Budget); 2] {
    let source = network(source);
    let user: String = user.chars().take(LONGEST_NAME).collect();
    [((source, Some(user)), OF_USER), ((source, None), OF_SOURCE)]
}

/// A host has a whole IPv6 network of /64 to choose addresses from.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn guesses(attempts: &mut Attempts, source: IpAddr, user: &str, now: Duration) -> usize {
        let mut count = 0;
        while attempts.wait(source, user, now).is_zero() {
            attempts.failed(source, user, now);
            count += 1;
        }
        count
    }

    #[test]
    fn guessing_is_slow_and_locks_out_the_guesser_alone() {
        let mut attempts = Attempts::default();
        assert_eq!(guesses(&mut attempts, address(1), "a", Duration::ZERO), 5);
        assert_eq!(attempts.wait(address(1), "a", Duration::ZERO), Duration::from_secs(30));
        assert_eq!(attempts.wait(address(2), "a", Duration::ZERO), Duration::ZERO, "from elsewhere");
        assert_eq!(attempts.wait(address(1), "b", Duration::ZERO), Duration::ZERO, "behind the same address");
        let others: usize = ["b", "c", "d", "e"]
            .iter()
            .map(|user| guesses(&mut attempts, address(1), user, Duration::ZERO))
            .sum();
        assert_eq!(others, 15, "20 in all");
        let hour = (1..3600).map(Duration::from_secs);
        let tried: usize = hour.map(|now| guesses(&mut attempts, address(1), "a", now)).sum();
        assert!((100..=125).contains(&tried), "{tried} guesses an hour");
    }

    #[test]
    fn the_right_password_settles_what_was_mistyped() {
        let mut attempts = Attempts::default();
        for _ in 0..4 {
            attempts.failed(address(1), "a", Duration::ZERO);
        }
        attempts.succeeded(address(1), "a", Duration::ZERO);
        assert_eq!(guesses(&mut attempts, address(1), "a", Duration::ZERO), 5);
    }

    #[test]
    fn one_host_with_many_ipv6_addresses_is_one_source() {
        let mut attempts = Attempts::default();
        for last in 1..=5 {
            attempts.failed(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]), "a", Duration::ZERO);
        }
        let other = IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9]);
        assert!(!attempts.wait(other, "a", Duration::ZERO).is_zero());
    }

    #[test]
    fn who_has_logged_in_before_stands_first_then_who_has_failed_least() {
        let mut attempts = Attempts::default();
        attempts.succeeded(address(1), "a", Duration::ZERO);
        for source in [1, 1, 2, 3, 3] {
            attempts.failed(address(source), "a", Duration::ZERO);
        }
        let mut sources = [2, 3, 4, 1];
        sources.sort_by_key(|source| attempts.rank(address(*source), Duration::ZERO));
        assert_eq!(sources, [1, 4, 2, 3]);
        assert_eq!(Rank::default(), Rank { is_unknown: false, failed: Duration::ZERO });
        for number in 0..2 * MOST_KNOWN as u32 {
            attempts.succeeded(IpAddr::from(number.to_be_bytes()), "a", Duration::from_secs(number.into()));
        }
        assert_eq!(attempts.known.len(), MOST_KNOWN);
    }

    #[test]
    fn a_guesser_does_not_fill_the_log() {
        let mut attempts = Attempts::default();
        let told = (0..5).filter(|_| attempts.failed(address(1), "a", Duration::ZERO)).count();
        assert_eq!(told, 2, "the first, and the one that used the budget up");
    }

    #[test]
    fn the_table_is_bounded() {
        let mut attempts = Attempts::default();
        for number in 0..MOST_ENTRIES as u32 {
            attempts.failed(IpAddr::from(number.to_be_bytes()), "a", Duration::ZERO);
        }
        assert_eq!(attempts.forgiven.len(), MOST_ENTRIES);
    }
}
