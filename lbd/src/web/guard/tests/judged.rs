//! Every page is judged in a browser: of one that axe-core never saw nobody knows whether everybody can read it.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// Pages that stories come by, and the name under which they judge them there.
const ON_THE_WAY: [(&str, &str); 28] = [
    ("/", "overview"),
    ("/lbadmin/", "overview"),
    ("/login", "log-in"),
    ("/api/", "api"),
    ("/licences", "licences"),
    ("/licences/text?file=SOURCES.txt", "licence-text"),
    ("/password/users", "users"),
    ("/password/tokens", "tokens"),
    ("/maintenance/update/settings", "update-settings"),
    ("/configuration/version/1", "configuration-version"),
    ("/configuration/back/1", "configuration-back"),
    ("/cluster/services/_new", "cluster-service-new"),
    ("/cluster/services/POOL", "cluster-service"),
    ("/cluster/services/POOL/edit", "cluster-service-edit"),
    ("/cluster/services/POOL/remove", "cluster-service-remove"),
    ("/cluster/services/POOL/persistence", "cluster-persistence"),
    ("/cluster/servers/POOL/NODE1/edit", "cluster-server-edit"),
    ("/cluster/advanced/alerts/edit", "alerts-edit"),
    ("/logs/servers/_new", "syslog-new"),
    ("/local/time/edit", "time-edit"),
    ("/local/snmp/edit", "snmp-edit"),
    ("/local/snmp/user", "snmp-user-new"),
    ("/local/snmp/traps/_new", "snmp-trap-new"),
    ("/local/interfaces/interface/eth0/edit", "interface-edit"),
    ("/local/interfaces/bond/_new", "bond-new"),
    ("/local/security/edit", "security-edit"),
    ("/local/sockets/edit", "sockets-edit"),
    ("/maintenance/lockdown/edit", "lockdown-edit"),
];

/// Files: only where they are missing, as here, is there a page instead.
const FILES: [&str; 1] = ["/configuration/download/1"];

/// The sources of the stories in the browser, by the names of their files.
fn stories() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tests/browser");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
    };
    files.map(read).collect()
}

/// Every path of the router, parameters in braces, as only its description for developers tells it.
pub(super) fn routed(router: &Router) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let path = |part: &str| Some(part.split_once("): \"")?.1.split_once('"')?.0.to_owned());
    let of_path = |part: &&str| part.split_once(')').is_some_and(|(_, rest)| rest.starts_with(": \"/"));
    shown.split("RouteId(").filter(of_path).filter_map(path).collect()
}

/// The paths of the router at which there is a page to look at: no form alone, no part of a page, no file.
async fn pages_of(appliance: &Appliance) -> BTreeSet<String> {
    let token = appliance.token(Role::Administrator, Timestamp::now());
    let mut pages = BTreeSet::new();
    for path in routed(&appliance.router) {
        if path.starts_with("/api/v1/") || path.starts_with("/assets/") || path.contains('*') {
            continue;
        }
        let filled = path.replace("{version}", "1").replace(['{', '}'], "");
        let answer = appliance.ask("GET", &filled, &[("authorization", &token)], "").await;
        if answer.status != 405 && answer.text.starts_with("<!DOCTYPE html>") {
            pages.insert(path);
        }
    }
    pages
}

/// The page that a path leads to.
fn page_at<'a>(pages: &'a BTreeSet<String>, path: &str) -> Option<&'a String> {
    let steps = |path: &str| path.split('?').next().unwrap_or_default().split('/').count();
    let leads_there = |page: &&String| {
        let mut both = page.split('/').zip(path.split('?').next().unwrap_or_default().split('/'));
        steps(page) == steps(path) && both.all(|(wanted, step)| wanted.starts_with('{') || wanted == step)
    };
    pages.iter().filter(leads_there).min_by_key(|page| page.matches('{').count())
}

#[tokio::test]
async fn every_page_is_judged_in_a_browser() {
    let pages = pages_of(&Appliance::new()).await;
    let stories = stories();
    for (path, name) in ON_THE_WAY {
        let judged = format!("browser.judge(\"{name}\")");
        assert!(stories.values().any(|story| story.contains(&judged)), "no story says {judged} for {path}");
    }
    assert!(stories["overview.rs"].contains("querySelectorAll('nav a')"), "a story walks through the menu");
    let tabled = stories["rest.rs"].lines().filter_map(|line| line.trim().strip_prefix("(\"/"));
    let tabled = tabled.map(|line| format!("/{}", line.split('"').next().unwrap_or_default()));
    let on_the_way = ON_THE_WAY.into_iter().map(|(path, _)| path);
    // The walk leaves the overview out: it changes by itself.
    let opened = on_the_way.chain(menu_paths().filter(|path| *path != "/")).map(str::to_owned).chain(tabled);
    let mut forgotten = pages.clone();
    for path in opened.chain(FILES.map(str::to_owned)) {
        let page = page_at(&pages, &path).unwrap_or_else(|| panic!("there is no page at {path}: {pages:?}"));
        forgotten.remove(page);
    }
    assert!(forgotten.is_empty(), "judged by no story, to be added to tests/browser/rest.rs: {forgotten:?}");
}
