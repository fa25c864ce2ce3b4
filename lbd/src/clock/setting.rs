//! Sets the clock once, by hand: in a process of its own, as lbd itself may not.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};
use tokio::process::Command;

use crate::sys;

/// The subcommand of lbd that sets the clock; it is not for people.
pub const SUBCOMMAND: &str = "set-clock";
/// It takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sets the clock of the machine. The error is for people.
pub async fn set(time: Timestamp) -> Result<(), String> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(SUBCOMMAND).arg(time.to_string()).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    sys::die_with_us(&mut command);
    sys::may_set_clock(&mut command);
    let ended = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(ended) => ended.map_err(|error| format!("starting {SUBCOMMAND}: {error}"))?,
        Err(_) => return Err(format!("setting the clock took longer than {} s", PATIENCE.as_secs())),
    };
    match ended.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned()),
    }
}

/// What the subcommand does.
pub fn set_here(time: Timestamp) -> Result<(), String> {
    let spec = TimeSpec::new(time.as_second(), time.subsec_nanosecond().into());
    clock_settime(ClockId::CLOCK_REALTIME, spec)
        .map_err(|error| format!("setting the clock to {time}: {error}"))
}
