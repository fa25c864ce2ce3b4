//! Alerts by mail, with Debian's Postfix as mail server and dnsmasq as name server.

use std::time::Duration;

use lab::lbd::wait_https;
use lab::mail::{DOMAIN, Demands, MailServer};
use lab::small_disk::{HangingDisk, SmallDisk};
use lab::topology::MANAGEMENT;
use lab::{Config, Lab, wait};
use serde_json::{Value, json};

/// Hold-down, gathering, and whatever the machine does beside it.
const TOLD: Duration = Duration::from_secs(90);
/// The same for what is over, which must be so for a minute.
const TAKEN_BACK: Duration = Duration::from_secs(180);

/// lbd looks at its disk every 15 seconds.
const LOOKED_AT: Duration = Duration::from_secs(60);

const ALERTS: &str = "[alerts]\nsource = \"lb@hospital.example\"\ndestinations = [\"pacs@hospital.example\"]\n\
                      hold_down_seconds = 5\ngathering_seconds = 2\n";

/// The same, where nothing but tests is to be told: the lab's services have no servers.
const TESTS_ONLY: &str = "[alerts]\nsource = \"lb@hospital.example\"\ndestinations = [\"pacs@hospital.example\"]\n\
                          hold_down_seconds = 3600\n";

/// A lab with a name server on POOL2_NODE1; mail servers are 192.168.10.112 (mx1) and .114 (mx2).
struct Mailing {
    lab: Lab,
}

impl Mailing {
    fn start() -> Self {
        let lab = Lab::single_arm();
        lab.server("POOL2_NODE1").name_server(&[
            "mx-host=hospital.example,mx1.hospital.example,10",
            "mx-host=hospital.example,mx2.hospital.example,20",
            "host-record=mx1.hospital.example,192.168.10.112",
            "host-record=mx2.hospital.example,192.168.10.114",
            // No mail for this domain (RFC 7505): an MX record of preference 0 with the root as name.
            "dns-rr=silent.example,15,000000",
            "host-record=silent.example,192.168.10.114",
        ]);
        Self { lab }
    }

    fn config(&self, more: &str) -> Config {
        let network = "\n[network]\nhost_name = \"lbmaster\"\ndns_servers = [\"192.168.10.112\"]\n[[network.interface]]\n\
                       name = \"eth0\"\naddresses = [\"192.168.10.10/24\"]\n";
        self.lab.config([&self.lab.pool()]).followed_by(network).followed_by(more)
    }

    fn postfix(&self) -> MailServer {
        self.lab.server("POOL3_NODE1").postfix("mx2", None)
    }

    /// `lbd ARGUMENTS` over the control socket.
    fn command(&self, arguments: &str) -> lab::Output {
        self.command_with(arguments, "")
    }

    fn command_with(&self, arguments: &str, input: &str) -> lab::Output {
        let socket = self.lab.lbd().control_socket();
        self.lab.lbd().command(&format!("{arguments} --control-socket {}", socket.display()), input)
    }

    fn test_alert(&self) -> Vec<String> {
        let answer = self.lab.lbd().request("POST", "/api/v1/alerts/test", Some("{}")).expect(202);
        let names = answer.json["mails"].as_array().expect("names").iter();
        names.map(|name| name.as_str().expect("a name").to_owned()).collect()
    }

    fn mail(&self) -> Value {
        self.lab.lbd().request("GET", "/api/v1/mail", None).expect(200).json
    }

    /// Waits until the only mail that waits has failed with these words of the server.
    fn wait_failed(&self, words: &str) {
        self.lab.lbd().wait_status(&format!("a mail to fail with {words:?}"), |lbd| {
            let waiting = &lbd.status()["mail"]["waiting"];
            waiting.as_array().is_some_and(|all| all.len() == 1)
                && waiting[0]["last_error"].as_str().is_some_and(|error| error.contains(words))
        });
    }

    fn wait_empty(&self) {
        self.lab.lbd().wait_status("an empty mail queue", |lbd| lbd.status()["mail"]["waiting_count"] == 0);
    }
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {mail}"))
}

