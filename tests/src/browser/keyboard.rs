//! The keyboard, and where its presses go.

use serde_json::json;

use super::{Browser, PATIENCE};
use crate::wait;

/// A key as W3C WebDriver names it (section 17.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// On to what can be used next.
    Tab,
    /// Back to what can be used before.
    BackTab,
    /// Sends a form, follows a link, presses a button.
    Enter,
    /// Presses a button, ticks a box.
    Space,
    /// Marks all that stands in a field.
    SelectAll,
}

impl Key {
    fn strokes(self) -> &'static [&'static str] {
        match self {
            Self::Tab => &["\u{e004}"],
            Self::BackTab => &["\u{e008}", "\u{e004}"],
            Self::Enter => &["\u{e007}"],
            Self::Space => &[" "],
            Self::SelectAll => &["\u{e009}", "a"],
        }
    }
}

/// Nobody wants to press Tab more often than that.
const MOST_STOPS: usize = 120;

/// What is wrong with how the focus is seen; empty where it is seen. The content as a whole has it after a jump there,
/// which the eye sees by where the page begins.
const UNSEEN: &str = "(() => {
  const at = document.activeElement;
  if (!at || at === document.body) { return ''; }
  if (at.matches('main')) { return ''; }
  const style = getComputedStyle(at), box = at.getBoundingClientRect();
  const name = at.outerHTML.slice(0, 120);
  if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) { return 'no outline: ' + name; }
  if (box.width < 1 || box.right <= 0 || box.bottom <= 0 || box.top >= innerHeight) { return 'out of sight: ' + name; }
  return '';
})()";

impl Browser {
    /// Presses a key where the focus is.
    pub fn press(&self, key: Key) {
        self.strokes(key.strokes());
    }

    /// Types a text where the focus is.
    pub fn type_text(&self, text: &str) {
        for letter in text.chars() {
            self.strokes(&[&letter.to_string()]);
        }
    }

    /// Presses a key until the focus is at an element, and asserts that it is seen at every stop before.
    pub fn walk_to(&self, key: Key, selector: &str) {
        let mut seen = Vec::new();
        for _ in 0..MOST_STOPS {
            self.press(key);
            assert_eq!(self.evaluate(UNSEEN), "", "the focus is not seen on the way to {selector}");
            if self.has_focus(selector) {
                return;
            }
            seen.push(self.focus());
        }
        panic!("{selector} of {} is not reached by the keyboard: {seen:#?}", self.path());
    }

    /// Whether the focus is at this element.
    pub fn has_focus(&self, selector: &str) -> bool {
        self.evaluate(&format!("document.activeElement.matches({})", json!(selector))) == true
    }

    /// Waits until the focus is at this element.
    pub fn wait_focus(&self, selector: &str) {
        let what = format!("the focus at {selector} of {}; it is at {}", self.path(), self.focus());
        wait::until(PATIENCE, what, || self.has_focus(selector));
    }

    /// The beginning of what has the focus, for messages.
    fn focus(&self) -> String {
        let text = self.evaluate("document.activeElement.outerHTML.slice(0, 90)");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses keys one after the other, then lets them go.
    fn strokes(&self, keys: &[&str]) {
        let down = keys.iter().map(|key| json!({"type": "keyDown", "value": key}));
        let up = keys.iter().rev().map(|key| json!({"type": "keyUp", "value": key}));
        let actions: Vec<_> = down.chain(up).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.session.post("actions", &json!({"actions": [keyboard]}));
    }
}
