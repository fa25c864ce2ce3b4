//! The course of a traceroute in words, with what to do next. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::course::{Hop, MOST_HOPS};
use super::reply::{Meaning, Reason, Reply};
use super::{FIRST_PORT, LAST_PORT};
use crate::tools::Finding;

const COLUMNS: [&str; 4] = ["Hop", "Address", "Round trips (ms)", "What came"];

/// The finding.
pub(super) fn told(destination: IpAddr, hops: &[Hop]) -> Finding {
    // Of a row of hops without any answer one line is enough.
    let answered = hops.iter().rposition(|hop| hop.reply().is_some()).map_or(0, |index| index + 1);
    let mut rows: Vec<_> = hops[..answered].iter().map(row).collect();
    let silent = hops.get(answered).zip(hops.last());
    rows.extend(silent.map(|(first, last)| {
        let numbers = match first.number == last.number {
            true => first.number.to_string(),
            false => format!("{} to {}", first.number, last.number),
        };
        [numbers, String::new(), String::new(), "no answer".into()]
    }));
    let end = hops.last().and_then(Hop::end);
    let outcome = match end {
        Some(reply) => ended(destination, reply, hops),
        None => lost(destination, answered),
    };
    Finding::new(end.is_some_and(|reply| reply.meaning == Meaning::Arrived), outcome, COLUMNS, rows)
}

fn row(hop: &Hop) -> [String; 4] {
    let addresses: BTreeSet<_> = hop.replies.iter().flatten().map(|reply| reply.from).collect();
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    let times = hop.replies.iter().flatten().map(|reply| format!("{:.2}", reply.took.as_secs_f64() * 1e3));
    let unanswered = hop.replies.iter().filter(|reply| reply.is_none()).map(|_| "*".to_owned());
    let what = match hop.end().or(hop.reply()) {
        Some(reply) => short(reply.meaning).to_owned(),
        None => "no answer".to_owned(),
    };
    let times = if addresses.is_empty() { Vec::new() } else { times.chain(unanswered).collect() };
    [hop.number.to_string(), addresses.join(", "), times.join(" "), what]
}

fn short(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::OnTheWay => "router",
        Meaning::Arrived => "destination",
        Meaning::Stopped(Reason::NobodyHere) => "nobody answers here",
        Meaning::Stopped(Reason::Host) => "host unreachable",
        Meaning::Stopped(Reason::Network) => "network unreachable",
        Meaning::Stopped(Reason::Prohibited) => "administratively prohibited",
        Meaning::Stopped(Reason::Port) => "port unreachable",
        Meaning::Stopped(Reason::Other(..)) => "stopped",
    }
}

fn ended(destination: IpAddr, end: &Reply, hops: &[Hop]) -> String {
    let from = end.from;
    match end.meaning {
        Meaning::Arrived | Meaning::OnTheWay => arrived(destination, hops),
        Meaning::Stopped(Reason::NobodyHere) => format!(
            "{destination} is not reached: nobody on the appliance's own networks answers for it, or for the gateway that \
             leads to it. Is it switched on, are its address and the gateway right?"
        ),
        Meaning::Stopped(Reason::Host) => format!(
            "{destination} is not reached: the router {from} says host unreachable, as nobody on its network answers for \
             the address. Is it switched on, is the address right?"
        ),
        Meaning::Stopped(Reason::Network) => format!(
            "{destination} is not reached: the router {from} says network unreachable, as it knows no way there. Correct \
             the address, or the routes of that router."
        ),
        Meaning::Stopped(Reason::Prohibited) => format!(
            "{destination} is not reached: {from} says administratively prohibited. A firewall there refuses the probes; \
             the TCP connect test says whether it lets through what matters."
        ),
        Meaning::Stopped(Reason::Port) => format!(
            "{destination} is not reached: {from} says port unreachable in its place. It may be a firewall that refuses, \
             or another address of the same host; the TCP connect test says whether it lets through what matters."
        ),
        Meaning::Stopped(Reason::Other(kind, code)) => format!(
            "{destination} is not reached: {from} stops the probes with ICMP type {kind}, code {code}. Ask who runs it."
        ),
    }
}