#[test]
fn who_is_told_learns_of_an_outage_and_of_its_end_over_the_mx_that_works() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let postfix = mailing.postfix();
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&mailing.config(ALERTS));
    lab.lbd().wait_service("POOL", "up");
    servers[1].kill();
    let mails = postfix.wait_mails(1, TOLD);
    let mail = &mails[0];
    assert_eq!(
        header(mail, "Subject"),
        "[lbmaster] Warning: NODE2 of POOL (192.168.10.111) is down",
        "{mail}"
    );
    for words in [
        "From: lb@hospital.example",
        "To: pacs@hospital.example",
        "Auto-Submitted: auto-generated",
        "Why:",
        "refused",
        "(check: TCP connect to port 2001)",
        "POOL goes on with 1 of 2 servers.",
        "Look at:",
        &format!("https://{MANAGEMENT}:9443/"),
        // The name by EHLO, as Postfix writes it down.
        "Received: from lbmaster (",
    ] {
        assert!(mail.contains(words), "{words} in {mail}");
    }
    // Postfix may have put it into the mailbox before lbd has read the answer, and would get it again from another lbd.
    lab.lbd().wait_status("the mail to be known as delivered", |lbd| {
        lbd.status()["mail"]["finished"][0]["words"].is_string()
    });
    // What was told is neither told again by another lbd, nor forgotten by it.
    lab.lbd().kill();
    lab.lbd().start_again();
    lab.lbd().wait_server("POOL", "NODE2", "down");
    let _back = lab.server("NODE2").named_server("NODE2", 2001);
    lab.lbd().wait_service("POOL", "up");
    let mails = postfix.wait_mails(2, TAKEN_BACK);
    let ended = mails.iter().find(|mail| mail.contains("is up again")).expect("the end is told");
    assert!(header(ended, "Subject").contains("OK: NODE2 of POOL"), "{ended}");
    assert!(ended.contains("POOL has all its 2 servers."), "{ended}");
    assert_eq!(mails.len(), 2, "{mails:#?}");
    lab.lbd().wait_status("the answer of the second mail server", |lbd| {
        let words = lbd.status()["mail"]["finished"][0]["words"].clone();
        words
            .as_str()
            .is_some_and(|words| words.starts_with("mx2.hospital.example (192.168.10.114:25) took it: 250"))
    });
}

#[test]
fn a_smart_host_gets_mail_over_tls_from_who_it_knows() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let host = lab.server("POOL3_NODE1");
    let authority = host.authority("authority");
    let certificate = host.certificate("mx2.hospital.example", &authority, 90);
    const PASSWORD: &str = "S3cret of the smart host";
    let demands = Demands { certificate: &certificate, credentials: ("lbmaster", PASSWORD) };
    let postfix = host.postfix("mx2", Some(demands));
    let settings = "[mail]\nsmart_host = \"mx2.hospital.example\"\nencryption = \"starttls\"\n";
    lab.lbd().start(&mailing.config(&format!("{TESTS_ONLY}{settings}")));
    mailing.test_alert();
    mailing.wait_failed("the issuer of the server's certificate is not trusted");
    let trusted = format!("{TESTS_ONLY}{settings}tls_verify = \"\"\"\n{}\"\"\"\n", authority.pem());
    lab.lbd().put(&mailing.config(&trusted)).expect(200);
    mailing.command("mail retry").expect_ok();
    mailing.wait_empty();
    // The server's own words.
    let shown = mailing.command("status");
    assert!(
        shown.expect_ok().contains("! The last mail was not delivered: refused for good: mx2"),
        "{shown:?}"
    );
    let words = "554 5.7.1 <pacs@hospital.example>: Recipient address rejected: Access denied";
    assert!(shown.stdout.contains(words), "{shown:?}");
    let known = format!("{trusted}user = \"lbmaster@{DOMAIN}\"\n");
    lab.lbd().put(&mailing.config(&known)).expect(200);
    mailing.test_alert();
    mailing.wait_failed("there is no password");
    mailing.command_with("mail password", "Wr0ngGuess4711\n").expect_ok();
    mailing.wait_failed("535 5.7.8");
    mailing.command_with("mail password", &format!("{PASSWORD}\n")).expect_ok();
    let mails = postfix.wait_mails(1, TOLD);
    assert!(mails[0].contains("This is a test of the alerts"), "{}", mails[0]);
    assert!(mails[0].contains("with ESMTPSA id"), "encrypted, and logged in: {}", mails[0]);
    mailing.wait_empty();
    let output = mailing.command("alert test");
    assert!(
        output
            .expect_ok()
            .contains("pacs@hospital.example: mx2.hospital.example (192.168.10.114:25) took it: 250")
    );
    // The password is in its own file, and nowhere else.
    let texts =
        ["/api/v1/config", "/api/v1/status", "/api/v1/mail", "/api/v1/audit", "/api/v1/config/versions"]
            .map(|path| lab.lbd().request("GET", path, None).text);
    assert!(texts.iter().all(|text| !text.contains(PASSWORD)));
    assert!(!lab.lbd().process().log().contains(PASSWORD));
    let log = lab.lbd().request("GET", "/api/v1/log?most=1000", None).expect(200).text;
    assert!(!log.contains(PASSWORD) && !log.contains("Wr0ngGuess4711"), "{log}");
    let holding = lab
        .lbd()
        .stored_files()
        .into_iter()
        .filter(|(_, content)| content.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
    let holding: Vec<_> = holding.map(|(name, _)| name).collect();
    assert!(holding.len() == 1 && holding[0].ends_with("secrets/mail.json"), "{holding:?}");
    assert_eq!(mailing.mail()["password_set"], true);
    lab.lbd().request("DELETE", "/api/v1/mail/password", None).expect(204);
    lab.lbd().wait_status("no password", |lbd| lbd.status()["mail"]["password_set"] == false);
}

