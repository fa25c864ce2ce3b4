//! The task of the SNMP agent: follows configuration and secrets, and says how it stands.
//!
//! In this order: wait for another configuration, a wish, the end of the agent, or a moment; start, change or end the agent;
//! tell the engine what is news. The agent is made anew for each change; its port is closed meanwhile, for milliseconds. It
//! may be ended at any instant: it changes nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::boots::{self, Authority};
use super::running::{Orders, Running};
use super::secret::{Keeper, NewPassphrases, Secrets};
use super::shares::Shares;
use super::traps::Messengers;
use crate::alert::topic::Bulletin;
use crate::config::snmp::{Privacy, SnmpUser, SnmpVersion, TrapDestination, TrapWay};
use crate::config::{Config, Snmp as Settings};
use crate::engine::Event;
use crate::view::{SnmpUserView, SnmpView};
use crate::web::Published;

/// Wishes that may wait.
const WISHES: usize = 16;
/// How old the counters in the View may be; and a failed start is tried again then.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the configuration wants of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    place: SocketAddr,
    ours: Ipv4Addr,
    settings: Settings,
}

impl Wanted {
    /// Nothing where nobody is to be answered.
    pub fn of(config: &Config) -> Option<Self> {
        let settings = config.snmp.clone()?;
        let ours = config.management.address;
        Some(Self { place: (ours, settings.port).into(), ours, settings })
    }

    fn answers(&self) -> bool {
        self.settings.enabled
    }

    /// Somebody is to be answered or told in version 3.
    fn needs_engine(&self) -> bool {
        let is_of_3 = |trap: &TrapDestination| matches!(trap.way, TrapWay::V3(_));
        (self.answers() && self.settings.versions.contains(&SnmpVersion::V3))
            || self.settings.traps.iter().any(is_of_3)
    }
}

/// The way to the agent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snmp {
    wishes: mpsc::Sender<oneshot::Sender<()>>,
    keeper: Keeper,
    messengers: Messengers,
}

/// What the task of the agent begins with.
#[derive(Debug)]
pub struct Office {
    wishes: mpsc::Receiver<oneshot::Sender<()>>,
    keeper: Keeper,
    messengers: Messengers,
    state_directory: PathBuf,
}

/// Both ends, with secrets below the state directory.
pub fn open(state_directory: &Path) -> (Snmp, Office) {
    let (sender, wishes) = mpsc::channel(WISHES);
    let keeper = Keeper::below(state_directory);
    let messengers = Messengers::default();
    let office = Office {
        wishes,
        keeper: keeper.clone(),
        messengers: messengers.clone(),
        state_directory: state_directory.to_owned(),
    };
    (Snmp { wishes: sender, keeper, messengers }, office)
}

impl Snmp {
    /// Starts the agent anew; returns once it has been.
    pub async fn restart(&self) {
        let (done, is_done) = oneshot::channel();
        if self.wishes.send(done).await.is_ok() {
            // The agent's task ends only with lbd.
            let _ = is_done.await;
        }
    }

    /// Hands an alert on to all destinations of traps, each at its own pace. Never waits; returns how many there are.
    pub fn tell(&self, bulletin: &Bulletin) -> usize {
        self.messengers.tell(bulletin)
    }

    /// Sets or forgets the community, which counts at once. The error is for people.
    pub async fn set_community(&self, community: Option<String>) -> Result<(), String> {
        self.keep(move |keeper| keeper.set_community(community)).await
    }

    /// Sets passphrases of a user; those of users that are not `known` any more are forgotten. The error is for people.
    pub async fn set_passphrases(
        &self,
        user: String,
        new: NewPassphrases,
        known: Vec<String>,
    ) -> Result<(), String> {
        self.keep(move |keeper| keeper.set_passphrases(&user, new, &known)).await
    }

    async fn keep(
        &self,
        keep: impl FnOnce(&Keeper) -> Result<(), String> + Send + 'static,
    ) -> Result<(), String> {
        let keeper = self.keeper.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&keeper)).await;
        kept.map_err(|error| error.to_string())??;
        self.restart().await;
        Ok(())
    }
}

/// Runs as long as lbd does; returns why it ended.
pub async fn serve(
    office: Office,
    mut wanted: watch::Receiver<Option<Box<Wanted>>>,
    pictures: watch::Receiver<Arc<Published>>,
    events: mpsc::Sender<Event>,
) -> String {
    let Office { mut wishes, keeper, messengers, state_directory } = office;
    let mut clerk = Clerk {
        keeper,
        messengers,
        state_directory,
        authority: None,
        shares: Shares::new(pictures),
        running: None,
        view: SnmpView::default(),
        told: None,
        events,
    };
    let mut moments = interval(LOOK_EVERY);
    moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let current = wanted.borrow_and_update().clone();
        clerk.start(current.as_deref()).await;
        loop {
            if clerk.tell().await.is_err() {
                return "nobody wants to know how SNMP stands any more".into();
            }
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return "nobody says any more whom SNMP is for".into(),
                },
                wish = wishes.recv() => match wish {
                    Some(done) => {
                        clerk.start(current.as_deref()).await;
                        // Whoever asked finds it in the View.
                        let _ = clerk.tell().await;
                        let _ = done.send(());
                    }
                    None => return "nobody looks after SNMP any more".into(),
                },
                _ = moments.tick() => {
                    clerk.look();
                    if current.as_deref().is_some_and(|wanted| clerk.lacks(wanted)) {
                        clerk.start(current.as_deref()).await;
                    }
                }
            }
        }
    }
}

