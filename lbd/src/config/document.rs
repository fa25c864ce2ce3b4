//! The configuration as written: TOML in the file, TOML or JSON over the API.
//!
//! Values are kept as they were given, so that every wrong one can be named by [`super::validate`], all of
//! them in one go. Unknown fields are refused: a misspelt setting must not be silently without effect.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::values::quoted;

/// The only schema so far; a later one gets its own folder in the store and a migration.
pub const SCHEMA: i64 = 1;

/// Largest document that is looked at, in bytes: 1,000 services of 10 servers take about 1.2 MB.
pub const LARGEST_DOCUMENT: usize = 4 << 20;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The file's format.
    Toml,
    /// The API's usual format.
    Json,
}

/// The whole configuration as text mirrors it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this format: 1.
    pub schema: i64,
    /// See [`super::Management`].
    pub management: ManagementDocument,
    /// See [`super::NetworkSettings`]; absent where lbd leaves the network alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkDocument>,
    /// See [`super::TimeSettings`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeDocument>,
    /// See [`super::Layer4`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer4: Option<Layer4Document>,
    /// See [`super::Security`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<SecurityDocument>,
    /// See [`super::SyslogServer`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub syslog_server: Vec<SyslogServerDocument>,
    /// See [`super::alerting::Alerts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsDocument>,
    /// See [`super::alerting::MailSettings`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailDocument>,
    /// See [`super::snmp::Snmp`]; absent where nobody is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snmp: Option<SnmpDocument>,
    /// See [`super::OnlineUpdates`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<OnlineUpdateDocument>,
    /// See [`super::HealthCheck`].
    #[serde(default)]
    pub health_check: Vec<HealthCheckDocument>,
    /// See [`super::VirtualService`].
    #[serde(default)]
    pub virtual_service: Vec<VirtualServiceDocument>,
}

/// Where the management ports answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManagementDocument {
    /// Interface name.
    pub interface: String,
    /// IPv4 address.
    pub address: String,
    /// TCP port; 9443 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_port: Option<i64>,
}

/// What concerns all virtual services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layer4Document {
    /// Established connections bypass most of the kernel's network stack (flowtable), where the kernel offers it; on where
    /// nothing is given. Off, each packet takes the ordinary path, for example for the time of a packet capture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_path: Option<bool>,
    /// The status warns when so many of a hundred SNAT source ports towards a server are in use: 10 to 100; 80 where none
    /// is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snat_ports_warning_percent: Option<i64>,
    /// TCP port on which lbd answers with the fallback page; 9081 where none is given. Clients never see it: the kernel
    /// redirects them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_page_port: Option<i64>,
}

/// Who may manage the appliance, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityDocument {
    /// `secure` (also where nothing is given): HTTPS only, and API tokens; or `custom`: as the settings below say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// In the mode `custom`: false: nobody gets in with an API token. Tokens count where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_tokens: Option<bool>,
    /// In the mode `custom`: true: the WebUI answers over HTTP too, where everybody on the way reads passwords. It does not where
    /// nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<bool>,
    /// TCP port of the WebUI over HTTP; 9080 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_port: Option<i64>,
    /// Networks or addresses from which WebUI and API may be reached, at most 32; from everywhere where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub web_sources: Vec<String>,
}

impl SecurityDocument {
    /// Whether API tokens count, of a section that passed every rule.
    pub fn takes_tokens(&self) -> bool {
        self.api_tokens != Some(false)
    }
}

/// A server that gets the log by syslog (RFC 5424).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyslogServerDocument {
    /// Unique name.
    pub label: String,
    /// IPv4 or IPv6 address.
    pub address: String,
    /// Port; where none is given 514, with `tls` 6514.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// `udp` (RFC 5426), `tcp` (RFC 6587, octet counting) or `tls` (RFC 5425); `udp` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Only lines as grave as this or graver: `emergency`, `alert`, `critical`, `error`, `warning`, `notice`, `info` or
    /// `debug`; `info` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// With `tls`: how the server's certificate is verified: `none`, `system` (the usual authorities), or certificates in
    /// PEM; `system` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_verify: Option<String>,
    /// With `tls`: the name that the certificate must hold; the address where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
}

