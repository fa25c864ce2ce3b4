//! Every kind of health check against real servers; servers that behave badly; checks shared and made by hand.

use std::time::Duration;

use lab::{Api, Lab, Mode, Pool, wait};
use serde_json::Value;

/// A pool of NODE1 alone on `port`, named and placed by `number`, checked as `fields` say.
fn pool(lab: &Lab, number: u16, port: u16, fields: &str) -> Pool {
    let pool = lab.pool().named(&format!("P{number}"), lab.vip(1)).ports(&(4000 + number).to_string());
    pool.weights(&[100]).server_port(port).checked_by(fields)
}

/// Starts lbd with one pool for each check, and waits until each is up, or down with these words.
fn expect(lab: &Lab, cases: &[(u16, String, Result<(), &str>)]) {
    let pools: Vec<_> =
        (0..).zip(cases).map(|(number, (port, fields, _))| pool(lab, number, *port, fields)).collect();
    lab.lbd().start(&lab.config(&pools));
    for (number, (_, fields, outcome)) in cases.iter().enumerate() {
        let service = format!("P{number}");
        match outcome {
            Ok(()) => _ = lab.lbd().wait_server(&service, "NODE1", "up"),
            Err(words) => {
                lab.lbd().wait_reason(&service, "NODE1", words);
                assert_eq!(lab.lbd().server(&service, "NODE1")["state"], "down", "{fields}");
            }
        }
    }
}

fn problems(api: &Api) -> String {
    api.status()["problems"].to_string()
}

#[test]
fn web_servers_are_checked_over_http_https_and_tls() {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    let authority = host.authority("Hospital-CA");
    host.website(&host.certificate("pacs.example", &authority, 10));
    let pinned = format!("tls_verify = '''{}'''", authority.pem());
    let other = format!("tls_verify = '''{}'''", host.authority("Other-CA").pem());
    let name = "tls_server_name = \"pacs.example\"";
    let page = "path = \"/health\"\nexpected_body = \"is well\"";
    let asked = r"type = 'send-expect'
send = 'GET /health HTTP/1.0\r\n\r\n'";
    let cases = [
        (80, format!("type = \"http\"\n{page}"), Ok(())),
        (443, format!("type = \"https\"\n{page}\n{pinned}\n{name}"), Ok(())),
        (443, format!("type = \"tls\"\n{pinned}\n{name}"), Ok(())),
        (80, "type = \"http\"\npath = \"/busy\"\nexpected_status = \"503\"".into(), Ok(())),
        (80, "type = \"http\"\npath = \"/busy\"".into(), Err("http status 503")),
        (443, format!("{asked}\nexpect = 'is well'\ntls = true\n{pinned}\n{name}"), Ok(())),
        (443, format!("{asked}\nexpect = 'is ill'\ntls = true\n{pinned}\n{name}"), Err("lacks \"is ill\"")),
        (
            80,
            "type = \"http\"\npath = \"/health\"\nexpected_body = \"is ill\"".into(),
            Err("lacks \"is ill\""),
        ),
        (443, format!("type = \"https\"\n{pinned}"), Err("does not hold the name 192.168.10.110")),
        (443, format!("type = \"tls\"\n{other}\n{name}"), Err("not trusted")),
        (80, "type = \"tls\"".into(), Err("not tls")),
        (443, "type = \"tcp\"\nport = 444".into(), Err("connection refused")),
    ];
    expect(&lab, &cases);
    let warning = "The TLS certificate of 192.168.10.110:443 ends in 9 days";
    assert!(problems(lab.lbd()).contains(warning), "{}", problems(lab.lbd()));
}

#[test]
fn a_dicom_server_is_checked_over_tls() {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    let authority = host.authority("Hospital-CA");
    let certificate = host.certificate("pacs.example", &authority, 60);
    let short = host.certificate("mpps.example", &authority, 10);
    host.scp_over_tls("DW_SCP", 2763, &short);
    let scp = host.scp_over_tls("DW_SCP", 2762, &certificate);
    host.scp("DW_SCP", 2001, Mode::Good);
    let dicom = "type = \"dicom-c-echo\"\ncalling_ae_title = \"LOADBALANCER\"\ncalled_ae_title = \"DW_SCP\"";
    let pinned = format!("{dicom}\ntls = true\ntls_verify = '''{}'''", certificate.pem());
    let trusting = format!("{dicom}\ntls = true\ntls_verify = '''{}'''", authority.pem());
    let other = host.authority("Other-CA");
    let cases = [
        (2762, pinned.clone(), Ok(())),
        (2762, dicom.into(), Err("while waiting for the answer to the association")),
        (2001, pinned, Err("tls handshake")),
        (2762, format!("{trusting}\ntls_server_name = \"pacs.example\""), Ok(())),
        (2763, format!("{trusting}\ntls_server_name = \"mpps.example\""), Ok(())),
        (
            2763,
            format!("{trusting}\ntls_server_name = \"pacs.example\""),
            Err("does not hold the name pacs.example"),
        ),
        (2762, format!("{dicom}\ntls = true\ntls_verify = '''{}'''", other.pem()), Err("not trusted")),
    ];
    expect(&lab, &cases);
    assert!(!scp.events("echo").is_empty());
    let told = problems(lab.lbd());
    assert!(told.contains("The TLS certificate of 192.168.10.110:2763 ends in 9 days"), "{told}");
    assert!(!told.contains("192.168.10.110:2762"), "60 days are enough: {told}");
}

