//! Helper of the lab, run inside its namespaces: servers that say their name, clients, load and scans.
//!
//! Clients close with a reset, so that TIME_WAIT never limits how many connections a story may open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// For every connect, read and write: far above what a working path needs. A first SYN that is lost is
/// repeated after 1 s, so this also tells a lost packet from a dead path.
const PATIENCE: Duration = Duration::from_secs(10);
/// A scanned port that says nothing for so long is silent: the kernel has asked three times then, after 0, 1 and 3 s, and an
/// emulated machine that is busy has answered.
const SCAN_PATIENCE: Duration = Duration::from_secs(4);

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", name, port] => serve(name, parsed(port)?),
        ["ask", to, sources] => ask(parsed(to)?, sources),
        ["ask-udp", to, own, first, count] => {
            lab::datagrams::ask(parsed(to)?, parsed(own)?, parsed(first)?, parsed(count)?)
        }
        ["hold-flow", to] => lab::datagrams::hold(parsed(to)?),
        ["ask-together", to, from, count] => ask_together(parsed(to)?, parsed(from)?, parsed(count)?),
        ["ask-and-close", to, words] => ask_and_close(parsed(to)?, words),
        ["hold", to] => hold_and_obey(parsed(to)?),
        ["scan", address, ports] => scan(parsed(address)?, ports),
        ["load", to, fresh, held, pauses @ ..] => {
            load(parsed(to)?, parsed(fresh)?, parsed(held)?, &pauses_of(pauses)?)
        }
        ["snmp-get", to, community, name] => snmp_get(parsed(to)?, community, name),
        ["snmp-record", port, to, file] => lab::snmp::record(parsed(port)?, parsed(to)?, Path::new(file)),
        ["snmp-mutations", to, file, count, seed] => {
            let (to, count, seed) = (parsed(to)?, parsed(count)?, parsed(seed)?);
            print_json(&lab::snmp::send_mutations(to, Path::new(file), count, seed)?.into())
        }
        _ => Err(io::Error::other(
            "usage: peer serve|ask|ask-udp|hold-flow|ask-together|ask-and-close|hold|scan|load|snmp-... ...; see the source",
        )),
    }
}

fn parsed<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> io::Result<T> {
    text.parse().map_err(io::Error::other)
}

fn serve(name: &str, port: u16) -> io::Result<()> {
    // Whoever waits for the server looks whether it listens for connections: datagrams are taken before.
    let datagrams = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))?;
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
    let to_datagrams = name.to_owned();
    thread::spawn(move || lab::datagrams::answer(&datagrams, &to_datagrams));
    loop {
        let (connection, peer) = listener.accept()?;
        let greeting = format!("{name} {}\n", peer.ip().to_canonical());
        // A client that goes away is no concern of the server.
        thread::spawn(move || greet_and_echo(connection, &greeting));
    }
}

fn greet_and_echo(mut connection: TcpStream, greeting: &str) -> io::Result<()> {
    connection.set_nodelay(true)?;
    connection.write_all(greeting.as_bytes())?;
    let mut buffer = [0; 4096];
    loop {
        let count = connection.read(&mut buffer)?;
        if count == 0 {
            return connection.shutdown(Shutdown::Both);
        }
        connection.write_all(&buffer[..count])?;
    }
}

/// The source that the kernel chooses.
fn anybody(to: SocketAddr) -> IpAddr {
    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn connect(from: IpAddr, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_tcp_nodelay(true)?;
    socket.connect_timeout(&to.into(), patience)?;
    socket.set_read_timeout(Some(patience.max(PATIENCE)))?;
    socket.set_write_timeout(Some(patience.max(PATIENCE)))?;
    Ok(socket.into())
}

fn greeting(from: IpAddr, to: SocketAddr) -> io::Result<(String, BufReader<TcpStream>)> {
    greeting_within(from, to, PATIENCE)
}

fn greeting_within(
    from: IpAddr,
    to: SocketAddr,
    patience: Duration,
) -> io::Result<(String, BufReader<TcpStream>)> {
    let mut connection = BufReader::new(connect(from, to, patience)?);
    let mut line = String::new();
    connection.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before the greeting"));
    }
    Ok((line.trim_end().to_owned(), connection))
}

fn ask(to: SocketAddr, sources: &str) -> io::Result<()> {
    let mut answers = Vec::new();
    for source in sources.split(',') {
        answers.push(greeting(parsed(source)?, to)?.0);
    }
    print_json(&answers.into())
}

fn ask_together(to: SocketAddr, from: IpAddr, count: usize) -> io::Result<()> {
    let barrier = Barrier::new(count);
    let one = || {
        barrier.wait();
        greeting(from, to)
    };
    let answers: io::Result<Vec<_>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(one)).collect();
        // All connections stay open until the last one has its answer.
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("panic"))))
            .collect()
    });
    print_json(&answers?.into_iter().map(|(line, _)| line).collect::<Vec<_>>().into())
}

/// Says its words and that it has no more, then prints all that comes.
fn ask_and_close(to: SocketAddr, words: &str) -> io::Result<()> {
    let mut connection = connect(anybody(to), to, PATIENCE)?;
    connection.write_all(words.as_bytes())?;
    connection.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    print_json(&answer.into())
}

