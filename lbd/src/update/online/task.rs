//! Waits until it is time to look for a newer version, and for other settings. A look that fails is made again when the next
//! one is due: hospital networks are often closed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Updates;
use super::look::{AFTER_CHANGE, first_pause, pause};
use crate::alert::Alarm;
use crate::config::OnlineUpdates;
use crate::web::Published;
use crate::web::secret::random_bytes;

/// Never returns before lbd ends; where lbd is not the appliance there is nothing to do.
pub async fn serve(updates: Updates, mut pictures: watch::Receiver<Arc<Published>>, alarm: Alarm) -> String {
    if !updates.is_available() {
        return std::future::pending().await;
    }
    updates.recall().await;
    // Pages tell what init says of the systems, from the first one on.
    let _ = updates.systems().await;
    let mut wanted = pictures.borrow_and_update().online_updates.clone();
    let mut due = wanted.as_ref().map(|_| Instant::now() + first_pause(luck()));
    loop {
        tell(&updates, due);
        tokio::select! {
            changed = pictures.changed() => {
                if changed.is_err() {
                    return "nobody says any more where newer versions are looked for".into();
                }
                let now_wanted = pictures.borrow_and_update().online_updates.clone();
                if now_wanted.is_none() {
                    updates.online().cancel();
                }
                if now_wanted != wanted {
                    due = now_wanted.as_ref().map(|_| Instant::now() + AFTER_CHANGE);
                    wanted = now_wanted;
                }
            }
            source = time_to_look(wanted.as_ref(), due) => {
                // One that was ordered by hand is under way, or init does not answer.
                if let Err(refusal) = updates.look(&source, &alarm).await {
                    tracing::info!(?refusal, "could not look for a newer version");
                }
                due = Some(Instant::now() + pause(source.interval, luck()));
            }
        }
    }
}

async fn time_to_look(wanted: Option<&Arc<OnlineUpdates>>, due: Option<Instant>) -> Arc<OnlineUpdates> {
    match (wanted, due) {
        (Some(source), Some(due)) => {
            tokio::time::sleep_until(due).await;
            source.clone()
        }
        _ => std::future::pending().await,
    }
}

/// For people, who have calendars.
fn tell(updates: &Updates, due: Option<Instant>) {
    let after = due.map(|due| due.saturating_duration_since(Instant::now()));
    let at =
        after.map(|after| Timestamp::now() + SignedDuration::try_from(after).unwrap_or(SignedDuration::ZERO));
    updates.online().set_next_look(at);
}

/// Without any, all appliances look at the same time, which is bad luck and nothing worse.
fn luck() -> u8 {
    random_bytes().map_or(0, |bytes| bytes[0])
}
