//! A newer version arrives as an update: refused where it must be, installed, started, proven, and left again; one that
//! cannot start is given up.

use std::time::Duration;

use lab::browser::Browser;
use lab::topology::MANAGEMENT;
use lab::vm::Release;
use lab::vm::guest::PASSWORD;
use lab::vm::uki::{NO_INIT, WITHOUT_INIT};
use lab::{Lab, random, wait};
use serde_json::{Value, json};

use crate::updating::{Appliance, NEW, OLD, UPDATE};

const PAGE: &str = "/maintenance/update";

/// Uploads it over the page.
fn bring(browser: &Browser, release: &Release) {
    browser.attach("#checksum", &release.checksum());
    browser.attach("#archive", &release.archive());
    browser.click("form[enctype] button");
}

/// What was configured then is there to be restored.
fn kept_before(appliance: &Appliance, browser: &Browser) {
    let kept = appliance.guest.request("GET", "/api/v1/backups", None).expect(200).json;
    let kept = kept.as_array().expect("a list");
    assert_eq!(kept.len(), 1, "one for the update, none for the refused one: {kept:?}");
    assert_eq!(kept[0]["software"], OLD);
    let path = format!("/api/v1/backups/{}", kept[0]["name"].as_str().expect("a name"));
    let text = appliance.guest.request("GET", &path, None).expect(200).text;
    assert!(text.starts_with("# Evenkeel backup"), "{text}");
    browser.open("/maintenance/backup");
    browser.wait_text("main", "Under version");
    browser.judge("backup-kept");
    browser.click("button[name=name]");
    browser.wait_text("main", "the same");
}

#[test]
fn an_update_is_verified_installed_and_proven_and_one_can_go_back() {
    let lab = Lab::single_arm_with_guest();
    let release = Release::shared(NEW);
    let foreign = release.signed_by_somebody_else(&lab.appliance().new_folder("foreign"));
    let appliance = Appliance::boot(&lab);
    let configuration = appliance.guest.config();
    let nowhere = json!({
        "url": null, "looked": null, "next_look": null, "problem": null, "newest": null, "download": null
    });
    assert_eq!(
        appliance.update(),
        json!({
            "running": OLD, "development_build": true, "on_trial": false, "other": null, "uploaded": null,
            "problem": null, "online": nowhere
        })
    );

    let browser = Browser::start(lab.administrator(), &format!("https://{MANAGEMENT}:9443"));
    browser.log_in("loadbalancer", PASSWORD);
    browser.wait_text("h1", "System Overview");
    browser.wait_text("main", "Development build");
    browser.open(PAGE);
    browser.judge("update-nothing");
    bring(&browser, &foreign);
    browser.wait_text("[role=alert]", "another key than this system trusts");
    browser.judge_refused("update-refused", 422);
    let refused = appliance.upload(&release, &foreign).expect(422);
    assert!(refused.text.contains("the checksum does not fit"), "{}", refused.text);
    assert_eq!(appliance.update()["uploaded"], Value::Null);
    let refused = appliance.guest.request("POST", "/api/v1/update/install", None).expect(409);
    assert!(refused.text.contains("staged.update"), "{}", refused.text);

    // Upload and installation without scripts, but for the judge.
    browser.set_scripts(false);
    browser.open(PAGE);
    bring(&browser, &release);
    browser.wait_text(".notice", "Nothing is installed yet");
    browser.set_scripts(true);
    browser.open(PAGE);
    browser.wait_text("main", &format!("Update from {OLD} to {NEW}"));
    browser.judge("update-uploaded");
    browser.set_scripts(false);
    browser.open(PAGE);
    browser.click("button[value=install]");
    browser.wait_text(".notice", "The update is installed");
    browser.set_scripts(true);
    browser.open(PAGE);
    browser.judge("update-installed");
    kept_before(&appliance, &browser);
    browser.open(PAGE);
    assert_eq!(appliance.update()["running"], OLD, "nothing starts by itself");
    assert_eq!(appliance.update()["other"]["left"], Value::Null, "it never ran");
    browser.click("button[value=restart]");
    browser.accept_question();
    browser.wait_text("h1", "The appliance restarts");
    appliance.wait_running(&lab, NEW);
    assert_eq!(appliance.restarts(), 1);
    assert_eq!(appliance.guest.config(), configuration);
    let then = appliance.guest.status()["configuration_version"].clone();
    appliance.expect_left(OLD, "good", &then, &then);
    let server = "/api/v1/services/POOL/servers/NODE2";
    let mut heavier = appliance.guest.request("GET", server, None).expect(200).json;
    heavier["weight"] = json!(150);
    appliance.guest.request("PUT", server, Some(&heavier.to_string())).expect(200);
    let now = appliance.guest.status()["configuration_version"].clone();
    appliance.expect_left(OLD, "good", &then, &now);
    let configuration = appliance.guest.config();
    browser.log_in("loadbalancer", PASSWORD);
    browser.open(PAGE);
    browser.wait_text("main", "stays so whichever version of Evenkeel runs");
    browser.judge("update-changed-since");
    browser.click("main dd a");
    browser.wait_text("main", "weight of NODE2");

    assert_eq!(appliance.order("/api/v1/update/rollback", 202)["version"], OLD);
    appliance.wait_running(&lab, OLD);
    assert_eq!(appliance.restarts(), 2);
    appliance.expect_left(NEW, "left", &now, &now);
    assert_eq!(appliance.guest.config(), configuration, "what was changed meanwhile stays in force");
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}+0.efi")]);
}

