//! A health check made by hand from its page: whom to ask, what came of it, in words.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use askama::Template;
use futures_util::future::join_all;

use super::check_form::{TEMPLATE, problems_of};
use super::input::Choosable;
use super::typed::Typed;
use crate::config::document::{Document, HealthCheckDocument, RealServerDocument, VirtualServiceDocument};
use crate::config::{AeTitle, CheckKind, HealthCheck, Ports, Problem, Question, check_problems};
use crate::health::{Trace, template};
use crate::web::{Gateway, probe};

/// The input that chooses a server of the configuration.
pub(super) const TARGET: &str = "target";
/// The input of any other address.
pub(super) const ADDRESS: &str = "address";
/// The input of the port that goes with it.
pub(super) const PORT: &str = "port";
/// The button that asks for AE titles.
pub(super) const TITLES: &str = "titles";

/// The choice of every server whose service uses the check.
const ALL: &str = "*";
/// Servers that are asked in one go.
const MOST: usize = 16;
/// For each of them: somebody waits for the whole page.
const PATIENCE: Duration = Duration::from_secs(10);

/// What tests have found.
#[derive(Template, Debug, Default)]
#[template(path = "cluster/tested.html")]
pub(super) struct Tested {
    outcomes: Vec<Outcome>,
}

/// What one server has answered.
#[derive(Debug)]
struct Outcome {
    /// Who was asked for what.
    heading: String,
    trace: Option<Trace>,
    /// What is known about the server's AE titles.
    advice: Option<String>,
}

/// The servers of the configuration, those whose services use the check first.
pub(super) fn targets(document: &Document, check: Option<&str>) -> Vec<Choosable> {
    let of = |uses: bool, group: &'static str| {
        let services = document
            .virtual_service
            .iter()
            .filter(move |service| (Some(service.health_check.as_str()) == check) == uses);
        services.flat_map(move |service| {
            service.real_server.iter().map(move |server| Choosable {
                value: format!("{}/{}", service.label, server.label),
                words: format!("{}, {}: {}", service.label, server.label, server.address),
                group,
            })
        })
    };
    let other =
        Choosable { value: String::new(), words: "the address beside this".into(), group: "Another one" };
    let all = Choosable { value: ALL.into(), words: "All of them".into(), group: "Servers with this check" };
    let ours: Vec<_> = of(true, "Servers with this check").collect();
    let all = (ours.len() > 1).then_some(all);
    ours.into_iter().chain(all).chain(of(false, "Other servers")).chain([other]).collect()
}

impl Tested {
    /// As it stands in the page.
    pub(super) fn html(&self) -> String {
        self.render().unwrap_or_default()
    }

    /// Asks the servers that were chosen, or says what is wrong with the form. `label` is the check's in force.
    pub(super) async fn run(
        gateway: &Gateway,
        label: Option<&str>,
        typed: &Typed,
    ) -> Result<Self, Vec<Problem>> {
        let check = check(typed)?;
        let addresses = addresses(&gateway.latest().document, label, typed, &check)?;
        let asks_titles = typed.get(TITLES).is_some();
        if asks_titles && !matches!(check.question.kind, CheckKind::DicomEcho { .. }) {
            let remedy = "use template=DICOM-C-ECHO";
            return Err(vec![problem(TEMPLATE, "only DICOM servers have AE titles", remedy)]);
        }
        let outcomes = addresses.iter().map(async |address| match asks_titles {
            true => titles(gateway, *address, &check).await,
            false => attempt(gateway, *address, &check).await,
        });
        Ok(Self { outcomes: join_all(outcomes).await })
    }
}

async fn attempt(gateway: &Gateway, address: SocketAddr, check: &HealthCheck) -> Outcome {
    let question =
        Question { timeout: check.question.timeout.min(PATIENCE), ..check.question.as_ref().clone() };
    let trace = probe::trace(&question, address).await;
    let advice = if trace.passed { None } else { advice(gateway, address, check, true).await };
    let heading = format!("{}: {}", address.ip(), check.question.kind.describe(address.port()));
    Outcome { heading, trace: Some(trace), advice }
}

async fn titles(gateway: &Gateway, address: SocketAddr, check: &HealthCheck) -> Outcome {
    let advice = advice(gateway, address, check, false).await;
    let nothing = || format!("{address} answers to none of the AE titles that are known, nor to the check's");
    Outcome {
        heading: format!("AE titles of {address}"),
        trace: None,
        advice: Some(advice.unwrap_or_else(nothing)),
    }
}

fn problem(field: &str, problem: &str, remedy: &str) -> Problem {
    Problem { field: field.into(), problem: problem.into(), remedy: remedy.into() }
}

/// The check that the text describes; its name does not matter here.
fn check(typed: &Typed) -> Result<HealthCheck, Vec<Problem>> {
    let document = template::parse(typed.text(TEMPLATE)).map_err(problems_of)?;
    let named = HealthCheckDocument { label: "test".into(), ..document };
    let on_top = |problems: Vec<Problem>| {
        problems.into_iter().map(|known| Problem { field: TEMPLATE.into(), ..known }).collect::<Vec<_>>()
    };
    check_problems(&named).map_err(on_top)
}

/// Where to ask.
fn addresses(
    document: &Document,
    label: Option<&str>,
    typed: &Typed,
    check: &HealthCheck,
) -> Result<Vec<SocketAddr>, Vec<Problem>> {
    let target = typed.text(TARGET);
    if target.is_empty() {
        return other_address(typed, check).map(|address| vec![address]);
    }
    let services = document.virtual_service.iter();
    let all = services.flat_map(|service| service.real_server.iter().map(move |server| (service, server)));
    let chosen = all.filter(|(service, server)| match target {
        ALL => Some(service.health_check.as_str()) == label,
        one => one.split_once('/') == Some((service.label.as_str(), server.label.as_str())),
    });
    let mut found: Vec<_> =
        chosen.filter_map(|(service, server)| server_address(service, server, check)).collect();
    found.sort_unstable();
    found.dedup();
    found.truncate(MOST);
    match found.is_empty() {
        true => Err(vec![problem(TARGET, "this server is not there any more", "choose another one")]),
        false => Ok(found),
    }
}

