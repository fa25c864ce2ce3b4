//! NTP servers: Debian's chrony, and one that misbehaves.

use std::sync::Arc;

use crate::api::SOON;
use crate::host::Host;
use crate::peers::{peer_script, python};
use crate::process::Process;
use crate::wait;

impl Host {
    /// Starts chrony as an NTP server that tells the time of this machine, whose clock it cannot touch (`-x`).
    pub fn chrony(&self) -> Arc<Process> {
        let folder = self.new_folder("chrony");
        let configuration = folder.join("chrony.conf");
        let shown = folder.display();
        let text = format!("local stratum 8\nallow all\ncmdport 0\nbindcmdaddress /\npidfile {shown}/pid\n");
        std::fs::write(&configuration, text).expect("lab folder");
        let mut command = self.command("chronyd");
        command.args(["-d", "-x", "-u", "root", "-f"]).arg(&configuration);
        let process = self.start(command, "chronyd");
        // Nobody can tell that it listens, as it does so with UDP.
        wait::until(SOON, "chrony to have written its number", || folder.join("pid").exists());
        process
    }

    /// Starts an NTP server with this behaviour (`tests/peers/ntp.py` lists them).
    pub fn nasty_time_server(&self, mode: &str) -> Arc<Process> {
        let mut command = self.command(&python().to_string_lossy());
        command.arg(peer_script("ntp.py")).args(["--mode", mode]);
        let process = self.start(command, "ntp");
        wait::until(SOON, "the NTP server to be ready", || process.log().contains("ready"));
        process
    }
}
