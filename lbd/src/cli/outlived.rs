//! Whether another program has taken the place of the one that this process runs: a quick update removes its file, when the
//! new one is good. Who runs beside lbd then ends when nobody is disturbed by it, and is started from the new one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Whether the file of this process is gone (proc_pid_exe(5)).
pub(super) fn is_outlived() -> bool {
    std::fs::read_link("/proc/self/exe").is_ok_and(|program| is_removed(program.as_os_str()))
}

fn is_removed(program: &OsStr) -> bool {
    program.as_bytes().ends_with(b" (deleted)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_is_not_outlived() {
        assert!(!is_outlived());
        assert!(is_removed(OsStr::new("/other/bin/lbd (deleted)")));
        assert!(!is_removed(OsStr::new("/bin/lbd")));
    }
}
