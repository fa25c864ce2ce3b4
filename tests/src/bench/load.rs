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
        ["serve", port] => return serve(parsed(port)?),
        ["connections", to, threads, seconds] => {
            connections(parsed(to)?, parsed(threads)?, seconds_of(seconds)?)
        }
        ["reach", to, seconds] => reach(parsed(to)?, seconds_of(seconds)?)?,
        ["round-trips", to, seconds] => round_trips(parsed(to)?, seconds_of(seconds)?)?,
        ["cpu", count, program, arguments @ ..] => cpu(parsed(count)?, program, arguments)?,
        _ => return Err(io::Error::other("usage: bench load serve|connections|reach|round-trips|cpu ...")),
    };
    writeln!(io::stdout(), "{figures}")
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> io::Result<T> {
    text.parse().map_err(io::Error::other)
}

fn seconds_of(text: &str) -> io::Result<Duration> {
    Ok(Duration::from_secs_f64(parsed(text)?))
}

/// Echoes until the client closes, then closes with a reset: that also frees the port of a proxy that has
/// closed its side with a FIN.
fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    let serve_one = |mut connection: TcpStream| {
        SockRef::from(&connection).set_linger(Some(Duration::ZERO))?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(SILENCE))?;
        let mut buffer = [0; 256];
        loop {
            match connection.read(&mut buffer)? {
                0 => return io::Result::Ok(()),
                count => connection.write_all(&buffer[..count])?,
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
