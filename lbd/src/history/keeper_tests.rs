//! The shelves as a whole, on a simulated clock.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};

use proptest::prelude::*;

use super::super::lookup::{Course, Range, course};
use super::super::segment::Segment;
use super::super::shelf::most_bytes;
use super::super::{FIGURES, Level, subject};
use super::*;

/// A Thursday, at a full hour.
const START: i64 = 1_795_708_800;

fn sample(things: &[(&str, f64)]) -> Sample {
    let mut sample = Sample::default();
    for (name, figure) in things {
        sample.add(&subject::service(name), [Some(*figure); FIGURES]);
    }
    sample
}

fn ask(folder: &Path, name: &str, from: i64, to: i64, now: i64) -> Course {
    let name = format!("service/{name}/connections");
    let (_, _, figure) = subject::series(&name).unwrap();
    course(folder, &[(name, figure)], Range { from, to }, now).unwrap()
}

fn known(course: &Course) -> Vec<(i64, f64)> {
    let pairs = course.times.iter().zip(&course.series[0].means);
    pairs.filter_map(|(time, mean)| Some((*time, (*mean)?))).collect()
}

fn bytes(folder: &Path, level: &Level) -> u64 {
    let folder = folder.join(level.folder);
    let files = fs::read_dir(folder).into_iter().flatten();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// What each step must be: the mean of all samples in it.
fn naive(samples: &[(i64, f64)], step: i64) -> BTreeMap<i64, (f64, f64)> {
    let mut groups: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    samples.iter().for_each(|(time, figure)| groups.entry(step_of(*time, step)).or_default().push(*figure));
    let of = |figures: Vec<f64>| {
        let peak = figures.iter().copied().fold(0.0, f64::max);
        (figures.iter().sum::<f64>() / figures.len() as f64, peak)
    };
    groups.into_iter().map(|(time, figures)| (time, of(figures))).collect()
}

#[test]
fn every_level_is_what_a_naive_calculation_gives() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(folder.path());
    let mut samples = Vec::new();
    let end = START + 3 * 3_600;
    for (at, time) in (START..=end).step_by(10).enumerate() {
        let figure = ((at * 7_919) % 1_000) as f64;
        samples.push((time, figure));
        keeper.take(&sample(&[("A", figure), ("B", 1.0)]), time + 3).unwrap();
    }
    samples.pop();
    for level in &LEVELS[1..] {
        let steps = contents(&files(folder.path(), level), START, end).unwrap();
        let expected = naive(&samples, level.step);
        assert_eq!(steps.steps.len(), expected.len(), "{level:?}");
        for (time, (segment, step)) in &steps.steps {
            let cell = steps.segments[*segment].cells(*step, *time, 0..1).unwrap()[0];
            let (mean, peak) = expected[time];
            let found = cell.means[0].figure().unwrap();
            // Each of three levels rounds to a thousandth.
            assert!((found - mean).abs() <= mean / 300.0, "{level:?} at {time}: {found} for {mean}");
            assert_eq!(cell.peaks[0].figure(), Some(peak), "{level:?} at {time}");
        }
    }
}

#[test]
fn bounds_hold_over_simulated_months_and_the_last_31_days_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(folder.path());
    let end = START + 36 * 86_400;
    // A sample a minute is enough to fill every level but the first.
    for time in (START..=end).step_by(60) {
        keeper.take(&sample(&[("A", 5.0)]), time).unwrap();
    }
    for level in &LEVELS {
        let steps = contents(&files(folder.path(), level), 0, i64::MAX).unwrap();
        let count = steps.steps.len();
        assert!((level.steps..=level.steps * 9 / 8 + 1).contains(&count), "{level:?}: {count}");
        assert!(bytes(folder.path(), level) <= most_bytes(level) / 100);
    }
    let month = ask(folder.path(), "A", end - 30 * 86_400, end, end);
    assert!(
        month.times.len() <= 401 && known(&month).len() >= month.times.len() - 1,
        "{}",
        month.times.len()
    );
    assert!(known(&month).iter().all(|(_, figure)| *figure == 5.0));
}

