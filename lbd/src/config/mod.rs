//! The configuration: what an administrator writes, and what the rest of lbd may rely on.
//!
//! [`document`] mirrors the TOML and JSON text; [`validate`] turns it into the types of this file, which
//! cannot hold an invalid value, or into a list of [`Problem`]s that name each field and its remedy.

pub mod alerting;
pub mod check_kind;
pub mod difference;
pub mod document;
pub mod network;
pub mod online;
pub mod security;
pub mod snmp;
pub mod values;

mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use alerting::Alerting;
pub use check_kind::{CheckKind, Tls};
pub use document::{Document, Format};
pub use network::NetworkSettings;
pub use online::OnlineUpdates;
pub use security::Security;
pub use snmp::Snmp;
pub(crate) use validate::{address_with_prefix, ipv4_address, time_zone};
pub use validate::{check_problems, validate};
pub use values::{AeTitle, HostName, InterfaceName, Label, Ports, Weight};
use values::{Fault, quoted};

use jiff::tz::TimeZone;

use crate::log::entry::Severity;
use crate::network::topology::{Family, Network};

/// A whole configuration that passed every rule. Labels are unique and every reference resolves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the appliance itself may be managed.
    pub management: Management,
    /// `None` where somebody else looks after addresses and routes.
    pub network: Option<NetworkSettings>,
    /// Date and time.
    pub time: TimeSettings,
    /// What concerns all services.
    pub layer4: Layer4,
    /// Who may manage the appliance, and how.
    pub security: Security,
    /// Who gets the log; each label once.
    pub syslog_servers: Vec<SyslogServer>,
    /// Who is told of what, and how.
    pub alerting: Arc<Alerting>,
    /// The SNMP agent and who is told by traps; `None`: nobody is answered nor told.
    pub snmp: Option<Snmp>,
    /// Where newer versions are looked for; `None`: nowhere.
    pub online_updates: Option<Arc<OnlineUpdates>>,
    /// In the order of the document, which is the order of every view.
    pub services: Vec<VirtualService>,
    /// The document this was made from: what is stored and shown.
    pub document: Arc<Document>,
}

/// Where the management ports answer: on this interface's own address, never on a virtual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Management {
    /// The interface over which administrators come.
    pub interface: InterfaceName,
    /// The interface's own address.
    pub address: Ipv4Addr,
    /// TCP port of WebUI and API.
    pub https_port: u16,
}

/// Date and time of the appliance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSettings {
    /// In which people are told times.
    pub zone: TimeZone,
    /// Who says what time it is; each once, few.
    pub ntp_servers: Vec<NtpServer>,
}

/// Who says what time it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NtpServer {
    /// By address.
    Address(IpAddr),
    /// By name.
    Name(HostName),
}

impl fmt::Display for NtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// What concerns all services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer4 {
    /// Established connections take the kernel's fast path, where there is one.
    pub fast_path: bool,
    /// So many of a hundred SNAT source ports towards a server in use are worth a warning: 10 to 100.
    pub snat_ports_warning_percent: u8,
    /// Where lbd answers with the fallback page.
    pub fallback_page_port: u16,
}

/// A server that gets the log by syslog (RFC 5424).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogServer {
    /// Unique name.
    pub label: Label,
    /// Where it listens.
    pub place: SocketAddr,
    /// How it is reached.
    pub transport: SyslogTransport,
    /// It gets lines as grave as this or graver.
    pub severity: Severity,
}

/// How a syslog server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTransport {
    /// A datagram a line (RFC 5426): nobody knows whether it arrives.
    Udp,
    /// Lines with their length before them (RFC 6587 section 3.4.1).
    Tcp,
    /// The same within TLS (RFC 5425).
    Tls(Tls),
}

impl SyslogTransport {
    /// For people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls(_) => "TLS",
        }
    }
}

