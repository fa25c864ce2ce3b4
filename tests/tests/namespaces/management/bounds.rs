//! What is slow, large, old or of no use takes nothing away from others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lab::lbd::https;
use lab::{Lab, topology};

use super::{AT_ONCE, PASSWORD, PORT, new_token, start};

#[test]
fn tls_1_2_and_newer_are_spoken_and_nothing_older() {
    let lab = Lab::single_arm();
    start(&lab);
    let scan = format!("sslscan --no-colour {}:{PORT}", topology::MANAGEMENT);
    let report = lab.administrator().run(scan);
    let report = report.expect_ok();
    for (protocol, state) in [
        ("SSLv2", "disabled"),
        ("SSLv3", "disabled"),
        ("TLSv1.0", "disabled"),
        ("TLSv1.1", "disabled"),
        ("TLSv1.2", "enabled"),
        ("TLSv1.3", "enabled"),
    ] {
        let line = report.lines().find(|line| line.starts_with(&format!("{protocol} ")));
        assert!(line.is_some_and(|line| line.ends_with(state)), "{protocol}: {report}");
    }
    let weak = |line: &&str| {
        line.contains(" bits ") && ["CBC", "RC4", "3DES", "NULL"].iter().any(|bad| line.contains(bad))
    };
    let accepted: Vec<_> =
        report.lines().filter(|line| line.contains("Accepted") || line.contains("Preferred")).collect();
    assert!(!accepted.is_empty(), "{report}");
    assert_eq!(accepted.iter().copied().filter(weak).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// A connection to the management port from the administrator's own host.
fn connection(lab: &Lab) -> TcpStream {
    lab.administrator().namespace().connect(topology::MANAGEMENT, PORT)
}

#[test]
fn a_thousand_idle_connections_keep_no_administrator_out() {
    let lab = Lab::single_arm();
    let base = start(&lab);
    let own: Vec<_> = (0..500).map(|_| connection(&lab)).collect();
    // Others come from as many addresses as they are.
    let stranger = lab.server("NODE1");
    stranger.use_addresses("10.9.0.0/16");
    lab.appliance().ip(format!("route add 10.9.0.0/16 via {}", stranger.address()));
    let from = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let own = std::net::Ipv4Addr::new(10, 9, high, low);
        stranger.namespace().connect_from(own, topology::MANAGEMENT, PORT)
    };
    let others: Vec<_> = (1..=500).map(from).collect();
    let began = Instant::now();
    https(lab.administrator(), "GET", &format!("{base}/api/v1/status"), Some(PASSWORD), None).expect(200);
    assert!(began.elapsed() < AT_ONCE, "logged in only after {:?}", began.elapsed());
    drop((own, others));
}

#[test]
fn who_says_nothing_or_too_slowly_is_hung_up_on() {
    let lab = Lab::single_arm();
    start(&lab);
    let mut silent = connection(&lab);
    let mut command = lab.administrator().command("openssl");
    command.args(["s_client", "-quiet", "-connect", &format!("{}:{PORT}", topology::MANAGEMENT)]);
    let slow = lab.administrator().start(command, "slow");
    slow.write_line("GET / HTTP/1.1\r");
    // A header every second would never end a request.
    let began = Instant::now();
    while slow.exited().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "a request in drops is still waited for");
        // It may just have ended.
        slow.try_write("X-Drop: 1\r\n");
        std::thread::sleep(Duration::from_secs(1));
    }
    silent.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let ended = silent.read(&mut [0; 16]);
    assert!(matches!(ended, Ok(0)), "a connection without a word is still open: {ended:?}");
}

/// Slow bodies at the same time: more than half of the connections that one address may have.
const SLOW_BODIES: usize = 70;

/// A request whose body comes in drops, a byte a second.
fn slow_body(lab: &Lab, head: &str) -> std::sync::Arc<lab::Process> {
    let mut command = lab.administrator().command("openssl");
    command.args(["s_client", "-quiet", "-connect", &format!("{}:{PORT}", topology::MANAGEMENT)]);
    let slow = lab.administrator().start(command, "slow");
    for line in head.lines().chain(["Host: lb", "Content-Length: 1000", ""]) {
        slow.write_line(&format!("{line}\r"));
    }
    slow
}

