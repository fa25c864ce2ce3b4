//! An update in which only lbd is new starts without a restart: no connection notices it, whether the new lbd is good or not.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lab::browser::Browser;
use lab::tcp::Load;
use lab::topology::MANAGEMENT;
use lab::vm::Release;
use lab::vm::guest::{PASSWORD, PATIENCE};
use lab::{Lab, random, wait};
use serde_json::{Value, json};

use crate::updating::{Appliance, NEW, OLD, UPDATE};

const ACTIVATE: &str = "/api/v1/update/activate";

/// A new lbd has three minutes; an emulated machine that others share is slower in everything else.
const DECIDED: Duration = Duration::from_secs(600);

/// New connections a second, and open ones, through an emulated machine.
fn load(lab: &Lab) -> Load {
    let [fresh, held] = [random::rounds(20, 200), random::rounds(200, 2000)].map(|number| number as u32);
    lab.client().steady_load(lab.vip(0), 2001, fresh, held)
}

/// Two loads of this size at once would measure this machine.
fn alone() -> Option<MutexGuard<'static, ()>> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A story that failed has told so itself.
    random::is_long().then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What it told at last: no connection has failed.
fn expect_undisturbed(load: Load) {
    load.wait_more(50);
    let done = load.expect_no_failures();
    println!("{} new connections, {} round trips, none failed", done.opened, done.round_trips);
}

/// Lines of the log that init wrote, with these words: time and text.
fn said(appliance: &Appliance, words: &str) -> Vec<String> {
    let path = format!("/api/v1/log?source=init&text={}", words.replace(' ', "%20"));
    let lines = appliance.guest.request("GET", &path, None).json["lines"].clone();
    let line = |line: &Value| format!("{} {}", line["time"], line["text"]);
    lines.as_array().into_iter().flatten().map(line).collect()
}

/// Brings an update, and installs it; both are told what kind it is.
fn install(appliance: &Appliance, release: &Release) {
    appliance.upload(release, release).expect(303);
    let uploaded = appliance.update()["uploaded"].clone();
    assert_eq!(uploaded["kind"], "quick", "{uploaded}");
    assert!(uploaded["effect"].to_string().contains("connections go on"), "{uploaded}");
    appliance.order("/api/v1/update/install", 200);
    assert_eq!(
        appliance.other(),
        json!({ "version": NEW, "standing": "installed", "starts_without_restart": true, "why": null })
    );
}

#[test]
fn under_load_it_breaks_no_connection_and_stays() {
    let _alone = alone();
    let lab = Lab::single_arm_with_guest();
    let release = Release::shared(NEW);
    let appliance = Appliance::boot(&lab);
    let configuration = appliance.guest.config();
    let refused = appliance.guest.request("POST", ACTIVATE, None).expect(409);
    assert!(refused.text.contains("nothing was installed"), "{}", refused.text);
    install(&appliance, &release);

    let load = load(&lab);
    let browser = Browser::start(lab.administrator(), &format!("https://{MANAGEMENT}:9443"));
    browser.log_in("loadbalancer", PASSWORD);
    browser.wait_text("h1", "System Overview");
    browser.open("/maintenance/update");
    browser.judge("update-quick");
    browser.click("button[value=activate]");
    browser.accept_question();
    browser.wait_text("h1", "The update starts without a restart");
    appliance.wait_running(&lab, NEW);
    expect_undisturbed(load);
    let audit = appliance.guest.request("GET", "/api/v1/audit", None).expect(200).text;
    assert!(audit.contains(&format!("version {NEW} started without a restart")), "{audit}");
    assert_eq!(appliance.restarts(), 0);
    wait::until(PATIENCE, "a console of the new lbd", || {
        !said(&appliance, "the console of ttyS0 has ended (exit code 0)").is_empty()
    });
    for words in ["lbd is replaced", "lbd has ended", "lbd answers", "this system is good"] {
        println!("{}", said(&appliance, words).join("\n"));
    }
    let good = json!({ "version": OLD, "standing": "good", "starts_without_restart": false, "why": null });
    assert_eq!(appliance.other(), good);
    assert_eq!(appliance.guest.config(), configuration);
    assert_eq!(appliance.guest.request("GET", "/api/v1/crashes", None).expect(200).json, json!([]));

    appliance.order("/api/v1/restart", 202);
    wait::until(DECIDED, "the restart", || appliance.restarts() == 1);
    appliance.wait_running(&lab, NEW);
    assert_eq!(appliance.other(), good);
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}.efi")]);
}

