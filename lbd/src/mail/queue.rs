//! The queue: which letter is tried when, and which gives way when there is no room. Pure: time is an argument.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::letter::Letter;
use crate::engine::Now;
use crate::view::{FinishedMail, WaitingMail};

/// Letters that wait. Each is one mail of a bulletin to one recipient: days of trouble fit.
pub const MOST_LETTERS: usize = 500;
/// All letters together, in bytes of text.
pub const LARGEST_QUEUE: usize = 8 << 20;
/// Letters that were delivered or given up, to be shown.
const SHOWN_FINISHED: usize = 20;
/// Waiting letters that are shown.
const SHOWN_WAITING: usize = 50;
/// Then a letter is given up.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(48);
/// The pauses after each failure, in minutes; the last one is repeated. RFC 5321 section 4.5.4.1 wants 30 minutes on
/// the whole; servers that turn strangers away for some minutes (greylisting) are met sooner.
const PAUSES: [i64; 7] = [1, 2, 5, 10, 20, 30, 60];

/// The pause after so many failed attempts.
pub fn pause(attempts: u32) -> SignedDuration {
    let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    SignedDuration::from_mins(PAUSES[index.min(PAUSES.len() - 1)])
}

/// What came of an attempt, in words with the server's own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A server took it over.
    Delivered(String),
    /// It may be tried again.
    Later(String),
    /// It will never be taken.
    Never(String),
}

/// A letter that waits, as it is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The letter.
    pub letter: Letter,
    /// Attempts that failed.
    #[serde(default)]
    pub attempts: u32,
    /// Why the last one did.
    #[serde(default)]
    pub last_error: String,
    /// For so long it has been tried, on clocks that do not jump; what lbd does not run for is not counted.
    #[serde(default)]
    pub waited_seconds: i64,
}

#[derive(Debug)]
struct Waiting {
    entry: Entry,
    /// On the clock that does not jump.
    due: SignedDuration,
    /// Until when [`Entry::waited_seconds`] counts, on the same clock.
    counted: SignedDuration,
    /// It is being tried.
    is_out: bool,
    /// Somebody asked for another attempt meanwhile.
    is_wanted: bool,
}

/// All letters.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: BTreeMap<String, Waiting>,
    finished: VecDeque<FinishedMail>,
    gave_way: u64,
    last_error: Option<String>,
}

/// What a change of the queue means for the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keep it like this.
    Keep(Entry),
    /// It is not needed any more.
    Forget(String),
}

impl Change {
    /// Of which letter.
    pub fn id(&self) -> &str {
        match self {
            Self::Keep(entry) => &entry.letter.id,
            Self::Forget(id) => id,
        }
    }
}

impl Queue {
    /// Goes on with what an earlier lbd left: each is tried at once.
    pub fn adopt(entries: Vec<Entry>) -> Self {
        let waiting = entries.into_iter().map(|entry| {
            let id = entry.letter.id.clone();
            let (due, counted) = (SignedDuration::ZERO, SignedDuration::ZERO);
            (id, Waiting { entry, due, counted, is_out: false, is_wanted: false })
        });
        let mut queue = Self { waiting: waiting.collect(), ..Self::default() };
        queue.make_room();
        queue
    }

    /// Takes a letter, to be tried at once. One that is known already is not taken twice.
    pub fn add(&mut self, letter: Letter, now: Now) -> Vec<Change> {
        if self.waiting.contains_key(&letter.id) {
            return Vec::new();
        }
        let entry = Entry { letter, attempts: 0, last_error: String::new(), waited_seconds: 0 };
        let (due, counted) = (moment(now), moment(now));
        let waiting = Waiting { entry: entry.clone(), due, counted, is_out: false, is_wanted: false };
        let id = entry.letter.id.clone();
        self.waiting.insert(id.clone(), waiting);
        let forgotten = self.make_room();
        let is_kept = !forgotten.contains(&id);
        let keep = is_kept.then_some(Change::Keep(entry));
        keep.into_iter().chain(forgotten.into_iter().filter(|gone| *gone != id).map(Change::Forget)).collect()
    }