#[test]
fn bytes_stay_within_the_bound_though_every_step_has_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let level = Level { step: 10, steps: 16, folder: "tiny" };
    let mut shelf = Shelf::new(folder.path(), level);
    let bound = most_bytes(&level);
    for step in 0..200_i64 {
        let count = usize::try_from(step * 61 % 12_000).unwrap();
        let names: String = (0..count).map(|at| format!("server/POOL_{step}/NODE_{at}\n")).collect();
        shelf.append(START + step * 10, &names, (0..count).map(|_| Ok(Cell::UNKNOWN))).unwrap();
        assert!(bytes(folder.path(), &level) <= bound, "step {step}: {}", bytes(folder.path(), &level));
    }
    assert!(fs::read_dir(folder.path().join("tiny")).unwrap().count() <= 17);
}

#[test]
fn a_young_history_is_shown_over_any_range_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let end = START + 1_000;
    for time in (START..=end).step_by(10) {
        // Another keeper each time, as after a restart.
        Keeper::new(folder.path()).take(&sample(&[("A", 2.0)]), time).unwrap();
    }
    for days in [1, 7, 30] {
        let course = ask(folder.path(), "A", end - days * 86_400, end, end);
        let known = known(&course);
        assert!(
            !known.is_empty() && known.iter().all(|(_, figure)| *figure == 2.0),
            "{days} days: {known:?}"
        );
        assert!(known[0].0 <= START && course.times.len() <= 401);
    }
    let minute = ask(folder.path(), "A", end - 60, end, end);
    assert_eq!((minute.step_seconds, known(&minute).len()), (10, 6));
    assert_eq!((minute.series[0].least, minute.series[0].peak), (Some(2.0), Some(2.0)));
}

#[test]
fn a_thing_that_comes_and_goes_has_holes_and_others_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(folder.path());
    for time in (START..START + 180).step_by(10) {
        let is_there = (START + 55..START + 130).contains(&time);
        let both = [("B", 4.0), ("A", 3.0)];
        keeper.take(&sample(if is_there { &both } else { &both[1..] }), time).unwrap();
    }
    keeper.take(&sample(&[("A", 3.0)]), START + 3_600).unwrap();
    let now = START + 3 * 3_600;
    let minutes = |name| known(&ask(folder.path(), name, START, START + 180, now));
    assert_eq!(minutes("A"), [(START, 3.0), (START + 60, 3.0), (START + 120, 3.0)]);
    // The last file of the third minute does not have it any more.
    assert_eq!(minutes("B"), [(START + 60, 4.0)]);
    assert_eq!(known(&ask(folder.path(), "NONE", START, START + 180, now)), []);
}

#[test]
fn what_a_power_cut_damaged_is_passed_over_and_recording_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(folder.path());
    for time in (START..START + 50).step_by(10) {
        keeper.take(&sample(&[("A", 1.0), ("B", 2.0)]), time).unwrap();
    }
    drop(keeper);
    let path = files(folder.path(), &LEVELS[0]).path(1);
    // Half of the last step, and a bit of the one before.
    let mut content = fs::read(&path).unwrap();
    content.truncate(content.len() - 40);
    let whole = Segment::open(fs::File::open(&path).unwrap()).unwrap().unwrap();
    let at = usize::try_from(whole.whole_length()).unwrap() - 80 - 1;
    content[at] ^= 0xFF;
    fs::write(&path, content).unwrap();
    let mut keeper = Keeper::new(folder.path());
    keeper.take(&sample(&[("A", 1.0), ("B", 2.0)]), START + 60).unwrap();
    let now = START + 61;
    let a: Vec<_> =
        known(&ask(folder.path(), "A", START, now, now)).iter().map(|(time, _)| time - START).collect();
    let b: Vec<_> =
        known(&ask(folder.path(), "B", START, now, now)).iter().map(|(time, _)| time - START).collect();
    assert_eq!((a, b), (vec![0, 10, 20, 30, 60], vec![0, 10, 20, 60]));
}

