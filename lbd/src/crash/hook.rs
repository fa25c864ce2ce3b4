//! What a panic says beside its message and its frames.

use std::panic;

/// Begins the line that says where in memory this lbd lies, as a number in hexadecimal.
pub const LIES_AT: &str = "lbd lies in memory at ";

/// From now on every panic says where lbd lies in memory: the names of functions are not in the image, and the addresses of
/// frames mean something only with that.
pub fn set() {
    let Some(start) = std::fs::read_to_string("/proc/self/maps").ok().and_then(|maps| start(&maps)) else {
        return;
    };
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        usual(panic);
        eprintln!("{LIES_AT}{start:#x}");
    }));
}

/// The program is the first line of proc_pid_maps(5).
fn start(maps: &str) -> Option<u64> {
    u64::from_str_radix(maps.lines().next()?.split('-').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn where_the_program_lies() {
        assert_eq!(super::start("7f00a000-7f00b000 r--p 00000000 00:17 9 /bin/lbd\nrest"), Some(0x7f00_a000));
        assert_eq!([super::start(""), super::start("x-y")], [None, None]);
    }
}
