//! Health checks as text templates, as administrators know them: `aet=LOADBALANCER`, `aec=DW_SCP`, a line each.
//!
//! The typed fields of [`HealthCheckDocument`] are what is stored; the text is a way to see and to write them.
//! [`render`] and [`parse`] are each other's inverse but for comments. Pure, for any text.

use std::fmt::Write as _;

use crate::config::document::HealthCheckDocument;
use crate::config::values::quoted;
use crate::config::{Problem, check_problems};

/// Largest text that is looked at, in bytes: sixteen certificates and every line have their place in it.
pub const LARGEST_TEXT: usize = 64 * 1024;

/// How the first line of a certificate begins (RFC 7468 section 2).
const PEM_BEGINS: &str = "-----BEGIN";

/// What is wrong with a line of a template.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// From 1; the first line where something is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// Name of a template, type of the check, and what it does.
pub const TEMPLATES: [(&str, &str, &str); 9] = [
    (
        "DICOM-C-ECHO",
        "dicom-c-echo",
        "Asks the server for a DICOM C-ECHO: aet is our AE title, aec the server's.",
    ),
    ("TCP-CONNECT", "tcp", "Opens a TCP connection and closes it again."),
    ("TLS-CONNECT", "tls", "Completes a TLS handshake and looks at the certificate."),
    ("NEGOTIATE-HTTP", "http", "Asks for a page over HTTP and looks at status and text."),
    ("NEGOTIATE-HTTPS", "https", "Asks for a page over HTTPS and looks at certificate, status and text."),
    ("NEGOTIATE", "send-expect", "Sends bytes and waits for others."),
    ("PING", "ping", "Sends an ICMP echo request."),
    ("ALWAYS-ON", "always-on", "Asks nothing: the server counts as up."),
    ("ALWAYS-OFF", "always-off", "Asks nothing: the server counts as down."),
];

/// The text of a check: its template's name, a comment, and a line for each field that is given.
pub fn render(check: &HealthCheckDocument) -> String {
    let known = TEMPLATES.iter().find(|(_, kind, _)| *kind == check.kind);
    let (name, comment) = known.map_or((check.kind.as_str(), ""), |(name, _, comment)| (*name, *comment));
    let mut text = format!("template={name}\n");
    if !comment.is_empty() {
        let _ = writeln!(text, "# {comment}");
    }
    let mut source = check.clone();
    for key in KEYS {
        if let Some(value) = (key.field)(&mut source).get() {
            // In any other field these are characters like others: an AE title may have them.
            let certificate = value.find(PEM_BEGINS).filter(|_| key.path == "tls_verify");
            let _ = match certificate {
                Some(start) => write!(text, "{}=pinned\n{}\n", key.name, value[start..].trim()),
                None => writeln!(text, "{}={}", key.name, in_one_line(&value)),
            };
        }
    }
    text
}

/// Line breaks have escapes in every field that may hold them.
fn in_one_line(value: &str) -> String {
    value.replace('\r', "\\r").replace('\n', "\\n")
}

/// The check that a text describes, without a label; or everything that is wrong, in the order of lines.
pub fn parse(text: &str) -> Result<HealthCheckDocument, Vec<Fault>> {
    if text.len() > LARGEST_TEXT {
        let problem = format!("{} bytes are more than the {LARGEST_TEXT} allowed", text.len());
        return Err(vec![Fault { line: 1, problem, remedy: "remove what is not needed".into() }]);
    }
    let mut reader = Reader::default();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    while let Some((number, line)) = lines.next() {
        if line.starts_with(PEM_BEGINS) {
            let rest = lines.by_ref().map(|(_, line)| line);
            reader.certificate(number, line, rest);
        } else if !line.is_empty() && !line.starts_with('#') {
            reader.line(number, line);
        }
    }
    reader.finish()
}

/// A field of the document, whatever its type.
enum Slot<'a> {
    Text(&'a mut Option<String>),
    Number(&'a mut Option<i64>),
    Switch(&'a mut Option<bool>),
}

impl Slot<'_> {
    fn get(self) -> Option<String> {
        match self {
            Self::Text(value) => value.clone(),
            Self::Number(value) => value.map(|number| number.to_string()),
            Self::Switch(value) => value.map(|on| if on { "yes" } else { "no" }.to_owned()),
        }
    }

    /// Says what should stand there when `value` does not fit.
    fn set(self, value: &str) -> Result<(), &'static str> {
        match self {
            Self::Text(slot) => *slot = Some(value.to_owned()),
            Self::Number(slot) => *slot = Some(value.parse().map_err(|_| "write a whole number")?),
            Self::Switch(slot) => {
                *slot = Some(match value {
                    "yes" | "true" => true,
                    "no" | "false" => false,
                    _ => return Err("write yes or no"),
                });
            }
        }
        Ok(())
    }
}

/// A word before the equals sign, and the field that it stands for.
struct Key {
    name: &'static str,
    /// Its name in the configuration.
    path: &'static str,
    field: fn(&mut HealthCheckDocument) -> Slot<'_>,
}

