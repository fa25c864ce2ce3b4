//! How stories of the WebUI begin, and how they judge a page.

use super::{Browser, Colours};
use crate::lbd::wait_https;
use crate::topology::{Lab, MANAGEMENT};

/// The first administrator.
pub const ADMINISTRATOR: &str = "loadbalancer";
/// Their password in the stories.
pub const PASSWORD: &str = "a password of the stories";

/// By how many pixels the page, or a table in its box, is too wide to be seen whole.
const TOO_WIDE: &str = "Math.max(document.documentElement.scrollWidth - window.innerWidth, \
                        ...[...document.querySelectorAll('.scroll')].map(box => box.scrollWidth - box.clientWidth))";

impl Browser {
    /// A browser on the administrator's host, logged in to the running lbd, which gets a password.
    pub fn of(lab: &Lab) -> Self {
        let base = format!("https://{MANAGEMENT}:9443");
        lab.lbd().set_password(PASSWORD);
        wait_https(lab.administrator(), &base);
        let browser = Self::start(lab.administrator(), &base);
        browser.log_in(ADMINISTRATOR, PASSWORD);
        browser.wait_text("h1", "System Overview");
        browser
    }

    /// Fills in and sends the form.
    pub fn log_in(&self, user: &str, password: &str) {
        self.open("/login");
        self.fill("#user", user);
        self.fill("#password", password);
        self.click("main form button[type=submit]");
    }

    /// No violation of axe-core, no error in the console, nothing cut off; a picture of each: wide in light, narrow in dark.
    /// The colours of a theme are the same in both widths: all four together would cost every page twice the time.
    pub fn judge(&self, name: &str) {
        for (width, colours, look) in
            [(1440, Colours::Light, "desktop-light"), (1024, Colours::Dark, "1024-dark")]
        {
            self.resize(width, 900);
            self.prefer(colours);
            self.screenshot(&format!("{name}-{look}"));
            let faults = self.accessibility_faults();
            assert!(faults.is_empty(), "{name}, {look}:\n{}", faults.join("\n"));
            let overflow = self.evaluate(TOO_WIDE);
            assert!(overflow.as_i64() <= Some(0), "{name} is {overflow} pixels too wide for {width}");
        }
        self.prefer(Colours::Light);
        self.resize(1440, 900);
        assert_eq!(self.console(), Vec::<String>::new(), "{name}");
    }

    /// The same for the page of a refusal: the browser tells its console of the status, as it should.
    pub fn judge_refused(&self, name: &str, status: u16) {
        let told = self.console();
        let expected = |line: &String| line.contains(&format!(" {status} "));
        assert!(told.iter().all(expected), "{name}: {told:?}");
        self.judge(name);
    }
}
