//! The REST API and its description: Schemathesis reads the OpenAPI document, sends what it allows and what it forbids,
//! and judges every answer.

use std::process::Command;
use std::time::Duration;

use lab::lbd::SOON;
use lab::random::rounds;
use lab::{Host, Lab, Mode, peers, wait};

use crate::{new_token, start};

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
