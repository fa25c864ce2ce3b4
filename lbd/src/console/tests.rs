//! The console as somebody meets it: transcripts of what is typed and shown, with lbd's part played by the test.

use std::collections::VecDeque;

use insta::assert_snapshot;
use jiff::Timestamp;
use proptest::prelude::*;

use super::facts::{Adapter, Link};
use super::menu::Order;
use super::*;
use crate::tools::Finding;
use crate::web::update::{LeftVersion, OtherVersion, UpdateDocument, VersionStanding};
use crate::zero_touch::{Settings, initial_document};

fn adapter(number: u8, link: Link, addresses: &[&str]) -> Adapter {
    Adapter {
        name: format!("eth{number}"),
        hardware: format!("52:54:00:65:6b:{number:02x}"),
        link,
        addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
    }
}

fn facts() -> Facts {
    let pairs: Vec<_> = (0..32).map(|byte| format!("{byte:02X}")).collect();
    Facts {
        host_name: "lbmaster".into(),
        version: "0.1.0".into(),
        fingerprint: Some(pairs.join(":")),
        is_configured: false,
        state: "UP".into(),
        problems: Vec::new(),
        services: Vec::new(),
        document: initial_document(&Settings::default()),
        adapters: vec![
            adapter(0, Link::Up(Some(10_000)), &["192.168.2.21/24"]),
            adapter(1, Link::Down, &[]),
            adapter(2, Link::Off, &[]),
        ],
    }
}

fn configured() -> Facts {
    Facts { is_configured: true, ..facts() }
}

fn answers(facts: Facts) -> Daemon {
    Daemon::Answers(Box::new(facts))
}

/// A console, what was shown, and what comes of the effects.
struct Stage {
    console: Console,
    shown: String,
    daemon: Daemon,
    outcomes: VecDeque<Outcome>,
    effects: Vec<Effect>,
}

impl Stage {
    fn new(facts: Facts) -> Self {
        let mut stage = Self {
            console: Console::new("lbmaster".into(), false, false),
            shown: String::new(),
            daemon: answers(facts),
            outcomes: VecDeque::new(),
            effects: Vec::new(),
        };
        let first = Outcome::Looked(stage.daemon.clone());
        stage.happens(Input::Outcome(first));
        stage
    }

    fn at_keyboard(facts: Facts) -> Self {
        let mut stage = Self::new(facts);
        stage.console.has_keyboard = true;
        stage
    }

    /// What the next effect but a look comes to.
    fn expecting(mut self, outcome: Outcome) -> Self {
        self.outcomes.push_back(outcome);
        self
    }

    fn happens(&mut self, input: Input) {
        let mut turn = self.console.take(input);
        loop {
            assert!(turn.text.lines().all(|line| line.len() <= text::WIDTH), "too wide:\n{}", turn.text);
            assert!(turn.text.lines().count() <= 23, "too long:\n{}", turn.text);
            self.shown += &turn.text;
            let Some(effect) = turn.effect else { return };
            let outcome = match effect {
                Effect::Look => Outcome::Looked(self.daemon.clone()),
                Effect::LogOut => Outcome::LoggedOut,
                _ => self.outcomes.pop_front().unwrap_or_else(|| panic!("nothing is expected of {effect:?}")),
            };
            self.shown += &format!("<{}>\n", shape(&effect));
            self.effects.push(effect);
            turn = self.console.take(Input::Outcome(outcome));
        }
    }

    fn types(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            let Prompt { text, echoes } = self.console.prompt();
            let visible = if echoes { (*line).to_owned() } else { "*".repeat(line.len()) };
            self.shown += &format!("{text}{visible}\n");
            self.happens(Input::Line((*line).to_owned()));
        }
        self
    }

    /// What was shown since the last time, and the prompt at the end.
    fn transcript(&mut self) -> String {
        std::mem::take(&mut self.shown) + &self.console.prompt().text
    }
}

/// Without secrets, as it is kept in the snapshots.
fn shape(effect: &Effect) -> String {
    match effect {
        Effect::LogIn { user, .. } => format!("LogIn {user}"),
        Effect::ChangePassword { .. } => "ChangePassword".into(),
        Effect::RecoverPassword(_) => "RecoverPassword".into(),
        other => format!("{other:?}"),
    }
}