#[test]
fn a_server_is_asked_in_its_own_words() {
    let lab = Lab::single_arm();
    lab.server("NODE1").answering(7, "pong");
    let asked = |send: &str| format!("type = \"send-expect\"\nsend = '{send}'\nexpect = '+PONG\\r\\n'");
    expect(&lab, &[(7, asked(r"PING\r\n"), Ok(())), (7, asked("hello"), Err("lacks \"+pong\\r\\n\""))]);
}

#[test]
fn hosts_are_pinged_and_verdicts_can_be_fixed() {
    let lab = Lab::single_arm();
    let cases = [
        (1, "type = \"ping\"".to_owned(), Ok(())),
        (1, "type = \"always-on\"".to_owned(), Ok(())),
        (1, "type = \"always-off\"".to_owned(), Err("switched off by its health check")),
    ];
    expect(&lab, &cases);
    let six = probe(&lab, "--check P0-check --address ::1");
    assert_eq!(six["passed"], true, "{six}");
    lab.server("NODE1").ip("link set eth0 down");
    lab.lbd().wait_server("P0", "NODE1", "down");
    assert_eq!(lab.lbd().server("P1", "NODE1")["state"], "up");
}

/// What `lbd probe` says, as JSON.
fn probe(lab: &Lab, arguments: &str) -> Value {
    let socket = lab.lbd().control_socket();
    let line = format!("probe --json --control-socket {} {arguments}", socket.display());
    let output = lab.lbd().command(&line, "");
    serde_json::from_str(output.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_check_by_hand_shows_each_step_with_its_time() {
    let lab = Lab::single_arm();
    lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100]).echo_check("DW_SCP")]));
    let told = probe(&lab, "--service POOL --server NODE1");
    let steps: Vec<_> = told["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["what"].as_str().unwrap_or_default())
        .collect();
    let expected = [
        "connected to 192.168.10.110:2001",
        "A-ASSOCIATE-RQ sent: LOADBALANCER calls DW_SCP",
        "A-ASSOCIATE-AC received: the association is established",
        "C-ECHO-RQ sent",
        "C-ECHO-RSP received: success",
        "released and closed",
    ];
    assert_eq!(steps, expected, "{told}");
    let times: Vec<_> = told["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["at_milliseconds"].as_f64())
        .collect();
    assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{told}");
    let told = probe(&lab, "--check POOL-check --address 192.168.10.110 --port 2009");
    assert_eq!(told["passed"], false);
    assert!(told["outcome"].as_str().expect("words").contains("connection refused"), "{told}");
    let socket = lab.lbd().control_socket();
    let unknown = format!("probe --control-socket {} --service POOL --server NODE9", socket.display());
    lab.lbd().command(&unknown, "").expect_failure("no such server");
}

/// Spread over the interval, not all at once: a server behind five services is not asked by five at a time.
#[test]
fn checks_have_their_own_places_in_the_interval() {
    const INTERVAL: f64 = 10.0;
    let lab = Lab::single_arm();
    let servers: Vec<_> =
        (0..5_u16).map(|number| lab.server("NODE1").answering(5000 + number, "silent")).collect();
    let pools: Vec<_> = (0..5).map(|number| pool(&lab, number, 5000 + number, "type = \"tcp\"")).collect();
    let pools: Vec<_> = pools.into_iter().map(|pool| pool.check_every(10, 3)).collect();
    lab.lbd().start(&lab.config(&pools));
    let times = |process: &lab::Process| -> Vec<f64> {
        let log = process.log();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events
            .filter(|event| event["event"] == "connection")
            .filter_map(|event| event["at"].as_f64())
            .collect()
    };
    let second = wait::until_some(Duration::from_secs(40), "two checks of each", || {
        servers.iter().map(|server| times(server).get(1).copied()).collect::<Option<Vec<_>>>()
    });
    let mut places: Vec<f64> = second.0.iter().map(|time| time % INTERVAL).collect();
    places.sort_by(f64::total_cmp);
    places.push(places[0] + INTERVAL);
    let gaps: Vec<_> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The least is one and a half seconds; a busy machine moves each by some tenths.
    assert!(gaps.iter().all(|gap| *gap > 0.5), "{gaps:?} seconds from each to the next");
}

#[test]
fn the_ae_title_that_a_server_answers_to_is_named() {
    let lab = Lab::single_arm();
    lab.server("NODE1").scp("DW_RDSR_SCP", 2001, Mode::Good);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100]).echo_check("DW_MPPS_SCP")]));
    let words = "dw_rdsr_scp answers on 192.168.10.110:2001, you configured dw_mpps_scp";
    lab.lbd().wait_reason("POOL", "NODE1", words);
    let socket = lab.lbd().control_socket();
    let answer = lab.appliance().run(format!(
        "curl --silent --max-time 20 --unix-socket {} --header Content-Type:application/json \
         --data {{\"address\":\"192.168.10.110\",\"port\":2001}} http://lbd/api/v1/probe/ae-titles",
        socket.display()
    ));
    let told: Value = serde_json::from_str(answer.expect_ok()).expect("JSON");
    assert_eq!(told["answering"], serde_json::json!(["DW_RDSR_SCP"]), "{told}");
    lab.lbd().put(&lab.config([&lab.pool().weights(&[100]).echo_check("DW_RDSR_SCP")])).expect(200);
    lab.lbd().wait_server("POOL", "NODE1", "up");
    assert_eq!(lab.lbd().server("POOL", "NODE1")["reason"], "passes its check");
}

