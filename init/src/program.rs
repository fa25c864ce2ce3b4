//! Runs one of the few programs of the image (mke2fs, e2fsck, resize2fs) to its end, with a deadline.

use crate::failure::{Doing, Failure};
use crate::places::PROGRAM_PATH;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::ffi::OsStr;
use std::io::{PipeReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// So much of what a program says is kept.
const KEPT: usize = 4096;

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// None when a signal or the deadline ended it.
    pub code: Option<i32>,
    /// The last of what it said, in one line.
    pub said: String,
}

/// Runs `program`. It is killed at the deadline.
pub fn run(program: &str, arguments: &[&OsStr], deadline: Duration) -> Result<Ended, Failure> {
    let doing = || format!("running {program}");
    let (mut output, writer) = std::io::pipe().doing(doing)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PROGRAM_PATH).stdin(Stdio::null());
    command.stdout(writer.try_clone().doing(doing)?).stderr(writer);
    let mut child = command.spawn().doing(doing)?;
    drop(command); // and with it our end of the pipe, whose end is the program's
    let said = read_until(&mut output, Instant::now() + deadline);
    let code = finish(&mut child, said.is_some()).doing(doing)?;
    let said =
        said.unwrap_or_else(|| format!("it was still running after {} s", deadline.as_secs()).into_bytes());
    Ok(Ended { code, said: one_line(&said) })
}

/// What came until the program closed its output; none when time ran out before.
fn read_until(output: &mut PipeReader, end: Instant) -> Option<Vec<u8>> {
    let (mut said, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        let left = end.checked_duration_since(Instant::now())?;
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let ready = poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout);
        if !ready.is_ok_and(|ready| ready > 0) {
            continue;
        }
        match output.read(&mut buffer) {
            Ok(0) | Err(_) => return Some(said),
            Ok(length) => said.extend(&buffer[..length]),
        }
        said.drain(..said.len().saturating_sub(KEPT));
    }
}

fn finish(child: &mut Child, in_time: bool) -> std::io::Result<Option<i32>> {
    if !in_time {
        child.kill()?;
    }
    child.wait().map(|status| status.code())
}

fn one_line(said: &[u8]) -> String {
    String::from_utf8_lossy(said).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> Ended {
        run("/bin/sh", &["-c".as_ref(), script.as_ref()], deadline).unwrap()
    }

    #[test]
    fn code_and_words() {
        let ended = shell("echo one; echo two >&2; exit 4", Duration::from_secs(20));
        assert_eq!(ended, Ended { code: Some(4), said: "one two".into() });
        assert_eq!(shell("kill -9 $$", Duration::from_secs(20)).code, None);
    }

    #[test]
    fn a_program_that_hangs_is_killed() {
        let ended = shell("exec sleep 60", Duration::from_millis(50));
        assert_eq!(ended.code, None);
        assert!(ended.said.contains("still running"), "{}", ended.said);
    }

    #[test]
    fn words_without_end_are_bounded() {
        let ended = shell("head -c 100000 /dev/zero | tr '\\0' x", Duration::from_secs(20));
        assert_eq!((ended.code, ended.said.len()), (Some(0), KEPT));
    }

    #[test]
    fn a_program_that_is_not_there() {
        assert!(
            run("/nonexistent", &[], Duration::ZERO)
                .unwrap_err()
                .to_string()
                .starts_with("running /nonexistent: ")
        );
    }
}
