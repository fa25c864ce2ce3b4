//! The page Support: the file, and the last words of what crashed, with and without scripts.

use lab::browser::Browser;
use lab::{Config, Lab};

/// As init leaves it (`init/src/crash.rs`): long ago, so that no page tells of it.
const ACCOUNT: &str = "whose: lbd\ntime: 1790000000\nversion: 0.1.0\nhow: exit code 101\nlife: 86400\n\n\
    thread 'main' (412) panicked at lbd/src/engine/mod.rs:300:17:\nno <way>\nstack backtrace:\n\
    \u{20}  0:     0x7f00b123 - <unknown>\n   1:     0x7f00c456 - <unknown>\nlbd lies in memory at 0x7f00a000\n";
const KERNELS: &str = "whose: kernel\ntime: 1780000000\nhow: kernel panic: Fatal exception in interrupt\n\n\
    <0>[ 9071.220171] Kernel panic - not syncing: Fatal exception in interrupt\n";

#[test]
fn the_support_file_is_downloaded_and_last_words_are_read() {
    let lab = Lab::single_arm();
    lab.lbd().start(&Config::datalink());
    let browser = Browser::of(&lab);
    browser.open("/support");
    browser.wait_text("main", "Nothing has crashed");
    browser.judge("support");

    let fresh = lab.lbd().crashes_folder();
    std::fs::create_dir_all(&fresh).expect("lab folder");
    std::fs::write(fresh.join("01790000000-lbd-1.txt"), ACCOUNT).expect("lab folder");
    std::fs::write(fresh.join("01780000000-kernel-1.txt"), KERNELS).expect("lab folder");
    for scripts in [true, false] {
        browser.set_scripts(scripts);
        browser.open("/support");
        browser.wait_text("main table", "exit code 101");
        assert!(
            browser.text("main table").contains("Fatal exception in interrupt"),
            "{}",
            browser.text("main table")
        );
        browser.click("main tbody tr:first-child a");
        browser.wait_text("#words", "01790000000-lbd-1.txt");
        let words = browser.text("main pre");
        assert!(words.contains("no <way>") && words.contains("0: lbd+0x1123"), "{words}");
        if scripts {
            browser.judge("support-crashes");
        }
    }
    browser.open("/support?crash=gone.txt");
    browser.wait_text(".faults", "is not among the crashes");

    browser.set_scripts(true);
    browser.open("/support");
    let downloaded = browser.evaluate(
        "(form => fetch(form.action, {method: form.method}))(document.querySelector('main form[action=\"/support/file\"]'))\
         .then(async r => [r.status, r.headers.get('content-type'), r.headers.get('content-disposition'), \
         (await r.arrayBuffer()).byteLength])",
    );
    assert_eq!((&downloaded[0], &downloaded[1]), (&200.into(), &"application/gzip".into()), "{downloaded}");
    assert!(downloaded[2].as_str().is_some_and(|name| name.contains("filename=\"evenkeel-")), "{downloaded}");
    assert!(downloaded[3].as_u64().is_some_and(|length| length > 10_000), "{downloaded}");
}
