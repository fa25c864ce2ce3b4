//! How often passwords may be tried. Pure; time is an argument.
//!
//! Each source address has a budget of failed log-ins, and a smaller one for each user name. Nobody's budget
//! depends on what happens at other addresses, so that guessing locks out nobody but the guesser; the local
//! socket asks for no password at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A person mistypes a few times; a program gets one more guess every half minute.
const OF_USER: Budget = Budget { most: 5, every: Duration::from_secs(30) };
/// Many people may sit behind one address.
const OF_SOURCE: Budget = Budget { most: 20, every: Duration::from_secs(10) };
/// Entries of the table; the one that has the most budget left makes room.
const MOST_ENTRIES: usize = 4096;
/// No user has a longer name.
const LONGEST_NAME: usize = 32;

struct Budget {
    most: u32,
    /// After this time one more failure is forgiven.
    every: Duration,
}

/// Failures of a source, of all names or of one.
type Key = (IpAddr, Option<String>);

/// Instant at which all failures are forgiven.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<Key, Duration>);

impl Attempts {
    /// How long somebody has to wait before the next attempt; zero where they need not.
    pub(super) fn wait(&self, source: IpAddr, user: &str, now: Duration) -> Duration {
        let waits = keys(source, user).map(|(key, budget)| {
            // One attempt is allowed as soon as less than the whole budget is used.
            let full = budget.every * (budget.most - 1);
            self.0.get(&key).map_or(Duration::ZERO, |forgiven| forgiven.saturating_sub(now + full))
        });
        waits.into_iter().max().unwrap_or_default()
    }

    /// A log-in failed. Returns whether it was the first one for a while, or used the budget up: worth a line in
    /// the log, which a guesser must not fill.
    pub(super) fn failed(&mut self, source: IpAddr, user: &str, now: Duration) -> bool {
        self.0.retain(|_, forgiven| *forgiven > now);
        let mut is_news = false;
        for (key, budget) in keys(source, user) {
            let is_of_user = key.1.is_some();
            let forgiven = self.0.entry(key).or_insert(now);
            is_news |= is_of_user && *forgiven <= now;
            *forgiven += budget.every;
            let used = *forgiven - now;
            is_news |= used > budget.every * (budget.most - 1) && used <= budget.every * budget.most;
        }
        while self.0.len() > MOST_ENTRIES {
            let slightest = self.0.iter().min_by_key(|(_, forgiven)| **forgiven).map(|(key, _)| key.clone());
            slightest.and_then(|key| self.0.remove(&key));
        }
        is_news
    }

    /// The right password settles what the same person mistyped.
    pub(super) fn succeeded(&mut self, source: IpAddr, user: &str) {
        for (key, _) in keys(source, user).into_iter().filter(|(key, _)| key.1.is_some()) {
            self.0.remove(&key);
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
        attempts.succeeded(address(1), "a");
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
        assert_eq!(attempts.0.len(), MOST_ENTRIES);
    }
}
