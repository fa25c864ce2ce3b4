//! A farm of DICOM servers on thousands of addresses, played by one process: good ones, and ones that hang.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use socket2::{Domain, Socket, Type};

/// Where servers answer a C-ECHO as they should.
pub const GOOD: u16 = 11112;
/// Where nobody accepts the connection that the kernel has made.
pub const SILENT: u16 = 11113;
/// Where the firewall drops everything.
pub const DROPPED: u16 = 11114;
/// Where the answer to the association request ends in its middle.
pub const MIDWAY: u16 = 11115;

/// What DCMTK's `storescp` answers: the acceptance of the association, and then the C-ECHO answer.
const ANSWERS: &[u8] = include_bytes!("../../../lbd/fuzz/corpus/dicom_reply/dcmtk-storescp-success.bin");
const ACCEPTANCE: usize = 190;
const RELEASE_REPLY: [u8; 10] = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// Longer than any check waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that wait to be accepted; those of the silent port are never, but go when their clients have gone.
const BACKLOG: i32 = 4096;

/// Serves all addresses of the host for ever.
pub fn serve() -> io::Result<()> {
    let _never_accepted = listen(SILENT)?;
    let (good, midway) = (listen(GOOD)?, listen(MIDWAY)?);
    thread::spawn(move || accept(&midway, &mut |_| (), hang_midway));
    let mut punctuality = Punctuality::new(Instant::now());
    accept(&good, &mut |address| punctuality.arrived(address, Instant::now()), answer)
}

/// What the servers see of the rhythm in which they are checked, told every [`TOLD`] in a line.
struct Punctuality {
    latest: HashMap<IpAddr, Instant>,
    arrived: u32,
    longest_pause: Duration,
    told: Instant,
}

/// One interval of the checks.
pub const TOLD: Duration = Duration::from_secs(5);

impl Punctuality {
    fn new(now: Instant) -> Self {
        Self { latest: HashMap::new(), arrived: 0, longest_pause: Duration::ZERO, told: now }
    }

    /// A check of the server at `address` begins.
    fn arrived(&mut self, address: IpAddr, now: Instant) {
        if now >= self.told + TOLD {
            let (checks, pause) = (self.arrived, self.longest_pause.as_secs_f64() * 1e3);
            println!("{}", json!({ "checks": checks, "longest_pause_milliseconds": pause }));
            (self.arrived, self.longest_pause) = (0, Duration::ZERO);
            self.told += TOLD;
        }
        self.arrived += 1;
        if let Some(before) = self.latest.insert(address, now) {
            self.longest_pause = self.longest_pause.max(now - before);
        }
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept(
    listener: &TcpListener,
    arrived: &mut dyn FnMut(IpAddr),
    serve: fn(TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let (connection, _) = listener.accept()?;
        arrived(connection.local_addr()?.ip());
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        // A client that goes away is no concern of the server.
        thread::spawn(move || serve(connection));
    }
}

fn read_pdu(connection: &mut TcpStream) -> io::Result<()> {
    let mut header = [0; 6];
    connection.read_exact(&mut header)?;
    let [_, _, a, b, c, d] = header;
    let mut body = vec![0; u32::from_be_bytes([a, b, c, d]) as usize];
    connection.read_exact(&mut body)
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    for reply in [&ANSWERS[..ACCEPTANCE], &ANSWERS[ACCEPTANCE..], &RELEASE_REPLY] {
        read_pdu(&mut connection)?;
        connection.write_all(reply)?;
    }
    Ok(())
}

fn hang_midway(mut connection: TcpStream) -> io::Result<()> {
    read_pdu(&mut connection)?;
    connection.write_all(&ANSWERS[..20])?;
    connection.read_to_end(&mut Vec::new()).map(|_| ())
}
