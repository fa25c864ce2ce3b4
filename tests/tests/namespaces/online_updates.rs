//! Newer versions on a server: lbd looks over real HTTPS, straight or through tinyproxy, tells what it finds or why it finds
//! nothing, and downloads what somebody wants. The first process only says that it has installed it.

use std::sync::Arc;

use lab::first_process::FirstProcess;
use lab::lbd::SOON;
use lab::servers::Certificate;
use lab::updates::Shelf;
use lab::{Config, Lab, Process, wait};
use serde_json::Value;

const UPDATE: &str = "/api/v1/update";
/// Of the certificate, and in DNS.
const NAME: &str = "updates.example";
const URL: &str = "https://updates.example/newest.index.json";

/// An appliance, a name server on POOL2_NODE1, and a server of updates on NODE1.
struct Story {
    lab: Lab,
    first: FirstProcess,
    shelf: Shelf,
    authority: Certificate,
    certificate: Certificate,
    server: Arc<Process>,
}

impl Story {
    /// Looks there.
    fn start() -> Self {
        let lab = Lab::single_arm();
        lab.server("POOL2_NODE1").name_server(&["host-record=updates.example,192.168.10.110"]);
        let host = lab.server("NODE1");
        let (shelf, authority) = (Shelf::on(host), host.authority("Updates"));
        let certificate = host.certificate(NAME, &authority, 30);
        let server = host.update_server(443, &shelf, &certificate);
        let first = FirstProcess::that_installs(lab.appliance().new_path("init.sock"), "0.2.0");
        let story = Self { lab, first, shelf, authority, certificate, server };
        story.lab.lbd().start(&story.config(&story.update(URL, &story.authority, "")));
        story.lab.lbd().stop();
        story.lab.lbd().start_again_with_updates(story.first.socket(), &story.shelf.public_key());
        story
    }

    fn update(&self, url: &str, trusted: &Certificate, more: &str) -> String {
        format!(
            "\n[update]\nurl = \"{url}\"\ncertificate_authority = \"\"\"\n{}\"\"\"\n{more}",
            trusted.pem()
        )
    }

    fn config(&self, update: &str) -> Config {
        let network = "\n[network]\nhost_name = \"lbmaster\"\ndns_servers = [\"192.168.10.112\"]\n[[network.interface]]\n\
                       name = \"eth0\"\naddresses = [\"192.168.10.10/24\"]\n";
        self.lab.config([&self.lab.pool()]).followed_by(network).followed_by(update)
    }

    fn set(&self, update: &str) {
        self.lab.lbd().put(&self.config(update)).expect(200);
    }

    /// Where it is looked, what came of a look.
    fn look(&self) -> Value {
        self.lab.lbd().request("POST", &format!("{UPDATE}/look"), None).expect(200).json["online"].clone()
    }

    /// Why a look found nothing.
    fn problem(&self) -> String {
        let online = self.look();
        online["problem"].as_str().unwrap_or_else(|| panic!("a problem in {online}")).to_owned()
    }

    fn expect_problem(&self, words: &str) {
        let told = self.problem();
        assert!(told.contains(words), "{words:?} in {told:?}");
    }

    fn state(&self) -> Value {
        self.lab.lbd().request("GET", UPDATE, None).expect(200).json
    }

    fn order(&self, path: &str, status: u16) -> Value {
        self.lab.lbd().request("POST", &format!("{UPDATE}/{path}"), None).expect(status).json
    }

    /// Downloads what was found, in vain: why.
    fn failed_download(&self) -> String {
        self.order("download", 202);
        let failed = || self.state()["online"]["download"]["failed"].as_str().map(str::to_owned);
        let (told, _) = wait::until_some(SOON, "the download to fail", failed);
        assert_eq!(self.kept(), [""; 0], "nothing of it is kept");
        assert!(self.state()["uploaded"].is_null());
        told
    }

    /// Files of archives on the appliance.
    fn kept(&self) -> Vec<String> {
        let folder = self.lab.lbd().state_folder().join("update");
        let names = std::fs::read_dir(folder).expect("a folder of updates");
        let names = names.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.ends_with(".json")).collect()
    }

    /// `lbd ARGUMENTS` over the control socket.
    fn command(&self, arguments: &str) -> lab::Output {
        let socket = self.lab.lbd().control_socket();
        self.lab.lbd().command(&format!("{arguments} --control-socket {}", socket.display()), "")
    }

    /// Alerts with these words in the log.
    fn told(&self, words: &str) -> usize {
        let path = format!("/api/v1/log?text={}", words.replace(' ', "%20"));
        let log = self.lab.lbd().request("GET", &path, None).expect(200).json;
        log["lines"].as_array().map_or(0, Vec::len)
    }
}

