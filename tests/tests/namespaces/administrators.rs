//! Several administrators at once: whatever they send in whatever order, each accepted change is what its author
//! asked for on top of the version before, and history, file, kernel and View say the same.

use std::collections::BTreeSet;
use std::sync::Mutex;

use fastrand::Rng;
use lab::kernel::{Table, addresses};
use lab::{Lab, random};
use serde_json::{Value, json};

const ADMINISTRATORS: u64 = 3;
/// Of each administrator in a round: all versions of a round are still in the history at its end, which keeps 50.
const WISHES: u64 = 8;
/// Few names, so that they get in each other's way.
const SERVICES: u8 = 4;

/// What an administrator asks for.
#[derive(Debug, Clone)]
enum Wish {
    Weight {
        service: String,
        server: &'static str,
        weight: u64,
    },
    Add(u8),
    Remove(String),
    /// With what that version was: other changes may push it out of the history, which keeps 50, before it is looked at.
    GoBack {
        version: u64,
        document: Value,
    },
    Whole(Value),
}

/// A wish that was granted, and the version that it made or found in force already.
#[derive(Debug)]
struct Granted {
    wish: Wish,
    version: u64,
}

fn name(number: u8) -> String {
    format!("POOL{number}")
}

fn service(lab: &Lab, number: u8) -> Value {
    let server = |label: &str, weight: u64| json!({"label": label, "address": lab.server(label).address(), "weight": weight});
    json!({
        "label": name(number),
        "addresses": [lab.vip(number)],
        "ports": "2001",
        "health_check": "POOL-check",
        // By turns, so that a restart makes the shares of the weights instead of taking over what the kernel has.
        "scheduler": "weighted-round-robin",
        "real_server": [server("NODE1", 100), server("NODE2", 100)],
    })
}

impl Wish {
    fn random(lab: &Lab, random: &mut Rng, in_force: &Value, versions: &[u64]) -> Self {
        let number = random.u8(1..=SERVICES);
        match random.u8(0..10) {
            0..4 => {
                let server = ["NODE1", "NODE2"][random.usize(0..2)];
                Self::Weight { service: name(number), server, weight: random.u64(0..=256) }
            }
            4..6 => Self::Add(number),
            6..8 => Self::Remove(name(number)),
            8 => {
                let version = versions[random.usize(0..versions.len())];
                Self::GoBack { version, document: stored(lab, version) }
            }
            _ => {
                let mut whole = in_force.clone();
                let list = whole["virtual_service"].as_array_mut().expect("a list");
                list.retain(|_| random.bool());
                list.push(service(lab, 1));
                list.retain({
                    let mut seen = BTreeSet::new();
                    move |entry| seen.insert(entry["label"].to_string())
                });
                Self::Whole(whole)
            }
        }
    }

    /// Sends it; what it made, if it was granted. Any other refusal than those that it may meet is a failure.
    fn send(&self, lab: &Lab) -> Option<u64> {
        let request = |method: &str, path: &str, body: Option<Value>| {
            lab.lbd().request(
                method,
                &format!("/api/v1/{path}"),
                body.map(|body| body.to_string()).as_deref(),
            )
        };
        let answer = match self {
            Self::Weight { service, server, weight } => {
                let document =
                    json!({"label": server, "address": lab.server(server).address(), "weight": weight});
                request("PUT", &format!("services/{service}/servers/{server}"), Some(document))
            }
            Self::Add(number) => request("POST", "services", Some(service(lab, *number))),
            Self::Remove(service) => request("DELETE", &format!("services/{service}"), None),
            Self::GoBack { version, .. } => {
                request("POST", &format!("config/versions/{version}/restore"), None)
            }
            Self::Whole(document) => request("PUT", "config", Some(document.clone())),
        };
        match answer.status {
            200 | 201 => Some(answer.json["version"].as_u64().expect("a version")),
            // Gone, or there already.
            404 | 409 => None,
            status => panic!("{self:?} was answered {status}: {}", answer.text),
        }
    }

    /// What the configuration is after this wish; `None` where it cannot be granted.
    fn applied(&self, lab: &Lab, before: &Value) -> Option<Value> {
        let mut after = before.clone();
        let list = after["virtual_service"].as_array_mut()?;
        let place = |list: &[Value], label: &str| list.iter().position(|entry| entry["label"] == label);
        match self {
            Self::Weight { service, server, weight } => {
                let index = place(list, service)?;
                let servers = list[index]["real_server"].as_array_mut()?;
                let index = place(servers, server)?;
                servers[index]["weight"] = json!(weight);
            }
            Self::Add(number) => {
                let is_new = place(list, &name(*number)).is_none();
                is_new.then(|| list.push(service(lab, *number)))?;
            }
            Self::Remove(service) => {
                let index = place(list, service)?;
                list.remove(index);
            }
            Self::GoBack { document, .. } | Self::Whole(document) => after = document.clone(),
        }
        Some(after)
    }
}

