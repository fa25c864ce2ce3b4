//! `make run`, as a person uses it: wait for its words, log in, and end it with Ctrl-C.

use lab::api::https;
use lab::browser::Browser;
use lab::vm::guest::{BOOT, PATIENCE};
use lab::{Host, Lab, wait};
use nix::sys::signal::Signal;

const WEBUI: &str = "https://localhost:9443";

/// In a namespace of its own, so that the ports of this machine stay free.
#[test]
fn make_run_boots_tells_the_password_and_ends_with_ctrl_c() {
    let lab = Lab::single_arm();
    let host = lab.client();
    let run = host.start(host.command(env!("CARGO_BIN_EXE_run")), "run");
    wait::until(BOOT, "the words of `make run`", || {
        assert!(run.exited().is_none(), "it ended:\n{}", run.log());
        run.log().contains("Ctrl-C switches the appliance off.")
    });
    let said = run.log();
    let password = said.lines().find_map(|line| line.trim().strip_prefix("password")).expect("a password");
    let status = https(host, "GET", &format!("{WEBUI}/api/v1/status"), Some(password.trim()), None);
    assert_eq!(status.clone().expect(200).json["virtual_services"].as_array().map(Vec::len), Some(3));
    assert_eq!(https(host, "GET", &format!("{WEBUI}/api/v1/status"), Some("guessed"), None).status, 401);
    show_overview(host, password.trim());

    run.signal(Signal::SIGINT);
    let ended = run.wait_exit(PATIENCE);
    assert!(ended.success(), "{ended}:\n{}", run.log());
    assert!(run.log().contains("run: the appliance is off"), "{}", run.log());
}

/// What a person does with the words of `make run`; the picture is kept in `target/screenshots`.
fn show_overview(host: &Host, password: &str) {
    let browser = Browser::start(host, WEBUI);
    browser.open("/");
    browser.fill("#password", password);
    browser.click("main form button[type=submit]");
    browser.wait_text("h1", "System Overview");
    browser.wait_text("main", "DATALINK_POOL3_NODE1");
    browser.screenshot("appliance-booted");
    assert_eq!(browser.console(), Vec::<String>::new());
}
