//! Who waits for the one whose password is being verified: one after the other, in the order of their ranks.
//!
//! Guessers, from however many addresses, stand behind who logs in from where somebody has logged in before, and behind who
//! has not failed yet. Who stands last where there is no room left is told to come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::attempts::Rank;

/// Who may wait; each place is a tenth of a second of waiting.
const PLACES: usize = 8;

/// The queue. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_taken: bool,
    /// By rank, then in the order of coming.
    waiting: BTreeMap<(Rank, u64), oneshot::Sender<Turn>>,
    next: u64,
}

/// Whoever has it is the only one; it passes on when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Queue);

impl Queue {
    /// Waits for the turn; `None` where there is no place for one of this rank.
    pub(super) async fn turn(&self, rank: Rank) -> Option<Turn> {
        let waiting = {
            let mut state = self.state();
            if !state.is_taken {
                state.is_taken = true;
                return Some(Turn(self.clone()));
            }
            state.wait(rank)
        };
        // The sender goes where others came who stand before.
        waiting.await.ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, rank: Rank) -> oneshot::Receiver<Turn> {
        // Who went away leaves a place.
        self.waiting.retain(|_, waiting| !waiting.is_closed());
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert((rank, self.next), sender);
        self.next += 1;
        if self.waiting.len() > PLACES {
            self.waiting.pop_last();
        }
        receiver
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.state();
        let Some((_, first)) = state.waiting.pop_first() else {
            state.is_taken = false;
            return;
        };
        drop(state);
        // One who has gone drops the turn that was sent, which passes it on.
        drop(first.send(Self(self.0.clone())));
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use tokio::task::JoinHandle;

    use super::*;
    use crate::web::attempts::Attempts;

    /// Of who has failed so often.
    fn failed(times: u64) -> Rank {
        let (mut attempts, address) = (Attempts::default(), IpAddr::from([192, 0, 2, 1]));
        (0..times).for_each(|_| _ = attempts.failed(address, "a", Duration::ZERO));
        attempts.rank(address, Duration::ZERO)
    }

    /// Waits in a task of its own, in the order of the calls.
    async fn joined(queue: &Queue, times: u64) -> JoinHandle<Option<Turn>> {
        let before = queue.state().next;
        let task = tokio::spawn({
            let queue = queue.clone();
            async move { queue.turn(failed(times)).await }
        });
        while queue.state().next == before {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn who_has_failed_less_comes_first_and_takes_the_place_of_who_failed_more() {
        let queue = Queue::default();
        let turn = queue.turn(failed(9)).await.unwrap();
        let mut guessers = Vec::new();
        for _ in 0..PLACES {
            guessers.push(joined(&queue, 3).await);
        }
        let honest = joined(&queue, 0).await;
        assert!(guessers.pop().unwrap().await.unwrap().is_none(), "the last one has no place any more");
        assert!(joined(&queue, 3).await.await.unwrap().is_none());
        drop(turn);
        let turn = honest.await.unwrap().unwrap();
        drop(turn);
        for guesser in guessers {
            assert!(guesser.await.unwrap().is_some(), "in the order of coming");
        }
        assert!(!queue.state().is_taken);
    }

    #[tokio::test]
    async fn who_goes_away_holds_up_nobody() {
        let queue = Queue::default();
        let turn = queue.turn(failed(0)).await.unwrap();
        let gone = joined(&queue, 0).await;
        let waiting = joined(&queue, 1).await;
        gone.abort();
        assert!(gone.await.is_err());
        drop(turn);
        assert!(waiting.await.unwrap().is_some());
        for _ in 0..2 * PLACES {
            let turn = queue.turn(failed(0)).await.unwrap();
            let gone = joined(&queue, 0).await;
            gone.abort();
            assert!(gone.await.is_err());
            drop(turn);
        }
        assert!(queue.turn(failed(0)).await.is_some());
    }
}