/// What people are told of, and who is told by mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsDocument {
    /// Mail address from which alerts come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Mail addresses that get them, at most 16; no mail is sent where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
    /// Trouble that is shorter is not told, unless it comes again and again: 5 to 3600; 15 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_down_seconds: Option<i64>,
    /// What is to be told within so many seconds becomes one mail: 0 to 300; 10 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gathering_seconds: Option<i64>,
    /// Trouble that lasts is told again after so many hours: 1 to 720, or 0 for never; 24 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder_hours: Option<i64>,
    /// `plain` (also where none is given), or `ldirectord`: subjects begin with `Deleted real server:` and
    /// `Added real server:`, for mail filters that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<String>,
}

/// Mails about one virtual service; what is not given is as in `[alerts]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAlertsDocument {
    /// False: no mail about this service. On where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Mail address from which they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Mail addresses that get them, instead of those of `[alerts]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
}

/// How mail gets to its destination. The password of `user` is set apart from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailDocument {
    /// Name or IPv4 address of a mail server that takes all mail; the mail servers (MX) of each destination's domain
    /// get it where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smart_host: Option<String>,
    /// TCP port of the smart host; 25, or 465 with `encryption = "tls"`, where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// `opportunistic` (also where none is given): encrypted where the server offers it, whoever it is; `starttls`:
    /// always; `tls`: from the first byte on, for a smart host; or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// For `starttls` and `tls`: `system` (the usual certificate authorities; also where none is given), `none`, or
    /// certificates in PEM: the server's own or that of its authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_verify: Option<String>,
    /// The name that the smart host's certificate must hold; the smart host's own where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// User of the smart host, if it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What the appliance calls itself to mail servers (EHLO); its host name where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello_name: Option<String>,
}

/// Where newer versions of the appliance are looked for. Nothing is downloaded or installed by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnlineUpdateDocument {
    /// URL of the index of the newest version, beginning with `https://`, without user and password; nothing is looked for
    /// where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// HTTP proxy on the way there, for example `http://proxy.hospital.example:3128`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Certificates in PEM, the server's own or that of its authority, which count instead of the usual authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// Hours between two looks: 1 to 168; 24 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_hours: Option<i64>,
}

/// The SNMP agent. Community and passphrases are set apart from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnmpDocument {
    /// True: managers are answered. They are not where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `v1`, `v2c` and `v3`; `v2c` and `v3` where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// UDP port on the management address; 161 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Networks or addresses from which it may be asked, at most 32; from everywhere where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Where the appliance is (sysLocation), at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Who looks after it (sysContact), at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Users of version 3, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user: Vec<SnmpUserDocument>,
    /// Who is told of alerts by traps, at most 8; also while managers are not answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trap: Vec<SnmpTrapDocument>,
}

/// A manager that is told of alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnmpTrapDocument {
    /// Unique name.
    pub label: String,
    /// IPv4 or IPv6 address.
    pub address: String,
    /// UDP port; 162 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// `v1`, `v2c` or `v3`; `v2c` where none is given. Versions 1 and 2c use the community of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// With `v3`: one of the users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// True: informs, which the manager confirms and which are sent again until it does (not with `v1`). Traps where nothing
    /// is given: nobody knows whether they arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inform: Option<bool>,
}

/// A user of SNMP version 3. The passphrases are set apart from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnmpUserDocument {
    /// Unique name, 1 to 32 characters.
    pub name: String,
    /// `md5`, `sha1`, `sha224`, `sha256`, `sha384` or `sha512`; `sha256` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
    /// `des`, `aes128`, `aes192`, `aes256` (keys extended as net-snmp does), `aes192c`, `aes256c` (as Cisco does), or `none`:
    /// readable by whoever listens; `aes128` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<String>,
}