const FREE: Outcome = Outcome::Probed(Ok(None));
/// The whole wizard, each line with a screen of its own.
const WIZARD: [&str; 14] = [
    "setup",
    "setup",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "192.168.10.10/24",
    "192.168.10.1",
    "192.168.10.2",
    "four words",
    "four words",
];

fn admitted() -> Outcome {
    let user = FIRST_USER.to_owned();
    Outcome::LoggedIn(Ok(Admitted { user, is_administrator: true, must_change: false }))
}

#[test]
fn the_whole_wizard() {
    let mut stage = Stage::new(facts()).expecting(FREE).expecting(Outcome::Applied(Ok(None)));
    stage.types(&WIZARD).types(&["yes"]);
    stage.daemon = answers(configured());
    stage.types(&[""]);
    assert_snapshot!(stage.transcript());
    let Some(Effect::Apply(answers)) = stage.effects.iter().find(|it| matches!(it, Effect::Apply(_))) else {
        panic!("nothing is applied: {:?}", stage.effects)
    };
    assert_eq!(answers.password.as_deref(), Some("four words"));
    let document = wizard::document(&facts().document, answers);
    assert_snapshot!("the_document_of_the_wizard", document.to_toml());
    assert!(crate::config::validate(document).is_ok());
}

#[test]
fn every_wrong_input_is_refused_with_what_to_type_instead() {
    let used = Outcome::Probed(Ok(Some("52:54:00:00:00:09".into())));
    let mut stage = Stage::new(facts()).expecting(used).expecting(FREE);
    stage.types(&["operator", "setup", "wrong", "setup", "setup"]);
    stage.types(&[
        "perhaps",
        "",
        "yes",
        "yes",
        "",
        "yes",
        "eth0",
        "eth0 eth9",
        "eth0 eth1",
        "fast",
        "b",
        "b",
        "no",
    ]);
    stage.types(&["yes", "4095", "b", "no"]);
    stage.types(&["eth9", "7", "1"]);
    stage.types(&["192.168.10.10", "192.168.10.10/255.255.255.0", "192.168.10.10 255.255.255.128"]);
    stage.types(&["192.168.10.10/33", "192.168.10.0/24", "192.168.10.255/24", "300.1.1.1/24", "fd00::1/64"]);
    stage.types(&["192.168.10.9/24", "192.168.10.10/24"]);
    stage.types(&["192.168.11.1", "192.168.10.10", "router", "192.168.10.1"]);
    stage.types(&["dns.example", "192.168.10.2, 192.168.10.3"]);
    stage.types(&["", "short", "long enough", "another one", "long enough", "long enough", "perhaps"]);
    assert_snapshot!(stage.transcript());
}

#[test]
fn back_keeps_what_was_typed() {
    let mut stage = Stage::new(facts()).expecting(FREE).expecting(Outcome::Applied(Ok(None)));
    stage.types(&WIZARD);
    stage.transcript();
    // Back to the first screen, and forward again by Enter alone.
    stage.types(&["b", "back", "B", "b", "b", "b", "b", "b", "b", "b", "b", "b"]);
    assert_snapshot!("back_to_the_first_screen", stage.transcript());
    stage.types(&["", "", "", "", "", "", "", "", "", "", "", ""]);
    assert_eq!(stage.effects.iter().filter(|it| matches!(it, Effect::Probe { .. })).count(), 1, "asked once");
    let Some(Effect::Apply(answers)) = stage.effects.iter().find(|it| matches!(it, Effect::Apply(_))) else {
        panic!("not at the end: {}", stage.transcript())
    };
    let typed = (answers.address.unwrap().address.to_string(), answers.gateway.unwrap().to_string());
    assert_eq!(typed, ("192.168.10.10".to_owned(), "192.168.10.1".to_owned()));
    assert_eq!(answers.password.as_deref(), Some("four words"));
}

#[test]
fn a_vlan_on_a_bond() {
    let mut stage = Stage::new(facts()).expecting(Outcome::Applied(Ok(None)));
    stage.types(&[
        "setup",
        "setup",
        "",
        "",
        "",
        "",
        "yes",
        "1 2",
        "802.3ad",
        "yes",
        "100",
        "",
        "192.168.10.10/24",
    ]);
    stage.types(&["", "", "four words", "four words", ""]);
    assert_snapshot!("a_vlan_on_a_bond", stage.transcript());
    let Some(Effect::Apply(answers)) = stage.effects.iter().find(|it| matches!(it, Effect::Apply(_))) else {
        panic!("nothing is applied")
    };
    assert_snapshot!(
        "the_document_of_a_vlan_on_a_bond",
        wizard::document(&facts().document, answers).to_toml()
    );
}

