//! Who is logged in. Pure: time is an argument, on the monotonic clock, so that a clock that is set keeps nobody
//! logged in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Peer;
use super::secret::Fingerprint;

/// Half an hour without a request, and whoever sits down at the desk must log in.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// A working day with its overtime.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// In all; the idlest makes room.
const MOST: usize = 512;
/// Of one user: a script that logs in anew each time pushes out its own sessions only.
const MOST_OF_A_USER: usize = 16;

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) user: String,
    /// Of the password's hash: another password ends the session.
    pub(super) credential: Fingerprint,
    /// Where they logged in from.
    pub(super) from: Peer,
    pub(super) started: Duration,
    pub(super) used: Duration,
}

/// Somebody who logs in.
#[derive(Debug, Clone)]
pub(super) struct Opening<'a> {
    pub(super) user: &'a str,
    pub(super) credential: Fingerprint,
    pub(super) from: Peer,
}

impl Session {
    fn is_over(&self, now: Duration) -> bool {
        now >= self.used + IDLE || now >= self.started + LONGEST
    }
}

/// All of them, by the fingerprint of the cookie.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<Fingerprint, Session>);

impl Sessions {
    pub(super) fn open(&mut self, id: Fingerprint, opening: &Opening<'_>, now: Duration) {
        let Opening { user, credential, from } = opening.clone();
        self.0.retain(|_, session| !session.is_over(now));
        self.make_room(MOST_OF_A_USER, |session| session.user == user);
        self.make_room(MOST, |_| true);
        let session = Session { user: user.to_owned(), credential, from, started: now, used: now };
        self.0.insert(id, session);
    }

    fn make_room(&mut self, most: usize, belongs: impl Fn(&Session) -> bool) {
        if self.0.values().filter(|session| belongs(session)).count() >= most {
            let belonging = self.0.iter().filter(|(_, session)| belongs(session));
            let idlest = belonging.min_by_key(|(_, session)| session.used).map(|(id, _)| *id);
            idlest.and_then(|id| self.0.remove(&id));
        }
    }

    /// The session, used at this moment; `None` where there is none or its time is over.
    pub(super) fn find(&mut self, id: &Fingerprint, now: Duration) -> Option<Session> {
        let mut session = self.look(id, now)?;
        session.used = now;
        self.0.insert(*id, session.clone());
        Some(session)
    }

    /// The same without using it: for a page that follows by itself, at which perhaps nobody looks.
    pub(super) fn look(&mut self, id: &Fingerprint, now: Duration) -> Option<Session> {
        let session = self.0.get(id)?;
        if session.is_over(now) {
            self.0.remove(id);
            return None;
        }
        Some(session.clone())
    }

    /// Those of a user, the latest used first.
    pub(super) fn of(&self, user: &str, now: Duration) -> Vec<(Fingerprint, Session)> {
        let theirs = self.0.iter().filter(|(_, session)| session.user == user && !session.is_over(now));
        let mut theirs: Vec<_> = theirs.map(|(id, session)| (*id, session.clone())).collect();
        theirs.sort_by_key(|(_, session)| std::cmp::Reverse(session.used));
        theirs
    }

    /// Ends all of a user's but one; returns how many.
    pub(super) fn close_others_of(&mut self, user: &str, keep: Option<&Fingerprint>) -> usize {
        let before = self.0.len();
        self.0.retain(|id, session| session.user != user || Some(id) == keep);
        before - self.0.len()
    }

    pub(super) fn close(&mut self, id: &Fingerprint) {
        self.0.remove(id);
    }

    pub(super) fn close_all_of(&mut self, user: &str) {
        self.0.retain(|_, session| session.user != user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn opening(user: &str) -> Opening<'_> {
        Opening { user, credential: id(0), from: Peer::Local(0) }
    }

    fn id(number: usize) -> Fingerprint {
        super::super::secret::fingerprint(&number.to_string())
    }

    #[test]
    fn a_session_ends_when_idle_and_after_a_day_however_busy() {
        let mut sessions = Sessions::default();
        sessions.open(id(1), &opening("a"), Duration::ZERO);
        assert!(sessions.find(&id(1), 29 * MINUTE).is_some());
        assert!(sessions.find(&id(1), 58 * MINUTE).is_some(), "used meanwhile");
        assert!(sessions.look(&id(1), 87 * MINUTE).is_some(), "by a page that follows by itself");
        assert!(sessions.find(&id(1), 88 * MINUTE).is_none(), "idle");
        sessions.open(id(2), &opening("a"), Duration::ZERO);
        for minute in 0..720 {
            assert!(sessions.find(&id(2), minute * MINUTE).is_some(), "{minute}");
        }
        assert!(sessions.find(&id(2), 720 * MINUTE).is_none());
    }

    #[test]
    fn there_is_room_for_everybody() {
        let mut sessions = Sessions::default();
        sessions.open(id(0), &opening("administrator"), Duration::ZERO);
        for number in 1..1000 {
            sessions.open(id(number), &opening("script"), Duration::from_secs(number as u64));
        }
        assert!(sessions.find(&id(0), MINUTE).is_some());
        assert_eq!(sessions.0.len(), 1 + MOST_OF_A_USER);
        for number in 1000..3000 {
            sessions.open(id(number), &opening(&number.to_string()), 20 * MINUTE);
        }
        assert_eq!(sessions.0.len(), MOST);
    }

    #[test]
    fn a_closed_session_is_closed() {
        let mut sessions = Sessions::default();
        for number in 0..3 {
            sessions.open(id(number), &opening(if number == 2 { "b" } else { "a" }), Duration::ZERO);
        }
        sessions.close(&id(0));
        assert!(sessions.find(&id(0), MINUTE).is_none() && sessions.find(&id(1), MINUTE).is_some());
        assert_eq!(sessions.of("a", MINUTE).len(), 1);
        assert_eq!(sessions.close_others_of("a", Some(&id(1))), 0);
        assert!(sessions.find(&id(1), MINUTE).is_some(), "the one that is kept");
        sessions.open(id(3), &opening("a"), MINUTE);
        assert_eq!(sessions.close_others_of("a", Some(&id(1))), 1);
        assert!(sessions.find(&id(3), MINUTE).is_none() && sessions.find(&id(2), MINUTE).is_some());
        sessions.close_all_of("a");
        assert!(sessions.find(&id(1), MINUTE).is_none() && sessions.find(&id(2), MINUTE).is_some());
    }
}
