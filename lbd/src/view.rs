//! The View: one immutable picture of the state, published after every change.
//!
//! WebUI, REST and command line read nothing else, so that they can never disagree. It is also the wire
//! format of `GET /api/v1/status`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::entry::Severity;

/// Length of a step of [`ServiceView::recent_connections_per_second`].
pub const COURSE_STEP_SECONDS: u64 = 30;
/// So many steps are kept: ten minutes, in which who is called at night sees when it began.
pub const COURSE_STEPS: usize = 20;

/// The whole state as shown to people and programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct View {
    /// Name of the appliance.
    pub host_name: String,
    /// Version of the product.
    pub version: String,
    /// When lbd started.
    pub started: Timestamp,
    /// The stored version of the configuration in force; 0 while none is stored.
    pub configuration_version: u64,
    /// The configuration in force is on trial: it is taken back by itself unless somebody confirms it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_confirmation: Option<PendingConfirmation>,
    /// The worst state of all services.
    pub state: ServiceState,
    /// What is wrong with the appliance itself, each in a sentence that says what to do.
    pub problems: Vec<String>,
    /// The same for programs; an lbd older than this field has none.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// How the kernel forwards.
    pub fast_path: FastPath,
    /// How the health checks run.
    pub checks: ChecksView,
    /// Who gets the log; in the order of the configuration.
    #[serde(default)]
    pub syslog_servers: Vec<SyslogServerView>,
    /// How mail stands; an lbd older than this field has none.
    #[serde(default)]
    pub mail: MailView,
    /// How the clock stands; an lbd older than this field has none.
    #[serde(default)]
    pub clock: ClockView,
    /// How the SNMP agent stands; an lbd older than this field has none.
    #[serde(default)]
    pub snmp: SnmpView,
    /// What of the appliance itself is open, as the packet filter has it; an lbd older than this field has none.
    #[serde(default)]
    pub openings: Vec<OpeningView>,
    /// By name; an lbd older than this field has none.
    #[serde(default)]
    pub interfaces: Vec<InterfaceView>,
    /// VMware's guest services; `None` on every other hypervisor, and while they have not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_services: Option<GuestServicesView>,
    /// In the order of the configuration.
    pub virtual_services: Vec<ServiceView>,
}

/// How VMware's guest services stand: what vSphere shows of this machine, and may ask of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GuestServicesView {
    /// vSphere is served.
    pub running: bool,
    /// Since when it is, or is not.
    pub since: Timestamp,
    /// In words, without a full stop.
    pub reason: String,
}

/// A port of the appliance itself that answers, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpeningView {
    /// What answers, for people.
    pub service: String,
    /// `tcp` or `udp`.
    pub transport: String,
    /// The management address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The interface over which one must come.
    pub interface: String,
    /// Networks from which it is reached; empty: from everywhere.
    pub sources: Vec<String>,
}

/// A network interface as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceView {
    /// As the kernel calls it.
    pub name: String,
    /// In words: an adapter, a bond and its mode, or a VLAN and what it lies on.
    pub made_of: String,
    /// The bond to which it belongs.
    pub member_of: Option<String>,
    /// It may carry packets.
    pub switched_on: bool,
    /// It is switched on, and its cable leads somewhere.
    pub has_link: bool,
    /// Its own addresses with their prefix; virtual addresses are not among them.
    pub addresses: Vec<String>,
    /// How many virtual addresses live there.
    pub virtual_address_count: usize,
    /// Bytes of the largest packet.
    pub mtu: u32,
    /// Ethernet address.
    pub hardware_address: Option<String>,
    /// `None` where the adapter does not say.
    pub megabits_per_second: Option<u64>,
    /// `full` or `half`, where the adapter says so.
    pub duplex: Option<String>,
    /// The kernel's driver.
    pub driver: Option<String>,
    /// Since the start of the machine; counted every 15 seconds.
    pub received: Passed,
    /// The same in the other direction.
    pub sent: Passed,
}

