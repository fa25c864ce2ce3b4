//! The REST API and its description: Schemathesis reads the OpenAPI document, sends what it allows and what it forbids,
//! and judges every answer.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use lab::lbd::SOON;
use lab::random::{self, rounds};
use lab::{Host, Lab, Mode, peers, wait};
use serde_json::json;

use super::{new_token, start};

/// What an answer is judged by: no failure of ours, and nothing that the description does not say.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// A minute for all runs together is usual.
const PATIENCE: Duration = Duration::from_secs(300);

/// A run: as whom, which of the operations, with which names of what there is, and how many made-up requests of each
/// operation, beside those that the description itself suggests. A bound of time would leave out operations on a slow
/// machine.
struct Run {
    role: &'static str,
    filter: &'static [&'static str],
    names: String,
    requests: u64,
    seed: u64,
}

/// The same requests each time in `make test`, others each time in `make test-long`.
fn seed() -> u64 {
    if random::is_long() { random::seed("requests of Schemathesis") } else { 1 }
}

/// Without what removes: it would be gone for the rest.
const KEEPING: &[&str] = &["--exclude-method", "DELETE"];
/// The same alone.
const REMOVING: &[&str] = &["--include-method", "DELETE"];
const ALL: &[&str] = &[];

/// Names for all operations, beside those that are made up.
const THOSE_THAT_STAY: &str = "[[operations]]
include-path-regex = \"/api/v1/\"
[operations.parameters]
service = \"POOL\"
server = \"NODE1\"
check = \"POOL-check\"
user = \"ann\"
token = \"spare\"
";

/// A name of its own for each operation that removes, so that none removes what another one needs.
fn those_that_go() -> String {
    let named = |path: &str, parameters: &str| {
        format!("[[operations]]\ninclude-path = \"/api/v1/{path}\"\n[operations.parameters]\n{parameters}\n")
    };
    [
        named("services/{service}", "service = \"GONE\""),
        named("services/{service}/servers/{server}", "service = \"POOL\"\nserver = \"NODE2\""),
        named("health-checks/{check}", "check = \"SPARE\""),
        named("users/{user}", "user = \"ann\""),
        named("tokens/{token}", "token = \"spare\""),
        named("persistence/{service}/{client}", "service = \"POOL\"\nclient = \"192.168.10.50\""),
    ]
    .concat()
}

/// What may be removed.
fn add_what_goes(lab: &Lab) {
    let post = |path: &str, body: serde_json::Value| {
        lab.lbd().request("POST", &format!("/api/v1/{path}"), Some(&body.to_string())).expect(201);
    };
    post("health-checks", json!({"label": "SPARE", "type": "tcp"}));
    let server = json!({"label": "NODE1", "address": lab.server("NODE1").address()});
    post(
        "services",
        json!({"label": "GONE", "addresses": [lab.vip(5)], "ports": "2001", "health_check": "POOL-check", "real_server": [server]}),
    );
    post("users", json!({"name": "ann", "role": "viewer", "password": "a password of ann"}));
    post("tokens", json!({"name": "spare", "role": "viewer", "days": 1}));
}

#[test]
fn no_request_of_any_role_gets_an_answer_that_the_description_does_not_know() {
    let lab = Lab::single_arm();
    let _scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    let base = start(&lab);
    add_what_goes(&lab);
    let tokens = ["viewer", "operator", "administrator"].map(|role| (role, new_token(&lab, role)));
    let tokens = BTreeMap::from(tokens);
    let seed = seed();
    let run = |role, filter, names: &str, few| Run {
        role,
        filter,
        names: names.to_owned(),
        requests: rounds(few, 10 * few),
        seed,
    };
    for run in [
        run("viewer", ALL, THOSE_THAT_STAY, 3),
        run("operator", ALL, THOSE_THAT_STAY, 4),
        run("administrator", KEEPING, THOSE_THAT_STAY, 10),
        run("administrator", REMOVING, &those_that_go(), 5),
    ] {
        judge(lab.administrator(), &base, &tokens[run.role], &run);
    }
    // Adding and removing were not only refused.
    for added in ["virtual service", "health check", "syslog server"] {
        lab.lbd().wait_audit(added);
    }
    for path in ["services/GONE", "services/POOL/servers/NODE2", "health-checks/SPARE"] {
        assert_eq!(lab.lbd().request("GET", &format!("/api/v1/{path}"), None).status, 404, "{path}");
    }
    let users = lab.lbd().request("GET", "/api/v1/users", None).expect(200).text;
    assert!(!users.contains("\"ann\""), "{users}");
}

