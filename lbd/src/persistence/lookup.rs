//! Lists persistence entries and clears them, whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::wire::{self, Entry, Key, Map};
use crate::config::Document;
use crate::config::document::{PinDocument, VirtualServiceDocument};
use crate::conntrack::names::Names;
use crate::conntrack::socket::Table;
use crate::conntrack::wire::Message;
use crate::network::topology::{Family, Network};
use crate::proxy::Proxy;
use crate::traffic::nft;

/// The longest list that is given.
pub const LONGEST: usize = 1_000;
/// For looking through whole maps. The kernel walks from the beginning for each part of an answer: measured on a busy
/// machine, 10,000 entries take it 7 ms, 100,000 0.7 s, 300,000 8 s.
const LOOK: Duration = Duration::from_secs(5);
/// Who asks meanwhile waits so long at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which entries are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of the service with this label.
    pub service: Option<String>,
    /// That this client uses.
    pub client: Option<IpAddr>,
    /// So many at most.
    pub limit: usize,
}

/// A client and the server that it is led to again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryView {
    /// Label of the service; empty where it has left the configuration.
    pub service: String,
    /// The client's address, or the network whose clients count as one.
    pub client: String,
    /// Label of the server; empty where it has left the configuration.
    pub server: String,
    /// The configuration says so (`pin`): it lasts, and cannot be cleared.
    pub pinned: bool,
    /// Seconds after the client's last new connection for which it is remembered; `None` for a pinned one.
    pub timeout_seconds: Option<u64>,
    /// Seconds for which it still is.
    pub seconds_left: Option<u64>,
}

/// Entries, and whether these are all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryList {
    /// In the order of services and clients: the first of all that are wanted.
    pub entries: Vec<EntryView>,
    /// So many are wanted.
    pub total: u64,
    /// So many are given at most.
    pub limit: usize,
    /// False where the kernel has so many that there was no time to look at all: there are more than `total`, and earlier
    /// ones may be missing. Ask for a client: that is found at once.
    pub is_complete: bool,
}

/// Why an entry was not cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotCleared {
    /// There is none.
    Missing,
    /// The configuration ties the client to a server, in a sentence.
    Pinned(String),
    /// The kernel did not do it.
    Failed(String),
}

/// The way to persistence entries. One question at a time, so that many of them cost no more than one.
#[derive(Debug, Clone)]
pub struct Persistence {
    names: watch::Receiver<Names>,
    proxy: Proxy,
    turn: Arc<Semaphore>,
}

impl Persistence {
    /// With the names of servers, and the proxy, which remembers clients itself.
    pub fn new(names: watch::Receiver<Names>, proxy: Proxy) -> Self {
        Self { names, proxy, turn: Arc::new(Semaphore::new(1)) }
    }

    /// What is wanted of what the kernel has, and of the pins in `document`. Errors are for people.
    pub async fn list(&self, document: &Document, wanted: &Wanted) -> Result<EntryList, String> {
        let names = self.names.borrow().clone();
        let _turn = self.turn().await?;
        let services = document.virtual_service.iter();
        let services: Vec<_> = services
            .filter(|known| wanted.service.as_ref().is_none_or(|wanted| *wanted == known.label))
            .collect();
        let mut found = Found::new(wanted.limit);
        services.iter().for_each(|service| found.add_pins(service, wanted.client));
        let by_label = services.iter().map(|service| (service.label.as_str(), *service)).collect();
        let all = wanted.service.is_none();
        let look = Look { services: &services, names: &names, proxy: &self.proxy, by_label, all };
        let looked = match wanted.client {
            Some(client) => tokio::time::timeout(LOOK, look.for_client(client, &mut found)).await,
            None => tokio::time::timeout(LOOK, look.at_all(&mut found)).await,
        };
        match looked {
            Ok(result) => result?,
            Err(_) => found.is_complete = false,
        }
        Ok(found.list())
    }

