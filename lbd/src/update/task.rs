//! After a restart into a new system, or a start of its lbd alone: looks until everything works that worked before, and then
//! tells init, which marks the system as good: that is told. What is missing meanwhile is written down for the system that
//! follows if this one is given up, of which init leaves word.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_update::status::{Standing, Systems};
use evenkeel_update::version::Version;
use jiff::Timestamp;
use tokio::sync::watch;

use super::proof::{Before, Shortfall, shortfall};
use super::runs::Run;
use super::{BEFORE, LOOK, SHORTFALL, Updates, staging};
use crate::alert::Alarm;
use crate::alert::topic::{Severity, Topic, Trouble};
use crate::web::Published;

/// Between two looks, and two attempts to reach init.
const PAUSE: Duration = Duration::from_secs(1);
/// So often init is asked what is on trial: a machine without its disk cannot say.
const QUESTIONS: u32 = 5;
/// Between two looks whether init has marked the system as good, which it does ten seconds after its proof.
const PAUSE_BEFORE_LOOK: Duration = Duration::from_secs(10);
/// A boot partition that cannot be written for five minutes is told by init.
const LOOKS: u32 = 30;

/// Never returns: there may be nothing to do.
pub async fn serve(updates: Updates, pictures: watch::Receiver<Arc<Published>>, alarm: Alarm) -> String {
    if updates.is_available() {
        let on_trial = updates.prove(pictures.clone()).await;
        updates.note_what_runs(pictures).await;
        if updates.was_on_trial(on_trial).await {
            updates.tell_kept(&alarm, PAUSE_BEFORE_LOOK).await;
        }
    }
    std::future::pending().await
}

/// That an update is what runs from now on.
fn kept(systems: &Systems) -> Trouble {
    let other = systems.other.as_ref().filter(|other| other.standing == Standing::Good);
    Trouble {
        severity: Severity::Information,
        name: format!("The update to version {}", systems.running.as_str()),
        state: "works and stays".into(),
        over: String::new(),
        why: "everything works that worked before".into(),
        effect: other
            .map(|other| format!("Version {} is kept to go back to.", other.version))
            .unwrap_or_default(),
        look_at: String::new(),
        place: None,
    }
}

impl Updates {
    /// Returns when this system has proven itself: what is on trial, where init has said.
    async fn prove(&self, pictures: watch::Receiver<Arc<Published>>) -> Option<Option<Version>> {
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
        tracing::info!("everything works that worked before");
        on_trial
    }

    /// It works, so it counts, also where init marks it as good later.
    async fn note_what_runs(&self, pictures: watch::Receiver<Arc<Published>>) {
        for _ in 0..QUESTIONS {
            if let Ok(Systems { running: version, .. }) = self.systems().await {
                let configuration_version = pictures.borrow().view.configuration_version;
                let run = Run { version, since: Timestamp::now(), configuration_version };
                if let Err(error) = self.note_run(run).await {
                    tracing::warn!(%error, "cannot write down since when this version runs");
                }
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks again where init has not said: it looks for versions that failed when lbd comes up, and does one thing at a time.
    async fn was_on_trial(&self, mut on_trial: Option<Option<Version>>) -> bool {
        for _ in 0..QUESTIONS {
            if let Some(known) = on_trial {
                return known.is_some();
            }
            tokio::time::sleep(PAUSE).await;
            on_trial = self.on_trial().await;
        }
        false
    }

    /// Waits until init has marked the system that runs as good, and tells it.
    async fn tell_kept(&self, alarm: &Alarm, pause: Duration) {
        for _ in 0..LOOKS {
            tokio::time::sleep(pause).await;
            if let Some(systems) = self.systems().await.ok().filter(|systems| !systems.on_trial) {
                return alarm.happened(Topic::Update, kept(&systems));
            }
        }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;
    use crate::alert::desk;
    use crate::update::Places;

    /// An init that answers each question of what there is by the next of these, and then by the last.
    fn told_by(answers: &'static [&'static str]) -> (tempfile::TempDir, Updates) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let places = Places { key: path("key"), base: path("base.json"), init_socket: path("init.sock") };
        let listener = UnixListener::bind(&places.init_socket).unwrap();
        tokio::spawn(async move {
            let last = answers.last().copied();
            for answer in answers.iter().copied().chain(std::iter::repeat_with(|| last.unwrap_or_default())) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut word = [0; 8];
                stream.read_exact(&mut word).await.unwrap();
                assert_eq!(&word, b"systems\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let updates = Updates::below(folder.path(), Some(places));
        (folder, updates)
    }

    const ON_TRIAL: &str =
        r#"ok {"running":"1.1","on_trial":true,"other":{"version":"1.0","standing":"good"}}"#;
    const KEPT: &str = r#"ok {"running":"1.1","on_trial":false,"other":{"version":"1.0","standing":"good"}}"#;

    #[tokio::test]
    async fn an_update_is_told_once_init_has_marked_it_as_good() {
        let (folder, updates) = told_by(&["error another order is under way", ON_TRIAL, ON_TRIAL, KEPT]);
        let (alarm, mut desk) = desk::open(folder.path());
        assert_eq!(updates.on_trial().await, None);
        assert_eq!(updates.on_trial().await, Some(Some("1.1".parse().unwrap())));
        updates.tell_kept(&alarm, Duration::ZERO).await;
        let (topic, trouble) = desk.next_incident().unwrap();
        assert_eq!((topic, trouble.severity), (Topic::Update, Severity::Information));
        let words = [trouble.name.as_str(), &trouble.state, &trouble.effect];
        assert_eq!(
            words,
            ["The update to version 1.1", "works and stays", "Version 1.0 is kept to go back to."]
        );
        assert_eq!(desk.next_incident(), None);
    }

    #[tokio::test]
    async fn one_that_init_never_marks_as_good_is_not_told() {
        let (folder, updates) = told_by(&[ON_TRIAL]);
        let (alarm, mut desk) = desk::open(folder.path());
        updates.tell_kept(&alarm, Duration::ZERO).await;
        assert_eq!(desk.next_incident(), None);
    }
}
