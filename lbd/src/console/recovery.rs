//! For who has lost the password, and could restart the machine: what is offered at its own terminals for some
//! seconds after a boot. Pure.

use super::menu::Order;
use super::new_password::KEYBOARD;
use super::text::{item, paragraph};
use super::{Prompt, fault};
use crate::web::password::check_password;
use crate::web::users::FIRST_USER;
use std::time::Duration;

/// For so long after its start the first console of a boot takes [`WORD`]: time to read the banner and to type it.
pub const OFFER: Duration = Duration::from_secs(30);

/// What is to be typed at the log-in.
pub const WORD: &str = "recover";

/// What the banner says while it holds.
pub(super) fn offer() -> String {
    item(
        "*",
        &format!(
            "Password lost? For {} seconds after a restart: type {WORD} and press Enter.",
            OFFER.as_secs()
        ),
    )
}

/// Where in the recovery somebody is.
#[derive(Debug)]
pub(super) struct Recovery {
    page: Page,
    has_keyboard: bool,
}

#[derive(Debug)]
enum Page {
    Choices,
    /// A new password is awaited, then the same again.
    Password(Option<String>),
    ConfirmReset,
}

/// What follows from a line.
#[derive(Debug)]
pub(super) enum Step {
    Text(String),
    Left,
    SetPassword(String),
    Order(Order),
}

impl Recovery {
    pub(super) fn new(has_keyboard: bool) -> Self {
        Self { page: Page::Choices, has_keyboard }
    }

    pub(super) fn screen(&self) -> String {
        let told = "What is done here is logged, and told by mail and traps.";
        format!(
            "\n-- Recovery --\n\n{}\n\
             \x20 1  Set a new password for {FIRST_USER}\n\
             \x20 2  Factory reset\n\
             \x20 0  Back to the log-in\n\n",
            paragraph(told, 0)
        )
    }

    pub(super) fn prompt(&self) -> Prompt {
        match self.page {
            Page::Choices => Prompt::new("Your choice: "),
            Page::Password(None) => Prompt::hidden("New password (8 to 256 characters): "),
            Page::Password(Some(_)) => Prompt::hidden("New password again: "),
            Page::ConfirmReset => Prompt::new(Order::FactoryReset.question()),
        }
    }

    pub(super) fn take(&mut self, line: &str) -> Step {
        match &mut self.page {
            Page::Choices => self.choice(line.trim()),
            Page::Password(_) if line.is_empty() => self.again(""),
            Page::Password(first @ None) => match check_password(line) {
                Ok(()) => {
                    *first = Some(line.to_owned());
                    Step::Text(String::new())
                }
                Err(wrong) => Step::Text(fault(&format!("{}; {}.", wrong.problem, wrong.remedy))),
            },
            Page::Password(Some(first)) if first == line => Step::SetPassword(line.to_owned()),
            Page::Password(first) => {
                *first = None;
                Step::Text(fault("The two are not the same; type the new password twice."))
            }
            Page::ConfirmReset if Order::FactoryReset.is_confirmed_by(line.trim()) => {
                Step::Order(Order::FactoryReset)
            }
            Page::ConfirmReset => self.again(""),
        }
    }

    fn choice(&mut self, line: &str) -> Step {
        match line {
            "1" => {
                self.page = Page::Password(None);
                let keyboard = if self.has_keyboard { paragraph(KEYBOARD, 0) } else { String::new() };
                let text = format!("Type the new password of {FIRST_USER} twice. Enter alone goes back.");
                Step::Text(format!("\n{}{keyboard}", paragraph(&text, 0)))
            }
            "2" => {
                self.page = Page::ConfirmReset;
                Step::Text(fault(Order::FactoryReset.consequence()))
            }
            "0" => Step::Left,
            "" => Step::Text(self.screen()),
            _ => Step::Text(fault("Type one of the numbers, then Enter.")),
        }
    }

    /// From the choices on, after what is to be said.
    pub(super) fn again(&mut self, text: &str) -> Step {
        self.page = Page::Choices;
        Step::Text(text.to_owned() + &self.screen())
    }
}
