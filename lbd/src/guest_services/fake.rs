//! VMware's side of the port, as far as these services use it, with a transcript of all messages.

use std::collections::{BTreeMap, VecDeque};

use super::channel::{MAGIC, MESSAGE, PORT, Port, Protocol, Registers, WITH_COOKIE, status, step};

/// A hypervisor.
#[derive(Debug, Default)]
pub struct Vmware {
    /// Asked one after the other.
    pub questions: VecDeque<Vec<u8>>,
    /// Every message, in order; `>` from the guest.
    pub transcript: Vec<String>,
    /// Channels that it opens from now on.
    pub refuses: bool,
    /// Announce this size instead of a question's.
    pub announces: Option<u32>,
    /// Refuse what begins so.
    pub denies: Option<&'static str>,
    /// The machine is moved at these calls, counted from now, in the middle of a message.
    pub checkpoints: Vec<usize>,
    /// Calls so far.
    pub calls: usize,
    opened: u32,
    channels: BTreeMap<u32, Talk>,
}

#[derive(Debug)]
struct Talk {
    protocol: Protocol,
    cookie: (u32, u32),
    size: usize,
    incoming: Vec<u8>,
    outgoing: Option<Vec<u8>>,
    sent: usize,
}

impl Vmware {
    pub fn asking(questions: &[&str]) -> Self {
        let questions = questions.iter().map(|question| question.as_bytes().to_vec()).collect();
        Self { questions, ..Self::default() }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn ask(&mut self, question: &str) {
        self.questions.push_back(question.into());
    }

    /// The machine runs on another host now, which knows none of its channels.
    pub fn forget_channels(&mut self) {
        self.note("--", "the channels are gone");
        self.channels.clear();
    }

    pub fn open_channels(&self) -> usize {
        self.channels.len()
    }

    /// What was said since the last time.
    pub fn take_transcript(&mut self) -> String {
        std::mem::take(&mut self.transcript).join("\n")
    }

    fn note(&mut self, who: &str, what: impl AsRef<[u8]>) {
        self.transcript.push(format!("{who} {}", what.as_ref().escape_ascii()));
    }

    fn open(&mut self, registers: Registers) -> Registers {
        let known = [Protocol::Rpci, Protocol::Tclo];
        let protocol = known.into_iter().find(|protocol| protocol.number() | WITH_COOKIE == registers.ebx);
        let protocol = protocol.expect("a known protocol, with a cookie");
        if self.refuses {
            self.note("--", format!("{protocol:?} is refused"));
            return Registers::default();
        }
        self.note("--", format!("{protocol:?} is opened"));
        self.opened += 1;
        let cookie = (0x1111_0000 | self.opened, 0x2222_0000 | self.opened);
        let talk = Talk { protocol, cookie, size: 0, incoming: Vec::new(), outgoing: None, sent: 0 };
        self.channels.insert(self.opened, talk);
        let edx = self.opened << 16;
        Registers { ecx: status::SUCCESS << 16, edx, esi: cookie.0, edi: cookie.1, ..Registers::default() }
    }

    /// A message from the guest is whole.
    fn take(&mut self, number: u32) {
        let talk = self.channels.get_mut(&number).unwrap();
        let message = std::mem::take(&mut talk.incoming);
        let protocol = talk.protocol;
        if protocol == Protocol::Rpci {
            let denied = self.denies.is_some_and(|beginning| message.starts_with(beginning.as_bytes()));
            let answer = if denied { "0 Unknown command" } else { "1 " };
            talk.outgoing = Some(answer.into());
            talk.sent = 0;
        }
        if !message.is_empty() {
            self.note(&format!("{protocol:?} >"), message);
        }
    }

    fn go_on(&mut self, number: u32, registers: Registers) -> Option<Registers> {
        let talk = self.channels.get_mut(&number)?;
        assert_eq!((registers.esi, registers.edi), talk.cookie, "the channel's cookie");
        let done = Registers { ecx: status::SUCCESS << 16, ..Registers::default() };
        match registers.ecx >> 16 {
            step::SEND_SIZE => {
                talk.size = registers.ebx as usize;
                talk.incoming.clear();
                if talk.size == 0 {
                    self.take(number);
                }
            }
            step::SEND => {
                talk.incoming.extend(registers.ebx.to_le_bytes());
                if talk.incoming.len() >= talk.size {
                    talk.incoming.truncate(talk.size);
                    self.take(number);
                }
            }
            step::RECEIVE_SIZE => return Some(self.offer(number)),
            step::RECEIVE => {
                assert_eq!(registers.ebx, status::SUCCESS, "the guest says that all went well so far");
                let message = talk.outgoing.as_ref().unwrap();
                let rest = &message[talk.sent..];
                let mut word = [0; 4];
                word[..rest.len().min(4)].copy_from_slice(&rest[..rest.len().min(4)]);
                talk.sent += 4;
                return Some(Registers { ebx: u32::from_le_bytes(word), edx: step::SEND << 16, ..done });
            }
            step::ACKNOWLEDGE => {
                let message = talk.outgoing.take().unwrap();
                assert!(talk.sent >= message.len(), "acknowledged before it was read");
                talk.sent = 0;
                let who = format!("{:?} <", talk.protocol);
                self.note(&who, message);
            }
            step::CLOSE => {
                let talk = self.channels.remove(&number).unwrap();
                self.note("--", format!("{:?} is closed", talk.protocol));
            }
            other => panic!("the step {other} is none"),
        }
        Some(done)
    }

    fn offer(&mut self, number: u32) -> Registers {
        let talk = self.channels.get_mut(&number).unwrap();
        if talk.protocol == Protocol::Tclo && talk.outgoing.is_none() {
            talk.outgoing = self.questions.pop_front();
            talk.sent = 0;
        }
        let size = talk.outgoing.as_ref().map(|message| u32::try_from(message.len()).unwrap());
        match self.announces.take().or(size) {
            None => Registers { ecx: status::SUCCESS << 16, ..Registers::default() },
            Some(size) => Registers {
                ebx: size,
                ecx: (status::SUCCESS | status::WAITS) << 16,
                edx: step::SEND_SIZE << 16,
                ..Registers::default()
            },
        }
    }
}

impl Port for Vmware {
    fn call(&mut self, registers: Registers) -> Registers {
        assert_eq!((registers.eax, registers.ecx & 0xffff), (MAGIC, MESSAGE));
        assert_eq!(registers.edx & 0xffff, PORT);
        self.calls += 1;
        let number = registers.edx >> 16;
        if let Some(at) = self.checkpoints.iter().position(|at| *at == self.calls) {
            self.checkpoints.remove(at);
            self.note("--", "a checkpoint: begin the message again");
            if let Some(talk) = self.channels.get_mut(&number) {
                (talk.size, talk.sent) = (0, 0);
                talk.incoming.clear();
            }
            return Registers { ecx: status::CHECKPOINT << 16, ..Registers::default() };
        }
        match registers.ecx >> 16 {
            step::OPEN => self.open(registers),
            // Nobody is there: no success.
            _ => self.go_on(number, registers).unwrap_or_default(),
        }
    }
}
