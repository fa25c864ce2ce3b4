use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::channel::{Channel, ChannelError, LARGEST, Port, Protocol, Registers};
use super::facts::{Adapter, Facts, MOST_ADAPTERS, MOST_ADDRESSES, news};
use super::fake::Vmware;
use super::request::{Request, State, parse};
use super::services::{End, Services};
use super::session::{Session, Step};

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn facts() -> Facts {
    let adapter = |last: u8, addresses: &[(&str, u8)]| Adapter {
        hardware_address: format!("00:50:56:00:00:{last:02x}"),
        addresses: addresses.iter().map(|(address, prefix)| (ip(address), *prefix)).collect(),
    };
    Facts {
        host_name: "lb-radiology".into(),
        system: "Evenkeel 0.1.0 (Linux 6.12.57)".into(),
        adapters: vec![adapter(1, &[("192.168.2.21", 24), ("fd00::21", 64)]), adapter(2, &[("10.0.0.5", 8)])],
    }
}

fn session(vmware: Vmware) -> Session<Vmware> {
    Session::new(vmware, Services::new(facts()))
}

/// Steps until there is no more question and no answer is owed; gives what was more than quiet.
fn settle(session: &mut Session<Vmware>) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        let waiting = session.port().questions.len();
        steps.extend(Some(session.step(ms(0)).unwrap()).filter(|step| *step != Step::Quiet));
        if waiting == 0 {
            return steps;
        }
    }
}

#[test]
fn what_is_said_when_the_machine_starts() {
    let vmware = Vmware::asking(&[
        "reset",
        "ping",
        "Capabilities_Register",
        "Set_Option synctime 0",
        "Set_Option broadcastIP 1",
        "OS_PowerOn",
        "Vix_1_Relayed_Command \"38cdcae40e075d66\"",
        "ping",
    ]);
    let mut session = session(vmware);
    assert_eq!(settle(&mut session), [Step::Opened]);
    insta::assert_snapshot!(session.port().take_transcript());
    // From then on the heart beats, and nothing is told twice.
    session.port().ask("ping");
    assert_eq!(settle(&mut session), []);
    assert_eq!(session.port().take_transcript(), "Tclo < ping\nTclo > OK ");
}

#[test]
fn shut_down_and_restart_are_answered_before_they_are_done() {
    for (question, end) in [("OS_Halt", End::PowerOff), ("OS_Reboot", End::Restart)] {
        let mut session = session(Vmware::default());
        settle(&mut session);
        session.port().take_transcript();
        session.port().ask(question);
        assert_eq!(session.step(ms(0)), Ok(Step::End(end)));
        session.refuse(end).unwrap();
        insta::assert_snapshot!(format!("ends_{}", end.word()), session.port().take_transcript());
    }
}

#[test]
fn what_changes_is_told_and_nothing_else() {
    let mut session = session(Vmware::default());
    settle(&mut session);
    session.port().take_transcript();
    let renamed = Facts { host_name: "lb-2\nguestinfo.x".into(), ..facts() };
    session.services().know(renamed.clone());
    settle(&mut session);
    settle(&mut session);
    let moved = Facts { adapters: renamed.adapters[1..].to_vec(), ..renamed };
    session.services().know(moved);
    settle(&mut session);
    insta::assert_snapshot!(session.port().take_transcript());
}

#[test]
fn after_a_move_everything_is_opened_and_told_again() {
    let mut session = session(Vmware::default());
    settle(&mut session);
    let first = session.port().take_transcript();
    session.port().forget_channels();
    assert_eq!(session.step(ms(1000)), Err(ChannelError::Failed("while a message was sent")));
    assert_eq!(session.services().next_deadline(), ms(16_000), "no hurry");
    assert_eq!(settle(&mut session), [Step::Opened]);
    let again = session.port().take_transcript();
    assert_eq!(again, format!("-- the channels are gone\n{first}"));
    session.port().ask("OS_Resume");
    settle(&mut session);
    assert!(session.port().take_transcript().contains("SetGuestInfo  1 lb-radiology"));
    assert_eq!(session.port().open_channels(), 1);
}

