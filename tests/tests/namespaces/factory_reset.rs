//! The factory reset over API and command line: whom it is refused to, what it takes, and what is told before the order reaches
//! the first process. What the order does is shown in the guest.

use lab::first_process::FirstProcess;
use lab::lbd::{SOON, https_with, wait_https};
use lab::topology::MANAGEMENT;
use lab::{Answer, Lab, Output, wait};
use serde_json::{Value, json};

const PASSWORD: &str = "four words of it";
const RESET: &str = "/api/v1/factory-reset";

/// With the administrator loadbalancer and the operator ann, who have the same password.
fn started() -> Lab {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    lab.lbd().set_password(PASSWORD);
    let ann = json!({"name": "ann", "role": "operator", "password": PASSWORD}).to_string();
    lab.lbd().request("POST", "/api/v1/users", Some(&ann)).expect(201);
    lab
}

/// The same as the appliance.
fn appliance() -> (Lab, FirstProcess) {
    let lab = started();
    let first = FirstProcess::at(lab.appliance().new_path("init.sock"));
    lab.lbd().stop();
    lab.lbd().start_again_as_appliance(first.socket());
    wait_https(lab.client(), &format!("https://{MANAGEMENT}:9443"));
    (lab, first)
}

fn host_name(lab: &Lab) -> String {
    lab.lbd().status()["host_name"].as_str().expect("a name").to_owned()
}

fn reset(lab: &Lab, body: &Value) -> Answer {
    lab.lbd().request("POST", RESET, Some(&body.to_string()))
}

fn command(lab: &Lab, arguments: &str, password: &str) -> Output {
    let socket = lab.lbd().control_socket();
    let line = format!("factory-reset {arguments} --control-socket {}", socket.display());
    lab.lbd().command(&line, &format!("{password}\n"))
}

#[test]
fn on_a_linux_of_ones_own_there_is_nothing_to_reset() {
    let lab = started();
    let body = json!({"user": "loadbalancer", "password": PASSWORD, "host_name": host_name(&lab)});
    let refused = reset(&lab, &body).expect(409);
    assert!(refused.text.contains("remove its state directory"), "{}", refused.text);
    let refused = command(&lab, &host_name(&lab), PASSWORD);
    assert!(!refused.is_ok() && refused.stderr.contains("This is not the appliance"), "{refused:?}");
}

#[test]
fn it_takes_an_administrators_password_and_the_host_name_and_is_told_before() {
    let (lab, first) = appliance();
    let name = host_name(&lab);
    let body = |user: &str, password: &str, host_name: &str| json!({"user": user, "password": password, "host_name": host_name});
    let without_user = reset(&lab, &json!({"password": PASSWORD, "host_name": name})).expect(403);
    assert!(without_user.text.contains("in the field user"), "{}", without_user.text);
    for (wrong, field) in [
        (body("loadbalancer", PASSWORD, "another"), "host_name"),
        (body("ann", PASSWORD, &name), "user"),
        (body("nobody", PASSWORD, &name), "user"),
        (body("loadbalancer", "guessed wrongly", &name), "password"),
    ] {
        let refused = reset(&lab, &wrong).expect(422);
        assert_eq!(refused.json["problems"][0]["field"], field, "{wrong}: {}", refused.text);
    }
    lab.lbd().wait_audit("factory reset refused: wrong password");
    assert_eq!(first.orders(), [""; 0]);

    let done = command(&lab, &name.to_uppercase(), PASSWORD);
    assert!(done.expect_ok().contains("Everything is erased now"), "{done:?}");
    assert_eq!(first.orders(), ["factory-reset"]);
    lab.lbd().wait_audit("factory reset ordered: everything is erased, with the password of loadbalancer");
    let told =
        || lab.lbd().request("GET", "/api/v1/log?text=erases%20everything%20now", None).expect(200).json;
    wait::until(SOON, "the alert", || told()["lines"].as_array().is_some_and(|lines| !lines.is_empty()));
}

#[test]
fn guesses_are_slowed_down_and_tokens_alone_reset_nothing() {
    let (lab, first) = appliance();
    let name = host_name(&lab);
    let token = |role: &str| {
        let new = json!({"name": role, "role": role, "days": 1}).to_string();
        let made = lab.lbd().request("POST", "/api/v1/tokens", Some(&new)).expect(201).json;
        made["token"].as_str().expect("a token").to_owned()
    };
    let url = format!("https://{MANAGEMENT}:9443{RESET}");
    let ask = |token: &str, body: &Value| {
        let header = format!("Authorization: Bearer {token}");
        https_with(lab.client(), "POST", &url, &[&header], Some(&body.to_string()))
    };
    let alone = json!({"password": PASSWORD, "host_name": name});
    ask(&token("operator"), &alone).expect(403);
    let administrator = token("administrator");
    let refused = ask(&administrator, &alone).expect(403);
    assert!(refused.text.contains("Token administrator has no password"), "{}", refused.text);
    let guess = json!({"user": "loadbalancer", "password": "guessed wrongly", "host_name": name});
    let is_slowed_down = (0..10).any(|_| ask(&administrator, &guess).status == 429);
    assert!(is_slowed_down, "ten guesses in a row");
    let right = json!({"user": "loadbalancer", "password": PASSWORD, "host_name": name});
    ask(&administrator, &right).expect(429);
    assert_eq!(first.orders(), [""; 0]);
}