#[test]
fn a_newer_version_is_told_once_downloaded_verified_and_installed() {
    let story = Story::start();
    let archive = story.shelf.offer("0.2.0", 7);
    let online = story.look();
    let newest = &online["newest"];
    assert_eq!((&newest["version"], &newest["available"]), (&"0.2.0".into(), &true.into()), "{online}");
    assert!(newest["notes"].as_str().is_some_and(|notes| notes.contains("new in 0.2.0")), "{online}");
    assert_eq!(newest["size"].as_u64(), Some(archive.metadata().expect("an archive").len()));
    assert!(online["problem"].is_null() && online["looked"].is_string() && online["next_look"].is_string());
    story.lab.lbd().wait_audit("update: looked for a newer version");
    let words = "Version 0.2.0 of Evenkeel is available";
    wait::until(SOON, "the alert", || story.told(words) > 0);
    let alerts = story.told(words);
    let shown = story.command("update look");
    assert!(shown.expect_ok().contains("Newest    0.2.0. It is newer than what runs here."), "{shown:?}");
    assert_eq!(story.kept(), [""; 0], "nothing is downloaded by itself");
    assert_eq!(story.told(words), alerts, "it is told once");

    let shown = story.command("update download");
    assert!(shown.expect_ok().contains("Uploaded  0.2.0, "), "{shown:?}");
    story.lab.lbd().wait_audit("update: download of version 0.2.0 begun");
    story.lab.lbd().wait_audit("update: version 0.2.0 downloaded");
    let staged = story.lab.lbd().state_folder().join("update/staged.update");
    assert!(std::fs::read(staged).expect("what waits") == std::fs::read(archive).expect("what was offered"));
    assert!(story.state()["online"]["download"].is_null());
    assert_eq!(story.first.orders(), [""; 0], "nothing is installed by itself");

    story.command("update install").expect_ok();
    assert_eq!(story.first.orders(), ["install"]);
    let newest = &story.look()["newest"];
    assert_eq!(newest["available"], false, "{newest}");
    assert!(newest["meaning"].as_str().is_some_and(|words| words.contains("installed already")), "{newest}");
    assert_eq!(story.told(words), alerts);
}

#[test]
fn whoever_stores_other_settings_need_not_ask() {
    let story = Story::start();
    story.set("");
    story.shelf.offer("0.2.0", 7);
    story.set(&story.update(URL, &story.authority, "interval_hours = 1\n"));
    let available = || story.state()["online"]["newest"]["available"] == true;
    wait::until(SOON, "a look by itself", available);
}

#[test]
fn what_was_found_is_known_after_a_restart_and_not_told_again() {
    let story = Story::start();
    story.shelf.offer("0.2.0", 7);
    story.look();
    let words = "Version 0.2.0 of Evenkeel is available";
    wait::until(SOON, "the alert", || story.told(words) > 0);
    let alerts = story.told(words);
    story.lab.lbd().stop();
    story.server.kill();
    story.lab.lbd().start_again_with_updates(story.first.socket(), &story.shelf.public_key());
    let available = || story.state()["online"]["newest"]["available"] == true;
    wait::until(SOON, "the newer version to be known again", available);
    story.expect_problem("The update server updates.example:443 cannot be reached: connection refused");
    assert!(available(), "what was found stands beside it");
    assert_eq!(story.told(words), alerts);
    story.set("");
    let online = story.state()["online"].clone();
    assert!(online["url"].is_null() && online["newest"].is_null() && online["looked"].is_null(), "{online}");
    story.order("look", 409);
}

#[test]
fn an_index_that_cannot_be_had_or_trusted_is_told_in_a_sentence() {
    let story = Story::start();
    let with = |url: &str, trusted: &Certificate| story.set(&story.update(url, trusted, ""));
    story.expect_problem("answered 404 Not Found for https://updates.example/newest.index.json");
    with("https://nowhere.example/newest.index.json", &story.authority);
    story.expect_problem("The update server nowhere.example has no address, say the DNS servers");
    with("https://updates.example:444/newest.index.json", &story.authority);
    story.expect_problem("updates.example:444 cannot be reached: connection refused");
    let stranger = story.lab.server("NODE1").authority("Stranger");
    with(URL, &stranger);
    story.expect_problem("updates.example:443 is not trusted: its issuer (CN=Updates) is not known");
    with("https://192.168.10.110/newest.index.json", &story.authority);
    story.expect_problem("does not hold the name 192.168.10.110");
    story.lab.lbd().wait_audit("update url https://updates.example/newest.index.json -> ");

    with(URL, &story.authority);
    story.shelf.signing_with_another_key(story.lab.server("NODE1")).offer("0.3.0", 7);
    story.expect_problem("signed with another key than this system trusts");
    story.shelf.offer("0.2.0", 7);
    let index = story.shelf.path("newest.index.json");
    let text = std::fs::read_to_string(&index).expect("an index");
    std::fs::write(&index, text.replace("0.2.0", "0.9.0")).expect("lab folder");
    story.expect_problem("The signature of the index of updates is wrong");
    std::fs::write(&index, vec![b' '; 65_537]).expect("lab folder");
    story.expect_problem("The file https://updates.example/newest.index.json has more than the 65536 bytes");
    assert!(story.state()["online"]["newest"].is_null(), "nothing unsigned is believed");
    assert!(story.order("download", 409)["detail"].as_str().is_some_and(|why| why.contains("look for one")));

    story.shelf.offer("0.0.9", 7);
    let newest = &story.look()["newest"];
    assert!(newest["meaning"].as_str().is_some_and(|words| words.contains("up to date")), "{newest}");
    story.order("download", 409);
    assert_eq!(story.told("of Evenkeel is available"), 0);
}

