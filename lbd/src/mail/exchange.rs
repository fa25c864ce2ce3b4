//! Which servers take mail for a domain (RFC 5321 section 5.1), and where they are.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use super::queue::Outcome;

/// Servers that are tried for one letter: nobody has more that differ.
const MOST_SERVERS: usize = 8;
/// For one question, with its repetitions.
const PATIENCE: Duration = Duration::from_secs(5);

/// Finds servers.
#[derive(Debug)]
pub struct Finder(TokioResolver);

/// A server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, or its address where it has none.
    pub name: String,
    /// Where it is.
    pub address: IpAddr,
}

/// What the name servers say of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchanges {
    /// These take its mail, the preferred ones first; names without the dot at the end.
    Named(Vec<String>),
    /// It takes no mail (RFC 7505).
    None,
}

impl Finder {
    /// Asks these name servers; those of the system where there are none. The error is for people.
    pub fn new(dns_servers: &[Ipv4Addr]) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("there are no DNS servers to ask: {error}");
        let builder = match dns_servers {
            [] => TokioResolver::builder_tokio().map_err(|error| failed(&error))?,
            servers => {
                let servers = servers.iter().map(|address| NameServerConfig::udp_and_tcp((*address).into()));
                let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let mut builder = builder;
        let options = builder.options_mut();
        (options.timeout, options.attempts) = (PATIENCE, 2);
        // Mail is rare, and what DNS says now counts.
        options.cache_size = 0;
        builder.build().map(Self).map_err(|error| failed(&error))
    }

    /// The servers that take mail for `domain`, in the order in which they are to be tried. Without an MX the domain
    /// itself is its server.
    pub async fn of_domain(&self, domain: &str) -> Result<Vec<Server>, Outcome> {
        let names = match self.0.mx_lookup(format!("{domain}.")).await {
            Ok(lookup) => {
                let answers = lookup.answers().iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some((mx.preference, mx.exchange.to_ascii())),
                    _ => None,
                });
                order(answers.collect())
            }
            Err(error) if error.is_no_records_found() && !error.is_nx_domain() => {
                Exchanges::Named(Vec::new())
            }
            Err(error) if error.is_nx_domain() => {
                return Err(Outcome::Later(format!(
                    "there is no domain {domain}, say the DNS servers; correct the destination or the DNS servers"
                )));
            }
            Err(error) => {
                return Err(Outcome::Later(format!(
                    "the DNS servers do not say which mail servers {domain} has: {error}"
                )));
            }
        };
        let names = match names {
            Exchanges::None => {
                return Err(Outcome::Never(format!(
                    "{domain} takes no mail (its MX record says so, RFC 7505)"
                )));
            }
            Exchanges::Named(names) if names.is_empty() => vec![domain.to_owned()],
            Exchanges::Named(names) => names,
        };
        let mut servers = Vec::new();
        let mut last = String::new();
        for name in names.iter().take(MOST_SERVERS) {
            match self.of_host("mail server", name).await {
                Ok(found) => servers.extend(found),
                Err(why) => last = why,
            }
        }
        servers.truncate(MOST_SERVERS);
        if servers.is_empty() { Err(Outcome::Later(last)) } else { Ok(servers) }
    }

    /// The addresses of a host, which is a `kind` of server. The error is for people.
    pub async fn of_host(&self, kind: &str, host: &str) -> Result<Vec<Server>, String> {
        if let Ok(address) = host.parse() {
            return Ok(vec![Server { name: host.to_owned(), address }]);
        }
        let found = self.0.lookup_ip(format!("{host}.")).await;
        let found = found.map_err(|error| match error.is_nx_domain() || error.is_no_records_found() {
            true => format!("the {kind} {host} has no address, say the DNS servers"),
            false => format!("the DNS servers do not say where the {kind} {host} is: {error}"),
        })?;
        let servers: Vec<_> = found.iter().map(|address| Server { name: host.to_owned(), address }).collect();
        if servers.is_empty() { Err(format!("the {kind} {host} has no address")) } else { Ok(servers) }
    }
}

/// By preference; equal ones by name, so that the order is always the same.
fn order(mut answers: Vec<(u16, String)>) -> Exchanges {
    if let [(_, only)] = answers.as_slice()
        && only == "."
    {
        return Exchanges::None;
    }
    answers.sort();
    let names = answers.into_iter().map(|(_, name)| name.trim_end_matches('.').to_owned());
    Exchanges::Named(names.filter(|name| !name.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_tried_by_preference_and_who_wants_no_mail_gets_none() {
        let named = |names: &[&str]| Exchanges::Named(names.iter().map(|name| (*name).to_owned()).collect());
        let answers = |list: &[(u16, &str)]| list.iter().map(|(p, name)| (*p, (*name).to_owned())).collect();
        assert_eq!(order(answers(&[(20, "b."), (10, "c."), (10, "a.")])), named(&["a", "c", "b"]));
        assert_eq!(order(answers(&[(0, ".")])), Exchanges::None);
        assert_eq!(order(answers(&[(0, "."), (1, "a.")])), named(&["a"]));
        assert_eq!(order(Vec::new()), named(&[]));
    }
}
