//! The console: what people see and type at the machine's own terminals.
//!
//! ```text
//!  line typed, outcome --> Console (pure) --> text, prompt, effect --> cli/console.rs: the terminal, lbd's socket
//! ```
//! [`Console`] is a state machine without I/O and without a clock. It writes lines of plain ASCII and nothing that moves
//! a cursor, so that a dumb serial line shows the same as a screen. The terminal's own line editing is used.

pub mod banner;
pub mod facts;
pub mod menu;
pub mod recovery;
pub mod terminal;
pub mod text;
mod tools;
pub mod wizard;

mod exchange;
mod new_password;
mod versions;

#[cfg(test)]
mod tests;

use std::time::Duration;

use banner::banner;
pub use exchange::{Admitted, Effect, Input, Outcome, Prompt, Turn};
use facts::{Daemon, Facts};
use menu::Menu;
use new_password::NewPassword;
use recovery::Recovery;
use text::{cleaned, item, paragraph};
use tools::Toolbox;
use wizard::Wizard;

use crate::web::users::FIRST_USER;

/// Somebody who is logged in and types nothing for so long has left.
pub const IDLE: Duration = Duration::from_secs(600);

/// Who may start the wizard before there is anybody else, and with which password (product specification).
const SETUP: &str = "setup";
/// What people type who are used to Linux: the same as [`FIRST_USER`] (product specification: one password for both).
const ROOT: &str = "root";

/// A fault, as it is shown between what was typed and the next prompt.
pub(super) fn fault(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("\n{}", item("!", &text))
}

/// The console of one terminal.
#[derive(Debug)]
pub struct Console {
    daemon: Daemon,
    place: Place,
    /// Who is logged in.
    user: Option<String>,
    /// Keys are those of a keyboard, which the kernel takes for an American one.
    has_keyboard: bool,
    /// The machine has just been started: who stands here may recover it.
    offers_recovery: bool,
    host_name: String,
}

#[derive(Debug)]
enum Place {
    /// A name is awaited.
    Name,
    /// Their password is, or has been typed and is being verified.
    Password {
        user: String,
        typed: String,
    },
    /// The administrator's choice is.
    Menu(Menu),
    Tools(Toolbox),
    Recovery(Recovery),
    /// A new password, by choice or because the present one is for one time only.
    NewPassword(NewPassword),
    Wizard(Box<Wizard>),
    /// The wizard is done; the last screen waits for Enter, with this to be said on it.
    Complete(Option<String>),
}

impl Console {
    /// At a machine that has only just started.
    pub fn new(host_name: String, has_keyboard: bool, offers_recovery: bool) -> Self {
        Self {
            daemon: Daemon::Starting,
            place: Place::Name,
            user: None,
            has_keyboard,
            offers_recovery,
            host_name,
        }
    }

    /// Somebody is on the way: the time without typing counts.
    pub fn can_idle(&self) -> bool {
        !matches!(self.place, Place::Name)
    }

    /// What stands before the cursor.
    pub fn prompt(&self) -> Prompt {
        match &self.place {
            Place::Name => Prompt::new(format!("{} login: ", text::plain(&self.host_name))),
            Place::Password { .. } => Prompt::hidden("Password: "),
            Place::Menu(menu) => menu.prompt(),
            Place::Tools(toolbox) => toolbox.prompt(),
            Place::Recovery(recovery) => recovery.prompt(),
            Place::NewPassword(form) => form.prompt(),
            Place::Wizard(wizard) => wizard.prompt(),
            Place::Complete(_) => Prompt::new("Press Enter: "),
        }
    }

    /// One step.
    pub fn take(&mut self, input: Input) -> Turn {
        match input {
            Input::Line(line) => self.line(&cleaned(&line)),
            Input::End => self.leave(""),
            Input::Idle => self.leave("\nNothing was typed for ten minutes.\n"),
            Input::OfferEnds => self.shown_anew(|console| console.offers_recovery = false),
            Input::News(daemon) => self.shown_anew(|console| console.know(daemon)),
            Input::Outcome(outcome) => self.outcome(outcome),
        }
    }

