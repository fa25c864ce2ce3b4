//! The engine: one owner of all state, without I/O, locks or clocks.
//!
//! [`Engine::handle`] takes an event and returns effects as data; whoever drives the engine carries them out
//! in tasks of their own and brings back what came of them as further events, failures included.
//! [`Engine::next_deadline`] says when [`Engine::handle_deadline`] wants to be called. In each step the order
//! is: take in what happened, decide what the kernel should have, order what follows from it.
//!
//! A change of the configuration goes through three stages: taken over on trial and applied to the kernel,
//! stored, accepted. A failure at any stage takes the previous state back in force before it is reported. One that
//! could cut the administrator off is accepted on trial only, and taken back unless it is confirmed in time.

mod announcements;
mod change;
mod checks;
mod clock;
mod connections;
mod counters;
mod course;
mod fallback_server;
mod forwarding;
mod interfaces;
mod kernel;
mod lateness;
mod lockdown;
mod messages;
mod persistence;
mod picture;
mod pulse;
mod shares;
#[cfg(test)]
mod tests;
mod throughput;
mod titles;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{AeTitle, Alerting, CheckKind, Config, Document, OnlineUpdates, VirtualService};
use crate::conntrack::census::Census;
use crate::conntrack::names::Names;
use crate::health::titles::{Search, candidates};
use crate::health::{Failure, Passed};
use crate::network::topology::Topology;
use crate::plan::{self, Inputs, Plan};
use crate::snmp::Wanted;
use crate::traffic::listing::Listing;
use crate::traffic::numbering::{Mark, Numbering};
use crate::view::{ClockView, MailView, SnmpView};

use announcements::Announcements;
use change::Change;
use checks::Checks;
use connections::Connections;
pub use connections::Ending;
use counters::Counters;
use forwarding::Forwarding;
use kernel::Kernel;
pub use messages::{
    Accepted, Effect, Event, Now, Outcome, ProbeId, Proposal, Refusal, RequestId, ServerKey, Target,
};
use persistence::Room;
pub use pulse::Findings;
use pulse::Pulse;
use shares::Shares;
use titles::TitleHelp;
use trial::Trial;

/// What the engine starts from.
#[derive(Debug, Clone)]
pub struct Start {
    /// The configuration in force.
    pub config: Config,
    /// Its stored version; 0 where it is not stored.
    pub version: u64,
    /// What the kernel has from an earlier lbd.
    pub listing: Listing,
    /// What the network is like.
    pub topology: Topology,
    /// Why the kernel has no fast path, or `None` where it has.
    pub fast_path_missing: Option<String>,
    /// What went wrong while starting, in sentences for people.
    pub problems: Vec<String>,
    /// Name of the appliance.
    pub host_name: String,
}

/// How often the counters are read: a view some seconds old is fresh enough for people.
const COUNTER_INTERVAL: Duration = Duration::from_secs(5);

/// All state of the daemon.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    version: u64,
    numbering: Numbering,
    topology: Topology,
    checks: Checks,
    title_help: TitleHelp,
    announcements: Announcements,
    counters: Counters,
    counters_due: Duration,
    pulse: Pulse,
    room: Room,
    forwarding: Forwarding,
    connections: Connections,
    shares: Shares,
    /// Servers may have left since connections were last looked at.
    connections_unsettled: bool,
    plan: Plan,
    /// Something that the plan depends on has changed since it was made.
    plan_is_old: bool,
    /// So has a verdict or a share in these services, which matters only once the kernel can take it: while it is busy,
    /// the verdicts of a thousand servers make one plan, not a thousand.
    unsettled_services: BTreeSet<Mark>,
    /// A server may have grown into more of its share.
    growth_is_due: bool,
    kernel: Kernel,
    change: Option<Change>,
    trial: Option<Trial>,
    /// That a configuration on trial was taken back by itself, for people.
    taken_back: Option<String>,
    fast_path_missing: Option<String>,
    not_listening: Option<String>,
    not_listening_in_clear: Option<String>,
    start_problems: Vec<String>,
    started: Timestamp,
    /// When something happened last: the nearest that a view knows to now.
    seen_last: Now,
    host_name: String,
    /// As the post told it last.
    mail: MailView,
    /// As the timekeeper told it last.
    clock: ClockView,
    /// As the agent told it last.
    snmp: SnmpView,
}

