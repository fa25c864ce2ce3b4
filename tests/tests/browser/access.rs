//! What stands before the pages: the log-in and what is shown instead of a page, in Debian's Chromium.

use lab::browser::{ADMINISTRATOR, Browser, PASSWORD};
use lab::lbd::wait_https;
use lab::{Config, Lab, topology};
use serde_json::json;

fn base() -> String {
    format!("https://{}:9443", topology::MANAGEMENT)
}

#[test]
fn without_a_password_the_pages_only_say_how_to_set_one() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    wait_https(lab.administrator(), &base());
    let browser = Browser::start(lab.administrator(), &base());
    for path in ["/", "/login", "/cluster/services"] {
        browser.open(path);
        browser.wait_text("h1", "No password is set yet");
    }
    browser.judge_refused("no-password", 503);
    lab.lbd().set_password(PASSWORD);
    browser.log_in(ADMINISTRATOR, PASSWORD);
    browser.wait_text("h1", "System Overview");
}

#[test]
fn the_log_in_its_refusals_and_what_is_shown_instead_of_a_page_can_be_read_by_everybody() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let browser = Browser::of(&lab);
    let viewer =
        json!({"name": "ann", "role": "viewer", "password": "handed over", "must_change_password": true});
    lab.lbd().request("POST", "/api/v1/users", Some(&viewer.to_string())).expect(201);
    browser.open("/api/");
    browser.wait_text("h1", "REST API");
    browser.wait_text("table", "/api/v1/services/{service}");
    browser.judge("api");
    browser.click(".leave button");
    browser.wait_text("h1", "Log in");
    browser.judge("log-in");
    browser.log_in("ann", "not hers");
    browser.wait_text(".error", "Name or password are wrong");
    browser.judge_refused("log-in-refused", 401);
    browser.log_in("ann", "handed over");
    browser.wait_text("h1", "Choose a password of your own");
    browser.judge_refused("password-forced", 403);
    browser.fill("#current", "handed over");
    browser.fill("#new", "short");
    browser.fill("#again", "short");
    browser.click("main form button[type=submit]");
    browser.wait_text("#new-error", "8 to 256");
    browser.judge_refused("password-forced-refused", 422);
    browser.fill("#current", "handed over");
    browser.fill("#new", "a password of ann");
    browser.fill("#again", "a password of ann");
    browser.click("main form button[type=submit]");
    browser.wait_text("h1", "The password is changed");
    browser.judge("password-changed");
    browser.log_in("ann", "a password of ann");
    browser.wait_text("h1", "System Overview");
    browser.open("/audit");
    browser.wait_text("h1", "You may not do this");
    browser.judge_refused("refused-role", 403);
    browser.open("/cluster/services/_new");
    browser.wait_text("h1", "You may not change this");
    browser.judge_refused("refused-change", 403);
    browser.open("/nowhere");
    browser.wait_text("h1", "There is no such page");
    browser.judge_refused("not-found", 404);
}

#[test]
fn what_was_typed_survives_the_end_of_a_session_with_and_without_scripts() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let browser = Browser::of(&lab);
    for (scripts, weight) in [(true, "70"), (false, "60")] {
        browser.set_scripts(scripts);
        browser.open("/cluster/servers/DATALINK_POOL1/DATALINK_POOL1_NODE1/edit");
        browser.fill("#weight", weight);
        // Sessions are kept in memory: a restart ends all.
        lab.lbd().stop();
        lab.lbd().start_again();
        wait_https(lab.administrator(), &base());
        browser.click(".closing button.primary");
        browser.wait_text(".notice", "What you typed is kept");
        if scripts {
            browser.judge_refused("log-in-keeping", 401);
        }
        browser.fill("#password", "wrong at first");
        browser.click("main form button[type=submit]");
        browser.wait_text(".error", "wrong");
        browser.fill("#password", PASSWORD);
        browser.click("main form button[type=submit]");
        browser.wait_text("h1", "Look at what you typed");
        browser.wait_text("main table", weight);
        if scripts {
            browser.judge_refused("log-in-review", 401);
        }
        assert_ne!(lab.lbd().server("DATALINK_POOL1", "DATALINK_POOL1_NODE1")["weight"].to_string(), weight);
        browser.click("main form button");
        browser.wait_text(".notice", "is in force");
        assert_eq!(lab.lbd().server("DATALINK_POOL1", "DATALINK_POOL1_NODE1")["weight"].to_string(), weight);
    }
}