    /// Makes the kernel forget which server a client of a service had; returns the entry as it was. Open connections go
    /// on; the next new one is a stranger's.
    pub async fn clear(
        &self,
        document: &Document,
        service: &str,
        client: IpAddr,
    ) -> Result<EntryView, NotCleared> {
        let names = self.names.borrow().clone();
        let _turn = self.turn().await.map_err(NotCleared::Failed)?;
        let known = document.virtual_service.iter().find(|known| known.label == service);
        let known = known.ok_or(NotCleared::Missing)?;
        let failed = |error: &dyn std::fmt::Display| NotCleared::Failed(error.to_string());
        let mut cleared = None;
        for key in keys(known, &names, client) {
            if known.is_proxied() {
                cleared = cleared.or(self.proxy.forget(key).map(|entry| view(&entry, Some(known), &names)));
                continue;
            }
            let entry = get(key).await.map_err(NotCleared::Failed)?;
            let Some(entry) = entry else { continue };
            if nft::delete_element(&key.map().name(), &key.text()).await.map_err(|error| failed(&error))? {
                cleared.get_or_insert_with(|| view(&entry, Some(known), &names));
            }
        }
        cleared.ok_or_else(|| match known.pin.iter().find(|pin| concerns(pin, client)) {
            Some(pin) => NotCleared::Pinned(format!(
                "{} of {service} is pinned to {} by the configuration: remove the pin there",
                pin.client, pin.server
            )),
            None => NotCleared::Missing,
        })
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, String> {
        match tokio::time::timeout(PATIENCE, self.turn.acquire()).await {
            Ok(turn) => turn.map_err(|closed| closed.to_string()),
            Err(_) => Err("others look at the persistence entries at the moment".to_owned()),
        }
    }
}

async fn get(key: Key) -> Result<Option<Entry>, String> {
    let mut kernel = Table::open().map_err(|error| error.to_string())?;
    let mut found = None;
    let request = wire::get(kernel.next(), key);
    let part = |message: &Message<'_>| {
        found = wire::entries(message, key.map()).find(|entry| entry.key == key).or(found);
    };
    kernel.ask("reading a persistence entry", &request, part).await.map_err(|error| error.to_string())?;
    Ok(found)
}

/// One look through the kernel's maps.
struct Look<'a> {
    services: &'a [&'a VirtualServiceDocument],
    names: &'a Names,
    proxy: &'a Proxy,
    by_label: BTreeMap<&'a str, &'a VirtualServiceDocument>,
    /// Also entries of services that have gone.
    all: bool,
}

impl Look<'_> {
    async fn for_client(&self, client: IpAddr, found: &mut Found) -> Result<(), String> {
        for service in self.services {
            for key in keys(service, self.names, client) {
                let entry = match service.is_proxied() {
                    true => self.proxy.remembers(key),
                    false => get(key).await?,
                };
                if let Some(entry) = entry {
                    found.add(self.view(&entry), entry.key.client);
                }
            }
        }
        Ok(())
    }

    async fn at_all(&self, found: &mut Found) -> Result<(), String> {
        let mut kernel = Table::open().map_err(|error| error.to_string())?;
        let numbers = |service: &&&VirtualServiceDocument| self.names.numbers(&service.label);
        let wanted: BTreeSet<u32> = self.services.iter().flat_map(|service| numbers(&service)).collect();
        // What the kernel learnt before a service was proxied is not used.
        let proxied: BTreeSet<u32> =
            self.services.iter().filter(|it| it.is_proxied()).flat_map(|service| numbers(&service)).collect();
        let of_proxy = self.proxy.remembered();
        for entry in of_proxy.iter().filter(|entry| proxied.contains(&entry.key.service)) {
            found.add(self.view(entry), entry.key.client);
        }
        let ipv6 = self.services.iter().filter(|service| is_reached_by(service, Family::Ipv6));
        let ipv6: Vec<_> = ipv6.flat_map(|service| numbers(&service)).map(Map::Ipv6).collect();
        for map in std::iter::once(Map::Ipv4).chain(ipv6) {
            let request = wire::dump(kernel.next(), map);
            let take = |message: &Message<'_>| {
                found.is_complete &= !message.is_interrupted();
                let entries = wire::entries(message, map);
                let is_wanted =
                    |service: &u32| (self.all || wanted.contains(service)) && !proxied.contains(service);
                for entry in entries.filter(|entry| is_wanted(&entry.key.service)) {
                    found.add(self.view(&entry), entry.key.client);
                }
            };
            let listed = kernel.ask("listing persistence entries", &request, take).await;
            listed.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn view(&self, entry: &Entry) -> EntryView {
        let name = self.names.get(entry.server);
        let service = name.and_then(|name| self.by_label.get(name.service.as_str()).copied());
        view(entry, service, self.names)
    }
}