/// The appliance's own network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkDocument {
    /// Name of the appliance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// IPv4 address of the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_gateway: Option<String>,
    /// IPv6 address of the router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_gateway_ipv6: Option<String>,
    /// IPv4 addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_servers: Vec<String>,
    /// Domain in which names without a dot are looked up, for example `hospital.example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_domain: Option<String>,
    /// The earlier place of `ntp_servers` in `[time]`, to which they are moved when a document is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub ntp_servers: Vec<String>,
    /// The interfaces that lbd configures.
    #[serde(default)]
    pub interface: Vec<InterfaceDocument>,
    /// Adapters that act as one, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bond: Vec<BondDocument>,
    /// VLANs (IEEE 802.1Q), at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlan: Vec<VlanDocument>,
    /// Static routes, at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<RouteDocument>,
}

/// Date and time of the appliance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeDocument {
    /// Time zone in which pages and mails tell times, by its IANA name, for example `Europe/Berlin`; `UTC` where none is
    /// given. Times of the API and of the log are always in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// NTP servers by name or address, at most 8; nobody looks after the clock where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ntp_servers: Vec<String>,
}

/// An adapter, bond or VLAN with its addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InterfaceDocument {
    /// Name of an adapter, of a bond or of a VLAN.
    pub name: String,
    /// IPv4 and IPv6 addresses with prefix, for example `192.168.2.21/24`.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Bytes of the largest packet: 68 to 9216, with IPv6 addresses at least 1280; 1500 where none is given. The members
    /// of a bond have that of the bond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    /// IPv4 router of this interface: answers to what came to an address on this interface leave by it, whatever
    /// `default_gateway` says, which must be given too. At most 15 interfaces have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The same for IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ipv6: Option<String>,
}

/// Adapters that act as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BondDocument {
    /// Unique name of at most 15 characters, for example `bond0`.
    pub name: String,
    /// `active-backup`, `802.3ad`, `balance-rr`, `balance-xor`, `broadcast`, `balance-tlb` or `balance-alb`.
    pub mode: String,
    /// Adapters, 1 to 8; each belongs to one bond, and has no addresses of its own.
    pub members: Vec<String>,
    /// Milliseconds between two looks at the members' links: 10 to 10000; 100 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub miimon_milliseconds: Option<i64>,
    /// With `802.3ad`: how often the switch is asked to speak: `slow` (30 s; also where none is given) or `fast` (1 s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacp_rate: Option<String>,
}

/// A VLAN (IEEE 802.1Q).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VlanDocument {
    /// Unique name of at most 15 characters, for example `bond0.100`.
    pub name: String,
    /// The adapter or bond on which it lies.
    pub link: String,
    /// 1 to 4094; once on each link.
    pub id: i64,
}

/// The way to a network that is not near.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteDocument {
    /// IPv4 or IPv6 network, for example `10.0.0.0/8`; each once.
    pub destination: String,
    /// Router in a network of an interface.
    pub gateway: String,
    /// The interface to that router; found by its address where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
}

