//! Benchmarks of the appliance's own times: from power-on to the first C-ECHO, and how soon lbd is back after a kill.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use lab::vm::guest::{BOOT, PATIENCE};
use lab::vm::{Guest, Hardware, Machine, Uki, artefacts};
use lab::{Host, Lab, wait};

use crate::report::{Comparison, Goal, Report, Samples};
use crate::systems::{Kit, LINE};

const TITLE: &str = "DW_SCP";
const PORT: u16 = 2001;
/// Seconds for which a client tries to connect, before the machine is looked at.
const ATTEMPTS: u32 = 40;
/// An lbd that lives so long starts again at once (`init/src/daemon/back_off.rs`).
const HEALTHY_LIFE: Duration = Duration::from_secs(61);
/// What init says when lbd answers.
const ANSWERS: &str = "lbd answers";

/// From power-on to a C-ECHO answered through a VIP, at the second boot and later ones, beside the same kernel and
/// firmware with an init that prints a line.
pub fn boot(rounds: u32) -> Report {
    let lab = Lab::single_arm_with_guest();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).storescp(TITLE, PORT);
    }
    let folder = lab.appliance().new_folder("boot");
    let (ours, theirs) = (folder.join("ours.raw"), folder.join("theirs.raw"));
    evenkeel_ova::extract::disk(&artefacts::ova(), &ours).expect("the OVA's disk");
    Kit::read().disk_that_prints_a_line(&theirs);
    let [ours, theirs] = [ours, theirs]
        .map(|disk| Hardware::with_disk(format!("format=raw,cache=unsafe,file={}", disk.display())));
    let guest = Guest::with_hardware(&lab, ours);
    guest.boot(&lab.config([&lab.pool().echo_check(TITLE)]));
    guest.wait_service("POOL", "up");
    assert!(guest.machine().shut_down(PATIENCE).success());
    let (mut to_echo, mut to_line) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        to_echo.push(first_echo(&lab, &guest).as_secs_f64());
        to_line.push(first_line(&lab, &theirs).as_secs_f64());
    }
    let (ours, theirs): (Samples, Samples) = (to_echo.into_iter().collect(), to_line.into_iter().collect());
    let mut report = Report::new("Boot: firmware, boot loader, system; s");
    report.system("evenkeel, to the first answered C-ECHO", &ours);
    report.system("an init that prints a line, to that line", &theirs);
    let (name, unit, peer) = ("boot", "s", "an init that prints a line");
    let (ours, theirs) = (ours.median(), theirs.median());
    report.compare(Comparison { name, unit, ours, peer, theirs, goal: Goal::RatioAtMost(1.5) });
    report
}

fn first_echo(lab: &Lab, guest: &Guest) -> Duration {
    let start = Instant::now();
    guest.power_on();
    wait::until(BOOT, "a C-ECHO through the guest", || {
        guest.machine().expect_running();
        reaches(lab.client(), lab.vip(0)) && lab.client().echoscu(lab.vip(0), PORT, TITLE).is_ok()
    });
    let took = start.elapsed();
    assert!(guest.machine().shut_down(PATIENCE).success());
    took
}

fn reaches(client: &Host, address: Ipv4Addr) -> bool {
    client.run(format!("{} load reach {address}:{PORT} {ATTEMPTS}", crate::own_program())).is_ok()
}

fn first_line(lab: &Lab, hardware: &Hardware) -> Duration {
    let host = lab.appliance();
    let folder = host.new_folder("line");
    let start = Instant::now();
    let command = host.command("qemu-system-x86_64");
    let machine = Machine::power_on(hardware, command, &folder, |command| host.start(command, "qemu"));
    machine.wait_serial(LINE, BOOT);
    let took = start.elapsed();
    machine.cut_power();
    took
}

/// From a kill of lbd in the guest to the moment at which init has an answer from the next one.
pub fn restart(rounds: u32) -> Report {
    let lab = Lab::single_arm_with_guest();
    lab.server("NODE1").storescp(TITLE, PORT);
    let folder = lab.appliance().new_folder("restart");
    let uki = folder.join("system.efi");
    std::fs::write(&uki, Uki::built().command_line(lab::vm::uki::WITH_SYSRQ).bytes()).expect("lab folder");
    let mut hardware = Hardware::with_disk(lab::vm::Disk::of_the_ova(&folder).drive());
    hardware.uki = Some(uki);
    let guest = Guest::with_hardware(&lab, hardware);
    guest.boot(&lab.config([&lab.pool().weights(&[100]).echo_check(TITLE)]));
    guest.wait_service("POOL", "up");
    let samples: Samples = (0..rounds).map(|_| one_restart(&guest).as_secs_f64()).collect();
    let mut report = Report::new("lbd killed in a guest, until init has an answer of the next one; s");
    report.system("evenkeel", &samples);
    let (name, unit, peer) = ("lbd back after a kill", "s", "the goal");
    report.compare(Comparison {
        name,
        unit,
        ours: samples.median(),
        peer,
        theirs: 2.0,
        goal: Goal::OursAtMost(2.0),
    });
    report
}

fn one_restart(guest: &Guest) -> Duration {
    let machine = guest.machine();
    let answers = || machine.serial().matches(ANSWERS).count();
    std::thread::sleep(HEALTHY_LIFE);
    let before = answers();
    machine.press(&["alt", "sysrq", "i"]);
    wait::until(PATIENCE, "another lbd to answer", || answers() > before)
}