fn view(entry: &Entry, service: Option<&VirtualServiceDocument>, names: &Names) -> EntryView {
    let name = names.get(entry.server);
    let client = entry.key.client;
    let network = service.map(|service| network(service, client)).filter(|network| {
        // One that was learned under another prefix length is shown as it stands.
        network.prefix < Family::of(client).host_prefix() && network.base() == client
    });
    EntryView {
        service: name.map(|name| name.service.clone()).unwrap_or_default(),
        client: network.map_or_else(|| client.to_string(), |network| network.to_string()),
        server: name.map(|name| name.server.clone()).unwrap_or_default(),
        pinned: false,
        timeout_seconds: Some(entry.timeout.as_secs()),
        seconds_left: Some(entry.left.as_secs()),
    }
}

/// The clients that count as one with this one.
fn network(service: &VirtualServiceDocument, client: IpAddr) -> Network {
    let family = Family::of(client);
    let persistence = service.persistence.as_ref();
    let length = persistence.and_then(|persistence| match family {
        Family::Ipv4 => persistence.ipv4_prefix_length,
        Family::Ipv6 => persistence.ipv6_prefix_length,
    });
    let prefix = length.and_then(|length| u8::try_from(length).ok()).unwrap_or(family.host_prefix());
    Network { address: client, prefix }
}

/// Where an entry for a client may stand: under the network that it belongs to, or by itself, where it was learned when
/// networks did not count as one.
fn keys(service: &VirtualServiceDocument, names: &Names, client: IpAddr) -> BTreeSet<Key> {
    let numbers = names.numbers(&service.label);
    let clients = [network(service, client).base(), client];
    let keys = numbers.iter().flat_map(|service| clients.map(|client| Key { service: *service, client }));
    keys.collect()
}

fn is_reached_by(service: &VirtualServiceDocument, family: Family) -> bool {
    let mut addresses = service.addresses.iter().filter_map(|address| address.parse().ok());
    addresses.any(|address: IpAddr| Family::of(address) == family)
}

fn concerns(pin: &PinDocument, client: IpAddr) -> bool {
    pinned(pin).is_some_and(|network| network.contains(client))
}

/// The clients of a pin, which is known to be valid.
fn pinned(pin: &PinDocument) -> Option<Network> {
    let (address, prefix) = pin.client.split_once('/').unwrap_or((&pin.client, ""));
    let address = address.parse().ok()?;
    let prefix = prefix.parse().unwrap_or(Family::of(address).host_prefix());
    Some(Network { address, prefix })
}

/// The first of what is wanted, and how much there is of it.
struct Found {
    entries: BTreeMap<(String, bool, IpAddr), EntryView>,
    total: u64,
    limit: usize,
    is_complete: bool,
}

impl Found {
    fn new(limit: usize) -> Self {
        Self { entries: BTreeMap::new(), total: 0, limit, is_complete: true }
    }

    fn add(&mut self, view: EntryView, client: IpAddr) {
        self.total += 1;
        // Pins come first.
        self.entries.insert((view.service.clone(), !view.pinned, client), view);
        if self.entries.len() > self.limit {
            self.entries.pop_last();
        }
    }

