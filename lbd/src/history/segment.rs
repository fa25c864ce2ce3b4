//! A file of steps: the names of the things at its beginning, then step after step, each with a cell for every thing.
//!
//! Layout, little-endian: 0-7 magic, 8-11 number of things, 12-15 bytes of the names, 16-19 checksum of 0-15 and the
//! names; the names, each in a line. A step: 0-7 its time in seconds since 1970, 8-11 checksum of that, 12-15 zero; the
//! cells. Files are only appended to; the last step may be cut off, or damaged in parts, by a power cut.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::MOST_SUBJECTS;
use super::cell::{CELL, Cell};
use crate::numbered::{checksum, checksum_on};

const MAGIC: &[u8; 8] = b"EKHIST01";
/// Bytes before the names.
pub const FIXED: usize = 20;
/// Bytes before the cells of a step.
pub const STEP_HEAD: usize = 16;
/// A name is two labels of 63 characters and a word.
const LONGEST_NAME: usize = 160;

/// What stands at the beginning of a file, before the names.
pub fn head(names: &str) -> [u8; FIXED] {
    let mut bytes = [0; FIXED];
    bytes[..8].copy_from_slice(MAGIC);
    for (at, number) in [(8, names.lines().count()), (12, names.len())] {
        bytes[at..at + 4].copy_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
    }
    let sum = checksum_on(checksum(&bytes[..16]), names.as_bytes());
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// What tells these names from others.
pub fn names_checksum(names: &str) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|at| head(names)[16 + at]))
}

/// What stands before the cells of a step.
pub fn step_head(time: i64) -> [u8; STEP_HEAD] {
    let mut bytes = [0; STEP_HEAD];
    bytes[..8].copy_from_slice(&time.to_le_bytes());
    let sum = checksum(&bytes[..8]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn time_of(bytes: [u8; STEP_HEAD]) -> Option<i64> {
    let time = i64::from_le_bytes(std::array::from_fn(|at| bytes[at]));
    (step_head(time) == bytes).then_some(time)
}

/// Bytes of a step with so many things.
pub fn step_length(subjects: usize) -> usize {
    STEP_HEAD + CELL * subjects
}

/// A file that is there to be read.
#[derive(Debug)]
pub struct Segment {
    file: File,
    /// Bytes before the first step.
    start: u64,
    names_length: usize,
    names_checksum: u32,
    subjects: usize,
    steps: usize,
}

impl Segment {
    /// Looks at the beginning of a file; `None` where that is damaged.
    pub fn open(file: File) -> io::Result<Option<Self>> {
        let mut fixed = [0; FIXED];
        let length = file.metadata()?.len();
        match file.read_exact_at(&mut fixed, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|index| fixed[at + index]));
        let [subjects, names_length] = [8, 12].map(|at| usize::try_from(number(at)).unwrap_or(usize::MAX));
        let fits = subjects <= MOST_SUBJECTS && names_length <= MOST_SUBJECTS * LONGEST_NAME;
        if !fixed.starts_with(MAGIC) || !fits {
            return Ok(None);
        }
        let start = (FIXED + names_length) as u64;
        let steps = length.saturating_sub(start) / step_length(subjects) as u64;
        let steps = usize::try_from(steps).unwrap_or(0);
        let names_checksum = number(16);
        Ok(Some(Self { file, start, names_length, names_checksum, subjects, steps }))
    }

    /// The names of the things, each in a line; `None` where they are damaged.
    pub fn names(&self) -> io::Result<Option<String>> {
        let mut bytes = vec![0; FIXED + self.names_length];
        match self.file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let sum = checksum_on(checksum(&bytes[..16]), &bytes[FIXED..]);
        let names = String::from_utf8(bytes.split_off(FIXED)).ok();
        Ok(names.filter(|names| sum == self.names_checksum && names.lines().count() == self.subjects))
    }

    /// What tells these names from others.
    pub fn names_checksum(&self) -> u32 {
        self.names_checksum
    }

    /// Whole steps in the file.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Things.
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// Bytes up to the end of the last whole step.
    pub fn whole_length(&self) -> u64 {
        self.place(self.steps)
    }

    fn place(&self, step: usize) -> u64 {
        self.start + (step * step_length(self.subjects)) as u64
    }

    /// The time of a step; `None` where it is damaged.
    pub fn time(&self, step: usize) -> io::Result<Option<i64>> {
        let mut bytes = [0; STEP_HEAD];
        self.file.read_exact_at(&mut bytes, self.place(step))?;
        Ok(time_of(bytes))
    }

    /// The cells of some things in the step that has this time; unknown where they are damaged.
    pub fn cells(&self, step: usize, time: i64, subjects: Range<usize>) -> io::Result<Vec<Cell>> {
        let mut bytes = vec![0; CELL * subjects.len()];
        let at = self.place(step) + (STEP_HEAD + CELL * subjects.start) as u64;
        self.file.read_exact_at(&mut bytes, at)?;
        let cell = |(subject, bytes)| Cell::decode(bytes, time, subject).unwrap_or(Cell::UNKNOWN);
        Ok(subjects.zip(bytes.chunks_exact(CELL)).map(cell).collect())
    }
}
