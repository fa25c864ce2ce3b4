//! Whether the kernel can remember one more client. A full map refuses nobody: its rules go on without an entry.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Effect, Engine, Now};

/// Looking costs the kernel some milliseconds, and a map fills in minutes at the soonest.
const INTERVAL: Duration = Duration::from_secs(10);

/// One look at a time.
#[derive(Debug, Default)]
pub(super) struct Room {
    due: Duration,
    is_looking: bool,
    is_full: bool,
}

impl Room {
    pub(super) fn next_due(&self) -> Option<Duration> {
        (!self.is_looking).then_some(self.due)
    }

    /// Takes what a look found. One that found nothing out leaves what is known: others tell of a kernel in trouble.
    pub(super) fn found(&mut self, has_room: Result<bool, String>) {
        self.is_looking = false;
        if let Ok(has_room) = has_room {
            self.is_full = !has_room;
        }
    }

    /// For the View.
    pub(super) fn problem(&self) -> Option<String> {
        self.is_full.then(|| {
            "As many clients are remembered by persistence as there is room for (1,048,576): further ones are balanced \
             as always, but may meet another server with each connection. Shorten the persistence time-outs, let \
             networks count as one client (ipv4_prefix_length, ipv6_prefix_length), or use scheduler = \"source-hash\" \
             with persistence off, which needs no entries. If you do not expect so many clients, look with \
             `lbd connections` who they are."
                .to_owned()
        })
    }
}

impl Engine {
    /// Orders a look when one is due and somebody is remembered at all.
    pub(super) fn look_for_room(&mut self, now: Now) -> Option<Effect> {
        if self.room.is_looking || now.monotonic < self.room.due {
            return None;
        }
        self.room.due = now.monotonic + INTERVAL;
        let maps = self.sticky_maps();
        if maps.is_empty() {
            self.room.is_full = false;
            return None;
        }
        self.room.is_looking = true;
        Some(Effect::LookForRoom(maps))
    }

    fn sticky_maps(&self) -> BTreeSet<String> {
        let is_needed = self.config.services.iter().any(|service| service.persistence.is_some());
        let shared = is_needed.then(|| "sticky".to_owned());
        shared.into_iter().chain(self.plan.desired.table.common.sticky6.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_is_told_until_a_look_finds_room() {
        let mut room = Room::default();
        assert_eq!(room.problem(), None);
        room.found(Ok(false));
        assert!(room.problem().unwrap().contains("balanced as always"));
        room.found(Err("the kernel is busy".into()));
        assert!(room.problem().is_some(), "nothing is known that would contradict");
        room.found(Ok(true));
        assert_eq!(room.problem(), None);
    }
}
