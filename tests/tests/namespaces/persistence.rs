//! Persistence entries: they are listed with their server and time-out, cleared one by one, and never in the way.

use std::net::{Ipv4Addr, Ipv6Addr};

use lab::lbd::{SOON, https, wait_https};
use lab::process::Output;
use lab::topology::{MANAGEMENT, ipv6};
use lab::{Lab, Pool, wait};
use serde_json::{Value, json};

const PASSWORD: &str = "a password for stories";
/// What the kernel's map holds.
const ROOM: u32 = 1_048_576;

fn start(lab: &Lab, pool: &Pool) {
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([pool]));
    lab.lbd().wait_service("POOL", "up");
}

fn list(lab: &Lab, question: &str) -> Value {
    lab.lbd().request("GET", &format!("/api/v1/persistence{question}"), None).expect(200).json
}

fn clear(lab: &Lab, client: &str, status: u16) -> Value {
    let path = format!("/api/v1/persistence/POOL/{client}");
    lab.lbd().request("DELETE", &path, None).expect(status).json
}

fn command(lab: &Lab, arguments: &str) -> Output {
    let socket = lab.lbd().control_socket();
    lab.lbd().command(&format!("persistence {arguments} --control-socket {}", socket.display()), "")
}

/// Which server the client meets with each of its next connections.
fn met(lab: &Lab) -> String {
    let first = lab.client().ask(lab.vip(0), 2001).server;
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, first, "it is remembered");
    first
}

#[test]
fn a_client_is_listed_with_its_server_and_chooses_anew_when_it_is_cleared() {
    let lab = Lab::single_arm();
    start(&lab, &lab.pool().in_turn().persistence(Some(200)));
    assert_eq!(list(&lab, ""), json!({"entries": [], "total": 0, "limit": 1000, "is_complete": true}));
    let client = lab.client().address().to_string();
    let first = met(&lab);
    for question in ["".to_owned(), format!("?client={client}"), "?service=POOL&limit=1".to_owned()] {
        let listed = list(&lab, &question);
        assert_eq!(listed["total"], 1, "{question}: {listed}");
        let entry = &listed["entries"][0];
        let told = [&entry["service"], &entry["client"], &entry["server"], &entry["timeout_seconds"]];
        assert_eq!(told, [&json!("POOL"), &json!(client), &json!(first), &json!(200)]);
        assert!((150..=200).contains(&entry["seconds_left"].as_u64().expect("seconds")), "{entry}");
        assert_eq!(entry["pinned"], false);
    }
    for nobody in ["?client=192.0.2.1", "?service=OTHER"] {
        assert_eq!(list(&lab, nobody)["total"], 0, "{nobody}");
    }
    // Its connections go on, and it is the next one's turn.
    let held = lab.client().hold(lab.vip(0), 2001);
    assert_eq!(clear(&lab, &client, 200)["server"], first);
    assert_eq!(list(&lab, "")["total"], 0);
    held.expect_alive();
    let second = met(&lab);
    assert_ne!(second, first, "in turn");
    assert_eq!(list(&lab, "")["entries"][0]["server"], second);
    lab.lbd().wait_audit(&format!("persistence entry of {client} in POOL cleared"));
    clear(&lab, "192.0.2.1", 404);
    clear(&lab, "ct-scanner", 400);
    lab.lbd().request("GET", "/api/v1/persistence?limit=1001", None).expect(400);
}

#[test]
fn a_client_is_listed_and_cleared_by_commands() {
    let lab = Lab::single_arm();
    start(&lab, &lab.pool().in_turn());
    let (client, first) = (lab.client().address(), met(&lab));
    let told = command(&lab, &format!("list --client {client}"));
    assert!(told.expect_ok().contains(&format!("POOL     {client}  {first}")), "{told:?}");
    let json = command(&lab, "list --service POOL --json");
    let json: Value = serde_json::from_str(json.expect_ok()).expect("JSON");
    assert_eq!(json["entries"][0]["server"], first);
    let cleared = command(&lab, &format!("clear POOL {client}"));
    assert_eq!(cleared.expect_ok(), format!("{client} of POOL is forgotten: its server was {first}.\n"));
    assert_ne!(met(&lab), first);
    let gone = command(&lab, "clear POOL 192.0.2.1");
    assert!(gone.status.code() == Some(1) && gone.stderr.contains("192.0.2.1"), "{gone:?}");
}