    fn add_pins(&mut self, service: &VirtualServiceDocument, client: Option<IpAddr>) {
        for pin in service.pin.iter().filter(|pin| client.is_none_or(|client| concerns(pin, client))) {
            let Some(network) = pinned(pin) else { continue };
            let view = EntryView {
                service: service.label.clone(),
                client: pin.client.clone(),
                server: pin.server.clone(),
                pinned: true,
                timeout_seconds: None,
                seconds_left: None,
            };
            self.add(view, network.address);
        }
    }

    fn list(self) -> EntryList {
        let Self { entries, total, limit, is_complete } = self;
        EntryList { entries: entries.into_values().collect(), total, limit, is_complete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;
    use crate::config::document::PersistenceDocument;
    use crate::conntrack::names::ServerName;

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    fn service() -> VirtualServiceDocument {
        let mut service = Document::parse(EXAMPLE, Format::Toml).unwrap().virtual_service.remove(0);
        let pin = |client: &str| PinDocument { client: client.into(), server: "DATALINK_POOL1_NODE1".into() };
        service.pin = vec![pin("10.1.0.0/16"), pin("10.2.0.1")];
        service
    }

    fn names() -> Names {
        let name = ServerName { service: "DATALINK_POOL1".into(), server: "DATALINK_POOL1_NODE2".into() };
        Names::from_iter([(0x0002_0002, name)])
    }

    fn entry(client: [u8; 4]) -> Entry {
        let second = Duration::from_secs(1);
        let key = Key { service: 2, client: client.into() };
        Entry { key, server: 0x0002_0002, timeout: 300 * second, left: 20 * second }
    }

    #[test]
    fn a_network_that_counts_as_one_is_told_as_such_and_found_by_each_of_its_clients() {
        let mut service = service();
        let shown =
            |service: &VirtualServiceDocument, client| view(&entry(client), Some(service), &names()).client;
        assert_eq!(shown(&service, [192, 0, 2, 0]), "192.0.2.0");
        service.persistence =
            Some(PersistenceDocument { ipv4_prefix_length: Some(24), ..PersistenceDocument::default() });
        assert_eq!(shown(&service, [192, 0, 2, 0]), "192.0.2.0/24");
        assert_eq!(shown(&service, [192, 0, 2, 7]), "192.0.2.7", "learned when each counted for itself");
        let client = IpAddr::from([192, 0, 2, 7]);
        let found: Vec<_> = keys(&service, &names(), client).into_iter().map(|key| key.text()).collect();
        assert_eq!(found, ["0x00020000 . 192.0.2.0", "0x00020000 . 192.0.2.7"]);
    }

    #[test]
    fn a_list_has_the_first_entries_and_says_how_many_there_are() {
        let mut found = Found::new(3);
        found.add_pins(&service(), None);
        for last in (1..=9).rev() {
            let entry = entry([192, 0, 2, last]);
            found.add(view(&entry, Some(&service()), &names()), entry.key.client);
        }
        let list = found.list();
        let clients: Vec<_> = list.entries.iter().map(|entry| entry.client.as_str()).collect();
        assert_eq!((list.total, clients), (11, vec!["10.1.0.0/16", "10.2.0.1", "192.0.2.1"]));
        let last = &list.entries[2];
        assert_eq!((last.server.as_str(), last.pinned), ("DATALINK_POOL1_NODE2", false));
        assert_eq!((last.timeout_seconds, last.seconds_left), (Some(300), Some(20)));
    }

    #[test]
    fn a_client_finds_the_pins_that_concern_it() {
        let clients = |client: [u8; 4]| {
            let mut found = Found::new(10);
            found.add_pins(&service(), Some(client.into()));
            found.list().entries.into_iter().map(|entry| entry.client).collect::<Vec<_>>()
        };
        assert_eq!(clients([10, 1, 7, 7]), ["10.1.0.0/16"]);
        assert_eq!(clients([10, 2, 0, 1]), ["10.2.0.1"]);
        assert_eq!(clients([10, 2, 0, 2]), Vec::<String>::new());
    }
}