#[test]
fn no_mail_server_however_nasty_costs_a_mail_or_sends_it_twice() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let host = lab.server("POOL3_NODE1");
    let at = |port: u16, more: &str| {
        mailing.config(&format!("{TESTS_ONLY}[mail]\nsmart_host = \"192.168.10.114\"\nport = {port}\n{more}"))
    };
    lab.lbd().start(&at(2500, ""));
    let [id] = mailing.test_alert().try_into().expect("one mail");
    mailing.wait_failed("192.168.10.114:2500 cannot be reached: Connection refused");
    for (port, mode, more, words) in [
        (2501, "busy", "", "answered to the recipient: 450 4.7.1 Greylisted, come back later"),
        (2502, "full", "", "answered to the mail: 452 4.3.1 The disk is full"),
        (2503, "drop-data", "", "broke off at the mail"),
        (2504, "drop-end", "", "broke off at the mail"),
        (2505, "flood", "", "broke off at the greeting"),
        (2506, "broken-tls", "", "TLS with 192.168.10.114:2506 failed: "),
        (2507, "inject", "", "TLS with 192.168.10.114:2507 failed: "),
        (2508, "good", "encryption = \"starttls\"\n", "does not offer STARTTLS"),
        (2509, "good", "encryption = \"tls\"\n", "TLS with 192.168.10.114:2509 failed: "),
        (
            2510,
            "no-auth",
            "encryption = \"none\"\nuser = \"lb\"\n",
            "offers neither AUTH PLAIN nor AUTH LOGIN",
        ),
    ] {
        host.nasty_mail_server(port, mode, None);
        mailing.command_with("mail password", "anything\n").expect_ok();
        lab.lbd().put(&at(port, more)).expect(200);
        mailing.command("mail retry").expect_ok();
        mailing.wait_failed(words);
    }
    // A slow one, which takes two seconds for each of its seven answers, is waited for; that one takes it, once.
    let slow = host.nasty_mail_server(2520, "slow", None);
    lab.lbd().put(&at(2520, "")).expect(200);
    mailing.command("mail retry").expect_ok();
    wait::until(TOLD, "the mail to be delivered", || lab.lbd().status()["mail"]["waiting_count"] == 0);
    let mails = slow.log().lines().filter(|line| line.contains("\"event\": \"mail\"")).count();
    assert_eq!(mails, 1, "{}", slow.log());
    assert!(slow.log().contains(&format!("Message-ID: <{id}@hospital.example>")));
    assert_eq!(
        mailing.mail()["finished"][0]["words"],
        "192.168.10.114:2520 took it: 250 2.0.0 taken as 4711"
    );
    // From the first byte on over TLS, with a certificate that is trusted.
    let authority = host.authority("authority");
    let certificate = host.certificate("mx2.hospital.example", &authority, 90);
    let encrypted = host.nasty_mail_server(2522, "good", Some(&certificate));
    let trusting = format!(
        "encryption = \"tls\"\ntls_server_name = \"mx2.hospital.example\"\ntls_verify = \"\"\"\n{}\"\"\"\n",
        authority.pem()
    );
    lab.lbd().put(&at(2522, &trusting)).expect(200);
    mailing.command("alert test").expect_ok();
    assert!(encrypted.log().contains("This is a test of the alerts"), "{}", encrypted.log());
    // What is refused for good is not tried again, and the server's words say why.
    host.nasty_mail_server(2521, "stranger", None);
    lab.lbd().put(&at(2521, "")).expect(200);
    mailing.command("alert test").expect_failure("550 5.1.1 No such user here");
    assert_eq!(mailing.mail()["waiting_count"], 0);
}

