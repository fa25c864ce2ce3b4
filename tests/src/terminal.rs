//! Somebody at a terminal: at a line (a machine's serial port, or a program's own terminal), or at a machine's keyboard
//! and screen.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::vm::Machine;
use crate::wait;

/// What is at the other end of a line.
#[derive(Debug, Clone)]
pub enum End {
    /// A machine's serial port.
    Machine(Arc<Machine>),
    /// `script` (util-linux), which gives a program a terminal.
    Program(Arc<Process>),
}

impl End {
    fn said(&self) -> String {
        match self {
            Self::Machine(machine) => machine.serial(),
            Self::Program(program) => program.log(),
        }
    }

    fn send(&self, line: &str) {
        match self {
            Self::Machine(machine) => machine.send(&format!("{line}\r")),
            Self::Program(program) => program.write_line(line),
        }
    }

    fn expect_running(&self) {
        match self {
            Self::Machine(machine) => machine.expect_running(),
            Self::Program(program) => assert!(program.exited().is_none(), "it has ended:\n{}", program.log()),
        }
    }
}

/// A line. What has been read is not read again.
#[derive(Debug)]
pub struct Line {
    end: End,
    /// Bytes of what was said.
    read: usize,
    patience: Duration,
}

impl Line {
    /// Reads from the beginning of what has been said.
    pub fn to(end: End, patience: Duration) -> Self {
        Self { end, read: 0, patience }
    }

    /// Waits until this is said; returns what was said before.
    pub fn expect(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            self.end.expect_running();
            let rest = self.rest();
            if let Some(at) = rest.find(text) {
                self.read += at + text.len();
                return rest[..at].to_owned();
            }
            assert!(begun.elapsed() < self.patience, "still waiting for {text:?} on the line after:\n{rest}");
            wait::pause(begun);
        }
    }

    /// Waits for a prompt, and answers it; returns what was said before the prompt.
    pub fn answer(&mut self, prompt: &str, line: &str) -> String {
        let said = self.expect(prompt);
        self.end.send(line);
        said
    }

    /// Everything that was said.
    pub fn all(&self) -> String {
        self.end.said()
    }

    /// Everything that was not read yet.
    pub fn rest(&self) -> String {
        self.all().get(self.read..).unwrap_or_default().to_owned()
    }
}

/// So many bytes of a picture are the cursor, which blinks: a line below a character, 8 by 2 pixels of three bytes.
const CURSOR: usize = 8 * 2 * 3;
/// A picture stands when it has not changed for so long: longer than an address is asked for and a password verified.
const STANDS: Duration = Duration::from_secs(4);

/// At the keyboard and the screen.
#[derive(Debug)]
pub struct Keyboard {
    machine: Arc<Machine>,
    seen: Vec<u8>,
    patience: Duration,
}

impl Keyboard {
    /// Takes what the screen shows now as seen.
    pub fn of(machine: Arc<Machine>, patience: Duration) -> Self {
        let seen = machine.screen();
        Self { machine, seen, patience }
    }

    /// Types a line and Enter, waits until the screen shows something else and stands still, and keeps it as
    /// `target/screenshots/NAME.png`.
    pub fn types(&mut self, line: &str, name: &str) {
        for c in line.chars().chain(['\n']) {
            self.machine.press(&keys(c));
        }
        self.seen = self.settled();
        self.keep(name);
    }

    /// Waits until the screen shows something else than what was seen, and stands still.
    fn settled(&self) -> Vec<u8> {
        let shown = wait::until_some(self.patience, "another picture on the screen", || {
            self.machine.expect_running();
            let shown = self.machine.screen();
            (difference(&shown, &self.seen) > CURSOR).then_some(shown)
        });
        let mut last = (shown.0, Instant::now());
        wait::until(self.patience, "the screen to stand still", || {
            let shown = self.machine.screen();
            if difference(&shown, &last.0) > CURSOR {
                last = (shown, Instant::now());
            }
            last.1.elapsed() >= STANDS
        });
        last.0
    }

    /// Keeps the picture that was seen last.
    fn keep(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        std::fs::create_dir_all(&folder).expect("target folder");
        let file = folder.join(format!("{name}.png"));
        self.machine.qmp("screendump", serde_json::json!({ "filename": file, "format": "png" }));
        assert!(file.is_file(), "{} was not written", file.display());
    }
}

/// Bytes that differ; all of them where the sizes do.
fn difference(one: &[u8], other: &[u8]) -> usize {
    if one.len() != other.len() {
        return one.len().max(other.len());
    }
    one.iter().zip(other).filter(|(one, other)| one != other).count()
}

/// The keys of a character on an American keyboard, as QEMU names them.
fn keys(c: char) -> Vec<&'static str> {
    const LETTERS: [&str; 26] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t",
        "u", "v", "w", "x", "y", "z",
    ];
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match c {
        'a'..='z' => vec![LETTERS[c as usize - 'a' as usize]],
        '0'..='9' => vec![DIGITS[c as usize - '0' as usize]],
        '.' => vec!["dot"],
        '/' => vec!["slash"],
        ' ' => vec!["spc"],
        '\n' => vec!["ret"],
        other => panic!("no key is known for {other:?}"),
    }
}
