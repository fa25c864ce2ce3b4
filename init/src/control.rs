//! init's control socket: lbd asks for what needs all rights. One line in, one line out.

use crate::account::Account;
use crate::failure::{Doing, Failure};
use crate::shutdown::How;
use crate::update::Order;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// The longest command is shorter.
const LINE: usize = 64;

/// Somebody who connects has something to say.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections at a time; a further one waits in the kernel's queue.
pub const MOST: usize = 8;

/// What lbd's user may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The machine is to end.
    End(How),
    /// lbd is to end, and to be started again. The kernel goes on forwarding meanwhile.
    RestartLbd,
    /// lbd has proven that this system does its work.
    Proven,
    /// About updates; answered when it is done.
    Update(Order),
}

const COMMANDS: [(&str, Command); 9] = [
    ("reboot", Command::End(How::Restart)),
    ("poweroff", Command::End(How::PowerOff)),
    ("factory-reset", Command::End(How::FactoryReset)),
    ("restart-lbd", Command::RestartLbd),
    ("proven", Command::Proven),
    ("systems", Command::Update(Order::Tell)),
    ("install", Command::Update(Order::Install)),
    ("back", Command::Update(Order::GoBack)),
    ("quick", Command::Update(Order::Quick)),
];

/// Reads a command; the error is for whoever sent it.
pub fn parse(line: &str) -> Result<Command, String> {
    let word = line.trim_end_matches(['\r', '\n']);
    let known = COMMANDS.iter().find(|(name, _)| *name == word);
    known.map(|(_, command)| *command).ok_or_else(|| {
        let names: Vec<_> = COMMANDS.iter().map(|(name, _)| *name).collect();
        format!("the commands are: {}", names.join(", "))
    })
}

/// The socket.
#[derive(Debug)]
pub struct Control(UnixListener);

impl Control {
    /// Makes the socket. It gets its name only when it has its owner and rights.
    pub fn open(path: &Path, account: &Account) -> Result<Self, Failure> {
        let doing = || format!("opening the control socket {}", path.display());
        let new = path.with_extension("new");
        let _ = std::fs::remove_file(&new); // of an init before this one: there is none
        let listener = UnixListener::bind(&new).doing(doing)?;
        listener.set_nonblocking(true).doing(doing)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).doing(doing)?;
        account.take(&new).doing(doing)?;
        std::fs::rename(&new, path).doing(doing)?;
        Ok(Self(listener))
    }

    /// The next one who has connected.
    pub fn accept(&self, now: Duration) -> Option<Client> {
        let (stream, _) = self.0.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(Client { stream, line: Vec::new(), deadline: now + PATIENCE })
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Somebody who has connected.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    line: Vec<u8>,
    deadline: Duration,
}

/// What a client is up to.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing whole yet.
    Nothing,
    /// A command; all but those about updates are answered already.
    Command(Command),
    /// It has gone, was refused, or took too long: forget it.
    Done,
}

impl Client {
    /// Forget it by then.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Takes what has arrived, and answers a whole line.
    pub fn listen(&mut self, now: Duration) -> Said {
        let mut buffer = [0; LINE];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Said::Done,
            Ok(length) => self.line.extend(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Said::Done,
        }
        if !self.line.contains(&b'\n') && self.line.len() <= LINE {
            return if now >= self.deadline { Said::Done } else { Said::Nothing };
        }
        let command = parse(&String::from_utf8_lossy(&self.line));
        if let Ok(command @ Command::Update(_)) = command {
            return Said::Command(command);
        }
        let answer = command.as_ref().map_or_else(|why| format!("error {why}\n"), |_| "ok\n".to_owned());
        // Whoever asked may have gone; the command counts all the same.
        let _ = self.stream.write_all(answer.as_bytes());
        command.map_or(Said::Done, Said::Command)
    }

    /// Answers later, from any thread.
    pub fn later(&self) -> Later {
        Later(self.stream.try_clone().ok())
    }
}

/// An answer that is still to be given.
#[derive(Debug)]
pub struct Later(Option<UnixStream>);

impl Later {
    /// Answers. Whoever asked may have gone.
    pub fn say(self, line: &str) {
        // A line fits into the socket's buffer.
        let _ = self.0.map(|mut stream| stream.write_all(line.as_bytes()));
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getgid, getuid};
    use proptest::prelude::*;

    fn pair() -> (tempfile::TempDir, UnixStream, Client) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("init.sock");
        let control = Control::open(&path, &Account { user: getuid(), group: getgid() }).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let peer = UnixStream::connect(&path).unwrap();
        let client = control.accept(Duration::ZERO).unwrap();
        (folder, peer, client)
    }

    fn answer(mut peer: UnixStream) -> String {
        let mut buffer = [0; 200];
        let length = peer.read(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_command_in_two_pieces() {
        let (_folder, mut peer, mut client) = pair();
        peer.write_all(b"power").unwrap();
        assert_eq!(client.listen(Duration::ZERO), Said::Nothing);
        peer.write_all(b"off\n").unwrap();
        assert_eq!(client.listen(Duration::ZERO), Said::Command(Command::End(How::PowerOff)));
        assert_eq!(answer(peer), "ok\n");
    }

    #[test]
    fn an_order_about_updates_is_answered_when_it_is_done() {
        let (_folder, mut peer, mut client) = pair();
        peer.write_all(b"install\n").unwrap();
        assert_eq!(client.listen(Duration::ZERO), Said::Command(Command::Update(Order::Install)));
        let later = client.later();
        drop(client);
        std::thread::spawn(|| later.say("ok 1.1\n"));
        assert_eq!(answer(peer), "ok 1.1\n");
    }

    #[test]
    fn other_words_are_refused_and_say_what_is_understood() {
        for words in [&b"halt\n"[..], &[b'x'; LINE + 1]] {
            let (_folder, mut peer, mut client) = pair();
            peer.write_all(words).unwrap();
            while client.listen(Duration::ZERO) == Said::Nothing {}
            assert_eq!(
                answer(peer),
                "error the commands are: reboot, poweroff, factory-reset, restart-lbd, proven, systems, install, back, quick\n"
            );
        }
    }

    #[test]
    fn silence_ends_at_the_deadline() {
        let (_folder, _peer, mut client) = pair();
        assert_eq!(client.listen(PATIENCE - Duration::from_millis(1)), Said::Nothing);
        assert_eq!(client.listen(PATIENCE), Said::Done);
    }

    proptest! {
        #[test]
        fn only_whole_words_are_commands(line in "(reboot|factory-reset|restart-lbd|back|quick)?[a-z \n-]{0,3}") {
            let word = line.trim_end_matches('\n');
            prop_assert_eq!(parse(&line).is_ok(), COMMANDS.iter().any(|(known, _)| *known == word));
        }
    }
}
