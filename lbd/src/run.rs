//! Drives the engine: brings it what happened, carries out what it orders.
//!
//! One loop, in this order: wait for an event, a deadline or a signal; let the engine decide; publish what
//! changed; start what it ordered. (Published first, so that who is answered then finds what the answer says.) Nothing in the loop waits for disk, kernel or network: these have tasks of
//! their own, which come back with an event. When one of the tasks that must live for ever ends, lbd ends, and
//! whoever started it starts it anew; the kernel forwards meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::alert;
use crate::alert::desk::{Channels, Desk};
use crate::appliance;
use crate::audit::Audit;
use crate::banner;
use crate::begin::{self, Origin, Paths};
use crate::clock;
use crate::conntrack::lookup::Lookup;
use crate::conntrack::names::Names;
use crate::conntrack::{recorder, tasks as conntrack};
use crate::crash::shelf::Shelf;
use crate::dataplane::Dataplane;
use crate::engine::{Accepted, Effect, Ending, Engine, Event, Now, Refusal, RequestId, Target};
use crate::fallback;
use crate::health;
use crate::history::recorder::{self as history, History};
use crate::licences::Licences;
use crate::log::forward::{Recipients, forward};
use crate::log::journal::Journal;
use crate::log::kernel;
use crate::mail;
use crate::mail::post::Office;
use crate::network::announce;
use crate::network::netlink::{Netlink, NetlinkError, TopologyWatch};
use crate::plan::Desired;
use crate::privileges;
use crate::proxy::Proxy;
use crate::snmp::{self, Office as SnmpOffice, Wanted};
use crate::store::Stamp;
use crate::traffic::nft;
use crate::update::{self, Places, Updates};
use crate::vault::Vault;
use crate::web::access::Access;
use crate::web::certificate::Certificates;
use crate::web::{self, Gateway, Helpers, Published, Request, Wish};

/// Events that may wait; their senders wait when there are more.
const EVENT_QUEUE: usize = 1024;
/// Changes that may wait for the engine's answer.
const REQUEST_QUEUE: usize = 16;

/// Servers that are searched for AE titles at the same time.
const SEARCHES: usize = 4;
/// Orders to end connections that may wait.
const ENDING_QUEUE: usize = 64;

/// Nobody sees more than ten pictures a second.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);
/// A large picture is made less often, so that pictures take a fiftieth of the time, but once a second.
const PUBLISH_SHARE: u32 = 50;
const LONGEST_PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until a signal ends it. Errors are for the person who started it.
pub async fn run(paths: Paths, journal: Journal) -> Result<(), String> {
    let checks =
        health::thread::start().map_err(|error| format!("starting the thread of the checks: {error}"))?;
    keep_log(&paths, &journal);
    let (vault, problems) =
        Vault::open(&paths.state_directory, paths.rescue_device.as_deref(), paths.memory_copy.as_deref())?;
    let netlink = Netlink::connect().map_err(|error| error.to_string())?;
    let mut start = begin::start(&paths, &vault, &netlink).await?;
    start.problems.extend(problems);
    let password_is_set = vault.passwords().stored().is_ok_and(|stored| stored.is_some());
    let is_appliance = matches!(paths.origin, Origin::Appliance { .. });
    for line in banner::lines(&start.config, password_is_set, is_appliance) {
        tracing::info!("{line}");
    }
    let listing = start.listing.clone();
    let clock = Clock::start();
    let (engine, effects) = Engine::new(start, clock.now());
    let vault = Arc::new(vault);
    let access = Access::new(&paths.state_directory, Audit::below(&paths.state_directory));
    let (alarm, desk) = alert::desk::open(&paths.state_directory);
    let (post, office) = mail::post::open(&paths.state_directory);
    access.alert_through(alarm.clone());
    let (timekeeper, time_office) = clock::task::open();
    let (snmp, snmp_office) = snmp::open(&paths.state_directory);
    let history = History::below(&paths.state_directory);
    let places = is_appliance.then(|| Places {
        key: paths.update_key.clone(),
        ..Places::of_the_appliance(paths.init_socket.clone())
    });
    let updates = Updates::below(&paths.state_directory, places);
    let crashes = Shelf::new(paths.crashes.as_deref(), &paths.state_directory);
    let licences = Licences::at(paths.licences.clone());
    let helpers = (journal.clone(), alarm, post, timekeeper, snmp, history, updates, crashes, licences);
    let (gateway, sides) = gateway(&engine, vault.clone(), &paths, access, helpers);
    let dataplane = Dataplane::new(netlink, sides.proxy.clone(), listing);
    let mut driver = Driver::new((engine, checks), clock, vault, sides, paths, journal);
    // First the orders, then the tasks: so the first look at the network knows which routes matter.
    driver.perform(effects);
    // Whoever sees that lbd answers may end it.
    let signals = signals_to_end()?;
    driver.start_tasks(dataplane, gateway, (desk, office, time_office, snmp_office))?;
    driver.live(signals).await
}