#[test]
fn services_that_ask_the_same_of_a_server_share_its_check() {
    let lab = Lab::single_arm();
    let scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    let pool = |number| {
        let named = lab.pool().named(&format!("P{number}"), lab.vip(number));
        named.weights(&[100]).server_port(2001).echo_check("DW_SCP")
    };
    let pools: Vec<_> = (0..5).map(pool).collect();
    lab.lbd().start(&lab.config(&pools));
    (0..5).for_each(|number| _ = lab.lbd().wait_service(&format!("P{number}"), "up"));
    assert_eq!(lab.lbd().status()["checks"]["different"], 1);
    let before = scp.events("echo").len();
    let took =
        wait::until(Duration::from_secs(20), "five more checks", || scp.events("echo").len() >= before + 5);
    // Four seconds, less what a busy server notes late; five a second would be there within one.
    assert!(took > Duration::from_secs(2), "one a second, not five: {took:?}");
    scp.process.kill();
    (0..5).for_each(|number| _ = lab.lbd().wait_service(&format!("P{number}"), "down"));
}

/// Memory of lbd in bytes, as the kernel calls it: `VmRSS` is what it has, `VmHWM` the most that it ever had.
fn memory(lab: &Lab, what: &str) -> u64 {
    let path = format!("/proc/{}/status", lab.lbd().process().pid());
    let status = std::fs::read_to_string(path).expect("lbd lives");
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).expect(what);
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// An lbd without optimisation has 70 MB; its share of a flood that is read unbounded would be ten times that.
const MOST_MEMORY: u64 = 150_000_000;

#[test]
fn servers_that_answer_badly_cost_neither_time_nor_memory() {
    let lab = Lab::single_arm();
    let bad = lab.server("NODE1");
    let modes =
        ["endless:0", "drip:72", "huge-pdu", "mid-pdu", "silent", "never-accept", "endless:72", "drip:4"];
    for (port, mode) in (3000..).zip(modes) {
        bad.answering(port, mode);
    }
    let dicom = "type = \"dicom-c-echo\"\ncalling_ae_title = \"A\"\ncalled_ae_title = \"B\"";
    let dicom_tls = format!("{dicom}\ntls = true");
    let [http, https] = ["http", "https"].map(|kind| format!("type = \"{kind}\"\nexpected_body = \"never\""));
    let expect = "type = \"send-expect\"\nexpect = \"never\"";
    let expect_tls = format!("{expect}\ntls = true");
    let kinds = [dicom, &dicom_tls, &http, &https, expect, &expect_tls, "type = \"tls\""];
    let ports = 3000..3000 + u16::try_from(modes.len()).expect("few");
    let mut pools: Vec<_> = ports
        .flat_map(|port| kinds.map(|fields| (port, fields)))
        .zip(1..)
        .map(|((port, fields), number)| pool(&lab, number, port, fields))
        .collect();
    lab.server("NODE2").named_server("NODE2", 2001);
    pools.push(lab.pool().named("GOOD", lab.vip(0)));
    lab.lbd().start(&lab.config(&pools));
    lab.lbd().wait_server("GOOD", "NODE2", "up");
    let number_of_bad = pools.len() - 1;
    for number in 1..=number_of_bad {
        lab.lbd().wait_service(&format!("P{number}"), "down");
    }
    let before = memory(&lab, "VmRSS");
    wait::holds_for(Duration::from_secs(6), "the good server stays up", || {
        lab.lbd().server("GOOD", "NODE2")["state"] == "up"
    });
    let grown = memory(&lab, "VmRSS").saturating_sub(before);
    assert!(grown < 8_000_000, "grown by {grown} bytes");
    // From the first reply on: 24 checks at a time, some of which read megabytes a second.
    let most = memory(&lab, "VmHWM");
    assert!(most < MOST_MEMORY, "{most} bytes at some time");
}
