//! Where the agent looks objects up: a catalogue, made anew from the latest picture at most once a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_snmp::handler::{BoxFuture, GetNextResult, GetResult, HandlerResult, MibHandler, RequestContext};
use async_snmp::{Oid, VarBind};
use jiff::Timestamp;

use super::objects::{Catalogue, Found, Scene};
use super::shares::Shares;

/// A walk of many questions sees the same rows for a while; and three managers cost no more than one.
const FRESH: Duration = Duration::from_secs(1);

/// For the agent.
pub(super) struct Library {
    shares: Shares,
    location: String,
    contact: String,
    latest: Mutex<Option<(Instant, Arc<Catalogue>)>>,
}

impl Library {
    pub(super) fn new(shares: Shares, location: &str, contact: &str) -> Self {
        Self { shares, location: location.to_owned(), contact: contact.to_owned(), latest: Mutex::default() }
    }

    fn catalogue(&self) -> Arc<Catalogue> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, catalogue)) = &*latest
            && made.elapsed() < FRESH
        {
            return catalogue.clone();
        }
        let scene = Scene {
            published: self.shares.pictures.borrow().clone(),
            figures: self.shares.figures(),
            counters: self.shares.counters(),
            location: self.location.clone(),
            contact: self.contact.clone(),
            uptime: self.shares.uptime(),
            now: Timestamp::now(),
        };
        let catalogue = Arc::new(Catalogue::new(scene));
        *latest = Some((Instant::now(), catalogue.clone()));
        catalogue
    }
}

impl MibHandler for Library {
    fn get<'a>(&'a self, _: &'a RequestContext, name: &'a Oid) -> BoxFuture<'a, HandlerResult<GetResult>> {
        Box::pin(async move {
            Ok(match self.catalogue().get(name.arcs()) {
                Found::Value(value) => GetResult::Value(value),
                Found::NoObject => GetResult::NoSuchObject,
                Found::NoInstance => GetResult::NoSuchInstance,
            })
        })
    }

    fn get_next<'a>(
        &'a self,
        _: &'a RequestContext,
        name: &'a Oid,
    ) -> BoxFuture<'a, HandlerResult<GetNextResult>> {
        Box::pin(async move {
            let next = self.catalogue().next(name.arcs());
            Ok(next.map_or(GetNextResult::EndOfMibView, |(name, value)| {
                GetNextResult::Value(VarBind::new(Oid::from_slice(&name), value))
            }))
        })
    }
}
