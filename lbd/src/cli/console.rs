//! `lbd console`: the dialogue of [`crate::console`] at this terminal, with what it asks for done over lbd's socket.

mod asker;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::failure::CommandError;
use super::outlived::is_outlived;
use crate::console::recovery::OFFER;
use crate::console::terminal::{Terminal, Typed};
use crate::console::{Console as Dialogue, Effect, IDLE, Input, Outcome, Turn};
use crate::update::INIT_SOCKET;
use asker::Asker;

/// How often the banner is looked at while nobody types.
const NEWS: Duration = Duration::from_secs(3);

const EXAMPLES: &str = "Examples:
  lbd console            # as root, at any terminal of the machine";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Console {
    /// Socket of the running daemon
    #[arg(long, value_name = "SOCKET", default_value = "/var/lib/evenkeel/lbd.sock")]
    control_socket: PathBuf,
    /// Socket of the appliance's first process, which restarts the machine and switches it off
    #[arg(long, value_name = "SOCKET", default_value = INIT_SOCKET)]
    init_socket: PathBuf,
    /// Offer a new password and the factory reset for the next 30 seconds
    #[arg(long, hide = true)]
    offers_recovery: bool,
}

/// Returns when the terminal has gone, or another version of lbd takes over.
pub(super) fn carry_out(
    Console { control_socket, init_socket, offers_recovery }: Console,
) -> Result<(), CommandError> {
    let terminal = Terminal::open().map_err(|error| {
        format!("taking over the terminal: {error}; standard input must be a terminal, not a file or a pipe")
    })?;
    let asker = Asker::new(control_socket, init_socket);
    let dialogue = Dialogue::new(asker.host_name(), Terminal::has_keyboard(), offers_recovery);
    let offer_ends = offers_recovery.then(|| Instant::now() + OFFER);
    let lived = Session { terminal, asker, dialogue, offer_ends }.live();
    lived.map_err(|ended| format!("the terminal cannot be read or written any more: {ended}").into())
}

struct Session {
    terminal: Terminal,
    asker: Asker,
    dialogue: Dialogue,
    /// None where there is no offer of recovery, or no more.
    offer_ends: Option<Instant>,
}

impl Session {
    fn live(mut self) -> std::io::Result<()> {
        let first = Input::Outcome(Outcome::Looked(self.asker.look()));
        self.go_on(first)?;
        while let Some(input) = self.next()? {
            self.go_on(input)?;
        }
        Ok(())
    }

    /// One step, and the effects that follow from it.
    fn go_on(&mut self, input: Input) -> std::io::Result<()> {
        let mut turn = self.dialogue.take(input);
        loop {
            let Turn { text, effect } = turn;
            self.terminal.print(&text)?;
            let Some(effect) = effect else { return Ok(()) };
            let is_waited_for = matches!(effect, Effect::Use(_));
            let outcome = self.asker.perform(effect);
            if is_waited_for {
                self.terminal.forget_typed()?;
            }
            turn = self.dialogue.take(Input::Outcome(outcome));
        }
    }

    /// Asks at the prompt, until something happens; none where another version of lbd takes over and nobody is logged in.
    fn next(&mut self) -> std::io::Result<Option<Input>> {
        let since = Instant::now();
        self.ask()?;
        loop {
            let typed = self.terminal.read(NEWS)?;
            self.end_offer()?;
            match typed {
                Typed::Line(line) => return Ok(Some(Input::Line(line))),
                Typed::End => {
                    self.terminal.print("\n")?;
                    return Ok(Some(Input::End));
                }
                Typed::Nothing if self.dialogue.can_idle() => {
                    if since.elapsed() >= IDLE {
                        return Ok(Some(Input::Idle));
                    }
                }
                Typed::Nothing if is_outlived() => {
                    // The banner of the next one comes on a line of its own.
                    self.terminal.print("\n")?;
                    return Ok(None);
                }
                Typed::Nothing => {
                    let news = Input::News(self.asker.news());
                    self.tell(news)?;
                }
            }
        }
    }

    /// Before what was typed is looked at: it may have been too late.
    fn end_offer(&mut self) -> std::io::Result<()> {
        match self.offer_ends.take_if(|end| *end <= Instant::now()) {
            Some(_) => self.tell(Input::OfferEnds),
            None => Ok(()),
        }
    }

    /// What nobody asked for, and the prompt again.
    fn tell(&mut self, input: Input) -> std::io::Result<()> {
        let Turn { text, .. } = self.dialogue.take(input);
        if text.is_empty() {
            return Ok(());
        }
        self.terminal.print(&text)?;
        self.ask()
    }

    fn ask(&mut self) -> std::io::Result<()> {
        let prompt = self.dialogue.prompt();
        self.terminal.ask(&prompt.text, prompt.echoes)
    }
}
