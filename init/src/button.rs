//! The power button, as the kernel reports it: an input device whose key "power" goes down
//! (`Documentation/input/input.rst`).

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// linux/input-event-codes.h: `EV_KEY`, `KEY_POWER`; the value of a key that goes down.
const KEY: u16 = 1;
const POWER: u16 = 116;
const DOWN: i32 = 1;

/// `struct input_event` on a 64-bit machine: two words of time, then type, code and value.
const EVENT: usize = 24;

/// More input devices with a power key are not a machine's.
const MOST: usize = 16;

/// One device with a power key. Others, keyboards among them that have none, are never opened.
#[derive(Debug)]
pub struct Button(File);

impl Button {
    /// All that are there.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir("/sys/class/input").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::open(entry.file_name().to_str()?)).take(MOST).collect()
    }

    /// Opens `event0`, ..., if it has a power key.
    pub fn open(name: &str) -> Option<Self> {
        name.strip_prefix("event")?;
        let keys = Path::new("/sys/class/input").join(name).join("device/capabilities/key");
        if !has_key(&fs::read_to_string(keys).ok()?, POWER) {
            return None;
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
        options.open(Path::new("/dev/input").join(name)).ok().map(Self)
    }

    /// Whether it was pressed since the last time; none once the device has gone.
    pub fn pressed(&mut self) -> Option<bool> {
        let mut buffer = [0; EVENT * 64];
        match self.0.read(&mut buffer) {
            Ok(0) => None,
            Ok(length) => Some(is_press(&buffer[..length])),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Some(false),
            Err(_) => None,
        }
    }
}

impl AsFd for Button {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn is_press(events: &[u8]) -> bool {
    let press: Vec<u8> = [&KEY.to_ne_bytes()[..], &POWER.to_ne_bytes(), &DOWN.to_ne_bytes()].concat();
    events.as_chunks::<EVENT>().0.iter().any(|event| event[16..] == press[..])
}

/// `capabilities/key` is a bitmap in words of 64 bits, hexadecimal, the highest word first.
fn has_key(bitmap: &str, key: u16) -> bool {
    let word = bitmap.split_whitespace().rev().nth(usize::from(key / 64));
    word.and_then(|word| u64::from_str_radix(word, 16).ok()).is_some_and(|word| word >> (key % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        [&[9; 16][..], &kind.to_ne_bytes(), &code.to_ne_bytes(), &value.to_ne_bytes()].concat()
    }

    #[test]
    fn the_bitmap_of_a_power_button_and_of_others() {
        assert!(has_key("10000000000000 0\n", POWER));
        assert!(has_key("402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe", 114));
        assert!(!has_key("e080ffdf01cfffff fffffffffffffffe", POWER));
        assert!(!has_key("", POWER));
        assert!(!has_key("x y z", POWER));
    }

    #[test]
    fn only_the_power_key_going_down_counts() {
        assert!(is_press(&[event(0, 0, 0), event(KEY, POWER, DOWN)].concat()));
        for other in [event(KEY, POWER, 0), event(KEY, 30, DOWN), event(4, POWER, DOWN), vec![1; 7]] {
            assert!(!is_press(&other));
        }
    }

    proptest! {
        #[test]
        fn any_bitmap(text in "[0-9a-f x]{0,60}", key in any::<u16>()) {
            has_key(&text, key);
        }
    }
}