#[test]
fn a_file_that_is_no_file_of_steps_is_followed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), &LEVELS[0]);
    fs::create_dir_all(files.folder()).unwrap();
    fs::write(files.path(1), [0; 100]).unwrap();
    Keeper::new(folder.path()).take(&sample(&[("A", 1.0)]), START).unwrap();
    assert_eq!(known(&ask(folder.path(), "A", START, START + 10, START + 10)), [(START, 1.0)]);
}

#[test]
fn after_a_clock_jump_the_later_steps_count_once_and_nothing_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(folder.path());
    let mut run = |from: i64, to: i64, figure: f64| {
        (from..to).step_by(10).for_each(|time| keeper.take(&sample(&[("A", figure)]), time).unwrap());
    };
    run(START, START + 600, 1.0);
    run(START + 300, START + 900, 2.0);
    // A year ahead, for a moment.
    run(START + 31_536_000, START + 31_536_100, 9.0);
    run(START + 900, START + 1_200, 3.0);
    let now = START + 1_200;
    let found = known(&ask(folder.path(), "A", START, now, now));
    let figure = |time: i64| match time - START {
        ..300 => 1.0,
        300..900 => 2.0,
        _ => 3.0,
    };
    assert_eq!(found.len(), 120);
    assert!(found.iter().all(|(time, found)| *found == figure(*time)), "{found:?}");
}

#[test]
fn a_failure_costs_what_it_lasted_and_leaves_nothing_torn() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = Shelf::new(folder.path(), LEVELS[0]);
    let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
    shelf
        .append(START, "service/A\nservice/B\n", (0..2).map(|_| Ok(Cell::of(&[Some(1.0); FIGURES]))))
        .unwrap();
    let half = vec![Ok(Cell::UNKNOWN), full()];
    assert!(shelf.append(START + 10, "service/A\nservice/B\n", half.into_iter()).is_err());
    // As if some of it had reached the disk.
    let path = files(folder.path(), &LEVELS[0]).path(1);
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    io::Write::write_all(&mut &file, &[7; 30]).unwrap();
    shelf
        .append(START + 20, "service/A\nservice/B\n", (0..2).map(|_| Ok(Cell::of(&[Some(2.0); FIGURES]))))
        .unwrap();
    let found = known(&ask(folder.path(), "B", START, START + 30, START + 30));
    assert_eq!(found, [(START, 1.0), (START + 20, 2.0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Over any steps of the clock and restarts: no step is there twice, all are in order, and every answer is bounded.
    #[test]
    fn any_clock_gives_ordered_bounded_answers(
        moves in proptest::collection::vec((-4_000..8_000_i64, 1..40_i64, any::<bool>()), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut keeper = Keeper::new(folder.path());
        let (mut clock, mut expected) = (START, BTreeMap::new());
        for (jump, steps, restarts) in moves {
            clock = (clock + jump).max(START);
            if restarts {
                keeper = Keeper::new(folder.path());
            }
            for _ in 0..steps {
                let before = keeper.last().unwrap();
                let time = step_of(clock, 10);
                keeper.take(&sample(&[("A", clock as f64)]), clock).unwrap();
                if before != Some(time) {
                    expected.insert(time, clock);
                }
                clock += 10;
            }
        }
        let steps = contents(&files(folder.path(), &LEVELS[0]), 0, i64::MAX).unwrap();
        prop_assert!(steps.steps.len() <= expected.len());
        for (time, (segment, step)) in &steps.steps {
            let cell = steps.segments[*segment].cells(*step, *time, 0..1).unwrap()[0];
            let found = cell.means[0].figure().unwrap();
            prop_assert!((found - expected[time] as f64).abs() <= found / 1_000.0);
        }
        for range in [60, 3_600, 86_400, 30 * 86_400] {
            let course = ask(folder.path(), "A", clock - range, clock, clock);
            prop_assert!(course.times.len() <= 401 && course.times.is_sorted());
        }
    }
}
