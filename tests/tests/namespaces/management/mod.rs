//! The management port towards the network: the REST API keeps to its own description, nobody overwrites what others
//! did, and nobody is kept out by others.

mod audited;
mod bounds;
mod contract;
mod guessing;
mod transactions;

use std::time::Duration;

use lab::lbd::wait_https;
use lab::{Lab, topology};

const PASSWORD: &str = "a password of the stories";
const PORT: u16 = 9443;
/// For who is not kept waiting: a log-in with its verification of a password, on a machine that is busy. Who says nothing is
/// hung up on only after ten seconds.
const AT_ONCE: Duration = Duration::from_secs(8);

/// lbd with a service and a password; where its management port answers.
pub(crate) fn start(lab: &Lab) -> String {
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP")]));
    opened(lab)
}

/// The running lbd gets a password; where its management port answers.
pub(crate) fn opened(lab: &Lab) -> String {
    lab.lbd().set_password(PASSWORD);
    let base = format!("https://{}:{PORT}", topology::MANAGEMENT);
    wait_https(lab.administrator(), &base);
    base
}

pub(crate) fn new_token(lab: &Lab, role: &str) -> String {
    let wanted = serde_json::json!({"name": format!("story-{role}"), "role": role, "days": 1});
    let made = lab.lbd().request("POST", "/api/v1/tokens", Some(&wanted.to_string())).expect(201);
    made.json["token"].as_str().expect("a token").to_owned()
}