/// The signals upon which lbd ends in an orderly way.
fn signals_to_end() -> Result<[Signal; 2], String> {
    let on = |kind: SignalKind| signal(kind).map_err(|error| format!("waiting for signals: {error}"));
    Ok([on(SignalKind::terminate())?, on(SignalKind::interrupt())?])
}

/// From now on what lbd, init and the kernel say is on disk too. Traffic does not depend on it.
fn keep_log(paths: &Paths, journal: &Journal) {
    if let Err(error) = journal.keep(paths.state_directory.join("log")) {
        tracing::warn!(%error, "the log is kept in memory only");
    }
    let follow = || {
        let kernel_log = std::io::stdin().as_fd().try_clone_to_owned()?;
        kernel::follow(kernel_log.into(), journal)
    };
    if let Some(Err(error)) = paths.kernel_log.then(follow) {
        tracing::warn!(%error, "the log lacks what the kernel says");
    }
}

#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(&self) -> Now {
        Now { monotonic: self.0.elapsed(), wall: Timestamp::now() }
    }
}

/// The driver's ends of the channels to web and command line.
struct Sides {
    published: watch::Sender<Arc<Published>>,
    requests: mpsc::Receiver<Request>,
    names: watch::Sender<Names>,
    proxy: Proxy,
    history: History,
    certificates: Certificates,
}

fn gateway(
    engine: &Engine,
    vault: Arc<Vault>,
    paths: &Paths,
    access: Access,
    helpers: Helpers,
) -> (Gateway, Sides) {
    let names = watch::Sender::default();
    let (published, watch) = watch::channel(Arc::new(picture(engine)));
    let proxy = Proxy::new(watch.clone(), privileges::file_limit());
    let lookup = Lookup::new(names.subscribe(), closed_connections(paths), proxy.clone());
    let (sender, requests) = mpsc::channel(REQUEST_QUEUE);
    let certificates = Certificates::below(&paths.state_directory);
    let (history, kept) = (helpers.5.clone(), certificates.clone());
    let sides = Sides { published, requests, names, proxy, history, certificates: kept };
    (Gateway::new(watch, sender, vault, lookup, access, certificates, helpers), sides)
}

fn closed_connections(paths: &Paths) -> PathBuf {
    paths.state_directory.join("closed-connections")
}

fn picture(engine: &Engine) -> Published {
    Published {
        view: engine.view(),
        document: engine.document().clone(),
        alerting: engine.alerting().clone(),
        online_updates: engine.online_updates().clone(),
    }
}

/// [`Effect::Apply`], on its way to the task that speaks to the kernel.
struct Order {
    number: u64,
    desired: Arc<Desired>,
    read_again: bool,
}

