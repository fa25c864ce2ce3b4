//! Traceroute: which routers lie between the appliance and a host, by probes that may pass one router more each.
//!
//! ```text
//!  Course (pure): which hop next --> probe: a socket each --> Reply --> Course --> words (pure)
//! ```

mod course;
mod probe;
mod reply;
mod words;

use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::time::Instant;

use futures_util::future::OptionFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::sleep_until;

use super::Finding;
use course::{Course, MOST_HOPS, Next, PROBES};

/// The ports of the traceroute that everybody knows (traceroute(8)), which firewalls that allow it let through.
const FIRST_PORT: u16 = 33_434;
/// A port for each probe.
const LAST_PORT: u16 = FIRST_PORT + MOST_HOPS as u16 * PROBES as u16 - 1;

/// Ends within 15 s: see [`Course`] and the patience of a probe.
pub(super) async fn traceroute(destination: IpAddr) -> Finding {
    let mut course = Course::default();
    let mut ports = FIRST_PORT..=LAST_PORT;
    let mut under_way = FuturesUnordered::new();
    loop {
        match course.next(Instant::now()) {
            Next::Probe(hops) => {
                under_way.extend(hops.into_iter().zip(&mut ports).map(|(hop, port)| async move {
                    (hop, probe::probe((destination, port).into(), hop).await)
                }))
            }
            Next::Over => return words::told(destination, &course.into_hops()),
            Next::Wait(until) => {
                let waiting = OptionFuture::from(until.map(|until| sleep_until(until.into())));
                tokio::select! {
                    Some((hop, outcome)) = under_way.next() => match outcome {
                        Ok(reply) => course.ended(hop, reply),
                        Err(error) => return Finding::failed(not_sent(destination, &error)),
                    },
                    Some(()) = waiting => {}
                    else => return words::told(destination, &course.into_hops()),
                }
            }
        }
    }
}

/// What keeps the appliance itself from sending.
fn not_sent(destination: IpAddr, error: &Error) -> String {
    match error.kind() {
        ErrorKind::NetworkUnreachable => format!(
            "{destination} is not reached: the appliance has no route that leads there. Add one on the page Routing, or \
             correct the default gateway."
        ),
        _ => format!(
            "{destination} is not reached: the appliance cannot send there: {error}. Is the address right?"
        ),
    }
}
