//! The API of a running lbd, asked as an administrator would: over its control socket, or over HTTPS.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::config::Config;
use crate::host::Host;
use crate::process;
use crate::wait;

/// For anything that should be immediate; generous, because the machine may be busy.
pub const SOON: Duration = Duration::from_secs(30);

/// For curl, in seconds: to get a connection, which is not to be had where nobody answers; and for the answer, which a
/// busy machine that verifies a password, or an emulated one that writes to its disk, takes its time for.
const CURL_CONNECTS: &str = "20";
const CURL_IS_ANSWERED: &str = "40";

/// For a file of forty megabytes into an emulated machine: 10 s where the machine is idle.
const UPLOAD: Duration = Duration::from_secs(300);

/// How the API is reached, and how long it may take to show something.
#[derive(Debug)]
pub struct Api {
    way: Way,
    patience: Duration,
}

#[derive(Debug)]
enum Way {
    Socket(PathBuf),
    Https { from: Arc<Host>, url: String, password: String, cookie: Mutex<Option<String>> },
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The body, `Null` if it is not JSON.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Asserts a status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "answered: {}", self.text);
        self
    }
}

impl Api {
    /// Over the control socket, on the same machine.
    pub fn on_socket(socket: PathBuf) -> Self {
        Self { way: Way::Socket(socket), patience: SOON }
    }

    /// Over HTTPS from another host; whatever is waited for may take `patience`.
    pub fn over_https(from: Arc<Host>, url: String, password: String, patience: Duration) -> Self {
        Self { way: Way::Https { from, url, password, cookie: Mutex::default() }, patience }
    }

    /// What `GET /api/v1/status` says.
    pub fn status(&self) -> Value {
        self.request("GET", "/api/v1/status", None).expect(200).json
    }

    /// The configuration in force, as the API shows it.
    pub fn config(&self) -> Value {
        self.request("GET", "/api/v1/config", None).expect(200).json
    }

    /// Asks for another configuration.
    pub fn put(&self, config: &Config) -> Answer {
        self.request("PUT", "/api/v1/config", Some(config.as_str()))
    }

    /// A service in the status.
    pub fn service(&self, service: &str) -> Value {
        labelled(&self.status()["virtual_services"], service)
    }

    /// A server in the status.
    pub fn server(&self, service: &str, server: &str) -> Value {
        labelled(&self.service(service)["real_servers"], server)
    }

    /// Waits until a service is `up`, `checking`, `degraded` or `down`; returns how long it took.
    pub fn wait_service(&self, service: &str, state: &str) -> Duration {
        let what = format!("service {service} to be {state}");
        self.wait_status(&what, |api| api.service(service)["state"] == state)
    }

    /// Waits until a server is `up`, `checking` or `down`; returns how long it took.
    pub fn wait_server(&self, service: &str, server: &str, state: &str) -> Duration {
        let what = format!("server {server} of {service} to be {state}");
        self.wait_status(&what, |api| api.server(service, server)["state"] == state)
    }

    /// Waits until the reason for a server's state contains `words`.
    pub fn wait_reason(&self, service: &str, server: &str, words: &str) -> Duration {
        let says = |api: &Self| {
            api.server(service, server)["reason"].as_str().unwrap_or_default().to_lowercase().contains(words)
        };
        self.wait_status(&format!("the reason for {server} to contain \"{words}\""), says)
    }

    /// The address from which a server sees connections, as the status names it.
    pub fn snat_source(&self, service: &str, server: &str) -> String {
        self.server(service, server)["snat_source"].as_str().expect("a source address").to_owned()
    }

    /// A request; `body` is JSON where it begins with a brace, else TOML.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        match &self.way {
            Way::Socket(socket) => {
                let mut command = Command::new("curl");
                command.arg("--unix-socket").arg(socket);
                curl(command, method, &format!("http://lbd{path}"), body)
            }
            Way::Https { from, url, password, cookie } => {
                let url = format!("{url}{path}");
                // Log in once, and again when the session has ended, by a reboot for example.
                let known = cookie.lock().expect("not poisoned").clone();
                if let Some(known) = known {
                    let answer = with_cookie(from, method, &url, &known, body);
                    if answer.status != 401 {
                        return answer;
                    }
                }
                match log_in(from, &url, password) {
                    Ok(new) => {
                        *cookie.lock().expect("not poisoned") = Some(new.clone());
                        with_cookie(from, method, &url, &new, body)
                    }
                    Err(answer) => answer,
                }
            }
        }
    }

    /// Sends a form with these fields and files, `name=text` or `name=@path`, as a browser without scripts does.
    ///
    /// # Panics
    /// Over a control socket, which knows no forms.
    pub fn send_form(&self, path: &str, fields: &[String]) -> Answer {
        // Whoever is not logged in is asked to.
        self.status();
        self.send_form_as_known(path, fields)
    }

    /// The same as somebody who has just been answered. Where nobody answers, the status is 0.
    pub fn send_form_as_known(&self, path: &str, fields: &[String]) -> Answer {
        let Way::Https { from, url, cookie, .. } = &self.way else { panic!("forms are sent over HTTPS") };
        let known = cookie.lock().expect("not poisoned").clone().expect("just logged in");
        let mut command = insecure(from);
        command.args(["--header", &format!("Cookie: {known}"), "--header", "Sec-Fetch-Site: same-origin"]);
        fields.iter().for_each(|field| _ = command.args(["--form", field]));
        command.args(["--silent", "--show-error", "--write-out", "\n%{http_code}", &format!("{url}{path}")]);
        answer(&process::run_within(command, "", UPLOAD))
    }

    /// Waits until these words stand in the audit log, which is written beside what it tells of, line by line and each
    /// made durable.
    pub fn wait_audit(&self, words: &str) {
        let told = || self.request("GET", "/api/v1/audit", None).expect(200).text.contains(words);
        wait::until(self.patience, format!("{words:?} in the audit log"), told);
    }

    /// Waits until `condition` holds; says the status when it does not in time.
    pub fn wait_status(&self, what: &str, condition: impl Fn(&Self) -> bool) -> Duration {
        let start = std::time::Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < self.patience, "still waiting for {what}; status: {:#}", self.status());
            wait::pause(start);
        }
        start.elapsed()
    }
}

