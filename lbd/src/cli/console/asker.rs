//! Does what the console asks for: over lbd's socket, at the first process, and among the machine's adapters.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::client::{Call, refusal};
use super::super::failure::CommandError;
use super::super::first_process;
use super::super::tool;
use super::super::way::Way;
use crate::config::Document;
use crate::console::facts::{self, Adapter, Daemon, Facts, Link};
use crate::console::menu::Order;
use crate::console::wizard::{self, Answers};
use crate::console::{Admitted, Effect, Outcome};
use crate::engine::Accepted;
use crate::tools::{Finding, Tool};
use crate::view::View;
use crate::web::Role;
use crate::web::api::{ApplianceDocument, RecoveryStep};
use crate::web::users::FIRST_USER;

/// So long after its start the machine is only starting.
const START: Duration = Duration::from_secs(30);
/// Between two looks for an lbd that starts.
const AGAIN: Duration = Duration::from_millis(500);

const USERS: &str = "/api/v1/users";
const CONFIG: &str = "/api/v1/config";

/// Whoever may open the socket administers the machine; who is logged in is themselves.
pub(super) struct Asker {
    way: Way,
    init_socket: PathBuf,
    cookie: Option<String>,
    start: Instant,
    /// What lbd said last, and of which version of the configuration.
    last: Option<(Facts, u64)>,
}

impl Asker {
    pub(super) fn new(control_socket: PathBuf, init_socket: PathBuf) -> Self {
        let way = Way::on_socket(control_socket);
        Self { way, init_socket, cookie: None, start: Instant::now(), last: None }
    }

    /// The kernel's, until lbd says another one.
    pub(super) fn host_name(&self) -> String {
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        name.unwrap_or_else(|| "lbmaster".into())
    }

    /// Asks lbd for everything.
    pub(super) fn look(&mut self) -> Daemon {
        self.last = None;
        self.news()
    }

    /// Asks for what is always shown, and for the rest where the configuration has changed.
    pub(super) fn news(&mut self) -> Daemon {
        match self.facts() {
            Ok(facts) => Daemon::Answers(Box::new(facts)),
            Err(_) if self.last.is_none() && self.start.elapsed() < START => Daemon::Starting,
            Err(error) => {
                self.last = None;
                Daemon::Silent(without_advice(&error))
            }
        }
    }

    fn facts(&mut self) -> Result<Facts, CommandError> {
        let about: ApplianceDocument = self.get("/api/v1/appliance")?;
        let version = about.configuration_version;
        let known = self.last.take().filter(|(_, known)| *known == version).map(|(facts, _)| facts);
        let (document, services) = match known {
            Some(Facts { document, services, .. }) => (document, services),
            None => {
                let view: View = self.get("/api/v1/status")?;
                (self.get::<Document>(CONFIG)?, facts::services(&view))
            }
        };
        let facts = Facts {
            host_name: about.host_name,
            version: about.version + if about.development_build { " (development build)" } else { "" },
            fingerprint: about.certificate_fingerprint,
            is_configured: about.password_is_set,
            state: facts::service_word(about.state).to_owned(),
            problems: about.problems,
            services,
            document,
            adapters: adapters(Path::new("/sys/class/net")),
        };
        self.last = Some((facts.clone(), version));
        Ok(facts)
    }

    fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, CommandError> {
        Call::new(Method::GET, path).send(&self.way)?.read()
    }

