//! Messages over VMware's port, register by register.
//!
//! A message is its length, then four bytes at a time; the same way back, and an acknowledgement. Everything that the
//! hypervisor says has a bound.

use std::fmt;

/// A call's registers, as the guest sets them and as the hypervisor leaves them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registers {
    /// The magic number.
    pub eax: u32,
    /// A length, four bytes of a message, or what is acknowledged.
    pub ebx: u32,
    /// Command and, in the upper half, its step; afterwards, in the upper half, how it went.
    pub ecx: u32,
    /// The port and, in the upper half, the channel; afterwards, in the upper half, what comes next.
    pub edx: u32,
    /// The first half of the channel's cookie.
    pub esi: u32,
    /// The second half.
    pub edi: u32,
}

/// The way to the hypervisor.
pub trait Port {
    /// One call.
    fn call(&mut self, registers: Registers) -> Registers;
}

/// "VMXh": says that a read of the port is a call.
pub const MAGIC: u32 = 0x564d_5868;
/// The port of short calls.
pub const PORT: u32 = 0x5658;
/// The command "message".
pub const MESSAGE: u32 = 0x1e;
/// Ask for a cookie, without which nobody else can speak in the channel.
pub const WITH_COOKIE: u32 = 0x8000_0000;

/// Steps of a message, in the upper half of `ecx`.
pub mod step {
    /// Open a channel.
    pub const OPEN: u32 = 0;
    /// Send a length.
    pub const SEND_SIZE: u32 = 1;
    /// Send four bytes.
    pub const SEND: u32 = 2;
    /// Ask for the length of what waits.
    pub const RECEIVE_SIZE: u32 = 3;
    /// Ask for four bytes.
    pub const RECEIVE: u32 = 4;
    /// Acknowledge a whole message.
    pub const ACKNOWLEDGE: u32 = 5;
    /// Close a channel.
    pub const CLOSE: u32 = 6;
}

/// How a step went, in the upper half of `ecx`.
pub mod status {
    /// It went well.
    pub const SUCCESS: u32 = 1;
    /// A message waits.
    pub const WAITS: u32 = 2;
    /// The machine was moved, resumed or reverted in between: begin the message again.
    pub const CHECKPOINT: u32 = 0x10;
}

/// Who begins a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The guest asks, the hypervisor answers.
    Rpci,
    /// The hypervisor asks whenever the guest looks for a question.
    Tclo,
}

impl Protocol {
    /// Its name as four bytes.
    pub fn number(self) -> u32 {
        match self {
            Self::Rpci => 0x4943_5052,
            Self::Tclo => 0x4f4c_4354,
        }
    }
}

/// What the hypervisor may send in one message. Real questions and answers have some hundred bytes.
pub const LARGEST: u32 = 64 << 10;

/// A machine is not moved twice within one message.
const ATTEMPTS: usize = 3;

/// Why a message did not pass. The channel is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelError {
    /// There is no channel.
    Refused(Protocol),
    /// A step failed: the channel is closed, or the machine was moved.
    Failed(&'static str),
    /// So many bytes were announced.
    TooLarge(u32),
    /// The machine was moved again and again.
    Restless,
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(protocol) => write!(f, "VMware opens no channel ({protocol:?})"),
            Self::Failed(step) => write!(f, "VMware's channel failed {step}"),
            Self::TooLarge(size) => {
                write!(f, "VMware announced a message of {size} bytes; {LARGEST} are the most")
            }
            Self::Restless => f.write_str("VMware had the same message begun again and again"),
        }
    }
}

impl std::error::Error for ChannelError {}

/// An open channel.
#[derive(Debug, PartialEq, Eq)]
pub struct Channel {
    number: u32,
    cookie: (u32, u32),
}

/// How one attempt at a message ended, if well.
enum Attempt<T> {
    Done(T),
    Again,
}

impl Channel {
    /// Opens one.
    pub fn open(port: &mut impl Port, protocol: Protocol) -> Result<Self, ChannelError> {
        let answer = port.call(Registers {
            eax: MAGIC,
            ebx: protocol.number() | WITH_COOKIE,
            ecx: step::OPEN << 16 | MESSAGE,
            edx: PORT,
            ..Registers::default()
        });
        match answer.ecx >> 16 & status::SUCCESS {
            0 => Err(ChannelError::Refused(protocol)),
            _ => Ok(Self { number: answer.edx >> 16, cookie: (answer.esi, answer.edi) }),
        }
    }