struct Driver {
    engine: Engine,
    /// The way to the thread of the checks.
    checks: Handle,
    clock: Clock,
    vault: Arc<Vault>,
    sides: Sides,
    paths: Paths,
    journal: Journal,
    events: mpsc::Receiver<Event>,
    sender: mpsc::Sender<Event>,
    orders: mpsc::Sender<Order>,
    pending_orders: Option<mpsc::Receiver<Order>>,
    endings: mpsc::Sender<Vec<Ending>>,
    pending_endings: Option<mpsc::Receiver<Vec<Ending>>>,
    destinations: watch::Sender<BTreeSet<IpAddr>>,
    /// Whether connections are counted in a hurry.
    hurry: watch::Sender<bool>,
    listen: watch::Sender<Option<SocketAddr>>,
    listen_in_clear: watch::Sender<Option<SocketAddr>>,
    fallback_page_port: watch::Sender<u16>,
    recipients: watch::Sender<Recipients>,
    wanted_time: watch::Sender<clock::Wanted>,
    answer_snmp: watch::Sender<Option<Box<Wanted>>>,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Accepted, Refusal>>>,
    requests_seen: u64,
    published_at: Instant,
    /// How long the next picture waits after the last one.
    publish_pause: Duration,
    /// Something has changed since, and waits to be published.
    publish_at: Option<Instant>,
    /// Room for searches for AE titles.
    searches: Arc<Semaphore>,
    /// Tasks that must live for ever.
    tasks: JoinSet<String>,
}

impl Driver {
    fn new(
        (engine, checks): (Engine, Handle),
        clock: Clock,
        vault: Arc<Vault>,
        sides: Sides,
        paths: Paths,
        journal: Journal,
    ) -> Self {
        let (sender, events) = mpsc::channel(EVENT_QUEUE);
        let (orders, pending_orders) = mpsc::channel(1);
        let (endings, pending_endings) = mpsc::channel(ENDING_QUEUE);
        Self {
            engine,
            checks,
            clock,
            vault,
            sides,
            paths,
            journal,
            events,
            sender,
            orders,
            pending_orders: Some(pending_orders),
            endings,
            pending_endings: Some(pending_endings),
            destinations: watch::Sender::default(),
            hurry: watch::Sender::default(),
            listen: watch::Sender::default(),
            listen_in_clear: watch::Sender::default(),
            fallback_page_port: watch::Sender::default(),
            recipients: watch::Sender::default(),
            wanted_time: watch::Sender::default(),
            answer_snmp: watch::Sender::default(),
            waiting: BTreeMap::new(),
            requests_seen: 0,
            published_at: Instant::now(),
            publish_pause: PUBLISH_INTERVAL,
            publish_at: None,
            searches: Arc::new(Semaphore::new(SEARCHES)),
            tasks: JoinSet::new(),
        }
    }

