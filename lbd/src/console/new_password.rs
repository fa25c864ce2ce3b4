//! A new password for who is logged in: the present one, and the new one twice.

use super::text::paragraph;
use super::{Prompt, fault};
use crate::web::password::check_password;

/// Where the keyboard's own layout matters: nothing that is typed can be seen.
pub(super) const KEYBOARD: &str = "This keyboard counts as an American one, whatever is printed on its keys: on others y \
                                   and z and most signs lie elsewhere. Letters a to x and digits are safe.";

/// What was typed so far.
#[derive(Debug)]
pub(super) struct NewPassword {
    current: Option<String>,
    new: Option<String>,
    /// The present one opens nothing else.
    is_forced: bool,
    has_keyboard: bool,
}

/// What follows from a line.
#[derive(Debug)]
pub(super) enum Step {
    Text(String),
    Left,
    Change { current: String, new: String },
}

impl NewPassword {
    pub(super) fn by_choice(has_keyboard: bool) -> Self {
        Self { current: None, new: None, is_forced: false, has_keyboard }
    }

    pub(super) fn after_one_time(current: String, has_keyboard: bool) -> Self {
        Self { current: Some(current), new: None, is_forced: true, has_keyboard }
    }

    pub(super) fn screen(&self) -> String {
        let reason = match self.is_forced {
            true => {
                "You logged in with a password that is good for one thing only: to choose one of your own."
            }
            false => "Type the present password, then the new one twice. Enter alone goes back.",
        };
        let keyboard = if self.has_keyboard { paragraph(KEYBOARD, 0) } else { String::new() };
        format!("\n-- Change your password --\n\n{}{keyboard}\n", paragraph(reason, 0))
    }

    pub(super) fn prompt(&self) -> Prompt {
        Prompt::hidden(match (&self.current, &self.new) {
            (None, _) => "Present password: ",
            (Some(_), None) => "New password (8 to 256 characters): ",
            (Some(_), Some(_)) => "New password again: ",
        })
    }

    pub(super) fn take(&mut self, line: &str) -> Step {
        if line.is_empty() {
            return Step::Left;
        }
        match (&self.current, &self.new) {
            (None, _) => self.current = Some(line.to_owned()),
            (Some(current), None) => {
                if let Err(wrong) = check_password(line) {
                    return Step::Text(fault(&format!("{}; {}.", wrong.problem, wrong.remedy)));
                }
                if line == current {
                    return Step::Text(fault("This is the present password; choose another one."));
                }
                self.new = Some(line.to_owned());
            }
            (Some(current), Some(new)) if new == line => {
                return Step::Change { current: current.clone(), new: new.clone() };
            }
            (Some(_), Some(_)) => {
                self.new = None;
                return Step::Text(fault("The two are not the same; type the new password twice."));
            }
        }
        Step::Text(String::new())
    }

    /// It was refused: from the beginning.
    pub(super) fn again(&mut self) -> String {
        self.new = None;
        if !self.is_forced {
            self.current = None;
        }
        self.screen()
    }
}
