//! Benchmarks of traffic: bits and new connections per second, and the latency of a round trip.

use std::net::Ipv4Addr;

use lab::Host;
use serde_json::Value;

use crate::arena::{Arena, ECHO, IPERF, System};
use crate::report::{Comparison, Goal, Report, Samples};

/// Long enough that the start of a run does not show.
const IPERF_SECONDS: u32 = 5;
const CONNECTION_SECONDS: u32 = 4;
const LATENCY_SECONDS: u32 = 3;
/// More than the CPUs, so that nobody waits for the clients.
const CONNECTING_THREADS: u32 = 16;

/// What was measured on each system, round by round.
pub(crate) struct Measured<S, T>(Vec<(S, Vec<T>)>);

impl<S: Copy + PartialEq, T> Measured<S, T> {
    /// Measures each system in turn, so many rounds, after one round to warm up.
    pub(crate) fn interleaved(systems: &[S], rounds: u32, mut measure: impl FnMut(S) -> T) -> Self {
        let mut series: Vec<_> = systems.iter().map(|system| (*system, Vec::new())).collect();
        for round in 0..=rounds {
            for (system, samples) in &mut series {
                let sample = measure(*system);
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        Self(series)
    }

    pub(crate) fn of(&self, system: S, value: impl Fn(&T) -> f64) -> Samples {
        let samples = self.0.iter().filter(|(other, _)| *other == system).flat_map(|(_, samples)| samples);
        samples.map(value).collect()
    }

    pub(crate) fn systems(&self) -> impl Iterator<Item = S> {
        self.0.iter().map(|(system, _)| *system)
    }
}

fn compare(
    (name, unit): (&'static str, &'static str),
    ours: &Samples,
    (peer, theirs): (System, &Samples),
    goal: Goal,
) -> Comparison {
    Comparison { name, unit, ours: ours.median(), peer: peer.name(), theirs: theirs.median(), goal }
}

/// Bits per second of two TCP streams.
pub fn throughput(arena: &Arena, rounds: u32) -> Report {
    let goals = [
        (System::Direct, Goal::RatioAtLeast(0.97)),
        (System::Haproxy, Goal::RatioAtLeast(2.3)),
        (System::Nginx, Goal::Context),
    ];
    let measured =
        Measured::interleaved(&System::ALL, rounds, |system| iperf(arena.client(), system.address()));
    let mut report = Report::new(format!("Throughput: iperf3, 2 streams, {IPERF_SECONDS} s, Gbit/s"));
    higher_is_better(&mut report, ("throughput", "Gbit/s"), &measured, |bits| bits / 1e9, &goals);
    as_a_proxy(&mut report, ("proxy throughput", "Gbit/s"), |system| measured.of(system, |bits| bits / 1e9));
    report
}

/// Client and server each have a processor of their own: where the scheduler puts both on one, runs differ twofold.
const AFFINITY: &str = "0,1";

/// Bits per second through the service at `to`.
pub(crate) fn iperf(client: &Host, to: Ipv4Addr) -> f64 {
    let output =
        client.run(format!("iperf3 --json -A {AFFINITY} -P 2 -t {IPERF_SECONDS} -p {IPERF} -c {to}"));
    let figures: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let bits = figures["end"]["sum_received"]["bits_per_second"].as_f64();
    bits.unwrap_or_else(|| panic!("iperf3 through {to}: {output:?}"))
}

/// New connections per second.
pub fn connections(arena: &Arena, rounds: u32) -> Report {
    let goals = [
        (System::Direct, Goal::RatioAtLeast(0.90)),
        (System::Haproxy, Goal::RatioAtLeast(1.8)),
        (System::Nginx, Goal::RatioAtLeast(1.8)),
        (System::TwoRules, Goal::Context),
    ];
    let mut failed = 0;
    let measured = Measured::interleaved(&System::ALL, rounds, |system| {
        let arguments = format!("{CONNECTING_THREADS} {CONNECTION_SECONDS}");
        let figures = load(arena.client(), "connections", system.address(), &arguments);
        failed += figures["failed"].as_u64().unwrap_or_default();
        figures["per_second"].as_f64().unwrap_or_default()
    });
    let title = format!("New connections: {CONNECTING_THREADS} threads, {CONNECTION_SECONDS} s, per second");
    let mut report = Report::new(title);
    let named = ("new connections", "per second");
    higher_is_better(&mut report, named, &measured, |count| *count, &goals);
    as_a_proxy(&mut report, ("proxy new connections", "per second"), |system| measured.of(system, |it| *it));
    report.note(format!("connections that failed: {failed}"));
    report.note(format!("connections that lbd's service counted: {}", arena.opened_through_lbd("ECHO")));
    report
}

fn higher_is_better<T>(
    report: &mut Report,
    named: (&'static str, &'static str),
    measured: &Measured<System, T>,
    value: impl Fn(&T) -> f64,
    goals: &[(System, Goal)],
) {
    for system in measured.systems() {
        report.system(system.name(), &measured.of(system, &value));
    }
    let ours = measured.of(System::Evenkeel, &value);
    for (peer, goal) in goals {
        report.compare(compare(named, &ours, (*peer, &measured.of(*peer, &value)), *goal));
    }
}

/// What lbd moves itself beside what HAProxy does: no less.
fn as_a_proxy(report: &mut Report, named: (&'static str, &'static str), of: impl Fn(System) -> Samples) {
    let (ours, theirs) = (of(System::Proxy), of(System::Haproxy));
    report.compare(compare(named, &ours, (System::Haproxy, &theirs), Goal::RatioAtLeast(1.0)));
}

/// Microseconds of a one-byte round trip, and what each system adds to the direct route.
pub fn latency(arena: &Arena, rounds: u32) -> Report {
    let measured = Measured::interleaved(&System::ALL, rounds, |system| {
        load(arena.client(), "round-trips", system.address(), &LATENCY_SECONDS.to_string())
    });
    let median = |system| measured.of(system, |figures| figures["p50"].as_f64().unwrap_or(f64::NAN));
    let tail = |system| measured.of(system, |figures| figures["p99"].as_f64().unwrap_or(f64::NAN));
    let added = |system| median(system).above(&median(System::Direct));
    let title = format!("Latency: 1-byte round trips on one connection, {LATENCY_SECONDS} s, microseconds");
    let mut report = Report::new(title);
    for system in measured.systems() {
        report.system(format!("{}, p50", system.name()), &median(system));
        report.system(format!("{}, p99", system.name()), &tail(system));
    }
    for system in measured.systems().skip(1) {
        report.system(format!("{}, p50 added to direct", system.name()), &added(system));
    }
    let ours = added(System::Evenkeel);
    for (peer, goal) in [(System::Haproxy, Goal::RatioAtMost(1.0 / 3.0)), (System::Nginx, Goal::Context)] {
        let named = ("latency added, p50", "microseconds");
        report.compare(compare(named, &ours, (peer, &added(peer)), goal));
    }
    let named = ("proxy latency added, p50", "microseconds");
    let (ours, theirs) = (added(System::Proxy), added(System::Haproxy));
    report.compare(compare(named, &ours, (System::Haproxy, &theirs), Goal::RatioAtMost(1.0)));
    for (name, of) in [("round trip, p50", &median as &dyn Fn(_) -> _), ("round trip, p99", &tail)] {
        for peer in [System::Direct, System::Haproxy] {
            let named = (name, "microseconds");
            report.compare(compare(named, &of(System::Evenkeel), (peer, &of(peer)), Goal::Context));
        }
    }
    report
}

/// What the helper measures on connections to the service at `to`.
pub(crate) fn load(client: &Host, kind: &str, to: Ipv4Addr, arguments: &str) -> Value {
    let output = client.run(format!("{} load {kind} {to}:{ECHO} {arguments}", crate::own_program()));
    serde_json::from_str(output.expect_ok()).expect("the helper prints JSON")
}