/// Neither Enter nor another interface makes an address free.
#[test]
fn an_address_that_was_in_use_is_asked_for_again() {
    let used = || Outcome::Probed(Ok(Some("52:54:00:00:00:09".into())));
    let unknown = Outcome::Probed(Err("eth1 has no link".into()));
    let mut stage =
        Stage::new(facts()).expecting(used()).expecting(used()).expecting(unknown).expecting(FREE);
    stage.types(&WIZARD[..9]).types(&["192.168.10.9/24", "", "b", "eth1", ""]);
    let shown = stage.transcript();
    assert_eq!(shown.matches("in use already").count(), 2, "{shown}");
    assert!(
        shown.contains("is not known: eth1 has no link.") && shown.ends_with("Default gateway [none]: "),
        "{shown}"
    );
    stage.types(&["b", "b", "eth0", ""]);
    assert_eq!(stage.effects.iter().filter(|it| matches!(it, Effect::Probe { .. })).count(), 4);
}

#[test]
fn a_refusal_of_lbd_leads_back_to_the_summary() {
    let refused = Outcome::Applied(Err("Nothing was changed. The disk is full.".into()));
    let mut stage =
        Stage::new(facts()).expecting(FREE).expecting(refused).expecting(Outcome::Applied(Ok(None)));
    stage.types(&WIZARD);
    stage.transcript();
    stage.types(&["", ""]);
    let shown = stage.transcript();
    assert!(
        shown.contains("! Nothing was changed. The disk is full.") && shown.contains("Summary"),
        "{shown}"
    );
    assert!(shown.contains("Configuration complete"), "{shown}");
}

#[test]
fn without_the_network_only_the_password_is_set() {
    let mut stage = Stage::new(facts()).expecting(Outcome::Applied(Ok(None)));
    stage.types(&["setup", "setup", "no", "", "", "four words", "four words", ""]);
    let Some(Effect::Apply(answers)) = stage.effects.iter().find(|it| matches!(it, Effect::Apply(_))) else {
        panic!("{}", stage.transcript())
    };
    assert_eq!(wizard::document(&facts().document, answers), facts().document);
}

#[test]
fn leaving_changes_nothing_whichever_way() {
    for input in [Input::Line("c".into()), Input::End, Input::Idle] {
        let mut stage = Stage::new(facts()).expecting(FREE);
        stage.types(&WIZARD[..10]);
        stage.happens(input);
        assert!(stage.transcript().ends_with("lbmaster login: "));
        assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Apply(_))));
    }
}

#[test]
fn the_menu_of_an_administrator() {
    let mut facts = configured();
    facts.problems = vec!["The disk is nearly full: 900 MB of 20000 MB are free. Enlarge it.".into()];
    facts.services = (1..=22)
        .map(|number| format!("UP        POOL{number} 192.0.2.{number}:2001 (2 of 2 servers up)"))
        .collect();
    let wrong = Outcome::LoggedIn(Err("name or password are wrong.".into()));
    let mut stage = Stage::at_keyboard(facts)
        .expecting(wrong)
        .expecting(admitted())
        .expecting(Outcome::PasswordChanged(Err("The present password is another one.".into())))
        .expecting(Outcome::PasswordChanged(Ok(())))
        .expecting(admitted())
        .expecting(Outcome::Ordered(Ok(Order::PowerOff)));
    stage.types(&["setup", "root", "guess", "root", "four words", "11", "1", "", "q", "2", "q", "5", "no"]);
    stage.types(&["4", "guess", "short", "five words", "five wrds", "five words", "five words"]);
    stage.types(&["four words", "five words", "five words", "loadbalancer", "five words", "6", "yes"]);
    assert_snapshot!(stage.transcript());
}

fn found<const WIDTH: usize>(
    succeeded: bool,
    outcome: &str,
    columns: [&str; WIDTH],
    rows: Vec<[String; WIDTH]>,
) -> Outcome {
    let columns = columns.map(str::to_owned).to_vec();
    let rows = rows.into_iter().map(Vec::from).collect();
    Outcome::Found(Ok(Finding { succeeded, outcome: outcome.into(), columns, rows }))
}