impl Engine {
    /// Takes over what the kernel has, and orders what is missing.
    pub fn new(start: Start, now: Now) -> (Self, Vec<Effect>) {
        let counters = start.listing.maps.get("numbering");
        let names = counters.into_iter().flatten().map(|(mark, name)| (mark.as_str(), name.as_str()));
        let known = Numbering::adopt(names);
        let kernel = Kernel::adopt(&start.listing);
        let mut engine = Self {
            version: start.version,
            numbering: known.assign(&start.config),
            checks: Checks::adopt(&start.config, &known, &start.listing, now),
            title_help: TitleHelp::default(),
            announcements: Announcements::default(),
            connections: Connections::adopt(&start.listing),
            connections_unsettled: true,
            shares: Shares::adopt(&start.config, &known, &start.listing),
            counters: Counters::adopt(start.listing.counters, now.monotonic),
            counters_due: now.monotonic + COUNTER_INTERVAL,
            pulse: Pulse::default(),
            room: Room::default(),
            forwarding: Forwarding::default(),
            plan: Plan::default(),
            plan_is_old: true,
            unsettled_services: BTreeSet::new(),
            growth_is_due: false,
            kernel,
            change: None,
            trial: None,
            taken_back: None,
            topology: start.topology,
            fast_path_missing: start.fast_path_missing,
            not_listening: None,
            not_listening_in_clear: None,
            start_problems: start.problems,
            started: now.wall,
            seen_last: now,
            host_name: start.host_name,
            mail: MailView::default(),
            clock: ClockView::default(),
            snmp: SnmpView::default(),
            config: start.config,
        };
        let mut effects = engine.follow_config();
        effects.extend(engine.settle(now));
        effects.extend(engine.handle_deadline(now));
        (engine, effects)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Effect> {
        self.follow_clock(now);
        let mut effects = Vec::new();
        match event {
            Event::Change { request, proposal } => effects = self.begin_change(request, *proposal, now),
            Event::Confirm(request, seen) => effects = self.begin_confirm(request, seen),
            Event::Confirmed(result) => effects = self.confirmed(result, now),
            Event::Revert(request, seen) => effects = self.revert_by_hand(request, seen, now),
            Event::Checked { probe, result, late } => {
                effects = self.checked(probe, &result, late, now);
            }
            Event::TitlesFound { address, called, answering } => {
                self.title_help.found(address, &called, answering);
            }
            Event::Topology(topology) => self.take_topology(topology, now),
            Event::Applied { number, outcome } => effects = self.applied(number, &outcome, now),
            Event::Stored(result) => effects = self.stored(result, now),
            Event::Counters(counters) => self.take_counters(counters, now),
            Event::Connections(result) => self.counted(result, now),
            Event::ConnectionsEnded { endings, result } => self.connections.ended(endings, result, now),
            Event::NotTaken(servers) => self.check_soon(&servers, now),
            Event::RoomFound(has_room) => self.room.found(has_room),
            Event::Looked(findings) => self.pulse.found(findings),
            Event::Listening(result) => self.not_listening = result.err(),
            Event::ListeningInClear(result) => self.not_listening_in_clear = result.err(),
            Event::Forwarded { server, trouble } => self.forwarding.heard(&server, trouble, now),
            Event::Mail(view) => self.mail = *view,
            Event::Clock(view) => self.clock = *view,
            Event::Snmp(view) => self.snmp = *view,
        }
        effects.extend(self.settle(now));
        effects.extend(self.end_connections(now));
        effects
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Now) -> Vec<Effect> {
        self.follow_clock(now);
        let due = self.checks.due(now);
        let mut effects: Vec<_> =
            due.into_iter().map(|(probe, target, due)| Effect::Check { probe, target, due }).collect();
        for place in self.announcements.due(now) {
            let interface = self.topology.interfaces.get(&place.interface);
            effects.extend(
                interface.cloned().map(|interface| Effect::Announce { address: place.address, interface }),
            );
        }
        if self.counters_due <= now.monotonic {
            self.counters_due = now.monotonic + COUNTER_INTERVAL;
            effects.push(Effect::ReadCounters);
        }
        if self.pulse.take_due(now) {
            effects.push(Effect::LookAtAppliance);
        }
        effects.extend(self.look_for_room(now));
        effects.extend(self.trial_due(now));
        self.growth_is_due |= self.shares.is_due(now);
        effects.extend(self.settle(now));
        effects.extend(self.end_connections(now));
        effects.extend(self.repeat_endings(now));
        effects
    }

    /// When [`Self::handle_deadline`] wants to be called, on the monotonic clock.
    pub fn next_deadline(&self) -> Duration {
        let waiting = [
            self.checks.next_due(),
            self.announcements.next_due(),
            Some(self.kernel.next_due()).filter(|_| !self.kernel.is_busy()),
            self.pulse.next_due(),
            self.room.next_due(),
            self.trial.as_ref().and_then(Trial::next_due).filter(|_| self.change.is_none()),
            self.connections.next_due(),
            self.shares.next_due().filter(|_| !self.kernel.is_busy()),
        ];
        waiting.into_iter().flatten().fold(self.counters_due, Duration::min)
    }

    /// The configuration in force; one that is on trial is not.
    pub fn document(&self) -> &Arc<Document> {
        &self.config_in_force().document
    }

    /// Who is told of what, as the configuration in force says.
    pub fn alerting(&self) -> &Arc<Alerting> {
        &self.config_in_force().alerting
    }

    /// Where newer versions are looked for, as the configuration in force says.
    pub fn online_updates(&self) -> &Option<Arc<OnlineUpdates>> {
        &self.config_in_force().online_updates
    }

    fn config_in_force(&self) -> &Config {
        self.change.as_ref().map_or(&self.config, |change| change.previous_config())
    }

    fn checked(
        &mut self,
        probe: ProbeId,
        result: &Result<Passed, Failure>,
        late: Duration,
        now: Now,
    ) -> Vec<Effect> {
        let changed = self.checks.observe(probe, result, late, now);
        let marks = changed.iter().filter_map(|service| self.numbering.service(service));
        self.unsettled_services.extend(marks);
        let Some(Target { address, question }) = self.checks.target(probe) else { return Vec::new() };
        let CheckKind::DicomEcho { called, .. } = &question.kind else { return Vec::new() };
        if !result.as_ref().is_err_and(Failure::is_unknown_called_title) {
            self.title_help.not_refused(*address, called);
            return Vec::new();
        }
        if !self.title_help.refused(*address, called, now) {
            return Vec::new();
        }
        let titles = candidates(self.config.services.iter().filter_map(called_title), Some(called));
        let search = Search { address: *address, question: question.clone(), titles };
        vec![Effect::FindTitles { called: called.clone(), search }]
    }

    /// Open connections to the server with this mark; `None` while they have not been counted.
    pub fn connections_now(&self, mark: Mark) -> Option<u64> {
        self.connections.connections_now(mark.get())
    }

    /// A server that does not take connections may have died: its check finds out soon. Its verdict is the check's alone.
    fn check_soon(&mut self, marks: &BTreeSet<u32>, now: Now) {
        let named = |mark: &u32| self.numbering.name(*mark)?.split_once('/');
        let servers: Vec<_> = marks.iter().filter_map(named).collect();
        self.checks.ask_soon(&servers, now);
    }

    /// Takes a count of connections, which may change what servers get.
    fn counted(&mut self, result: Result<Census, String>, now: Now) {
        let is_count = result.is_ok();
        self.connections.counted(result, now);
        if is_count {
            let changed = self.follow_counts(None, now);
            self.unsettled_services.extend(changed);
        }
    }

    fn take_topology(&mut self, topology: Topology, now: Now) {
        if topology == self.topology {
            return;
        }
        self.announcements.links_changed(&self.topology, &topology, now);
        self.kernel.doubt();
        self.checks.network_changed(now);
        self.topology = topology;
        self.plan_is_old = true;
    }

    fn take_counters(&mut self, counters: Result<BTreeMap<String, u64>, String>, now: Now) {
        self.kernel.counters_are(counters.as_ref().ok().map(BTreeMap::keys));
        let mut counters = match counters {
            Ok(counters) => counters,
            Err(why) => return self.counters.unread(why),
        };
        // The kernel sees nothing of what the proxy opens.
        for (name, mark) in self.numbering.iter() {
            let opened = self.connections.proxied(mark.get()).opened;
            counters.entry(name.to_owned()).and_modify(|count| *count += opened);
        }
        self.counters.read(counters, now.monotonic);
    }

    /// Orders what follows from the configuration alone.
    fn follow_config(&mut self) -> Vec<Effect> {
        self.plan_is_old = true;
        self.title_help.forget();
        let send_log = self.send_log();
        let servers = self.config.services.iter().flat_map(VirtualService::destinations);
        let management = &self.config.management;
        vec![
            Effect::WatchRoutes(servers.collect()),
            Effect::Listen((management.address, management.https_port).into()),
            Effect::ListenInClear(
                self.config.security.http_port.map(|port| (management.address, port).into()),
            ),
            Effect::AnswerFallback(self.config.layer4.fallback_page_port),
            Effect::NameServers(Names::of(&self.numbering)),
            Effect::CountOften(self.counts_matter()),
            send_log,
            self.keep_time(),
            Effect::AnswerSnmp(Wanted::of(&self.config).map(Box::new)),
        ]
    }

    /// Decides anew what the kernel should have, and orders it unless that is what it has.
    fn settle(&mut self, now: Now) -> Vec<Effect> {
        self.follow_plan(now);
        if self.kernel.is_busy() {
            return Vec::new();
        }
        let is_change = self.change.is_some() && !self.kernel.has(&self.plan.desired);
        if !is_change && !self.kernel.needs(&self.plan.desired, now.monotonic) {
            return self.nothing_to_apply();
        }
        let (number, read_again) = self.kernel.order(self.plan.desired.clone(), now.monotonic);
        if let Some(change) = &mut self.change {
            change.ordered(number);
        }
        vec![Effect::Apply { number, desired: self.plan.desired.clone(), read_again }]
    }

    /// Makes the plan anew, or what is old of it.
    fn follow_plan(&mut self, now: Now) {
        if !self.plan_is_old && (!self.has_news() || self.kernel.is_busy()) {
            return;
        }
        let mut services = std::mem::take(&mut self.unsettled_services);
        self.growth_is_due = false;
        if std::mem::take(&mut self.plan_is_old) {
            self.follow_counts(None, now);
            self.plan = self.with_inputs(plan::plan);
        } else {
            services.extend(self.follow_counts(Some(&services), now));
            let mut plan = std::mem::take(&mut self.plan);
            self.with_inputs(|inputs| plan::renew(inputs, &mut plan, &services));
            self.plan = plan;
        }
        self.kernel.share(&mut self.plan.desired);
        self.connections_unsettled = true;
    }

    /// Whether the plan lacks something that has happened.
    fn has_news(&self) -> bool {
        self.plan_is_old || self.growth_is_due || !self.unsettled_services.is_empty()
    }

    /// Calls `decide` with everything that the plan depends on.
    fn with_inputs<T>(&self, decide: impl FnOnce(&Inputs<'_>) -> T) -> T {
        decide(&Inputs {
            config: &self.config,
            numbering: &self.numbering,
            topology: &self.topology,
            in_service: &|service, server| self.checks.in_service(&service.label, &server.label),
            is_full: &|service, server| self.is_full(service, server),
            share: &|service, server| self.share(service, server),
            fast_path: self.fast_path_missing.is_none() && self.config.layer4.fast_path,
        })
    }
}

/// The AE title by which the servers of a service are called.
fn called_title(service: &VirtualService) -> Option<&AeTitle> {
    match &service.check.question.kind {
        CheckKind::DicomEcho { called, .. } => Some(called),
        _ => None,
    }
}