    /// The banner, if the change makes another one of it and nobody is busy with something else.
    fn shown_anew(&mut self, change: impl FnOnce(&mut Self)) -> Turn {
        let before = self.banner();
        change(self);
        match matches!(self.place, Place::Name) && self.banner() != before {
            true => Turn::say(format!("\n{}", self.banner())),
            false => Turn::default(),
        }
    }

    fn banner(&self) -> String {
        banner(&self.daemon, self.offers_recovery)
    }

    fn know(&mut self, daemon: Daemon) {
        if let Daemon::Answers(facts) = &daemon {
            self.host_name.clone_from(&facts.host_name);
        }
        self.daemon = daemon;
    }

    fn facts(&self) -> Option<&Facts> {
        match &self.daemon {
            Daemon::Answers(facts) => Some(facts),
            Daemon::Starting | Daemon::Silent(_) => None,
        }
    }

    /// Back to the log-in. What was typed into the wizard is gone.
    fn leave(&mut self, why: &str) -> Turn {
        self.place = Place::Name;
        let effect = if self.user.take().is_some() { Effect::LogOut } else { Effect::Look };
        Turn::say(why).and(effect)
    }

    fn line(&mut self, line: &str) -> Turn {
        match &mut self.place {
            Place::Name => self.name(line.trim()),
            Place::Password { user, typed } => {
                line.clone_into(typed);
                let user = user.clone();
                self.password(user, line)
            }
            Place::Menu(menu) => {
                let chosen = menu.take(line.trim());
                self.chosen(chosen)
            }
            Place::Tools(toolbox) => {
                let step = toolbox.take(line.trim());
                self.used(step)
            }
            Place::Recovery(recovery) => {
                let step = recovery.take(line);
                self.recovered(step)
            }
            Place::NewPassword(form) => match form.take(line) {
                new_password::Step::Text(text) => Turn::say(text),
                new_password::Step::Left => self.back_to_menu(),
                new_password::Step::Change { current, new } => {
                    Turn::act(Effect::ChangePassword { current, new })
                }
            },
            Place::Wizard(wizard) => {
                let step = wizard.take(line);
                self.stepped(step)
            }
            Place::Complete(_) => self.after_wizard(),
        }
    }

    fn name(&mut self, name: &str) -> Turn {
        if name.is_empty() {
            return Turn::act(Effect::Look);
        }
        if self.offers_recovery && name == recovery::WORD {
            self.place = Place::Recovery(Recovery::new(self.has_keyboard));
            let wait = if self.facts().is_none() { "\nWaiting for lbd ...\n" } else { "" };
            return Turn::say(wait).and(Effect::TellRecovery);
        }
        let Some(facts) = self.facts() else {
            return Turn::say(fault("Nobody can log in while lbd does not answer.")).and(Effect::Look);
        };
        if !facts.is_configured && name != SETUP {
            let text = "No password is set yet. Log in as setup, with the password setup, and set one.";
            return Turn::say(fault(text));
        }
        if facts.is_configured && name == SETUP {
            let text = paragraph(
                "The appliance is configured: the wizard is in the menu of an administrator. Log in as loadbalancer.",
                0,
            );
            return Turn::say(format!("\n{text}\n"));
        }
        let user = if name == ROOT { FIRST_USER } else { name };
        self.place = Place::Password { user: user.to_owned(), typed: String::new() };
        Turn::default()
    }

    fn password(&mut self, user: String, line: &str) -> Turn {
        let Some(facts) = self.facts().filter(|facts| !facts.is_configured) else {
            return Turn::act(Effect::LogIn { user, password: line.to_owned() });
        };
        if line != SETUP {
            self.place = Place::Name;
            return Turn::say(fault("Login incorrect. The password of setup is setup."));
        }
        let wizard = Wizard::new(facts, self.has_keyboard);
        self.start(wizard)
    }

