//! Configurations for stories: the shipped example, pools made by the story, and edits of either.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use crate::peers::root;

/// A configuration document as an administrator writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config(String);

impl Config {
    /// The shipped example: `examples/datalink.toml`, byte by byte.
    pub fn datalink() -> Self {
        let path = root().join("examples/datalink.toml");
        Self(std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// An appliance managed on `eth0` at `management`, with these pools.
    pub fn with_pools<'a>(management: Ipv4Addr, pools: impl IntoIterator<Item = &'a Pool>) -> Self {
        let head = format!(
            "schema = 1\n[management]\ninterface = \"eth0\"\naddress = \"{management}\"\nhttps_port = 9443\n"
        );
        Self(pools.into_iter().fold(head, |text, pool| text + &pool.to_toml()))
    }

    /// The same, with these addresses set by lbd, which the appliance has nobody else to do.
    #[must_use]
    pub fn with_network(&self, arms: &[(String, Ipv4Addr)], gateway: Option<Ipv4Addr>) -> Self {
        let gateway = gateway.map(|address| format!("default_gateway = \"{address}\"\n")).unwrap_or_default();
        let arm = |(name, address): &(String, Ipv4Addr)| {
            format!("\n[[network.interface]]\nname = \"{name}\"\naddresses = [\"{address}/24\"]\n")
        };
        Self(self.0.clone() + "\n[network]\n" + &gateway + &arms.iter().map(arm).collect::<String>())
    }

    /// The same with the first `old` replaced by `new`.
    ///
    /// # Panics
    /// When `old` does not occur, because the story would then test nothing.
    pub fn replacing(&self, old: &str, new: &str) -> Self {
        assert!(self.0.contains(old), "{old:?} does not occur in:\n{}", self.0);
        Self(self.0.replacen(old, new, 1))
    }

    /// The same with every `old` replaced by `new`.
    ///
    /// # Panics
    /// When `old` does not occur.
    pub fn replacing_all(&self, old: &str, new: &str) -> Self {
        assert!(self.0.contains(old), "{old:?} does not occur in:\n{}", self.0);
        Self(self.0.replace(old, new))
    }

    /// The same with `text` at its end.
    pub fn followed_by(&self, text: &str) -> Self {
        Self(format!("{}{text}", self.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A virtual service with its servers and its own health check.
#[derive(Debug, Clone)]
pub struct Pool {
    label: String,
    addresses: Vec<IpAddr>,
    ports: String,
    persistence: Option<u32>,
    snat_source: String,
    called: Option<String>,
    check_fields: Option<String>,
    interval: u32,
    timeout: u32,
    rise: u8,
    fall: u8,
    server_port: Option<u16>,
    fallback: String,
    on_server_failure: Option<&'static str>,
    more: String,
    servers: Vec<(String, IpAddr, u16)>,
}

impl Pool {
    /// Port 2001, TCP checks each second, rise 2, fall 2; servers are (label, address, weight).
    pub fn new(label: &str, address: Ipv4Addr, servers: Vec<(String, Ipv4Addr, u16)>) -> Self {
        Self {
            label: label.into(),
            addresses: vec![address.into()],
            ports: "2001".into(),
            persistence: Some(300),
            snat_source: "auto".into(),
            called: None,
            check_fields: None,
            interval: 1,
            timeout: 1,
            rise: 2,
            fall: 2,
            server_port: None,
            fallback: "refuse".into(),
            on_server_failure: None,
            more: String::new(),
            servers: servers
                .into_iter()
                .map(|(label, address, weight)| (label, address.into(), weight))
                .collect(),
        }
    }

    /// With this name and virtual address.
    #[must_use]
    pub fn named(mut self, label: &str, address: Ipv4Addr) -> Self {
        (self.label, self.addresses) = (label.into(), vec![address.into()]);
        self
    }

    /// Reached at these addresses.
    #[must_use]
    pub fn at(mut self, addresses: &[IpAddr]) -> Self {
        self.addresses = addresses.to_vec();
        self
    }

    /// With none of its servers, to be given others.
    #[must_use]
    pub fn without_servers(mut self) -> Self {
        self.servers.clear();
        self
    }

    /// With one more server, of weight 100.
    #[must_use]
    pub fn server(mut self, label: &str, address: impl Into<IpAddr>) -> Self {
        self.servers.push((label.into(), address.into(), 100));
        self
    }

    /// On these ports.
    #[must_use]
    pub fn ports(mut self, ports: &str) -> Self {
        self.ports = ports.into();
        self
    }

    /// A client keeps its server for so many seconds after its last connection; `None`: not at all.
    #[must_use]
    pub fn persistence(mut self, seconds: Option<u32>) -> Self {
        self.persistence = seconds;
        self
    }

    /// Checked by a C-ECHO to this AE title instead of a TCP connection.
    #[must_use]
    pub fn echo_check(mut self, called: &str) -> Self {
        self.called = Some(called.into());
        self
    }

    /// Checked as these lines of a health check say, which begin with its type.
    #[must_use]
    pub fn checked_by(mut self, fields: &str) -> Self {
        self.check_fields = Some(fields.into());
        self
    }

    /// Checked every `interval` seconds, each check taking `timeout` seconds at most.
    #[must_use]
    pub fn check_every(mut self, interval: u32, timeout: u32) -> Self {
        (self.interval, self.timeout) = (interval, timeout);
        self
    }

    /// Back after `rise` passed checks, out after `fall` failed ones.
    #[must_use]
    pub fn rise_fall(mut self, rise: u8, fall: u8) -> Self {
        (self.rise, self.fall) = (rise, fall);
        self
    }

    /// Servers are contacted on this port whatever the client asked for.
    #[must_use]
    pub fn server_port(mut self, port: u16) -> Self {
        self.server_port = Some(port);
        self
    }

    /// With this answer to clients while no server is left.
    #[must_use]
    pub fn fallback(mut self, choice: &str) -> Self {
        self.fallback = choice.into();
        self
    }

    /// With this choice of what becomes of a failed server's connections.
    #[must_use]
    pub fn on_server_failure(mut self, choice: &'static str) -> Self {
        self.on_server_failure = Some(choice);
        self
    }

    /// With one more line in the table of the service.
    #[must_use]
    pub fn with(mut self, line: &str) -> Self {
        self.more += line;
        self.more.push('\n');
        self
    }

    /// New clients go where few connections are.
    #[must_use]
    pub fn by_least_connections(self) -> Self {
        self.with("scheduler = \"weighted-least-connections\"")
    }

    /// Servers take turns, whatever connections there are.
    #[must_use]
    pub fn in_turn(self) -> Self {
        self.with("scheduler = \"weighted-round-robin\"")
    }

    /// With this choice of the source address that servers see.
    #[must_use]
    pub fn snat_source(mut self, choice: &str) -> Self {
        self.snat_source = choice.into();
        self
    }

    /// Gives the servers these weights, in their order; servers without a weight are left out.
    #[must_use]
    pub fn weights(mut self, weights: &[u16]) -> Self {
        self.servers.truncate(weights.len());
        for (server, weight) in self.servers.iter_mut().zip(weights) {
            server.2 = *weight;
        }
        self
    }

    fn to_toml(&self) -> String {
        let Self {
            label, addresses, ports, snat_source, fallback, interval, timeout, rise, fall, more, ..
        } = self;
        let kind = match (&self.check_fields, &self.called) {
            (Some(fields), _) => fields.clone(),
            (None, Some(called)) => format!(
                "type = \"dicom-c-echo\"\ncalling_ae_title = \"LOADBALANCER\"\ncalled_ae_title = \"{called}\""
            ),
            (None, None) => "type = \"tcp\"".into(),
        };
        let addresses: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
        let addresses = addresses.join(", ");
        let persistence = match self.persistence {
            Some(seconds) => format!("enabled = true\ntimeout_seconds = {seconds}"),
            None => "enabled = false".into(),
        };
        let on_failure = self
            .on_server_failure
            .map(|choice| format!("on_server_failure = \"{choice}\"\n"))
            .unwrap_or_default();
        let mut text = format!(
            "\n[[health_check]]\nlabel = \"{label}-check\"\n{kind}\ninterval_seconds = {interval}\n\
             timeout_seconds = {timeout}\nrise = {rise}\nfall = {fall}\n\
             \n[[virtual_service]]\nlabel = \"{label}\"\naddresses = [{addresses}]\nports = \"{ports}\"\n\
             protocol = \"tcp\"\nsnat_source = \"{snat_source}\"\nfallback = \"{fallback}\"\nhealth_check = \"{label}-check\"\n\
             {on_failure}{more}[virtual_service.persistence]\n{persistence}\n"
        );
        let port = self.server_port.map(|port| format!("port = {port}\n")).unwrap_or_default();
        for (label, address, weight) in &self.servers {
            let server = format!(
                "[[virtual_service.real_server]]\nlabel = \"{label}\"\naddress = \"{address}\"\n{port}weight = {weight}\n"
            );
            text.write_str(&server).expect("writing to a string");
        }
        text
    }
}
