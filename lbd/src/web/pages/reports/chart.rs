//! A chart: what is in it, in which unit, and its drawing as SVG for who has no scripts. Pure.
//!
//! The same numbers go to the script, in the same unit, so that neither can say something else.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::clock::zone;
use crate::history::lookup::{Course, Series};
use crate::history::subject::Unit;

/// The drawing's box; the style sheet makes it as wide as the page.
pub(super) const WIDTH: f64 = 800.0;
pub(super) const HEIGHT: f64 = 210.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Lines across the chart, about.
const LEVELS: f64 = 4.0;
/// Times below it.
const TIMES: usize = 6;

/// One chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Chart {
    /// What it shows.
    pub(super) title: String,
    /// At the axis and in the table.
    pub(super) unit: String,
    /// In which times are told; an IANA name.
    pub(super) zone: String,
    #[serde(skip)]
    times_zone: TimeZone,
    /// Seconds since 1970.
    pub(super) times: Vec<i64>,
    /// Seconds of a step.
    pub(super) step: i64,
    /// The top of the axis, where it is fixed.
    pub(super) top: Option<f64>,
    /// Levels of the axis are whole: it counts things.
    pub(super) whole: bool,
    /// Its lines.
    pub(super) lines: Vec<Line>,
}

/// One line of a chart, in the chart's unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    /// In the legend.
    pub(super) title: String,
    /// Of each step; null where nothing is known.
    pub(super) means: Vec<Option<f64>>,
    /// Of each step.
    pub(super) peaks: Vec<Option<f64>>,
    /// Smallest mean.
    pub(super) least: Option<f64>,
    /// Mean of what is known.
    pub(super) mean: Option<f64>,
    /// Largest peak.
    pub(super) peak: Option<f64>,
}