    fn used(&mut self, step: tools::Step) -> Turn {
        match step {
            tools::Step::Text(text) => Turn::say(text),
            tools::Step::Left => self.back_to_menu(),
            tools::Step::Use(tool) => {
                Turn::say("\nTrying it: half a minute at most ...\n").and(Effect::Use(tool))
            }
        }
    }

    fn recovered(&mut self, step: recovery::Step) -> Turn {
        match step {
            recovery::Step::Text(text) => Turn::say(text),
            recovery::Step::Left => self.leave(""),
            recovery::Step::SetPassword(password) => Turn::act(Effect::RecoverPassword(password)),
            recovery::Step::Order(order) => Turn::act(Effect::Order(order)),
        }
    }

    fn start(&mut self, wizard: Wizard) -> Turn {
        let text = wizard.screen();
        self.place = Place::Wizard(Box::new(wizard));
        Turn::say(text)
    }

    fn stepped(&mut self, step: wizard::Step) -> Turn {
        match step {
            wizard::Step::Text(text) => Turn::say(text),
            wizard::Step::Probe(interface, address) => {
                Turn::say("\nAsking whether somebody uses it ...\n").and(Effect::Probe { interface, address })
            }
            wizard::Step::Apply(answers) => {
                Turn::say("\nApplying ...\n").and(Effect::Apply(Box::new(answers)))
            }
            wizard::Step::Left => {
                let text = fault("The wizard was left. Nothing was changed.");
                let turn = self.after_wizard();
                Turn { text: text + &turn.text, effect: turn.effect }
            }
        }
    }

    fn after_wizard(&mut self) -> Turn {
        match self.user {
            Some(_) => self.back_to_menu(),
            None => self.leave(""),
        }
    }

    fn back_to_menu(&mut self) -> Turn {
        if self.user.is_none() {
            return self.leave("");
        }
        let menu = Menu::default();
        let text = menu.screen(&self.host_name);
        self.place = Place::Menu(menu);
        Turn::say(text)
    }

    fn chosen(&mut self, chosen: menu::Chosen) -> Turn {
        match (chosen, self.facts()) {
            (menu::Chosen::Text(text), _) => Turn::say(text),
            (menu::Chosen::Again, _) => self.back_to_menu(),
            (menu::Chosen::LogOut, _) => self.leave(""),
            (menu::Chosen::Order(order), _) => Turn::act(Effect::Order(order)),
            (menu::Chosen::Versions, _) => Turn::act(Effect::AskVersions),
            (menu::Chosen::Status | menu::Chosen::Network, _) => Turn::act(Effect::Look),
            (menu::Chosen::Wizard, Some(facts)) => {
                let wizard = Wizard::new(facts, self.has_keyboard);
                self.start(wizard)
            }
            (menu::Chosen::Wizard, None) => {
                Turn::say(fault("The wizard cannot begin while lbd does not answer.")).and(Effect::Look)
            }
            (menu::Chosen::Tools, _) => {
                let toolbox = Toolbox::default();
                let text = toolbox.screen();
                self.place = Place::Tools(toolbox);
                Turn::say(text)
            }
            (menu::Chosen::NewPassword, _) => {
                let form = NewPassword::by_choice(self.has_keyboard);
                let text = form.screen();
                self.place = Place::NewPassword(form);
                Turn::say(text)
            }
        }
    }