    fn start_tasks(
        &mut self,
        dataplane: Dataplane,
        gateway: Gateway,
        (desk, office, time_office, snmp_office): (Desk, Office, clock::task::Office, SnmpOffice),
    ) -> Result<(), String> {
        let paths = self.paths.clone();
        if let Some(orders) = self.pending_orders.take() {
            self.tasks.spawn(apply_orders(dataplane, orders, self.sender.clone()));
        }
        if let Some(endings) = self.pending_endings.take() {
            self.tasks.spawn(conntrack::end(endings, self.sender.clone()));
        }
        let ledger = conntrack::Ledger::default();
        let folder = closed_connections(&self.paths);
        let recorder = recorder::start(folder, self.sides.names.subscribe(), ledger.clone());
        let recorder = recorder.map_err(|error| format!("starting the record of connections: {error}"))?;
        self.tasks.spawn(conntrack::hear(ledger.clone(), recorder.clone()));
        let proxy = self.sides.proxy.clone();
        self.tasks.spawn(proxy.clone().report(ledger.clone(), recorder, self.sender.clone()));
        self.tasks.spawn(conntrack::count(ledger, proxy, self.hurry.subscribe(), self.sender.clone()));
        self.tasks.spawn(topology_task(self.destinations.subscribe(), self.sender.clone()));
        // Files of the time daemon stand beside the socket.
        let folder = paths.control_socket.parent().map_or_else(PathBuf::new, Path::to_owned);
        let time_settings = (folder, privileges::may_set_clock());
        let wanted_time = self.wanted_time.subscribe();
        self.tasks.spawn(clock::task::serve(time_office, wanted_time, time_settings, self.sender.clone()));
        self.tasks.spawn(web::local::serve(gateway.clone(), paths.control_socket));
        self.tasks.spawn(forward(self.recipients.subscribe(), self.journal.clone(), self.sender.clone()));
        let channels = Channels { post: gateway.post().clone(), snmp: gateway.snmp().clone() };
        self.tasks.spawn(alert::desk::serve(desk, gateway.watch(), channels));
        self.tasks.spawn(mail::post::serve(office, gateway.watch(), self.sender.clone()));
        self.tasks.spawn(snmp::serve(
            snmp_office,
            self.answer_snmp.subscribe(),
            gateway.watch(),
            self.sender.clone(),
        ));
        let restarts = gateway.restarts().fallback();
        self.tasks.spawn(fallback::serve(gateway.watch(), self.fallback_page_port.subscribe(), restarts));
        let alarm = gateway.alarm().clone();
        let updates = gateway.updates().clone();
        self.tasks.spawn(update::online::task::serve(updates.clone(), gateway.watch(), alarm.clone()));
        self.tasks.spawn(update::task::serve(updates, gateway.watch(), alarm));
        let recording = history::start(gateway.past().clone(), gateway.watch());
        recording.map_err(|error| format!("starting the history: {error}"))?;
        let in_clear = self.listen_in_clear.subscribe();
        self.tasks.spawn(web::http::serve(gateway.clone(), in_clear, self.sender.clone()));
        self.tasks.spawn(web::https::serve(gateway, self.listen.subscribe(), self.sender.clone()));
        Ok(())
    }

    async fn live(mut self, [mut terminate, mut interrupt]: [Signal; 2]) -> Result<(), String> {
        tracing::info!("lbd is running");
        loop {
            let deadline = self.clock.0 + self.engine.next_deadline();
            let deadline = self.publish_at.map_or(deadline, |publish_at| publish_at.min(deadline));
            let effects = tokio::select! {
                Some(event) = self.events.recv() => self.engine.handle(event, self.clock.now()),
                () = tokio::time::sleep_until(deadline) => self.engine.handle_deadline(self.clock.now()),
                Some(request) = self.sides.requests.recv() => self.take_request(request),
                Some(ended) = self.tasks.join_next() => {
                    return Err(ended.unwrap_or_else(|error| format!("a task of lbd has ended: {error}")));
                }
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            };
            self.publish(&effects);
            self.perform(effects);
        }
        tracing::info!("lbd ends; the kernel goes on forwarding");
        Ok(())
    }

    fn take_request(&mut self, Request { wish, answer }: Request) -> Vec<Effect> {
        self.requests_seen += 1;
        self.waiting.insert(self.requests_seen, answer);
        let request = RequestId(self.requests_seen);
        let event = match wish {
            Wish::Change(proposal) => Event::Change { request, proposal },
            Wish::Confirm(seen) => Event::Confirm(request, seen),
            Wish::Revert(seen) => Event::Revert(request, seen),
        };
        self.engine.handle(event, self.clock.now())
    }

