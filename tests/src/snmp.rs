//! Datagrams of SNMP: recording a session on its way, and sending what mutations make of it.

use std::fs::{File, read_to_string};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

/// For an answer to a question that is right.
const PATIENCE: Duration = Duration::from_secs(5);
/// Mutated datagrams between two questions that are right: a flood would only show the kernel's queue.
const BETWEEN: u64 = 16;
const LARGEST: usize = 65_535;

/// Hands datagrams on to `to` and answers back, for ever; writes each question to `file`, a line of hexadecimal digits each.
pub fn record(port: u16, to: SocketAddr, file: &Path) -> io::Result<()> {
    let managers = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    let agent = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    agent.connect(to)?;
    agent.set_read_timeout(Some(PATIENCE))?;
    let mut file = File::create(file)?;
    let mut datagram = vec![0; LARGEST];
    loop {
        let (length, manager) = managers.recv_from(&mut datagram)?;
        let digits: String = datagram[..length].iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(file, "{digits}")?;
        agent.send(&datagram[..length])?;
        // Nobody answers while the agent starts anew: the manager asks again.
        let Ok(length) = agent.recv(&mut datagram) else { continue };
        managers.send_to(&datagram[..length], manager)?;
    }
}

fn recorded(file: &Path) -> io::Result<Vec<Vec<u8>>> {
    let octet = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).map_err(io::Error::other)?;
        u8::from_str_radix(digits, 16).map_err(io::Error::other)
    };
    let text = read_to_string(file)?;
    text.lines().map(|line| line.as_bytes().chunks(2).map(octet).collect()).collect()
}

/// One to four changes: a bit, an octet, a length, a piece cut out, doubled or added, the end cut off.
fn mutate(datagram: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(0..=datagram.len().saturating_sub(1));
        match random.u8(0..7) {
            _ if datagram.is_empty() => datagram.push(random.u8(..)),
            0 => datagram[at] ^= 1 << random.u8(0..8),
            1 => datagram[at] = random.u8(..),
            2 => datagram[at] = *random.choice(&[0, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff]).unwrap_or(&0),
            3 => datagram.truncate(at),
            4 => drop(datagram.drain(at..datagram.len().min(at + random.usize(1..9)))),
            5 => {
                let piece = datagram[at..].to_vec();
                datagram.splice(at..at, piece);
            }
            _ => {
                let octets: Vec<u8> = (0..random.usize(1..20)).map(|_| random.u8(..)).collect();
                datagram.splice(at..at, octets);
            }
        }
        datagram.truncate(LARGEST / 2);
    }
}

/// Sends `count` mutations of what `file` recorded. Every few it asks the first question of the file, unchanged, and fails when
/// that is not answered. Returns how many mutations were answered.
pub fn send_mutations(to: SocketAddr, file: &Path, count: u64, seed: u64) -> io::Result<u64> {
    let recorded = recorded(file)?;
    let first = recorded.first().ok_or_else(|| io::Error::other("nothing was recorded"))?;
    let mut random = fastrand::Rng::with_seed(seed);
    let bad = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    bad.connect(to)?;
    bad.set_nonblocking(true)?;
    let good = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    good.connect(to)?;
    good.set_read_timeout(Some(4 * PATIENCE))?;
    let (mut answered, mut answer) = (0, vec![0; LARGEST]);
    for number in 0..count {
        let mut datagram = random.choice(&recorded).cloned().unwrap_or_default();
        mutate(&mut datagram, &mut random);
        // A queue that is full loses datagrams, as networks do.
        let _ = bad.send(&datagram);
        if number % BETWEEN == 0 {
            good.send(first)?;
            good.recv(&mut answer).map_err(|error| {
                io::Error::new(error.kind(), format!("no answer after {number} mutations: {error}"))
            })?;
        }
        while bad.recv(&mut answer).is_ok() {
            answered += 1;
        }
    }
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_differ_and_stay_small() {
        let mut random = fastrand::Rng::with_seed(1);
        let original = b"\x30\x09\x02\x01\x01\x04\x02ab\xa0\x00".to_vec();
        let mut differ = 0;
        for _ in 0..1_000 {
            let mut datagram = original.clone();
            mutate(&mut datagram, &mut random);
            assert!(datagram.len() < LARGEST);
            differ += u32::from(datagram != original);
        }
        assert!(differ > 900, "{differ}");
    }
}