/// A virtual address with ports, and the real servers behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualService {
    /// Unique name.
    pub label: Label,
    /// The virtual IP addresses that clients connect to: at least one, each once.
    pub addresses: Vec<IpAddr>,
    /// False: the service is switched off.
    pub enabled: bool,
    /// What its clients speak.
    pub protocol: Protocol,
    /// Ports of the service.
    pub ports: Ports,
    /// Who moves its bytes.
    pub forwarding_method: ForwardingMethod,
    /// Where the virtual addresses live; `None` means for each the interface in whose subnet it lies.
    pub interface: Option<InterfaceName>,
    /// Which source address the real servers see.
    pub snat_source: SnatSource,
    /// Source addresses that come before `snat_source` where they lie on a server's network; each once.
    pub snat_pool: Vec<IpAddr>,
    /// Which server a new client gets.
    pub scheduler: Scheduler,
    /// How long a server that has come (back) grows into its share; zero: not at all.
    pub slow_start: Duration,
    /// After how long without a packet a connection is forgotten; `None`: when the kernel does.
    pub idle_timeout: Option<Duration>,
    /// How long a client keeps its server after its last new connection; `None` means no persistence.
    pub persistence: Option<Duration>,
    /// Which clients count as one for persistence: those that agree in so many bits, by family.
    pub sticky_prefixes: StickyPrefixes,
    /// Clients that always get the same server while it takes new ones; each network once.
    pub pins: BTreeMap<Network, Label>,
    /// What clients meet when no server is left, the fallback server included.
    pub fallback: Fallback,
    /// Who serves clients of its family while no real server takes them.
    pub fallback_server: Option<FallbackServer>,
    /// What becomes of the connections of a server that fails.
    pub on_server_failure: OnServerFailure,
    /// How its servers are checked.
    pub check: HealthCheck,
    /// At least one.
    pub servers: Vec<RealServer>,
}

impl VirtualService {
    /// The port on which `server` is checked: the check's, else its own, else the service's first one.
    pub fn check_port(&self, server: &RealServer) -> u16 {
        self.check.port.or(server.port).unwrap_or_else(|| self.ports.first())
    }

    /// Whether lbd moves its bytes.
    pub fn is_proxied(&self) -> bool {
        self.forwarding_method == ForwardingMethod::Proxy
    }

    /// Whom it may send clients to: its servers, and the fallback server.
    pub fn destinations(&self) -> impl Iterator<Item = IpAddr> {
        let servers = self.servers.iter().map(|server| server.address);
        servers.chain(self.fallback_server.iter().map(|server| server.address))
    }

    /// The virtual addresses of one family.
    pub fn addresses_of(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied().filter(move |address| Family::of(*address) == family)
    }

    /// The families in which it is reached.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(|family| self.addresses_of(*family).next().is_some())
    }
}

/// A server that does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealServer {
    /// Unique within its service.
    pub label: Label,
    /// Its address, on any network that the appliance reaches. It serves clients of the same family.
    pub address: IpAddr,
    /// `None` means the port that the client asked for.
    pub port: Option<u16>,
    /// Its share of new clients in relation to the others of the service.
    pub weight: Weight,
    /// How many connections of the service it takes at a time; `None`: any number.
    pub limit: Option<Limit>,
    /// What the operator wants of it.
    pub state: OperatorState,
}

impl RealServer {
    /// Whether it may take new connections, as far as the configuration goes.
    pub fn takes_new(&self) -> bool {
        self.state == OperatorState::Online && self.weight.get() > 0
    }
}

/// Lengths of the prefixes of clients that count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StickyPrefixes {
    /// 8 to 32.
    pub ipv4: u8,
    /// 32 to 128.
    pub ipv6: u8,
}

impl StickyPrefixes {
    /// The length for one family.
    pub fn of(self, family: Family) -> u8 {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }
}

/// How many connections a server takes, with hysteresis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// With so many open ones it is full.
    pub full_at: u64,
    /// With so many it takes new ones again; less than `full_at`.
    pub again_at: u64,
}

/// What the operator wants of a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorState {
    /// Takes new connections while it passes its check.
    Online,
    /// Takes no new ones, also not of clients that know it; established ones go on.
    Drain,
    /// Takes no new ones, and established ones end.
    Halt,
}

/// The transport protocols of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP only.
    Tcp,
    /// UDP only.
    Udp,
    /// Both, on the same ports.
    TcpAndUdp,
}

