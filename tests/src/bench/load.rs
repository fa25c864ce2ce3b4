//! What runs inside the namespaces: a server that echoes bytes, and clients that count and time.
//!
//! The benchmark starts its own program again as `bench load ...`, so that there is one program to build.
//! Everybody closes with a reset: where TIME_WAIT is left, the figures measure the reuse of ports.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use serde_json::{Value, json};
use socket2::{Domain, SockRef, Socket, Type};

/// For every connect, send and receive: far above what a working path needs.
const PATIENCE: Duration = Duration::from_secs(5);
/// For one of many attempts to connect.
const ATTEMPT: Duration = Duration::from_millis(200);
/// Enough for all clients, for a proxy that closes a little later than they do, and for connections whose reset was lost
/// on an emulated adapter.
const SERVER_THREADS: usize = 512;
/// Longer than any client of ours is silent: the client of such a connection has gone.
const SILENCE: Duration = Duration::from_secs(2);

/// Carries out one of the helper's commands; clients print their figures as JSON.
pub fn run(arguments: &[&str]) -> io::Result<()> {
    let figures = match arguments {
        ["farm"] => return crate::farm::serve(),
        ["serve", port] => return serve(parsed(port)?, Ending::Reset),
        ["serve-and-close", port] => return serve(parsed(port)?, Ending::FirstToClose),
        ["churn", to, network, rate, seconds] => {
            churn(parsed(to)?, parsed(network)?, parsed(rate)?, parsed(seconds)?)
        }
        ["connections", to, threads, seconds] => {
            connections(parsed(to)?, parsed(threads)?, seconds_of(seconds)?)
        }
        ["reach", to, seconds] => reach(parsed(to)?, seconds_of(seconds)?)?,
        ["round-trips", to, seconds] => round_trips(parsed(to)?, seconds_of(seconds)?)?,
        ["cpu", count, program, arguments @ ..] => cpu(parsed(count)?, program, arguments)?,
        _ => {
            return Err(io::Error::other(
                "usage: bench load serve|serve-and-close|connections|churn|reach|round-trips|cpu ...",
            ));
        }
    };
    writeln!(io::stdout(), "{figures}")
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> io::Result<T> {
    text.parse().map_err(io::Error::other)
}

fn seconds_of(text: &str) -> io::Result<Duration> {
    Ok(Duration::from_secs_f64(parsed(text)?))
}

/// How a server ends a connection.
#[derive(Clone, Copy, PartialEq)]
enum Ending {
    /// Once the client has closed, with a reset: that also frees the port of a proxy that has closed its side with a FIN.
    Reset,
    /// By itself after its first answer, so that it is the server that keeps the connection in TIME_WAIT.
    FirstToClose,
}

/// Echoes what clients send.
fn serve(port: u16, ending: Ending) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    let serve_one = |mut connection: TcpStream| {
        if ending == Ending::Reset {
            SockRef::from(&connection).set_linger(Some(Duration::ZERO))?;
        }
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(SILENCE))?;
        let mut buffer = [0; 256];
        loop {
            match connection.read(&mut buffer)? {
                0 => return io::Result::Ok(()),
                count => connection.write_all(&buffer[..count])?,
            }
            if ending == Ending::FirstToClose {
                return Ok(());
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..SERVER_THREADS {
            scope.spawn(|| {
                // A client that goes away, which all of ours do by a reset, is no concern of the server.
                while let Ok((connection, _)) = listener.accept() {
                    let _ = serve_one(connection);
                }
            });
        }
    });
    Err(io::Error::other("no longer accepting"))
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    // The send time-out limits connect() as well (socket(7)).
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// Tries to connect until it works: a packet to a machine that is not there yet must not cost a second.
fn reach(to: SocketAddr, period: Duration) -> io::Result<Value> {
    let start = Instant::now();
    loop {
        match TcpStream::connect_timeout(&to, ATTEMPT) {
            Ok(_) => return Ok(json!({ "seconds": start.elapsed().as_secs_f64() })),
            Err(error) if start.elapsed() > period => return Err(error),
            // An answer that says no comes at once.
            Err(_) => thread::sleep(ATTEMPT / 10),
        }
    }
}

fn round_trip(mut connection: &TcpStream) -> io::Result<()> {
    connection.write_all(b"x")?;
    connection.read_exact(&mut [0])
}

/// Threads that connect, exchange one byte and close, as often as they can.
fn connections(to: SocketAddr, threads: usize, period: Duration) -> Value {
    let (opened, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    let open_and_close = || {
        while start.elapsed() < period {
            let count = match connect(to).and_then(|connection| round_trip(&connection)) {
                Ok(()) => &opened,
                Err(_) => &failed,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(open_and_close);
        }
    });
    let per_second = opened.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    json!({ "per_second": per_second, "failed": failed.into_inner() })
}

/// Clients of [`churn`]; each waits for its turn.
const CHURNING_THREADS: usize = 64;

/// Opens so many connections a second from the 254 addresses of the /24 `network` in turn, exchanges one byte on each and
/// waits for the server to close. Tells how many were finished in each second, and the slowest.
fn churn(to: SocketAddr, network: Ipv4Addr, rate: u64, seconds: usize) -> Value {
    let finished: Vec<_> = (0..seconds).map(|_| AtomicU64::new(0)).collect();
    let (next, failed, slowest) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    let one = |source: Ipv4Addr| {
        let begun = Instant::now();
        let done = connect_from(source, to).and_then(|connection| {
            round_trip(&connection)?;
            (&connection).read(&mut [0])
        });
        slowest.fetch_max(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        match done {
            Ok(0) => {
                let second = usize::try_from(start.elapsed().as_secs()).unwrap_or(usize::MAX);
                finished.get(second).inspect(|count| _ = count.fetch_add(1, Ordering::Relaxed));
            }
            _ => _ = failed.fetch_add(1, Ordering::Relaxed),
        }
    };
    let in_turn = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            if due.as_secs() >= seconds as u64 {
                return;
            }
            thread::sleep(due.saturating_sub(start.elapsed()));
            let last = u32::try_from(number % 254 + 1).unwrap_or(1);
            one(Ipv4Addr::from_bits(network.to_bits() + last));
        }
    };
    thread::scope(|scope| (0..CHURNING_THREADS).for_each(|_| _ = scope.spawn(in_turn)));
    let finished: Vec<_> = finished.into_iter().map(AtomicU64::into_inner).collect();
    let slowest = slowest.into_inner() as f64 / 1e3;
    json!({ "finished": finished, "failed": failed.into_inner(), "slowest_milliseconds": slowest })
}

/// Closes in the ordinary way.
fn connect_from(source: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One byte there and back on one connection, again and again: percentiles in microseconds.
fn round_trips(to: SocketAddr, period: Duration) -> io::Result<Value> {
    let connection = connect(to)?;
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < period {
        let begun = Instant::now();
        round_trip(&connection)?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let percentile = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len() - 1);
        times[place].as_nanos() as f64 / 1000.0
    };
    Ok(json!({ "p50": percentile(50), "p99": percentile(99), "count": times.len() }))
}

/// CPU time of running a program, start included: the mean of `count` runs, in microseconds.
fn cpu(count: u32, program: &str, arguments: &[&str]) -> io::Result<Value> {
    let before = children_cpu()?;
    for _ in 0..count {
        let status = Command::new(program).args(arguments).stdin(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{program} ended with {status}")));
        }
    }
    let used = children_cpu()? - before;
    Ok(json!({ "microseconds": used / f64::from(count) }))
}

fn children_cpu() -> io::Result<f64> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
    Ok(microseconds(usage.user_time()) + microseconds(usage.system_time()))
}