fn neighbours(number: u16, address: impl Fn(u16) -> String) -> Outcome {
    let row = |last| ["eth0".into(), address(last), "52:54:00:00:00:09".into(), "reachable".into()];
    let columns = ["Interface", "Address", "Ethernet address", "State"];
    found(true, &format!("{number} in all."), columns, (1..=number).map(row).collect())
}

/// An administrator among the tools.
fn among_the_tools(outcomes: Vec<Outcome>) -> Stage {
    let mut stage = Stage::new(configured()).expecting(admitted());
    stage.types(&["root", "four words"]);
    stage.transcript();
    stage.outcomes.extend(outcomes);
    stage.types(&["9"]);
    stage
}

#[test]
fn the_tools_of_an_administrator() {
    let way = [
        ["1", "192.168.10.1", "0.21 0.18 *", "router"],
        ["2", "192.168.20.110", "0.40 0.38 0.39", "destination"],
    ];
    let mut stage = among_the_tools(vec![
        found(
            false,
            "192.168.10.110: 0 of 4 echo requests answered, 100 % lost. Is it switched on, and does a firewall let ICMP \
             through? Hosts may be up and answer no ping: try the TCP connect test.",
            ["Request", "Round trip (ms)", "What came"],
            vec![["1", "", "no answer within 1 s"].map(str::to_owned)],
        ),
        found(
            true,
            "192.168.20.110 is reached: behind one router.",
            ["Hop", "Address", "Round trips (ms)", "What came"],
            way.map(|row| row.map(str::to_owned)).to_vec(),
        ),
        Outcome::Found(Err("Another tool is at work. Try again in a moment.".into())),
        found(
            true,
            "DW_SCP at pacs:104 answers the C-ECHO: passed in 2.1 ms.",
            ["At (ms)", "Step"],
            Vec::new(),
        ),
    ]);
    stage.types(&["7", "1", "", "http://pacs", "192.168.10.110:104", "192.168.10.110", ""]);
    stage.types(&["2", "192.168.20.110", "", "3", "q", "4", "pacs", "0", "dicom", "70000", "104"]);
    stage.types(&["5", "", "", "", "MORE_THAN_16_CHARACTERS", "DW_SCP", "", "0"]);
    assert_snapshot!(stage.transcript());
    let tools: Vec<_> =
        stage.effects.iter().filter(|effect| matches!(effect, Effect::Use(_))).map(shape).collect();
    assert_eq!(tools.len(), 4, "{tools:?}");
}

#[test]
fn long_findings_are_read_page_by_page_and_wide_ones_over_more_lines() {
    let wide = |last| format!("fd00:0192:0168:0010:5054:00ff:fe00:00{last:02x}");
    let mut stage = among_the_tools(vec![
        neighbours(20, |last| format!("192.168.10.{last}")),
        neighbours(3, wide),
        neighbours(1_000, |last| format!("10.0.{}.{}", last / 256, last % 256)),
    ]);
    stage.types(&["6", "", "", "6", "", "6"]);
    stage.types(&[""; 10]);
    let shown = stage.transcript();
    assert!(shown.contains("And 820 more"), "{shown}");
    let first = shown.find("page 3 of 11").unwrap();
    assert_snapshot!(&shown[..first]);
    assert!(shown.ends_with("Enter goes back to the tools: "));
}

#[test]
fn a_finding_stays_until_somebody_types() {
    let mut stage = among_the_tools(vec![neighbours(1, |_| "192.168.10.9".into())]);
    stage.types(&["6"]);
    stage.transcript();
    stage.happens(Input::News(Daemon::Silent("it is away".into())));
    stage.happens(Input::OfferEnds);
    assert_eq!(stage.transcript(), "Enter goes back to the tools: ");
    stage.happens(Input::Idle);
    assert!(stage.transcript().ends_with("lbmaster login: "));
}

#[test]
fn a_one_time_password_leads_to_another_one_only() {
    let user = FIRST_USER.to_owned();
    let once = Outcome::LoggedIn(Ok(Admitted { user, is_administrator: true, must_change: true }));
    let mut stage = Stage::new(configured()).expecting(once).expecting(Outcome::PasswordChanged(Ok(())));
    stage.types(&["loadbalancer", "only once", "only once", "my own words", "my own words"]);
    assert_snapshot!(stage.transcript());
    let change = Effect::ChangePassword { current: "only once".into(), new: "my own words".into() };
    assert!(stage.effects.contains(&change));
}

