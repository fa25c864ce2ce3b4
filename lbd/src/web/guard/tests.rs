//! Every route with no, wrong, expired and lesser credentials, and what a session is worth to a page from elsewhere.

mod judged;
mod updates;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::audit::Audit;
use crate::config::{Document, Format, validate};
use crate::conntrack::lookup::Lookup;
use crate::engine::{Engine, Now, Start};
use crate::log::journal::Journal;
use crate::network::topology::Topology;
use crate::proxy::Proxy;
use crate::traffic::listing::Listing;
use crate::update::{Places, Updates};
use crate::vault::Vault;
use crate::web::certificate::Certificates;
use crate::web::tokens::TokenFile;
use crate::web::users::{FIRST_USER, UserFile};
use crate::web::{Gateway, Published, router};

const EXAMPLE: &str = include_str!("../../../../examples/datalink.toml");
const PASSWORD: &str = "correct horse";
const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Administrator];

/// The appliance's web side, without an engine that would answer.
struct Appliance {
    router: Router,
    folder: tempfile::TempDir,
    _published: watch::Sender<Arc<Published>>,
}

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}

impl Appliance {
    fn without_password() -> Self {
        Self::with_updates(|_| None)
    }

    /// With what `places` has of init, and no password.
    fn with_updates(places: impl FnOnce(&std::path::Path) -> Option<Places>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = validate(Document::parse(EXAMPLE, Format::Toml).unwrap()).unwrap();
        let start = Start {
            config,
            version: 1,
            listing: Listing::default(),
            topology: Topology::default(),
            fast_path_missing: None,
            problems: Vec::new(),
            host_name: "lbmaster".into(),
        };
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let (engine, _) = Engine::new(start, now);
        let picture = Published {
            view: engine.view(),
            document: engine.document().clone(),
            alerting: engine.alerting().clone(),
            online_updates: engine.online_updates().clone(),
        };
        let (published, pictures) = watch::channel(Arc::new(picture));
        let (vault, _) = Vault::open(folder.path(), None, None).unwrap();
        let access = Access::new(folder.path(), Audit::below(folder.path()));
        let proxy = Proxy::new(pictures.clone(), 1_024);
        let lookup = Lookup::new(watch::Sender::default().subscribe(), folder.path().join("closed"), proxy);
        let certificates = Certificates::below(folder.path());
        certificates.read_stored().unwrap();
        let (requests, vault) = (mpsc::channel(1).0, Arc::new(vault));
        let (alarm, post) =
            (crate::alert::desk::open(folder.path()).0, crate::mail::post::open(folder.path()).0);
        let (clock, snmp) = (crate::clock::task::open().0, crate::snmp::open(folder.path()).0);
        let history = crate::history::recorder::History::below(folder.path());
        let updates = Updates::below(folder.path(), places(folder.path()));
        let crashes = crate::crash::shelf::Shelf::new(None, folder.path());
        let licences = crate::licences::Licences::at(folder.path().join("licenses"));
        let helpers = (Journal::new(), alarm, post, clock, snmp, history, updates, crashes, licences);
        let gateway = Gateway::new(pictures, requests, vault, lookup, access.clone(), certificates, helpers);
        Self { router: guarded(router(gateway), access), folder, _published: published }
    }

    /// With a user of each role, whose names are those of the roles.
    fn new() -> Self {
        Self::without_password().with_users()
    }

    fn with_users(self) -> Self {
        let users = UserFile::below(self.folder.path());
        users.set(PASSWORD).unwrap();
        users
            .update(|users| {
                let password = users.find(FIRST_USER).unwrap().password.clone();
                ROLES.iter().try_for_each(|role| users.add(&role.to_string(), *role, password.clone()))
            })
            .unwrap();
        self
    }