/// A named health check. Which fields a type takes is said in `validate/checks.rs`; a field that has no meaning
/// for the type is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckDocument {
    /// Unique name.
    pub label: String,
    /// `dicom-c-echo`, `tcp`, `tls`, `http`, `https`, `send-expect`, `ping`, `always-on` or `always-off`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Port to check; the server's where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Our AE title; for `dicom-c-echo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calling_ae_title: Option<String>,
    /// The server's AE title; for `dicom-c-echo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called_ae_title: Option<String>,
    /// Speak over TLS; for `dicom-c-echo` and `send-expect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// `none` (also where nothing is given), `system` (the usual certificate authorities), or certificates in PEM:
    /// the server's own or that of its authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_verify: Option<String>,
    /// The name that the server's certificate must hold; its address where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// For `http` and `https`; `/` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Host header for `http` and `https`; the server's address where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// List and ranges for `http` and `https`; `200-399` where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_status: Option<String>,
    /// Text that the page must hold, with the escapes of `send`; for `http` and `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_body: Option<String>,
    /// Bytes to send, with `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`; for `send-expect`; nothing where none are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// Bytes that the answer must hold, with the same escapes; for `send-expect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// Seconds between two starts; 5 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<i64>,
    /// The same after a first failure, until the server is out; 2, or the interval if that is less, where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_interval_seconds: Option<i64>,
    /// Seconds for the whole check; 3 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
    /// Passed checks that bring a server back; 2 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rise: Option<i64>,
    /// Failed checks that take a server out; 2 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fall: Option<i64>,
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VirtualServiceDocument {
    /// Unique name.
    pub label: String,
    /// IPv4 or IPv6 addresses; at least one.
    pub addresses: Vec<String>,
    /// List and ranges, for example `2001,2003-2005`.
    pub ports: String,
    /// False switches the service off: its addresses go, its servers are no longer asked for it. On where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `tcp` (also where none is given), `udp` or `tcp+udp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Who moves the bytes. `snat` (also where none is given): the kernel, which translates addresses; established
    /// connections go on when lbd ends. `proxy`: lbd itself, for TCP; it accepts each connection and tries the next server
    /// when one refuses or does not answer, so that no client meets a server that has just died; but its connections end
    /// with lbd (an update, a restart), its persistence entries too, and it moves fewer bytes and connections a second.
    /// Connections that are open when this is changed go on as they began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding_method: Option<String>,
    /// Interface of the virtual addresses; found by their subnets where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// `auto` (also where none is given), `virtual-address` or `interface`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snat_source: Option<String>,
    /// Addresses and ranges of them, for example `192.168.10.120-192.168.10.127`, at most 64: servers on whose network
    /// they lie see one of these, chosen by the client's address, instead of what `snat_source` says. Each brings 64,512
    /// source ports towards each port of a server. The appliance takes them as it takes virtual addresses; they must be
    /// free. Services may share them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snat_pool: Vec<String>,
    /// What clients meet when no server is left: `refuse` (also where none is given), `dicom-reject` or `http-page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The page of `fallback = "http-page"`, shown with status 503: HTML, or plain text where it does not begin with `<`;
    /// at most 65536 bytes. A page of lbd's own, which explains, where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_page: Option<String>,
    /// A server that gets new connections while no real server takes any: `192.168.10.120:2001`, `[fd00::120]:2001`, or
    /// an address alone, which means the port that the client asked for. It is not checked, and persistence does not
    /// learn it: as soon as a real server is back, new connections go there. Clients of the other family meet `fallback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_server: Option<String>,
    /// `reset` (also where none is given) or `keep`: what becomes of the connections of a server that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_server_failure: Option<String>,
    /// Label of a health check.
    pub health_check: String,
    /// `weighted-least-connections` (also where none is given), `weighted-round-robin` or `source-hash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// Seconds in which a server that has come (back) grows into its share of new clients; 0, also where none is given:
    /// it has its whole share at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start_seconds: Option<i64>,
    /// Seconds after which a connection without a packet is forgotten, for connections that begin from then on: 5 to
    /// 432000. 0, also where none is given: as long as the kernel keeps them (TCP 5 days, UDP 30 s to 2 minutes). The
    /// kernel's fast path (flowtable) knows one time-out for all: services with one of their own do not use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<i64>,
    /// Source-IP persistence; on with 300 s where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<PersistenceDocument>,
    /// Mails about this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<ServiceAlertsDocument>,
    /// Clients that always get a certain server while it takes new ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pin: Vec<PinDocument>,
    /// At least one.
    #[serde(default)]
    pub real_server: Vec<RealServerDocument>,
}

impl VirtualServiceDocument {
    /// Whether lbd forwards it, as far as the document is valid.
    pub fn is_proxied(&self) -> bool {
        self.forwarding_method.as_deref() == Some("proxy")
    }
}

/// Source-IP persistence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersistenceDocument {
    /// On where nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Seconds after a client's last new connection; 300 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
    /// IPv4 clients whose addresses agree in so many bits count as one: 8 to 32; 32, each for itself, where none is
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_prefix_length: Option<i64>,
    /// The same for IPv6: 32 to 128; 128 where none is given. (All modalities of a hospital usually share one /64: as
    /// one client they would all meet one server.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_prefix_length: Option<i64>,
}

/// A client, or a network of them, that always gets the same server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinDocument {
    /// Address or network, for example `192.168.10.50` or `10.1.0.0/16`; unique. Where networks lie within each other,
    /// the smallest counts.
    pub client: String,
    /// Label of a real server of this service. While it takes no new connections, the client gets another one.
    pub server: String,
}

