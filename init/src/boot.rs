//! The phases of the boot, in order. Each does one thing and says in an error what it could not do; the boot goes
//! on whatever happens, because an appliance that balances with half its functions beats one that does not.

use crate::bless::{self, Trial};
use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::machine::Machine;
use crate::modules::{Modules, list};
use crate::places::INIT;
use crate::uevent::Uevents;
use crate::{adapters, connection_table, disk, hardening, mounts, properties};
use std::fs;
use std::time::Duration;

/// Drivers of disks look for them in the background. A healthy disk is there within a second or two.
const DISK: Duration = Duration::from_secs(5);

/// The name until lbd knows a better one (requirements.md).
const HOST_NAME: &str = "lbmaster";

type Phase = fn(&mut Machine) -> Result<(), Failure>;

/// In order. Boot counting comes as early as it can, so that its time limit holds for all that follows. The data
/// partition comes before the adapters, whose names it remembers.
const PHASES: &[(&str, Phase)] = &[
    ("kernel file systems", |_| mounts::first()),
    ("folders", |machine| mounts::folders(&machine.account)),
    ("kernel settings", kernel_settings),
    ("module tables", module_tables),
    ("boot counting", boot_counting),
    ("devices", devices),
    ("disk", find_disk),
    ("data partition", data_partition),
    ("rescue partition", |machine| disk::hand_over_rescue(machine.disk.as_ref(), &machine.account)),
    ("network adapters", |_| adapters::name_all()),
    ("loopback", |_| adapters::bring_up_loopback()),
    ("table of connections", |_| connection_table::size()),
    ("OVF environment", properties::fetch),
    ("kernel hardening", |_| hardening::harden()),
];

/// Boots.
pub fn run(machine: &mut Machine) {
    for (name, phase) in PHASES {
        let before = machine.now();
        if let Err(failure) = phase(machine) {
            log::say(Level::Error, failure);
        }
        log::say(Level::Info, format!("phase {name}: {} ms", (machine.now() - before).as_millis()));
    }
    log::say(Level::Notice, format!("booted in {} ms", machine.now().as_millis()));
}

/// Ctrl-Alt-Del becomes a signal to init; the kernel runs init when it wants a module (see `main.rs`); the host has
/// a name.
fn kernel_settings(_: &mut Machine) -> Result<(), Failure> {
    nix::sys::reboot::set_cad_enabled(false).doing(|| "taking over Ctrl-Alt-Del")?;
    fs::write("/proc/sys/kernel/modprobe", INIT).doing(|| "naming the program that loads modules")?;
    nix::unistd::sethostname(HOST_NAME).doing(|| format!("setting the host name {HOST_NAME}"))
}

fn module_tables(machine: &mut Machine) -> Result<(), Failure> {
    machine.uevents = Some(Uevents::open()?);
    machine.modules = Modules::read()?;
    Ok(())
}

fn boot_counting(machine: &mut Machine) -> Result<(), Failure> {
    machine.modules.load("efivarfs");
    mounts::efi_variables()?;
    if let Some(counted) = bless::counted() {
        log::say(Level::Notice, format!("this system is on trial: {}", counted.name));
        machine.trial = Some(Trial::begin(counted));
    }
    Ok(())
}

fn devices(machine: &mut Machine) -> Result<(), Failure> {
    machine.modules.load_together(list::DISKS, list::SOFTWARE);
    machine.take_events();
    log::say(Level::Info, format!("{} kernel modules loaded", machine.modules.loaded()));
    Ok(())
}

fn find_disk(machine: &mut Machine) -> Result<(), Failure> {
    let find = || disk::table::Disk::find().filter(disk::table::Disk::is_complete);
    machine.disk = machine.wait_for(DISK, find);
    match &machine.disk {
        Some(disk) => log::say(Level::Info, format!("the appliance's disk is {}", disk.name)),
        None => return Err(Failure::new("looking for the appliance's disk", "none has our partitions")),
    }
    Ok(())
}

fn data_partition(machine: &mut Machine) -> Result<(), Failure> {
    machine.data = disk::prepare(machine.disk.as_ref())?;
    machine.take_events();
    Ok(())
}