impl InterfaceView {
    /// For people.
    pub fn speed_words(&self) -> String {
        let Some(megabits) = self.megabits_per_second else { return "unknown".to_owned() };
        let duplex = self.duplex.as_ref().map(|duplex| format!(", {duplex} duplex")).unwrap_or_default();
        match megabits {
            1000.. if megabits % 1000 == 0 => format!("{} Gbit/s{duplex}", megabits / 1000),
            _ => format!("{megabits} Mbit/s{duplex}"),
        }
    }
}

/// What passed an interface in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Passed {
    /// Of packets with their headers.
    pub bytes: u64,
    /// Whole ones.
    pub packets: u64,
    /// Damaged ones.
    pub errors: u64,
    /// Ones for which there was no room, or no use.
    pub dropped: u64,
}

/// How the clock of the appliance stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockView {
    /// In a word.
    pub state: ClockState,
    /// In words, without a full stop.
    pub reason: String,
    /// Since when it is so, by the clock as it is now.
    pub since: Timestamp,
    /// lbd sets the clock; else it only measures it.
    pub may_set: bool,
    /// So many seconds must be added to the clock: positive where it is slow; `None` where nobody knows.
    pub offset_seconds: Option<f64>,
    /// The NTP server that says so.
    pub source: Option<String>,
    /// In the order of the configuration.
    pub servers: Vec<TimeServerView>,
    /// The time zone of pages and mails, by its IANA name.
    pub zone: String,
}

/// Whether the clock is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClockState {
    /// Nobody says what time it is: there is no NTP server.
    #[default]
    Free,
    /// Servers are being asked, or the clock is being set.
    Starting,
    /// It is right, and kept so.
    Synchronised,
    /// It is right, and somebody else keeps it.
    Measured,
    /// It is wrong, or nobody knows whether it is right.
    Unsynchronised,
}

/// An NTP server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeServerView {
    /// As configured.
    pub server: String,
    /// Where it is, as far as that is known.
    pub address: Option<IpAddr>,
    /// It answered the last question.
    pub answers: bool,
    /// In words.
    pub reason: String,
    /// So many seconds must be added to the clock to agree with it.
    pub offset_seconds: Option<f64>,
    /// The way to it and back.
    pub round_trip_seconds: Option<f64>,
    /// How far it is from a clock that needs no other: 1 to 15.
    pub stratum: Option<u8>,
}

/// How the SNMP agent stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnmpView {
    /// It is to answer.
    pub configured: bool,
    /// Address and port; empty while it is not to answer.
    pub place: String,
    /// It answers.
    pub listening: bool,
    /// Since when it does, or does not.
    pub since: Option<Timestamp>,
    /// What keeps it from answering all that it should, each in a sentence.
    pub problems: Vec<String>,
    /// There is a community for versions 1 and 2c.
    pub community_set: bool,
    /// Users of version 3, in the order of the configuration.
    pub users: Vec<SnmpUserView>,
    /// The name of the engine of version 3, in hexadecimal digits; empty while there is none.
    pub engine_id: String,
    /// How often it has started.
    pub engine_boots: u32,
    /// What came.
    pub counters: SnmpCounters,
    /// Who is told by traps, in the order of the configuration.
    #[serde(default)]
    pub traps: Vec<SnmpTrapView>,
}

/// A manager that is told of alerts by traps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnmpTrapView {
    /// Its name.
    pub label: String,
    /// Address and port.
    pub place: String,
    /// `v1`, `v2c` or `v3`.
    pub version: String,
    /// As whom it is told, in version 3; empty in others.
    pub user: String,
    /// It confirms what it is told.
    pub inform: bool,
    /// Alerts that were sent since its settings are as they are; informs that were confirmed.
    pub sent: u64,
    /// Those that were not.
    pub failed: u64,
    /// Those that had no room in its queue.
    pub lost: u64,
    /// When the last one was sent.
    pub last_sent: Option<Timestamp>,
    /// Why the latest was not; none where it was.
    pub last_error: Option<String>,
}