    fn token(&self, role: Role, made: Timestamp) -> String {
        let name = format!("t{}", made.as_nanosecond() % 1_000_000_007);
        let file = TokenFile::below(self.folder.path());
        let (_, text) = file.create(&name, role, 1, "test", made).unwrap();
        format!("Bearer {text}")
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(method, path, headers, body.to_owned()).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "lb:9443");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(Peer::Network(IpAddr::from([192, 0, 2, 1])));
        let answer = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        // A stream of events has no end that would be worth waiting for.
        let is_stream = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = match is_stream {
            true => String::new(),
            false => text_of(&body.collect().await.unwrap().to_bytes()),
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    async fn log_in(&self, user: &str, password: &str) -> Answer {
        let body = format!(r#"{{"user":"{user}","password":"{password}"}}"#);
        self.ask("POST", "/api/v1/session", &[("content-type", "application/json")], &body).await
    }
}

/// What is compressed is read as what it was (RFC 1952: the first two bytes).
fn text_of(bytes: &[u8]) -> String {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes.to_vec()).unwrap();
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    String::from_utf8_lossy(&plain).into_owned()
}

/// Every route of the API, with its parameters filled in.
fn routes() -> Vec<(String, String, Least)> {
    let filled = |path: &str| path.replace("{version}", "1").replace(['{', '}'], "");
    let operations = api::operations().into_iter();
    operations.map(|one| (one.method.to_string(), filled(one.path), one.least)).collect()
}

const PAGES: [(&str, &str); 121] = [
    ("GET", "/maintenance/factory-reset"),
    ("POST", "/maintenance/factory-reset"),
    ("GET", "/licences"),
    ("GET", "/licences/text"),
    ("GET", "/maintenance/backup"),
    ("POST", "/maintenance/backup/make"),
    ("POST", "/maintenance/backup/review"),
    ("POST", "/maintenance/backup/restore"),
    ("POST", "/maintenance/backup/kept"),
    ("GET", "/maintenance/tools"),
    ("POST", "/maintenance/tools"),
    ("GET", "/maintenance/update"),
    ("POST", "/maintenance/update/upload"),
    ("POST", "/maintenance/update/order"),
    ("GET", "/"),
    ("GET", "/lbadmin/"),
    ("GET", "/password"),
    ("POST", "/password"),
    ("POST", "/logout"),
    ("GET", "/configuration"),
    ("GET", "/configuration/version/1"),
    ("GET", "/configuration/download/1"),
    ("POST", "/configuration/back/1"),
    ("POST", "/password/sessions"),
    ("GET", "/password/users"),
    ("POST", "/password/users"),
    ("POST", "/password/users/viewer/role"),
    ("POST", "/password/users/viewer/password"),
    ("POST", "/password/users/viewer/remove"),
    ("GET", "/password/tokens"),
    ("POST", "/password/tokens"),
    ("POST", "/password/tokens/t/revoke"),
    ("GET", "/audit"),
    ("GET", "/logs"),
    ("GET", "/logs/live"),
    ("GET", "/logs/changes"),
    ("GET", "/local/webui"),
    ("GET", "/local/webui/certificate.pem"),
    ("POST", "/local/webui/certificate"),
    ("POST", "/local/webui/verdict"),
    ("POST", "/local/webui/listener"),
    ("GET", "/cluster/services/DATALINK_POOL1/persistence"),
    ("POST", "/cluster/services/DATALINK_POOL1/persistence"),
    ("GET", "/cluster/advanced/alerts/edit"),
    ("POST", "/cluster/advanced/alerts/edit"),
    ("GET", "/local/physical"),
    ("GET", "/local/physical/mail/edit"),
    ("POST", "/local/physical/mail/edit"),
    ("POST", "/local/physical/mail/password"),
    ("POST", "/local/physical/mail/order"),
    ("POST", "/local/physical/mail/drop"),
    ("GET", "/local/time"),
    ("GET", "/local/time/edit"),
    ("POST", "/local/time/edit"),
    ("POST", "/local/time/set"),
    ("POST", "/local/time/synchronise"),
    ("GET", "/local/snmp"),
    ("GET", "/local/snmp/edit"),
    ("POST", "/local/snmp/edit"),
    ("POST", "/local/snmp/community"),
    ("POST", "/local/snmp/passphrases"),
    ("POST", "/local/snmp/order"),
    ("GET", "/local/snmp/EVENKEEL-MIB.txt"),
    ("GET", "/local/snmp/user"),
    ("POST", "/local/snmp/user"),
    ("GET", "/local/snmp/user/edit"),
    ("POST", "/local/snmp/user/edit"),
    ("GET", "/local/snmp/user/remove"),
    ("POST", "/local/snmp/user/remove"),
    ("GET", "/reports"),
    ("GET", "/reports/graphs"),
    ("GET", "/reports/availability"),
    ("GET", "/local/graphing"),
    ("GET", "/local/snmp/traps/_new"),
    ("POST", "/local/snmp/traps/_new"),
    ("GET", "/local/snmp/traps/NMS/edit"),
    ("POST", "/local/snmp/traps/NMS/edit"),
    ("GET", "/local/snmp/traps/NMS/remove"),
    ("POST", "/local/snmp/traps/NMS/remove"),
    ("GET", "/local/hostname"),
    ("GET", "/local/interfaces"),
    ("GET", "/local/routing"),
    ("GET", "/local/hostname/edit"),
    ("POST", "/local/hostname/edit"),
    ("GET", "/local/routing/edit"),
    ("POST", "/local/routing/edit"),
    ("GET", "/local/interfaces/interface/_new"),
    ("POST", "/local/interfaces/interface/_new"),
    ("GET", "/local/interfaces/interface/eth0/edit"),
    ("POST", "/local/interfaces/interface/eth0/edit"),
    ("GET", "/local/interfaces/interface/eth0/remove"),
    ("POST", "/local/interfaces/interface/eth0/remove"),
    ("GET", "/local/interfaces/bond/_new"),
    ("POST", "/local/interfaces/bond/_new"),
    ("GET", "/local/interfaces/bond/bond0/edit"),
    ("POST", "/local/interfaces/bond/bond0/edit"),
    ("GET", "/local/interfaces/bond/bond0/remove"),
    ("POST", "/local/interfaces/bond/bond0/remove"),
    ("GET", "/local/interfaces/vlan/_new"),
    ("POST", "/local/interfaces/vlan/_new"),
    ("GET", "/local/interfaces/vlan/eth0.7/edit"),
    ("POST", "/local/interfaces/vlan/eth0.7/edit"),
    ("GET", "/local/interfaces/vlan/eth0.7/remove"),
    ("POST", "/local/interfaces/vlan/eth0.7/remove"),
    ("GET", "/local/routing/route/_new"),
    ("POST", "/local/routing/route/_new"),
    ("GET", "/local/routing/route/10.0.0.0_8/edit"),
    ("POST", "/local/routing/route/10.0.0.0_8/edit"),
    ("GET", "/local/routing/route/10.0.0.0_8/remove"),
    ("POST", "/local/routing/route/10.0.0.0_8/remove"),
    ("GET", "/local/security"),
    ("GET", "/local/security/edit"),
    ("POST", "/local/security/edit"),
    ("GET", "/local/sockets"),
    ("GET", "/local/sockets/edit"),
    ("POST", "/local/sockets/edit"),
    ("POST", "/local/sockets/restart"),
    ("GET", "/maintenance/lockdown"),
    ("GET", "/maintenance/lockdown/edit"),
    ("POST", "/maintenance/lockdown/edit"),
    ("GET", "/nowhere"),
];

/// By another address, or as the answer.
fn leads_to_log_in(answer: &Answer) -> bool {
    match answer.status {
        303 => answer.header("location").starts_with("/login"),
        status => status == 401 && answer.text.contains(r#"name="password""#),
    }
}

#[tokio::test]
async fn a_part_of_a_page_is_not_replaced_by_the_log_in() {
    let appliance = Appliance::new();
    let answer = appliance.ask("GET", "/overview/live", &[("hx-request", "true")], "").await;
    assert_eq!((answer.status, answer.header("hx-refresh")), (401, "true"));
    assert!(answer.text.is_empty(), "{}", answer.text);
}

#[tokio::test]
async fn every_route_refuses_who_has_no_wrong_or_expired_credentials() {
    let appliance = Appliance::new();
    let expired = appliance.token(Role::Administrator, Timestamp::now() - SignedDuration::from_hours(25));
    let revoked = appliance.token(Role::Administrator, Timestamp::now());
    let tokens = TokenFile::below(appliance.folder.path());
    let last = tokens.load().unwrap().iter().last().unwrap().name.clone();
    tokens.revoke(&last).unwrap();
    let wrong = [
        ("accept", "*/*"),
        ("authorization", "Bearer evk_wrong"),
        ("authorization", expired.as_str()),
        ("authorization", revoked.as_str()),
        ("authorization", "Basic bG9hZGJhbGFuY2VyOmNvcnJlY3QgaG9yc2U="),
        ("cookie", "__Host-evenkeel=wrong"),
        ("cookie", "__Host-evenkeel="),
    ];
    let ours = ("sec-fetch-site", "same-origin");
    for credentials in wrong {
        for (method, path, least) in routes() {
            let answer = appliance.ask(&method, &path, &[credentials, ours], "").await;
            match least {
                Least::Public => assert_ne!(answer.status, 403, "{method} {path}"),
                Least::Role(_) if path == "/api/" => assert_eq!(answer.status, 303),
                Least::Role(_) => {
                    assert_eq!(answer.status, 401, "{method} {path} with {credentials:?}: {}", answer.text);
                    assert!(answer.header("www-authenticate").starts_with("Bearer"));
                }
            }
        }
        for (method, path) in PAGES {
            let answer = appliance.ask(method, path, &[credentials, ours], "").await;
            assert!(leads_to_log_in(&answer), "{method} {path} with {credentials:?}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn every_route_refuses_who_may_too_little_and_no_other() {
    let appliance = Appliance::new();
    for role in ROLES {
        let token = appliance.token(role, Timestamp::now());
        let mut refused = 0;
        for (method, path, least) in routes() {
            let Least::Role(least) = least else { continue };
            let answer = appliance.ask(&method, &path, &[("authorization", &token)], "").await;
            let is_refused = answer.status == 403;
            assert_eq!(is_refused, role < least, "{method} {path} for {role}: {}", answer.text);
            assert_ne!(answer.status, 401, "{method} {path}");
            refused += usize::from(is_refused);
        }
        assert_eq!(refused == 0, role == Role::Administrator, "{refused} for {role}");
        let unknown =
            appliance.ask("POST", "/a/form/nobody/thought/of", &[("authorization", &token)], "").await;
        assert_eq!(
            unknown.status == 403,
            role != Role::Administrator,
            "unknown routes are for administrators"
        );
    }
}

#[tokio::test]
async fn pages_and_forms_refuse_who_may_too_little() {
    let appliance = Appliance::new();
    for role in ROLES {
        let token = appliance.token(role, Timestamp::now());
        // To who may read it, a stream has no end.
        let is_asked = |path: &&str| role != Role::Administrator || !path.ends_with("/changes");
        for path in pages::ADMINISTRATORS_PAGES.iter().copied().filter(is_asked) {
            let answer = appliance.ask("GET", path, &[("authorization", &token)], "").await;
            let expected = if role == Role::Administrator { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{path} for {role}");
            assert!(
                expected == 200 || answer.text.contains("this needs the role administrator"),
                "{}",
                answer.text
            );
        }
    }
    for (form, least) in [
        ("/password/users", Role::Administrator),
        ("/password/users/viewer/role", Role::Administrator),
        ("/password/users/viewer/password", Role::Administrator),
        ("/password/users/viewer/remove", Role::Administrator),
        ("/password/tokens", Role::Administrator),
        ("/password/tokens/t/revoke", Role::Administrator),
        ("/password/sessions", Role::Viewer),
        ("/local/webui/certificate", Role::Administrator),
        ("/local/webui/verdict", Role::Administrator),
        ("/local/webui/listener", Role::Administrator),
        ("/configuration/back/1", Role::Administrator),
        ("/order/trial", Role::Administrator),
        ("/order/server", Role::Operator),
        ("/local/time/set", Role::Administrator),
        ("/local/time/synchronise", Role::Operator),
        ("/local/sockets/restart", Role::Operator),
        ("/maintenance/tools", Role::Operator),
        ("/maintenance/factory-reset", Role::Administrator),
        ("/cluster/services/DATALINK_POOL1/persistence", Role::Operator),
        ("/password", Role::Viewer),
    ] {
        for role in ROLES {
            let token = appliance.token(role, Timestamp::now());
            let answer = appliance.ask("POST", form, &[("authorization", &token)], "").await;
            assert_eq!(answer.status == 403, role < least, "{form} for {role}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn what_was_typed_when_a_session_had_ended_is_shown_after_the_log_in_and_not_carried_out() {
    let appliance = Appliance::new();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let ours = ("sec-fetch-site", "same-origin");
    let typed = "label=%3Cscript%3E&ports=2001";
    let length = typed.len().to_string();
    let headers = [form, ours, ("content-length", length.as_str()), ("cookie", "__Host-evenkeel=ended")];
    let asked = appliance.ask("POST", "/cluster/services/_new", &headers, typed).await;
    assert_eq!(asked.status, 401);
    assert!(asked.text.contains(r#"name="typed.ports" value="2001""#), "{}", asked.text);
    assert!(!asked.text.contains("<script>"), "{}", asked.text);
    let again = "typed_for=%2Fcluster%2Fservices%2F_new&typed.label=%3Cscript%3E&typed.ports=2001";
    let wrong = format!("user={FIRST_USER}&password=wrong&{again}");
    let refused = appliance.ask("POST", "/login", &[form, ours], &wrong).await;
    assert!(refused.status == 401 && refused.text.contains("typed.ports"), "{}", refused.text);
    let right = format!("user={FIRST_USER}&password=correct+horse&{again}");
    let answer = appliance.ask("POST", "/login", &[form, ours], &right).await;
    assert!(answer.status == 200 && !answer.cookie().is_empty(), "{}", answer.text);
    assert!(answer.text.contains(r#"action="/cluster/services/_new""#), "{}", answer.text);
    assert!(answer.text.contains("nothing of it was done") && !answer.text.contains("<script>"));
    // A page from elsewhere puts nothing into it.
    let elsewhere = [form, ("sec-fetch-site", "cross-site"), ("content-length", length.as_str())];
    let lost = appliance.ask("POST", "/cluster/services/_new", &elsewhere, typed).await;
    assert!(lost.status == 401 && lost.text.contains("was not done") && !lost.text.contains("2001"));
}

/// Paths that the sources of the pages name: every route is among them, so that a new one cannot be forgotten.
fn named_paths() -> BTreeSet<String> {
    let web = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let mut folders = vec![web.join("pages")];
    let mut files = vec![web.join("login.rs"), web.join("change_password.rs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let is_path = |text: &&str| {
        text.starts_with('/') && text.bytes().all(|b| b.is_ascii_lowercase() || b"/_-.{}".contains(&b))
    };
    text.split('"').filter(is_path).map(|path| path.replace(['{', '}'], "")).collect()
}

#[tokio::test]
async fn every_path_is_closed_to_strangers_and_its_form_to_lesser_roles() {
    let appliance = Appliance::new();
    let lesser = [Role::Viewer, Role::Operator].map(|role| (role, appliance.token(role, Timestamp::now())));
    let filled = |path: &str| path.replace(['{', '}', '*'], "");
    let open_to = |role: Role, path: &str| {
        let operators = OPERATOR_FORMS.iter().filter(|_| role == Role::Operator);
        operators.chain(EVERYBODYS_FORMS).any(|open| filled(open) == path)
    };
    let routed = judged::routed(&appliance.router);
    assert!(routed.len() > 100, "{routed:?}");
    // Operations of the API are asked one by one elsewhere.
    let routed: BTreeSet<_> =
        routed.iter().filter(|path| !path.starts_with("/api/v")).map(|path| filled(path)).collect();
    // What pages name may lack a part, so that it is no operator's form only by its name.
    let counts = |role: Role, path: &str| role == Role::Viewer || routed.contains(path);
    let mut paths = named_paths();
    paths.extend(routed.iter().cloned());
    for known in menu_paths().chain(["/cluster/services/service/edit", "/password/users", "/order/server"]) {
        assert!(paths.contains(known), "{known} is not found");
    }
    for path in paths.iter().filter(|path| !path.starts_with("/assets/") && *path != "/login") {
        for method in ["GET", "POST"] {
            let answer = appliance.ask(method, path, &[("sec-fetch-site", "same-origin")], "").await;
            // Programs are told by the status, people are led to the log-in.
            let is_for_programs = path.starts_with("/api/v") || path == "/metrics";
            let is_closed = if is_for_programs { answer.status == 401 } else { leads_to_log_in(&answer) };
            assert!(is_closed, "{method} {path}: {}", answer.status);
        }
        for (role, token) in lesser.iter().filter(|_| !path.starts_with("/api/")) {
            if counts(*role, path) && !open_to(*role, path) {
                let answer = appliance.ask("POST", path, &[("authorization", token)], "").await;
                assert_eq!(answer.status, 403, "POST {path} as {role:?}");
            }
        }
    }
}

fn menu_paths() -> impl Iterator<Item = &'static str> {
    pages::menu::items().map(|item| item.path)
}

#[tokio::test]
async fn only_the_log_in_and_its_description_are_public() {
    let public = routes().into_iter().filter(|(.., least)| *least == Least::Public);
    let public: BTreeSet<_> = public.map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(Vec::from_iter(public), ["GET /api/v1/openapi.json", "POST /api/v1/session"]);
}

#[tokio::test]
async fn without_a_password_every_route_only_says_how_to_set_it() {
    let appliance = Appliance::without_password();
    for (method, path, least) in routes().into_iter().filter(|(.., least)| *least != Least::Public) {
        let answer = appliance.ask(&method, &path, &[], "").await;
        assert_eq!(answer.status, 503, "{method} {path} {least:?}");
        assert!(answer.text.contains("lbd set-password"));
    }
    assert_eq!(appliance.log_in(FIRST_USER, "").await.status, 503);
    assert_eq!(appliance.ask("GET", "/login", &[], "").await.status, 503);
}

#[tokio::test]
async fn a_session_is_new_at_each_log_in_and_ends_with_log_out_or_another_password() {
    let appliance = Appliance::new();
    let [first, second] =
        [appliance.log_in(FIRST_USER, PASSWORD).await, appliance.log_in(FIRST_USER, PASSWORD).await];
    assert_eq!((first.status, first.cookie() == second.cookie()), (200, false));
    let attributes: Vec<_> = first.header("set-cookie").split("; ").skip(1).collect();
    assert_eq!(attributes, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]);
    // A cookie that somebody else has planted never becomes a session.
    let planted = ("cookie", "__Host-evenkeel=planted");
    let body = format!(r#"{{"user":"{FIRST_USER}","password":"{PASSWORD}"}}"#);
    let json = ("content-type", "application/json");
    let answer = appliance.ask("POST", "/api/v1/session", &[planted, json], &body).await;
    assert!(answer.status == 200 && !answer.cookie().contains("planted"));
    assert_eq!(appliance.ask("GET", "/api/v1/status", &[planted], "").await.status, 401);

    let ours = ("sec-fetch-site", "same-origin");
    let cookie = first.cookie();
    assert_eq!(appliance.ask("GET", "/api/v1/session", &[("cookie", &cookie)], "").await.status, 200);
    let out = appliance.ask("DELETE", "/api/v1/session", &[("cookie", &cookie), ours], "").await;
    assert!(out.status == 204 && out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(appliance.ask("GET", "/api/v1/session", &[("cookie", &cookie)], "").await.status, 401);
    UserFile::below(appliance.folder.path()).set("another password").unwrap();
    let cookie = second.cookie();
    assert_eq!(appliance.ask("GET", "/api/v1/session", &[("cookie", &cookie)], "").await.status, 401);
}

#[tokio::test]
async fn a_page_from_elsewhere_cannot_use_a_session() {
    let appliance = Appliance::new();
    let cookie = appliance.log_in(FIRST_USER, PASSWORD).await.cookie();
    let cookie = ("cookie", cookie.as_str());
    for (method, path, _) in routes().into_iter().filter(|(method, ..)| method != "GET") {
        if path == "/api/v1/session" {
            continue;
        }
        let elsewhere: [&[(&str, &str)]; 7] = [
            &[],
            &[("origin", "https://evil.example")],
            &[("origin", "http://lb:9443")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://lb:9443")],
        ];
        for headers in elsewhere {
            let answer = appliance.ask(&method, &path, &[&[cookie], headers].concat(), "").await;
            assert_eq!(answer.status, 403, "{method} {path} with {headers:?}");
        }
        let ours = ("origin", "https://lb:9443");
        let answer = appliance.ask(&method, &path, &[cookie, ours], "").await;
        assert!(![401, 403].contains(&answer.status), "{method} {path}: {}", answer.text);
    }
    // Nor a form of the pages; what is no form is refused all the same.
    for path in named_paths().iter().filter(|path| !path.starts_with("/api/") && *path != "/login") {
        for site in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let answer = appliance.ask("POST", path, &[cookie, site], "").await;
            assert_eq!(answer.status, 403, "POST {path} with {site:?}");
        }
    }
    let form = format!("user={FIRST_USER}&password=correct+horse");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let planted = appliance.ask("POST", "/login", &[kind, ("sec-fetch-site", "cross-site")], &form).await;
    assert_eq!((planted.status, planted.cookie().as_str()), (403, ""), "nobody is logged in by another page");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_the_user_elsewhere_is_not() {
    let appliance = Appliance::new();
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(appliance.log_in(FIRST_USER, "wrong one").await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let locked = appliance.log_in(FIRST_USER, PASSWORD).await;
    assert!(locked.status == 429 && !locked.header("retry-after").is_empty());
    assert_eq!(appliance.log_in("operator", PASSWORD).await.status, 200, "others behind the same address");
    for unknown in ["nobody", "x y", "' OR 1=1 --"] {
        assert_eq!(appliance.log_in(unknown, PASSWORD).await.status, 401, "{unknown}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_browsers() {
    let appliance = Appliance::new();
    let cookie = appliance.log_in(FIRST_USER, PASSWORD).await.cookie();
    for (headers, path) in [
        (vec![("cookie", cookie.as_str())], "/"),
        (vec![], "/login"),
        (vec![], "/api/v1/status"),
        (vec![], "/nowhere"),
    ] {
        let answer = appliance.ask("GET", path, &headers, "").await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe-"), "{policy}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
        assert_eq!(
            (answer.header("x-content-type-options"), answer.header("cache-control")),
            ("nosniff", "no-store")
        );
        assert_eq!(
            (answer.header("x-frame-options"), answer.header("referrer-policy")),
            ("DENY", "same-origin")
        );
    }
}

#[tokio::test]
async fn a_path_leads_to_no_file_and_a_large_body_is_not_read() {
    let appliance = Appliance::new();
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let credentials = ("authorization", token.as_str());
    for path in [
        "/../secrets/users.json",
        "/assets/../../secrets/users.json",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/services/..%2f..%2fsecrets",
        "/api/v1/config/versions/..%2f00000001.toml",
        "/style.css/../secrets/users.json",
    ] {
        let answer = appliance.ask("GET", path, &[credentials], "").await;
        assert!([400, 404].contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains("argon2"), "{path}");
    }
    let large = "x".repeat(5 << 20);
    for (method, path) in [("PUT", "/api/v1/config"), ("POST", "/api/v1/services")] {
        let json = ("content-type", "application/json");
        assert_eq!(appliance.ask(method, path, &[credentials, json], &large).await.status, 413, "{path}");
        assert_eq!(appliance.ask(method, path, &[json], &large).await.status, 401, "{path}");
    }
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(appliance.ask("POST", "/login", &[form], &large).await.status, 422);
}

#[tokio::test]
async fn secrets_are_in_no_answer() {
    let appliance = Appliance::new();
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let text = token.strip_prefix("Bearer ").unwrap();
    for (method, path, _) in routes().into_iter().filter(|(method, ..)| method == "GET") {
        let answer = appliance.ask(&method, &path, &[("authorization", &token)], "").await;
        for secret in ["argon2", "password_hash", "digest", "PRIVATE KEY", PASSWORD, text] {
            // The description of the API speaks of passwords, not of theirs.
            assert!(!answer.text.contains(secret), "{path}: {secret}");
        }
    }
}

#[tokio::test]
async fn a_one_time_password_opens_nothing_but_the_form() {
    let appliance = Appliance::new();
    UserFile::below(appliance.folder.path()).set_one_time("only once").unwrap();
    let logged_in = appliance.log_in(FIRST_USER, "only once").await;
    assert!(logged_in.text.contains(r#""must_change_password":true"#), "{}", logged_in.text);
    let cookie = logged_in.cookie();
    let headers = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    for (method, path, least) in routes() {
        if least != Least::Public && path != "/api/v1/password" {
            assert_eq!(appliance.ask(&method, &path, &headers, "").await.status, 403, "{method} {path}");
        }
    }
    let page = appliance.ask("GET", "/", &headers, "").await;
    assert!(page.status == 403 && page.text.contains(r#"action="/password""#), "{}", page.text);
    let wrong = "current=only+once&new=short&again=short";
    let answer = appliance.ask("POST", "/password", &headers, wrong).await;
    assert!(answer.status == 422 && answer.text.contains("8 to 256"), "{}", answer.text);
    let form = "current=only+once&new=for+good+%26+ever&again=for+good+%26+ever";
    assert_eq!(appliance.ask("POST", "/password", &headers, form).await.status, 200);
    assert_eq!(appliance.ask("GET", "/api/v1/status", &headers, "").await.status, 401, "log in anew");
    assert_eq!(appliance.log_in(FIRST_USER, "only once").await.status, 401);
    let cookie = appliance.log_in(FIRST_USER, "for good & ever").await.cookie();
    assert_eq!(appliance.ask("GET", "/api/v1/status", &[("cookie", &cookie)], "").await.status, 200);
}

#[tokio::test]
async fn programs_change_their_users_password_too_and_log_in_anew() {
    let appliance = Appliance::new();
    UserFile::below(appliance.folder.path()).set_one_time("only once").unwrap();
    let [here, elsewhere] = [
        appliance.log_in(FIRST_USER, "only once").await.cookie(),
        appliance.log_in(FIRST_USER, "only once").await.cookie(),
    ];
    let change = async |credentials: (&str, &str), body: &str| {
        let ours = ("sec-fetch-site", "same-origin");
        let headers = [credentials, ours, ("content-type", "application/json")];
        appliance.ask("PUT", "/api/v1/password", &headers, body).await
    };
    for (body, field) in [
        (r#"{"current":"only once","new":"short"}"#, "new"),
        (r#"{"current":"only once","new":"only once"}"#, "new"),
        (r#"{"current":"wrong one","new":"for good & ever"}"#, "current"),
    ] {
        let answer = change(("cookie", &here), body).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains(&format!(r#""field":"{field}""#)), "{}", answer.text);
    }
    let right = r#"{"current":"only once","new":"for good & ever"}"#;
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let by_token = change(("authorization", &token), right).await;
    assert!(by_token.status == 403 && by_token.text.contains("Only users"), "{}", by_token.text);
    let changed = change(("cookie", &here), right).await;
    assert!(changed.status == 204 && changed.header("set-cookie").contains("Max-Age=0"), "{}", changed.text);
    for cookie in [&here, &elsewhere] {
        assert_eq!(appliance.ask("GET", "/api/v1/session", &[("cookie", cookie)], "").await.status, 401);
    }
    let cookie = appliance.log_in(FIRST_USER, "for good & ever").await.cookie();
    // Guessing is as slow as at the log-in.
    let mut last = 422;
    for _ in 0..20 {
        last = change(("cookie", &cookie), r#"{"current":"a guess","new":"for good & all"}"#).await.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
    // A thread of its own writes the log.
    let told = async {
        while !appliance
            .ask("GET", "/api/v1/audit", &[("authorization", &token)], "")
            .await
            .text
            .contains("change of the own password refused")
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("guesses are in the audit log");
}

#[tokio::test]
async fn mistakes_in_the_password_form_stand_beside_their_fields_and_change_nothing() {
    let appliance = Appliance::new();
    let users = UserFile::below(appliance.folder.path());
    let cookie = appliance.log_in("viewer", PASSWORD).await.cookie();
    let headers = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let before = users.load().unwrap();
    let large = "current=x".repeat(2000);
    for (form, place, text) in [
        ("current=correct+horse&new=short&again=short", "new-error", "8 to 256"),
        ("current=correct+horse&new=long+enough&again=long+enouhg", "again-error", "not the same"),
        ("current=correct+horse&new=correct+horse&again=correct+horse", "new-error", "present password"),
        ("current=wrong+one&new=long+enough&again=long+enough", "current-error", "not the present"),
        ("new=long+enough&again=long+enough", "current-error", "logged in"),
        ("current=correct+horse&new=long%0Aenough&again=long%0Aenough", "new-error", "line breaks"),
        ("current=a&current=b", "alert", "could not be read"),
        (large.as_str(), "alert", "too large"),
    ] {
        let answer = appliance.ask("POST", "/password", &headers, form).await;
        assert_eq!(answer.status, 422, "{form:.80}");
        assert!(answer.text.contains(place) && answer.text.contains(text), "{form:.80}: {}", answer.text);
        assert!(
            !answer.text.contains("long enough") && !answer.text.contains("correct horse"),
            "repeats a password"
        );
    }
    assert_eq!(users.load().unwrap(), before);
    let form = "current=correct+horse&new=long+enough&again=long+enough";
    assert_eq!(appliance.ask("POST", "/password", &headers, form).await.status, 200);
    assert_eq!(appliance.log_in("viewer", "long enough").await.status, 200);
    assert_eq!(appliance.log_in("operator", PASSWORD).await.status, 200, "nobody else's has changed");
}

#[tokio::test]
async fn an_added_user_logs_in_with_the_password_that_is_shown_once_and_must_replace_it() {
    let appliance = Appliance::new();
    let cookie = appliance.log_in(FIRST_USER, PASSWORD).await.cookie();
    let headers = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let wrong = appliance.ask("POST", "/password/users", &headers, "name=Ann+B&role=operator").await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"name-error\""), "{}", wrong.text);
    let taken = appliance.ask("POST", "/password/users", &headers, "name=viewer&role=operator").await;
    assert!(taken.status == 422 && taken.text.contains("There is a user viewer already"), "{}", taken.text);
    let added = appliance.ask("POST", "/password/users", &headers, "name=ann&role=operator").await;
    assert_eq!(added.status, 200);
    let (_, rest) = added.text.split_once("<code>").unwrap();
    let password = rest.split_once("</code>").unwrap().0;
    let logged_in = appliance.log_in("ann", password).await;
    assert!(logged_in.text.contains(r#""must_change_password":true"#), "{}", logged_in.text);
    let list = appliance.ask("GET", "/password/users", &headers, "").await;
    assert!(list.text.contains("ann") && !list.text.contains(password));
    assert_eq!(appliance.ask("POST", "/password/users/ann/remove", &headers, "").await.status, 303);
    assert_eq!(appliance.log_in("ann", password).await.status, 401);
    let first = appliance.ask("POST", "/password/users/loadbalancer/remove", &headers, "").await;
    assert!(first.status == 422 && first.text.contains("cannot be removed"), "{}", first.text);
    let viewer = "/password/users/loadbalancer/role";
    let first = appliance.ask("POST", viewer, &headers, "role=viewer").await;
    assert!(first.status == 422 && first.text.contains("stays administrator"), "{}", first.text);
}

#[tokio::test]
async fn a_token_made_in_the_page_opens_until_it_is_revoked_there() {
    let appliance = Appliance::new();
    let cookie = appliance.log_in(FIRST_USER, PASSWORD).await.cookie();
    let headers = [
        ("cookie", cookie.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    for (form, place) in [
        ("name=backup&role=viewer&days=many", "days-error"),
        ("name=backup&role=viewer&days=0", "days-error"),
        ("name=BACKUP&role=viewer&days=1", "name-error"),
    ] {
        let answer = appliance.ask("POST", "/password/tokens", &headers, form).await;
        assert!(answer.status == 422 && answer.text.contains(place), "{form}: {}", answer.text);
    }
    let made = appliance.ask("POST", "/password/tokens", &headers, "name=backup&role=viewer&days=1").await;
    let (_, rest) = made.text.split_once("<code>").unwrap();
    let bearer = format!("Bearer {}", rest.split_once("</code>").unwrap().0);
    let status =
        async || appliance.ask("GET", "/api/v1/status", &[("authorization", &bearer)], "").await.status;
    assert_eq!(status().await, 200);
    assert_eq!(appliance.ask("POST", "/password/tokens/backup/revoke", &headers, "").await.status, 303);
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn who_logs_out_elsewhere_stays_logged_in_here() {
    let appliance = Appliance::new();
    let [here, elsewhere] = [
        appliance.log_in("viewer", PASSWORD).await.cookie(),
        appliance.log_in("viewer", PASSWORD).await.cookie(),
    ];
    let status =
        async |cookie: &str| appliance.ask("GET", "/api/v1/session", &[("cookie", cookie)], "").await.status;
    let listed = appliance.ask("GET", "/api/v1/sessions", &[("cookie", &here)], "").await;
    assert_eq!(listed.text.matches("is_this").count(), 2, "{}", listed.text);
    assert_eq!(listed.text.matches(r#""is_this":true"#).count(), 1);
    let ours = ("sec-fetch-site", "same-origin");
    let ended = appliance.ask("POST", "/password/sessions", &[("cookie", &here), ours], "").await;
    assert_eq!((ended.status, status(&here).await, status(&elsewhere).await), (303, 200, 401));
}

#[tokio::test]
async fn operators_test_checks_and_only_administrators_are_offered_to_change_them() {
    let appliance = Appliance::new();
    let check = "/cluster/checks/DICOM-C_Echo-Check-VIP1";
    let test = format!("{check}/test");
    let form = "template=template%3DALWAYS-ON&target=DATALINK_POOL1%2FDATALINK_POOL1_NODE1&test=1";
    for role in ROLES {
        let token = appliance.token(role, Timestamp::now());
        let headers =
            [("authorization", token.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        let changes = role == Role::Administrator;
        for path in ["/cluster/services", "/cluster/services/DATALINK_POOL1", "/cluster/servers", check] {
            let page = appliance.ask("GET", path, &headers, "").await;
            assert_eq!(page.status, 200, "{path} for {role}");
            let offers =
                page.text.contains("/edit\"") || page.text.contains(r#"class="primary" type="submit""#);
            assert_eq!(offers, changes, "{path} for {role}");
        }
        let edit = appliance.ask("GET", "/cluster/services/DATALINK_POOL1/edit", &headers, "").await;
        assert_eq!(edit.status == 200, changes, "{role}");
        for path in [check, "/cluster/services/_new", "/cluster/guide/create", "/cluster/guide"] {
            let answer = appliance.ask("POST", path, &headers, form).await;
            assert_eq!(answer.status != 403, changes, "{path} for {role}: {}", answer.status);
        }
        for path in [test.as_str(), "/cluster/checks/_new/test"] {
            let answer = appliance.ask("POST", path, &headers, form).await;
            let expected = if role == Role::Viewer { 403 } else { 200 };
            assert_eq!(answer.status, expected, "{path} for {role}");
            assert_eq!(answer.text.contains("state up\">passed"), role != Role::Viewer, "{role}");
        }
    }
}

#[tokio::test]
async fn a_form_that_is_sent_broken_is_refused_and_what_was_typed_is_shown_as_text() {
    let appliance = Appliance::new();
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let headers = [("authorization", token.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let typed = "label=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&ports=x";
    for path in ["/cluster/services/_new", "/cluster/services/DATALINK_POOL1/edit", "/cluster/guide"] {
        let form = format!("{typed}&pool1.address=%3Cscript%3E");
        let answer = appliance.ask("POST", path, &headers, &form).await;
        assert!(!answer.text.contains("<script>"), "{path}: {}", answer.text);
        // There is no engine that would judge what only breaks rules.
        assert!([422, 503].contains(&answer.status), "{path}: {}", answer.status);
    }
    let large = format!("label={}", "x".repeat(300 * 1024));
    let answer = appliance.ask("POST", "/cluster/services/_new", &headers, &large).await;
    assert!([413, 422].contains(&answer.status), "{}", answer.status);
    let unknown = appliance.ask("GET", "/cluster/services/%3Cscript%3E", &headers, "").await;
    assert!(unknown.status == 404 && !unknown.text.contains("<script>"));
}

/// What a body of so many pieces of a thousand bytes is answered, and how many of them were read.
async fn answered(appliance: &Appliance, pieces: usize) -> (u16, usize) {
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let read = Arc::new(AtomicUsize::new(0));
    let counter = read.clone();
    let chunks = futures_util::stream::iter(0..pieces).map(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1000]))
    });
    let request = Request::builder().method("POST").uri("/api/v1/health-checks").header("host", "lb:9443");
    let request = request.header("authorization", &token).header("content-type", "text/plain");
    let request = request.header("content-length", pieces * 1000);
    let mut request = request.body(Body::from_stream(chunks)).unwrap();
    request.extensions_mut().insert(Peer::Network(IpAddr::from([192, 0, 2, 1])));
    let answer = TowerToHyperService::new(appliance.router.clone()).call(request).await.unwrap();
    (answer.status().as_u16(), read.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_body_that_nobody_needs_is_read_all_the_same() {
    let appliance = Appliance::new();
    assert_eq!(answered(&appliance, 10).await, (415, 10));
    assert_eq!(answered(&appliance, 5_000).await, (413, 5_000), "too large, but the answer must arrive");
    let (status, read) = answered(&appliance, 50_000).await;
    assert!(status == 415 && read == 0, "{status}: nobody reads for ever: {read}");
}
