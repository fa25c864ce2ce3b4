//! Debian's Chromium on a host of the lab, driven through chromedriver (W3C WebDriver) as a person would.
//!
//! The connection to chromedriver is made inside the host's namespace, like everything the browser does.

mod keyboard;
mod page;
mod story;
mod webdriver;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

pub use self::keyboard::Key;
pub use self::story::{ADMINISTRATOR, PASSWORD};
use self::webdriver::Session;
use crate::host::Host;
use crate::peers::root;
use crate::process::Process;
use crate::wait;

/// For anything that a page should show at once, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A port in the host's own namespace, where nothing else listens.
const DRIVER_PORT: u16 = 9515;

/// Light or dark, as the system of the reader would have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A running browser with one window.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    base: String,
    _driver: Arc<Process>,
    /// In memory: Chromium syncs its profile to the disk when it starts, which on a busy disk takes a minute.
    _profile: TempDir,
}

impl Browser {
    /// Starts it on `host`, to look at the WebUI at `base`, for example `https://192.168.10.10:9443`.
    pub fn start(host: &Host, base: &str) -> Self {
        wait_addresses(host);
        let mut command = host.command("chromedriver");
        command.args([&format!("--port={DRIVER_PORT}"), "--allowed-ips=127.0.0.1", "--log-level=WARNING"]);
        let driver = host.start(command, "chromedriver");
        driver.wait_listening(DRIVER_PORT);
        let profile = tempfile::tempdir_in("/dev/shm").expect("memory for a profile");
        let session = Session::open(host.namespace(), DRIVER_PORT, &capabilities(profile.path()));
        let browser = Self { session, base: base.to_owned(), _driver: driver, _profile: profile };
        browser.resize(1440, 900);
        browser
    }

    /// The size of the window's inside, in pixels.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.session.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// As if the reader's system asked for these colours.
    pub fn prefer(&self, colours: Colours) {
        let value = if colours == Colours::Dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.session.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// With or without the page's own scripts, from the next page on.
    pub fn set_scripts(&self, on: bool) {
        self.session.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": !on}));
    }

    /// Gives every request this user and password (HTTP Basic).
    pub fn authorise(&self, authorization: &str) {
        self.session.devtools("Network.enable", &json!({}));
        let headers = json!({"headers": {"Authorization": authorization}});
        self.session.devtools("Network.setExtraHTTPHeaders", &headers);
    }

    /// What a script returns that is run in the page, beside the page's own.
    pub fn evaluate(&self, expression: &str) -> Value {
        let answer = self.session.devtools(
            "Runtime.evaluate",
            &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Errors and warnings of the browser's console since the last call.
    pub fn console(&self) -> Vec<String> {
        let entries = self.session.post("se/log", &json!({"type": "browser"}));
        let entries = entries.as_array().into_iter().flatten();
        let serious = entries.filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        serious.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Asserts that the console tells of nothing but answers that refuse something (RFC 9110 section 15.5), which the browser
    /// itself writes there.
    pub fn expect_only_refusals(&self) {
        let told = self.console();
        assert!(told.iter().all(|line| line.contains("responded with a status of 4")), "{told:?}");
    }

    /// Keeps a picture of the whole page under `target/screenshots/NAME.png`.
    pub fn screenshot(&self, name: &str) {
        self.keep_picture(name, &json!({"format": "png", "captureBeyondViewport": true}));
    }

    /// The same of one element.
    pub fn screenshot_of(&self, selector: &str, name: &str) {
        let place = self.evaluate(&format!(
            "(() => {{ const box = document.querySelector({}).getBoundingClientRect(); return {{x: box.x + scrollX, \
             y: box.y + scrollY, width: box.width, height: box.height, scale: 2}}; }})()",
            json!(selector)
        ));
        self.keep_picture(name, &json!({"format": "png", "captureBeyondViewport": true, "clip": place}));
    }

    fn keep_picture(&self, name: &str, options: &Value) {
        let folder = root().join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("target folder");
        let answer = self.session.devtools("Page.captureScreenshot", options);
        let picture = answer["data"].as_str().expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), base64(picture)).expect("target folder");
    }

    /// What axe-core finds wrong on the page, each in one line; it is run beside the page's own scripts.
    pub fn accessibility_faults(&self) -> Vec<String> {
        self.evaluate(&axe_core());
        let found = self.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.help + ': ' + \
             v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')))",
        );
        let faults = found.as_array().expect("a list of violations");
        faults.iter().map(|fault| fault.as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Waits until the host has its addresses for good: Chromium drops what it loads, with ERR_NETWORK_CHANGED, when one that
/// was being probed (RFC 4862 section 5.4) becomes usable, a second or two after its interface.
fn wait_addresses(host: &Host) {
    wait::until(PATIENCE, "the host's addresses to be probed", || {
        host.run("ip -6 address show tentative").expect_ok().is_empty()
    });
}

/// Whatever would look around, ask home or make noise is switched off.
fn capabilities(profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        &profile,
    ];
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"},
        "goog:loggingPrefs": {"browser": "ALL"},
        "timeouts": {"pageLoad": 30_000, "script": 30_000},
    }}})
}

/// The text of axe-core, which `make setup` installs.
fn axe_core() -> String {
    let path: PathBuf = root().join("tests/browser/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make setup`", path.display()))
}

/// The bytes of Base64 without line breaks (RFC 4648 section 4).
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<_> = text.bytes().filter(|byte| *byte != b'=').map(digit).collect();
    let group = |digits: &[u8]| {
        let bits = digits.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - digits.len()));
        bits.to_be_bytes()[1..digits.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_read_as_it_was_written() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")]
        {
            assert_eq!(super::base64(text), bytes.as_bytes());
        }
    }
}
