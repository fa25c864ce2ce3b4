//! What the kernel offers beyond its defaults against who has got into a program, and what costs this machine nothing.
//! The network's settings are lbd's (`lbd/src/traffic/sysctl.rs`).

use crate::failure::{Doing, Failure};
use crate::log::{self, Level};
use crate::mounts::{self, HARMLESS};
use std::fs;
use std::path::Path;

/// Below `/proc/sys`, and why (`Documentation/admin-guide/sysctl/`). A kernel without one of them is told of in the log.
const SETTINGS: &[(&str, &str)] = &[
    // Where things are in the kernel is nobody's business: addresses in /proc, the kernel's log, performance counters.
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/perf_event_paranoid", "3"),
    // Ways into the kernel that nothing here uses: another kernel, programs for it, rings of orders, page faults in
    // user space, name spaces.
    ("kernel/kexec_load_disabled", "1"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("net/core/bpf_jit_harden", "2"),
    ("kernel/io_uring_disabled", "2"),
    ("vm/unprivileged_userfaultfd", "0"),
    ("user/max_user_namespaces", "0"),
    // No process looks into another one, and none leaves its memory behind.
    ("kernel/yama/ptrace_scope", "3"),
    ("fs/suid_dumpable", "0"),
    // Nobody at the keyboard kills processes by a chord of keys. Ctrl-Alt-Del ends the machine in order.
    ("kernel/sysrq", "0"),
    // Files and links that somebody else has put in the way.
    ("fs/protected_symlinks", "1"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_fifos", "2"),
    ("fs/protected_regular", "2"),
    // Terminals load no module.
    ("dev/tty/ldisc_autoload", "0"),
];

/// Modules without the signature of who built the kernel are refused from now on
/// (`Documentation/admin-guide/module-signing.rst`). It can be switched on, and never off.
const SIGNATURES: &str = "/sys/module/module/parameters/sig_enforce";

/// Where `kernel_lockdown(7)` is: root itself cannot change the running kernel any more. Only more is accepted.
const SECURITY: &str = "/sys/kernel/security";

/// Changes everything that can be changed, and logs the rest.
pub fn harden() -> Result<(), Failure> {
    let all = SETTINGS.iter().map(|(path, value)| set(&Path::new("/proc/sys").join(path), value));
    let all: Vec<_> = all.chain([set(Path::new(SIGNATURES), "Y"), lock_down()]).collect();
    let done = all.iter().filter(|result| result.is_ok()).count();
    for failure in all.iter().filter_map(|result| result.as_ref().err()) {
        log::say(Level::Warning, failure);
    }
    log::say(Level::Info, format!("kernel hardening: {done} of {} settings", all.len()));
    Ok(())
}

fn lock_down() -> Result<(), Failure> {
    mounts::one("securityfs", "securityfs", SECURITY, HARMLESS, "")?;
    set(&Path::new(SECURITY).join("lockdown"), "integrity")
}

fn set(path: &Path, value: &str) -> Result<(), Failure> {
    // Opened for writing only: a setting that is missing is not made as a file.
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).open(path)?;
        std::io::Write::write_all(&mut file, value.as_bytes())
    };
    write().doing(|| format!("hardening the kernel by {} = {value}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_the_kernel_lacks_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kptr_restrict");
        let failure = set(&path, "2").unwrap_err().to_string();
        assert!(failure.contains("kptr_restrict = 2") && !path.exists(), "{failure}");
        fs::write(&path, "0").unwrap();
        set(&path, "2").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "2");
    }

    #[test]
    fn each_setting_is_named_once() {
        let mut paths: Vec<_> = SETTINGS.iter().map(|(path, _)| path).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), SETTINGS.len());
    }
}
