//! Tools against real hosts: one that answers, one that is not there, ports that are open, closed and silent, a name
//! server, and the kernel's neighbour table; routers that tell the way, keep silent and refuse.

use lab::lbd::SOON;
use lab::peers::Mode;
use lab::topology::ipv6;
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
fn a_dicom_server_answers_to_its_own_title_and_tells_others_which_that_is() {
    let lab = start();
    let _scp = lab.server("POOL2_NODE1").scp("DW_MPPS_SCP", 2003, Mode::Good);
    let ask = |called: &str| {
        post(&lab, "dicom-echo", json!({"host": "pacs.example", "port": 2003, "called_ae_title": called}))
    };
    says(&ask("DW_MPPS_SCP"), true, "DW_MPPS_SCP at 192.168.10.112:2003 answers the C-ECHO");
    let other = ask("DW_SCP");
    says(&other, false, "called AE title not recognised");
    says(&other, false, "AE titles that are answered there: DW_MPPS_SCP.");
    let wrong = json!({"host": NODE, "port": 2003, "called_ae_title": "MORE_THAN_16_CHARACTERS"}).to_string();
    let refused = lab.lbd().request("POST", "/api/v1/tools/dicom-echo", Some(&wrong));
    assert!(refused.expect(422).text.contains("called_ae_title"), "the field is named");
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

/// Servers behind a router, in both families.
fn start_routed() -> Lab {
    let lab = Lab::routed().with_ipv6();
    lab.host("router").run("sysctl -qw net.ipv6.conf.all.forwarding=1").expect_ok();
    lab.appliance().ip("-6 route add default via fd00:192:168:10::1");
    lab.server("NODE1").ip("-6 route add default via fd00:192:168:20::1");
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab
}

/// What the router does with packets in this chain from now on.
fn routes_with(lab: &Lab, chain: &str, rule: &str) {
    let rules = format!(
        "table inet lab\ndelete table inet lab\n\
         table inet lab {{ chain {chain} {{ type filter hook {chain} priority 0; {rule}; }}; }}"
    );
    lab.host("router").run_with_input("nft -f -", &rules).expect_ok();
}

/// Each hop with its address and what came.
fn hops(finding: &Value) -> Vec<String> {
    let cell = |row: &Value, column: usize| row[column].as_str().expect("text").to_owned();
    let rows = finding["rows"].as_array().expect("rows").iter();
    rows.map(|row| format!("{} {} {}", cell(row, 0), cell(row, 1), cell(row, 3))).collect()
}

#[test]
fn the_way_to_a_server_behind_a_router_is_found() {
    let lab = start_routed();
    let node = lab.server("NODE1").address();
    let four = post(&lab, "traceroute", json!({"host": node}));
    says(&four, true, "192.168.20.110 is reached: behind one router.");
    assert_eq!(hops(&four), ["1 192.168.10.1 router", "2 192.168.20.110 destination"]);
    let times = four["rows"][1][2].as_str().expect("times").split(' ').map(str::parse::<f64>);
    assert!(times.clone().count() == 3 && times.flatten().all(|time| time < 1000.0), "{four:#}");
    let six = post(&lab, "traceroute", json!({"host": ipv6(node)}));
    says(&six, true, "fd00:192:168:20::110 is reached: behind one router.");
    assert_eq!(hops(&six), ["1 fd00:192:168:10::1 router", "2 fd00:192:168:20::110 destination"]);
    let near = post(&lab, "traceroute", json!({"host": "192.168.10.1"}));
    says(&near, true, "on a network of the appliance itself");
    let socket = lab.lbd().control_socket();
    let line = format!("tool traceroute {node} --control-socket {}", socket.display());
    let told = wait::until_some(SOON, "our turn", || {
        let told = lab.lbd().command(&line, "");
        told.is_ok().then_some(told)
    });
    assert!(told.0.expect_ok().contains("destination"), "{told:?}");
}

#[test]
fn routers_that_say_nothing_or_refuse_are_told_as_such() {
    let lab = start_routed();
    let node = lab.server("NODE1").address();
    routes_with(&lab, "output", "icmp type time-exceeded drop");
    let silent = post(&lab, "traceroute", json!({"host": node}));
    says(&silent, true, "Hop 1 does not say who it is");
    assert_eq!(hops(&silent), ["1  no answer", "2 192.168.20.110 destination"]);
    routes_with(&lab, "forward", "reject with icmpx admin-prohibited");
    for (host, router) in [(node.to_string(), "192.168.10.1"), (ipv6(node).to_string(), "fd00:192:168:10::1")]
    {
        let refused = post(&lab, "traceroute", json!({"host": host}));
        says(&refused, false, &format!("{router} says administratively prohibited"));
        let expected = [format!("1 {router} router"), format!("2 {router} administratively prohibited")];
        assert_eq!(hops(&refused), expected);
    }
    routes_with(&lab, "forward", "drop");
    let lost = post(&lab, "traceroute", json!({"host": node}));
    says(&lost, false, "no answer from hop 2 on");
    assert_eq!(hops(&lost), ["1 192.168.10.1 router", "2 to 30  no answer"]);
}

#[test]
fn hosts_that_are_not_there_are_told_by_who_looked_for_them() {
    let lab = start_routed();
    let far = post(&lab, "traceroute", json!({"host": "192.168.20.249"}));
    says(&far, false, "the router 192.168.10.1 says host unreachable");
    let six = post(&lab, "traceroute", json!({"host": "fd00:192:168:20::249"}));
    says(&six, false, "the router fd00:192:168:10::1 says host unreachable");
    let near = post(&lab, "traceroute", json!({"host": NOBODY}));
    says(&near, false, "nobody on the appliance's own networks answers");
    lab.appliance().ip("route del default");
    let nowhere = post(&lab, "traceroute", json!({"host": "203.0.113.1"}));
    says(&nowhere, false, "the appliance has no route that leads there");
}
