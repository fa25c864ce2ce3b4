//! The steps of one length on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::cell::Cell;
use super::segment::{Segment, head, names_checksum, step_head, step_length};
use super::{Level, MOST_SUBJECTS};
use crate::numbered::Numbered;

const SUFFIX: &str = ".steps";
/// Steps are let go of in portions of this part of all.
const PORTIONS: usize = 8;
/// Cells on their way to the disk.
const BUFFER: usize = 64 << 10;

/// Where the files of a level are.
pub fn files(folder: &Path, level: &Level) -> Numbered {
    Numbered::new(folder.join(level.folder), SUFFIX)
}

/// The most that a level takes on disk, in bytes: a portion more than is kept, and the names.
pub fn most_bytes(level: &Level) -> u64 {
    (level.steps * step_length(MOST_SUBJECTS)) as u64 / PORTIONS as u64 * (PORTIONS as u64 + 1)
}

/// Writes steps.
#[derive(Debug)]
pub struct Shelf {
    files: Numbered,
    level: Level,
    /// The newest file; opened when it is first needed, and anew after a failure.
    newest: Option<Newest>,
}

#[derive(Debug)]
struct Newest {
    file: File,
    number: u64,
    names_checksum: u32,
    length: u64,
    steps: usize,
    /// Of the last step.
    time: Option<i64>,
}

impl Shelf {
    /// Below `folder`, which is made when the first step is written.
    pub fn new(folder: &Path, level: Level) -> Self {
        Self { files: files(folder, &level), level, newest: None }
    }

    /// The level.
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// The time of the step that was written last; `None` where there is none.
    pub fn last_time(&mut self) -> io::Result<Option<i64>> {
        if self.newest.is_none() {
            self.newest = self.open()?;
        }
        Ok(self.newest.as_ref().and_then(|newest| newest.time))
    }

    /// Appends a step with a cell for each of the names, which stand in a line each. After an error a part of it may be
    /// written, which the next call takes back.
    pub fn append(
        &mut self,
        time: i64,
        names: &str,
        cells: impl Iterator<Item = io::Result<Cell>>,
    ) -> io::Result<()> {
        let subjects = names.lines().count();
        let length = step_length(subjects) as u64;
        let newest = match self.newest.take() {
            Some(newest) => Some(newest),
            None => self.open()?,
        };
        let mut newest = match newest {
            // A clock that went back begins a file: in each one time goes forward.
            Some(newest)
                if newest.names_checksum == names_checksum(names)
                    && newest.time.is_none_or(|before| before < time)
                    && newest.steps < self.level.steps.div_ceil(PORTIONS)
                    && newest.length + length <= most_bytes(&self.level) / (PORTIONS as u64 + 1) =>
            {
                newest
            }
            other => self.begin(other.map_or(1, |newest| newest.number + 1), names)?,
        };
        let mut writer = BufWriter::with_capacity(BUFFER, &newest.file);
        writer.write_all(&step_head(time))?;
        for (subject, cell) in cells.enumerate() {
            writer.write_all(&cell?.encode(time, subject))?;
        }
        writer.flush()?;
        drop(writer);
        (newest.length, newest.steps, newest.time) = (newest.length + length, newest.steps + 1, Some(time));
        self.newest = Some(newest);
        Ok(())
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> io::Result<()> {
        self.newest.as_ref().map_or(Ok(()), |newest| newest.file.sync_data())
    }

    /// What a failure or a power cut left unfinished is taken back. A file that cannot be read is followed by another.
    fn open(&self) -> io::Result<Option<Newest>> {
        let Some((file, number)) = self.files.newest()? else { return Ok(None) };
        let Some(segment) = Segment::open(file.try_clone()?)? else {
            let (names_checksum, length, steps, time) = (0, u64::MAX, usize::MAX, None);
            return Ok(Some(Newest { file, number, names_checksum, length, steps, time }));
        };
        let (length, steps) = (segment.whole_length(), segment.steps());
        if length < file.metadata()?.len() {
            file.set_len(length)?;
        }
        let mut time = None;
        for step in (0..steps).rev() {
            time = segment.time(step)?;
            if time.is_some() {
                break;
            }
        }
        let names_checksum = segment.names_checksum();
        Ok(Some(Newest { file, number, names_checksum, length, steps, time }))
    }

    /// Begins a file, once there is room for it.
    fn begin(&self, number: u64, names: &str) -> io::Result<Newest> {
        self.make_room()?;
        let mut file = self.files.begin(number, usize::MAX)?;
        let head = head(names);
        file.write_all(&head)?;
        file.write_all(names.as_bytes())?;
        let (length, names_checksum) = ((head.len() + names.len()) as u64, names_checksum(names));
        Ok(Newest { file, number, names_checksum, length, steps: 0, time: None })
    }

    /// Removes the oldest files that are beyond what is kept, so that a whole file more stays within the bound.
    fn make_room(&self) -> io::Result<()> {
        let most = most_bytes(&self.level) / (PORTIONS as u64 + 1) * PORTIONS as u64;
        let (mut steps, mut bytes) = (0, 0);
        for number in self.files.numbers()?.into_iter().rev() {
            let Some(file) = self.files.read(number)? else { continue };
            bytes += file.metadata()?.len();
            if steps >= self.level.steps || bytes > most {
                self.files.remove(number)?;
            } else if let Some(segment) = Segment::open(file)? {
                // One without a step counts as one, so that there is a bound to the number of files.
                steps += segment.steps().max(1);
            }
        }
        Ok(())
    }
}

/// Where a step is: the number of its file in [`Contents::segments`], and its place there.
type Place = (usize, usize);

/// Which steps there are in a time.
#[derive(Debug, Default)]
pub struct Contents {
    /// In the order in which they were written.
    pub segments: Vec<Segment>,
    /// By time. Of two of the same time the one that was written later is here.
    pub steps: BTreeMap<i64, Place>,
}

/// In a file time goes forward, so that its ends tell whether it is worth a look.
fn may_hold(segment: &Segment, since: i64, until: i64) -> io::Result<bool> {
    let Some(last) = segment.steps().checked_sub(1) else { return Ok(false) };
    let begins = segment.time(0)?.is_none_or(|first| first < until);
    Ok(begins && segment.time(last)?.is_none_or(|last| since <= last))
}

/// Looks for the steps that begin in a time; `until` is not in it.
pub fn contents(files: &Numbered, since: i64, until: i64) -> io::Result<Contents> {
    let mut found = Contents::default();
    for number in files.numbers()? {
        let Some(file) = files.read(number)? else { continue };
        let Some(segment) = Segment::open(file)? else { continue };
        if !may_hold(&segment, since, until)? {
            continue;
        }
        let mut is_within = false;
        for step in 0..segment.steps() {
            if let Some(time) = segment.time(step)?.filter(|time| (since..until).contains(time)) {
                found.steps.insert(time, (found.segments.len(), step));
                is_within = true;
            }
        }
        if is_within {
            found.segments.push(segment);
        }
    }
    Ok(found)
}
