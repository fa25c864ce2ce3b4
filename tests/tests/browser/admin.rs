//! What administrators do in Debian's Chromium besides balancing: history and the way back, users, log-in.
//!
//! Pictures of every page are kept in `target/screenshots`.

use std::time::Duration;

use lab::browser::{ADMINISTRATOR, Browser, PASSWORD};
use lab::lbd::{SOON, wait_https};
use lab::{Config, Lab, topology, wait};

fn base() -> String {
    format!("https://{}:9443", topology::MANAGEMENT)
}

/// lbd with the pools of the example, whose servers nobody needs here, and a browser on the administrator's host.
fn appliance(lab: &Lab) -> Browser {
    lab.lbd().start(&Config::datalink());
    Browser::of(lab)
}

/// The history's line of a version.
fn row(version: u64) -> String {
    format!("main tbody tr:has(input[name=from][value='{version}'])")
}

#[test]
fn an_older_version_is_compared_and_gone_back_to_with_and_without_scripts() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    let lighter = Config::datalink().replacing("weight = 100", "weight = 50");
    lab.lbd().put(&lighter).expect(200);
    for (scripts, before) in [(true, 2_u64), (false, 4)] {
        browser.set_scripts(scripts);
        browser.open("/configuration");
        browser.wait_text(&row(before), "in force");
        browser.click(&format!("{} input[name=from]", row(before - 1)));
        browser.click(&format!("{} input[name=to]", row(before)));
        browser.click("main form button[type=submit]");
        browser.wait_text("#difference", &format!("From version {} to version {before}", before - 1));
        browser.wait_text("#difference", "weight of DATALINK_POOL1_NODE1 100 -> 50");
        if scripts {
            browser.judge("configuration-difference");
        }
        browser.click(&format!("{} a[href='/configuration/back/{}']", row(before - 1), before - 1));
        browser.wait_text("main", "weight of DATALINK_POOL1_NODE1 50 -> 100");
        if scripts {
            browser.judge("configuration-back");
            browser.fill("#comment", &"x".repeat(201));
            browser.click("main form button[type=submit]");
            browser.wait_text("#comment-error", "201 characters");
            // The browser itself tells its console of an answer 422.
            browser.expect_only_refusals();
            browser.judge("configuration-back-refused");
            browser.fill("#comment", "the old weight was right");
        }
        browser.click("main form button[type=submit]");
        browser.wait_text(&row(before + 1), "in force");
        let comment = if scripts {
            "the old weight was right".to_owned()
        } else {
            format!("back to version {}", before - 1)
        };
        browser.wait_text(&row(before + 1), &comment);
        browser.wait_text(&row(before + 1), ADMINISTRATOR);
        assert_eq!(lab.lbd().server("DATALINK_POOL1", "DATALINK_POOL1_NODE1")["weight"], 100);
        lab.lbd().put(&lighter).expect(200);
    }
    browser.set_scripts(true);
    browser.open("/configuration/version/1");
    browser.wait_text(".listing", "DATALINK_POOL1");
    browser.judge("configuration-version");
}

#[test]
fn who_goes_back_while_somebody_else_changes_is_told_and_overwrites_nothing() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    lab.lbd().put(&Config::datalink().replacing("weight = 100", "weight = 50")).expect(200);
    browser.open("/configuration/back/1");
    browser.wait_text("main", "50 -> 100");
    lab.lbd().put(&Config::datalink().replacing("weight = 100", "weight = 10")).expect(200);
    browser.click("main form button[type=submit]");
    browser.wait_text("main .error", "was changed meanwhile");
    browser.wait_text("main .error", "50 -> 10");
    browser.wait_text("main .changes", "weight of DATALINK_POOL1_NODE1 10 -> 100");
    assert_eq!(lab.lbd().server("DATALINK_POOL1", "DATALINK_POOL1_NODE1")["weight"], 10);
    browser.click("main form button[type=submit]");
    browser.wait_text(&row(4), "in force");
}