#[test]
fn networks_ipv6_clients_and_pins_are_listed_as_they_count() {
    let lab = Lab::single_arm().with_ipv6();
    let client = lab.client().address();
    let mut pool = lab.pool().in_turn().at(&[lab.vip(0).into(), ipv6(lab.vip(0)).into()]);
    pool = ["NODE1", "NODE2"]
        .into_iter()
        .fold(pool, |pool, node| pool.server(&format!("{node}-6"), ipv6(lab.server(node).address())));
    let config = lab.config([&pool]);
    let config = config.replacing("enabled = true\n", "enabled = true\nipv4_prefix_length = 24\n");
    let pin = "\n[[virtual_service.pin]]\nclient = \"10.1.0.0/16\"\nserver = \"NODE2\"\n";
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&config.followed_by(pin));
    lab.lbd().wait_service("POOL", "up");
    lab.client().ask(lab.vip(0), 2001);
    lab.client().ask(ipv6(lab.vip(0)), 2001);
    let listed = list(&lab, "?service=POOL");
    let told: Vec<_> =
        listed["entries"].as_array().expect("entries").iter().map(|entry| entry["client"].clone()).collect();
    assert_eq!(told, [json!("10.1.0.0/16"), json!("192.168.10.0/24"), json!(ipv6(client))]);
    assert_eq!(
        (&listed["entries"][0]["pinned"], &listed["entries"][0]["server"]),
        (&json!(true), &json!("NODE2"))
    );
    assert_eq!(list(&lab, "?client=10.1.7.7")["entries"][0]["pinned"], true);
    clear(&lab, "10.1.7.7", 409);
    // As it is listed, or by any client of the network.
    clear(&lab, "192.168.10.0%2F24", 200);
    lab.client().ask(lab.vip(0), 2001);
    clear(&lab, &client.to_string(), 200);
    clear(&lab, &ipv6(client).to_string(), 200);
    assert_eq!(list(&lab, "")["total"], 1, "the pin stays");
}

#[test]
fn operators_clear_entries_and_viewers_look() {
    let lab = Lab::single_arm();
    start(&lab, &lab.pool());
    lab.lbd().set_password(PASSWORD);
    let base = format!("https://{MANAGEMENT}:9443");
    wait_https(lab.client(), &format!("{base}/api/v1/status"));
    let socket = lab.lbd().control_socket();
    let token = |role: &str| {
        let made =
            format!("token create {role} --role {role} --days 1 --control-socket {}", socket.display());
        lab.lbd().command(&made, "").expect_ok().trim().to_owned()
    };
    let (viewer, operator) = (token("viewer"), token("operator"));
    let client = lab.client().address();
    let ask = |token: &str, method: &str, path: &str, more: &str| {
        let url = format!("{base}{path}");
        let line = format!(
            "curl --silent --insecure --output /dev/null --write-out %{{http_code}} --request {method} --header Authorization:Bearer\u{a0}{token} {more} {url}"
        );
        let mut words: Vec<_> =
            line.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace('\u{a0}', " ")).collect();
        let mut command = lab.client().command(&words.remove(0));
        command.args(words);
        String::from_utf8(command.output().expect("curl").stdout).expect("a status")
    };
    let path = format!("/api/v1/persistence/POOL/{client}");
    let page = "/cluster/services/POOL/persistence";
    let form = format!("--data client={client}");
    lab.client().ask(lab.vip(0), 2001);
    assert_eq!(ask(&viewer, "GET", "/api/v1/persistence", ""), "200");
    assert_eq!(ask(&viewer, "GET", page, ""), "200");
    assert_eq!(
        (ask(&viewer, "DELETE", &path, ""), ask(&viewer, "POST", page, &form)),
        ("403".into(), "403".into())
    );
    assert_eq!(list(&lab, "")["total"], 1);
    assert_eq!(ask(&operator, "DELETE", &path, ""), "200");
    assert_eq!(list(&lab, "")["total"], 0);
    lab.client().ask(lab.vip(0), 2001);
    assert_eq!(ask(&operator, "POST", page, &form), "303");
    assert_eq!(
        (list(&lab, "")["total"].clone(), ask(&operator, "POST", page, &form)),
        (json!(0), "404".into())
    );
    // A session is worth nothing to a page from elsewhere.
    lab.client().ask(lab.vip(0), 2001);
    assert_eq!(https(lab.client(), "DELETE", &format!("{base}{path}"), None, None).status, 401);
    assert_eq!(list(&lab, "")["total"], 1);
}

