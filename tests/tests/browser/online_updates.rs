//! A newer version in a browser: where it is looked for, what every page tells, the download and its end.

use lab::Lab;
use lab::browser::Browser;
use lab::first_process::FirstProcess;
use lab::updates::Shelf;

use crate::plain::send;

const PAGE: &str = "/maintenance/update";
const LOOK: &str = "button[name=order][value=look]";
const DOWNLOAD: &str = "button[name=order][value=download]";
const CANCEL: &str = "button[name=order][value=cancel]";

#[test]
fn a_newer_version_is_looked_for_told_on_every_page_downloaded_and_installed() {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    let shelf = Shelf::on(host);
    let certificate = host.authority("updates");
    host.update_server(443, &shelf, &certificate);
    let first = FirstProcess::that_installs(lab.appliance().new_path("init.sock"), "0.2.0");
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().stop();
    lab.lbd().start_again_with_updates(first.socket(), &shelf.public_key());
    let browser = Browser::of(&lab);
    browser.open(PAGE);
    browser.wait_text("main", "Nobody looks for newer versions");
    browser.judge("update-not-looked-for");

    browser.click("main a[href='/maintenance/update/settings']");
    browser.wait_text("h1", "Look for newer versions");
    browser.judge("update-settings");
    send(&browser, &[("#url", "http://192.168.10.110/newest.index.json")]);
    browser.wait_text("#url-error", "is not of https");
    browser.expect_only_refusals();
    let trusted = certificate.pem();
    send(
        &browser,
        &[("#url", "https://192.168.10.110/newest.index.json"), ("#certificate-authority", trusted.as_str())],
    );
    browser.wait_text(".notice", "The settings are saved");
    browser.click(LOOK);
    browser.wait_text("main .fault", "answered 404 Not Found");
    browser.judge("update-look-failed");

    shelf.offer("0.2.0", 7);
    browser.click(LOOK);
    browser.wait_text("#online", "Update 0.2.0 is now available");
    browser.judge("update-available");
    browser.open("/");
    browser.wait_text(".news", "Update 0.2.0 is now available");
    browser.judge("overview-with-update");
    browser.click(".news a");
    browser.wait_text("h1", "Software Update");

    shelf.send_archives("slow 16");
    browser.click(DOWNLOAD);
    browser.wait_text("main", "is being downloaded and verified");
    browser.judge("update-downloading");
    browser.click(CANCEL);
    browser.wait_text(".notice", "The download is cancelled");
    shelf.send_archives("cut");
    browser.click(DOWNLOAD);
    browser.wait_text("main .fault", "nothing of it was kept");
    browser.judge("update-download-failed");

    // Without a word from the reader the page goes on to what has come.
    shelf.send_archives("slow 128");
    browser.click(DOWNLOAD);
    browser.wait_text("#waiting", "Update from 0.1.0 to 0.2.0");
    browser.judge("update-downloaded");
    browser.click("button[name=order][value=discard]");
    browser.wait_text(".notice", "thrown away");

    browser.set_scripts(false);
    browser.open(PAGE);
    browser.click(LOOK);
    browser.wait_text("#online", "Update 0.2.0 is now available");
    browser.click(DOWNLOAD);
    browser.wait_text("#waiting", "Update from 0.1.0 to 0.2.0");
    browser.click("button[name=order][value=install]");
    browser.wait_text(".notice", "The update is installed");
    browser.wait_text("#online", "Newer versions");
    browser.open("/");
    assert!(!browser.text("main").contains("is now available"), "what is installed is no news");
    assert_eq!(first.orders(), ["install"]);
}