#[test]
fn a_user_is_added_logs_in_with_the_one_time_password_and_chooses_their_own() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    browser.open("/password/users");
    browser.judge("users");
    browser.fill("#name", "Ann Miller");
    browser.click("form[action='/password/users'] button[type=submit]");
    browser.wait_text("#name-error", "is no name");
    browser.expect_only_refusals();
    browser.judge("users-refused");
    browser.fill("#name", "ann");
    browser.choose("#role", "operator");
    browser.click("form[action='/password/users'] button[type=submit]");
    browser.wait_text("h1", "One-time password of ann");
    let one_time = browser.text(".secret");
    browser.judge("users-one-time");
    browser.click("button[name=theme][value=dark]");
    browser.wait_text("h1", "Users");
    browser.click("button[name=theme][value=auto]");
    browser.wait_text("button[name=theme][aria-pressed=true]", "Automatic");
    browser.wait_text("#u-ann", "one-time");
    browser.click("#u-ann details:last-of-type summary");
    browser.wait_text("#u-ann", "logged out at once");
    browser.judge("users-remove");

    browser.click(".leave button");
    browser.log_in("ann", &one_time);
    browser.wait_text("h1", "Choose a password of your own");
    browser.fill("#current", &one_time);
    browser.fill("#new", "a password of ann");
    browser.fill("#again", "a password of ann");
    browser.click("main form button[type=submit]");
    browser.wait_text("h1", "The password is changed");
    browser.log_in("ann", "a password of ann");
    browser.wait_text("h1", "System Overview");
    browser.wait_text(".bar .user", "ann (operator)");
    browser.open("/password/users");
    browser.wait_text("h1", "You may not do this");
    browser.expect_only_refusals();
    browser.open("/password");
    browser.wait_text("main", "this browser");
    browser.judge("password-own");

    browser.click(".leave button");
    browser.log_in(ADMINISTRATOR, PASSWORD);
    browser.wait_text("h1", "System Overview");
    browser.open("/audit?q=ann");
    browser.wait_text("main table", "user ann added as operator");
    browser.wait_text("main table", "password of ann changed");
    browser.judge("audit");
    browser.open("/logs?q=ann");
    browser.wait_text("main table", "user ann added as operator");
    browser.judge("logs");
    // It follows by itself.
    browser.wait_text(".live-state", "follows by itself");
    let socket = lab.lbd().control_socket();
    let edit = format!("user edit ann --role viewer --control-socket {}", socket.display());
    lab.lbd().command(&edit, "").expect_ok();
    browser.wait_text("main table", "viewer");
    // Every form works without scripts.
    browser.set_scripts(false);
    browser.open("/password/users");
    browser.click("#u-ann details:last-of-type summary");
    browser.click("#u-ann details:last-of-type button");
    browser.wait_text("main table", ADMINISTRATOR);
    assert!(!browser.has("#u-ann"));
}

#[test]
fn a_token_is_made_shown_once_and_revoked() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    browser.open("/password/tokens");
    browser.judge("tokens-none");
    browser.fill("#name", "backup");
    browser.fill("#days", "0");
    browser.click("form[action='/password/tokens'] button[type=submit]");
    browser.wait_text("#days-error", "1 to 1826");
    browser.expect_only_refusals();
    browser.fill("#days", "30");
    browser.click("form[action='/password/tokens'] button[type=submit]");
    browser.wait_text("h1", "Token backup");
    let token = browser.text(".secret");
    browser.judge("tokens-made");
    let status = || {
        let mut command = lab.administrator().command("curl");
        let header = format!("Authorization: Bearer {token}");
        command.args(["--insecure", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        command.args(["--header", &header, &format!("https://{}:9443/api/v1/status", topology::MANAGEMENT)]);
        String::from_utf8(command.output().expect("curl runs").stdout).expect("a status")
    };
    assert_eq!(status(), "200");
    browser.click("main a.primary");
    browser.wait_text("#t-backup", "in 29 d");
    browser.click("#t-backup summary");
    browser.judge("tokens");
    browser.click("#t-backup button");
    browser.wait_text(".empty", "There is no token yet");
    assert_eq!(status(), "401");
}

/// What TLS shows at the management address.
pub(crate) fn fingerprint_on_the_wire(lab: &Lab) -> String {
    lab.administrator().fingerprint_at(&format!("{}:9443", topology::MANAGEMENT))
}

/// A certificate for `name` and its key, in PEM.
pub(crate) fn pair(lab: &Lab, name: &str) -> [String; 2] {
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|file| lab.administrator().new_path(file));
    let line = format!(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 20 -subj /CN={name} -addext \
         subjectAltName=DNS:{name} -keyout {} -out {}",
        key.display(),
        certificate.display()
    );
    lab.administrator().run(line).expect_ok();
    [certificate, key].map(|file| std::fs::read_to_string(file).expect("openssl wrote it"))
}