/// Lets Schemathesis work.
fn judge(host: &Host, base: &str, token: &str, run: &Run) {
    let folder = host.new_folder("schemathesis");
    std::fs::write(folder.join("schemathesis.toml"), &run.names).expect("lab folder");
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
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    command.args(["--max-examples", &run.requests.to_string()]);
    // Streams do not end by themselves; they have a story of their own.
    for stream in STREAMS {
        command.args(["--exclude-path", stream.path]);
    }
    command.args(["--request-timeout", "20", "--no-color", "--seed", &run.seed.to_string()]);
    command.args(run.filter);
    let process = host.start(command, "schemathesis");
    let status = process.wait_exit(PATIENCE * u32::try_from(rounds(1, 10)).expect("small"));
    let report = process.log();
    println!("as {}: {report}", run.role);
    assert!(status.success() && report.contains("generated,"), "as {}: {report}", run.role);
    assert_eq!(count(&report, "Tested"), count(&report, "Selected"), "as {}: {report}", run.role);
}

/// The number of operations that the summary gives for `word`.
fn count(report: &str, word: &str) -> Option<String> {
    let summary = report.split("API Operations:").last()?;
    let (_, told) = summary.split_once(&format!("{word}: "))?;
    Some(told.chars().take_while(char::is_ascii_digit).collect())
}

/// An operation whose answer goes on and on: the events of what schema, and who may have it.
struct Stream {
    path: &'static str,
    schema: &'static str,
    roles: &'static [&'static str],
}

const STREAMS: [Stream; 2] = [
    Stream { path: "/api/v1/events", schema: "View", roles: &["viewer", "operator", "administrator"] },
    Stream { path: "/api/v1/log/events", schema: "LogLine", roles: &["administrator"] },
];

/// Judges the answer of a stream by the description: status, media type, and what an event tells.
const JUDGE_EVENT: &str = "
import json, sys, jsonschema_rs
description, answer = json.load(open(sys.argv[1])), open(sys.argv[2], newline='').read()
head, _, body = answer.partition('\\r\\n\\r\\n')
lines = head.split('\\r\\n')
status = lines[0].split(' ')[1]
media = next(line.split(': ')[1] for line in lines if line.lower().startswith('content-type: ')).split(';')[0]
content = description['paths'][sys.argv[3]]['get']['responses'][status]['content'][media]
if media == 'application/problem+json':
    told = json.loads(body)
    schema = content['schema']
else:
    told = json.loads(next(line for line in body.splitlines() if line.startswith('data: '))[6:])
    schema = {'$ref': '#/components/schemas/' + sys.argv[4]}
schema = dict(schema, components=description['components'])
jsonschema_rs.validate(schema, told)
print(status)
";

#[test]
fn the_stream_of_events_is_what_the_description_says_for_every_role_and_for_nobody() {
    let lab = Lab::single_arm();
    let base = start(&lab);
    let host = lab.administrator();
    let [script, description, answer] =
        ["judge.py", "openapi.json", "answer"].map(|name| host.new_path(name));
    std::fs::write(&script, JUDGE_EVENT).expect("lab folder");
    host.run(format!(
        "curl --insecure --silent --output {} {base}/api/v1/openapi.json",
        description.display()
    ))
    .expect_ok();
    let tokens = ["viewer", "operator", "administrator"].map(|role| (role, new_token(&lab, role)));
    for stream in &STREAMS {
        let known = tokens.iter().map(|(role, token)| {
            (if stream.roles.contains(role) { "200" } else { "403" }, format!("Bearer {token}"))
        });
        let asked = std::iter::once(("401", "Bearer ek_nobody".to_owned())).chain(known);
        for (status, authorization) in asked {
            // The stream is left after two seconds, which curl calls a time-out.
            let mut command = host.command("curl");
            command.args([
                "--insecure",
                "--silent",
                "--include",
                "--no-buffer",
                "--max-time",
                "2",
                "--output",
            ]);
            command.arg(&answer).args([
                "--header",
                &format!("Authorization: {authorization}"),
                &format!("{base}{}", stream.path),
            ]);
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| lab::process::run(command));
                // There must be something to tell: each change makes a line of the log and another View.
                for weight in (1..=256).cycle().take_while(|_| !reader.is_finished()) {
                    let address = lab.server("NODE1").address();
                    let server = json!({"label": "NODE1", "address": address, "weight": weight});
                    let path = "/api/v1/services/POOL/servers/NODE1";
                    lab.lbd().request("PUT", path, Some(&server.to_string())).expect(200);
                }
            });
            let mut judge = host.command(&peers::program("python").to_string_lossy());
            judge.arg(&script).arg(&description).arg(&answer).args([stream.path, stream.schema]);
            let judged = lab::process::run(judge);
            assert_eq!(judged.expect_ok().trim(), status, "{}", stream.path);
        }
    }
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