/// The check's port counts before the server's, as in service.
fn server_address(
    service: &VirtualServiceDocument,
    server: &RealServerDocument,
    check: &HealthCheck,
) -> Option<SocketAddr> {
    let own = server.port.and_then(|port| u16::try_from(port).ok());
    let first = || Ports::try_from(service.ports.as_str()).ok().map(|ports| ports.first());
    let port = check.port.or(own).or_else(first)?;
    Some(SocketAddr::new(server.address.parse().ok()?, port))
}

/// One that is no server of the configuration.
fn other_address(typed: &Typed, check: &HealthCheck) -> Result<SocketAddr, Vec<Problem>> {
    let needs_port = check.question.kind.has_port();
    let ip = typed.text(ADDRESS).parse::<IpAddr>().map_err(|_| {
        problem(
            ADDRESS,
            "this is not an address",
            "choose a server, or give an address such as 192.168.10.110",
        )
    });
    let port = match typed.text(PORT) {
        "" => check.port.or((!needs_port).then_some(0)),
        text => text.parse().ok().filter(|port| *port != 0),
    };
    let port = port
        .ok_or_else(|| problem(PORT, "a port is missing", "give a port from 1 to 65535, for example 2001"));
    match (ip, port) {
        (Ok(ip), Ok(port)) => Ok(SocketAddr::new(ip, port)),
        (ip, port) => Err(ip.err().into_iter().chain(port.err()).collect()),
    }
}

/// Which AE titles the server answers to; nothing where it is no DICOM check, or the server answers to none.
async fn advice(
    gateway: &Gateway,
    address: SocketAddr,
    check: &HealthCheck,
    others_only: bool,
) -> Option<String> {
    let CheckKind::DicomEcho { called, .. } = &check.question.kind else { return None };
    let answering = probe::answering_titles(gateway, address, &check.question.kind, others_only).await;
    told(&answering, address, called)
}

fn told(answering: &[AeTitle], address: SocketAddr, called: &AeTitle) -> Option<String> {
    let names: Vec<_> = answering.iter().map(AeTitle::as_str).collect();
    let verb = if names.len() == 1 { "answers" } else { "answer" };
    let text = format!("{} {verb} on {address}", names.join(", "));
    match (names.is_empty(), answering.contains(called)) {
        (true, _) => None,
        (_, true) => Some(format!("{text}; the check asks for {called}, which is one of them")),
        (_, false) => Some(format!("{text}, you wrote aec={called}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    const EXAMPLE: &str = include_str!("../../../../../examples/datalink.toml");

    fn address_of(pairs: &[(&str, &str)], text: &str) -> Result<String, Vec<String>> {
        let document = Document::parse(EXAMPLE, Format::Toml).unwrap();
        let typed = Typed::new(pairs).with(TEMPLATE, text);
        let found = addresses(&document, Some("DICOM-C_Echo-Check-VIP1"), &typed, &check(&typed).unwrap());
        let shown =
            |found: Vec<SocketAddr>| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        found.map(shown).map_err(|p| p.into_iter().map(|p| p.field).collect())
    }

    #[test]
    fn a_server_is_asked_where_its_service_would_ask_it() {
        let target = [(TARGET, "DATALINK_POOL2/DATALINK_POOL2_NODE1")];
        assert_eq!(address_of(&target, "template=TCP-CONNECT").unwrap(), "192.168.10.112:2003");
        assert_eq!(address_of(&target, "template=TCP-CONNECT\nport=80").unwrap(), "192.168.10.112:80");
        let all = address_of(&[(TARGET, ALL)], "template=TCP-CONNECT");
        assert_eq!(all.unwrap(), "192.168.10.110:2001 192.168.10.111:2001");
        assert_eq!(address_of(&[(TARGET, "X/Y")], "template=PING").unwrap_err(), [TARGET]);
    }

    #[test]
    fn any_other_address_needs_a_port_where_the_check_asks_one() {
        let given = [(TARGET, ""), (ADDRESS, "fd00::1"), (PORT, "104")];
        assert_eq!(address_of(&given, "template=TCP-CONNECT").unwrap(), "[fd00::1]:104");
        assert_eq!(address_of(&given[..2], "template=PING").unwrap(), "[fd00::1]:0");
        assert_eq!(address_of(&given[..2], "template=TCP-CONNECT").unwrap_err(), [PORT]);
        assert_eq!(address_of(&[(PORT, "0")], "template=TCP-CONNECT").unwrap_err(), [ADDRESS, PORT]);
    }

    #[test]
    fn titles_are_told_beside_the_one_that_was_written() {
        let title = |name: &str| AeTitle::try_from(name).unwrap();
        let address = "192.0.2.1:2003".parse().unwrap();
        let (asked, other) = (title("DW_MPPS_SCP"), title("DW_RDSR_SCP"));
        assert_eq!(told(&[], address, &asked), None);
        let text = told(std::slice::from_ref(&other), address, &asked).unwrap();
        assert_eq!(text, "DW_RDSR_SCP answers on 192.0.2.1:2003, you wrote aec=DW_MPPS_SCP");
        assert!(told(&[asked.clone(), other], address, &asked).unwrap().contains("one of them"));
    }
}