    fn outcome(&mut self, outcome: Outcome) -> Turn {
        match outcome {
            Outcome::Looked(daemon) => self.looked(daemon),
            Outcome::LoggedIn(Ok(admitted)) => self.logged_in(admitted),
            Outcome::LoggedIn(Err(why)) => {
                self.place = Place::Name;
                Turn::say(fault(&format!("Login incorrect: {why}")))
            }
            Outcome::LoggedOut => Turn::act(Effect::Look),
            Outcome::Found(found) => match &mut self.place {
                Place::Tools(toolbox) => {
                    let step = toolbox.found(found);
                    self.used(step)
                }
                _ => Turn::default(),
            },
            Outcome::Probed(found) => match &mut self.place {
                Place::Wizard(wizard) => {
                    let step = wizard.probed(found);
                    self.stepped(step)
                }
                _ => Turn::default(),
            },
            Outcome::Applied(Ok(note)) => {
                // A new password has ended all sessions.
                if matches!(&self.place, Place::Wizard(wizard) if wizard.sets_password()) {
                    self.user = None;
                }
                self.place = Place::Complete(note);
                Turn::act(Effect::Look)
            }
            Outcome::Applied(Err(why)) => match &self.place {
                Place::Wizard(wizard) => Turn::say(fault(&why) + &wizard.screen()),
                _ => Turn::say(fault(&why)),
            },
            Outcome::PasswordChanged(Ok(())) => {
                self.place = Place::Name;
                self.user = None;
                Turn::say("\nThe password is changed. Log in with it.\n").and(Effect::Look)
            }
            Outcome::PasswordChanged(Err(why)) => match &mut self.place {
                Place::NewPassword(form) => Turn::say(fault(&why) + &form.again()),
                _ => Turn::say(fault(&why)),
            },
            Outcome::RecoveryTold => match &self.place {
                Place::Recovery(recovery) => Turn::say(recovery.screen()),
                _ => Turn::default(),
            },
            Outcome::PasswordRecovered(Ok(())) => {
                self.place = Place::Name;
                let text = format!("\nThe password is changed. Log in as {FIRST_USER} with it.\n");
                Turn::say(text).and(Effect::Look)
            }
            Outcome::PasswordRecovered(Err(why)) => self.refused(&why),
            Outcome::Ordered(Ok(order)) => {
                (self.place, self.user) = (Place::Name, None);
                Turn::say(match order.ends_machine() {
                    true => "\nThe machine ends now.\n",
                    false => "\nlbd ends now, and starts again.\n",
                })
            }
            Outcome::Ordered(Err(why)) => self.refused(&why),
            Outcome::Versions(Ok(told)) => Turn::say(versions::page(&told)),
            Outcome::Versions(Err(why)) => self.refused(&why),
        }
    }

    /// Back to where it was asked for.
    fn refused(&mut self, why: &str) -> Turn {
        if let Place::Recovery(recovery) = &mut self.place {
            let step = recovery.again(&fault(why));
            return self.recovered(step);
        }
        let turn = self.back_to_menu();
        Turn { text: fault(why) + &turn.text, effect: turn.effect }
    }

    fn looked(&mut self, daemon: Daemon) -> Turn {
        self.know(daemon);
        match &mut self.place {
            Place::Name => Turn::say(self.banner()),
            Place::Menu(menu) => Turn::say(menu.page(&self.daemon)),
            Place::Complete(note) => Turn::say(wizard::complete(&self.daemon, note.as_deref())),
            Place::Password { .. }
            | Place::Tools(_)
            | Place::Recovery(_)
            | Place::NewPassword(_)
            | Place::Wizard(_) => Turn::default(),
        }
    }

    fn logged_in(&mut self, admitted: Admitted) -> Turn {
        let Admitted { user, is_administrator, must_change } = admitted;
        let Place::Password { typed, .. } = &mut self.place else { return Turn::default() };
        let password = std::mem::take(typed);
        self.user = Some(user);
        if !is_administrator {
            let text = "The console is for administrators. Use the WebUI, which shows what you may do.";
            return self.leave(&fault(text));
        }
        if must_change {
            let form = NewPassword::after_one_time(password, self.has_keyboard);
            let text = form.screen();
            self.place = Place::NewPassword(form);
            return Turn::say(text);
        }
        self.back_to_menu()
    }
}
