//! Licences in a browser, where there are none and as the appliance has them.

use std::path::Path;

use lab::Lab;
use lab::browser::{ADMINISTRATOR, Browser, PASSWORD};
use lab::lbd::wait_https;
use lab::topology::MANAGEMENT;

/// As `image` writes it.
const LIST: &str = include_str!("../../../image/fixtures/COMPONENTS.json");

/// The list and two of its texts.
fn write(folder: &Path) {
    for (file, text) in [
        ("COMPONENTS.json", LIST),
        ("SOURCES.txt", "How to get the source code of the free software in this appliance\n\nAsk for it.\n"),
        ("debian/linux-image.txt", "Copyright: the authors\n<script>alert(1)</script>\n"),
    ] {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("lab folder");
        std::fs::write(path, text).expect("lab folder");
    }
}

#[test]
fn everybody_can_read_what_is_shipped_under_which_licence() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let browser = Browser::of(&lab);
    browser.click(".foot a[href='/licences']");
    browser.wait_text("main", "the appliance brings them");
    let folder = lab.appliance().new_folder("licenses");
    write(&folder);
    lab.lbd().stop();
    lab.lbd().start_again_with(&["--licences", &folder.to_string_lossy()]);
    wait_https(lab.administrator(), &format!("https://{MANAGEMENT}:9443"));
    browser.log_in(ADMINISTRATOR, PASSWORD);
    browser.wait_text("h1", "System Overview");
    browser.click(".foot a[href='/licences']");
    browser.wait_text("main table", "linux-image");
    browser.judge("licences");
    browser.fill("#q", "0bsd");
    browser.click("main form button[type=submit]");
    browser.wait_text("main table", "htmx.org");
    assert!(!browser.text("main table").contains("linux-image"));
    browser.open("/licences");
    browser.click("main a[aria-label='copyright of linux-image 1-1']");
    browser.wait_text("main .listing", "<script>alert(1)</script>");
    browser.wait_text("main", "Of linux-image 1-1.");
    browser.open("/licences");
    browser.click("main .panel a.button");
    browser.wait_text("main .listing", "How to get the source code");
    browser.judge("licence-text");
    browser.open("/licences/text?file=..%2Fsecret");
    browser.wait_text("main", "is no text of the list");
    browser.expect_only_refusals();
}
