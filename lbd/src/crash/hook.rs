//! What a panic says beside its message and its frames.

use std::io::Write as _;
use std::panic;

/// Begins the line that says where in memory this lbd lies, as a number in hexadecimal.
pub const LIES_AT: &str = "lbd lies in memory at ";

/// From now on every panic says where lbd lies in memory: the names of functions are not in the image, and the addresses of
/// frames mean something only with that.
pub fn set() {
    let Some(start) = lies_at() else { return };
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        usual(panic);
        // Where nobody listens any more nothing is lost; `eprintln!` would panic, which within a panic ends lbd.
        let _ = writeln!(std::io::stderr(), "{LIES_AT}{start:#x}");
    }));
}

fn lies_at() -> Option<u64> {
    let program = std::fs::read_link("/proc/self/exe").ok()?;
    start(&std::fs::read_to_string("/proc/self/maps").ok()?, program.to_str()?)
}

/// The first of the program's own lines in proc_pid_maps(5): the heap may lie below it.
fn start(maps: &str, program: &str) -> Option<u64> {
    let of_program = |line: &&str| line.split_whitespace().nth(5) == Some(program);
    u64::from_str_radix(maps.lines().find(of_program)?.split('-').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_program_lies() {
        let maps = "55555b89a000-55555b8bb000 rw-p 00000000 00:00 0    [heap]\n\
                    7f3927a00000-7f3928000000 r--p 00000000 00:02 77    /bin/lbd\n\
                    7f3928000000-7f3929000000 r-xp 00600000 00:02 77    /bin/lbd\n";
        assert_eq!(start(maps, "/bin/lbd"), Some(0x7f39_27a0_0000));
        assert_eq!([start(maps, "/bin/init"), start("", "/bin/lbd"), start("x-y a b c d e", "e")], [None; 3]);
    }

    #[test]
    fn this_program_lies_below_its_own_functions() {
        let start = lies_at().unwrap();
        let function = where_the_program_lies as *const () as u64;
        assert!((start..start + (1 << 32)).contains(&function), "{start:#x} {function:#x}");
    }
}
