//! Ping: echo requests in a row, each with the time of its answer.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::time::{Instant as At, sleep_until};

use super::Finding;
use crate::health::ping::echo_once;

/// For each answer, and between two requests.
const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn ping(address: IpAddr, count: u16) -> Finding {
    let mut times = Vec::new();
    for sequence in 1..=count {
        let begin = Instant::now();
        let answer = tokio::time::timeout(EVERY, echo_once(address)).await;
        times.push(match answer {
            Ok(Ok(())) => Ok(begin.elapsed()),
            Ok(Err(error)) => Err(format!("not sent, or refused: {error}")),
            Err(_) => Err("no answer within 1 s".to_owned()),
        });
        if sequence < count {
            sleep_until(At::from_std(begin + EVERY)).await;
        }
    }
    told(address, &times)
}

/// The finding in words. Pure.
fn told(address: IpAddr, times: &[Result<Duration, String>]) -> Finding {
    let milliseconds = |time: &Duration| time.as_secs_f64() * 1e3;
    let answered: Vec<f64> = times.iter().flatten().map(milliseconds).collect();
    let sent = times.len();
    let lost = 100 * (sent - answered.len()) / sent.max(1);
    let mut outcome =
        format!("{address}: {} of {sent} echo requests answered, {lost} % lost", answered.len());
    if let (Some(least), Some(most)) =
        (answered.iter().copied().reduce(f64::min), answered.iter().copied().reduce(f64::max))
    {
        let mean = answered.iter().sum::<f64>() / answered.len() as f64;
        outcome += &format!("; round trip {least:.2} / {mean:.2} / {most:.2} ms (least / mean / most).");
    } else {
        outcome += ". Is it switched on, and does a firewall let ICMP through? Hosts may be up and answer no ping: try the \
                    TCP connect test.";
    }
    let rows = times.iter().enumerate().map(|(index, time)| {
        let (time, what) = match time {
            Ok(time) => (format!("{:.2}", milliseconds(time)), "answered".to_owned()),
            Err(why) => (String::new(), why.clone()),
        };
        [(index + 1).to_string(), time, what]
    });
    Finding::new(!answered.is_empty(), outcome, ["Request", "Round trip (ms)", "What came"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_round_trips_are_told() {
        let address = "192.0.2.1".parse().unwrap();
        let times = [
            Ok(Duration::from_micros(500)),
            Err("no answer within 1 s".into()),
            Ok(Duration::from_millis(2)),
        ];
        let finding = told(address, &times);
        assert!(finding.succeeded);
        assert_eq!(
            finding.outcome,
            "192.0.2.1: 2 of 3 echo requests answered, 33 % lost; round trip 0.50 / 1.25 / 2.00 ms (least / mean / most)."
        );
        assert_eq!(finding.rows[1], ["2", "", "no answer within 1 s"]);
        assert!(!told(address, &times[1..2]).succeeded);
    }
}