const KEYS: [Key; 17] = [
    Key { name: "aet", path: "calling_ae_title", field: |d| Slot::Text(&mut d.calling_ae_title) },
    Key { name: "aec", path: "called_ae_title", field: |d| Slot::Text(&mut d.called_ae_title) },
    Key { name: "port", path: "port", field: |d| Slot::Number(&mut d.port) },
    Key { name: "tls", path: "tls", field: |d| Slot::Switch(&mut d.tls) },
    Key { name: "verify", path: "tls_verify", field: |d| Slot::Text(&mut d.tls_verify) },
    Key { name: "server-name", path: "tls_server_name", field: |d| Slot::Text(&mut d.tls_server_name) },
    Key { name: "path", path: "path", field: |d| Slot::Text(&mut d.path) },
    Key { name: "host", path: "host", field: |d| Slot::Text(&mut d.host) },
    Key { name: "status", path: "expected_status", field: |d| Slot::Text(&mut d.expected_status) },
    Key { name: "body", path: "expected_body", field: |d| Slot::Text(&mut d.expected_body) },
    Key { name: "send", path: "send", field: |d| Slot::Text(&mut d.send) },
    Key { name: "expect", path: "expect", field: |d| Slot::Text(&mut d.expect) },
    Key { name: "interval", path: "interval_seconds", field: |d| Slot::Number(&mut d.interval_seconds) },
    Key {
        name: "fast-interval",
        path: "fast_interval_seconds",
        field: |d| Slot::Number(&mut d.fast_interval_seconds),
    },
    Key { name: "timeout", path: "timeout_seconds", field: |d| Slot::Number(&mut d.timeout_seconds) },
    Key { name: "rise", path: "rise", field: |d| Slot::Number(&mut d.rise) },
    Key { name: "fall", path: "fall", field: |d| Slot::Number(&mut d.fall) },
];

#[derive(Default)]
struct Reader {
    document: HealthCheckDocument,
    /// Where each field was given, by its name in the configuration.
    lines: std::collections::BTreeMap<&'static str, usize>,
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, line: usize, problem: String, remedy: impl Into<String>) {
        self.faults.push(Fault { line, problem, remedy: remedy.into() });
    }

    fn line(&mut self, number: usize, line: &str) {
        let Some((name, value)) = line.split_once('=') else {
            let remedy = "write name=value, for example aec=DW_SCP; a comment begins with #";
            return self.fault(number, format!("{} is not a setting", quoted(line)), remedy);
        };
        let (name, value) = (name.trim(), value.trim());
        if name == "template" {
            return self.template(number, value);
        }
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            let known: Vec<_> = KEYS.iter().map(|key| key.name).collect();
            let remedy = format!("use template, {}", known.join(", "));
            return self.fault(number, format!("{} is not the name of a setting", quoted(name)), remedy);
        };
        if self.is_new(number, name, key.path)
            && let Err(remedy) = (key.field)(&mut self.document).set(value)
        {
            self.fault(number, format!("{} does not fit here", quoted(value)), remedy);
        }
    }

    fn is_new(&mut self, number: usize, name: &str, path: &'static str) -> bool {
        let before = self.lines.insert(path, number);
        if let Some(first) = before {
            self.fault(number, format!("{name} stands in line {first} already"), "remove one of the two");
        }
        before.is_none()
    }

    fn template(&mut self, number: usize, value: &str) {
        if !self.is_new(number, "template", "type") {
            return;
        }
        match TEMPLATES.iter().find(|(name, ..)| *name == value) {
            Some((_, kind, _)) => self.document.kind = (*kind).to_owned(),
            None => {
                let known: Vec<_> = TEMPLATES.iter().map(|(name, ..)| *name).collect();
                let problem = format!("there is no template {}", quoted(value));
                self.fault(number, problem, format!("use {}", known.join(", ")));
            }
        }
    }

    /// Certificates follow `verify=pinned`, as many as there are.
    fn certificate<'a>(&mut self, number: usize, first: &'a str, rest: impl Iterator<Item = &'a str>) {
        let pinned = self
            .document
            .tls_verify
            .as_mut()
            .filter(|value| value.as_str() == "pinned" || value.starts_with(PEM_BEGINS));
        let Some(value) = pinned else {
            let problem = "a certificate stands where none belongs".to_owned();
            return self.fault(number, problem, "write verify=pinned in the line before it");
        };
        if value == "pinned" {
            value.clear();
        }
        for line in std::iter::once(first).chain(rest) {
            value.push_str(line);
            value.push('\n');
            if line.starts_with("-----END") {
                return;
            }
        }
        self.fault(number, "the certificate has no end".into(), "copy it up to -----END CERTIFICATE-----");
    }

    fn finish(mut self) -> Result<HealthCheckDocument, Vec<Fault>> {
        if !self.lines.contains_key("type") {
            if self.lines.contains_key("called_ae_title") || self.lines.contains_key("calling_ae_title") {
                // The two lines alone are what the product that administrators know calls its template.
                self.document.kind = "dicom-c-echo".into();
            } else {
                let remedy = "begin with, for example, template=DICOM-C-ECHO";
                self.fault(1, "the template is not named".into(), remedy);
            }
        }
        if self.faults.is_empty() {
            self.judge();
        }
        self.faults.sort_by_key(|fault| fault.line);
        if self.faults.is_empty() { Ok(self.document) } else { Err(self.faults) }
    }

    /// The rules of the configuration, told by line.
    fn judge(&mut self) {
        let labelled = HealthCheckDocument { label: "check".into(), ..self.document.clone() };
        for Problem { field, problem, remedy } in check_problems(&labelled).err().unwrap_or_default() {
            let line = self.lines.get(field.as_str()).or(self.lines.get("type")).copied().unwrap_or(1);
            let key = KEYS.iter().find(|key| key.path == field).map_or(field.as_str(), |key| key.name);
            let remedy = remedy.replace(&format!("{field} = "), &format!("{key}="));
            self.fault(line, format!("{key}: {problem}"), remedy);
        }
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