#[test]
fn a_mail_outlives_lbd_and_arrives_once() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    lab.lbd().start(&mailing.config(TESTS_ONLY));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.extend(mailing.test_alert());
        lab.lbd().kill();
        lab.lbd().start_again();
    }
    lab.lbd().wait_status("three failures", |lbd| {
        let waiting = lbd.status()["mail"]["waiting"].clone();
        let waiting = waiting.as_array().expect("a list");
        waiting.len() == 3 && waiting.iter().all(|mail| mail["attempts"].as_u64() > Some(0))
    });
    lab.lbd().kill();
    let postfix = mailing.postfix();
    lab.lbd().start_again();
    let mails = postfix.wait_mails(3, TOLD);
    mailing.wait_empty();
    let mut arrived: Vec<_> = mails.iter().map(|mail| header(mail, "Message-ID").to_owned()).collect();
    arrived.sort();
    let mut sent: Vec<_> = ids.iter().map(|id| format!("<{id}@hospital.example>")).collect();
    sent.sort();
    assert_eq!(arrived, sent);
}

#[test]
fn a_service_has_addresses_of_its_own_and_no_mail_goes_where_none_is_wanted() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let postfix = mailing.postfix();
    let own = lab.pool().with("alerts = { destinations = [\"ct@hospital.example\"] }");
    let start = mailing.config("");
    lab.lbd().start(&start);
    let refused = lab.lbd().request("POST", "/api/v1/alerts/test", Some("{}")).expect(409);
    assert!(refused.text.contains("Nobody is to get mail"), "{}", refused.text);
    let network = start.as_str().split("\n[network]").nth(1).expect("its network").to_owned();
    let all = lab.config([&own]).followed_by(&format!("\n[network]{network}{TESTS_ONLY}"));
    lab.lbd().put(&all).expect(200);
    mailing.command("alert test --service POOL").expect_ok();
    let mails = postfix.wait_mails(1, TOLD);
    assert_eq!(header(&mails[0], "To"), "ct@hospital.example");
    mailing.command("alert test --service NONE").expect_failure("no virtual service");
    let silent = TESTS_ONLY.replace("pacs@hospital.example", "pacs@silent.example");
    lab.lbd().put(&mailing.config(&silent)).expect(200);
    mailing.command("alert test").expect_failure("takes no mail (its MX record says so, RFC 7505)");
    assert_eq!(postfix.mails().len(), 1);
    lab.lbd().wait_audit("test alert for POOL sent");
    assert_eq!(json!(mailing.mail()["waiting_count"]), 0);
}

#[test]
fn a_full_disk_costs_no_alert_and_no_line_of_the_log() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let disk = SmallDisk::below(lab.lbd().state_folder());
    lab.lbd().start(&mailing.config(TESTS_ONLY));
    let kept = mailing.test_alert();
    // What is replaced on the disk after the attempt would leave room.
    lab.lbd().wait_status("the first attempt to have failed", |lbd| {
        lbd.status()["mail"]["waiting"][0]["attempts"].as_u64() > Some(0)
    });
    disk.fill(0);
    let unkept = mailing.test_alert();
    wait::until(LOOKED_AT, "the full disk to be told", || {
        let status = lab.lbd().status();
        let problems = status["problems"].to_string();
        status["mail"]["disk_failure"].is_string() && problems.contains("The disk takes no writes")
    });
    let logged =
        lab.lbd().request("GET", "/api/v1/log?text=does%20not%20take%20the%20mail", None).expect(200);
    assert_ne!(logged.json["lines"], json!([]), "the log is read from memory");
    let postfix = mailing.postfix();
    mailing.command("mail retry").expect_ok();
    let mails = postfix.wait_mails(2, TOLD);
    mailing.wait_empty();
    disk.clear();
    // What was delivered meanwhile is not delivered again, and the disk takes the next one.
    lab.lbd().kill();
    lab.lbd().start_again();
    mailing.command("alert test").expect_ok();
    lab.lbd().wait_status("the disk to be used", |lbd| lbd.status()["mail"]["disk_failure"].is_null());
    let mails = [mails, postfix.wait_mails(3, TOLD)].concat();
    for id in kept.iter().chain(&unkept) {
        let message = format!("<{id}@hospital.example>");
        assert_eq!(
            mails.iter().filter(|mail| mail.contains(&message)).count(),
            2,
            "seen at both looks: {mails:#?}"
        );
    }
    assert_eq!(postfix.mails().len(), 3);
}

