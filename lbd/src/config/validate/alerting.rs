//! Rules of alerts and mail.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Collector, port};
use crate::config::alerting::{
    Alerting, Alerts, Encryption, MailAddress, MailSettings, ServiceAlerts, Subjects,
};
use crate::config::check_kind::Verify;
use crate::config::document::{AlertsDocument, Document, MailDocument, ServiceAlertsDocument};
use crate::config::values::{Fault, HostName, quoted};

/// A list for a department; more people share a mailing list.
const MOST_DESTINATIONS: usize = 16;
/// RFC 4954 knows no limit; no account has a longer name.
const LONGEST_USER: usize = 255;
/// Shorter ones would tell of every hiccup, longer ones nothing in time.
const HOLD_DOWN_SECONDS: std::ops::RangeInclusive<i64> = 5..=3600;
const USUAL_HOLD_DOWN_SECONDS: i64 = 15;
/// A rack that dies is found within the interval of the checks and their time-out.
const USUAL_GATHERING_SECONDS: i64 = 10;
const LONGEST_GATHERING_SECONDS: i64 = 300;
const USUAL_REMINDER_HOURS: i64 = 24;
const LONGEST_REMINDER_HOURS: i64 = 30 * 24;

/// All of it, or nothing where something is wrong.
pub(super) fn alerting(check: &mut Collector, document: &Document, zone: TimeZone) -> Option<Alerting> {
    let alerts = alerts(check, &document.alerts.clone().unwrap_or_default());
    let mail = mail(check, &document.mail.clone().unwrap_or_default());
    let mut services = BTreeMap::new();
    for (index, service) in document.virtual_service.iter().enumerate() {
        let Some(own) = &service.alerts else { continue };
        let field = format!("virtual_service[{index}].alerts");
        let own = service_alerts(check, &field, own);
        if let Some(alerts) = alerts.as_ref()
            && alerts.source.is_none()
            && own.source.is_none()
            && !own.destinations.is_empty()
        {
            check.report(format!("{field}.source"), no_source());
        }
        if own != ServiceAlerts::default() {
            services.insert(service.label.clone(), own);
        }
    }
    let dns_servers = document.network.iter().flat_map(|network| &network.dns_servers);
    let dns_servers = dns_servers.filter_map(|text| text.parse().ok()).collect();
    Some(Alerting { alerts: alerts?, services, mail: mail?, dns_servers, zone })
}

fn no_source() -> Fault {
    Fault::new("mails need somebody from whom they come", "give a source, for example lb@hospital.example")
}

fn alerts(check: &mut Collector, document: &AlertsDocument) -> Option<Alerts> {
    let source = address(check, "alerts.source", document.source.as_deref());
    let destinations = addresses(check, "alerts.destinations", &document.destinations);
    if source == Some(None) && !document.destinations.is_empty() {
        check.report("alerts.source", no_source());
    }
    let hold_down = check.number(
        "alerts.hold_down_seconds".into(),
        document.hold_down_seconds,
        USUAL_HOLD_DOWN_SECONDS,
        HOLD_DOWN_SECONDS,
    );
    let gathering = check.number(
        "alerts.gathering_seconds".into(),
        document.gathering_seconds,
        USUAL_GATHERING_SECONDS,
        0..=LONGEST_GATHERING_SECONDS,
    );
    let reminder = check.number(
        "alerts.reminder_hours".into(),
        document.reminder_hours,
        USUAL_REMINDER_HOURS,
        0..=LONGEST_REMINDER_HOURS,
    );
    let subjects = check.take("alerts.subjects", subjects(document.subjects.as_deref()));
    let seconds = |seconds: i64| Duration::from_secs(seconds.unsigned_abs());
    Some(Alerts {
        source: source?,
        destinations,
        hold_down: seconds(hold_down?),
        gathering: seconds(gathering?),
        reminder: Some(reminder?).filter(|hours| *hours > 0).map(|hours| seconds(hours * 3600)),
        subjects: subjects?,
    })
}