/// A user of SNMP version 3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnmpUserView {
    /// Their name.
    pub name: String,
    /// How messages are proved.
    pub authentication: String,
    /// How they are encrypted; `none` where they are not.
    pub privacy: String,
    /// There is a passphrase for the proof.
    pub authentication_set: bool,
    /// There is one for the encryption.
    pub privacy_set: bool,
}

/// Datagrams since lbd started. Those that were refused got no answer, or one that says why, as version 3 has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnmpCounters {
    /// All that came.
    pub received: u64,
    /// Answers.
    pub answered: u64,
    /// What is no SNMP.
    pub malformed: u64,
    /// Of a version that is not enabled.
    pub wrong_version: u64,
    /// With a wrong community.
    pub wrong_community: u64,
    /// Of users that there are not.
    pub unknown_user: u64,
    /// Whose proof was wrong: another passphrase or algorithm.
    pub wrong_proof: u64,
    /// That could not be decrypted.
    pub undecipherable: u64,
    /// Less protected than the user has to be.
    pub unprotected: u64,
    /// Too old, or for an engine that started less often: managers then ask again by themselves.
    pub outside_time_window: u64,
    /// Of managers that did not know the engine's name yet: each begins so.
    pub unknown_engine: u64,
    /// Whose answer had no room.
    pub dropped: u64,
}

/// A syslog server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SyslogServerView {
    /// Its name.
    pub label: String,
    /// Address and port.
    pub place: String,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// It gets lines as grave as this or graver.
    pub severity: Severity,
    /// Whether it takes the log.
    pub state: SyslogState,
    /// In words.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a syslog server takes the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyslogState {
    /// Nothing has been sent yet.
    Connecting,
    /// It does; with UDP nobody has said that it does not.
    Up,
    /// It does not.
    Down,
}

impl SnmpCounters {
    /// Each, and what it counts.
    pub fn told(&self) -> [(&'static str, u64); 12] {
        [
            ("received", self.received),
            ("answered", self.answered),
            ("wrong community", self.wrong_community),
            ("unknown user", self.unknown_user),
            ("wrong passphrase or algorithm", self.wrong_proof),
            ("not decipherable", self.undecipherable),
            ("less protected than the user has to be", self.unprotected),
            ("version not enabled", self.wrong_version),
            ("no SNMP", self.malformed),
            ("outside the time window", self.outside_time_window),
            ("manager did not know the engine yet", self.unknown_engine),
            ("no room for the answer", self.dropped),
        ]
    }
}

/// What is wrong with the appliance itself: one for each of [`View::problems`], in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// What kind of thing.
    pub kind: ConditionKind,
    /// Which of its kind: stays the same while the words change.
    pub about: String,
    /// The sentence of [`View::problems`].
    pub text: String,
}

impl Condition {
    /// A condition in a sentence.
    pub fn new(kind: ConditionKind, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, about: about.into(), text: text.into() }
    }
}

/// Kinds of trouble of the appliance itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// The disk.
    Disk,
    /// The memory.
    Memory,
    /// The clock.
    Clock,
    /// A certificate that ends soon.
    Certificate,
    /// Source ports towards a server; the words before and after the slash in `about` are service and server.
    SnatPorts,
    /// Mail that cannot be delivered.
    Mail,
    /// A new version that was given up.
    Update,
    /// Anything else.
    Other,
}

/// How mail stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailView {
    /// Somebody is to get mail.
    pub configured: bool,
    /// Over which servers it goes, in words.
    pub way: String,
    /// There is a password for the smart host.
    pub password_set: bool,
    /// So many mails wait; each is for one recipient.
    pub waiting_count: usize,
    /// The oldest 50 of them.
    pub waiting: Vec<WaitingMail>,
    /// The last 20 that were delivered or given up since lbd started, the newest first.
    pub finished: Vec<FinishedMail>,
    /// So many gave way since lbd started, as there was no room for more.
    pub gave_way: u64,
    /// Why the latest attempt failed; none where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Why the queue is not on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_failure: Option<String>,
}

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingMail {
    /// Its name in the queue.
    pub id: String,
    /// For whom it is.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When it was written.
    pub since: Timestamp,
    /// Attempts that failed.
    pub attempts: u32,
    /// When it is tried next; none while it is being tried.
    pub next_attempt: Option<Timestamp>,
    /// Why the last attempt failed, with the server's own answer; may be empty.
    pub last_error: String,
}

