//! Tools against real hosts: one that answers, one that is not there, ports that are open, closed and silent, a name
//! server, and the kernel's neighbour table.

use lab::lbd::SOON;
use lab::{Lab, wait};
use serde_json::{Value, json};

const NODE: &str = "192.168.10.112";
const NOBODY: &str = "192.168.10.249";

fn start() -> Lab {
    let lab = Lab::single_arm();
    lab.server("POOL2_NODE1").name_server(&["host-record=pacs.example,192.168.10.112"]);
    let network = "\n[network]\ndns_servers = [\"192.168.10.112\"]\n[[network.interface]]\nname = \"eth0\"\n\
                   addresses = [\"192.168.10.10/24\"]\n";
    lab.lbd().start(&lab.config([&lab.pool()]).followed_by(network));
    lab
}

/// What a tool finds, as soon as it is our turn.
fn found(lab: &Lab, method: &str, tool: &str, body: Option<&Value>) -> Value {
    let text = body.map(Value::to_string);
    let ask = || {
        let answer = lab.lbd().request(method, &format!("/api/v1/tools/{tool}"), text.as_deref());
        (answer.status != 429).then_some(answer)
    };
    wait::until_some(SOON, "our turn", ask).0.expect(200).json
}

fn post(lab: &Lab, tool: &str, body: Value) -> Value {
    found(lab, "POST", tool, Some(&body))
}

#[track_caller]
fn says(finding: &Value, succeeded: bool, words: &str) {
    assert_eq!(finding["succeeded"], succeeded, "{finding:#}");
    assert!(
        finding["outcome"].as_str().is_some_and(|outcome| outcome.contains(words)),
        "{words}: {finding:#}"
    );
}

#[test]
fn hosts_answer_pings_or_do_not_and_both_are_neighbours() {
    let lab = start();
    let answered = post(&lab, "ping", json!({"host": "pacs.example", "count": 2}));
    says(&answered, true, "192.168.10.112: 2 of 2 echo requests answered, 0 % lost");
    assert!(answered["rows"][0][1].as_str().expect("time").parse::<f64>().expect("ms") < 1000.0);
    let nobody = post(&lab, "ping", json!({"host": NOBODY, "count": 1}));
    says(&nobody, false, "0 of 1 echo requests answered, 100 % lost");
    let list = found(&lab, "GET", "neighbours", None);
    let state = |address: &str| {
        let rows = list["rows"].as_array().expect("rows");
        rows.iter().find(|row| row[1] == address).map(|row| row[3].as_str().expect("state").to_owned())
    };
    let known = |state: String| state.starts_with("reachable") || state.starts_with("known");
    assert!(state(NODE).is_some_and(known), "{list:#}");
    let silent = |state: String| state.contains("no answer yet") || state.contains("does not answer");
    assert!(state(NOBODY).is_some_and(silent), "{list:#}");
}

#[test]
fn ports_are_open_closed_or_silent() {
    let lab = start();
    says(&post(&lab, "connect", json!({"host": NODE, "port": 53})), true, "connected");
    let body = json!({"host": NODE, "port": 53}).to_string();
    let again = || lab.lbd().request("POST", "/api/v1/tools/connect", Some(&body)).status == 429;
    wait::until(SOON, "a request that comes too soon", again);
    says(&post(&lab, "connect", json!({"host": NODE, "port": 2999})), false, "nothing listens on port 2999");
    lab.server("POOL2_NODE1").drop_silently(104);
    says(&post(&lab, "connect", json!({"host": NODE, "port": 104})), false, "a firewall drops");
}

#[test]
fn names_are_looked_up_and_the_server_that_answered_is_named() {
    let lab = start();
    let known = post(&lab, "dns", json!({"name": "pacs.example"}));
    says(&known, true, "is known");
    assert_eq!((&known["rows"][0][0], &known["rows"][0][2]), (&json!(NODE), &json!(NODE)), "{known:#}");
    let reverse = post(&lab, "dns", json!({"name": NODE}));
    assert_eq!(reverse["rows"][0][2], "pacs.example.", "{reverse:#}");
    let unknown = post(&lab, "dns", json!({"name": "nobody.example"}));
    says(&unknown, false, "No DNS server knows");
    let socket = lab.lbd().control_socket();
    let command = || {
        let told =
            lab.lbd().command(&format!("tool dns pacs.example --control-socket {}", socket.display()), "");
        told.is_ok().then_some(told)
    };
    let told = wait::until_some(SOON, "our turn", command).0;
    assert!(told.expect_ok().contains(NODE), "{told:?}");
}