    /// At once before an answer, so that who is answered finds what the answer says; else at most ten times a
    /// second, as a picture of a thousand services takes its time.
    fn publish(&mut self, effects: &[Effect]) {
        let now = Instant::now();
        let answers = effects.iter().any(|effect| matches!(effect, Effect::Answer(..)));
        if !answers && now < self.published_at + self.publish_pause {
            self.publish_at.get_or_insert(self.published_at + self.publish_pause);
            return;
        }
        self.published_at = now;
        self.publish_at = None;
        let picture = picture(&self.engine);
        self.sides.published.send_if_modified(|current| {
            let differs = **current != picture;
            if differs {
                *current = Arc::new(picture);
            }
            differs
        });
        let share = now.elapsed() * PUBLISH_SHARE;
        self.publish_pause = share.clamp(PUBLISH_INTERVAL, LONGEST_PUBLISH_INTERVAL);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.perform_one(effect);
        }
    }

    fn perform_one(&mut self, effect: Effect) {
        match effect {
            Effect::Apply { number, desired, read_again } => {
                self.order(Order { number, desired, read_again });
            }
            Effect::Check { probe, target, due } => {
                let clock = self.clock;
                let check = async move {
                    let late = clock.now().monotonic.saturating_sub(due);
                    let Target { address, question } = target.as_ref();
                    let result = health::probe(question, *address).await;
                    Some(Event::Checked { probe, result, late })
                };
                self.checks.spawn(into_event(check, self.sender.clone()));
            }
            Effect::FindTitles { called, search } => {
                let room = self.searches.clone();
                self.spawn_event(async move {
                    // Without room now, the server's next refusal after the pause asks again.
                    let place = room.try_acquire().ok()?;
                    let answering = search.run().await;
                    drop(place);
                    Some(Event::TitlesFound { address: search.address, called, answering })
                });
            }
            Effect::Store { document, by, comment, standing } => {
                let stamp = Stamp { time: Timestamp::now(), by, comment };
                let save = move |vault: &Vault| vault.save(&document, &stamp, standing);
                self.spawn_storing(move |vault| {
                    Event::Stored(save(vault).map_err(|error| error.to_string()))
                });
            }
            Effect::Confirm(version) => self.spawn_storing(move |vault| {
                Event::Confirmed(vault.confirm(version).map_err(|error| error.to_string()))
            }),
            Effect::Answer(RequestId(id), answer) => {
                if let Some(waiting) = self.waiting.remove(&id) {
                    // Whoever asked may have gone.
                    let _ = waiting.send(answer);
                }
            }
            Effect::Announce { address, interface } => {
                if let Err(error) = announce::send(&interface, address) {
                    tracing::warn!(%address, %error, "cannot announce a virtual address");
                }
            }
            Effect::EndConnections(endings) => self.end_connections(endings),
            Effect::CountOften(often) => _ = self.hurry.send_replace(often),
            Effect::NameServers(names) => self.sides.names.send_modify(|known| known.follow(names)),
            Effect::ReadCounters => self.spawn_event(async {
                let read = nft::counters().await.map_err(|error| error.to_string());
                if let Err(error) = &read {
                    tracing::warn!(%error, "cannot read the counters; the table is looked at again");
                }
                Some(Event::Counters(read))
            }),
            Effect::LookForRoom(maps) => self.spawn_event(async move {
                Some(Event::RoomFound(nft::has_room(&maps).await.map_err(|error| error.to_string())))
            }),
            Effect::LookAtAppliance => {
                let (paths, vault, journal) = (self.paths.clone(), self.vault.clone(), self.journal.clone());
                let (history, certificates) = (self.sides.history.clone(), self.sides.certificates.clone());
                self.spawn_event(async move {
                    let look = move || appliance::look(&paths, &vault, &journal, &history, &certificates);
                    let looked = tokio::task::spawn_blocking(look).await;
                    looked.ok().map(Event::Looked)
                });
            }
            Effect::WatchRoutes(destinations) => {
                self.destinations.send_replace(destinations);
            }
            Effect::SendLog(recipients) => {
                self.recipients.send_if_modified(|current| {
                    let differs = *current != recipients;
                    *current = recipients;
                    differs
                });
            }
            Effect::KeepTime(wanted) => {
                self.wanted_time.send_if_modified(|current| {
                    let differs = *current != wanted;
                    *current = wanted;
                    differs
                });
            }
            Effect::AnswerSnmp(wanted) => {
                self.answer_snmp.send_if_modified(|current| {
                    let differs = *current != wanted;
                    *current = wanted;
                    differs
                });
            }
            Effect::ListenInClear(address) => {
                self.listen_in_clear.send_if_modified(|current| {
                    let differs = *current != address;
                    *current = address;
                    differs
                });
            }
            Effect::AnswerFallback(port) => {
                self.fallback_page_port.send_if_modified(|current| std::mem::replace(current, port) != port);
            }
            Effect::Listen(address) => {
                // Only another address is a reason to open the port anew.
                self.listen.send_if_modified(|current| current.replace(address) != Some(address));
            }
        }
    }

    /// The engine orders one at a time, so that there is always room.
    fn order(&mut self, order: Order) {
        let number = order.number;
        if self.orders.try_send(order).is_err() {
            tracing::error!(number, "the task that speaks to the kernel does not take orders");
        }
    }

    /// Waits for the disk in a thread of its own, then brings the rescue copy up to date.
    fn spawn_storing(&self, work: impl FnOnce(&Vault) -> Event + Send + 'static) {
        let vault = self.vault.clone();
        self.spawn_event(async move {
            let work = move || {
                let event = work(&vault);
                // The next look at the appliance tells when the copy failed.
                let _ = vault.mirror();
                event
            };
            // The thread ends early only when lbd does.
            tokio::task::spawn_blocking(work).await.ok()
        });
    }

    /// A queue that is full is a failure like any other: the engine orders again.
    fn end_connections(&mut self, endings: Vec<Ending>) {
        self.sides.proxy.end(&endings);
        if let Err(error) = self.endings.try_send(endings) {
            let (mpsc::error::TrySendError::Full(endings) | mpsc::error::TrySendError::Closed(endings)) =
                error;
            let result = Err("too many orders are waiting".to_owned());
            self.spawn_event(async move { Some(Event::ConnectionsEnded { endings, result }) });
        }
    }

    fn spawn_event(&self, task: impl Future<Output = Option<Event>> + Send + 'static) {
        tokio::spawn(into_event(task, self.sender.clone()));
    }
}

