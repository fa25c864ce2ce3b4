//! Rules of the health checks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Collector;
use crate::config::document::HealthCheckDocument;
use crate::config::values::{Fault, quoted};
use crate::config::{AeTitle, CheckKind, HealthCheck, Label};

/// By label; a check that is itself wrong is there as `None`, so that who names it is not blamed.
pub(super) type Checks = BTreeMap<String, Option<HealthCheck>>;

/// Every check by its label.
pub(super) fn health_checks(check: &mut Collector, documents: &[HealthCheckDocument]) -> Checks {
    let mut seen = BTreeMap::new();
    let mut checks = Checks::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("health_check[{index}]");
        check.unique(&field, &mut seen, &document.label, index);
        checks.insert(document.label.clone(), health_check(check, &field, document));
    }
    checks
}

fn health_check(check: &mut Collector, field: &str, document: &HealthCheckDocument) -> Option<HealthCheck> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let kind = check_kind(check, field, document);
    let interval = check.number(format!("{field}.interval_seconds"), document.interval_seconds, 5, 1..=3600);
    let timeout = check.number(format!("{field}.timeout_seconds"), document.timeout_seconds, 3, 1..=3600);
    let rise = check.number(format!("{field}.rise"), document.rise, 2, 1..=10);
    let fall = check.number(format!("{field}.fall"), document.fall, 2, 1..=10);
    let (interval, timeout) = (interval?, timeout?);
    if timeout > interval {
        check.report(
            format!("{field}.timeout_seconds"),
            Fault::new(
                format!("a time-out of {timeout} s is longer than the interval of {interval} s"),
                "give at most the interval, so that one check ends before the next begins",
            ),
        );
        return None;
    }
    Some(HealthCheck {
        label: label?,
        kind: kind?,
        interval: Duration::from_secs(interval.unsigned_abs()),
        timeout: Duration::from_secs(timeout.unsigned_abs()),
        rise: u8::try_from(rise?).ok()?,
        fall: u8::try_from(fall?).ok()?,
    })
}

fn check_kind(check: &mut Collector, field: &str, document: &HealthCheckDocument) -> Option<CheckKind> {
    let titles =
        [("calling_ae_title", &document.calling_ae_title), ("called_ae_title", &document.called_ae_title)];
    match document.kind.as_str() {
        "tcp" => {
            for (name, _) in titles.iter().filter(|(_, value)| value.is_some()) {
                let fault = Fault::new(
                    "an AE title has no meaning in a tcp check",
                    "remove it, or write type = \"dicom-c-echo\"",
                );
                check.report(format!("{field}.{name}"), fault);
            }
            Some(CheckKind::Tcp)
        }
        "dicom-c-echo" => {
            let [calling, called] = titles.map(|(name, value)| {
                let missing = || {
                    Fault::new(
                        "a dicom-c-echo check needs this AE title",
                        "add it, for example calling_ae_title = \"LOADBALANCER\", called_ae_title = \"DW_SCP\"",
                    )
                };
                let title = value.as_deref().ok_or_else(missing).and_then(AeTitle::try_from);
                check.take(format!("{field}.{name}"), title)
            });
            Some(CheckKind::DicomEcho { calling: calling?, called: called? })
        }
        other => {
            let fault = Fault::new(
                format!("the check type {} is not known", quoted(other)),
                "use \"tcp\" or \"dicom-c-echo\"",
            );
            check.report(format!("{field}.type"), fault);
            None
        }
    }
}
