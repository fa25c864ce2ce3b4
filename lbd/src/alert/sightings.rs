//! What the View says is wrong, as topics of the policy. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::topic::{Absence, Place, Severity, Topic, Trouble};
use crate::view::{
    ClockState, Condition, ConditionKind, ServerState, ServerView, ServiceState, ServiceView, View,
};

/// Everything that is in trouble.
pub fn troubles(view: &View) -> BTreeMap<Topic, Trouble> {
    let mut found = BTreeMap::new();
    for service in &view.virtual_services {
        let label = || service.label.clone();
        if matches!(service.state, ServiceState::Down | ServiceState::Degraded) {
            found.insert(Topic::ServiceDegraded { service: label() }, degraded(service));
        }
        if service.state == ServiceState::Down {
            found.insert(Topic::ServiceDown { service: label() }, down(service));
        }
        if let Some(server) = service.fallback_server.as_ref().filter(|server| server.serving) {
            let place = place(server.address, server.port);
            found.insert(Topic::Fallback { service: label() }, on_fallback(service, &place));
        }
        for server in service.real_servers.iter().filter(|server| server.state == ServerState::Down) {
            let topic = Topic::Server { service: label(), server: server.label.clone() };
            found.insert(topic, server_down(service, server));
        }
    }
    found.extend(view.conditions.iter().filter_map(condition));
    found
}

/// What is known of a topic that is not among [`troubles`].
pub fn absence(view: &View, topic: &Topic) -> Absence {
    let removed = || Absence::Withdrawn("it was removed from the configuration".into());
    let label = topic.service();
    let service = view.virtual_services.iter().find(|service| Some(service.label.as_str()) == label);
    match (topic, service) {
        (Topic::Clock, _) => clock_absence(view.clock.state),
        // Other problems of the appliance itself are either told or not there.
        (_, None) if label.is_none() => Absence::Well(String::new()),
        (_, None) => removed(),
        (Topic::Server { server, .. } | Topic::SnatPorts { server, .. }, Some(service)) => {
            match service.real_servers.iter().find(|known| known.label == *server) {
                Some(known) => server_absence(service, known),
                None => removed(),
            }
        }
        (_, Some(service)) => match service.state {
            ServiceState::Off => Absence::Withdrawn("it was switched off".into()),
            ServiceState::Checking => Absence::Unknown,
            _ => Absence::Well(carried(service)),
        },
    }
}

/// Servers that are being asked again say nothing yet, and with none there is nothing to be synchronised with.
fn clock_absence(state: ClockState) -> Absence {
    match state {
        ClockState::Synchronised | ClockState::Measured => Absence::Well(String::new()),
        ClockState::Starting | ClockState::Unsynchronised => Absence::Unknown,
        ClockState::Free => Absence::Withdrawn("no NTP server is configured".into()),
    }
}

fn server_absence(service: &ServiceView, server: &ServerView) -> Absence {
    match server.state {
        ServerState::Up | ServerState::Down => Absence::Well(carried(service)),
        ServerState::Drained if server.full => Absence::Well(carried(service)),
        ServerState::Checking => Absence::Unknown,
        ServerState::Drained | ServerState::Halted | ServerState::Off => {
            Absence::Withdrawn(server.reason.split(';').next().unwrap_or_default().to_owned())
        }
    }
}

fn server_down(service: &ServiceView, server: &ServerView) -> Trouble {
    let ServerView { label, address, port, reason, check, .. } = server;
    let service_port = service.ports.split([',', '-']).next().unwrap_or_default();
    let host = place(*address, None);
    let at = port.map_or_else(|| join(*address, service_port), |port| place(*address, Some(port)));
    let first = service.addresses.first().map(|view| view.address);
    Trouble {
        severity: Severity::Warning,
        name: format!("{label} of {} ({})", service.label, place(*address, *port)),
        state: "is down".into(),
        over: "is up again".into(),
        why: format!("{reason} (check: {check})"),
        effect: carried(service),
        look_at: format!("Does the application on {host} run, and does the network lead there?"),
        place: first.map(|first| Place { server: at, service: join(first, &service.ports) }),
    }
}

