//! The appliance as a guest of the lab: what a story does with it.

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::disk::Disk;
use super::hardware::Hardware;
use super::machine::Machine;
use super::network;
use super::properties::Properties;
use crate::api::Api;
use crate::config::Config;
use crate::host::Host;
use crate::topology::{Lab, MANAGEMENT};
use crate::wait;

/// Password of user `loadbalancer`, passed as hash with the other settings.
pub const PASSWORD: &str = "a lab password";
/// From power-on to an answer of the API: 15 s where the machine is idle, but stories share two processors.
pub const BOOT: Duration = Duration::from_secs(600);
/// For the guest to show something that it shows within seconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The appliance: its disk and settings outlive a machine that is switched off.
#[derive(Debug)]
pub struct Guest<'lab> {
    lab: &'lab Lab,
    host: &'lab Host,
    hardware: Hardware,
    folder: PathBuf,
    machine: Mutex<Option<Arc<Machine>>>,
    api: Api,
}

impl<'lab> Guest<'lab> {
    /// The appliance as it is deployed from the OVA; switched off.
    pub fn new(lab: &'lab Lab) -> Self {
        let folder = lab.appliance().new_folder("guest");
        let hardware = Hardware::with_disk(Disk::of_the_ova(&folder).drive());
        Self::of(lab, hardware, folder)
    }

    /// Another machine in its place.
    pub fn with_hardware(lab: &'lab Lab, hardware: Hardware) -> Self {
        Self::of(lab, hardware, lab.appliance().new_folder("guest"))
    }

    fn of(lab: &'lab Lab, mut hardware: Hardware, folder: PathBuf) -> Self {
        for (number, netdev) in hardware.adapters.iter_mut().enumerate() {
            let interface = format!("eth{number}");
            let is_joined = lab.arms().iter().any(|(joined, _)| *joined == interface);
            *netdev = is_joined.then(|| network::netdev(&interface));
        }
        Self::managed_at(lab, lab.appliance(), MANAGEMENT, hardware, folder)
    }

    /// Another appliance, where [`Lab::plug_machine`] has left room for it: managed at `address`.
    pub fn beside(lab: &'lab Lab, name: &str, address: Ipv4Addr) -> Self {
        let host = lab.host(name);
        let folder = host.new_folder("guest");
        let mut hardware = Hardware::with_disk(Disk::of_the_ova(&folder).drive());
        hardware.adapters[0] = Some(network::netdev("eth0"));
        hardware.number = 1;
        Self::managed_at(lab, host, address, hardware, folder)
    }

    fn managed_at(
        lab: &'lab Lab,
        host: &'lab Host,
        address: Ipv4Addr,
        hardware: Hardware,
        folder: PathBuf,
    ) -> Self {
        let url = format!("https://{address}:9443");
        let api = Api::over_https(Arc::clone(lab.administrator()), url, PASSWORD.into(), PATIENCE);
        Self { lab, host, hardware, folder, machine: Mutex::default(), api }
    }

    /// First boot, with this configuration and the lab's addresses among the settings; waits until the API answers.
    pub fn boot(&self, config: &Config) -> Duration {
        let config = config.with_network(self.lab.arms(), self.lab.gateway());
        self.boot_with(&Properties::default().with_password(PASSWORD).with("configuration", config.as_str()))
    }

    /// First boot with these settings.
    pub fn boot_with(&self, properties: &Properties) -> Duration {
        properties.write_disc(&self.disc());
        self.power_on();
        self.wait_answering()
    }

    /// Boots with what is on the disk; the disc with the settings is not in the drive any more.
    pub fn boot_again(&self) -> Duration {
        let _ = std::fs::remove_file(self.disc());
        self.power_on();
        self.wait_answering()
    }

    /// Switches it on, and waits for nothing.
    pub fn power_on(&self) -> Arc<Machine> {
        let mut hardware = self.hardware.clone();
        hardware.disc = Some(self.disc()).filter(|disc| disc.exists());
        let host = self.host;
        let command = host.command("qemu-system-x86_64");
        let machine =
            Machine::power_on(&hardware, command, &self.folder, |command| host.start(command, "qemu"));
        let machine = Arc::new(machine);
        *self.machine.lock().expect("not poisoned") = Some(Arc::clone(&machine));
        machine
    }

    /// Waits until the API answers; a machine that ends instead fails at once, with what it said last.
    pub fn wait_answering(&self) -> Duration {
        let machine = self.machine();
        wait::until(BOOT, format!("an answer of the guest, see {}", self.folder.display()), || {
            machine.expect_running();
            self.request("GET", "/api/v1/status", None).status == 200
        })
    }

    /// The machine that is on.
    pub fn machine(&self) -> Arc<Machine> {
        self.machine.lock().expect("not poisoned").clone().expect("the guest was switched on")
    }

    /// Where the disc with the settings is looked for, when the machine is switched on.
    pub fn disc(&self) -> PathBuf {
        self.folder.join("settings.iso")
    }
}

/// What can be asked of lbd wherever it runs.
impl Deref for Guest<'_> {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}