impl Protocol {
    /// The names of its transports, as nft writes them.
    pub fn transports(self) -> &'static [&'static str] {
        match self {
            Self::Tcp => &["tcp"],
            Self::Udp => &["udp"],
            Self::TcpAndUdp => &["tcp", "udp"],
        }
    }

    /// Whether a port of the one is a port of the other too.
    pub fn overlaps(self, other: Self) -> bool {
        self.transports().iter().any(|transport| other.transports().contains(transport))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.transports().join("+"))
    }
}

/// Who moves the bytes of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardingMethod {
    /// The kernel, which translates both addresses.
    Snat,
    /// lbd, which accepts each connection and opens another one to the server; TCP only.
    Proxy,
}

impl fmt::Display for ForwardingMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Snat => "snat",
            Self::Proxy => "proxy",
        })
    }
}

/// What becomes of the connections of a server that fails its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnServerFailure {
    /// They end: the client's next packet meets a reset, so that it connects again, to a living server.
    Reset,
    /// They go on, as long as server and client keep them.
    Keep,
}

/// Which source address the real servers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnatSource {
    /// The virtual address where it lies in the subnet of the interface towards the server, so that
    /// replies find their way back; else that interface's address.
    Auto,
    /// Always the virtual address.
    VirtualAddress,
    /// Always the address of the interface towards the server.
    Interface,
}

/// What clients meet when no server of a service is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Connections are refused at once (TCP reset).
    Refuse,
    /// lbd accepts the connection and rejects the association as "temporary congestion" (DICOM PS3.8 section 9.3.4),
    /// so that modalities queue and try again.
    DicomReject,
    /// lbd accepts the connection and shows a page over HTTP, with status 503.
    HttpPage,
}

impl TryFrom<Option<&str>> for Fallback {
    type Error = Fault;

    fn try_from(text: Option<&str>) -> Result<Self, Fault> {
        match text {
            None | Some("refuse") => Ok(Self::Refuse),
            Some("dicom-reject") => Ok(Self::DicomReject),
            Some("http-page") => Ok(Self::HttpPage),
            Some(other) => Err(Fault::new(
                format!("the fallback {} is not known", quoted(other)),
                "use \"refuse\", \"dicom-reject\" (the association is rejected, and the modality tries again) or \"http-page\" (a page is shown)",
            )),
        }
    }
}

/// A server that is used while no real server takes new connections. Nobody checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallbackServer {
    /// It serves clients of the same family.
    pub address: IpAddr,
    /// `None` means the port that the client asked for.
    pub port: Option<u16>,
}

impl fmt::Display for FallbackServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

/// Which server a new client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// So that the servers' open connections come to stand in the relation of their weights: shares follow the counts.
    WeightedLeastConnections,
    /// In turn, by weight.
    WeightedRoundRobin,
    /// By its address: the same client always gets the same server while that one takes connections, without any
    /// entry; a server that leaves moves its own clients only.
    SourceHash,
}

/// A named health check, shared by the services that name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Unique name.
    pub label: Label,
    /// What is asked of the server, and in which rhythm.
    pub question: Arc<Question>,
    /// Port to check; `None` is the server's.
    pub port: Option<u16>,
    /// When answers change the verdict.
    pub thresholds: Thresholds,
}

/// What is asked, and in which rhythm. Services with equal questions share the checks of a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// What is asked of the server.
    pub kind: CheckKind,
    /// From the start of one check to the start of the next; 1 s to an hour.
    pub interval: Duration,
    /// The same after a failure of a server that is still in service; never longer than the interval.
    pub fast_interval: Duration,
    /// For the whole check; never longer than the interval.
    pub timeout: Duration,
}

/// How many equal answers in a row change a verdict; each 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Passed checks in a row that bring a server back.
    pub rise: u8,
    /// Failed checks in a row that take a server out.
    pub fall: u8,
}

/// Why a configuration was refused: one field, what is wrong with it, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// Path of the field, for example `virtual_service[1].real_server[0].weight`.
    pub field: String,
    /// What is wrong, with the value that was given.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.problem, self.remedy)
    }
}