    /// Closes it. What is refused here is closed already.
    pub fn close(self, port: &mut impl Port) {
        self.step(port, step::CLOSE, 0);
    }

    /// Sends a message; an empty one asks whether there is a question.
    pub fn send(&self, port: &mut impl Port, message: &[u8]) -> Result<(), ChannelError> {
        persistently(|| self.try_to_send(port, message))
    }

    /// Takes the message that waits, if one does.
    pub fn receive(&self, port: &mut impl Port) -> Result<Option<Vec<u8>>, ChannelError> {
        persistently(|| self.try_to_receive(port))
    }

    fn try_to_send(&self, port: &mut impl Port, message: &[u8]) -> Result<Attempt<()>, ChannelError> {
        // Ours are shorter by far.
        let size = u32::try_from(message.len()).map_err(|_| ChannelError::TooLarge(u32::MAX))?;
        let pieces = message.chunks(4).map(|piece| {
            let mut word = [0; 4];
            word[..piece.len()].copy_from_slice(piece);
            (step::SEND, u32::from_le_bytes(word))
        });
        for (step, value) in std::iter::once((step::SEND_SIZE, size)).chain(pieces) {
            let answer = self.step(port, step, value);
            if let Outcome::Again = outcome(answer, "while a message was sent")? {
                return Ok(Attempt::Again);
            }
        }
        Ok(Attempt::Done(()))
    }

    fn try_to_receive(&self, port: &mut impl Port) -> Result<Attempt<Option<Vec<u8>>>, ChannelError> {
        let answer = self.step(port, step::RECEIVE_SIZE, 0);
        if let Outcome::Again = outcome(answer, "when it was asked for a message")? {
            return Ok(Attempt::Again);
        }
        if answer.ecx >> 16 & status::WAITS == 0 {
            return Ok(Attempt::Done(None));
        }
        let size = answer.ebx;
        if answer.edx >> 16 != step::SEND_SIZE {
            return Err(ChannelError::Failed("when it was asked for a message: something else came"));
        }
        if size > LARGEST {
            return Err(ChannelError::TooLarge(size));
        }
        let mut message = Vec::with_capacity(size as usize);
        while message.len() < size as usize {
            let answer = self.step(port, step::RECEIVE, status::SUCCESS);
            if let Outcome::Again = outcome(answer, "while a message came")? {
                return Ok(Attempt::Again);
            }
            if answer.edx >> 16 != step::SEND {
                return Err(ChannelError::Failed("while a message came: something else did"));
            }
            message.extend(answer.ebx.to_le_bytes());
        }
        message.truncate(size as usize);
        let answer = self.step(port, step::ACKNOWLEDGE, status::SUCCESS);
        match outcome(answer, "when a message was acknowledged")? {
            Outcome::Done => Ok(Attempt::Done(Some(message))),
            Outcome::Again => Ok(Attempt::Again),
        }
    }

    fn step(&self, port: &mut impl Port, step: u32, value: u32) -> Registers {
        port.call(Registers {
            eax: MAGIC,
            ebx: value,
            ecx: step << 16 | MESSAGE,
            edx: self.number << 16 | PORT,
            esi: self.cookie.0,
            edi: self.cookie.1,
        })
    }
}

enum Outcome {
    Done,
    Again,
}

fn outcome(answer: Registers, when: &'static str) -> Result<Outcome, ChannelError> {
    let status = answer.ecx >> 16;
    if status & status::SUCCESS != 0 {
        Ok(Outcome::Done)
    } else if status & status::CHECKPOINT != 0 {
        Ok(Outcome::Again)
    } else {
        Err(ChannelError::Failed(when))
    }
}

fn persistently<T>(mut attempt: impl FnMut() -> Result<Attempt<T>, ChannelError>) -> Result<T, ChannelError> {
    for _ in 0..ATTEMPTS {
        if let Attempt::Done(done) = attempt()? {
            return Ok(done);
        }
    }
    Err(ChannelError::Restless)
}