/// How a new version may be no good.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Its kernel panics.
    Kernel,
    /// Its lbd ends as soon as it starts.
    Daemon,
    /// No server passes its check, and before each did.
    Checks,
}

fn set_links(lab: &Lab, up: bool) {
    ["NODE1", "NODE2"].into_iter().for_each(|node| lab.server(node).set_link(up));
}

const LEFT_NO_WORD: &str =
    "It left no word: its kernel or its init ended, or its lbd never ran for long enough.";

/// Three starts, in each of which three minutes are left to it.
const GIVEN_UP: Duration = Duration::from_secs(2 * 600);

impl Way {
    /// The first is over in a minute, the others take ten each.
    const ALL: [Self; 3] = [Self::Kernel, Self::Daemon, Self::Checks];

    /// Installs it, starts it, and waits until the older version runs again and tells why.
    fn fails(self, lab: &Lab, appliance: &Appliance, good: &Release) {
        let folder = lab.appliance().new_folder("no-good");
        let release = match self {
            Self::Kernel => Some(Release::with_command_line(&folder, NEW, WITHOUT_INIT)),
            Self::Daemon => Some(Release::with_lbd_that_ends(&folder, NEW)),
            Self::Checks => None,
        };
        appliance.install(release.as_ref().unwrap_or(good));
        appliance.order("/api/v1/restart", 202);
        if matches!(self, Self::Checks) {
            set_links(lab, false);
        }
        let told = wait::until_some(GIVEN_UP, format!("{self:?}: the older version and its word"), || {
            appliance.guest.machine().expect_running();
            let answer = appliance.guest.request("GET", UPDATE, None);
            (answer.status == 200
                && answer.json["running"] == OLD
                && answer.json["other"]["standing"] == "failed")
                .then_some(answer.json)
        });
        let why = told.0["other"]["why"].as_str().unwrap_or_default().to_owned();
        let words = if matches!(self, Self::Checks) { "No server of POOL passes" } else { LEFT_NO_WORD };
        assert!(why.contains(words), "{self:?}: {told:?}");
        assert_eq!(told.0["other"]["version"], NEW);
        if matches!(self, Self::Kernel) {
            let deaths = appliance.guest.machine().kernel_deaths();
            assert!(deaths.len() == 3 && deaths.iter().all(|death| death.starts_with(NO_INIT)), "{deaths:?}");
        }
        set_links(lab, true);
        appliance.wait_running(lab, OLD);
    }
}

#[test]
fn one_that_is_no_good_is_given_up_and_its_counter_does_not_harm_the_next() {
    let lab = Lab::single_arm_with_guest();
    let good = Release::shared(NEW);
    let appliance = Appliance::boot(&lab);
    let configuration = appliance.guest.config();
    let ways = usize::try_from(random::rounds(1, Way::ALL.len() as u64)).expect("a few");
    for way in &Way::ALL[..ways] {
        way.fails(&lab, &appliance, &good);
        assert_eq!(appliance.guest.config(), configuration);
    }
    appliance.guest.wait_status("a word about the version that failed", |guest| {
        guest.status()["problems"].to_string().contains("was tried and never proved itself")
    });
    let refused = appliance.guest.request("POST", "/api/v1/update/rollback", None).expect(409);
    assert!(refused.text.contains("has failed to start"), "{}", refused.text);

    appliance.install(&good);
    appliance.order("/api/v1/restart", 202);
    appliance.wait_running(&lab, NEW);
    assert_eq!(appliance.guest.config(), configuration);
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}.efi")]);
}
