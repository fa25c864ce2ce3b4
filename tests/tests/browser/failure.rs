//! What goes wrong inside the appliance, as the person reads it in Debian's Chromium who asked for it.

use std::os::unix::fs::PermissionsExt;

use lab::browser::Browser;
use lab::{InForce, Lab};

const SEND: &str = ".closing button.primary";

#[test]
fn a_change_that_the_kernel_does_not_take_leaves_everything_as_it_was_and_says_why_with_and_without_scripts()
{
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let broken = lab.lbd().start_with_breakable_nft(&lab.config([&lab.pool().weights(&[100])]));
    lab.lbd().wait_service("POOL", "up");
    let browser = Browser::of(&lab);
    for (scripts, port) in [(true, "2007"), (false, "2008")] {
        browser.set_scripts(scripts);
        // Other ports make another server of it, which is checked first.
        lab.lbd().wait_service("POOL", "up");
        browser.open("/cluster/services/POOL/edit");
        let before = InForce::read(&lab);
        let view = lab.lbd().status()["configuration_version"].clone();
        std::fs::write(&broken, "").expect("lab folder");
        browser.fill("#ports", &format!("2001,{port}"));
        browser.click(SEND);
        browser.wait_text(".faults h2", "The kernel did not take the configuration");
        browser.wait_text(".faults", "nft says: broken by the lab");
        browser.wait_text(".faults", "The configuration before it is in force");
        browser.wait_text(".faults", "Send the change again");
        if scripts {
            browser.wait_focus(".faults");
            browser.judge_refused("failure-kernel", 500);
        }
        assert_eq!(browser.value("#ports"), format!("2001,{port}"), "what was typed is kept");
        assert_eq!(lab.lbd().status()["configuration_version"], view, "the View is on the old one");
        before.expect_still(&lab, "a change that the kernel did not take");
        assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
        std::fs::remove_file(&broken).expect("lab folder");
        browser.click(SEND);
        browser.wait_text(".notice", "is in force");
        assert_eq!(lab.lbd().service("POOL")["ports"], format!("2001,{port}"));
    }
}

#[test]
fn what_the_disk_does_not_do_is_told_with_what_to_do_next() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    browser.open("/password/users");
    browser.fill("#name", "ann");
    browser.click("form[action='/password/users'] button[type=submit]");
    browser.wait_text("h1", "One-time password of ann");
    let secrets = lab.lbd().state_folder().join("secrets");
    let permit =
        |mode: u32| std::fs::set_permissions(&secrets, PermissionsExt::from_mode(mode)).expect("own folder");
    // lbd's user may read there, but not write.
    permit(0o500);
    let told = |selector: &str| {
        for words in ["Permission denied", "nothing was changed", "Try again in a minute", "System Overview"]
        {
            browser.wait_text(selector, words);
        }
    };
    browser.open("/password/users");
    browser.click("#u-ann details:last-of-type summary");
    browser.click("#u-ann details:last-of-type button");
    browser.wait_text("h1", "The disk does not do its work");
    told("main");
    browser.judge_refused("failure-disk", 500);
    browser.open("/password/users");
    browser.fill("#name", "bob");
    browser.click("form[action='/password/users'] button[type=submit]");
    told("main .error");
    browser.wait_focus("main .error");
    browser.open("/password");
    let passwords =
        [("#current", lab::browser::PASSWORD), ("#new", "a new password"), ("#again", "a new password")];
    passwords.iter().for_each(|(field, text)| browser.fill(field, text));
    browser.click("main form[action='/password'] button[type=submit]");
    told("main .error");
    browser.click(".leave button");
    browser.wait_seen("#user");
    // Nor may it read.
    permit(0o000);
    assert!(browser.console().iter().all(|line| line.contains("responded with a status of 500")));
    browser.log_in(lab::browser::ADMINISTRATOR, lab::browser::PASSWORD);
    for words in ["Log-in is not possible: Permission denied", "Balancing goes on", "lbd set-password"] {
        browser.wait_text("main .error", words);
    }
    browser.judge_refused("failure-log-in", 500);
    permit(0o700);
    browser.log_in(lab::browser::ADMINISTRATOR, lab::browser::PASSWORD);
    browser.wait_text("h1", "System Overview");
}

#[test]
fn what_cannot_be_counted_any_more_is_unknown_and_the_page_says_why() {
    let lab = Lab::single_arm();
    lab.server("NODE1").named_server("NODE1", 2001);
    let blind = lab.lbd().start_with_blind_nft(&lab.config([&lab.pool().weights(&[100])]));
    lab.lbd().wait_service("POOL", "up");
    let browser = Browser::of(&lab);
    let rate = ".figures div:nth-child(2) dd";
    browser.wait_text(rate, "0.0");
    std::fs::write(&blind, "").expect("lab folder");
    browser.wait_text(rate, "unknown");
    browser.wait_text("tbody[id='s-POOL'] tr:first-child", "0 / unknown");
    browser.wait_text("main .problems", "The kernel's counters cannot be read (nft says: broken by the lab");
    browser.wait_text("main .problems", "it is tried again by itself");
    browser.judge("failure-unknown");
    std::fs::remove_file(&blind).expect("lab folder");
    browser.wait_text(rate, "0.0");
    assert!(!browser.text("main").contains("cannot be read"));
}