fn subjects(text: Option<&str>) -> Result<Subjects, Fault> {
    match text {
        None | Some("plain") => Ok(Subjects::Plain),
        Some("ldirectord") => Ok(Subjects::Ldirectord),
        Some(other) => Err(Fault::new(
            format!("the wording {} is not known", quoted(other)),
            "use \"plain\" or \"ldirectord\" (\"Deleted real server: ...\")",
        )),
    }
}

fn service_alerts(check: &mut Collector, field: &str, document: &ServiceAlertsDocument) -> ServiceAlerts {
    ServiceAlerts {
        enabled: document.enabled.unwrap_or(true),
        source: address(check, &format!("{field}.source"), document.source.as_deref()).flatten(),
        destinations: addresses(check, &format!("{field}.destinations"), &document.destinations),
    }
}

/// `None` where there is one that is wrong.
fn address(check: &mut Collector, field: &str, text: Option<&str>) -> Option<Option<MailAddress>> {
    match text {
        None => Some(None),
        Some(text) => check.take(field, MailAddress::try_from(text)).map(Some),
    }
}

fn addresses(check: &mut Collector, field: &str, texts: &[String]) -> Vec<MailAddress> {
    if texts.len() > MOST_DESTINATIONS {
        let remedy = format!("give at most {MOST_DESTINATIONS}, or a mailing list");
        check.report(field, Fault::new(format!("{} destinations are too many", texts.len()), remedy));
        return Vec::new();
    }
    let mut known: Vec<MailAddress> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let Some(address) = check.take(&field, MailAddress::try_from(text.as_str())) else { continue };
        if known.contains(&address) {
            check.report(field, Fault::new(format!("{address} is named twice"), "name each address once"));
        }
        known.push(address);
    }
    known
}

fn mail(check: &mut Collector, document: &MailDocument) -> Option<MailSettings> {
    let host = |check: &mut Collector, field: &str, text: Option<&str>| match text {
        None => Some(None),
        Some(text) => check.take(field, HostName::try_from(text)).map(Some),
    };
    let smart_host = host(check, "mail.smart_host", document.smart_host.as_deref());
    let hello_name = host(check, "mail.hello_name", document.hello_name.as_deref());
    let server_name = host(check, "mail.tls_server_name", document.tls_server_name.as_deref());
    let encryption = check.take("mail.encryption", encryption(document.encryption.as_deref()));
    let verify = match document.tls_verify.as_deref() {
        None => Some(Verify::System),
        Some(text) => check.take("mail.tls_verify", Verify::try_from(text)),
    };
    let usual = if encryption == Some(Encryption::Tls) { 465 } else { 25 };
    let port = check.take("mail.port", port(document.port.unwrap_or(usual)));
    let user = check.take("mail.user", user(document.user.as_deref()));
    if document.smart_host.is_none() {
        for (field, is_set) in [
            ("mail.user", document.user.is_some()),
            ("mail.port", document.port.is_some()),
            ("mail.tls_server_name", document.tls_server_name.is_some()),
            ("mail.encryption", encryption == Some(Encryption::Tls)),
        ] {
            if is_set {
                let problem = "this is for a smart host, and there is none";
                check.report(field, Fault::new(problem, "give mail.smart_host, or remove this"));
            }
        }
    }
    Some(MailSettings {
        smart_host: smart_host?,
        port: port?,
        encryption: encryption?,
        verify: verify?,
        server_name: server_name?,
        user: user?,
        hello_name: hello_name?,
    })
}

fn encryption(text: Option<&str>) -> Result<Encryption, Fault> {
    match text {
        None | Some("opportunistic") => Ok(Encryption::Opportunistic),
        Some("starttls") => Ok(Encryption::StartTls),
        Some("tls") => Ok(Encryption::Tls),
        Some("none") => Ok(Encryption::None),
        Some(other) => Err(Fault::new(
            format!("the encryption {} is not known", quoted(other)),
            "use \"opportunistic\", \"starttls\", \"tls\" or \"none\"",
        )),
    }
}

