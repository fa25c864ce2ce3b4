//! Questions about the course of figures, answered from the files with a bounded number of points.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::{Cell, Code};
use super::outages;
use super::report::{AvailabilityReport, Evaluation, Month};
use super::shelf::{contents, files, most_bytes};
use super::subject::{self, Figure};
use super::{HOLE, LEVELS, Level, step_of};

/// A screen has hardly more columns for a chart.
pub const MOST_POINTS: i64 = 400;

/// The course of some figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Course {
    /// Seconds of a step: the figures of a step are its mean and its peak.
    pub step_seconds: i64,
    /// When each step begins, in seconds since 1970; at most 401.
    pub times: Vec<i64>,
    /// In the order of the question.
    pub series: Vec<Series>,
}

/// The course of a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// As in the question.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// `1`, `1/s`, `bytes/s`, `bytes`, `percent` or `ms`.
    pub unit: String,
    /// Mean of each step; null where nothing is known.
    pub means: Vec<Option<f64>>,
    /// Peak of each step.
    pub peaks: Vec<Option<f64>>,
    /// The smallest of the means; null where nothing is known at all.
    pub least: Option<f64>,
    /// Mean over what is known.
    pub mean: Option<f64>,
    /// The largest peak.
    pub peak: Option<f64>,
}

/// A time, in seconds since 1970; `to` is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Its beginning.
    pub from: i64,
    /// Its end.
    pub to: i64,
}

/// How a time is shown: the finest level that reaches back so far, and the length of a point.
fn rhythm(range: Range, now: i64) -> (usize, i64) {
    let reaches = |level: &Level| range.from >= now - level.span();
    let at = LEVELS.iter().position(reaches).unwrap_or(LEVELS.len() - 1);
    let step = LEVELS[at].step;
    let steps = (range.to - range.from).div_euclid(step).max(1);
    (at, step * (steps + MOST_POINTS - 1).div_euclid(MOST_POINTS))
}

/// The course of figures, each named as [`subject::series`] has it. What is in the future, or further back than is kept,
/// is left out.
///
/// # Errors
/// When the disk cannot be read.
pub fn course(folder: &Path, wanted: &[(String, Figure)], range: Range, now: i64) -> io::Result<Course> {
    let oldest = now - LEVELS[LEVELS.len() - 1].span();
    let range = Range { from: range.from.max(oldest), to: range.to.min(now + 1) };
    let (level, point) = rhythm(range, now);
    let range = Range { from: step_of(range.from, point), ..range };
    let keys: Vec<&str> = wanted.iter().filter_map(|(name, _)| Some(subject::series(name)?.0)).collect();
    let cells = cells(folder, &keys, level, range)?;
    let count = (range.to - range.from).max(0).div_euclid(point) + 1;
    let times: Vec<i64> =
        (0..count).map(|at| range.from + at * point).filter(|time| *time < range.to).collect();
    let columns: Vec<_> = cells.iter().map(|cells| points(cells, &times, point)).collect();
    let series = wanted.iter().zip(&columns).map(|((name, figure), cells)| series(name, *figure, cells));
    Ok(Course { step_seconds: point, series: series.collect(), times })
}

/// What is kept of each thing: of the coarse level, and of finer ones what is too young for it.
fn cells(folder: &Path, keys: &[&str], level: usize, range: Range) -> io::Result<Vec<BTreeMap<i64, Cell>>> {
    let mut found = vec![BTreeMap::new(); keys.len()];
    let mut since = range.from;
    for level in LEVELS[..=level].iter().rev() {
        let steps = contents(&files(folder, level), since, range.to)?;
        let mut places = Vec::with_capacity(steps.segments.len());
        for segment in &steps.segments {
            let names = segment.names()?.unwrap_or_default();
            let place = |key: &&str| names.lines().position(|name| name == *key);
            places.push(keys.iter().map(place).collect::<Vec<_>>());
        }
        for (time, (number, step)) in &steps.steps {
            for (found, place) in found.iter_mut().zip(&places[*number]) {
                let Some(at) = *place else { continue };
                found.extend(
                    steps.segments[*number].cells(*step, *time, at..at + 1)?.first().map(|c| (*time, *c)),
                );
            }
        }
        since = steps.steps.keys().next_back().map_or(since, |last| last + level.step);
    }
    Ok(found)
}