    /// Does it.
    pub(super) fn perform(&mut self, effect: Effect) -> Outcome {
        match effect {
            Effect::Look => Outcome::Looked(self.look()),
            Effect::LogIn { user, password } => Outcome::LoggedIn(self.log_in(&user, &password)),
            Effect::LogOut => {
                let call = Call::new(Method::DELETE, "/api/v1/session").with_session(self.cookie.as_deref());
                // A session that cannot be ended now ends by itself.
                let _ = call.send(&self.way);
                self.cookie = None;
                Outcome::LoggedOut
            }
            Effect::Probe { interface, address } => {
                let question = json!({ "interface": interface, "address": address.to_string() });
                let call = self.call(Method::POST, "/api/v1/network/address-probe").json(&question);
                let answer = call.send(&self.way).and_then(|answer| answer.read::<Value>());
                let found = answer.map(|answer| answer["used_by"].as_str().map(str::to_owned));
                Outcome::Probed(found.map_err(|error| error.to_string()))
            }
            Effect::Use(tool) => Outcome::Found(self.use_tool(&tool)),
            Effect::Apply(answers) => Outcome::Applied(self.apply(&answers)),
            Effect::ChangePassword { current, new } => {
                let body = json!({ "current": current, "new": new });
                let call = self.call(Method::PUT, "/api/v1/password").json(&body);
                let changed = call.send(&self.way).map_err(|error| error.to_string());
                if changed.is_ok() {
                    self.cookie = None;
                }
                Outcome::PasswordChanged(changed.map(|_| ()))
            }
            Effect::TellRecovery => {
                // Whether lbd hears it or not: without lbd the factory reset is what is left.
                let _ = self.recover(&RecoveryStep::Entered);
                Outcome::RecoveryTold
            }
            Effect::RecoverPassword(password) => {
                Outcome::PasswordRecovered(self.recover(&RecoveryStep::NewPassword { password }))
            }
            Effect::Order(order) => Outcome::Ordered(self.order(order).map(|()| order)),
            Effect::AskVersions => {
                let told = self.call(Method::GET, "/api/v1/update").send(&self.way);
                let told = told.and_then(|answer| answer.read()).map(Box::new);
                Outcome::Versions(told.map_err(|error| without_advice(&error)))
            }
        }
    }

    fn call(&self, method: Method, path: impl Into<String>) -> Call {
        Call::new(method, path).with_session(self.cookie.as_deref())
    }

    /// Where it is not our turn, which comes a second after the last one's, once more.
    fn use_tool(&self, tool: &Tool) -> Result<Finding, String> {
        let ask = || tool::call(tool).with_session(self.cookie.as_deref()).exchange(&self.way);
        let answer = match ask() {
            Ok((StatusCode::TOO_MANY_REQUESTS, early)) => {
                std::thread::sleep(Duration::from_secs(early.retry_after.unwrap_or(1).min(2)));
                ask()
            }
            answer => answer,
        };
        match answer.map_err(|error| without_advice(&error))? {
            (StatusCode::OK, answer) => answer.read().map_err(|error| error.to_string()),
            (status, answer) => Err(refusal(status, &answer.text)),
        }
    }

