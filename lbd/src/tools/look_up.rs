//! The DNS look-up: each configured server is asked, so that one that disagrees or is silent shows.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RecordType};

use super::Finding;

/// For one question to one server.
const PATIENCE: Duration = Duration::from_secs(2);
/// Servers that are asked; nobody configures more.
const MOST_SERVERS: usize = 4;
/// Records of one answer that are shown.
const MOST_RECORDS: usize = 32;

/// Server, type, answer, milliseconds; and whether it was an answer with records.
type Row = (bool, [String; 4]);

pub(super) async fn look_up(name: &str, dns_servers: &[Ipv4Addr]) -> Finding {
    let (name, kinds) = match question(name) {
        Ok(question) => question,
        Err(why) => return Finding::failed(why),
    };
    let servers: Vec<_> = match dns_servers {
        [] => vec![None],
        servers => servers.iter().take(MOST_SERVERS).copied().map(Some).collect(),
    };
    let rows = join_all(servers.into_iter().map(|server| ask(server, &name, kinds))).await.concat();
    let found = rows.iter().any(|(found, _)| *found);
    let outcome = match found {
        true => format!("{name} is known."),
        false => format!(
            "No DNS server knows {name}: correct the name, or the DNS servers on the page Hostname & DNS."
        ),
    };
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Finding::new(found, outcome, ["Server", "Type", "Answer", "Took (ms)"], rows)
}

/// Addresses of a name, names of an address.
fn question(text: &str) -> Result<(Name, &'static [RecordType]), String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok((Name::from(address), &[RecordType::PTR]));
    }
    let name = Name::from_ascii(format!("{}.", text.trim_end_matches('.')));
    let name = name.map_err(|error| format!("{text} is no name that DNS can have: {error}."))?;
    Ok((name, &[RecordType::A, RecordType::AAAA]))
}

async fn ask(server: Option<Ipv4Addr>, name: &Name, kinds: &[RecordType]) -> Vec<Row> {
    let called = server.map_or_else(|| "the system's".to_owned(), |address| address.to_string());
    let resolver = match resolver(server) {
        Ok(resolver) => resolver,
        Err(why) => return vec![(false, [called, String::new(), why, String::new()])],
    };
    let mut rows = Vec::new();
    for kind in kinds {
        let begin = Instant::now();
        let answer = resolver.lookup(name.clone(), *kind).await;
        let took = format!("{:.1}", begin.elapsed().as_secs_f64() * 1e3);
        let row = |found, kind: String, what| (found, [called.clone(), kind, what, took.clone()]);
        match answer {
            Ok(lookup) => rows.extend(
                (lookup.answers().iter().take(MOST_RECORDS))
                    .map(|record| row(true, record.record_type().to_string(), record.data.to_string())),
            ),
            Err(error) if error.is_nx_domain() => {
                rows.push(row(false, kind.to_string(), "no such name".into()))
            }
            Err(error) if error.is_no_records_found() => {
                rows.push(row(false, kind.to_string(), "no record of this type".into()));
            }
            Err(error) => rows.push(row(false, kind.to_string(), format!("no answer: {error}"))),
        }
    }
    rows
}

fn resolver(server: Option<Ipv4Addr>) -> Result<TokioResolver, String> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio().map_err(|error| error.to_string())?,
        Some(address) => {
            let servers = vec![NameServerConfig::udp_and_tcp(address.into())];
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    (options.timeout, options.attempts, options.cache_size) = (PATIENCE, 1, 0);
    builder.build().map_err(|error| error.to_string())
}