#[test]
fn a_checkpoint_in_a_message_begins_it_again() {
    let calls = {
        let mut session = session(Vmware::asking(&["ping"]));
        settle(&mut session);
        session.port().calls
    };
    // The first call opens the channel; in each of the others the machine may be moved.
    for at in 2..=calls {
        let vmware = Vmware::asking(&["ping"]).with(|vmware| vmware.checkpoints = vec![at]);
        let mut session = session(vmware);
        let mut refused = 0;
        for _ in 0..4 {
            refused += usize::from(session.step(ms(0)).is_err());
        }
        let said = session.port().take_transcript();
        assert!(said.contains("Tclo > OK ") && said.contains("info-set guestinfo.ip 192.168.2.21"), "{said}");
        // Only the opening of the channel for what is told is not repeated by itself.
        assert!(refused <= 1, "{at}: {said}");
    }
    let mut restless = Vmware::default();
    let channel = Channel::open(&mut restless, Protocol::Tclo).unwrap();
    restless.checkpoints = (2..5).collect();
    assert_eq!(channel.send(&mut restless, b"OK "), Err(ChannelError::Restless));
}

#[test]
fn where_no_channel_is_opened_it_is_tried_again_later() {
    let mut session = session(Vmware::default().with(|vmware| vmware.refuses = true));
    assert_eq!(session.step(ms(5)), Err(ChannelError::Refused(Protocol::Tclo)));
    assert_eq!(session.services().next_deadline(), ms(15_005));
    session.port().refuses = false;
    assert_eq!(session.step(ms(15_005)), Ok(Step::Opened));
}

#[test]
fn what_the_hypervisor_does_not_want_to_know_is_noted_and_harms_nothing() {
    let vmware = Vmware::asking(&["ping"]).with(|vmware| vmware.denies = Some("SetGuestInfo  10"));
    let mut session = session(vmware);
    assert_eq!(settle(&mut session), [Step::Opened]);
    let refused: Vec<_> = session.refused().iter().cloned().collect();
    assert!(refused.len() == 1 && refused[0].starts_with("SetGuestInfo  10 "), "{refused:?}");
    assert!(session.port().take_transcript().contains("Rpci > info-set guestinfo.ip"), "the rest is told");
}

#[test]
fn a_message_without_bound_is_not_taken() {
    let mut session = session(Vmware::asking(&["ping"]).with(|vmware| vmware.announces = Some(u32::MAX)));
    assert_eq!(session.step(ms(0)), Err(ChannelError::TooLarge(u32::MAX)));
    assert!(session.port().calls < 10);
    let large = "x".repeat(LARGEST as usize);
    session.port().ask(&large);
    settle(&mut session);
    assert!(session.port().take_transcript().contains("Tclo > ERROR Unknown command"));
}

#[test]
fn looks_are_frequent_after_a_question_and_calm_otherwise() {
    let mut services = Services::new(facts());
    let rests = |services: &mut Services| {
        let mut rest = || {
            services.heard_nothing(ms(0));
            services.next_deadline().as_millis()
        };
        [rest(), rest(), rest(), rest(), rest(), rest()]
    };
    assert_eq!(rests(&mut services), [10, 20, 40, 80, 100, 100]);
    services.hear(b"ping", ms(7));
    assert_eq!(services.next_deadline(), ms(7), "questions come in groups");
    assert_eq!(rests(&mut services)[0], 10);
}