/// A mail that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FinishedMail {
    /// Its name in the queue.
    pub id: String,
    /// For whom it is.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// When it was done.
    pub at: Timestamp,
    /// A server took it over.
    pub delivered: bool,
    /// The server's answer, or why it was given up.
    pub words: String,
}

/// A configuration on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PendingConfirmation {
    /// Its stored version.
    pub version: u64,
    /// When it is taken back.
    pub until: Timestamp,
    /// Who made it, and from where.
    pub by: String,
    /// Why, in their words; may be empty.
    pub comment: String,
}

/// Whether established connections take the kernel's short cut (flowtable).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FastPath {
    /// True when the running kernel offers flowtables.
    pub available: bool,
    /// In words.
    pub detail: String,
}

/// How the health checks run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChecksView {
    /// Different checks: services that ask the same of a server share one.
    pub different: usize,
    /// How late after its time a check started, the worst of the last one to two minutes.
    pub latest_start_milliseconds: f64,
}

/// State of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// Every server passes its checks.
    Up,
    /// Nothing is known yet: the first checks are under way.
    Checking,
    /// Some servers fail, and the others carry the service; or all that do not fail are full.
    Degraded,
    /// No real server is left; see [`ServiceView::fallback_server`] for one that may serve nevertheless.
    Down,
    /// Switched off by its configuration.
    Off,
}

/// A virtual service and its servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceView {
    /// Its name.
    pub label: String,
    /// The virtual addresses.
    pub addresses: Vec<AddressView>,
    /// Its ports, as configured.
    pub ports: String,
    /// `tcp`, `udp` or `tcp+udp`.
    pub protocol: String,
    /// `snat`: the kernel forwards; `proxy`: lbd does.
    #[serde(default)]
    pub forwarding_method: String,
    /// State of the whole service.
    pub state: ServiceState,
    /// What keeps the service from working, beside its servers' health.
    pub problem: Option<String>,
    /// What clients meet while no server is left.
    pub without_server: String,
    /// Seconds after which a connection without a packet is forgotten, if the service has a time-out of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u64>,
    /// Seconds a client keeps its server, if it does.
    pub persistence_seconds: Option<u64>,
    /// Connections that clients have opened to the virtual address since the kernel table was made.
    pub connections_opened: u64,
    /// The sum of its servers' connections that were not taken.
    #[serde(default)]
    pub connections_not_taken: u64,
    /// New connections a second in each of the last 20 steps of 30 seconds, the oldest first. Shorter while lbd has not
    /// run for so long; an lbd older than this field has none.
    #[serde(default)]
    pub recent_connections_per_second: Vec<f64>,
    /// What passes now.
    #[serde(flatten)]
    pub traffic: TrafficView,
    /// Who serves while no real server takes new clients, where one is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_server: Option<FallbackServerView>,
    /// In the order of the configuration.
    pub real_servers: Vec<ServerView>,
}

impl ServiceView {
    /// Addresses and ports in one line, for people: `192.168.10.100, [fd00::100]:2001/tcp`, and whether lbd forwards.
    pub fn place(&self) -> String {
        let address = |view: &AddressView| match view.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let addresses: Vec<_> = self.addresses.iter().map(address).collect();
        let proxied = if self.forwarding_method == "proxy" { ", proxied" } else { "" };
        format!("{}:{}/{}{proxied}", addresses.join(", "), self.ports, self.protocol)
    }

