//! Rules of `[update]`.

use std::time::Duration;

use url::{Host, Url};

use super::Collector;
use crate::config::check_kind::Verify;
use crate::config::document::OnlineUpdateDocument;
use crate::config::online::{HttpProxy, OnlineUpdates};
use crate::config::values::{Fault, HostName, quoted};
use crate::config::{Alerting, NetworkSettings};

/// Once a day is soon enough for anybody.
const USUAL_HOURS: i64 = 24;
const LONGEST_HOURS: i64 = 7 * 24;
/// Longer ones are no use to any server.
const LONGEST_URL: usize = 2_048;

/// Where newer versions are looked for; `None` inside: nowhere. `None` outside where something is wrong.
pub(super) fn updates(
    check: &mut Collector,
    document: &OnlineUpdateDocument,
    network: Option<&NetworkSettings>,
    alerting: Option<&Alerting>,
) -> Option<Option<OnlineUpdates>> {
    let url = given(check, "update.url", document.url.as_deref(), index);
    let proxy = given(check, "update.proxy", document.proxy.as_deref(), proxy);
    let authority = document.certificate_authority.as_deref();
    let verify = given(check, "update.certificate_authority", authority, authorities);
    let field = "update.interval_hours".to_owned();
    let hours = check.number(field, document.interval_hours, USUAL_HOURS, 1..=LONGEST_HOURS)?;
    let (url, proxy, verify) = (url?, proxy?, verify?.unwrap_or(Verify::System));
    Some(url.map(|url| OnlineUpdates {
        url,
        proxy,
        verify,
        interval: Duration::from_secs(hours.unsigned_abs() * 3600),
        search_domain: network.and_then(|network| network.search_domain.clone()),
        dns_servers: alerting.map(|alerting| alerting.dns_servers.clone()).unwrap_or_default(),
    }))
}

/// `None` inside where nothing is given, outside where it is wrong.
fn given<T>(
    check: &mut Collector,
    field: &str,
    text: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, Fault>,
) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => check.take(field, read(text)).map(Some),
    }
}

/// The URL of an index.
fn index(text: &str) -> Result<Url, Fault> {
    const REMEDY: &str = "give the URL of the index, for example https://updates.example/evenkeel.index.json";
    let fault = |problem: &str| Fault::new(format!("{} {problem}", quoted(text)), REMEDY);
    if text.len() > LONGEST_URL {
        return Err(fault("is too long"));
    }
    let url = Url::parse(text).map_err(|_| fault("is not a URL"))?;
    if url.scheme() != "https" {
        return Err(fault("is not of https, by which the server proves who it is"));
    }
    if has_credentials(&url) {
        // What is told of a URL is told without what nobody should read.
        let problem = "user and password stand in the URL, where everybody reads them";
        return Err(Fault::new(problem, "remove them: what is offered there must be for everybody"));
    }
    if url.fragment().is_some() {
        return Err(fault("has a part behind #, which no server gets"));
    }
    if url.path().ends_with('/') {
        return Err(fault("names no file"));
    }
    Ok(url)
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// A proxy as browsers write it.
fn proxy(text: &str) -> Result<HttpProxy, Fault> {
    const REMEDY: &str = "give name or IPv4 address and port, for example http://proxy.hospital.example:3128";
    let fault = |problem: &str| Fault::new(format!("{} {problem}", quoted(text)), REMEDY);
    let url = Url::parse(text).map_err(|_| fault("is not the URL of a proxy"))?;
    if has_credentials(&url) {
        let problem = "user and password stand in the URL of the proxy, where everybody reads them";
        return Err(Fault::new(problem, "remove them, and let the proxy take the appliance by its address"));
    }
    let is_plain = url.scheme() == "http" && url.path() == "/" && url.query().is_none();
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        _ => return Err(fault("is not the URL of a proxy")),
    };
    let port = url.port_or_known_default().filter(|port| *port != 0);
    match port {
        Some(port) if is_plain && url.fragment().is_none() => {
            Ok(HttpProxy { host: HostName::try_from(host.as_str())?, port })
        }
        _ => Err(fault("is not the URL of a proxy")),
    }
}