/// A real server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RealServerDocument {
    /// Unique within its service.
    pub label: String,
    /// IPv4 or IPv6 address.
    pub address: String,
    /// Port; the one that the client asked for where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// 0 to 256; 100 where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// Open connections of this service from which on the server takes no new ones, not even of clients that know it;
    /// 0, also where none is given: no limit. They are counted four times a second: a burst between two counts may
    /// go beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_connections: Option<i64>,
    /// Open connections down to which a full server must come before it takes new ones again; three quarters of the
    /// maximum where 0 or none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_connections: Option<i64>,
    /// `online` (also where none is given), `drain` or `halt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl Document {
    /// Reads a document. Errors name the place in the text, or the field, and the remedy.
    pub fn parse(text: &str, format: Format) -> Result<Self, Vec<Problem>> {
        if text.len() > LARGEST_DOCUMENT {
            return Err(vec![Problem {
                field: "document".into(),
                problem: format!("{} bytes are more than the {LARGEST_DOCUMENT} allowed", text.len()),
                remedy: "remove what is not needed".into(),
            }]);
        }
        match format {
            Format::Toml => parse_toml(text),
            Format::Json => parse_json(text),
        }
        .map(Self::in_present_form)
        .map_err(|problem| vec![problem])
    }

    /// NTP servers once stood in `[network]`.
    fn in_present_form(mut self) -> Self {
        let earlier = self.network.as_mut().map(|network| std::mem::take(&mut network.ntp_servers));
        if let Some(servers) = earlier.filter(|servers| !servers.is_empty()) {
            let time = self.time.get_or_insert_default();
            if time.ntp_servers.is_empty() {
                time.ntp_servers = servers;
            }
        }
        self
    }

    /// The document as TOML, as it is stored.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a document has string keys and plain values only")
    }
}

fn parse_toml(text: &str) -> Result<Document, Problem> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| toml_syntax(text, &error))?;
    serde_path_to_error::deserialize(deserializer)
        .map_err(|error| wrong_shape(&error.path().to_string(), error.inner().message()))
}

fn toml_syntax(text: &str, error: &toml::de::Error) -> Problem {
    let offset = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    Problem {
        field: format!("line {line}"),
        problem: format!("not valid TOML: {}", error.message().replace('\n', ", ")),
        remedy: "correct that line; text values stand in quotation marks, each key stands once".into(),
    }
}

/// JSON text as any type; the error names the field.
pub(crate) fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let document = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        match inner.classify() {
            serde_json::error::Category::Data => wrong_shape(&path, &inner.to_string()),
            _ => json_syntax(inner),
        }
    })?;
    deserializer.end().map_err(|error| json_syntax(&error))?;
    Ok(document)
}

fn json_syntax(error: &serde_json::Error) -> Problem {
    Problem {
        field: format!("line {}", error.line()),
        problem: format!("not valid JSON: {error}"),
        remedy: "correct that line".into(),
    }
}

/// What serde says of a value that does not fit, in our own terms.
fn wrong_shape(path: &str, message: &str) -> Problem {
    let message = message.trim_end();
    let at = if path == "." { "" } else { path };
    // A missing field is reported at the table that lacks it; an unknown one at itself or at its table.
    let named = message.split('`').nth(1).unwrap_or_default();
    let beside = |name: &str| match at {
        "" => name.to_owned(),
        at if at.rsplit('.').next() == Some(name) => at.to_owned(),
        at => format!("{at}.{name}"),
    };
    let (field, remedy) = if message.starts_with("missing field") {
        (beside(named), "add this field".to_owned())
    } else if message.starts_with("unknown field") {
        (beside(&shortened(named)), "remove it, or correct its spelling".to_owned())
    } else if at.is_empty() {
        ("document".to_owned(), "write a value of the type that is expected".to_owned())
    } else {
        (at.to_owned(), "write a value of the type that is expected".to_owned())
    };
    // A path holds the keys of the document, as long as they may be.
    Problem { field: first_line(&field), problem: first_line(message), remedy }
}

fn shortened(name: &str) -> String {
    quoted(name).trim_matches('"').to_owned()
}

/// An error text stays readable whatever the document holds.
fn first_line(message: &str) -> String {
    const LONGEST: usize = 300;
    message.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