fn user(text: Option<&str>) -> Result<Option<String>, Fault> {
    match text {
        None => Ok(None),
        Some(text)
            if !text.is_empty() && text.len() <= LONGEST_USER && !text.chars().any(char::is_control) =>
        {
            Ok(Some(text.to_owned()))
        }
        Some(text) => {
            let remedy = format!("give 1 to {LONGEST_USER} characters, or none at all");
            Err(Fault::new(format!("{} is no user", quoted(text)), remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Document, Format, validate};

    const EXAMPLE: &str = include_str!("../../../../examples/datalink.toml");

    fn problems(more: &str) -> Vec<String> {
        let document = Document::parse(&format!("{EXAMPLE}\n{more}"), Format::Toml).unwrap();
        let problems = validate(document).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (more, field) in [
            ("[alerts]\ndestinations = [\"a@b.example\"]", "alerts.source"),
            ("[alerts]\nsource = \"nobody\"", "alerts.source"),
            ("[alerts]\nsource = \"ü@b.example\"", "alerts.source"),
            ("[alerts]\nsource = \"a@b.example\\r\\nBcc: x@y.example\"", "alerts.source"),
            (
                "[alerts]\nsource = \"a@b.example\"\ndestinations = [\"c@d.example\", \"c@d.example\"]",
                "alerts.destinations[1]",
            ),
            ("[alerts]\nhold_down_seconds = 4", "alerts.hold_down_seconds"),
            ("[alerts]\ngathering_seconds = 301", "alerts.gathering_seconds"),
            ("[alerts]\nreminder_hours = -1", "alerts.reminder_hours"),
            ("[alerts]\nsubjects = \"short\"", "alerts.subjects"),
            ("[mail]\nsmart_host = \"mail server\"", "mail.smart_host"),
            ("[mail]\nsmart_host = \"m\"\nport = 0", "mail.port"),
            ("[mail]\nsmart_host = \"m\"\nencryption = \"ssl\"", "mail.encryption"),
            ("[mail]\nencryption = \"tls\"", "mail.encryption"),
            ("[mail]\nuser = \"lb\"", "mail.user"),
            ("[mail]\nsmart_host = \"m\"\nuser = \"\"", "mail.user"),
            ("[mail]\ntls_verify = \"yes\"", "mail.tls_verify"),
            ("[mail]\nhello_name = \"-\"", "mail.hello_name"),
            (
                "[virtual_service.alerts]\ndestinations = [\"x@y.example\"]",
                "virtual_service[2].alerts.source",
            ),
        ] {
            assert_eq!(problems(more), [field], "{more}");
        }
        assert!(problems("[mail]\nsmart_host = \"192.0.2.25\"\nuser = \"lb\"").is_empty());
    }

    #[test]
    fn a_service_overrides_what_holds_for_all() {
        let more = "[virtual_service.alerts]\ndestinations = [\"x@y.example\"]\n[alerts]\n\
                    source = \"lb@h.example\"\ndestinations = [\"pacs@h.example\"]";
        let document = Document::parse(&format!("{EXAMPLE}\n{more}"), Format::Toml).unwrap();
        let alerting = validate(document).unwrap().alerting;
        let of = |service: Option<&str>| {
            let (source, destinations) = alerting.addresses(service).unwrap();
            (source.as_str().to_owned(), destinations[0].as_str().to_owned())
        };
        assert_eq!(of(None), ("lb@h.example".into(), "pacs@h.example".into()));
        assert_eq!(of(Some("DATALINK_POOL1")), of(None));
        assert_eq!(of(Some("DATALINK_POOL3")), ("lb@h.example".into(), "x@y.example".into()));
    }
}
