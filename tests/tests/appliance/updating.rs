//! What stories of updates do with an appliance.

use lab::vm::guest::{BOOT, PATIENCE};
use lab::vm::partition::ukis;
use lab::vm::{Guest, Hardware, LossyDisk, Release};
use lab::{Lab, wait};
use serde_json::{Value, json};

/// The version under test.
pub(crate) const OLD: &str = env!("CARGO_PKG_VERSION");
/// One that is newer.
pub(crate) const NEW: &str = "9.9.9";
/// Of the API.
pub(crate) const UPDATE: &str = "/api/v1/update";

const UPLOAD: &str = "/maintenance/update/upload";

fn form(release: &Release, sum: &Release) -> [String; 2] {
    let file = |name, path: std::path::PathBuf| format!("{name}=@{}", path.display());
    [file("checksum", sum.checksum()), file("archive", release.archive())]
}

/// The appliance with the version under test and traffic to two servers.
pub(crate) struct Appliance<'lab> {
    pub(crate) guest: Guest<'lab>,
    pub(crate) disk: LossyDisk,
}

impl<'lab> Appliance<'lab> {
    /// As it is deployed.
    pub(crate) fn boot(lab: &'lab Lab) -> Self {
        for node in ["NODE1", "NODE2"] {
            lab.server(node).named_server(node, 2001);
        }
        let disk = LossyDisk::of_the_ova(&lab.appliance().new_folder("disk"));
        let guest = Guest::with_hardware(lab, Hardware::with_disk(disk.drive()));
        guest.boot(&lab.config([&lab.pool()]));
        guest.wait_service("POOL", "up");
        Self { guest, disk }
    }

    pub(crate) fn update(&self) -> Value {
        self.guest.request("GET", UPDATE, None).expect(200).json
    }

    pub(crate) fn order(&self, path: &str, status: u16) -> Value {
        self.guest.request("POST", path, None).expect(status).json
    }

    /// Over the page's form, with the checksum of `sum`.
    pub(crate) fn upload(&self, release: &Release, sum: &Release) -> lab::Answer {
        self.guest.send_form(UPLOAD, &form(release, sum))
    }

    /// The same, which may not come to its end.
    pub(crate) fn begin_upload(&self, release: &Release) {
        self.guest.send_form_as_known(UPLOAD, &form(release, release));
    }

    pub(crate) fn install(&self, release: &Release) {
        let answer = self.upload(release, release).expect(303);
        assert_eq!(self.update()["uploaded"]["version"], NEW, "{}", answer.text);
        assert_eq!(self.order("/api/v1/update/install", 200)["version"], NEW);
        let told = self.update();
        let other = &told["other"];
        assert_eq!((&other["version"], &other["standing"]), (&json!(NEW), &json!("installed")), "{told}");
        assert_eq!(told["uploaded"], Value::Null, "{told}");
    }

    /// Waits until this version runs and has proven itself, and takes traffic.
    pub(crate) fn wait_running(&self, lab: &Lab, version: &str) {
        wait::until(BOOT, format!("{version} to run and prove itself"), || {
            self.guest.machine().expect_running();
            let answer = self.guest.request("GET", UPDATE, None);
            answer.status == 200 && answer.json["running"] == version && answer.json["on_trial"] == false
        });
        self.guest.wait_service("POOL", "up");
        assert!(lab.client().ask(lab.vip(0), 2001).server.starts_with("NODE"));
    }

    /// The other version, but for when it ran.
    pub(crate) fn other(&self) -> Value {
        let mut other = self.update()["other"].clone();
        other.as_object_mut().map(|fields| fields.remove("left"));
        other
    }

    /// The other version; it was left at this version of the configuration, of which another one is in force now.
    pub(crate) fn expect_left(&self, version: &str, standing: &str, then: &Value, now: &Value) {
        // It is written down once what runs now has shown that it works.
        let other = wait::until_some(PATIENCE, "word of when the other version ran", || {
            Some(self.update()["other"].clone()).filter(|other| !other["left"].is_null())
        });
        let (other, left) = (&other.0, &other.0["left"]);
        assert_eq!((&other["version"], &other["standing"]), (&json!(version), &json!(standing)), "{other}");
        assert_eq!(
            (&left["configuration_version"], &left["configuration_version_now"]),
            (then, now),
            "{other}"
        );
    }

    /// So many restarts were orderly.
    pub(crate) fn restarts(&self) -> usize {
        self.guest.machine().serial().matches("ending everything: Restart").count()
    }

    pub(crate) fn systems(&self) -> Vec<String> {
        assert!(self.guest.machine().shut_down(PATIENCE).success());
        ukis(self.disk.file())
    }
}