/// When the newest sample was taken; `None` where there is none.
///
/// # Errors
/// When the disk cannot be read.
pub fn newest(folder: &Path) -> io::Result<Option<i64>> {
    Ok(contents(&files(folder, &LEVELS[0]), i64::MIN, i64::MAX)?.steps.into_keys().next_back())
}

/// The availability report of a month in a zone, up to `now`.
///
/// # Errors
/// When the disk cannot be read.
pub fn report(folder: &Path, month: Month, zone: &TimeZone, now: i64) -> io::Result<AvailabilityReport> {
    let (from, end) = month.bounds(zone);
    let to = end.min(now);
    // A recorder that works has a sample that is a step old, and told what has changed since.
    let sampled = newest(folder)?.unwrap_or(i64::MIN);
    let known_until = if sampled + HOLE < now { sampled } else { now };
    let mut evaluation = Evaluation::new(from);
    outages::read(folder, from, |entry| evaluation.take(entry))?;
    Ok(evaluation.report(month, to, known_until))
}

fn points(cells: &BTreeMap<i64, Cell>, times: &[i64], point: i64) -> Vec<Cell> {
    let merged = |time: &i64| Cell::merged(cells.range(*time..*time + point).map(|(_, cell)| cell));
    times.iter().map(merged).collect()
}

fn series(name: &str, figure: Figure, cells: &[Cell]) -> Series {
    let at = subject::series(name).map_or(0, |(_, at, _)| at);
    let known = |codes: &dyn Fn(&Cell) -> Code| cells.iter().map(|cell| codes(cell).figure()).collect();
    let means: Vec<Option<f64>> = known(&|cell| cell.means[at]);
    let peaks: Vec<Option<f64>> = known(&|cell| cell.peaks[at]);
    let all: Vec<f64> = means.iter().flatten().copied().collect();
    Series {
        name: name.to_owned(),
        title: figure.title.to_owned(),
        unit: figure.unit.name().to_owned(),
        least: all.iter().copied().reduce(f64::min),
        mean: (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64),
        peak: peaks.iter().flatten().copied().reduce(f64::max),
        means,
        peaks,
    }
}

/// What is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// From the finest to the coarsest.
    pub shelves: Vec<KeptShelf>,
    /// The record of outages.
    pub outages: KeptShelf,
}

/// How much of something is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptShelf {
    /// Seconds of a step; 0 for the record of outages.
    pub step: i64,
    /// Seconds that are kept at least; 0 where that depends.
    pub span: i64,
    /// Seconds since 1970 of the oldest entry, if there is one.
    pub oldest: Option<i64>,
    /// Bytes on disk.
    pub bytes: u64,
    /// The most that it may be.
    pub most: u64,
}

/// Looks at what is on disk.
///
/// # Errors
/// When the disk cannot be read.
pub fn kept(folder: &Path) -> io::Result<Kept> {
    let shelf = |level: &Level| -> io::Result<KeptShelf> {
        let files = files(folder, level);
        let oldest = contents(&files, 0, i64::MAX)?.steps.into_keys().next();
        let (bytes, most) = (files.bytes()?, most_bytes(level));
        Ok(KeptShelf { step: level.step, span: level.span(), oldest, bytes, most })
    };
    let shelves = LEVELS.iter().map(shelf).collect::<io::Result<Vec<_>>>()?;
    let (bytes, oldest) = outages::kept(folder)?;
    let most = outages::LIMITS.file * outages::LIMITS.files as u64;
    Ok(Kept { shelves, outages: KeptShelf { step: 0, span: 0, oldest, bytes, most } })
}
