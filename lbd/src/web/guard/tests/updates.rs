//! Orders about updates, which the lab has no init for, stand in the audit log; all others are shown there by the story
//! `management/audited`.

use super::*;
use crate::update::fake::{KEYS, archive, places};
use crate::web::update::{ARCHIVE, UpdateDocument, UpdateKind};

const UPDATE: &str = "/api/v1/update";

/// In an order in which each succeeds, with the status and the words of its line.
const ORDERS: [(&str, &str, u16, &str); 7] = [
    ("PUT", "/api/v1/update/archive", 200, "update: version 1.1 uploaded"),
    ("DELETE", "/api/v1/update/archive", 204, "update: what was uploaded is thrown away"),
    ("PUT", "/api/v1/update/archive", 200, "update: version 1.1 uploaded"),
    ("POST", "/api/v1/update/install", 200, "update: version 1.1 installed"),
    ("POST", "/api/v1/update/activate", 202, "update: version 1.1 started without a restart"),
    ("POST", "/api/v1/update/rollback", 202, "update: back to version 0.9, with a restart"),
    ("POST", "/api/v1/restart", 202, "the appliance is restarted"),
];

/// What needs a server of updates: `tests/tests/namespaces/online_updates.rs` shows their lines.
const ONLINE: [&str; 3] =
    ["/api/v1/update/look", "/api/v1/update/download", "/api/v1/update/download/cancel"];

/// How many lines of the audit log have these words.
fn lines(appliance: &Appliance, words: &str) -> usize {
    let file = std::fs::read_to_string(appliance.folder.path().join("audit/changes.jsonl"));
    file.unwrap_or_default().lines().filter(|line| line.contains(words)).count()
}

#[tokio::test]
async fn every_order_about_updates_leaves_a_line_in_the_audit_log() {
    let appliance = Appliance::with_updates(|folder| Some(places(folder))).with_users();
    let token = appliance.token(Role::Administrator, Timestamp::now());
    for (method, path, status, words) in ORDERS {
        let before = lines(&appliance, words);
        let body = if method == "PUT" { archive("1.1", &KEYS[0]) } else { Vec::new() };
        let length = body.len().to_string();
        let headers = [("authorization", token.as_str()), ("content-length", length.as_str())];
        let answer = appliance.send(method, path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        let told = async {
            while lines(&appliance, words) == before {
                tokio::task::yield_now().await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(60), told).await;
        assert!(told.is_ok(), "{words} is not in the audit log");
    }
    let online = ONLINE.iter().map(|path| ("POST", *path));
    let known: BTreeSet<_> = ORDERS.iter().map(|(method, path, ..)| (*method, *path)).chain(online).collect();
    let of_updates = |one: &api::Operation| {
        one.method != Method::GET && (one.path.starts_with("/api/v1/update") || one.path == "/api/v1/restart")
    };
    let operations = api::operations();
    let all: BTreeSet<_> =
        operations.iter().filter(|one| of_updates(one)).map(|one| (one.method.as_str(), one.path)).collect();
    assert_eq!(known, all);
}

#[tokio::test]
async fn an_update_of_another_base_needs_a_restart() {
    let appliance = Appliance::with_updates(|folder| Some(places(folder))).with_users();
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let body = archive("1.1", &KEYS[0]);
    let length = body.len().to_string();
    let headers = [("authorization", token.as_str()), ("content-length", length.as_str())];
    let told = async |method, path, headers, body| {
        let answer = appliance.send(method, path, headers, body).await;
        serde_json::from_str::<UpdateDocument>(&answer.text).unwrap().uploaded.unwrap()
    };
    let quick = told("PUT", ARCHIVE, &headers[..], body).await;
    assert_eq!(quick.kind, UpdateKind::Quick);
    assert!(quick.effect.contains("connections go on"), "{}", quick.effect);
    // As it is on an image that does not say what it is made of.
    std::fs::remove_file(appliance.folder.path().join("base.json")).unwrap();
    let full = told("GET", UPDATE, &headers[..1], Vec::new()).await;
    assert_eq!(full.kind, UpdateKind::Full);
    assert!(full.effect.contains("needs a restart"), "{}", full.effect);
}