/// As most have them: in files of the administrator's own machine.
fn choose_files(lab: &Lab, browser: &Browser, certificate: &str, key: &str) {
    for (field, text) in [("certificate", certificate), ("private_key", key)] {
        let file = lab.administrator().new_path("chosen.pem");
        std::fs::write(&file, text).expect("lab folder");
        browser.attach(&format!("#{field}-file"), &file);
        wait::until(SOON, format!("{field} to be read"), || browser.value(&format!("#{field}")) == text);
    }
}

#[test]
fn a_certificate_is_brought_refused_tried_taken_back_and_kept() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    let first = fingerprint_on_the_wire(&lab);
    browser.open("/local/webui");
    assert_eq!(browser.text("#fingerprint"), first);
    browser.judge("webui");
    let [certificate, key] = pair(&lab, "lb.hospital.example");
    let [_, other_key] = pair(&lab, "other.example");
    browser.fill("#certificate", &certificate);
    browser.fill("#private_key", &other_key);
    browser.click("form[action='/local/webui/certificate'] button");
    browser.wait_text("#private_key-error", "does not belong to the certificate of CN=lb.hospital.example");
    browser.judge_refused("webui-refused", 422);
    assert_eq!(fingerprint_on_the_wire(&lab), first);
    for verdict in ["revert", "confirm"] {
        browser.open("/local/webui");
        if verdict == "revert" {
            browser.fill("#certificate", &certificate);
            browser.fill("#private_key", &key);
        } else {
            choose_files(&lab, &browser, &certificate, &key);
        }
        browser.click("form[action='/local/webui/certificate'] button");
        browser.wait_text("#trial-title", "on trial");
        browser.wait_text("main .facts", "lb.hospital.example");
        let new = fingerprint_on_the_wire(&lab);
        assert_ne!(new, first);
        assert_eq!(browser.text("#fingerprint"), new);
        if verdict == "revert" {
            browser.judge("webui-trial");
        }
        browser.open("/support");
        browser.wait_text("main", "A certificate is on trial");
        browser.open("/local/webui");
        browser.click(&format!("button[value={verdict}]"));
        browser.wait_text("main .panel h2 .state", if verdict == "revert" { "valid" } else { "ends soon" });
        assert_eq!(fingerprint_on_the_wire(&lab), if verdict == "revert" { first.clone() } else { new });
    }
    assert!(!browser.has("#trial-title"));
    browser.open("/");
    browser.wait_text("main .problems", "The certificate of the WebUI ends on");
    lab.lbd().stop();
    lab.lbd().start_again();
    wait_https(lab.administrator(), &base());
    assert_ne!(fingerprint_on_the_wire(&lab), first, "what was confirmed outlives a restart");
}

#[test]
fn another_port_is_taken_back_when_nobody_confirms_it_there() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    browser.open("/local/webui");
    browser.fill("#port", "70000");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("#port-error", "70000");
    browser.expect_only_refusals();
    browser.fill("#port", "9444");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("h1", "Version 2 is on trial");
    browser.judge("webui-port-trial");
    let there = format!("https://{}:9444/local/webui", topology::MANAGEMENT);
    assert_eq!(browser.value_of("main a.primary", "href"), there);
    browser.click("main a.primary");
    // The session is good for the new port too; the page there asks for the confirmation.
    browser.wait_text("main .problems", "version 2");
    assert_eq!(lab.lbd().config()["management"]["https_port"], 9444);
    let reverted = || lab.lbd().config()["management"]["https_port"] == 9443;
    wait::until(Duration::from_secs(150), "the port to be taken back", reverted);
    wait_https(lab.administrator(), &base());
    browser.open("/");
    browser.wait_text("main .problems", "was not confirmed within 120 s");
    browser.open("/configuration");
    browser.wait_text("main table", "not confirmed");
    browser.judge("configuration-reverted");
}

