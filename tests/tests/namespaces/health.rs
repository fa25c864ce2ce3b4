//! Servers that fail: noticed in time, avoided, explained in words, used again.

use std::time::{Duration, Instant};

use lab::{Host, Lab, Mode, Process};

/// Checks each second with a time-out of one, two failures: red after 3 s at most.
const RED_WITHIN: Duration = Duration::from_secs(3);
/// For scheduling on a busy test machine and for asking the status; not part of the product's promise.
const ALLOWANCE: Duration = Duration::from_millis(1500);

/// Waits until a server of the pool is red: whoever asks later than that finds it so. How long an answer is on its way is
/// no delay of lbd's.
fn wait_red_in_time(lab: &Lab, server: &str, broken: Instant) {
    lab.lbd().wait_status(&format!("{server} to be down"), |lbd| {
        let asked = broken.elapsed();
        let is_red = lbd.server("POOL", server)["state"] == "down";
        assert!(is_red || asked <= RED_WITHIN + ALLOWANCE, "not red {asked:?} after it broke");
        is_red
    });
}

/// A pool of two named servers; the client has been given one of them, which is returned first.
struct Pair<'a> {
    lab: &'a Lab,
    used: (&'a Host, &'static str, std::sync::Arc<Process>),
    other: &'static str,
}

impl<'a> Pair<'a> {
    fn start(lab: &'a Lab) -> Self {
        let [one, two] = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
        lab.lbd().start(&lab.config([&lab.pool()]));
        lab.lbd().wait_service("POOL", "up");
        let (used, other, process) = match lab.client().ask(lab.vip(0), 2001).server.as_str() {
            "NODE1" => ("NODE1", "NODE2", one),
            _ => ("NODE2", "NODE1", two),
        };
        Self { lab, used: (lab.server(used), used, process), other }
    }

    /// Breaks the client's server, and shows that it is red in time and that the other one takes over.
    fn fails(&self, break_it: impl FnOnce()) {
        break_it();
        let broken = Instant::now();
        wait_red_in_time(self.lab, self.used.1, broken);
        assert_eq!(self.lab.lbd().service("POOL")["state"], "degraded");
        assert_eq!(self.lab.client().ask(self.lab.vip(0), 2001).server, self.other);
    }

    /// Shows that the server is used again once it passes its checks: both servers get clients.
    fn returns(&self) {
        let (_, name, _) = self.used;
        self.lab.lbd().wait_server("POOL", name, "up");
        self.lab.lbd().wait_service("POOL", "up");
        self.lab.client().use_addresses("10.1.0.0/16");
        self.lab.appliance().ip(format!("route add 10.1.0.0/16 via {}", self.lab.client().address()));
        let clients: Vec<_> = (1..=6).map(|last| std::net::Ipv4Addr::new(10, 1, 0, last)).collect();
        let replies = self.lab.client().ask_as(&clients, self.lab.vip(0), 2001);
        assert!(replies.iter().any(|reply| reply.server == name), "{name} is not used again: {replies:?}");
    }
}

#[test]
fn a_killed_server_is_red_in_time_and_used_again_when_it_returns() {
    let lab = Lab::single_arm();
    let pair = Pair::start(&lab);
    let (host, name, process) = &pair.used;
    pair.fails(|| process.kill());
    lab.lbd().wait_reason("POOL", name, "connection refused");
    host.named_server(name, 2001);
    pair.returns();
}

#[test]
fn a_server_whose_link_is_cut_is_red_in_time_and_used_again_when_it_returns() {
    let lab = Lab::single_arm();
    let pair = Pair::start(&lab);
    let (host, ..) = &pair.used;
    pair.fails(|| host.set_link(false));
    host.set_link(true);
    pair.returns();
}

#[test]
fn a_frozen_server_is_red_in_time_and_used_again_when_it_returns() {
    let lab = Lab::single_arm();
    let scps = ["NODE1", "NODE2"].map(|node| lab.server(node).scp("DW_SCP", 2001, Mode::Good));
    lab.lbd().start(&lab.config([&lab.pool().echo_check("DW_SCP")]));
    lab.lbd().wait_service("POOL", "up");
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    let used = usize::from(scps[0].peers("MODALITY").is_empty());
    let name = ["NODE1", "NODE2"][used];
    let frozen = Instant::now();
    scps[used].process.freeze();
    wait_red_in_time(&lab, name, frozen);
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    assert_eq!(scps[1 - used].peers("MODALITY").len(), 1);
    scps[used].process.thaw();
    lab.lbd().wait_server("POOL", name, "up");
    let before = scps[used].peers("MODALITY").len();
    scps[1 - used].process.kill();
    lab.lbd().wait_server("POOL", ["NODE1", "NODE2"][1 - used], "down");
    lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
    assert_eq!(scps[used].peers("MODALITY").len(), before + 1, "it is used again");
}

#[test]
fn a_server_returns_only_after_rise_passed_checks() {
    let lab = Lab::single_arm();
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100]).rise_fall(4, 1)]));
    lab.lbd().wait_service("POOL", "up");
    server.kill();
    lab.lbd().wait_service("POOL", "down");
    assert_ne!(lab.client().scan(lab.vip(0), &[2001])[&2001], "open");
    // Checks may pass before we have seen that it listens.
    let started = Instant::now();
    lab.server("NODE1").named_server("NODE1", 2001);
    lab.lbd().wait_service("POOL", "up");
    let back = started.elapsed();
    // Four passed checks lie three intervals apart.
    assert!(back > Duration::from_millis(2900), "back after only {back:?}");
    assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE1");
}

