//! The terminal that this process stands at: its standard input and output.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, Termios, tcflush,
    tcgetattr, tcsetattr,
};

/// The kernel gives a line at a time, never a longer one (termios(3), "Canonical and noncanonical mode").
const LINE: usize = 4096;
/// What the backspace key of most keyboards sends.
const DELETE: u8 = 0x7f;

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end.
    Line(String),
    /// End of file.
    End,
    /// Nothing in time.
    Nothing,
}

/// The terminal.
#[derive(Debug)]
pub struct Terminal {
    modes: Termios,
    echoes: bool,
}

impl Terminal {
    /// Sets it up: lines are edited by the kernel; no key ends the process.
    pub fn open() -> io::Result<Self> {
        let input = io::stdin();
        let mut modes = tcgetattr(&input)?;
        modes.input_flags |= InputFlags::ICRNL | InputFlags::IUTF8;
        modes.output_flags |= OutputFlags::OPOST | OutputFlags::ONLCR;
        modes.local_flags |= LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ECHOE | LocalFlags::ECHOK;
        // With echo off the end of the line shows that it was taken.
        modes.local_flags |= LocalFlags::ECHONL;
        modes.local_flags.remove(LocalFlags::ISIG);
        modes.control_chars[SpecialCharacterIndices::VERASE as usize] = DELETE;
        tcsetattr(&input, SetArg::TCSANOW, &modes)?;
        Ok(Self { modes, echoes: true })
    }

    /// It has a keyboard and a screen of its own: a virtual terminal, `/dev/tty` and a number.
    pub fn has_keyboard() -> bool {
        let name = fs::read_link("/proc/self/fd/0").unwrap_or_default();
        let number = name.to_str().and_then(|name| name.strip_prefix("/dev/tty")).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Prints.
    pub fn print(&self, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }

    /// Prints a prompt. From before it is seen, what is typed is shown or not.
    pub fn ask(&mut self, prompt: &str, echoes: bool) -> io::Result<()> {
        if echoes != self.echoes {
            self.modes.local_flags.set(LocalFlags::ECHO, echoes);
            // Not flushed: who types ahead loses nothing.
            tcsetattr(io::stdin(), SetArg::TCSANOW, &self.modes)?;
            self.echoes = echoes;
        }
        self.print(prompt)
    }

    /// Drops what was typed so far: keys that were pressed out of impatience must not take away what is shown next.
    pub fn forget_typed(&self) -> io::Result<()> {
        Ok(tcflush(io::stdin(), FlushArg::TCIFLUSH)?)
    }

    /// Waits for a line.
    pub fn read(&self, patience: Duration) -> io::Result<Typed> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let input = io::stdin();
        let mut waited = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waited, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(Typed::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [0; LINE];
        // Not through the standard library's buffer, of which `poll` knows nothing.
        let length = fs::File::from(input.as_fd().try_clone_to_owned()?).read(&mut buffer)?;
        if length == 0 {
            return Ok(Typed::End);
        }
        let line = String::from_utf8_lossy(&buffer[..length]);
        Ok(Typed::Line(line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}
