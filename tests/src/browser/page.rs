//! What a person does with a page: reads, clicks, types, waits.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Browser, PATIENCE};
use crate::wait;

/// The key of an element in WebDriver's answers (W3C WebDriver section 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// Opens a page of the WebUI.
    pub fn open(&self, path: &str) {
        self.session.post("url", &json!({"url": format!("{}{path}", self.base)}));
    }

    /// Goes back to the page before.
    pub fn go_back(&self) {
        self.session.post("back", &json!({}));
    }

    /// Path and query of the page shown.
    pub fn path(&self) -> String {
        let url = self.session.get("url");
        url.as_str().unwrap_or_default().trim_start_matches(&self.base).to_owned()
    }

    /// The text of the page as it is seen; of one element with a CSS selector.
    pub fn text(&self, selector: &str) -> String {
        wait::until_some(PATIENCE, format!("{selector} on the page"), || self.text_of(selector)).0
    }

    /// Waits until the text of an element contains `words`; returns how long it took.
    pub fn wait_text(&self, selector: &str, words: &str) -> Duration {
        let start = std::time::Instant::now();
        loop {
            let text = self.text_of(selector);
            if text.as_ref().is_some_and(|text| text.contains(words)) {
                return start.elapsed();
            }
            assert!(
                start.elapsed() < PATIENCE,
                "waiting for \"{words}\" in {selector} of {}, which says: {text:?}; page: {}",
                self.path(),
                self.text("body")
            );
            wait::pause(start);
        }
    }

    /// Waits until there is such an element that is shown.
    pub fn wait_seen(&self, selector: &str) {
        let start = std::time::Instant::now();
        while !self.is_seen(selector) {
            let page = || self.text_of("body");
            assert!(start.elapsed() < PATIENCE, "no {selector} on {}; page: {:?}", self.path(), page());
            wait::pause(start);
        }
    }

    /// Clicks an element, and waits for the page that follows.
    pub fn click(&self, selector: &str) {
        self.on(selector, "click", &json!({}));
    }

    /// Replaces what stands in a field.
    pub fn fill(&self, selector: &str, text: &str) {
        self.on(selector, "clear", &json!({}));
        if !text.is_empty() {
            self.on(selector, "value", &json!({"text": text}));
        }
    }

    /// Chooses a file of this machine in a field for files.
    pub fn attach(&self, selector: &str, file: &Path) {
        self.on(selector, "value", &json!({"text": file}));
    }

    /// Chooses an option of a list by its value.
    pub fn choose(&self, selector: &str, value: &str) {
        self.click(&format!("{selector} option[value=\"{value}\"]"));
    }

    /// What stands in a field.
    pub fn value(&self, selector: &str) -> String {
        self.value_of(selector, "value")
    }

    /// A property of an element, for example the `href` of a link.
    pub fn value_of(&self, selector: &str, property: &str) -> String {
        let element = self.find(selector).unwrap_or_else(|| panic!("no {selector} on {}", self.path()));
        let value = self.session.get(&format!("element/{element}/property/{property}"));
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Whether there is such an element.
    pub fn has(&self, selector: &str) -> bool {
        self.find(selector).is_some()
    }

    /// Whether there is such an element that is shown.
    pub fn is_seen(&self, selector: &str) -> bool {
        self.find(selector).is_some_and(|element| {
            self.session.get(&format!("element/{element}/displayed")).as_bool() == Some(true)
        })
    }

    /// A style of an element as it is computed, for example its colour.
    pub fn style(&self, selector: &str, property: &str) -> String {
        let element = self.find(selector).unwrap_or_else(|| panic!("no {selector} on {}", self.path()));
        let value = self.session.get(&format!("element/{element}/css/{property}"));
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Agrees to what the browser asks in a window of its own.
    pub fn accept_question(&self) {
        self.session.post("alert/accept", &json!({}));
    }

    /// Declines what the browser asks in a window of its own, as Escape does.
    pub fn decline_question(&self) {
        self.session.post("alert/dismiss", &json!({}));
    }

    fn on(&self, selector: &str, action: &str, body: &Value) {
        let attempt = || match self.find(selector) {
            Some(element) => self.session.try_post(&format!("element/{element}/{action}"), body),
            None => Err("it is not on the page".into()),
        };
        let start = std::time::Instant::now();
        while let Err(error) = attempt() {
            assert!(
                start.elapsed() < PATIENCE,
                "cannot {action} {selector} on {}: {error}; page: {:?}",
                self.path(),
                self.text_of("body")
            );
            wait::pause(start);
        }
    }

    fn text_of(&self, selector: &str) -> Option<String> {
        let element = self.find(selector)?;
        let text = self.session.try_get(&format!("element/{element}/text")).ok()?;
        text.as_str().map(str::to_owned)
    }

    fn find(&self, selector: &str) -> Option<String> {
        let query = json!({"using": "css selector", "value": selector});
        let found = self.session.try_post("element", &query).ok()?;
        found[ELEMENT].as_str().map(str::to_owned)
    }
}
