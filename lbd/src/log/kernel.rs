//! What the kernel and init have to say: records of `/dev/kmsg` (`Documentation/ABI/testing/dev-kmsg`). init writes
//! there too, and passes on what lbd writes to its standard error.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use jiff::Timestamp;

use super::entry::{Entry, Position, Severity, Source};
use super::journal::Journal;
use super::wanted::Wanted;

/// The kernel gives no longer record.
const LONGEST_RECORD: usize = 8192;
/// After an error that may pass, for the processor's sake.
const PAUSE: Duration = Duration::from_secs(1);

/// A record of the kernel's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// How grave it is.
    pub severity: Severity,
    /// Who says it.
    pub source: Source,
    /// Its number since the boot.
    pub number: u64,
    /// Since the boot.
    pub age: Duration,
    /// Its text, without the name of who says it.
    pub text: String,
}

/// Reads a record, `6,339,5140900,-;text` and further lines that only describe a device; `None` for what is none.
pub fn parse(bytes: &[u8]) -> Option<Record> {
    let text = String::from_utf8_lossy(bytes);
    let (head, rest) = text.split_once(';')?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let number = fields.next()?.parse().ok()?;
    let age = Duration::from_micros(fields.next()?.parse().ok()?);
    let line = rest.lines().next().unwrap_or_default();
    let severity = Severity::of_priority(u8::try_from(priority & 7).unwrap_or_default());
    // Facility 0 is the kernel's own; everybody else's records come from init.
    let (source, text) = match (priority >> 3, line.split_once(": ")) {
        (1.., Some(("init", text))) => (Source::Init, text),
        (1.., Some(("lbd", text))) => (Source::Lbd, text),
        _ => (Source::Kernel, line),
    };
    Some(Record { severity, source, number, age, text: text.to_owned() })
}

impl Record {
    /// lbd's own lines of the log come here by another way; this one is for what a dying lbd says.
    fn is_known_already(&self) -> bool {
        let first = self.text.split_whitespace().next().unwrap_or_default();
        self.source == Source::Lbd && first.parse::<Timestamp>().is_ok()
    }
}

/// Brings what `kernel_log` says into the journal, for ever, in a thread of its own. What a former lbd has brought is
/// passed over.
pub fn follow(mut kernel_log: File, journal: &Journal) -> io::Result<()> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    let known = last_known(journal, &boot);
    let journal = journal.clone();
    let follow = move || {
        let mut buffer = [0; LONGEST_RECORD];
        loop {
            match kernel_log.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    let record = parse(&buffer[..length]).filter(|record| !record.is_known_already());
                    let fresh = record.filter(|record| known.is_none_or(|known| record.number > known));
                    fresh.into_iter().for_each(|record| journal.record(entry(record, &boot)));
                }
                // EPIPE: records were overwritten before they were read; the next read goes on with the oldest.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot read the kernel's log");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    };
    std::thread::Builder::new().name("kernel-log".into()).spawn(follow)?;
    Ok(())
}

fn last_known(journal: &Journal, boot: &str) -> Option<u64> {
    let of = |source| Wanted { source: Some(source), most: 1, ..Wanted::default() };
    let newest = [Source::Kernel, Source::Init].into_iter().filter_map(|source| {
        let entries = journal.read(&of(source)).ok()?.0;
        let position = entries.into_iter().next()?.position?;
        (position.boot == boot).then_some(position.number)
    });
    newest.max()
}

fn entry(record: Record, boot: &str) -> Entry {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map(Duration::from);
    let ago = now.unwrap_or(record.age).saturating_sub(record.age);
    let time = Timestamp::now() - jiff::SignedDuration::try_from(ago).unwrap_or_default();
    let position = Some(Position { boot: boot.to_owned(), number: record.number });
    Entry { position, ..Entry::new(time, record.severity, record.source, &record.text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_of_the_kernel_of_init_and_of_a_dying_lbd() {
        let table = [
            (
                "6,339,5140900,-;NET: Registered\n SUBSYSTEM=net\n",
                Severity::Info,
                Source::Kernel,
                "NET: Registered",
            ),
            (
                "29,340,5140901,-;init: booted in 2134 ms\n",
                Severity::Notice,
                Source::Init,
                "booted in 2134 ms",
            ),
            (
                "27,1,7,c;lbd: thread 'main' panicked at x\n",
                Severity::Error,
                Source::Lbd,
                "thread 'main' panicked at x",
            ),
            (
                "3,1,7,-;init: not init's, as the kernel says it",
                Severity::Error,
                Source::Kernel,
                "init: not init's, as the kernel says it",
            ),
        ];
        for (record, severity, source, text) in table {
            let read = parse(record.as_bytes()).unwrap();
            assert_eq!(
                (read.severity, read.source, read.text.as_str()),
                (severity, source, text),
                "{record}"
            );
            assert!(!read.is_known_already());
        }
        let own =
            parse(b"30,2,8,-;lbd: 2026-11-26T03:47:07.799036Z  INFO lbd::run: lbd is running\n").unwrap();
        assert!(own.is_known_already() && own.number == 2 && own.age == Duration::from_micros(8));
        assert_eq!(
            [parse(b""), parse(b"x,1,2;y"), parse(b"6,1;y"), parse(b"6,1,2,- y")],
            [None, None, None, None]
        );
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