#[test]
fn lbd_alone_restarts_and_the_session_ends() {
    let restarted = Outcome::Ordered(Ok(Order::RestartLbd));
    let mut stage = Stage::new(configured()).expecting(admitted()).expecting(restarted);
    stage.types(&["root", "four words", "8", "yes", "8", "", "7", "yes"]);
    assert_snapshot!(stage.transcript());
    assert_eq!(stage.effects.last(), Some(&Effect::Order(Order::RestartLbd)), "yes erases nothing");
}

/// What lbd tells of its own version 1.1 and of 1.0 beside it.
fn versions(standing: VersionStanding) -> UpdateDocument {
    UpdateDocument {
        running: "1.1".into(),
        development_build: false,
        on_trial: false,
        other: Some(OtherVersion {
            version: "1.0".into(),
            standing,
            starts_without_restart: false,
            why: None,
            left: None,
        }),
        uploaded: None,
        problem: None,
        online: Default::default(),
    }
}

#[test]
fn the_installed_versions_and_the_way_back() {
    let good = versions(VersionStanding::Good);
    let mut failed = versions(VersionStanding::Failed);
    failed.other =
        failed.other.map(|other| OtherVersion { why: Some("POOL lacked a server.".into()), ..other });
    let alone = UpdateDocument { other: None, development_build: true, ..good.clone() };
    let elsewhere = UpdateDocument { problem: Some("This is not the appliance.".into()), ..alone.clone() };
    let mut stage = Stage::new(configured()).expecting(admitted());
    let on_trial = UpdateDocument { on_trial: true, ..good };
    let mut others = [VersionStanding::Installed, VersionStanding::Left].map(versions);
    let left =
        LeftVersion { at: Timestamp::UNIX_EPOCH, configuration_version: 12, configuration_version_now: 15 };
    others[1].other = others[1].other.take().map(|other| OtherVersion { left: Some(left), ..other });
    for told in [on_trial, failed, alone, elsewhere].into_iter().chain(others) {
        stage = stage.expecting(Outcome::Versions(Ok(Box::new(told))));
    }
    stage = stage.expecting(Outcome::Versions(Err("lbd did not answer within 60 s".into())));
    stage.types(&["root", "four words", "10", "10", "10", "10", "10", "10", "10"]);
    assert_snapshot!(stage.transcript());
}

#[test]
fn who_restarted_the_machine_can_recover_it() {
    let mut stage = Stage::new(configured())
        .expecting(Outcome::RecoveryTold)
        .expecting(Outcome::PasswordRecovered(Err("the disk is full.".into())))
        .expecting(Outcome::PasswordRecovered(Ok(())))
        .expecting(Outcome::RecoveryTold)
        .expecting(Outcome::Ordered(Ok(Order::FactoryReset)));
    stage.console.offers_recovery = true;
    stage.types(&["", "recover", "9", "1", "short", "five words", "six words", "five words", "five words"]);
    stage.types(&["1", "", "1", "five words", "five words", "recover", "2", "yes", "2", "erase"]);
    assert_snapshot!(stage.transcript());
    assert!(stage.effects.contains(&Effect::RecoverPassword("five words".into())));
    assert_eq!(stage.effects.last(), Some(&Effect::Order(Order::FactoryReset)));
}

#[test]
fn the_offer_ends_but_for_who_has_taken_it() {
    let mut stage = Stage::new(configured()).expecting(Outcome::RecoveryTold);
    stage.console.offers_recovery = true;
    stage.types(&["recover"]);
    stage.happens(Input::OfferEnds);
    stage.types(&["2"]);
    assert!(stage.transcript().ends_with(Order::FactoryReset.question()));
    stage.happens(Input::Idle);
    let shown = stage.transcript();
    assert!(!shown.contains("Password lost?"), "{shown}");
    stage.types(&["recover"]);
    assert!(stage.transcript().ends_with("Password: "), "a name like any other");
}

#[test]
fn others_than_administrators_are_sent_to_the_webui() {
    let viewer = Admitted { user: "ann".into(), is_administrator: false, must_change: false };
    let mut stage = Stage::new(configured()).expecting(Outcome::LoggedIn(Ok(viewer)));
    stage.types(&["ann", "four words"]);
    assert!(stage.effects.contains(&Effect::LogOut));
    let shown = stage.transcript();
    assert!(shown.contains("for administrators") && shown.ends_with("login: "), "{shown}");
}

