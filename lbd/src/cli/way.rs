//! How the command line reaches lbd: over the socket on the same machine, or over HTTPS with a token.

use std::path::{Path, PathBuf};

use clap::Args;
use hyper::Uri;
use hyper::http::uri::Scheme;

use super::trust::{Fingerprint, Trust};

/// The WebUI's usual port.
const HTTPS_PORT: u16 = 9443;

/// How lbd is reached.
#[derive(Debug, Args)]
pub(super) struct Way {
    /// Socket of the running daemon
    #[arg(
        long,
        value_name = "SOCKET",
        default_value = "/var/lib/evenkeel/lbd.sock",
        conflicts_with = "url",
        global = true
    )]
    control_socket: PathBuf,
    /// An appliance elsewhere, for example https://192.168.10.10:9443
    #[arg(
        long,
        value_name = "URL",
        requires = "token_file",
        global = true,
        help_heading = "Over the network"
    )]
    url: Option<String>,
    /// File with an API token in its first line
    #[arg(long, value_name = "FILE", requires = "url", global = true, help_heading = "Over the network")]
    token_file: Option<PathBuf>,
    /// SHA-256 fingerprint of the only certificate to trust, as the WebUI shows it
    #[arg(
        long,
        value_name = "HEX",
        requires = "url",
        conflicts_with = "ca",
        global = true,
        help_heading = "Over the network"
    )]
    fingerprint: Option<Fingerprint>,
    /// File with certificates in PEM to trust instead of the system's: the appliance's own or its authority's
    #[arg(long, value_name = "FILE", requires = "url", global = true, help_heading = "Over the network")]
    ca: Option<PathBuf>,
}

/// Where requests go.
#[derive(Debug)]
pub(super) enum Destination<'a> {
    Socket(&'a Path),
    Https(Https),
}

/// An appliance elsewhere.
#[derive(Debug)]
pub(super) struct Https {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) token: String,
    pub(super) trust: Trust,
}

impl Way {
    /// Over this socket.
    pub(super) fn on_socket(control_socket: PathBuf) -> Self {
        Self { control_socket, url: None, token_file: None, fingerprint: None, ca: None }
    }

    /// Reads what the options name. The error is for people.
    pub(super) fn destination(&self) -> Result<Destination<'_>, String> {
        let (Some(url), Some(file)) = (&self.url, &self.token_file) else {
            return Ok(Destination::Socket(&self.control_socket));
        };
        let (host, port) = host_and_port(url)?;
        let token = read("--token-file", file)?.lines().next().unwrap_or_default().trim().to_owned();
        if token.is_empty() {
            return Err(format!(
                "--token-file {} is empty: write a token into its first line; `lbd token create` on the appliance makes one",
                file.display()
            ));
        }
        let trust = match (&self.fingerprint, &self.ca) {
            (Some(fingerprint), _) => Trust::Fingerprint(*fingerprint),
            (None, Some(file)) => Trust::certificates(&read("--ca", file)?)
                .map_err(|why| format!("--ca {} cannot be used: {why}", file.display()))?,
            (None, None) => Trust::System,
        };
        Ok(Destination::Https(Https { host, port, token, trust }))
    }
}

fn read(option: &str, file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| {
        format!("cannot read {option} {}: {error}; give a file that you may read", file.display())
    })
}

fn host_and_port(url: &str) -> Result<(String, u16), String> {
    let wrong = || format!("--url {url} is not understood: give for example https://192.168.10.10:9443");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let is_plain =
        uri.scheme() == Some(&Scheme::HTTPS) && matches!(uri.path(), "" | "/") && uri.query().is_none();
    let authority = uri.authority().filter(|authority| is_plain && !authority.as_str().contains('@'));
    let authority = authority.ok_or_else(wrong)?;
    Ok((authority.host().to_owned(), authority.port_u16().unwrap_or(HTTPS_PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_perhaps_a_port_and_nothing_else() {
        let found = |url: &str| host_and_port(url).ok();
        assert_eq!(found("https://192.0.2.1:8443"), Some(("192.0.2.1".into(), 8443)));
        assert_eq!(found("https://lb.example/"), Some(("lb.example".into(), 9443)));
        assert_eq!(found("https://[fd00::1]:9443"), Some(("[fd00::1]".into(), 9443)));
        for wrong in
            ["http://lb", "lb:9443", "https://", "https://a@b", "https://lb/api", "https://lb?x=1", ""]
        {
            assert_eq!(found(wrong), None, "{wrong}");
        }
    }
}