async fn into_event(task: impl Future<Output = Option<Event>>, events: mpsc::Sender<Event>) {
    if let Some(event) = task.await {
        // The receiver goes only when lbd ends.
        let _ = events.send(event).await;
    }
}

async fn apply_orders(
    mut dataplane: Dataplane,
    mut orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<Event>,
) -> String {
    while let Some(Order { number, desired, read_again }) = orders.recv().await {
        let outcome = dataplane.apply(&desired, read_again).await;
        if let Some(trouble) = outcome.trouble() {
            tracing::warn!(%trouble, "the kernel does not have the latest state");
        }
        if events.send(Event::Applied { number, outcome }).await.is_err() {
            break;
        }
    }
    "nobody orders from the kernel any more".into()
}

async fn topology_task(
    destinations: watch::Receiver<BTreeSet<IpAddr>>,
    events: mpsc::Sender<Event>,
) -> String {
    match report_topology(destinations, events).await {
        Ok(()) => "nobody asks for the network any more".into(),
        Err(error) => error.to_string(),
    }
}

async fn report_topology(
    destinations: watch::Receiver<BTreeSet<IpAddr>>,
    events: mpsc::Sender<Event>,
) -> Result<(), NetlinkError> {
    let netlink = Netlink::connect()?;
    let mut watch = TopologyWatch::start(destinations)?;
    loop {
        match netlink.topology(&watch.destinations()).await {
            Ok(topology) => {
                if events.send(Event::Topology(topology)).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read the network"),
        }
        watch.changed().await?;
    }
}