    fn log_in(&mut self, user: &str, password: &str) -> Result<Admitted, String> {
        let credentials = json!({ "user": user, "password": password });
        let call = Call::new(Method::POST, "/api/v1/session").json(&credentials);
        let (status, answer) = call.exchange(&self.way).map_err(|error| error.to_string())?;
        match status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err("name or password are wrong.".into()),
            StatusCode::TOO_MANY_REQUESTS => {
                let seconds = answer.retry_after.unwrap_or(2);
                return Err(format!("too many wrong passwords, or too many log-ins; wait {seconds} s."));
            }
            _ => return Err(refusal(status, &answer.text)),
        }
        self.cookie.clone_from(&answer.cookie);
        let who: Value = answer.read().map_err(|error| error.to_string())?;
        Ok(Admitted {
            user: who["user"].as_str().unwrap_or(user).to_owned(),
            is_administrator: who["role"] == json!(Role::Administrator),
            must_change: who["must_change_password"] == true,
        })
    }

    /// The configuration on trial, then the password, then the confirmation: until then a power cut leaves the previous
    /// state, and what cannot be stored takes the rest back.
    fn apply(&mut self, answers: &Answers) -> Result<Option<String>, String> {
        let on_trial = self.try_out(answers).map_err(|error| error.to_string())?;
        if let Some(password) = &answers.password
            && let Err(error) = self.set_password(password)
        {
            return Err(format!("{}: the password was not set. {error}", self.take_back(on_trial)));
        }
        let Some(tag) = on_trial else { return Ok(None) };
        let call = self.call(Method::POST, format!("{CONFIG}/confirm")).based_on(Some(tag));
        let kept = call.send(&self.way).err();
        Ok(kept.map(|error| {
            format!("The addresses are taken back within two minutes: they could not be kept. {error}")
        }))
    }

    /// Returns the tag of what is on trial now; none where nothing has to be confirmed.
    fn try_out(&self, answers: &Answers) -> Result<Option<String>, CommandError> {
        let answer = self.call(Method::GET, CONFIG).send(&self.way)?;
        let present: Document = answer.read()?;
        let document = wizard::document(&present, answers);
        if document == present {
            return Ok(None);
        }
        let path = format!("{CONFIG}?comment=wizard%20on%20the%20console");
        let call = self.call(Method::PUT, path).json(&document).based_on(answer.tag);
        let accepted: Accepted = call.send(&self.way)?.read()?;
        Ok(accepted.confirm_until.map(|_| format!("\"v{}\"", accepted.version)))
    }

    /// What became of it, in words.
    fn take_back(&self, on_trial: Option<String>) -> &'static str {
        let Some(tag) = on_trial else { return "Nothing was changed" };
        let call = self.call(Method::POST, format!("{CONFIG}/revert")).based_on(Some(tag));
        match call.send(&self.way) {
            Ok(_) => "Nothing was changed",
            Err(_) => "The addresses are taken back within two minutes",
        }
    }

    /// The first password makes the first user. It ends all sessions.
    fn set_password(&mut self, password: &str) -> Result<(), CommandError> {
        let users: Vec<Value> = self.get(USERS)?;
        let call = match users.iter().any(|user| user["name"] == FIRST_USER) {
            true => {
                let body = json!({ "password": password });
                self.call(Method::PUT, format!("{USERS}/{FIRST_USER}")).json(&body)
            }
            false => {
                let body = json!({ "name": FIRST_USER, "role": Role::Administrator, "password": password });
                self.call(Method::POST, USERS).json(&body)
            }
        };
        call.send(&self.way)?;
        self.cookie = None;
        Ok(())
    }

    /// The machine has only just started, and lbd too perhaps: it is waited for as long as that is no trouble.
    fn recover(&self, step: &RecoveryStep) -> Result<(), String> {
        while self.start.elapsed() < START && self.get::<ApplianceDocument>("/api/v1/appliance").is_err() {
            std::thread::sleep(AGAIN);
        }
        let call = self.call(Method::POST, "/api/v1/recovery").json(step);
        call.send(&self.way).map(|_| ()).map_err(|error| without_advice(&error))
    }

    fn order(&self, order: Order) -> Result<(), String> {
        if order == Order::FactoryReset {
            // What cannot be told is erased with the rest.
            let _ = self.recover(&RecoveryStep::FactoryReset);
        }
        first_process::order(&self.init_socket, order.word())
    }
}

/// What comes after is advice for a shell.
fn without_advice(error: &CommandError) -> String {
    error.to_string().split(';').next().unwrap_or_default().to_owned()
}

/// The machine's adapters by name, without the loopback interface.
fn adapters(folder: &Path) -> Vec<Adapter> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // The kernel's list of bonds stands among them, and is a file (Documentation/networking/bonding.rst).
    names.retain(|name| name != "lo" && folder.join(name).is_dir());
    names.sort();
    let addresses = addresses();
    let of = |name: &String| {
        addresses.iter().filter(|(of, _)| of == name).map(|(_, address)| address.clone()).collect()
    };
    names.iter().map(|name| adapter(&folder.join(name), name, of(name))).collect()
}

fn adapter(folder: &Path, name: &str, addresses: Vec<String>) -> Adapter {
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned());
    // Documentation/ABI/testing/sysfs-class-net: unreadable while it is switched off; the speed may be -1.
    let link = match read("carrier").as_deref() {
        Some("1") => Link::Up(read("speed").and_then(|speed| speed.parse().ok())),
        Some(_) => Link::Down,
        None => Link::Off,
    };
    Adapter { name: name.to_owned(), hardware: read("address").unwrap_or_default(), link, addresses }
}

/// Interface and address with prefix, IPv4.
fn addresses() -> Vec<(String, String)> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    all.filter_map(|entry| {
        let address = entry.address?.as_sockaddr_in()?.ip();
        let mask = entry.netmask?.as_sockaddr_in()?.ip();
        Some((entry.interface_name, format!("{address}/{}", mask.to_bits().count_ones())))
    })
    .collect()
}
