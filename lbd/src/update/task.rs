//! After a restart into a new system: looks until everything works that worked before, and then tells init, which marks
//! the system as good. What is missing meanwhile is written down for the system that follows if this one is given up.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_update::version::Version;
use tokio::sync::watch;

use super::proof::{Before, Shortfall, shortfall};
use super::{BEFORE, LOOK, SHORTFALL, Updates, staging};
use crate::web::Published;

/// Between two looks, and two attempts to reach init.
const PAUSE: Duration = Duration::from_secs(1);
/// So often init is asked what is on trial: a machine without its disk cannot say.
const QUESTIONS: u32 = 5;

/// Never returns: there may be nothing to do.
pub async fn serve(updates: Updates, pictures: watch::Receiver<Arc<Published>>) -> String {
    if updates.is_available() {
        updates.prove(pictures).await;
    }
    std::future::pending().await
}

impl Updates {
    async fn prove(&self, pictures: watch::Receiver<Arc<Published>>) {
        let folder = self.0.folder.clone();
        let read = tokio::task::spawn_blocking(move || {
            staging::tidy(&folder);
            let json = std::fs::read(folder.join(BEFORE)).ok()?;
            serde_json::from_slice::<Before>(&json).ok()
        });
        let before = read.await.ok().flatten();
        let (mut on_trial, mut questions) = (None, 0);
        let mut told = None;
        loop {
            if on_trial.is_none() && questions < QUESTIONS {
                on_trial = self.on_trial().await;
                questions += 1;
            }
            // Two borrows at once would stop the publisher: the picture is taken, not held.
            let picture = pictures.borrow().clone();
            let missing = before.as_ref().and_then(|before| shortfall(before, &picture.view));
            match (missing, &on_trial) {
                (None, _) if self.ask("proven", LOOK).await.is_ok() => break,
                (Some(why), Some(Some(version))) if told.as_ref() != Some(&why) => {
                    tracing::info!(%why, "this system is on trial and has not proven itself yet");
                    self.write_shortfall(version, &why).await;
                    told = Some(why);
                }
                _ => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::info!("everything works that worked before the restart");
    }

    /// The version of a system that is on trial; none while init has not said.
    async fn on_trial(&self) -> Option<Option<Version>> {
        let systems = self.systems().await.ok()?;
        Some(systems.on_trial.then_some(systems.running))
    }

    async fn write_shortfall(&self, version: &Version, why: &str) {
        let shortfall = Shortfall { version: version.clone(), why: why.to_owned() };
        if let Err(error) = self.write(SHORTFALL, serde_json::to_string(&shortfall)).await {
            tracing::warn!(%error, "cannot write down what this system on trial lacks");
        }
    }
}