fn arrived(destination: IpAddr, hops: &[Hop]) -> String {
    let routers = hops.len().saturating_sub(1);
    let way = match routers {
        0 => "on a network of the appliance itself".to_owned(),
        1 => "behind one router".to_owned(),
        _ => format!("behind {routers} routers"),
    };
    let silent: Vec<_> =
        hops.iter().filter(|hop| hop.reply().is_none()).map(|hop| hop.number.to_string()).collect();
    let note = match silent.as_slice() {
        [] => String::new(),
        [one] => format!(" Hop {one} does not say who it is; many routers and firewalls do not."),
        many => {
            format!(" Hops {} do not say who they are; many routers and firewalls do not.", many.join(", "))
        }
    };
    format!("{destination} is reached: {way}.{note}")
}

fn lost(destination: IpAddr, answered: usize) -> String {
    if answered >= usize::from(MOST_HOPS) {
        return format!(
            "{destination} is not reached within {MOST_HOPS} hops. Where addresses come again and again, the routers there \
             send to each other in a circle: correct their routes."
        );
    }
    format!(
        "{destination} is not reached: no answer from hop {} on. The host is off, or a firewall drops the probes (UDP to \
         ports {FIRST_PORT} to {LAST_PORT}) or the answers to them (ICMP). Hosts may be up and not answer these: try ping \
         and the TCP connect test.",
        answered + 1
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hop(number: u8, last: u8, meanings: &[Option<Meaning>]) -> Hop {
        let reply =
            |meaning| Reply { from: [192, 0, 2, last].into(), took: Duration::from_micros(500), meaning };
        Hop { number, replies: meanings.iter().map(|meaning| meaning.map(reply)).collect() }
    }

    fn finding(hops: &[Hop]) -> Finding {
        told([192, 0, 2, 9].into(), hops)
    }

    const ROUTER: [Option<Meaning>; 3] = [Some(Meaning::OnTheWay), None, Some(Meaning::OnTheWay)];
    const THERE: [Option<Meaning>; 3] = [Some(Meaning::Arrived); 3];
    const SILENT: [Option<Meaning>; 3] = [None; 3];

    #[test]
    fn the_way_to_a_server_is_told() {
        let found = finding(&[hop(1, 1, &ROUTER), hop(2, 9, &THERE)]);
        assert!(found.succeeded);
        assert_eq!(found.outcome, "192.0.2.9 is reached: behind one router.");
        assert_eq!(found.rows[0], ["1", "192.0.2.1", "0.50 0.50 *", "router"]);
        assert_eq!(found.rows[1], ["2", "192.0.2.9", "0.50 0.50 0.50", "destination"]);
        let silent = finding(&[hop(1, 1, &SILENT), hop(2, 9, &THERE)]);
        assert!(silent.outcome.contains("Hop 1 does not say who it is"), "{silent:?}");
        assert_eq!(silent.rows[0], ["1", "", "", "no answer"]);
    }

    #[test]
    fn where_it_ends_is_told_with_what_to_do() {
        let mut hops = vec![hop(1, 1, &ROUTER)];
        hops.extend((2..=MOST_HOPS).map(|number| hop(number, 0, &SILENT)));
        let found = finding(&hops);
        assert!(!found.succeeded && found.outcome.contains("no answer from hop 2 on"), "{found:?}");
        assert_eq!(found.rows.len(), 2);
        assert_eq!(found.rows[1][0], "2 to 30");
        for (reason, words) in [
            (Reason::NobodyHere, "nobody on the appliance's own networks"),
            (Reason::Host, "the router 192.0.2.1 says host unreachable"),
            (Reason::Network, "knows no way there"),
            (Reason::Prohibited, "administratively prohibited"),
            (Reason::Port, "in its place"),
            (Reason::Other(12, 0), "type 12"),
        ] {
            let found = finding(&[hop(1, 1, &ROUTER), hop(2, 1, &[Some(Meaning::Stopped(reason))])]);
            assert!(!found.succeeded && found.outcome.contains(words), "{found:?}");
        }
        let circle: Vec<_> = (1..=MOST_HOPS).map(|number| hop(number, number % 2, &ROUTER)).collect();
        assert!(finding(&circle).outcome.contains("in a circle"));
    }
}