#[test]
fn a_first_failure_is_followed_up_in_the_fast_interval() {
    const INTERVAL: Duration = Duration::from_secs(5);
    let lab = Lab::single_arm();
    let server = lab.server("NODE1").named_server("NODE1", 2001);
    let fast = lab.pool().checked_by("type = \"tcp\"\nfast_interval_seconds = 1");
    lab.lbd().start(&lab.config([&fast.weights(&[100]).check_every(5, 1).rise_fall(1, 4)]));
    lab.lbd().wait_service("POOL", "up");
    let killed = Instant::now();
    server.kill();
    lab.lbd().wait_server("POOL", "NODE1", "down");
    // At the usual pace four failures lie three intervals apart.
    assert!(killed.elapsed() < 3 * INTERVAL, "down only after {:?}", killed.elapsed());
}

/// Starts lbd with a C-ECHO check of NODE1 only.
fn start_echo_check(lab: &Lab) {
    lab.lbd().start(&lab.config([&lab.pool().weights(&[100]).echo_check("DW_SCP")]));
}

fn expect_reason(lab: &Lab, words: &str) {
    lab.lbd().wait_reason("POOL", "NODE1", words);
    lab.lbd().wait_server("POOL", "NODE1", "down");
}

/// The reason shown while the server behaves like this.
fn reason_shown(mode: Mode, words: &str) {
    let lab = Lab::single_arm();
    lab.server("NODE1").scp("DW_SCP", 2001, mode);
    start_echo_check(&lab);
    expect_reason(&lab, words);
}

#[test]
fn reason_connection_refused() {
    let lab = Lab::single_arm();
    start_echo_check(&lab);
    expect_reason(&lab, "connection refused");
}

#[test]
fn reason_no_route_to_the_network() {
    let lab = Lab::routed();
    lab.appliance().ip("route delete default");
    start_echo_check(&lab);
    expect_reason(&lab, "network unreachable");
}

#[test]
fn reason_host_unreachable_says_the_router() {
    let lab = Lab::routed();
    lab.host("router").ip(format!("route add unreachable {}", lab.server("NODE1").address()));
    start_echo_check(&lab);
    expect_reason(&lab, "no route to host");
}

#[test]
fn reason_time_out_while_connecting() {
    let lab = Lab::single_arm();
    lab.server("NODE1").drop_silently(2001);
    start_echo_check(&lab);
    expect_reason(&lab, "while connecting");
    expect_reason(&lab, "time-out");
}

#[test]
fn reason_time_out_waiting_for_the_association_answer() {
    reason_shown(Mode::HangAssociate, "time-out after 1 s while waiting for the answer to the association");
}

#[test]
fn reason_time_out_waiting_for_the_echo_answer() {
    reason_shown(Mode::HangEcho, "time-out after 1 s while waiting for the c-echo answer");
}

#[test]
fn reason_called_ae_title_not_recognised() {
    let lab = Lab::single_arm();
    lab.server("NODE1").scp("ANOTHER_TITLE", 2001, Mode::Good);
    start_echo_check(&lab);
    expect_reason(&lab, "called ae title not recognised");
    expect_reason(&lab, "dw_scp");
}

#[test]
fn reason_calling_ae_title_not_recognised() {
    reason_shown(Mode::Reject(1, 1, 3), "calling ae title not recognised");
}

#[test]
fn reason_local_limit_exceeded() {
    reason_shown(Mode::Reject(2, 3, 2), "local limit exceeded");
}

#[test]
fn reason_no_presentation_context_accepted() {
    reason_shown(Mode::NoContext, "no presentation context accepted");
}

#[test]
fn reason_bad_status() {
    reason_shown(Mode::Status(0x0122), "0x0122");
}

#[test]
fn reason_aborted_instead_of_an_association_answer() {
    reason_shown(Mode::Abort, "association aborted");
}

#[test]
fn reason_aborted_instead_of_an_echo_answer() {
    reason_shown(Mode::AbortEcho, "association aborted");
}

#[test]
fn reason_closed_instead_of_an_association_answer() {
    reason_shown(Mode::Close, "connection closed by the server while waiting for the answer");
}

#[test]
fn reason_closed_instead_of_an_echo_answer() {
    reason_shown(Mode::CloseEcho, "connection closed by the server while waiting for the c-echo");
}

#[test]
fn slow_servers_delay_no_other_check() {
    let lab = Lab::single_arm();
    let mut pool = lab.pool().echo_check("DW_SCP");
    for node in ["POOL2_NODE1", "POOL3_NODE1"] {
        pool = pool.server(node, lab.server(node).address());
    }
    for node in ["NODE1", "POOL2_NODE1", "POOL3_NODE1"] {
        lab.server(node).scp("DW_SCP", 2001, Mode::HangAssociate);
    }
    let node2 = lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good);
    lab.lbd().start(&lab.config([&pool]));
    lab.lbd().wait_server("POOL", "NODE2", "up");
    let before = node2.events("echo").len();
    // Five seconds by themselves; one after the other, three that wait for their time-out would make it twelve.
    lab::wait::until(Duration::from_secs(11), "five more checks of NODE2", || {
        node2.events("echo").len() >= before + 5
    });
}
