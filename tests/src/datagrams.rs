//! Clients and servers over UDP, played by the helper program `peer`: one question, a flow that goes on, or many flows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::host::Host;
use crate::process::Process;
use crate::tcp::peer_program;
use crate::wait;

/// Far above what a round trip takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same, for a process that has to start first.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// A flow of datagrams from one port, from [`Host::hold_flow`].
#[derive(Debug)]
pub struct Flow {
    process: Arc<Process>,
}

impl Flow {
    /// Asks once more from the same port: the server's name and the address that it saw, or the kind of error.
    pub fn ask(&self) -> String {
        let before = self.answers().len();
        self.process.write_line("ask");
        let what = "what came of a datagram";
        let said = wait::until_some(ANSWERED_WITHIN, what, || self.answers().into_iter().nth(before));
        said.0
    }

    fn answers(&self) -> Vec<String> {
        let log = self.process.log();
        // The last line may be half written.
        let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
        complete.lines().map(str::to_owned).collect()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.process.kill();
    }
}

impl Host {
    /// Sends one datagram from a new port, and returns the answer (name and address that the server saw), or the kind
    /// of error that came instead.
    pub fn ask_udp(&self, address: impl Into<IpAddr>, port: u16) -> String {
        let to = SocketAddr::new(address.into(), port);
        let own = anybody(to);
        let output = self.run(format!("{} ask-udp {to} {own} 0 1", peer_program()));
        output.expect_ok().trim_end().to_owned()
    }

    /// Sends a datagram from each of these ports, one after the other, and expects an answer to each: as many flows
    /// remain in the tables of the kernels in between.
    pub fn leave_flows(&self, from: Range<u16>, address: impl Into<IpAddr>, port: u16) {
        self.leave_flows_as(Ipv4Addr::UNSPECIFIED, from, address, port);
    }

    /// The same from this address of the host.
    pub fn leave_flows_as(
        &self,
        own: impl Into<IpAddr>,
        from: Range<u16>,
        address: impl Into<IpAddr>,
        port: u16,
    ) {
        let to = SocketAddr::new(address.into(), port);
        let line = format!("{} ask-udp {to} {} {} {}", peer_program(), own.into(), from.start, from.len());
        let output = self.run(line);
        let answers = output.expect_ok().lines().filter(|line| line.contains(' ')).count();
        assert_eq!(answers, from.len(), "{}", output.stdout);
    }

    /// Begins a flow of datagrams that goes on from the same port until it is dropped.
    pub fn hold_flow(&self, address: impl Into<IpAddr>, port: u16) -> Flow {
        let mut command = self.command(&peer_program());
        command.args(["hold-flow", &SocketAddr::new(address.into(), port).to_string()]);
        Flow { process: self.start(command, "hold-flow") }
    }
}

/// Answers every datagram with `name` and the address that it came from.
///
/// # Errors
/// When the socket fails.
pub fn answer(socket: &UdpSocket, name: &str) -> io::Result<()> {
    loop {
        let (_, peer) = socket.recv_from(&mut [0; 64])?;
        socket.send_to(format!("{name} {}", peer.ip().to_canonical()).as_bytes(), peer)?;
    }
}

/// Asks from each of `count` ports of `own` in turn, from `first` on, or from any where that is 0; prints what came of each.
///
/// # Errors
/// When a socket cannot be had.
pub fn ask(to: SocketAddr, own: IpAddr, first: u16, count: u16) -> io::Result<()> {
    for number in 0..count {
        let port = if first == 0 { 0 } else { first + number };
        println!("{}", ask_from(&connected(to, own, port)?));
    }
    Ok(())
}

/// Asks from one port for each line of standard input; prints what came of each.
///
/// # Errors
/// When a socket cannot be had, or standard input fails.
pub fn hold(to: SocketAddr) -> io::Result<()> {
    let socket = connected(to, anybody(to), 0)?;
    for order in io::stdin().lines() {
        order?;
        println!("{}", ask_from(&socket));
    }
    Ok(())
}

/// The source that the kernel chooses.
fn anybody(to: SocketAddr) -> IpAddr {
    if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn connected(to: SocketAddr, own: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((own, port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    Ok(socket)
}

/// The answer, or the kind of error that came instead of one.
fn ask_from(socket: &UdpSocket) -> String {
    let mut answer = [0; 256];
    match socket.send(b"?").and_then(|_| socket.recv(&mut answer)) {
        Ok(count) => String::from_utf8_lossy(&answer[..count]).into_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}