#[test]
fn an_archive_that_is_not_what_was_promised_is_refused_and_nothing_of_it_stays() {
    let story = Story::start();
    let archive = story.shelf.offer("0.2.0", 7);
    story.look();
    let good = std::fs::read(&archive).expect("an archive");
    // Another one of the same length, with a good signature of its own.
    let [index, signature] = ["newest.index.json", "newest.index.json.minisig"].map(|name| {
        let path = story.shelf.path(name);
        let text = std::fs::read(&path).expect("an index");
        (path, text)
    });
    story.shelf.offer("0.2.0", 8);
    for (path, text) in [index, signature] {
        std::fs::write(path, text).expect("lab folder");
    }
    let told = story.failed_download();
    assert!(told.contains("The checksum does not fit"), "{told}");
    story.shelf.signing_with_another_key(story.lab.server("NODE1")).offer("0.2.0", 7);
    story.look();
    let told = story.failed_download();
    assert!(told.contains("signed with another key") || told.contains("bytes"), "{told}");
    std::fs::write(&archive, &good).expect("lab folder");
    for (mode, words) in [("endless", "has more than the"), ("cut", "broke off")] {
        story.shelf.send_archives(mode);
        let told = story.failed_download();
        assert!(told.contains(words), "{mode}: {told}");
    }
    std::fs::remove_file(&archive).expect("own file");
    story.shelf.send_archives("");
    let told = story.failed_download();
    assert!(told.contains("answered 404 Not Found"), "{told}");
    std::fs::write(&archive, &good).expect("lab folder");
    story.order("download", 202);
    wait::until(SOON, "a good one to come", || story.state()["uploaded"]["version"] == "0.2.0");
}

#[test]
fn a_download_shows_how_far_it_is_and_can_be_cancelled() {
    let story = Story::start();
    story.shelf.offer("0.2.0", 7);
    story.look();
    story.shelf.send_archives("slow 16");
    story.order("download/cancel", 409);
    story.order("download", 202);
    let progress = || story.state()["online"]["download"]["percent"].as_u64().filter(|percent| *percent > 0);
    let (percent, _) = wait::until_some(SOON, "a part of it", progress);
    assert!(percent < 100, "{percent}");
    assert_eq!(story.order("download", 409)["title"], "Another upload or download is under way");
    story.order("download/cancel", 204);
    assert!(story.state()["online"]["download"].is_null());
    assert_eq!(story.kept(), [""; 0]);
    story.lab.lbd().wait_audit("update: download cancelled");
    story.shelf.send_archives("");
    story.command("update download").expect_ok();
    assert_eq!(story.state()["uploaded"]["version"], "0.2.0");
}

#[test]
fn everything_goes_through_the_proxy_where_there_is_one() {
    let story = Story::start();
    story.shelf.offer("0.2.0", 7);
    let host = story.lab.server("POOL3_NODE1");
    let proxy = host.http_proxy(3128);
    // tinyproxy asks no name server of the lab; a certificate that is trusted itself counts whatever its name is.
    let through = |port: u16, proxy: &str| {
        let url = format!("https://192.168.10.110:{port}/newest.index.json");
        story.set(&story.update(&url, &story.certificate, &format!("proxy = \"http://{proxy}\"\n")));
    };
    through(443, "192.168.10.114:3128");
    assert_eq!(story.look()["newest"]["version"], "0.2.0");
    story.order("download", 202);
    wait::until(SOON, "the archive to come", || story.state()["uploaded"]["version"] == "0.2.0");
    host.wait_said(&proxy, "192.168.10.110");
    through(444, "192.168.10.114:3128");
    story.expect_problem("The proxy 192.168.10.114:3128 does not connect to 192.168.10.110:444 (403");
    through(443, "192.168.10.114:3129");
    story.expect_problem("The proxy 192.168.10.114:3129 cannot be reached: connection refused");
    host.answering(3130, "silent");
    through(443, "192.168.10.114:3130");
    story.expect_problem("The proxy 192.168.10.114:3130 gave no answer within 15 s");
}