/// How a new lbd may be no good.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It ends as soon as it starts.
    Ends,
    /// No server passes its check, and before each did.
    Checks,
}

impl Way {
    const ALL: [Self; 2] = [Self::Ends, Self::Checks];

    /// Starts it, and waits until the older one runs again; returns what is told of the new one then.
    fn fails(self, lab: &Lab, appliance: &Appliance, release: &Release) -> Value {
        install(appliance, release);
        // The kernel has no server to lead connections to where all checks fail.
        let load = matches!(self, Self::Ends).then(|| load(lab));
        assert_eq!(appliance.order(ACTIVATE, 202)["version"], NEW);
        if matches!(self, Self::Checks) {
            ["NODE1", "NODE2"].into_iter().for_each(|node| lab.server(node).set_link(false));
        }
        let told = wait::until_some(DECIDED, format!("{self:?}: the older lbd and its word"), || {
            appliance.guest.machine().expect_running();
            let answer = appliance.guest.request("GET", UPDATE, None);
            let is_decided = answer.json["running"] == OLD && answer.json["other"]["standing"] == "failed";
            (answer.status == 200 && is_decided).then_some(answer.json)
        });
        ["NODE1", "NODE2"].into_iter().for_each(|node| lab.server(node).set_link(true));
        appliance.wait_running(lab, OLD);
        if let Some(load) = load {
            expect_undisturbed(load);
        }
        told.0["other"].clone()
    }

    /// In the status, and of the version that failed.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Ends => ["its lbd ended three times", "its lbd never ran for long enough"],
            Self::Checks => ["never proved itself", "No server of POOL passes"],
        }
    }
}

#[test]
fn one_that_is_no_good_is_taken_back_and_does_not_start_next() {
    let _alone = alone();
    let lab = Lab::single_arm_with_guest();
    let ends = Release::with_lbd_that_ends(&lab.appliance().new_folder("no-good"), NEW);
    let good = Release::shared(NEW);
    let appliance = Appliance::boot(&lab);
    let configuration = appliance.guest.config();
    let ways = usize::try_from(random::rounds(1, Way::ALL.len() as u64)).expect("a few");
    for way in &Way::ALL[..ways] {
        let other = way.fails(&lab, &appliance, if matches!(way, Way::Ends) { &ends } else { &good });
        let [word, why] = way.words();
        appliance.guest.wait_status("a word about the version that failed", |guest| {
            guest.status()["problems"].to_string().contains(word)
        });
        assert!(other["why"].to_string().contains(why), "{way:?}: {other}");
        assert_eq!(other["starts_without_restart"], false);
        assert_eq!(appliance.guest.config(), configuration);
    }
    assert_eq!(appliance.restarts(), 0);
    appliance.order("/api/v1/restart", 202);
    wait::until(DECIDED, "the restart", || appliance.restarts() == 1);
    appliance.wait_running(&lab, OLD);
    assert_eq!(appliance.other()["standing"], "failed");
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}+0-3.efi")]);
}

#[test]
fn a_power_cut_in_the_middle_starts_the_new_one_which_proves_itself() {
    let mut random = fastrand::Rng::with_seed(random::seed("a power cut during a quick update"));
    let lab = Lab::single_arm_with_guest();
    let release = Release::shared(NEW);
    let appliance = Appliance::boot(&lab);
    install(&appliance, &release);
    assert_eq!(appliance.order(ACTIVATE, 202)["version"], NEW);
    // It takes at least ten seconds to be kept.
    std::thread::sleep(Duration::from_secs(10).mul_f64(random.f64()));
    appliance.guest.machine().cut_power();
    appliance.disk.lose_power(&mut random);
    appliance.guest.boot_again();
    appliance.wait_running(&lab, NEW);
    assert_eq!(appliance.systems(), [format!("evenkeel_{OLD}.efi"), format!("evenkeel_{NEW}.efi")]);
}