#[test]
fn a_body_in_drops_is_cut_off_and_holds_up_nobody_meanwhile() {
    let lab = Lab::single_arm();
    let base = start(&lab);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let token = format!("Authorization: Bearer {}", new_token(&lab, "administrator"));
    let heads = [
        format!("POST /login HTTP/1.1\n{form}"),
        "POST /api/v1/session HTTP/1.1\nContent-Type: application/json".to_owned(),
        format!("PUT /api/v1/config HTTP/1.1\nContent-Type: application/json\n{token}"),
        format!("POST /cluster/services/_new HTTP/1.1\n{form}\n{token}"),
    ];
    let began = Instant::now();
    let slow: Vec<_> = heads.iter().cycle().take(SLOW_BODIES).map(|head| slow_body(&lab, head)).collect();
    let asked = Instant::now();
    https(lab.administrator(), "GET", &format!("{base}/api/v1/status"), Some(PASSWORD), None).expect(200);
    assert!(asked.elapsed() < AT_ONCE, "answered only after {:?}", asked.elapsed());
    while slow.iter().any(|slow| slow.exited().is_none()) {
        assert!(began.elapsed() < Duration::from_secs(50), "a body in drops is still waited for");
        slow.iter().filter(|slow| slow.exited().is_none()).for_each(|slow| slow.try_write("x"));
        std::thread::sleep(Duration::from_secs(1));
    }
    for (head, slow) in heads.iter().zip(&slow) {
        let told = slow.log();
        assert!(told.contains("HTTP/1.1 408 Request Timeout") && told.contains("Too slow"), "{head}: {told}");
        let is_page = told.to_lowercase().contains("content-type: text/html");
        assert_eq!(is_page, !head.contains("/api/"), "{head}: {told}");
    }
}

#[test]
fn what_is_too_large_is_refused_and_lbd_goes_on() {
    let lab = Lab::single_arm();
    let base = start(&lab);
    let status = |arguments: &[&str], input: &str| {
        let mut command = lab.administrator().command("curl");
        command.args([
            "--insecure",
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            "--max-time",
            "20",
        ]);
        command.args(arguments);
        lab::process::run_with_input(command, input).stdout
    };
    let token = format!("Authorization: Bearer {}", new_token(&lab, "administrator"));
    let large = "x".repeat(5 << 20);
    let put = [
        "--request",
        "PUT",
        "--header",
        &token,
        "--header",
        "Content-Type: application/json",
        "--data-binary",
        "@-",
    ];
    assert_eq!(status(&[&put[..], &[&format!("{base}/api/v1/config")]].concat(), &large), "413");
    // A person meets a page that says so.
    let form =
        ["--include", "--header", &token, "--data-binary", "@-", &format!("{base}/cluster/services/_new")];
    let mut command = lab.administrator().command("curl");
    command.args(["--insecure", "--silent", "--max-time", "20"]).args(form);
    let page = lab::process::run_with_input(command, &large).stdout;
    assert!(page.contains("HTTP/1.1 413 ") && page.contains("content-type: text/html"), "{page}");
    assert!(page.contains("<h1>The body is too large</h1>"), "{page}");
    let long = format!("X-Long: {}", "x".repeat(60_000));
    // The answer may be lost when the connection is closed on the rest of the header.
    assert!(["431", "000"].contains(&status(&["--header", &long, &format!("{base}/")], "").as_str()));
    let above = format!("{base}/../../etc/passwd");
    assert_eq!(status(&["--path-as-is", "--header", &token, &above], ""), "404");
    // Bytes that are no TLS at all.
    let mut stranger = connection(&lab);
    stranger.write_all(&[0xff; 4096]).expect("a socket");
    lab.lbd().status();
}