    /// The least urgent goes first, of those the oldest.
    fn make_room(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        let size = |entry: &Entry| entry.letter.text.len();
        let mut total: usize = self.waiting.values().map(|waiting| size(&waiting.entry)).sum();
        while self.waiting.len() > MOST_LETTERS || total > LARGEST_QUEUE {
            let candidates = self.waiting.iter().filter(|(_, waiting)| !waiting.is_out);
            let first = candidates
                .min_by_key(|(_, waiting)| (waiting.entry.letter.urgency, waiting.entry.letter.written));
            let Some(id) = first.map(|(id, _)| id.clone()) else { break };
            if let Some(waiting) = self.waiting.remove(&id) {
                total -= size(&waiting.entry);
                self.gave_way += 1;
                let why = "gave way: there was no room for more mail".to_owned();
                self.finish(&waiting.entry.letter, waiting.entry.letter.written, false, why);
            }
            gone.push(id);
        }
        gone
    }

    /// Letters to be tried now, at most so many; they are out until [`Self::tried`].
    pub fn take_due(&mut self, now: Now, most: usize) -> Vec<Letter> {
        let due = self.waiting.values_mut().filter(|waiting| !waiting.is_out && waiting.due <= moment(now));
        let mut due: Vec<_> = due.collect();
        // What is wrong is told before what is over.
        due.sort_by_key(|waiting| {
            (std::cmp::Reverse(waiting.entry.letter.urgency), waiting.entry.letter.written)
        });
        due.truncate(most);
        due.into_iter()
            .map(|waiting| {
                waiting.is_out = true;
                waiting.entry.letter.clone()
            })
            .collect()
    }

    /// Takes what came of an attempt.
    pub fn tried(&mut self, id: &str, outcome: Outcome, now: Now) -> Option<Change> {
        let waiting = self.waiting.get_mut(id)?;
        waiting.is_out = false;
        let forget = Some(Change::Forget(id.to_owned()));
        let (is_delivered, words) = match outcome {
            Outcome::Delivered(words) => (true, words),
            Outcome::Never(words) => (false, format!("refused for good: {words}")),
            Outcome::Later(words) => {
                waiting.entry.attempts = waiting.entry.attempts.saturating_add(1);
                waiting.entry.last_error.clone_from(&words);
                // An attempt that was under way knows nothing of what was changed meanwhile.
                let is_wanted = std::mem::take(&mut waiting.is_wanted);
                let wait = if is_wanted { SignedDuration::ZERO } else { pause(waiting.entry.attempts) };
                waiting.due = moment(now).saturating_add(wait);
                let waited = moment(now).saturating_sub(waiting.counted).as_secs();
                waiting.entry.waited_seconds = waiting.entry.waited_seconds.saturating_add(waited);
                waiting.counted = moment(now);
                if waiting.entry.waited_seconds < LONGEST_WAIT.as_secs() {
                    let keep = Change::Keep(waiting.entry.clone());
                    self.last_error = Some(words);
                    return Some(keep);
                }
                (false, format!("given up after {} h: {words}", LONGEST_WAIT.as_hours()))
            }
        };
        let letter = self.waiting.remove(id)?.entry.letter;
        self.last_error = (!is_delivered).then(|| words.clone());
        self.finish(&letter, now.wall, is_delivered, words);
        forget
    }

    /// All letters are tried now, whatever they wait for.
    pub fn hurry(&mut self, now: Now) {
        for waiting in self.waiting.values_mut() {
            waiting.due = waiting.due.min(moment(now));
            waiting.is_wanted = waiting.is_out;
        }
    }

    /// Somebody does not want it to be sent any more. `None` where it is not there, or being sent just now.
    pub fn drop_letter(&mut self, id: &str, why: &str, now: Now) -> Option<Change> {
        let waiting = self.waiting.get(id).filter(|waiting| !waiting.is_out)?;
        let letter = waiting.entry.letter.clone();
        self.waiting.remove(id);
        self.finish(&letter, now.wall, false, why.to_owned());
        Some(Change::Forget(id.to_owned()))
    }

    fn finish(&mut self, letter: &Letter, at: Timestamp, delivered: bool, words: String) {
        let Letter { id, to, subject, .. } = letter.clone();
        self.finished.push_front(FinishedMail { id, to, subject, at, delivered, words });
        self.finished.truncate(SHOWN_FINISHED);
    }

    /// When [`Self::take_due`] has something, unless it is out.
    pub fn next_due(&self) -> Option<SignedDuration> {
        self.waiting.values().filter(|waiting| !waiting.is_out).map(|waiting| waiting.due).min()
    }