fn stored(lab: &Lab, version: u64) -> Value {
    lab.lbd().request("GET", &format!("/api/v1/config/versions/{version}"), None).expect(200).json
}

fn versions(lab: &Lab) -> Vec<u64> {
    let history = lab.lbd().request("GET", "/api/v1/config/versions", None).expect(200).json;
    let entries = history.as_array().expect("a list");
    entries.iter().map(|info| info["version"].as_u64().expect("a number")).collect()
}

/// Three administrators at once, each with its own wishes.
fn round(lab: &Lab, random: &mut Rng) -> Vec<Granted> {
    let granted = Mutex::new(Vec::new());
    let (in_force, versions) = (lab.lbd().config(), versions(lab));
    let wishes: Vec<Vec<Wish>> = (0..ADMINISTRATORS)
        .map(|_| (0..WISHES).map(|_| Wish::random(lab, random, &in_force, &versions)).collect())
        .collect();
    std::thread::scope(|scope| {
        for wishes in wishes {
            scope.spawn(|| {
                for wish in wishes {
                    if let Some(version) = wish.send(lab) {
                        granted.lock().expect("not poisoned").push(Granted { wish, version });
                    }
                }
            });
        }
    });
    granted.into_inner().expect("not poisoned")
}

/// Every version since `first` is what one granted wish made of the version before it, and every other wish that was
/// told this version changes nothing of it.
fn expect_explained(lab: &Lab, first: u64, granted: &[Granted]) {
    let last = lab.lbd().status()["configuration_version"].as_u64().expect("a number");
    assert_eq!(versions(lab).first(), Some(&last), "the newest of the history is in force");
    for version in first + 1..=last {
        let (before, after) = (stored(lab, version - 1), stored(lab, version));
        let told: Vec<_> = granted.iter().filter(|granted| granted.version == version).collect();
        let makes = |granted: &&&Granted| granted.wish.applied(lab, &before).as_ref() == Some(&after);
        assert!(
            told.iter().any(|granted| makes(&granted)),
            "version {version} is nobody's: {told:#?}\n{before:#}\n{after:#}"
        );
        for other in told.iter().filter(|granted| !makes(granted)) {
            assert_eq!(other.wish.applied(lab, &after).as_ref(), Some(&after), "{other:?} was lost");
        }
    }
}

/// The View, the kernel's addresses, and, after a crash, file and kernel's table say what the history says.
fn expect_equal_everywhere(lab: &Lab) {
    let in_force = lab.lbd().config();
    let status = lab.lbd().status();
    let version = status["configuration_version"].as_u64().expect("a number");
    assert_eq!(in_force, stored(lab, version));
    let shown = |list: &Value, servers: &str| -> BTreeSet<String> {
        let one = |service: &Value| {
            let weights =
                service[servers].as_array().into_iter().flatten().map(|server| server["weight"].to_string());
            format!("{} {}", service["label"], weights.collect::<Vec<_>>().join(" "))
        };
        list.as_array().into_iter().flatten().map(one).collect()
    };
    let wanted = shown(&in_force["virtual_service"], "real_server");
    assert_eq!(shown(&status["virtual_services"], "real_servers"), wanted);
    let owned = in_force["virtual_service"].as_array().into_iter().flatten();
    let owned: BTreeSet<_> =
        owned.map(|service| format!("eth0 {}/32", service["addresses"][0].as_str().expect("text"))).collect();
    let found: BTreeSet<_> =
        addresses(lab.appliance()).into_iter().filter(|address| address.ends_with("/32")).collect();
    assert_eq!(found, owned);
    lab.lbd().wait_status("all servers to be checked", |api| api.status()["state"] != "checking");
    let before = Table::read(lab.appliance());
    lab.lbd().kill();
    lab.lbd().start_again();
    assert_eq!(lab.lbd().config(), in_force, "the file");
    lab.lbd().wait_status("the servers to be adopted", |api| api.status()["state"] != "checking");
    Table::read(lab.appliance()).expect_same_as(&before);
}

#[test]
fn whatever_three_administrators_send_at_once_everything_says_the_same() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    lab.lbd().start(&lab.config([&lab.pool()]));
    let mut random = Rng::with_seed(random::seed("three administrators"));
    let mut changes = 0;
    for _ in 0..random::rounds(4, 100) {
        let first = lab.lbd().status()["configuration_version"].as_u64().expect("a number");
        let granted = round(&lab, &mut random);
        expect_explained(&lab, first, &granted);
        expect_equal_everywhere(&lab);
        changes += granted.len();
    }
    println!("three administrators: {changes} wishes granted, each explained");
    assert!(changes > 0);
}
