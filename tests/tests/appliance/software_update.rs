//! A newer version arrives as an update: refused where it must be, installed, started, proven, and left again; one that
//! cannot start is given up.

use lab::browser::Browser;
use lab::topology::MANAGEMENT;
use lab::vm::guest::{BOOT, PASSWORD, PATIENCE};
use lab::vm::partition::ukis;
use lab::vm::{Guest, Hardware, LossyDisk, Release};
use lab::{Lab, wait};
use serde_json::{Value, json};

const OLD: &str = env!("CARGO_PKG_VERSION");
const NEW: &str = "9.9.9";
/// The kernel finds no init, panics, and starts again at once.
const DIES: &str = "console=ttyS0 rdinit=/none root=/none panic=-1";
const UPDATE: &str = "/api/v1/update";
const PAGE: &str = "/maintenance/update";

struct Appliance<'lab> {
    guest: Guest<'lab>,
    disk: LossyDisk,
}

impl<'lab> Appliance<'lab> {
    /// With traffic to two servers.
    fn boot(lab: &'lab Lab) -> Self {
        for node in ["NODE1", "NODE2"] {
            lab.server(node).named_server(node, 2001);
        }
        let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
        let guest = Guest::with_hardware(lab, Hardware::with_disk(disk.drive()));
        guest.boot(&lab.config([&lab.pool()]));
        guest.wait_service("POOL", "up");
        Self { guest, disk }
    }

    fn update(&self) -> Value {
        self.guest.request("GET", UPDATE, None).expect(200).json
    }

    fn order(&self, path: &str, status: u16) -> Value {
        self.guest.request("POST", path, None).expect(status).json
    }

    /// Over the page's form, with the checksum of `sum`.
    fn upload(&self, release: &Release, sum: &Release) -> lab::Answer {
        let file = |name, path: std::path::PathBuf| format!("{name}=@{}", path.display());
        let fields = [file("checksum", sum.checksum()), file("archive", release.archive())];
        self.guest.send_form("/maintenance/update/upload", &fields)
    }

    fn install(&self, release: &Release) {
        let answer = self.upload(release, release).expect(303);
        assert_eq!(self.update()["uploaded"]["version"], NEW, "{}", answer.text);
        assert_eq!(self.order("/api/v1/update/install", 200)["version"], NEW);
        assert_eq!(self.update()["other"], json!({ "version": NEW, "standing": "installed", "why": null }));
        assert_eq!(self.update()["uploaded"], Value::Null);
    }

    /// Waits until this version runs and has proven itself, and takes traffic.
    fn wait_running(&self, lab: &Lab, version: &str) {
        wait::until(BOOT, format!("{version} to run and prove itself"), || {
            self.guest.machine().expect_running();
            let answer = self.guest.request("GET", UPDATE, None);
            answer.status == 200 && answer.json["running"] == version && answer.json["on_trial"] == false
        });
        self.guest.wait_service("POOL", "up");
        assert!(lab.client().ask(lab.vip(0), 2001).server.starts_with("NODE"));
    }

    /// So many restarts were orderly.
    fn restarts(&self) -> usize {
        self.guest.machine().serial().matches("ending everything: Restart").count()
    }

    fn systems(&self) -> Vec<String> {
        assert!(self.guest.machine().shut_down(PATIENCE).success());
        ukis(self.disk.file())
    }
}

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
    assert_eq!(
        appliance.update(),
        json!({ "running": OLD, "development_build": true, "on_trial": false, "other": null, "uploaded": null, "problem": null })
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

    bring(&browser, &release);
    browser.wait_text(".notice", "Nothing is installed yet");
    browser.wait_text("main", &format!("Update from {OLD} to {NEW}"));
    browser.judge("update-uploaded");
    browser.click("button[value=install]");
    browser.wait_text(".notice", "The update is installed");
    browser.judge("update-installed");
    kept_before(&appliance, &browser);
    browser.open(PAGE);
    assert_eq!(appliance.update()["running"], OLD, "nothing starts by itself");
    browser.click("button[value=restart]");
    browser.accept_question();
    browser.wait_text("h1", "The appliance restarts");
    appliance.wait_running(&lab, NEW);
    assert_eq!(appliance.restarts(), 1);
    assert_eq!(appliance.update()["other"], json!({ "version": OLD, "standing": "good", "why": null }));
    assert_eq!(appliance.guest.config(), configuration);

    assert_eq!(appliance.order("/api/v1/update/rollback", 202)["version"], OLD);
    appliance.wait_running(&lab, OLD);
    assert_eq!(appliance.restarts(), 2);
    assert_eq!(appliance.update()["other"], json!({ "version": NEW, "standing": "left", "why": null }));
    assert_eq!(appliance.guest.config(), configuration);
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}+0.efi")]);
}

#[test]
fn one_that_cannot_start_is_given_up_and_its_counter_does_not_harm_the_next() {
    let lab = Lab::single_arm_with_guest();
    let broken = Release::with_command_line(&lab.appliance().new_folder("broken"), NEW, DIES);
    let good = Release::shared(NEW);
    let appliance = Appliance::boot(&lab);
    appliance.install(&broken);
    appliance.order("/api/v1/restart", 202);
    wait::until(BOOT, "three failures and the older version", || {
        appliance.guest.machine().serial().matches("Kernel panic").count() == 3
            && appliance.guest.request("GET", UPDATE, None).status == 200
    });
    appliance.wait_running(&lab, OLD);
    let other = &appliance.update()["other"];
    assert_eq!((&other["version"], &other["standing"]), (&json!(NEW), &json!("failed")));
    assert!(other["why"].as_str().is_some_and(|why| why.contains("its kernel or its init ended")), "{other}");
    appliance.guest.wait_status("a word about the version that failed", |guest| {
        guest.status()["problems"].to_string().contains("was started three times and never proved itself")
    });
    let refused = appliance.guest.request("POST", "/api/v1/update/rollback", None).expect(409);
    assert!(refused.text.contains("has failed to start"), "{}", refused.text);

    appliance.install(&good);
    appliance.order("/api/v1/restart", 202);
    appliance.wait_running(&lab, NEW);
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}.efi")]);
}