/// Waits until WebUI and API answer `host` at all: they start a moment after the control socket.
pub fn wait_https(host: &Host, url: &str) {
    wait::until(SOON, format!("an answer from {url}"), || https(host, "GET", url, None, None).status != 0);
}

/// An HTTPS request from `host`, logged in as user `loadbalancer` if a password is given; a refused log-in is the
/// answer. The certificate is the appliance's own and not verified.
pub fn https(host: &Host, method: &str, url: &str, password: Option<&str>, body: Option<&str>) -> Answer {
    match password.map(|password| log_in(host, url, password)) {
        None => curl(insecure(host), method, url, body),
        Some(Ok(cookie)) => with_cookie(host, method, url, &cookie, body),
        Some(Err(answer)) => answer,
    }
}

/// An HTTPS request from `host` with these headers, and nothing else that says who asks.
pub fn https_with(host: &Host, method: &str, url: &str, headers: &[&str], body: Option<&str>) -> Answer {
    let mut command = insecure(host);
    headers.iter().for_each(|header| _ = command.args(["--header", header]));
    curl(command, method, url, body)
}

fn insecure(host: &Host) -> Command {
    let mut command = host.command("curl");
    command.arg("--insecure");
    command
}

fn with_cookie(host: &Host, method: &str, url: &str, cookie: &str, body: Option<&str>) -> Answer {
    let cookie = format!("Cookie: {cookie}");
    https_with(host, method, url, &[&cookie, "Sec-Fetch-Site: same-origin"], body)
}

/// The cookie of a new session, or why there is none.
fn log_in(host: &Host, url: &str, password: &str) -> Result<String, Answer> {
    let base: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
    let mut command = insecure(host);
    command.args(["--include", "--silent", "--show-error"]);
    command.args(["--connect-timeout", CURL_CONNECTS, "--max-time", CURL_IS_ANSWERED, "--header"]);
    command.args(["Content-Type: application/json", "--data-binary", "@-", "--write-out", "\n%{http_code}"]);
    command.arg(format!("{base}/api/v1/session"));
    let credentials = serde_json::json!({"user": "loadbalancer", "password": password}).to_string();
    let output = process::run_with_input(command, &credentials);
    let (answer, status) = output.stdout.rsplit_once('\n').expect("curl writes the status last");
    let status: u16 = status.parse().expect("a number");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
    match (status, cookie.and_then(|cookie| cookie.split(';').next())) {
        (200, Some(cookie)) => Ok(cookie.to_owned()),
        _ => {
            let text =
                answer.split_once("\r\n\r\n").map_or(output.stderr.as_str(), |(_, body)| body).to_owned();
            Err(Answer { status, json: serde_json::from_str(&text).unwrap_or_default(), text })
        }
    }
}

fn curl(mut command: Command, method: &str, url: &str, body: Option<&str>) -> Answer {
    command.args([
        "--silent",
        "--show-error",
        "--connect-timeout",
        CURL_CONNECTS,
        "--max-time",
        CURL_IS_ANSWERED,
        "--request",
        method,
        "--write-out",
        "\n%{http_code}",
        url,
    ]);
    if let Some(body) = body {
        let media = if body.starts_with('{') { "json" } else { "toml" };
        command.args(["--header", &format!("Content-Type: application/{media}"), "--data-binary", "@-"]);
    }
    answer(&process::run_with_input(command, body.unwrap_or_default()))
}

fn answer(output: &process::Output) -> Answer {
    let (text, status) = output.stdout.rsplit_once('\n').expect("curl writes the status last");
    Answer {
        status: status.parse().expect("a number"),
        json: serde_json::from_str(text).unwrap_or_default(),
        // Without an answer, why there is none.
        text: if text.is_empty() { output.stderr.clone() } else { text.to_owned() },
    }
}

fn labelled(list: &Value, label: &str) -> Value {
    let entries = list.as_array().into_iter().flatten();
    let found = entries.into_iter().find(|entry| entry["label"] == label);
    found.unwrap_or_else(|| panic!("no {label} in {list:#}")).clone()
}
