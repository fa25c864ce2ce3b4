//! All shelves: takes samples, and makes the steps of the coarser shelves from those of the finer ones.
//!
//! When a sample is the first of a new minute, the minute before is made from the 10-second steps on disk, before the
//! sample is written; likewise up to the hours. So what has been made is on disk, what has not is made anew after a
//! restart, and a step whose making fails is tried again with the next sample.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::sample::Sample;
use super::shelf::{Contents, Shelf, contents, files};
use super::{LEVELS, step_of};

/// Things that are merged together: some kilobytes for each step.
const PORTION: usize = 512;

/// All shelves.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    shelves: Vec<Shelf>,
    /// The step that was written last; not known before the first is.
    last: Option<i64>,
    has_looked: bool,
}

impl Keeper {
    /// In `folder`, which is made when the first sample is taken.
    pub fn new(folder: &Path) -> Self {
        let shelves = LEVELS.into_iter().map(|level| Shelf::new(folder, level)).collect();
        Self { folder: folder.to_owned(), shelves, last: None, has_looked: false }
    }

    /// Takes a sample of the moment `now`, in seconds since 1970. One of a step that has one already is passed over.
    ///
    /// # Errors
    /// When the disk does not take it; what was to be made of earlier samples is tried again with the next one.
    pub fn take(&mut self, sample: &Sample, now: i64) -> io::Result<()> {
        let time = step_of(now, LEVELS[0].step);
        if !self.has_looked {
            self.last = self.shelves[0].last_time()?;
            self.has_looked = true;
        }
        if self.last == Some(time) {
            return Ok(());
        }
        if let Some(last) = self.last {
            self.finish(last, time)?;
        }
        let cells = sample.codes.iter().map(|codes| Ok(Cell { means: *codes, peaks: *codes }));
        self.shelves[0].append(time, &sample.names, cells)?;
        self.last = Some(time);
        Ok(())
    }

    /// Makes the steps durable.
    pub fn sync(&self) -> io::Result<()> {
        self.shelves.iter().try_for_each(Shelf::sync)
    }

    /// The time of the newest step on disk.
    pub fn last(&mut self) -> io::Result<Option<i64>> {
        self.shelves[0].last_time()
    }

    /// Makes the coarser steps in which `last` lies and `time` does not.
    fn finish(&mut self, last: i64, time: i64) -> io::Result<()> {
        for (finer, coarser) in (0..).zip(1..self.shelves.len()) {
            let step = LEVELS[coarser].step;
            let period = step_of(last, step);
            let is_over = step_of(time, step) != period;
            if is_over && self.shelves[coarser].last_time()? != Some(period) {
                let steps = contents(&files(&self.folder, &LEVELS[finer]), period, period + step)?;
                make(&mut self.shelves[coarser], period, &steps)?;
            }
        }
        Ok(())
    }
}

/// One step of all these. Those things count that the last of them has.
fn make(shelf: &mut Shelf, time: i64, steps: &Contents) -> io::Result<()> {
    let Some((last, _)) = steps.steps.values().next_back() else { return Ok(()) };
    let Some(names) = steps.segments[*last].names()? else { return Ok(()) };
    let places = Places::of(steps, *last, &names)?;
    let subjects = steps.segments[*last].subjects();
    let portions = (0..subjects).step_by(PORTION).flat_map(|start| {
        let range = start..(start + PORTION).min(subjects);
        match places.merged(steps, range) {
            Ok(cells) => cells.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        }
    });
    shelf.append(time, &names, portions)
}

/// Where things are in files that have other things, or in another order; by number of the file.
struct Places(HashMap<usize, Vec<Option<usize>>>);

impl Places {
    fn of(steps: &Contents, last: usize, names: &str) -> io::Result<Self> {
        let mut places = HashMap::new();
        let checksum = steps.segments[last].names_checksum();
        for (number, segment) in steps.segments.iter().enumerate() {
            if segment.names_checksum() == checksum {
                continue;
            }
            let theirs = segment.names()?.unwrap_or_default();
            let known: HashMap<&str, usize> = theirs.lines().zip(0..).collect();
            places.insert(number, names.lines().map(|name| known.get(name).copied()).collect());
        }
        Ok(Self(places))
    }

    fn merged(&self, steps: &Contents, range: Range<usize>) -> io::Result<Vec<Cell>> {
        let mut columns = Vec::with_capacity(steps.steps.len());
        for (time, (number, step)) in &steps.steps {
            let segment = &steps.segments[*number];
            columns.push(match self.0.get(number) {
                None => segment.cells(*step, *time, range.clone())?,
                Some(places) => {
                    let cell = |place: &Option<usize>| match place {
                        None => Ok(Cell::UNKNOWN),
                        Some(at) => segment.cells(*step, *time, *at..at + 1).map(|cells| cells[0]),
                    };
                    places[range.clone()].iter().map(cell).collect::<io::Result<Vec<_>>>()?
                }
            });
        }
        let merged = |at: usize| Cell::merged(columns.iter().map(|column| &column[at]));
        Ok((0..range.len()).map(merged).collect())
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
