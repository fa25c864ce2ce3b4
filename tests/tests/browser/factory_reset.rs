//! The factory reset in a browser, with somebody at the socket of the first process who only listens.

use lab::Lab;
use lab::browser::{ADMINISTRATOR, Browser, PASSWORD};
use lab::first_process::FirstProcess;

#[test]
fn a_factory_reset_is_ordered_by_who_types_password_and_host_name() {
    let lab = Lab::single_arm();
    let first = FirstProcess::at(lab.appliance().new_path("init.sock"));
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().stop();
    lab.lbd().start_again_as_appliance(first.socket());
    let browser = Browser::of(&lab);
    let name = lab.lbd().status()["host_name"].as_str().expect("a name").to_owned();
    browser.open("/maintenance/factory-reset");
    browser.wait_text("main", "What is lost");
    browser.judge("factory-reset");
    browser.fill("#password", PASSWORD);
    browser.fill("#host_name", "another");
    browser.click("main form button.danger");
    browser.wait_text("#host_name-error", &name);
    browser.wait_focus("#host_name[aria-invalid=true]");
    assert_eq!(browser.value("#password"), "", "a password is never sent back");
    browser.judge_refused("factory-reset-refused", 422);
    browser.fill("#password", "guessed wrongly");
    browser.fill("#host_name", &name);
    browser.click("main form button.danger");
    browser.wait_text("#password-error", &format!("not the password of {ADMINISTRATOR}"));
    browser.expect_only_refusals();
    assert_eq!(first.orders(), [""; 0]);

    for scripts in [true, false] {
        browser.set_scripts(scripts);
        browser.open("/maintenance/factory-reset");
        browser.fill("#password", PASSWORD);
        browser.fill("#host_name", &name);
        browser.click("main form button.danger");
        browser.wait_text("h1", "Everything is erased now");
        if scripts {
            browser.judge("factory-reset-ordered");
        }
    }
    // The first process of the story only listens.
    assert_eq!(first.orders(), ["factory-reset"; 2]);
    lab.lbd().wait_audit("factory reset ordered: everything is erased\"");
}