#[test]
fn an_lbd_that_is_away_is_told_and_waited_for() {
    let mut stage = Stage::new(configured());
    stage.transcript();
    let silent = Daemon::Silent("cannot reach lbd at /run/evenkeel/lbd.sock: connection refused".into());
    stage.daemon = silent.clone();
    stage.happens(Input::News(silent.clone()));
    stage.happens(Input::News(silent));
    stage.types(&["loadbalancer"]);
    stage.daemon = answers(Facts { host_name: "lb1".into(), ..configured() });
    stage.happens(Input::News(stage.daemon.clone()));
    assert_snapshot!(stage.transcript());
    stage.happens(Input::News(stage.daemon.clone()));
    assert_eq!(stage.transcript(), "lb1 login: ", "no news is not told");
}

#[test]
fn what_is_worth_knowing_stands_in_the_banner() {
    let mut facts = facts();
    facts.adapters[0].addresses.clear();
    facts.problems = (1..=5).map(|number| format!("Problem {number}: {}", "long ".repeat(60))).collect();
    let text = banner(&answers(facts), true);
    assert!(text.lines().count() <= 23, "{text}");
    assert_snapshot!(text);
}

fn any_input() -> impl Strategy<Value = Input> {
    let line = prop_oneof![
        3 => Just(String::new()),
        1 => any::<String>(),
        3 => prop::sample::select(vec!["setup", "root", "yes", "no", "b", "1", "2", "3", "4", "5", "7", "8", "0", "four words", "recover", "erase"])
            .prop_map(str::to_owned),
        1 => Just("192.168.10.10/24".to_owned()),
    ];
    prop_oneof![
        20 => line.prop_map(Input::Line),
        1 => Just(Input::End),
        1 => Just(Input::Idle),
        1 => Just(Input::News(Daemon::Starting)),
    ]
}

proptest! {
    /// Whatever is typed among the tools and whatever lbd answers: every screen fits, and a few keys lead out of it.
    #[test]
    fn nobody_is_caught_among_the_tools(
        lines in proptest::collection::vec(
            prop_oneof![
                4 => prop::sample::select(vec!["", "1", "2", "3", "4", "5", "6", "104", "DW_SCP", "pacs", "q"])
                    .prop_map(str::to_owned),
                1 => any::<String>(),
                1 => "[a-z.]{0,260}",
            ],
            0..40,
        ),
        answer in prop_oneof![
            any::<String>().prop_map(|why| Outcome::Found(Err(why.chars().take(500).collect()))),
            (0u16..300, 0usize..90).prop_map(|(number, width)| neighbours(number, |_| "x".repeat(width))),
        ],
    ) {
        let mut stage = among_the_tools(vec![answer.clone(); 50]);
        for line in &lines {
            if matches!(stage.console.place, Place::Tools(_)) {
                stage.types(&[line]);
            }
            prop_assert!(stage.console.prompt().text.len() < text::WIDTH);
        }
        stage.types(&["q", "q", "q"]);
        prop_assert!(matches!(stage.console.place, Place::Menu(_)), "{}", stage.transcript());
    }

    /// Whatever is typed: nothing panics, every line fits, a screen holds what is shown at once, and nobody gets past a
    /// password by anything but a log-in.
    #[test]
    fn anything_may_be_typed(inputs in proptest::collection::vec(any_input(), 0..60), is_configured: bool) {
        let mut stage = Stage::new(Facts { is_configured, ..facts() });
        for input in inputs {
            stage.outcomes = [Outcome::LoggedIn(Err("no.".into()))].into();
            if stage.console.user.is_none() && is_configured {
                let is_outside = matches!(stage.console.place, Place::Name | Place::Password { .. });
                prop_assert!(is_outside);
            }
            match stage.console.take(input).effect {
                Some(Effect::LogIn { .. }) => _ = stage.console.take(Input::Outcome(Outcome::LoggedIn(Err("no.".into())))),
                Some(Effect::Look) => _ = stage.console.take(Input::Outcome(Outcome::Looked(stage.daemon.clone()))),
                Some(Effect::Probe { .. }) => _ = stage.console.take(Input::Outcome(FREE)),
                Some(Effect::Apply(_)) => _ = stage.console.take(Input::Outcome(Outcome::Applied(Err("no".into())))),
                _ => {}
            }
            prop_assert!(stage.console.prompt().text.len() < text::WIDTH);
        }
    }
}