/// Fills one of the kernel's maps, as somebody with a million addresses would; `client` makes a key of a number.
fn fill(lab: &Lab, map: &str, client: impl Fn(u32) -> String) {
    const AT_ONCE: u32 = 1 << 16;
    for part in 0..ROOM / AT_ONCE {
        let element = |number| format!("{} timeout 1h : 0xffe0001", client(number));
        let elements: Vec<_> = (part * AT_ONCE..(part + 1) * AT_ONCE).map(element).collect();
        let script = format!("add element inet evenkeel {map} {{ {} }}\n", elements.join(", "));
        lab.appliance().run_with_input("nft -f -", &script).expect_ok();
    }
}

#[test]
fn a_full_table_of_ipv6_clients_refuses_nobody_either() {
    let lab = Lab::single_arm().with_ipv6();
    let pool = lab.pool().in_turn().at(&[lab.vip(0).into(), ipv6(lab.vip(0)).into()]);
    let nodes = ["NODE1", "NODE2"].map(|node| (format!("{node}-6"), ipv6(lab.server(node).address())));
    let pool = nodes.iter().fold(pool, |pool, (label, address)| pool.server(label, *address));
    start(&lab, &pool);
    fill(&lab, "sticky6_1", |number| Ipv6Addr::from_bits(0xfd11 << 112 | u128::from(number)).to_string());
    lab.client().ip("-6 route add local fd77::/64 dev lo");
    lab.client().run("sysctl -qw net.ipv6.ip_nonlocal_bind=1").expect_ok();
    lab.appliance().ip(format!("-6 route add fd77::/64 via {}", ipv6(lab.client().address())));
    let clients: Vec<Ipv6Addr> = (1..=10).map(|last| Ipv6Addr::from_bits(0xfd77 << 112 | last)).collect();
    let replies = lab.client().ask_as(&clients, ipv6(lab.vip(0)), 2001);
    let by_first = replies.iter().filter(|reply| reply.server == "NODE1").count();
    assert_eq!((replies.len(), by_first), (10, 5), "balanced as always: {replies:?}");
    wait::until(2 * SOON, "the status to tell", || {
        lab.lbd().status()["problems"].to_string().contains("remembered by persistence")
    });
}

#[test]
fn a_full_table_refuses_nobody_and_is_told() {
    let lab = Lab::single_arm();
    start(&lab, &lab.pool().in_turn());
    let full = || {
        let problems = lab.lbd().status()["problems"].to_string();
        problems.contains("remembered by persistence")
            && problems.contains("Shorten the persistence time-outs")
    };
    let known = met(&lab);
    assert!(!full());
    lab.appliance().run("nft delete element inet evenkeel sticky { 0x00010000 . 192.168.10.50 }").expect_ok();
    // Of a service that there is not.
    let first = u32::from(Ipv4Addr::new(11, 0, 0, 0));
    fill(&lab, "sticky", |number| format!("0xffe0000 . {}", Ipv4Addr::from(first + number)));
    lab.client().use_addresses("10.1.0.0/16");
    lab.appliance().ip(format!("route add 10.1.0.0/16 via {}", lab.client().address()));
    let clients: Vec<_> = (1..=20).map(|last| Ipv4Addr::new(10, 1, 0, last)).collect();
    let replies = lab.client().ask_as(&clients, lab.vip(0), 2001);
    let by_first = replies.iter().filter(|reply| reply.server == known).count();
    assert_eq!((replies.len(), by_first), (20, 10), "balanced as always: {replies:?}");
    wait::until(2 * SOON, "the status to tell", full);
    // A client is found among a million at once; a look at all of them is cut short instead of waited for.
    assert_eq!(list(&lab, "?client=10.1.0.1")["total"], 0);
    let listed = list(&lab, "?limit=5");
    assert_eq!(listed["entries"].as_array().map(Vec::len), Some(5));
    assert!(listed["total"].as_u64() > Some(10_000), "{}", listed["total"]);
    lab.appliance().run("nft flush map inet evenkeel sticky").expect_ok();
    wait::until(2 * SOON, "the status to be quiet again", || !full());
    met(&lab);
}