#[test]
fn every_request_and_what_follows() {
    use State::*;
    let state = |state: State, end: Option<End>| {
        (Request::State(state), vec![format!("tools.os.statechange.status 1 {}", state as u8)], "OK ", end)
    };
    let address = || vec!["info-set guestinfo.ip 192.168.2.21".to_owned()];
    let nothing = Vec::new;
    type Follows = (Request, Vec<String>, &'static str, Option<End>);
    let table: [(&[u8], Follows); 14] = [
        (b"reset", (Request::Reset, nothing(), "OK ATR toolbox", None)),
        (b"ping", (Request::Ping, nothing(), "OK ", None)),
        (b"ping\0", (Request::Ping, nothing(), "OK ", None)),
        (b"OS_Halt", state(Halt, Some(End::PowerOff))),
        (b"OS_Reboot", state(Restart, Some(End::Restart))),
        (b"OS_PowerOn", state(PowerOn, None)),
        (b"OS_Resume", state(Resume, None)),
        (b"OS_Suspend", state(Suspend, None)),
        (b"Set_Option broadcastIP 1", (Request::TellAddress(true), address(), "OK ", None)),
        (b"Set_Option broadcastIP 0", (Request::TellAddress(false), nothing(), "OK ", None)),
        (b"Set_Option copypaste 1", (Request::Option, nothing(), "OK ", None)),
        (b"OS_Halt_", (Request::Unknown, nothing(), "ERROR Unknown command", None)),
        (b"\xff", (Request::Unknown, nothing(), "ERROR Unknown command", None)),
        (b"", (Request::Unknown, nothing(), "ERROR Unknown command", None)),
    ];
    for (message, (request, tell, answer, end)) in table {
        assert_eq!(parse(message), request, "{}", message.escape_ascii());
        let turn = Services::new(facts()).hear(message, ms(0));
        let told: Vec<_> = turn.tell.into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
        assert_eq!((told, turn.answer, turn.end), (tell, answer.as_bytes(), end), "{request:?}");
    }
    let turn = Services::new(Facts::default()).hear(b"Set_Option broadcastIP 1", ms(0));
    assert_eq!(turn.answer, b"ERROR Unable to find guest IP address");
    let mut silent = Services::new(facts());
    silent.hear(b"Set_Option broadcastIP 0", ms(0));
    assert!(!silent.news().iter().any(|message| message.starts_with(b"info-set")));
}

/// Written out by hand from RFC 4506 and the order of the fields in open-vm-tools' `nicinfo.x`.
#[test]
fn the_list_of_adapters_has_the_bytes_of_its_definition() {
    let facts = Facts { adapters: facts().adapters[1..].to_vec(), ..Facts::default() };
    let expected: Vec<u8> = [
        &b"SetGuestInfo  10 "[..],
        b"\0\0\0\x03\0\0\0\x01\0\0\0\x01", // version 3, present, one adapter
        b"\0\0\0\x1100:50:56:00:00:02\0\0\0", // 17 bytes, filled up to 20
        b"\0\0\0\x01\0\0\0\x01\0\0\0\x04\x0a\0\0\x05", // one address, IPv4, four bytes
        b"\0\0\0\x08\0\0\0\0\0\0\0\x01\0\0\0\x01", // prefix 8, no origin, status preferred
        &[0; 16],                          // no name servers, WINS, DHCP
        &[0; 20],                          // no routes, and the same four
    ]
    .concat();
    assert!(news(None, &facts).contains(&expected), "{}", news(None, &facts)[3].escape_ascii());
}

#[test]
fn the_largest_machine_fits_into_a_message() {
    let addresses = vec![(ip("fd00::1"), 64); MOST_ADDRESSES * 3];
    let adapter = Adapter { hardware_address: "00:50:56:00:00:01".repeat(9), addresses };
    let facts = Facts { host_name: "é".repeat(999), adapters: vec![adapter; MOST_ADAPTERS * 3], ..facts() };
    for message in news(None, &facts) {
        assert!(message.len() < LARGEST as usize, "{} bytes", message.len());
    }
}

/// A hypervisor that says anything.
#[derive(Debug)]
struct Anything {
    answers: Vec<Registers>,
    calls: usize,
}

impl Port for Anything {
    fn call(&mut self, _: Registers) -> Registers {
        self.calls += 1;
        self.answers[self.calls % self.answers.len()]
    }
}

fn registers() -> impl Strategy<Value = Registers> {
    // Successes are frequent enough to get anywhere.
    let upper = prop_oneof![Just(1_u32), Just(3), Just(2), Just(0x10), any::<u16>().prop_map(u32::from)];
    (any::<u32>(), prop_oneof![0_u32..40, any::<u32>()], upper.clone(), upper).prop_map(
        |(eax, ebx, ecx, edx)| Registers { eax, ebx, ecx: ecx << 16, edx: edx << 16, ..Registers::default() },
    )
}

proptest! {
    #[test]
    fn whatever_the_hypervisor_says_a_step_ends(answers in proptest::collection::vec(registers(), 1..40)) {
        let mut session = Session::new(Anything { answers, calls: 0 }, Services::new(facts()));
        for _ in 0..4 {
            let _ = session.step(ms(0));
        }
        prop_assert!(session.port().calls < 2_000_000);
    }

    #[test]
    fn any_question(message in proptest::collection::vec(any::<u8>(), 0..60)) {
        let turn = Services::new(facts()).hear(&message, ms(0));
        prop_assert_eq!(turn.end.is_some(), matches!(parse(&message), Request::State(State::Halt | State::Restart)));
    }
}