#[test]
fn another_address_is_confirmed_there_after_a_new_log_in() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    lab.appliance().ip("address add 192.168.10.11/24 dev eth0");
    browser.open("/local/webui");
    for (address, words) in [
        ("192.168.10.11/24", "is a network, not an address"),
        ("192.168.10.100", "DATALINK_POOL1 has this address already"),
    ] {
        browser.fill("#address", address);
        browser.click("form[action='/local/webui/listener'] button");
        browser.wait_text("#address-error", words);
    }
    browser.judge_refused("webui-listener-refused", 422);
    browser.fill("#address", "192.168.10.11");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("h1", "Version 2 is on trial");
    browser.judge("webui-listener-trial");
    let there = "https://192.168.10.11:9443";
    assert_eq!(browser.value_of("main a.primary", "href"), format!("{there}/local/webui"));
    wait_https(lab.administrator(), there);
    browser.click("main a.primary");
    browser.wait_text("h1", "Log in");
    browser.fill("#password", PASSWORD);
    browser.click("main form button[type=submit]");
    browser.wait_text("main .problems", "version 2");
    browser.click("main .problems button[value=confirm]");
    wait::until(SOON, "the trial to end", || lab.lbd().status()["pending_confirmation"].is_null());
    assert_eq!(lab.lbd().config()["management"]["address"], "192.168.10.11");
}

#[test]
fn another_address_is_set_where_lbd_sets_the_interfaces_and_taken_back() {
    let lab = Lab::single_arm();
    // All its addresses are lbd's, as on the appliance.
    lab.appliance().ip("address flush dev eth0");
    lab.lbd().start(&Config::datalink().with_network(lab.arms(), None));
    let browser = Browser::of(&lab);
    browser.open("/local/webui");
    browser.fill("#address", "192.168.10.11");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("h1", "Version 2 is on trial");
    wait_https(lab.administrator(), "https://192.168.10.11:9443");
    let reverted = lab.lbd().request("POST", "/api/v1/config/revert", None);
    assert_eq!(reverted.status, 200, "{}", reverted.text);
    wait_https(lab.administrator(), &base());
    browser.open("/local/webui");
    assert_eq!(browser.value("#address"), "192.168.10.10");
}

#[test]
fn what_a_move_of_the_webui_has_left_is_taken_out_at_its_new_address() {
    let lab = Lab::single_arm();
    lab.appliance().ip("address flush dev eth0");
    lab.lbd().start(&Config::datalink().with_network(lab.arms(), None));
    let browser = Browser::of(&lab);
    browser.open("/local/webui");
    assert!(!browser.has("#others-title"), "there is nothing to take out");
    browser.fill("#address", "192.168.10.11");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("h1", "Version 2 is on trial");
    wait_https(lab.administrator(), "https://192.168.10.11:9443");
    browser.click("main a.primary");
    browser.wait_text("h1", "Log in");
    browser.fill("#password", PASSWORD);
    browser.click("main form button[type=submit]");
    browser.click("main .problems button[value=confirm]");
    browser.wait_text("#others-title", "Other addresses of eth0");
    browser.judge("webui-moved");
    browser.click("main button[value='192.168.10.10/24']");
    browser.wait_text("h1", "Version 3 is on trial");
    browser.click("main a.primary");
    browser.click("main .problems button[value=confirm]");
    wait::until(SOON, "the trial to end", || lab.lbd().status()["pending_confirmation"].is_null());
    browser.wait_text("h1", "WebUI & Certificate");
    assert!(!browser.has("#others-title"));
    let addresses = &lab.lbd().config()["network"]["interface"][0]["addresses"];
    assert_eq!(addresses, &serde_json::json!(["192.168.10.11/24"]));
    let found = lab::kernel::addresses(lab.appliance());
    assert!(!found.iter().any(|address| address.contains("192.168.10.10/")), "{found:?}");
}

#[test]
fn another_port_stays_when_it_is_confirmed_there() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab);
    browser.open("/local/webui");
    browser.fill("#port", "9444");
    browser.click("form[action='/local/webui/listener'] button");
    browser.wait_text("h1", "Version 2 is on trial");
    browser.click("main a.primary");
    browser.wait_text("main .problems", "version 2");
    browser.click("main .problems button[value=confirm]");
    wait::until(SOON, "the trial to end", || lab.lbd().status()["pending_confirmation"].is_null());
    assert_eq!(lab.lbd().config()["management"]["https_port"], 9444);
    wait_https(lab.administrator(), &format!("https://{}:9444", topology::MANAGEMENT));
}