    /// Where the addresses live, for people; empty where none does.
    pub fn interfaces(&self) -> String {
        let names: BTreeSet<_> = self.addresses.iter().filter_map(|view| view.interface.as_deref()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// The fallback server of a service. Nobody checks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FallbackServerView {
    /// Its address.
    pub address: IpAddr,
    /// Its port; `None` is the port that the client asked for.
    pub port: Option<u16>,
    /// It gets all new connections of its family now, as no real server takes any.
    pub serving: bool,
    /// The source address that it sees.
    pub snat_source: Option<IpAddr>,
    /// Why that one.
    pub snat_reason: String,
    /// Connections opened to it since the kernel table was made.
    pub connections_opened: u64,
    /// What passes now: connections that it has go on when a real server is back.
    #[serde(flatten)]
    pub traffic: TrafficView,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressView {
    /// The address.
    pub address: IpAddr,
    /// Where it lives, if it does.
    pub interface: Option<String>,
}

/// What passes through a service, or to one of its servers. Bytes and packets since lbd started, with IP and TCP
/// headers; of proxied connections the bytes alone, as they were read and written, and no packets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrafficView {
    /// Open connections; `None` while they have not been counted, or cannot be: the problems say why.
    pub connections_now: Option<u64>,
    /// New connections a second, over the last seconds; `None` while the kernel's counters cannot be read.
    #[serde(default)]
    pub connections_per_second: Option<f64>,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Bytes from clients a second, over the last seconds; `None` while connections cannot be counted.
    #[serde(default)]
    pub bytes_in_per_second: Option<f64>,
    /// Bytes to clients a second, over the last seconds; `None` while connections cannot be counted.
    #[serde(default)]
    pub bytes_out_per_second: Option<f64>,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients.
    pub packets_out: u64,
}

/// State of a real server in one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServerState {
    /// Takes new connections.
    Up,
    /// Not yet checked: takes none.
    Checking,
    /// Fails its check: takes none.
    Down,
    /// Takes no new connections because an operator drains it, its weight is 0, or it is full.
    Drained,
    /// Takes none because an operator has halted it.
    Halted,
    /// Its service is switched off.
    Off,
}

/// A real server as one service sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerView {
    /// Its name, unique within the service.
    pub label: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port; `None` is the port that the client asked for.
    pub port: Option<u16>,
    /// Its share of new clients in relation to the others', as configured.
    pub weight: u16,
    /// So many of a hundred new clients (of its family) it gets now; 0 while it takes none.
    pub share_percent: f64,
    /// Open connections of the service at which it is full; `None` is no limit.
    pub maximum_connections: Option<u64>,
    /// It has as many as it may, and takes no new ones: its state is `drained`, its reason begins with "full".
    pub full: bool,
    /// Open connections at which it is used again when it was full.
    pub minimum_connections: Option<u64>,
    /// Whether it takes new connections.
    pub state: ServerState,
    /// Since when.
    pub since: Timestamp,
    /// What the last check found, in words.
    pub reason: String,
    /// The check that found it, for example `DICOM C-ECHO to DW_SCP`.
    pub check: String,
    /// How long the last passed check took, in milliseconds.
    pub check_milliseconds: Option<f64>,
    /// The source address that the server sees.
    pub snat_source: Option<IpAddr>,
    /// Why that one.
    pub snat_reason: String,
    /// The source addresses that the server sees, each client always the same one, where there is a pool of them;
    /// `snat_source` is the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snat_pool: Vec<IpAddr>,
    /// Connections opened to this server since the kernel table was made.
    pub connections_opened: u64,
    /// TCP connections that it refused or never answered since lbd started. Of a proxied one another server was tried;
    /// where the kernel forwards, the client has met the refusal, and silence counts when the kernel gives up on it.
    #[serde(default)]
    pub connections_not_taken: u64,
    /// What passes now.
    #[serde(flatten)]
    pub traffic: TrafficView,
    /// Source ports in use towards this server, where they are scarcest: from all its source addresses to one port of
    /// the server. Those that wait to be free again are in use too.
    pub snat_ports_in_use: u64,
    /// So many there are.
    pub snat_ports_available: u64,
}
