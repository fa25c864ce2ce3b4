//! Rules of the health checks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Collector, port};
use crate::config::check_kind::{EscapedBytes, HttpHost, HttpPath, HttpRequest, StatusRanges, Tls, Verify};
use crate::config::document::HealthCheckDocument;
use crate::config::values::{Fault, HostName, quoted};
use crate::config::{AeTitle, CheckKind, HealthCheck, Label, Problem, Question, Thresholds};

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

/// The health check that a document describes, or what is wrong with it; fields are named as in the document.
pub fn check_problems(document: &HealthCheckDocument) -> Result<HealthCheck, Vec<Problem>> {
    let mut check = Collector::default();
    let made = health_check(&mut check, "", document);
    for problem in &mut check.problems {
        problem.field.remove(0); // The dot after the field of the whole check.
    }
    made.filter(|_| check.problems.is_empty()).ok_or(check.problems)
}

fn health_check(check: &mut Collector, field: &str, document: &HealthCheckDocument) -> Option<HealthCheck> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let kind = check_kind(check, field, document);
    let port = match document.port {
        Some(value) => Some(check.take(format!("{field}.port"), port(value))?),
        None => None,
    };
    let rhythm = rhythm(check, field, document);
    let rise = check.number(format!("{field}.rise"), document.rise, 2, 1..=10);
    let fall = check.number(format!("{field}.fall"), document.fall, 2, 1..=10);
    let (interval, fast_interval, timeout) = rhythm?;
    Some(HealthCheck {
        label: label?,
        question: Arc::new(Question { kind: kind?, interval, fast_interval, timeout }),
        port,
        thresholds: Thresholds { rise: u8::try_from(rise?).ok()?, fall: u8::try_from(fall?).ok()? },
    })
}

/// Interval, fast interval, time-out.
fn rhythm(
    check: &mut Collector,
    field: &str,
    document: &HealthCheckDocument,
) -> Option<(Duration, Duration, Duration)> {
    /// One lost packet is sent again after a second: a check before that would count the same loss twice.
    const USUAL_FAST_INTERVAL: i64 = 2;
    let interval = check.number(format!("{field}.interval_seconds"), document.interval_seconds, 5, 1..=3600);
    let usual = USUAL_FAST_INTERVAL.min(interval.unwrap_or(USUAL_FAST_INTERVAL));
    let fast = check.number(
        format!("{field}.fast_interval_seconds"),
        document.fast_interval_seconds,
        usual,
        1..=3600,
    );
    let timeout = check.number(format!("{field}.timeout_seconds"), document.timeout_seconds, 3, 1..=3600);
    let (interval, fast, timeout) = (interval?, fast?, timeout?);
    let mut longer = |name: &str, what: &str, value: i64, remedy: &str| {
        let problem = format!("{what} of {value} s is longer than the interval of {interval} s");
        check.report(format!("{field}.{name}"), Fault::new(problem, remedy));
    };
    if timeout > interval {
        let remedy = "give at most the interval, so that one check ends before the next begins";
        longer("timeout_seconds", "a time-out", timeout, remedy);
    }
    if fast > interval {
        let remedy = "give at most the interval, or leave it away";
        longer("fast_interval_seconds", "a fast interval", fast, remedy);
    }
    let seconds = |value: i64| Duration::from_secs(value.unsigned_abs());
    (timeout <= interval && fast <= interval).then(|| (seconds(interval), seconds(fast), seconds(timeout)))
}

/// The fields that belong to some types only.
const PARTICULAR: [&str; 12] = [
    "port",
    "calling_ae_title",
    "called_ae_title",
    "tls",
    "tls_verify",
    "tls_server_name",
    "path",
    "host",
    "expected_status",
    "expected_body",
    "send",
    "expect",
];
const TYPES: &str = "use \"dicom-c-echo\", \"tcp\", \"tls\", \"http\", \"https\", \"send-expect\", \"ping\", \
                     \"always-on\" or \"always-off\"";

/// Those of the particular fields that have a meaning for a type, or `None` for an unknown type.
fn fields_of(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "tcp" => &["port"],
        "tls" => &["port", "tls_verify", "tls_server_name"],
        "dicom-c-echo" => {
            &["port", "calling_ae_title", "called_ae_title", "tls", "tls_verify", "tls_server_name"]
        }
        "http" => &["port", "path", "host", "expected_status", "expected_body"],
        "https" => {
            &["port", "path", "host", "expected_status", "expected_body", "tls_verify", "tls_server_name"]
        }
        "send-expect" => &["port", "send", "expect", "tls", "tls_verify", "tls_server_name"],
        "ping" | "always-on" | "always-off" => &[],
        _ => return None,
    })
}

fn given(document: &HealthCheckDocument, name: &str) -> bool {
    match name {
        "port" => document.port.is_some(),
        "calling_ae_title" => document.calling_ae_title.is_some(),
        "called_ae_title" => document.called_ae_title.is_some(),
        "tls" => document.tls.is_some(),
        "tls_verify" => document.tls_verify.is_some(),
        "tls_server_name" => document.tls_server_name.is_some(),
        "path" => document.path.is_some(),
        "host" => document.host.is_some(),
        "expected_status" => document.expected_status.is_some(),
        "expected_body" => document.expected_body.is_some(),
        "send" => document.send.is_some(),
        "expect" => document.expect.is_some(),
        _ => false,
    }
}