/// So much of the kept unit is one of the shown one.
fn scale(unit: Unit, peak: f64) -> (f64, &'static str) {
    let pick = |steps: [(f64, &'static str); 4]| {
        steps.into_iter().rev().find(|(size, _)| peak >= *size).unwrap_or(steps[0])
    };
    match unit {
        Unit::Count => (1.0, ""),
        Unit::PerSecond => (1.0, "per s"),
        Unit::Percent => (1.0, "%"),
        Unit::Milliseconds if peak >= 1_000.0 => (1_000.0, "s"),
        Unit::Milliseconds => (1.0, "ms"),
        // Networks are measured in bits.
        Unit::Throughput => {
            pick([(0.125, "bit/s"), (125.0, "kbit/s"), (125_000.0, "Mbit/s"), (125_000_000.0, "Gbit/s")])
        }
        Unit::Bytes => pick([(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")]),
    }
}

impl Chart {
    /// Of these series, which have the same unit.
    pub(super) fn new(title: &str, unit: Unit, course: &Course, series: &[&Series]) -> Self {
        let peak = series.iter().filter_map(|series| series.peak).fold(0.0, f64::max);
        let (size, unit_name) = scale(unit, peak);
        let scaled = |figure: &Option<f64>| figure.map(|figure| rounded(figure / size));
        let line = |series: &&Series| Line {
            title: series.title.clone(),
            means: series.means.iter().map(scaled).collect(),
            peaks: series.peaks.iter().map(scaled).collect(),
            least: scaled(&series.least),
            mean: scaled(&series.mean),
            peak: scaled(&series.peak),
        };
        Self {
            title: title.to_owned(),
            unit: unit_name.to_owned(),
            zone: zone::name(&TimeZone::UTC).to_owned(),
            times_zone: TimeZone::UTC,
            times: course.times.clone(),
            step: course.step_seconds,
            top: (unit == Unit::Percent).then_some(100.0),
            whole: unit == Unit::Count,
            lines: series.iter().map(line).collect(),
        }
    }

    /// The same with times in this zone.
    pub(super) fn in_zone(self, zone: &TimeZone) -> Self {
        Self { zone: zone::name(zone).to_owned(), times_zone: zone.clone(), ..self }
    }

    /// Whether anything is known of it.
    pub(super) fn is_known(&self) -> bool {
        self.lines.iter().any(|line| line.mean.is_some())
    }

    /// For the script.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The highest level of the axis, and the distance of levels: 1, 2 or 5 of a power of ten.
    fn axis(&self) -> (f64, f64) {
        if let Some(top) = self.top {
            return (top, top / LEVELS);
        }
        let peak = self.lines.iter().filter_map(|line| line.peak).fold(0.0, f64::max);
        if peak <= 0.0 {
            return (1.0, 1.0);
        }
        let rough = peak / LEVELS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough);
        let step = step.unwrap_or(power * 10.0).max(if self.whole { 1.0 } else { 0.0 });
        ((peak / step).ceil().max(1.0) * step, step)
    }

    /// Levels of the axis: place and words.
    pub(super) fn levels(&self) -> Vec<(f64, String)> {
        let (top, step) = self.axis();
        let count = (top / step).round().clamp(1.0, 10.0) as u32;
        (0..=count).map(|at| (self.y(f64::from(at) * step, top), number(f64::from(at) * step))).collect()
    }

    /// Times below the chart: place and words.
    pub(super) fn moments(&self) -> Vec<(f64, String)> {
        let (Some(first), Some(last)) = (self.times.first(), self.times.last()) else { return Vec::new() };
        let format = match last - first {
            ..600 => "%H:%M:%S",
            600..90_000 => "%H:%M",
            _ => "%b %e",
        };
        let at = |part: usize| {
            let time = first + (last - first) * i64::try_from(part).unwrap_or(0) / (TIMES as i64 - 1);
            let words = Timestamp::from_second(time)
                .map(|time| time.to_zoned(self.times_zone.clone()).strftime(format).to_string());
            (self.x(time), words.unwrap_or_default())
        };
        (0..TIMES).map(at).collect()
    }

    fn x(&self, time: i64) -> f64 {
        let first = self.times.first().copied().unwrap_or(time);
        let span = self.times.last().map_or(0, |last| last - first).max(1) as f64;
        tenth(LEFT + (time - first) as f64 / span * (WIDTH - LEFT - RIGHT))
    }

    fn y(&self, figure: f64, top: f64) -> f64 {
        let part = (figure / top).clamp(0.0, 1.0);
        tenth(HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM))
    }

    /// For `d` of the SVG path of a line: one stroke for each time without a hole.
    pub(super) fn path(&self, line: &Line) -> String {
        let (top, _) = self.axis();
        let mut path = String::new();
        let mut is_drawn = false;
        for (time, mean) in self.times.iter().zip(&line.means) {
            let Some(mean) = mean else {
                is_drawn = false;
                continue;
            };
            let (x, y) = (self.x(*time), self.y(*mean, top));
            // A point alone is seen too.
            path += &if is_drawn { format!("L{x} {y}") } else { format!("M{x} {y}h.1") };
            is_drawn = true;
        }
        path
    }

    /// For who cannot see the drawing.
    pub(super) fn words(&self) -> String {
        let line = |line: &Line| {
            let value = |figure: &Option<f64>| self.value(figure);
            format!(
                "{}: {} to {}, mean {}",
                line.title,
                value(&line.least),
                value(&line.peak),
                value(&line.mean)
            )
        };
        let lines: Vec<_> = self.lines.iter().map(line).collect();
        format!("{}. {}", self.title, lines.join("; "))
    }

    /// With its unit.
    pub(super) fn value(&self, figure: &Option<f64>) -> String {
        let Some(figure) = *figure else { return "not known".to_owned() };
        format!("{} {}", number(figure), self.unit).trim_end().to_owned()
    }
}

fn tenth(place: f64) -> f64 {
    (place * 10.0).round() / 10.0
}

/// Four digits say more than a pixel shows.
fn rounded(figure: f64) -> f64 {
    let digits = match figure.abs() {
        1_000.0.. => 1.0,
        1.0..1_000.0 => 100.0,
        _ => 10_000.0,
    };
    (figure * digits).round() / digits
}

/// With no more digits than say something.
pub(super) fn number(figure: f64) -> String {
    let digits = match figure.abs() {
        100.0.. => 0,
        10.0..100.0 => 1,
        1.0..10.0 => 2,
        _ => 3,
    };
    let text = format!("{figure:.digits$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chart(unit: Unit, means: &[Option<f64>]) -> Chart {
        let times = (0..).map(|at| at * 10).take(means.len()).collect();
        let known = || means.iter().flatten().copied();
        let series = Series {
            name: "service/A/connections".into(),
            title: "open connections".into(),
            unit: "1".into(),
            means: means.to_vec(),
            peaks: means.to_vec(),
            least: known().reduce(f64::min),
            mean: known().reduce(|a, b| a + b).map(|sum| sum / known().count() as f64),
            peak: known().reduce(f64::max),
        };
        let course = Course { step_seconds: 10, times, series: vec![series.clone()] };
        Chart::new("Open connections", unit, &course, &[&series])
    }

    #[test]
    fn units_fit_what_is_shown() {
        let value = |unit, figure| {
            let chart = chart(unit, &[Some(figure)]);
            chart.value(&chart.lines[0].mean)
        };
        assert_eq!(value(Unit::Throughput, 1_250_000.0), "10 Mbit/s");
        assert_eq!(value(Unit::Throughput, 5.0), "40 bit/s");
        assert_eq!(value(Unit::Bytes, 117_000_000.0), "117 MB");
        assert_eq!(value(Unit::Milliseconds, 2_500.0), "2.5 s");
        assert_eq!(value(Unit::Count, 1_234.0), "1234");
        assert_eq!(chart(Unit::Count, &[None]).value(&None), "not known");
    }

    #[test]
    fn levels_are_round_numbers_from_zero_to_the_peak() {
        let words = |unit, figure| {
            let levels = chart(unit, &[Some(figure)]).levels();
            levels.into_iter().map(|(_, words)| words).collect::<Vec<_>>()
        };
        assert_eq!(words(Unit::Count, 7.0), ["0", "2", "4", "6", "8"]);
        assert_eq!(words(Unit::Count, 0.0), ["0", "1"]);
        assert_eq!(words(Unit::Percent, 3.0), ["0", "25", "50", "75", "100"]);
    }

    #[test]
    fn holes_are_not_drawn_over() {
        let chart = chart(Unit::Count, &[Some(0.0), Some(4.0), None, Some(4.0)]);
        let path = chart.path(&chart.lines[0]);
        assert_eq!(path, "M62 186h.1L304 10M788 10h.1");
        assert_eq!(chart.words(), "Open connections. open connections: 0 to 4, mean 2.67");
    }

    proptest! {
        #[test]
        fn every_line_stays_in_its_box(
            means in proptest::collection::vec(proptest::option::of(0.0..1e12_f64), 1..401),
        ) {
            let chart = chart(Unit::Throughput, &means);
            let path = chart.path(&chart.lines[0]).replace("h.1", "");
            for point in path.split(['M', 'L']).filter(|point| !point.is_empty()) {
                let (x, y) = point.split_once(' ').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                prop_assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y), "{point}");
            }
            prop_assert!(chart.levels().len() <= 11 && chart.json().len() < 20_000);
        }
    }
}
