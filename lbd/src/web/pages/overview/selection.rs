//! What of the services is shown, in which order, and which are open.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::config::Label;
use crate::view::{ServiceState, ServiceView, View};

/// So many services are shown with their servers without being asked.
const OPEN_ALL_UP_TO: usize = 20;
/// A page stays below 150 KB with the frame around it: of a large farm that is down as a whole, as many services show
/// their servers as there is room for, and the others say in a few words what is wrong.
const ROOM: usize = 138_000;
/// Bytes of a service and of a server, when much is to be said about them; measured, see the tests.
const SERVICE: usize = 620;
const SERVER: usize = 820;
/// Nobody opens more by hand; the address of the page stays short.
const MOST_NAMED: usize = 50;

/// The query of the page, as browsers send it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
    show: String,
    sort: String,
    open: String,
    closed: String,
    /// A service to open or close, by a button: `+` or `-` and its label.
    toggle: String,
}

impl Wish {
    /// Whether a button was used: the page that follows has an address without it.
    pub(super) fn is_button(&self) -> bool {
        !self.toggle.is_empty()
    }
}

/// Which services are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Show {
    /// All of them.
    #[default]
    All,
    /// Those that are not up.
    Trouble,
}

/// Their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sort {
    /// That of the configuration.
    #[default]
    Configured,
    /// The worst first.
    State,
    /// By label.
    Name,
}

/// What the reader chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Part of a label or an address.
    pub(super) text: String,
    /// Which services.
    pub(super) show: Show,
    /// In which order.
    pub(super) sort: Sort,
    open: BTreeSet<String>,
    closed: BTreeSet<String>,
}

/// A service as it is shown.
pub(super) struct Row<'a> {
    /// The service.
    pub(super) service: &'a ServiceView,
    /// Whether its servers are shown.
    pub(super) is_open: bool,
}

impl From<Wish> for Selection {
    fn from(wish: Wish) -> Self {
        let named = |list: &str| -> BTreeSet<String> {
            list.split(',').filter(|label| !label.is_empty()).take(MOST_NAMED).map(str::to_owned).collect()
        };
        let show = if wish.show == "trouble" { Show::Trouble } else { Show::All };
        let sort = match wish.sort.as_str() {
            "state" => Sort::State,
            "name" => Sort::Name,
            _ => Sort::Configured,
        };
        let text = wish.q.trim().chars().take(64).collect();
        let mut selection = Self { text, show, sort, open: named(&wish.open), closed: named(&wish.closed) };
        if let Some((sign @ ("+" | "-"), label)) = wish.toggle.split_at_checked(1)
            && Label::try_from(label).is_ok()
        {
            selection.toggle(label, sign == "+");
        }
        selection
    }
}

impl Selection {
    fn toggle(&mut self, label: &str, to_open: bool) {
        self.open.remove(label);
        self.closed.remove(label);
        let list = if to_open { &mut self.open } else { &mut self.closed };
        list.insert(label.to_owned());
    }

    /// For the hidden fields of the form.
    pub(super) fn open(&self) -> String {
        self.open.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }

    /// For the hidden fields of the form.
    pub(super) fn closed(&self) -> String {
        self.closed.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    }

    /// The address of the page that shows this.
    pub(super) fn address(&self) -> String {
        let show = if self.show == Show::Trouble { "trouble" } else { "" };
        let sort = match self.sort {
            Sort::Configured => "",
            Sort::State => "state",
            Sort::Name => "name",
        };
        let (open, closed) = (self.open(), self.closed());
        let pairs =
            [("q", self.text.as_str()), ("show", show), ("sort", sort), ("open", &open), ("closed", &closed)];
        let query: Vec<_> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        if query.is_empty() { "/".into() } else { format!("/?{}", query.join("&")) }
    }

    /// The services to show, each with or without its servers.
    pub(super) fn rows<'a>(&self, view: &'a View) -> Vec<Row<'a>> {
        let mut services: Vec<_> =
            view.virtual_services.iter().filter(|service| self.shows(service)).collect();
        match self.sort {
            Sort::Configured => {}
            Sort::State => services.sort_by_key(|service| std::cmp::Reverse(service.state)),
            Sort::Name => services.sort_by(|a, b| a.label.cmp(&b.label)),
        }
        let is_small = view.virtual_services.len() <= OPEN_ALL_UP_TO;
        let mut room = ROOM.saturating_sub(services.len() * SERVICE);
        let row = |service: &'a ServiceView| {
            let wants = is_small || matches!(service.state, ServiceState::Degraded | ServiceState::Down);
            let size = service.real_servers.len() * SERVER;
            let opens = wants && size <= room;
            room -= if opens { size } else { 0 };
            let is_open =
                self.open.contains(&service.label) || (opens && !self.closed.contains(&service.label));
            Row { service, is_open }
        };
        services.into_iter().map(row).collect()
    }

    fn shows(&self, service: &ServiceView) -> bool {
        let text = self.text.to_lowercase();
        let found = |hay: &str| hay.to_lowercase().contains(&text);
        (self.show == Show::All || !matches!(service.state, ServiceState::Up | ServiceState::Off))
            && (text.is_empty()
                || found(&service.label)
                || service.addresses.iter().any(|view| found(&view.address.to_string()))
                || found(&service.ports)
                || service
                    .real_servers
                    .iter()
                    .any(|server| found(&server.label) || found(&server.address.to_string())))
    }
}

/// Percent-encoding of a query value (RFC 3986 section 2.1): all but unreserved characters and the comma.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b',');
    value
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests;