fn degraded(service: &ServiceView) -> Trouble {
    Trouble {
        severity: Severity::Warning,
        name: format!("{} ({})", service.label, service.place()),
        state: "is not whole".into(),
        over: "is whole again".into(),
        why: service.problem.clone().unwrap_or_else(|| failing(service)),
        effect: carried(service),
        look_at: "The System Overview shows each server of the service with the answer to its check.".into(),
        place: None,
    }
}

fn down(service: &ServiceView) -> Trouble {
    Trouble {
        severity: Severity::Critical,
        name: format!("{} ({})", service.label, service.place()),
        state: "is down: no server is left".into(),
        over: "works again".into(),
        why: service.problem.clone().unwrap_or_else(|| failing(service)),
        effect: format!("What clients meet: {}.", service.without_server),
        look_at: "Bring one of its servers back first; the System Overview shows why each was taken out."
            .into(),
        place: None,
    }
}

fn on_fallback(service: &ServiceView, place: &str) -> Trouble {
    Trouble {
        severity: Severity::Critical,
        name: format!("{} ({})", service.label, service.place()),
        state: format!("is served by its fallback server {place}"),
        over: "is served by its own servers again".into(),
        why: "no real server takes new connections".into(),
        effect: "Nobody checks the fallback server.".into(),
        look_at: "Bring one of the real servers back; the System Overview shows why each was taken out."
            .into(),
        place: None,
    }
}

/// `POOL goes on with 1 of 2 servers.`
fn carried(service: &ServiceView) -> String {
    let up = service.real_servers.iter().filter(|server| server.state == ServerState::Up).count();
    let label = &service.label;
    match (up, service.real_servers.len()) {
        (0, _) => format!("{label} has no server left; {}.", service.without_server),
        (up, all) if up == all && all == 1 => format!("{label} has its server."),
        (up, all) if up == all => format!("{label} has all its {all} servers."),
        (up, all) => format!("{label} goes on with {up} of {all} servers."),
    }
}

/// Names of the servers that fail, not more than people read.
fn failing(service: &ServiceView) -> String {
    const TOLD: usize = 5;
    let down: Vec<_> =
        service.real_servers.iter().filter(|server| server.state == ServerState::Down).collect();
    let mut names: Vec<_> = down.iter().take(TOLD).map(|server| server.label.as_str()).collect();
    let more = format!("{} more", down.len().saturating_sub(TOLD));
    if down.len() > TOLD {
        names.push(&more);
    }
    match names.as_slice() {
        [] => "no server takes new connections".into(),
        [one] => format!("{one} fails its check"),
        many => format!("{} fail their checks", many.join(", ")),
    }
}

/// Mail that cannot be delivered is no reason for a mail.
fn condition(condition: &Condition) -> Option<(Topic, Trouble)> {
    let about = condition.about.clone();
    let (topic, severity) = match condition.kind {
        ConditionKind::Mail => return None,
        ConditionKind::Disk => (Topic::Disk { part: about }, Severity::Critical),
        ConditionKind::Memory => (Topic::Memory, Severity::Warning),
        ConditionKind::Clock => (Topic::Clock, Severity::Warning),
        ConditionKind::Certificate => (Topic::Certificate { of: about }, Severity::Warning),
        ConditionKind::SnatPorts => {
            let (service, server) = about.split_once('/')?;
            let (service, server) = (service.to_owned(), server.to_owned());
            (Topic::SnatPorts { service, server }, Severity::Warning)
        }
        ConditionKind::Update => (Topic::Update, Severity::Warning),
        ConditionKind::Other => (Topic::Appliance { part: about }, Severity::Warning),
    };
    let (state, over) = match condition.kind {
        ConditionKind::Clock => ("is not synchronised", "is synchronised again"),
        ConditionKind::Update => ("is given up", "is out of the way"),
        _ => ("needs attention", "is well again"),
    };
    let trouble = Trouble {
        severity,
        name: name(&topic),
        state: state.into(),
        over: over.into(),
        why: condition.text.trim_end_matches('.').to_owned(),
        effect: String::new(),
        look_at: String::new(),
        place: None,
    };
    Some((topic, trouble))
}