/// A datastore that is gone lets a write wait and says nothing.
#[test]
fn a_disk_that_hangs_silences_no_alert() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let disk = HangingDisk::below(lab.lbd().state_folder());
    let postfix = mailing.postfix();
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&mailing.config(ALERTS));
    lab.lbd().wait_service("POOL", "up");
    disk.hang();
    servers[1].kill();
    let mails = postfix.wait_mails(1, TOLD);
    assert!(header(&mails[0], "Subject").contains("NODE2 of POOL (192.168.10.111) is down"), "{}", mails[0]);
    let failure = &mailing.mail()["disk_failure"];
    assert!(failure.as_str().is_some_and(|why| why.contains("does not answer")), "{failure}");
    disk.answer();
    mailing.test_alert();
    lab.lbd().wait_status("the disk to be used", |lbd| lbd.status()["mail"]["disk_failure"].is_null());
    // What was told while it hung is remembered, and not told again.
    lab.lbd().kill();
    lab.lbd().start_again();
    lab.lbd().wait_server("POOL", "NODE2", "down");
    mailing.command("alert test").expect_ok();
    let mails = postfix.wait_mails(3, TOLD);
    let down = mails.iter().filter(|mail| mail.contains("NODE2 of POOL (192.168.10.111) is down"));
    assert_eq!(down.count(), 1, "{mails:#?}");
}

#[test]
fn a_queue_that_nobody_takes_stays_within_its_bound() {
    /// `MOST_LETTERS` of lbd.
    const MOST: usize = 500;
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let recipients: Vec<_> = (0..16).map(|n| format!("\"pacs{n}@hospital.example\"")).collect();
    let many = TESTS_ONLY.replace("\"pacs@hospital.example\"", &recipients.join(", "));
    lab.lbd().start(&mailing.config(&many));
    let sent: usize = (0..=MOST / recipients.len()).map(|_| mailing.test_alert().len()).sum();
    assert!(sent > MOST);
    lab.lbd().wait_status("a queue that is full", |lbd| {
        let mail = &lbd.status()["mail"];
        mail["waiting_count"] == MOST && mail["gave_way"] == sent - MOST
    });
    lab.lbd().kill();
    let files = lab.lbd().stored_files();
    assert_eq!(files.iter().filter(|(name, _)| name.ends_with(".letter")).count(), MOST);
    lab.lbd().start_again();
    lab.lbd().wait_status("the same queue", |lbd| lbd.status()["mail"]["waiting_count"] == MOST);
}

#[test]
fn whoever_is_told_learns_of_a_lock_out_and_from_where_it_came() {
    let mailing = Mailing::start();
    let lab = &mailing.lab;
    let postfix = mailing.postfix();
    let _servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&mailing.config(ALERTS));
    lab.lbd().set_password("the right password");
    let base = format!("https://{MANAGEMENT}:9443");
    wait_https(lab.administrator(), &base);
    for number in 0..6 {
        let form = format!("--data user=loadbalancer --data password=guess{number}");
        lab.administrator().run(format!("curl --insecure --silent --output /dev/null {form} {base}/login"));
    }
    let mails = postfix.wait_mails(1, TOLD);
    assert_eq!(
        header(&mails[0], "Subject"),
        "[lbmaster] Warning: Log-in was locked out after wrong passwords"
    );
    let words = format!("\"loadbalancer\" from {}", lab.administrator().address());
    assert!(mails[0].contains(&words), "{words} in {}", mails[0]);
}
