//! Which syslog servers take the log.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::clock::moved;
use super::{Effect, Engine, Now};
use crate::config::{Label, SyslogServer};
use crate::log::forward::{Recipients, Trouble};
use crate::view::{Condition, ConditionKind, SyslogServerView, SyslogState};

/// What is known of each server, and since when.
#[derive(Debug, Default)]
pub(super) struct Forwarding(BTreeMap<Label, (SyslogServer, Option<Trouble>, Timestamp)>);

impl Forwarding {
    /// Nothing is known of a server that is new, or another one than before.
    fn follow(&mut self, servers: &[SyslogServer], now: Timestamp) {
        let mut before = std::mem::take(&mut self.0);
        self.0 = servers
            .iter()
            .map(|server| {
                let known = before.remove(&server.label).filter(|(known, ..)| known == server);
                (server.label.clone(), known.unwrap_or_else(|| (server.clone(), None, now)))
            })
            .collect();
    }

    /// News of a server.
    pub(super) fn heard(&mut self, server: &Label, trouble: Trouble, now: Now) {
        let Some((_, known, since)) = self.0.get_mut(server) else { return };
        if known.as_ref().map(Option::is_some) != Some(trouble.is_some()) {
            *since = now.wall;
        }
        *known = Some(trouble);
    }

    /// The clock was set.
    pub(super) fn clock_was_set(&mut self, by: SignedDuration) {
        for (.., since) in self.0.values_mut() {
            *since = moved(*since, by);
        }
    }

    /// For people, one for each server in trouble.
    pub(super) fn problems(&self) -> Vec<Condition> {
        let told = self.0.values().filter_map(|(server, trouble, since)| {
            let why = trouble.as_ref()?.as_ref()?;
            let text = format!(
                "The syslog server {} ({}, {}) has not taken the log since {since:.0}: {why}. The latest 10,000 lines \
                 are kept for it, and it is tried again by itself; all are on the page Logs. Look at the server, its \
                 firewall and its port.",
                server.label,
                server.place,
                server.transport.name()
            );
            Some(Condition::new(ConditionKind::Other, format!("syslog {}", server.label), text))
        });
        told.collect()
    }
}

impl Engine {
    /// Orders the log to be sent to whom the configuration says.
    pub(super) fn send_log(&mut self) -> Effect {
        let servers = self.config.syslog_servers.clone();
        self.forwarding.follow(&servers, self.seen_last.wall);
        Effect::SendLog(Recipients { host_name: self.host_name(), servers })
    }

    /// In the order of the configuration.
    pub(super) fn syslog_views(&self) -> Vec<SyslogServerView> {
        let view = |server: &SyslogServer| {
            let (_, trouble, since) = self.forwarding.0.get(&server.label)?;
            let (state, reason) = match trouble {
                None => (SyslogState::Connecting, "nothing has been sent yet".to_owned()),
                Some(None) => (SyslogState::Up, "takes the log".to_owned()),
                Some(Some(why)) => (SyslogState::Down, why.clone()),
            };
            Some(SyslogServerView {
                label: server.label.to_string(),
                place: server.place.to_string(),
                transport: server.transport.name().to_owned(),
                severity: server.severity,
                state,
                reason,
                since: *since,
            })
        };
        self.config.syslog_servers.iter().filter_map(view).collect()
    }
}
