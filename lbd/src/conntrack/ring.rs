//! Closed connections on disk: a folder of files of fixed size, the oldest of which goes when a new one begins.
//!
//! Files are only appended to. A file that was cut off in the middle of a slot is continued at the slot's beginning;
//! what is damaged is passed over by [`super::record`].

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::names::{Names, ServerName};
use super::record::{self, Namer, Record, SLOT};
use crate::numbered::Numbered;

const SUFFIX: &str = ".closed";

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a file.
    pub file: usize,
    /// Files.
    pub files: usize,
}

/// 64 MB: half a million connections, weeks for a hospital; and little enough to look through at every question.
pub const LIMITS: Limits = Limits { file: 4 << 20, files: 16 };

/// Writes closed connections.
#[derive(Debug)]
pub struct Ring {
    files: Numbered,
    limits: Limits,
    /// The newest file; opened when it is first needed, and anew after a failure.
    newest: Option<Newest>,
}

#[derive(Debug)]
struct Newest {
    file: File,
    number: u64,
    length: usize,
    namer: Namer,
}

impl Ring {
    /// In `folder`, which is made when the first connection is written.
    pub fn new(folder: PathBuf, limits: Limits) -> Self {
        Self { files: Numbered::new(folder, SUFFIX), limits, newest: None }
    }

    /// Appends these. After an error some of them may be written, and the next call starts afresh.
    pub fn append(&mut self, records: Vec<Record>, names: &Names) -> io::Result<()> {
        let mut newest = match self.newest.take() {
            Some(newest) => newest,
            None => self.open()?,
        };
        let mut bytes = Vec::with_capacity(records.len() * SLOT);
        for record in records {
            let mut slots = newest.namer.slots(record.clone(), names);
            if newest.length + bytes.len() + slots.len() * SLOT > self.limits.file {
                newest.file.write_all(&bytes)?;
                bytes.clear();
                newest = self.begin(newest.number + 1)?;
                slots = newest.namer.slots(record, names);
            }
            bytes.extend(slots.concat());
        }
        newest.file.write_all(&bytes)?;
        newest.length += bytes.len();
        self.newest = Some(newest);
        Ok(())
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> io::Result<()> {
        self.newest.as_ref().map_or(Ok(()), |newest| newest.file.sync_data())
    }

    fn open(&self) -> io::Result<Newest> {
        let Some((file, number)) = self.files.newest()? else { return self.begin(1) };
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if length >= self.limits.file {
            return self.begin(number + 1);
        }
        let length = length - length % SLOT;
        file.set_len(length as u64)?;
        Ok(Newest { file, number, length, namer: Namer::default() })
    }

    /// Begins a file, once there is room for it.
    fn begin(&self, number: u64) -> io::Result<Newest> {
        let file = self.files.begin(number, self.limits.files)?;
        Ok(Newest { file, number, length: 0, namer: Namer::default() })
    }
}

/// Which closed connections are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Opened by this client.
    pub client: Option<IpAddr>,
    /// With this port: the client's, the one that the server saw, or the virtual one.
    pub port: Option<u16>,
    /// Of the service that had this label then.
    pub service: Option<String>,
    /// To the server that had this label then.
    pub server: Option<String>,
    /// That had not ended before then; nanoseconds since 1970.
    pub since: Option<u64>,
    /// That had begun by then; nanoseconds since 1970.
    pub until: Option<u64>,
    /// So many at most, the latest.
    pub limit: usize,
}

impl Wanted {
    fn matches(&self, record: &Record, name: Option<&ServerName>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == found)
        };
        let ports = [record.client.port(), record.source.port(), record.virtual_address.port()];
        let began = if record.started == 0 { record.ended } else { record.started };
        self.client.is_none_or(|client| client == record.client.ip())
            && self.port.is_none_or(|port| ports.contains(&port))
            && self.since.is_none_or(|since| record.ended >= since)
            && self.until.is_none_or(|until| began <= until)
            && is(&self.service, name.map(|name| name.service.as_str()))
            && is(&self.server, name.map(|name| name.server.as_str()))
    }
}

/// A closed connection, and the server that its mark meant then.
pub type Named = (Record, Option<ServerName>);

