//! Rules of `[[syslog_server]]`.

use std::collections::BTreeMap;

use super::{Collector, host_address, port};
use crate::config::check_kind::{Tls, Verify};
use crate::config::document::SyslogServerDocument;
use crate::config::values::{Fault, HostName, quoted};
use crate::config::{Label, SyslogServer, SyslogTransport};
use crate::log::entry::Severity;

/// RFC 5426 section 3.3; usual with TCP too.
const PORT: u16 = 514;
/// RFC 5425 section 4.1.
const TLS_PORT: u16 = 6514;
/// Each has a queue of its own.
const MOST_SERVERS: usize = 8;

/// The servers that follow the rules.
pub(super) fn servers(check: &mut Collector, documents: &[SyslogServerDocument]) -> Vec<SyslogServer> {
    if documents.len() > MOST_SERVERS {
        let problem = format!("{} syslog servers are too many", documents.len());
        check.report("syslog_server", Fault::new(problem, format!("keep at most {MOST_SERVERS}")));
    }
    let mut seen = BTreeMap::new();
    let mut servers = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let field = format!("syslog_server[{index}]");
        check.unique(&field, &mut seen, &document.label, index);
        servers.extend(server(check, &field, document));
    }
    servers
}

fn server(check: &mut Collector, field: &str, document: &SyslogServerDocument) -> Option<SyslogServer> {
    let label = check.take(format!("{field}.label"), Label::try_from(document.label.as_str()));
    let address = check.take(format!("{field}.address"), host_address(&document.address));
    let transport = transport(check, field, document);
    let usual = if matches!(transport, Some(SyslogTransport::Tls(_))) { TLS_PORT } else { PORT };
    let port = match document.port {
        Some(value) => check.take(format!("{field}.port"), port(value)),
        None => Some(usual),
    };
    let severity = match document.severity.as_deref() {
        None => Some(Severity::Info),
        Some(text) => {
            let unknown = |remedy| Fault::new(format!("{} is not a severity", quoted(text)), remedy);
            check.take(format!("{field}.severity"), text.parse().map_err(unknown))
        }
    };
    Some(SyslogServer {
        label: label?,
        place: (address?, port?).into(),
        transport: transport?,
        severity: severity?,
    })
}

fn transport(check: &mut Collector, field: &str, document: &SyslogServerDocument) -> Option<SyslogTransport> {
    let kind = document.transport.as_deref().unwrap_or("udp");
    if kind == "tls" {
        let verify = match document.tls_verify.as_deref() {
            None => Some(Verify::System),
            Some(text) => check.take(format!("{field}.tls_verify"), Verify::try_from(text)),
        };
        let server_name = match document.tls_server_name.as_deref() {
            None => Some(None),
            Some(text) => check.take(format!("{field}.tls_server_name"), HostName::try_from(text)).map(Some),
        };
        return Some(SyslogTransport::Tls(Tls { verify: verify?, server_name: server_name? }));
    }
    let given = [("tls_verify", &document.tls_verify), ("tls_server_name", &document.tls_server_name)];
    for (name, _) in given.into_iter().filter(|(_, value)| value.is_some()) {
        let fault = Fault::new("it has no meaning without TLS", "remove it, or write transport = \"tls\"");
        check.report(format!("{field}.{name}"), fault);
    }
    match kind {
        "udp" => Some(SyslogTransport::Udp),
        "tcp" => Some(SyslogTransport::Tcp),
        other => {
            let problem = format!("the transport {} is not known", quoted(other));
            let fault = Fault::new(problem, "use \"udp\", \"tcp\" or \"tls\"");
            check.report(format!("{field}.transport"), fault);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &SyslogServerDocument) -> (Vec<SyslogServer>, Vec<String>) {
        let mut check = Collector::default();
        let servers = servers(&mut check, std::slice::from_ref(document));
        (servers, check.problems.into_iter().map(|problem| problem.field).collect())
    }

    fn document(transport: Option<&str>) -> SyslogServerDocument {
        SyslogServerDocument {
            label: "SIEM".into(),
            address: "10.1.2.3".into(),
            transport: transport.map(str::to_owned),
            ..SyslogServerDocument::default()
        }
    }

    #[test]
    fn each_transport_has_its_usual_port_and_tls_is_verified() {
        for (transport, port) in [(None, 514), (Some("udp"), 514), (Some("tcp"), 514), (Some("tls"), 6514)] {
            let (servers, problems) = told(&document(transport));
            assert_eq!(
                (servers[0].place.port(), servers[0].severity, problems.len()),
                (port, Severity::Info, 0)
            );
        }
        let (servers, _) = told(&document(Some("tls")));
        let verified = Tls { verify: Verify::System, server_name: None };
        assert_eq!(servers[0].transport, SyslogTransport::Tls(verified));
    }

    #[test]
    fn each_mistake_is_named() {
        let some = |text: &str| Some(text.to_owned());
        let right = document(None);
        for (wrong, field) in [
            (SyslogServerDocument { label: "a b".into(), ..right.clone() }, "label"),
            (SyslogServerDocument { address: "siem".into(), ..right.clone() }, "address"),
            (SyslogServerDocument { port: Some(0), ..right.clone() }, "port"),
            (SyslogServerDocument { transport: some("sctp"), ..right.clone() }, "transport"),
            (SyslogServerDocument { severity: some("loud"), ..right.clone() }, "severity"),
            (SyslogServerDocument { tls_verify: some("none"), ..right.clone() }, "tls_verify"),
            (SyslogServerDocument { tls_server_name: some("siem"), ..right.clone() }, "tls_server_name"),
            (SyslogServerDocument { tls_verify: some("maybe"), ..document(Some("tls")) }, "tls_verify"),
        ] {
            assert_eq!(told(&wrong).1, [format!("syslog_server[0].{field}")], "{wrong:?}");
        }
        let mut check = Collector::default();
        servers(&mut check, &vec![right; MOST_SERVERS + 1]);
        assert_eq!(check.problems[0].field, "syslog_server");
        assert_eq!(check.problems[1].field, "syslog_server[1].label");
    }
}