fn check_kind(check: &mut Collector, field: &str, document: &HealthCheckDocument) -> Option<CheckKind> {
    let Some(allowed) = fields_of(&document.kind) else {
        let problem = format!("the check type {} is not known", quoted(&document.kind));
        check.report(format!("{field}.type"), Fault::new(problem, TYPES));
        return None;
    };
    for name in PARTICULAR.iter().filter(|name| given(document, name)) {
        if !allowed.contains(name) {
            let problem = format!("it has no meaning in a check of type {}", document.kind);
            check.report(format!("{field}.{name}"), Fault::new(problem, "remove it, or change the type"));
        }
    }
    let mut fields = Fields { check, field, document };
    match document.kind.as_str() {
        "tcp" => Some(CheckKind::Tcp),
        "tls" => fields.tls().map(CheckKind::Tls),
        "dicom-c-echo" => fields.dicom_echo(),
        "http" => fields.http_request().map(|request| CheckKind::Http { request, tls: None }),
        "https" => {
            let (request, tls) = (fields.http_request(), fields.tls());
            Some(CheckKind::Http { request: request?, tls: Some(tls?) })
        }
        "send-expect" => fields.send_expect(),
        "ping" => Some(CheckKind::Ping),
        "always-on" => Some(CheckKind::AlwaysOn),
        _ => Some(CheckKind::AlwaysOff),
    }
}

/// Reads the particular fields of one check.
struct Fields<'a> {
    check: &'a mut Collector,
    field: &'a str,
    document: &'a HealthCheckDocument,
}

impl Fields<'_> {
    /// A value that may be left away: `None` when it is wrong, which is reported.
    fn optional<'v, T>(&mut self, name: &str, value: &'v Option<String>) -> Option<Option<T>>
    where
        T: TryFrom<&'v str, Error = Fault>,
    {
        match value {
            Some(text) => self.check.take(format!("{}.{name}", self.field), T::try_from(text)).map(Some),
            None => Some(None),
        }
    }

    fn required<'v, T>(&mut self, name: &str, value: &'v Option<String>, example: &str) -> Option<T>
    where
        T: TryFrom<&'v str, Error = Fault>,
    {
        if value.is_none() {
            let problem = format!("a check of type {} needs this", self.document.kind);
            let fault = Fault::new(problem, format!("add it, for example {name} = \"{example}\""));
            self.check.report(format!("{}.{name}", self.field), fault);
        }
        self.optional(name, value)?
    }

    fn tls(&mut self) -> Option<Tls> {
        let verify = self.optional("tls_verify", &self.document.tls_verify);
        let server_name = self.optional::<HostName>("tls_server_name", &self.document.tls_server_name);
        Some(Tls { verify: verify?.unwrap_or(Verify::Nothing), server_name: server_name? })
    }

    /// Where `tls = true` asks for it.
    fn tls_on_request(&mut self) -> Option<Option<Tls>> {
        if self.document.tls == Some(true) {
            return self.tls().map(Some);
        }
        for name in ["tls_verify", "tls_server_name"].iter().filter(|name| given(self.document, name)) {
            let fault = Fault::new("it has no meaning without TLS", "remove it, or add tls = true");
            self.check.report(format!("{}.{name}", self.field), fault);
        }
        Some(None)
    }

    fn dicom_echo(&mut self) -> Option<CheckKind> {
        let calling =
            self.required::<AeTitle>("calling_ae_title", &self.document.calling_ae_title, "LOADBALANCER");
        let called = self.required::<AeTitle>("called_ae_title", &self.document.called_ae_title, "DW_SCP");
        let tls = self.tls_on_request();
        Some(CheckKind::DicomEcho { calling: calling?, called: called?, tls: tls? })
    }

    fn http_request(&mut self) -> Option<HttpRequest> {
        let path = match &self.document.path {
            Some(path) => self.check.take(format!("{}.path", self.field), HttpPath::try_from(path.as_str())),
            None => HttpPath::try_from("/").ok(),
        };
        let host = self.optional::<HttpHost>("host", &self.document.host);
        let status = self.optional::<StatusRanges>("expected_status", &self.document.expected_status);
        let body = self.optional::<EscapedBytes>("expected_body", &self.document.expected_body);
        Some(HttpRequest {
            path: path?,
            host: host?,
            expected_status: status?.unwrap_or_else(StatusRanges::usual),
            expected_body: body?,
        })
    }

    fn send_expect(&mut self) -> Option<CheckKind> {
        let send = self.optional::<EscapedBytes>("send", &self.document.send);
        let mut expect = self.required::<EscapedBytes>("expect", &self.document.expect, r"220 ");
        if expect.as_ref().is_some_and(|expect| expect.bytes().is_empty()) {
            let fault = Fault::new("nothing is expected", "give at least one byte, or use type = \"tcp\"");
            self.check.report(format!("{}.expect", self.field), fault);
            expect = None;
        }
        let tls = self.tls_on_request();
        let send = send?.or_else(|| EscapedBytes::try_from("").ok());
        Some(CheckKind::SendExpect { send: send?, expect: expect?, tls: tls? })
    }
}