/// The wanted connections, the latest first, and whether there are more. A folder that is not there holds none.
pub fn search(folder: &Path, wanted: &Wanted) -> io::Result<(Vec<Named>, bool)> {
    let files = Numbered::new(folder.to_owned(), SUFFIX);
    let mut found = Vec::new();
    for number in files.numbers()?.into_iter().rev() {
        let Some(mut file) = files.read(number)? else { continue };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let room = wanted.limit - found.len();
        let mut latest = VecDeque::new();
        for (record, name) in record::read(&bytes) {
            if wanted.matches(&record, name.as_ref()) {
                latest.push_back((record, name));
                if latest.len() > room + 1 {
                    latest.pop_front();
                }
            }
        }
        let is_cut = latest.len() > room;
        found.extend(latest.into_iter().rev().take(room));
        if is_cut {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::net::SocketAddr;

    use super::super::record::Cause;
    use super::*;

    const SMALL: Limits = Limits { file: 10 * SLOT, files: 3 };

    fn record(number: u16) -> Record {
        let place = |last| SocketAddr::from(([192, 0, 2, last], number));
        Record {
            protocol: 6,
            cause: Cause::Closed,
            mark: 0x10001,
            client: place(u8::try_from(number % 4).unwrap()),
            source: place(100),
            server: place(110),
            virtual_address: ([192, 0, 2, 100], 2001).into(),
            started: u64::from(number) * 10,
            ended: u64::from(number) * 10 + 5,
            bytes_in: 1,
            bytes_out: 2,
        }
    }

    fn names() -> Names {
        let name = ServerName { service: "POOL".into(), server: "NODE1".into() };
        Names::from_iter([(0x10001, name)])
    }

    fn ports(folder: &Path, wanted: Wanted) -> (Vec<u16>, bool) {
        let (found, is_cut) = search(folder, &wanted).unwrap();
        assert!(found.iter().all(|(_, name)| name.as_ref().is_some_and(|name| name.server == "NODE1")));
        (found.iter().map(|(record, _)| record.client.port()).collect(), is_cut)
    }

    fn all() -> Wanted {
        Wanted { limit: 1_000, ..Wanted::default() }
    }

    #[test]
    fn the_latest_are_kept_across_restarts_in_bounded_space() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(search(folder.path(), &all()).unwrap(), (Vec::new(), false));
        for start in (0..100).step_by(5) {
            let mut ring = Ring::new(folder.path().into(), SMALL);
            ring.append((start..start + 5).map(record).collect(), &names()).unwrap();
        }
        let (found, _) = ports(folder.path(), all());
        assert!(found.len() >= 12, "{found:?}");
        assert_eq!(found, (0..100).rev().take(found.len()).collect::<Vec<_>>());
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
        assert!(files.len() <= SMALL.files);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() <= SMALL.file as u64));
    }

    #[test]
    fn a_file_that_was_cut_off_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::new(folder.path().into(), LIMITS);
        ring.append(vec![record(1), record(2)], &names()).unwrap();
        drop(ring);
        let path = Numbered::new(folder.path().into(), SUFFIX).path(1);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        let mut ring = Ring::new(folder.path().into(), LIMITS);
        ring.append(vec![record(3)], &names()).unwrap();
        assert_eq!(ports(folder.path(), all()), (vec![3, 1], false));
    }

    #[test]
    fn a_folder_that_vanishes_is_an_error_once_and_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("closed");
        let mut ring = Ring::new(inner.clone(), SMALL);
        ring.append(vec![record(1)], &names()).unwrap();
        fs::remove_dir_all(&inner).unwrap();
        let many = || (0..20).map(record).collect();
        assert!(ring.append(many(), &names()).is_err());
        ring.append(many(), &names()).unwrap();
        assert!(ports(&inner, all()).0.len() > 10);
    }

    #[test]
    fn questions_are_answered_by_client_port_name_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut ring = Ring::new(folder.path().into(), SMALL);
        ring.append((1..=16).map(record).collect(), &names()).unwrap();
        let ask = |wanted: Wanted| ports(folder.path(), Wanted { limit: 3, ..wanted });
        assert_eq!(ask(Wanted::default()), (vec![16, 15, 14], true));
        let client = Some([192, 0, 2, 2].into());
        assert_eq!(ask(Wanted { client, ..Wanted::default() }), (vec![14, 10, 6], true));
        assert_eq!(ask(Wanted { port: Some(7), ..Wanted::default() }), (vec![7], false));
        assert_eq!(
            ask(Wanted { since: Some(72), until: Some(82), ..Wanted::default() }),
            (vec![8, 7], false)
        );
        assert_eq!(ask(Wanted { service: Some("POOL".into()), port: Some(7), ..Wanted::default() }).0, [7]);
        assert_eq!(ask(Wanted { server: Some("NODE2".into()), ..Wanted::default() }), (vec![], false));
    }
}