/// Certificates only: without any proof there is no HTTPS.
fn authorities(text: &str) -> Result<Verify, Fault> {
    if text.contains("-----BEGIN") {
        return Verify::try_from(text);
    }
    let remedy = "give certificates in PEM (-----BEGIN CERTIFICATE-----), or nothing: the usual authorities count then";
    Err(Fault::new(format!("{} is not a certificate", quoted(text)), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &OnlineUpdateDocument) -> (Option<Option<OnlineUpdates>>, Vec<String>) {
        let mut check = Collector::default();
        let updates = updates(&mut check, document, None, None);
        let problems = check.problems.into_iter().map(|problem| problem.to_string());
        (updates, problems.collect())
    }

    fn at(url: &str) -> OnlineUpdateDocument {
        OnlineUpdateDocument { url: Some(url.into()), ..OnlineUpdateDocument::default() }
    }

    const URL: &str = "https://updates.example/evenkeel.index.json";

    #[test]
    fn without_a_url_nothing_is_looked_for() {
        assert_eq!(told(&OnlineUpdateDocument::default()), (Some(None), vec![]));
        let proxy = OnlineUpdateDocument { proxy: Some("http://p:3128".into()), ..Default::default() };
        assert_eq!(told(&proxy), (Some(None), vec![]));
    }

    #[test]
    fn what_is_given_counts_and_the_rest_is_usual() {
        let usual = told(&at(URL)).0.unwrap().unwrap();
        assert_eq!((usual.url.as_str(), usual.proxy, usual.verify), (URL, None, Verify::System));
        assert_eq!(usual.interval, Duration::from_secs(24 * 3600));
        for (proxy, shown) in [
            ("http://proxy:3128", "proxy:3128"),
            ("http://10.1.2.3:8080/", "10.1.2.3:8080"),
            ("http://proxy.example", "proxy.example:80"),
        ] {
            let document =
                OnlineUpdateDocument { proxy: Some(proxy.into()), interval_hours: Some(1), ..at(URL) };
            let chosen = told(&document).0.unwrap().unwrap();
            assert_eq!(chosen.proxy.unwrap().to_string(), shown);
            assert_eq!(chosen.interval, Duration::from_secs(3600));
        }
    }

    #[test]
    fn each_mistake_is_named_with_its_remedy() {
        let proxy = |text: &str| OnlineUpdateDocument { proxy: Some(text.into()), ..at(URL) };
        let authority =
            |text: &str| OnlineUpdateDocument { certificate_authority: Some(text.into()), ..at(URL) };
        for (wrong, words) in [
            (at("updates"), "update.url: \"updates\" is not a URL; give the URL"),
            (at("http://updates.example/i.json"), "is not of https"),
            (at("https://a:b@updates.example/i.json"), "update.url: user and password stand in the URL"),
            (at("https://updates.example/i.json#x"), "behind #"),
            (at("https://updates.example/"), "names no file"),
            (at(&format!("https://updates.example/{}", "x".repeat(LONGEST_URL))), "is too long"),
            (proxy("proxy:3128"), "update.proxy: \"proxy:3128\" is not the URL of a proxy; give name"),
            (proxy("https://proxy:3128"), "is not the URL of a proxy"),
            (proxy("http://proxy:3128/x"), "is not the URL of a proxy"),
            (proxy("http://[fd00::1]:3128"), "is not the URL of a proxy"),
            (proxy("http://u:p@proxy:3128"), "update.proxy: user and password"),
            (authority("none"), "update.certificate_authority: \"none\" is not a certificate; give"),
            (authority("-----BEGIN CERTIFICATE-----\nx"), "no readable certificate"),
            (OnlineUpdateDocument { interval_hours: Some(0), ..at(URL) }, "update.interval_hours: 0 is out"),
            (OnlineUpdateDocument { interval_hours: Some(169), ..at(URL) }, "give 1 to 168"),
        ] {
            let (updates, problems) = told(&wrong);
            assert!(updates.is_none() && problems.len() == 1, "{wrong:?}: {problems:?}");
            assert!(problems[0].contains(words), "{}", problems[0]);
            assert!(!problems[0].contains("a:b@") && !problems[0].contains("u:p@"), "{}", problems[0]);
        }
    }
}
