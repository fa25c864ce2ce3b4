//! `make bench`: compares the product with a direct route, HAProxy, nginx and `echoscu`.
//!
//! Every figure is the median of runs that are interleaved (A B C A B C ...), so that a slow spell of the
//! machine meets everybody; the tables show the range too. A goal that is missed is said to be missed, and
//! does not make the program fail: the figures depend on the machine and on who else uses it.

mod arena;
mod boot;
mod checks;
mod daemon;
mod farm;
mod guest;
mod load;
mod overview;
mod proxies;
mod report;
mod scale;
mod snmp;
mod sustained;
mod systems;
mod table;
mod traffic;

use std::cell::OnceCell;
use std::process::ExitCode;

use arena::Arena;
use report::Report;

const USAGE: &str = "usage: bench [--runs N] [--seconds N] [NAME...]    with names of: throughput connections latency \
     sustained memory echo checks scale table overview snmp guest boot restart; --seconds is for sustained";
/// Rounds where none are given.
const ROUNDS: u32 = 5;
/// Of the benchmark of endurance, where none are given: longer than a port is kept after its connection.
const SECONDS: u32 = 180;
const NAMES: [&str; 14] = [
    "throughput",
    "connections",
    "latency",
    "sustained",
    "memory",
    "echo",
    "checks",
    "scale",
    "table",
    "overview",
    "snmp",
    "guest",
    "boot",
    "restart",
];

/// What was asked for on the command line.
#[derive(Debug, PartialEq)]
struct Wanted {
    rounds: u32,
    seconds: u32,
    names: Vec<&'static str>,
}

impl Wanted {
    fn parse(arguments: &[&str]) -> Option<Self> {
        let (mut rounds, mut seconds, mut names) = (ROUNDS, SECONDS, arguments);
        while let [option @ ("--runs" | "--seconds"), number, rest @ ..] = names {
            let number = number.parse().ok().filter(|number| *number > 0)?;
            *(if *option == "--runs" { &mut rounds } else { &mut seconds }) = number;
            names = rest;
        }
        let known = |name: &&str| NAMES.into_iter().find(|known| known == name);
        let names: Vec<_> = names.iter().map(known).collect::<Option<_>>()?;
        Some(Self { rounds, seconds, names: if names.is_empty() { NAMES.to_vec() } else { names } })
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments.as_slice() {
        ["load", arguments @ ..] => load::run(arguments),
        arguments => match Wanted::parse(arguments) {
            Some(wanted) => benchmark(&wanted),
            None => Err(std::io::Error::other(USAGE)),
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn benchmark(wanted: &Wanted) -> std::io::Result<()> {
    println!("bench: {} rounds; {}", wanted.rounds, machine());
    let arena = OnceCell::new();
    let mut reports = Vec::new();
    for name in &wanted.names {
        // Each as soon as it is there: a later one may fail.
        one(name, &arena, wanted, &mut |report| {
            println!("\n{report}");
            reports.push(report);
        });
        // What is measured is kept, whatever becomes of the next one.
        report::write_results(&lab::peers::root(), &reports)?;
    }
    println!("bench: results in target/bench/results.json; {}", machine());
    Ok(())
}

fn one(name: &str, arena: &OnceCell<Arena>, wanted: &Wanted, tell: &mut dyn FnMut(Report)) {
    let (arena, rounds) = (|| arena.get_or_init(Arena::new), wanted.rounds);
    tell(match name {
        "throughput" => traffic::throughput(arena(), rounds),
        "connections" => traffic::connections(arena(), rounds),
        "latency" => traffic::latency(arena(), rounds),
        "sustained" => sustained::sustained(wanted.seconds),
        "memory" => daemon::memory(rounds),
        "echo" => daemon::echo(rounds),
        "checks" => checks::checks(rounds),
        "scale" => scale::scale(rounds),
        "table" => table::table(rounds),
        "overview" => overview::overview(rounds),
        "snmp" => snmp::snmp(rounds),
        "guest" => return guest::guest(rounds, tell),
        "boot" => boot::boot(rounds),
        _ => boot::restart(rounds),
    });
}

/// What a reader must know to judge the figures: CPUs, and how busy they are.
fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<_> = load.split(' ').take(3).collect();
    format!("{cpus} CPUs, load average {}", load.join(" "))
}

/// The path of this program, which runs itself inside namespaces.
fn own_program() -> String {
    std::env::current_exe().expect("own path").display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_everything_runs_five_times() {
        assert_eq!(Wanted::parse(&[]), Some(Wanted { rounds: 5, seconds: 180, names: NAMES.to_vec() }));
        let two = Wanted { rounds: 7, seconds: 20, names: vec!["memory", "echo"] };
        assert_eq!(Wanted::parse(&["--runs", "7", "--seconds", "20", "memory", "echo"]), Some(two));
        for wrong in [&["--runs"] as &[_], &["--runs", "0"], &["nonsense"]] {
            assert_eq!(Wanted::parse(wrong), None);
        }
    }
}
