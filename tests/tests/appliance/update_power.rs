//! The power goes while an update is uploaded, installed, or starts for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lab::vm::Release;
use lab::vm::guest::BOOT;
use lab::{Lab, random, wait};
use serde_json::json;

use crate::updating::{Appliance, NEW, OLD, UPDATE};

/// In which the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Upload,
    Installation,
    FirstStart,
}

impl Moment {
    const ALL: [Self; 3] = [Self::Upload, Self::Installation, Self::FirstStart];

    /// What it takes on an emulated machine, and a little more.
    fn longest(self) -> Duration {
        Duration::from_secs(match self {
            Self::Upload | Self::Installation => 5,
            Self::FirstStart => 40,
        })
    }

    /// All that comes before it.
    fn prepare(self, appliance: &Appliance, release: &Release) {
        match self {
            // Who is logged in needs not ask before.
            Self::Upload => _ = appliance.update(),
            Self::Installation => _ = appliance.upload(release, release).expect(303),
            Self::FirstStart => appliance.install(release),
        }
    }

    /// Begins, and may never return.
    fn begin(self, appliance: &Appliance, release: &Release) {
        let order = |path: &str| _ = appliance.guest.request("POST", path, None);
        match self {
            Self::Upload => appliance.begin_upload(release),
            Self::Installation => order("/api/v1/update/install"),
            Self::FirstStart => order("/api/v1/restart"),
        }
    }
}

/// Waits until what runs has proven itself; returns its version.
fn settled(appliance: &Appliance) -> String {
    let answer = wait::until_some(BOOT, "a version that has proven itself", || {
        appliance.guest.machine().expect_running();
        let answer = appliance.guest.request("GET", UPDATE, None);
        (answer.status == 200 && answer.json["on_trial"] == false && answer.json["problem"].is_null())
            .then_some(answer.json)
    });
    answer.0["running"].as_str().expect("a version").to_owned()
}

#[test]
fn a_power_cut_in_the_middle_of_an_update_leaves_a_version_that_works() {
    let mut random = fastrand::Rng::with_seed(random::seed("power cuts during an update"));
    let lab = Lab::single_arm_with_guest();
    let release = Release::shared(NEW);
    let appliance = Appliance::boot(&lab);
    let configuration = appliance.guest.config();
    let mut found: BTreeMap<_, u32> = BTreeMap::new();
    for round in 0..random::rounds(3, 30) {
        let moment = Moment::ALL[usize::try_from(round).expect("a small number") % Moment::ALL.len()];
        moment.prepare(&appliance, &release);
        let pause = moment.longest().mul_f64(random.f64());
        let lost = std::thread::scope(|scope| {
            // The answer may never come; the machine that starts next tells whoever waits for it.
            scope.spawn(|| moment.begin(&appliance, &release));
            std::thread::sleep(pause);
            appliance.guest.machine().cut_power();
            let lost = appliance.disk.lose_power(&mut random);
            appliance.guest.boot_again();
            lost
        });
        let running = settled(&appliance);
        println!("round {round}: {moment:?} cut after {pause:?}, {lost} sectors lost: {running} runs");
        assert!([OLD, NEW].contains(&running.as_str()), "{running}");
        assert!(running == OLD || moment != Moment::Upload, "what was only uploaded starts by itself");
        appliance.wait_running(&lab, &running);
        assert_eq!(appliance.guest.config(), configuration);
        let problems = appliance.guest.status()["problems"].clone();
        assert!(!problems.to_string().contains("never proved itself"), "{problems}");
        if running == NEW {
            appliance.order("/api/v1/update/rollback", 202);
            appliance.wait_running(&lab, OLD);
        }
        *found.entry((moment, running)).or_default() += 1;
    }
    println!("what ran after a cut: {found:?}");
    if random::is_long() {
        let versions: BTreeSet<_> = found.keys().map(|(_, running)| running.as_str()).collect();
        assert_eq!(versions, BTreeSet::from([OLD, NEW]), "every cut lay on the same side");
    }
    // And after all that, an update still works.
    appliance.install(&release);
    appliance.order("/api/v1/restart", 202);
    appliance.wait_running(&lab, NEW);
    assert_eq!(
        appliance.other(),
        json!({ "version": OLD, "standing": "good", "starts_without_restart": false, "why": null })
    );
}
