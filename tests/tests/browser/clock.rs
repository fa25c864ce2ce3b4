//! Date and time in Debian's Chromium: zone and NTP servers, with mistakes, and how the clock stands.

use lab::Lab;
use lab::browser::Browser;

const SEND: &str = ".closing button.primary";

#[test]
fn zone_and_servers_are_set_and_times_are_told_in_the_zone() {
    let lab = Lab::single_arm();
    lab.server("NODE2").chrony();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    browser.open("/local/time");
    browser.wait_text("main", "no NTP server is configured");
    browser.wait_text("main dl", " UTC");
    browser.judge("time-free");
    browser.click("main a[href='/local/time/edit']");
    browser.wait_text("h1", "Edit date and time");
    browser.judge("time-edit");
    browser.choose("#zone", "Asia/Tokyo");
    browser.fill("#ntp-servers", "192.168.10.111, -x");
    browser.click(SEND);
    browser.wait_text("#ntp-servers-error", "is neither a host name nor an address");
    browser.judge_refused("time-refused", 422);
    assert_eq!(browser.value("#zone"), "Asia/Tokyo");
    browser.fill("#ntp-servers", "192.168.10.111, 192.168.10.110");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.wait_text("main dl", " JST");
    lab.lbd().wait_status("an answer of both servers", |lbd| {
        let clock = &lbd.status()["clock"];
        clock["state"] == "measured"
            && clock["servers"][1]["reason"].as_str().is_some_and(|why| why.contains("refused"))
    });
    // The rest without scripts, but for the judge.
    browser.open("/local/time");
    browser.wait_text("main .state.up", "measured");
    browser.wait_text("main table", "no answer");
    browser.judge("time-measured");
    browser.set_scripts(false);
    browser.open("/local/time");
    browser.click("form[action='/local/time/synchronise'] button");
    browser.wait_text(".notice", "The servers are being asked");
    browser.open("/audit");
    browser.wait_text("main", "clock: synchronised at once");
    browser.wait_text("main", " JST");
}
