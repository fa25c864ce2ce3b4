//! The management port towards the network: the REST API keeps to its own description (Schemathesis reads the OpenAPI
//! document, sends what it allows and what it forbids, and judges every answer), and nobody is kept out by others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::lbd::{SOON, https, wait_https};
use lab::random::rounds;
use lab::{Host, Lab, Mode, peers, topology, wait};

const PASSWORD: &str = "a password of the stories";
const PORT: u16 = 9443;
/// What an answer is judged by: no failure of ours, and nothing that the description does not say.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Requests with bodies that are made up take longer than the time given for making them up.
const SLACK: Duration = Duration::from_secs(300);

#[test]
fn no_request_gets_an_answer_that_the_description_does_not_know() {
    let lab = Lab::single_arm();
    let _scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    let base = start(&lab);
    let token = new_token(&lab, "administrator");
    judge(lab.administrator(), &base, &token, rounds(60, 300));
    lab.lbd().status();
}

/// lbd with a service and a password; where its management port answers.
fn start(lab: &Lab) -> String {
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP")]));
    lab.lbd().set_password(PASSWORD);
    let base = format!("https://{}:{PORT}", topology::MANAGEMENT);
    wait_https(lab.administrator(), &base);
    base
}

fn new_token(lab: &Lab, role: &str) -> String {
    let wanted = serde_json::json!({"name": format!("story-{role}"), "role": role, "days": 1});
    let made = lab.lbd().request("POST", "/api/v1/tokens", Some(&wanted.to_string())).expect(201);
    made.json["token"].as_str().expect("a token").to_owned()
}

/// Names that there are, beside those that it makes up; what it removes would be gone for the rest.
const NAMES: &str = "[[operations]]
exclude-method = \"DELETE\"
[operations.parameters]
service = \"POOL\"
server = \"NODE1\"
check = \"POOL-check\"
";

/// Lets Schemathesis work for `seconds`.
fn judge(host: &Host, base: &str, token: &str, seconds: u64) {
    let folder = host.new_folder("schemathesis");
    std::fs::write(folder.join("schemathesis.toml"), NAMES).expect("lab folder");
    let mut command: Command = host.command(&peers::program("st").to_string_lossy());
    command.current_dir(folder);
    command.args([
        "run",
        &format!("{base}/api/v1/openapi.json"),
        "--tls-verify",
        "false",
        "--checks",
        CHECKS,
    ]);
    command.args(["--header", &format!("Authorization: Bearer {token}"), "--max-time", &seconds.to_string()]);
    // The stream of events never ends by itself.
    command.args([
        "--exclude-path",
        "/api/v1/events",
        "--request-timeout",
        "20",
        "--no-color",
        "--seed",
        "1",
    ]);
    let process = host.start(command, "schemathesis");
    let status = process.wait_exit(Duration::from_secs(seconds) + SLACK);
    let report = process.log();
    println!("{report}");
    assert!(status.success() && report.contains("generated,"), "{report}");
}

#[test]
fn the_stream_of_events_and_the_metrics_tell_of_a_death() {
    let lab = Lab::single_arm();
    let scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    let base = start(&lab);
    lab.lbd().wait_server("POOL", "NODE1", "up");
    let token = format!("Authorization: Bearer {}", new_token(&lab, "viewer"));
    let mut command = lab.administrator().command("curl");
    command.args([
        "--insecure",
        "--silent",
        "--no-buffer",
        "--header",
        &token,
        &format!("{base}/api/v1/events"),
    ]);
    let stream = lab.administrator().start(command, "events");
    let told = |words: &str| stream.log().split("event: view").any(|event| event.contains(words));
    wait::until(SOON, "the picture of now", || told("\"state\":\"up\""));
    scp.process.kill();
    let address = lab.server("NODE1").address();
    let death = format!("\"reason\":\"connection refused: nothing listens on {address}:2001");
    wait::until(SOON, "the news of the death", || told(&death));
    let line = format!("curl --insecure --silent --oauth2-bearer {} {base}/metrics", &token[22..]);
    let metrics = lab.administrator().run(line);
    let dead = format!("evenkeel_server_up{{service=\"POOL\",server=\"NODE1\",address=\"{address}\"}} 0");
    assert!(metrics.expect_ok().lines().any(|line| line == dead), "{}", metrics.stdout);
}

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
    let idle: Vec<_> = (0..1000).map(|_| connection(&lab)).collect();
    let began = Instant::now();
    https(lab.administrator(), "GET", &format!("{base}/api/v1/status"), Some(PASSWORD), None).expect(200);
    assert!(began.elapsed() < Duration::from_secs(5), "logged in only after {:?}", began.elapsed());
    drop(idle);
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
        slow.write_line("X-Drop: 1\r");
        std::thread::sleep(Duration::from_secs(1));
    }
    silent.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    let ended = silent.read(&mut [0; 16]);
    assert!(matches!(ended, Ok(0)), "a connection without a word is still open: {ended:?}");
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