/// What the appliance itself complains of, as its mails begin.
fn name(topic: &Topic) -> String {
    match topic {
        Topic::Disk { .. } => "The disk of the appliance".into(),
        Topic::Memory => "The memory of the appliance".into(),
        Topic::Clock => "The clock of the appliance".into(),
        Topic::Certificate { of } if of == "WebUI" => "The certificate of the WebUI".into(),
        Topic::Certificate { of } => format!("The certificate of {of}"),
        Topic::SnatPorts { service, server } => {
            format!("The pool of source ports towards {server} of {service}")
        }
        Topic::Update => "The last update".into(),
        _ => "The appliance itself".into(),
    }
}

fn place(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| SocketAddr::new(address, port).to_string())
}

fn join(address: IpAddr, ports: &str) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{ports}"),
        IpAddr::V6(address) => format!("[{address}]:{ports}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::config::{Document, Format, validate};
    use crate::engine::{Engine, Now, Start};
    use crate::network::topology::Topology;
    use crate::traffic::listing::Listing;

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    /// The example, whose first service has two servers; everything is up.
    pub(crate) fn view() -> View {
        let start = Start {
            config: validate(Document::parse(EXAMPLE, Format::Toml).unwrap()).unwrap(),
            version: 1,
            listing: Listing::default(),
            topology: Topology::default(),
            fast_path_missing: None,
            problems: Vec::new(),
            host_name: "lbmaster".into(),
        };
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let mut view = Engine::new(start, now).0.view();
        view.conditions.clear();
        for service in &mut view.virtual_services {
            service.state = ServiceState::Up;
            service.real_servers.iter_mut().for_each(|server| server.state = ServerState::Up);
        }
        view
    }

    fn server() -> Topic {
        let [service, server] = ["DATALINK_POOL1", "DATALINK_POOL1_NODE1"].map(str::to_owned);
        Topic::Server { service, server }
    }

    #[test]
    fn a_server_that_is_down_and_its_service_are_told_with_what_goes_on() {
        let mut view = view();
        assert_eq!(troubles(&view), BTreeMap::new());
        let service = &mut view.virtual_services[0];
        service.state = ServiceState::Degraded;
        service.real_servers[0].state = ServerState::Down;
        service.real_servers[0].reason = "the connection was refused".into();
        let found = troubles(&view);
        let about: Vec<_> = found.keys().cloned().collect();
        assert_eq!(about, [Topic::ServiceDegraded { service: "DATALINK_POOL1".into() }, server()]);
        let told = &found[&server()];
        assert_eq!(told.name, "DATALINK_POOL1_NODE1 of DATALINK_POOL1 (192.168.10.110:2001)");
        assert!(
            told.why.starts_with("the connection was refused (check: DICOM C-ECHO to DW_SCP"),
            "{told:?}"
        );
        assert_eq!(told.effect, "DATALINK_POOL1 goes on with 1 of 2 servers.");
        let place = told.place.clone().unwrap();
        assert_eq!(
            (place.server.as_str(), place.service.as_str()),
            ("192.168.10.110:2001", "192.168.10.100:2001")
        );
        view.virtual_services[0].state = ServiceState::Down;
        let down = Topic::ServiceDown { service: "DATALINK_POOL1".into() };
        assert_eq!(troubles(&view)[&down].severity, Severity::Critical);
    }

    #[test]
    fn what_somebody_wanted_is_no_recovery_and_what_is_not_known_nothing() {
        let mut view = view();
        assert_eq!(absence(&view, &server()), Absence::Well("DATALINK_POOL1 has all its 2 servers.".into()));
        let state = |view: &mut View, state: ServerState, reason: &str| {
            let server = &mut view.virtual_services[0].real_servers[0];
            (server.state, server.reason) = (state, reason.into());
        };
        state(&mut view, ServerState::Checking, "the first check is under way");
        assert_eq!(absence(&view, &server()), Absence::Unknown);
        state(&mut view, ServerState::Drained, "drained by an operator; and it fails its check: refused");
        assert_eq!(absence(&view, &server()), Absence::Withdrawn("drained by an operator".into()));
        view.virtual_services[0].real_servers[0].full = true;
        assert!(matches!(absence(&view, &server()), Absence::Well(_)));
        view.virtual_services[0].real_servers.remove(0);
        assert!(matches!(absence(&view, &server()), Absence::Withdrawn(why) if why.contains("removed")));
        view.virtual_services.remove(0);
        assert!(matches!(absence(&view, &server()), Absence::Withdrawn(_)));
        assert_eq!(absence(&view, &Topic::Memory), Absence::Well(String::new()));
    }

    #[test]
    fn a_clock_that_is_not_synchronised_is_told_with_why() {
        let mut view = view();
        view.conditions = vec![Condition::new(ConditionKind::Clock, "ntp", "The clock is 1 h slow.")];
        let trouble = troubles(&view).remove(&Topic::Clock).unwrap();
        let Trouble { name, state, over, why, .. } = trouble;
        let words = [name.as_str(), &state, &over, &why];
        let clock = "The clock of the appliance";
        assert_eq!(words, [clock, "is not synchronised", "is synchronised again", "The clock is 1 h slow"]);
        view.conditions.clear();
        let mut after = |state| {
            view.clock.state = state;
            absence(&view, &Topic::Clock)
        };
        assert_eq!(after(ClockState::Starting), Absence::Unknown, "after a restart of lbd, say");
        assert_eq!(after(ClockState::Synchronised), Absence::Well(String::new()));
        assert!(matches!(after(ClockState::Free), Absence::Withdrawn(_)));
    }

    #[test]
    fn whose_certificate_it_is_and_which_source_ports_stands_in_the_subject() {
        let mut view = view();
        view.conditions = [
            (ConditionKind::Certificate, "192.168.10.110"),
            (ConditionKind::Certificate, "WebUI"),
            (ConditionKind::SnatPorts, "DATALINK_POOL1/DATALINK_POOL1_NODE1"),
        ]
        .map(|(kind, about)| Condition::new(kind, about, "Look."))
        .to_vec();
        let names: BTreeSet<_> = troubles(&view).into_values().map(|trouble| trouble.name).collect();
        let expected = [
            "The certificate of 192.168.10.110",
            "The certificate of the WebUI",
            "The pool of source ports towards DATALINK_POOL1_NODE1 of DATALINK_POOL1",
        ];
        assert!(names.iter().eq(expected.iter()), "{names:?}");
    }

    #[test]
    fn a_version_that_was_given_up_is_told_as_the_update_that_it_was() {
        let mut view = view();
        view.conditions =
            vec![Condition::new(ConditionKind::Update, "version", "Version 2 never proved itself.")];
        let Trouble { name, state, why, .. } = troubles(&view).remove(&Topic::Update).unwrap();
        let words = [name.as_str(), &state, &why];
        assert_eq!(words, ["The last update", "is given up", "Version 2 never proved itself"]);
        view.conditions.clear();
        assert_eq!(absence(&view, &Topic::Update), Absence::Well(String::new()));
    }

    #[test]
    fn mail_that_waits_makes_no_more_mail() {
        let mut view = view();
        view.conditions = vec![
            Condition::new(ConditionKind::Mail, "delivery", "1 mail waits."),
            Condition::new(ConditionKind::Disk, "data", "The disk takes no writes."),
            Condition::new(ConditionKind::SnatPorts, "DATALINK_POOL1/DATALINK_POOL1_NODE1", "Few are left."),
        ];
        let found: Vec<_> = troubles(&view).into_keys().collect();
        let [Topic::SnatPorts { service, .. }, Topic::Disk { part }] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!((service.as_str(), part.as_str()), ("DATALINK_POOL1", "data"));
    }
}