    /// So many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Those that wait, the oldest first, for people.
    pub fn waiting(&self, now: Now) -> Vec<WaitingMail> {
        let mut all: Vec<_> = self.waiting.values().collect();
        all.sort_by_key(|waiting| waiting.entry.letter.written);
        let view = |waiting: &Waiting| {
            let Letter { id, to, subject, written, .. } = waiting.entry.letter.clone();
            let wait = waiting.due.saturating_sub(moment(now)).max(SignedDuration::ZERO);
            WaitingMail {
                id,
                to,
                subject,
                since: written,
                attempts: waiting.entry.attempts,
                // To the second: a view that changes all the time would be published all the time.
                next_attempt: (!waiting.is_out)
                    .then(|| seconds(now.wall.saturating_add(wait).unwrap_or(now.wall))),
                last_error: waiting.entry.last_error.clone(),
            }
        };
        all.into_iter().take(SHOWN_WAITING).map(view).collect()
    }

    /// Those that are done, the newest first.
    pub fn finished(&self) -> Vec<FinishedMail> {
        self.finished.iter().cloned().collect()
    }

    /// Why the latest attempt failed; `None` where it did not.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// So many gave way since lbd started.
    pub fn gave_way(&self) -> u64 {
        self.gave_way
    }
}

fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn moment(now: Now) -> SignedDuration {
    SignedDuration::try_from(now.monotonic).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::mail::letter::{Urgency, letter};
    use proptest::prelude::*;

    const START: i64 = 1_800_000_000;

    fn at(second: u64) -> Now {
        let wall = Timestamp::from_second(START + second as i64).unwrap();
        Now { monotonic: Duration::from_secs(second), wall }
    }

    fn written(id: &str, urgency: Urgency, second: u64) -> Letter {
        Letter { written: at(second).wall, ..letter(id, urgency) }
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        let minutes: Vec<_> = (0..10).map(|attempts| pause(attempts).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 1, 2, 5, 10, 20, 30, 60, 60, 60]);
    }

    #[test]
    fn a_letter_is_given_up_after_two_days_and_never_sooner() {
        let mut queue = Queue::default();
        queue.add(written("a", Urgency::Alarm, 0), at(0));
        let mut attempts = 0;
        let mut last = 0;
        while let Some(due) = queue.next_due() {
            last = due.as_secs() as u64;
            assert_eq!(queue.take_due(at(last), 1).len(), 1);
            attempts += 1;
            queue.tried("a", Outcome::Later("450 later".into()), at(last));
        }
        assert!((48 * 3600..49 * 3600).contains(&last), "{last}");
        assert_eq!(attempts, 54);
        let finished = &queue.finished()[0];
        assert_eq!((finished.delivered, finished.words.as_str()), (false, "given up after 48 h: 450 later"));
    }

    /// A clock that is set by ten years neither gives a letter up nor keeps it for ever, across restarts too.
    #[test]
    fn a_clock_that_jumps_is_no_reason_to_give_up() {
        for jump in [SignedDuration::from_hours(87_600), SignedDuration::from_hours(-87_600)] {
            let mut queue = Queue::default();
            queue.add(written("a", Urgency::Alarm, 0), at(0));
            let mut kept = None;
            let (mut last, mut hours) = (0, 0);
            while let Some(due) = queue.next_due() {
                last = due.as_secs() as u64;
                let now = Now { wall: at(last).wall + jump, ..at(last) };
                queue.take_due(now, 1);
                match queue.tried("a", Outcome::Later("450 later".into()), now) {
                    Some(Change::Keep(entry)) => kept = Some(entry),
                    other => assert_eq!(other, Some(Change::Forget("a".into()))),
                }
                // A restart after a day: the clock that does not jump begins anew.
                if hours == 0 && last > 24 * 3600 {
                    hours = last / 3600;
                    queue = Queue::adopt(kept.clone().into_iter().collect());
                }
            }
            assert!((48..50).contains(&(hours + last / 3600)), "{hours} h and {last} s after {jump}");
        }
    }

    /// The mail server is down for an hour; meanwhile alerts are written all the time. Each arrives once.
    #[test]
    fn after_an_hour_without_a_mail_server_every_alert_arrives_once() {
        let mut queue = Queue::default();
        let mut arrived = Vec::new();
        let mut disk = BTreeSet::new();
        let keep = |change: Change, disk: &mut BTreeSet<String>| match change {
            Change::Keep(entry) => _ = disk.insert(entry.letter.id),
            Change::Forget(id) => assert!(disk.remove(&id)),
        };
        for second in 0..3 * 3600 {
            let now = at(second);
            if second < 5400 && second % 30 == 0 {
                let letter = written(&format!("n{second}"), Urgency::Alarm, second);
                // The policy hands on twice what it is not sure to have handed on.
                for _ in 0..2 {
                    queue.add(letter.clone(), now).into_iter().for_each(|change| keep(change, &mut disk));
                }
            }
            for letter in queue.take_due(now, 4) {
                let is_down = second < 3600;
                let outcome = match is_down {
                    true => Outcome::Later("refused".into()),
                    false => Outcome::Delivered("250 ok".into()),
                };
                if !is_down {
                    arrived.push(letter.id.clone());
                }
                queue.tried(&letter.id, outcome, now).into_iter().for_each(|change| keep(change, &mut disk));
            }
        }
        assert_eq!(arrived.len(), 180);
        assert_eq!(arrived.iter().collect::<BTreeSet<_>>().len(), 180, "each once");
        assert!(queue.is_empty() && disk.is_empty());
        assert_eq!(queue.last_error(), None);
    }

    #[test]
    fn the_oldest_reminder_gives_way_first_and_that_is_said() {
        let mut queue = Queue::default();
        queue.add(written("r2", Urgency::Reminder, 2), at(0));
        queue.add(written("r1", Urgency::Reminder, 1), at(0));
        queue.add(written("o0", Urgency::Relief, 0), at(0));
        for number in 0..MOST_LETTERS - 3 {
            queue.add(written(&format!("a{number}"), Urgency::Alarm, 0), at(0));
        }
        for gone in ["r1", "r2", "o0"] {
            let changes = queue.add(written(&format!("new-{gone}"), Urgency::Alarm, 9), at(9));
            assert_eq!(changes.last(), Some(&Change::Forget(gone.into())), "{changes:?}");
        }
        let reminder = queue.add(written("r3", Urgency::Reminder, 10), at(10));
        assert_eq!(reminder, [], "there is no room for one that is itself the least");
        assert_eq!((queue.len(), queue.gave_way()), (MOST_LETTERS, 4));
        assert!(queue.finished()[0].words.contains("no room"));
    }

    #[test]
    fn who_asks_while_a_letter_is_out_gets_another_attempt() {
        let mut queue = Queue::default();
        queue.add(letter("a", Urgency::Alarm), at(0));
        queue.take_due(at(0), 1);
        queue.hurry(at(1));
        for (second, due) in [(2, 2), (3, 3 + 120)] {
            queue.tried("a", Outcome::Later("old settings".into()), at(second));
            assert_eq!(queue.next_due(), Some(SignedDuration::from_secs(due)));
            queue.take_due(at(second), 1);
        }
    }

    #[test]
    fn what_is_refused_for_good_is_not_tried_again_and_a_restart_tries_at_once() {
        let mut queue = Queue::default();
        queue.add(letter("a", Urgency::Alarm), at(0));
        queue.take_due(at(0), 9);
        assert_eq!(queue.take_due(at(0), 9), [], "it is out");
        let kept = queue.tried("a", Outcome::Later("busy".into()), at(0)).unwrap();
        let Change::Keep(entry) = kept else { panic!("it is kept") };
        let mut queue = Queue::adopt(vec![entry]);
        assert_eq!(queue.waiting(at(0))[0].last_error, "busy");
        assert_eq!(queue.take_due(at(0), 9).len(), 1);
        let gone = queue.tried("a", Outcome::Never("550 no such user".into()), at(0));
        assert_eq!(gone, Some(Change::Forget("a".into())));
        assert_eq!(queue.finished()[0].words, "refused for good: 550 no such user");
    }

    proptest! {
        #[test]
        fn the_bounds_hold(sizes in prop::collection::vec((0..3_usize << 20, 0..3_u8), 1..40)) {
            let mut queue = Queue::default();
            for (index, (size, urgency)) in sizes.into_iter().enumerate() {
                let urgency = [Urgency::Reminder, Urgency::Relief, Urgency::Alarm][usize::from(urgency)];
                let letter = Letter { text: "x".repeat(size), ..letter(&format!("n{index}"), urgency) };
                queue.add(letter, at(0));
                let total: usize = queue.waiting.values().map(|waiting| waiting.entry.letter.text.len()).sum();
                prop_assert!(total <= LARGEST_QUEUE && queue.len() <= MOST_LETTERS);
            }
        }
    }
}