struct Clerk {
    keeper: Keeper,
    messengers: Messengers,
    state_directory: PathBuf,
    /// From the first start with version 3 on.
    authority: Option<Authority>,
    shares: Shares,
    running: Option<Running>,
    view: SnmpView,
    /// As the engine was told last.
    told: Option<SnmpView>,
    events: mpsc::Sender<Event>,
}

impl Clerk {
    /// Ends what runs and starts what is wanted.
    async fn start(&mut self, wanted: Option<&Wanted>) {
        if let Some(running) = self.running.take() {
            self.shares.keep_counters(running.end());
        }
        let mut view = SnmpView { since: self.view.since, ..SnmpView::default() };
        if let Some(wanted) = wanted {
            view.configured = wanted.answers();
            view.place = wanted.place.to_string();
            if let Err(why) = self.try_to_start(wanted, &mut view).await {
                view.problems.push(why);
            }
        }
        if wanted.is_none() {
            self.messengers.follow(&[], &Secrets::default(), [0; 4], None, &self.shares);
        }
        view.traps = self.messengers.views();
        view.listening = self.running.is_some();
        if view.since.is_none() || view.listening != self.view.listening {
            view.since = Some(Timestamp::now());
        }
        view.counters = self.shares.counters();
        self.view = view;
    }

    /// What keeps it from answering all that it should stands in the view; what keeps it from answering anybody is the error.
    async fn try_to_start(&mut self, wanted: &Wanted, view: &mut SnmpView) -> Result<(), String> {
        let failed =
            |why: String| format!("SNMP managers are not answered: {why}. It is tried again by itself.");
        let keeper = self.keeper.clone();
        let secrets = tokio::task::spawn_blocking(move || keeper.load()).await;
        let secrets = secrets.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
        view.community_set = secrets.community.is_some();
        view.users = users(&wanted.settings, &secrets);
        if wanted.answers() {
            view.problems = missing(&wanted.settings, &secrets);
        }
        if wanted.needs_engine()
            && let Err(why) = self.find_authority().await
        {
            view.problems.push(format!(
                "SNMP version 3 neither answers nor sends traps: {why}. It is tried again by itself."
            ));
        }
        if let Some(Authority { engine, .. }) = &self.authority {
            view.engine_id = engine.engine_id().iter().map(|octet| format!("{octet:02x}")).collect();
            view.engine_boots = engine.engine_boots();
        }
        let traps = &wanted.settings.traps;
        self.messengers.follow(traps, &secrets, wanted.ours.octets(), self.authority.as_ref(), &self.shares);
        if !wanted.answers() {
            return Ok(());
        }
        let orders = Orders { place: wanted.place, settings: &wanted.settings, secrets: &secrets };
        let running = Running::start(&orders, self.authority.clone(), &self.shares).await;
        self.running = Some(running.map_err(failed)?);
        Ok(())
    }

    /// The number of boots goes up once while lbd runs.
    async fn find_authority(&mut self) -> Result<(), String> {
        if self.authority.is_none() {
            let folder = self.state_directory.clone();
            let started = tokio::task::spawn_blocking(move || boots::start(&folder)).await;
            self.authority = Some(started.map_err(|error| error.to_string())??);
        }
        Ok(())
    }

    /// Looks after what runs: its counters, and whether it does.
    fn look(&mut self) {
        self.view.traps = self.messengers.views();
        let Some(running) = &self.running else { return };
        let is_alive = running.is_alive();
        self.shares.look(running.counters(), &self.state_directory);
        self.view.counters = self.shares.counters();
        if !is_alive {
            self.running = None;
        }
    }

    /// Whether something that may be had with another start is not there: the agent, or the engine of version 3.
    fn lacks(&self, wanted: &Wanted) -> bool {
        (wanted.answers() && self.running.is_none()) || (wanted.needs_engine() && self.authority.is_none())
    }

    /// Tells the engine how it stands, where that is something else than before.
    async fn tell(&mut self) -> Result<(), ()> {
        if self.told.as_ref() == Some(&self.view) {
            return Ok(());
        }
        self.told = Some(self.view.clone());
        self.events.send(Event::Snmp(Box::new(self.view.clone()))).await.map_err(drop)
    }
}

fn users(settings: &Settings, secrets: &Secrets) -> Vec<SnmpUserView> {
    let user = |user: &SnmpUser| {
        let known = secrets.users.get(user.name.as_str());
        SnmpUserView {
            name: user.name.as_str().to_owned(),
            authentication: user.authentication.word().to_owned(),
            privacy: user.privacy.map_or("none", Privacy::word).to_owned(),
            authentication_set: known.is_some_and(|known| known.authentication.is_some()),
            privacy_set: known.is_some_and(|known| known.privacy.is_some()),
        }
    };
    settings.users.iter().map(user).collect()
}

/// Secrets without which somebody is not answered.
fn missing(settings: &Settings, secrets: &Secrets) -> Vec<String> {
    let by_community = settings.versions.iter().any(|version| *version != SnmpVersion::V3);
    let by_user = settings.versions.contains(&SnmpVersion::V3);
    let mut problems = Vec::new();
    if by_community && secrets.community.is_none() && (!by_user || settings.users.is_empty()) {
        problems.push(
            "SNMP versions 1 and 2c are answered to nobody: there is no community. Set one on the page SNMP \
             Configuration or with `lbd snmp community`."
                .to_owned(),
        );
    }
    for user in users(settings, secrets).into_iter().filter(|_| by_user) {
        if !user.authentication_set || (user.privacy != "none" && !user.privacy_set) {
            problems.push(format!(
                "The SNMP user {} is not answered: a passphrase is missing. Set it on the page SNMP Configuration or \
                 with `lbd snmp passphrase`.",
                user.name
            ));
        }
    }
    problems
}