/// One connection: prints who answers, then for each line of standard input makes a round trip and prints what came
/// of it: `ok`, `reset`, or another error, with the microseconds that it took.
fn hold_and_obey(to: SocketAddr) -> io::Result<()> {
    let (line, mut connection) = greeting(anybody(to), to)?;
    print_json(&line.into())?;
    for order in io::stdin().lines() {
        order?;
        let start = std::time::Instant::now();
        let outcome = match round_trip(connection.get_mut()) {
            Ok(()) => "ok".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => "reset".to_owned(),
            Err(error) => error.to_string(),
        };
        let took = u64::try_from(start.elapsed().as_micros()).map_err(io::Error::other)?;
        print_json(&serde_json::json!({ "outcome": outcome, "microseconds": took }))?;
    }
    connection.get_ref().shutdown(Shutdown::Both)
}

fn scan(address: IpAddr, ports: &str) -> io::Result<()> {
    let ports: io::Result<Vec<u16>> = ports.split(',').map(parsed).collect();
    let one = |port| match connect(anybody((address, port).into()), (address, port).into(), SCAN_PATIENCE) {
        Ok(_) => "open".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => "silent".to_owned(),
        Err(error) => error.to_string(),
    };
    let found: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = ports?.into_iter().map(|port| scope.spawn(move || one(port))).collect();
        io::Result::Ok(threads.into_iter().map(|t| t.join().unwrap_or_else(|_| "panic".into())).collect())
    })?;
    print_json(&found.into())
}

#[derive(Default)]
struct Counts {
    opened: AtomicU64,
    round_trips: AtomicU64,
    failures: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Counts {
    fn running(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn fail(&self, what: &str, error: &io::Error) {
        if let Ok(mut failures) = self.failures.lock() {
            failures.push(format!("{what}: {error}"));
        }
    }

    fn print(&self) -> io::Result<()> {
        let failures = self.failures.lock().map(|list| list.clone()).unwrap_or_default();
        print_json(&serde_json::json!({
            "opened": self.opened.load(Ordering::Relaxed),
            "round_trips": self.round_trips.load(Ordering::Relaxed),
            "failures": failures,
        }))
    }
}

/// After each new connection of a thread, and after each round trip of a held one; and how long an answer may take.
struct Pauses {
    fresh: Duration,
    held: Duration,
    patience: Duration,
}

/// Of a load that is too much for an emulated machine on a busy one: what is broken is reset, and does not only wait.
const MORE_PATIENCE: Duration = Duration::from_secs(60);

/// In milliseconds; short ones where none are given.
fn pauses_of(words: &[&str]) -> io::Result<Pauses> {
    let (fresh, held, patience) = match words {
        [fresh, held] => (parsed(fresh)?, parsed(held)?, MORE_PATIENCE),
        _ => (2, 5, PATIENCE),
    };
    Ok(Pauses { fresh: Duration::from_millis(fresh), held: Duration::from_millis(held), patience })
}

/// Runs until standard input is closed; prints the counts ten times a second and at the end.
fn load(to: SocketAddr, fresh: u32, held: u32, pauses: &Pauses) -> io::Result<()> {
    let counts = Counts::default();
    thread::scope(|scope| {
        for _ in 0..fresh {
            scope.spawn(|| open_and_close(to, pauses, &counts));
        }
        let counts = &counts;
        for number in 0..held {
            // Not all at once: what is spread over a pause stays spread.
            let first = pauses.held.mul_f64(f64::from(number) / f64::from(held));
            scope.spawn(move || {
                thread::sleep(first);
                hold(to, pauses, counts);
            });
        }
        scope.spawn(|| {
            // Any end of standard input, an error too, is the request to finish.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            counts.stop.store(true, Ordering::Relaxed);
        });
        while counts.running() {
            counts.print()?;
            thread::sleep(Duration::from_millis(100));
        }
        io::Result::Ok(())
    })?;
    counts.print()
}

fn open_and_close(to: SocketAddr, pauses: &Pauses, counts: &Counts) {
    while counts.running() {
        let opened = greeting_within(anybody(to), to, pauses.patience);
        match opened.and_then(|(_, connection)| round_trip(connection.get_ref())) {
            Ok(()) => _ = counts.opened.fetch_add(1, Ordering::Relaxed),
            Err(error) => counts.fail("new connection", &error),
        }
        thread::sleep(pauses.fresh);
    }
}

fn hold(to: SocketAddr, pauses: &Pauses, counts: &Counts) {
    let connection = match greeting_within(anybody(to), to, pauses.patience) {
        Ok((_, connection)) => connection,
        Err(error) => return counts.fail("opening a connection to hold", &error),
    };
    while counts.running() {
        if let Err(error) = round_trip(connection.get_ref()) {
            return counts.fail("held connection", &error);
        }
        counts.round_trips.fetch_add(1, Ordering::Relaxed);
        thread::sleep(pauses.held);
    }
}

/// Asks with a client that has nothing in common with the agent's library; prints value or error.
fn snmp_get(to: SocketAddr, community: &str, name: &str) -> io::Result<()> {
    let name: Vec<u32> = name.split('.').map(parsed).collect::<io::Result<_>>()?;
    let mut session = snmp::SyncSession::new(to, community.as_bytes(), Some(PATIENCE), 1)?;
    let said = match session.get(&name) {
        Err(error) => format!("{error:?}"),
        Ok(mut answer) => match answer.varbinds.next() {
            Some((_, snmp::Value::OctetString(text))) => String::from_utf8_lossy(text).into_owned(),
            Some((_, other)) => format!("{other:?}"),
            None => "nothing".to_owned(),
        },
    };
    print_json(&said.into())
}

fn round_trip(mut connection: &TcpStream) -> io::Result<()> {
    let mut byte = [0];
    connection.write_all(b"x")?;
    connection.read_exact(&mut byte)
}

fn print_json(value: &serde_json::Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value}")
}
