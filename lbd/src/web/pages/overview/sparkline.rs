//! The course of a service's new connections, as a small line and in words.
//!
//! New ones, not open ones: they say at a glance whether clients still come, even to a service without a server, and
//! no association is too short to be seen.

use crate::view::{COURSE_STEP_SECONDS, COURSE_STEPS, ServiceView};

/// Pixels of a step; the style sheet makes the box 60 pixels wide.
const STEP: usize = 3;
/// Right edge, where now is: the same place is the same time in every row.
const RIGHT: usize = STEP * COURSE_STEPS;
/// Zero; the stroke needs a pixel above and below in its box of 16.
const BOTTOM: i32 = 15;
/// Pixels between zero and the peak.
const LEVELS: i32 = 14;

/// How a service's line is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sparkline {
    /// For `d` of an SVG path in a box of 60 by 16 pixels.
    pub(super) path: String,
    /// For who cannot see it; in few words, as there may be hundreds on a page. The heading says of what.
    pub(super) words: String,
    /// What its highest point stands for.
    pub(super) peak: String,
}

impl Sparkline {
    /// The last steps, and the present rate, where it is known, as the last point; `None` before the first step has ended, as a line would
    /// claim that nobody came.
    pub(super) fn of(service: &ServiceView) -> Option<Self> {
        let course = &service.recent_connections_per_second;
        let course = &course[course.len().saturating_sub(COURSE_STEPS)..];
        if course.is_empty() {
            return None;
        }
        let now = service.traffic.connections_per_second;
        let rates: Vec<_> = course.iter().copied().chain(now).collect();
        let peak = rates.iter().copied().fold(0.0, f64::max);
        let least = rates.iter().copied().fold(peak, f64::min);
        let levels: Vec<_> = rates.iter().map(|rate| level(*rate, peak)).collect();
        let words = words(least, peak, &time(course.len()));
        Some(Self { path: path(&levels), words, peak: number(peak) })
    }
}

/// Pixels above zero; the least that came is seen beside any peak.
fn level(rate: f64, peak: f64) -> i32 {
    if rate <= 0.0 {
        return 0;
    }
    // At most LEVELS, as no rate is above the peak.
    ((rate / peak * f64::from(LEVELS)).round() as i32).clamp(1, LEVELS)
}

/// Runs of the same level are one stroke, which keeps a page of many quiet services small.
fn path(levels: &[i32]) -> String {
    let mut path = format!("M{}", RIGHT - STEP * levels.len().saturating_sub(1));
    let mut before = None;
    for run in levels.chunk_by(|a, b| a == b) {
        path += &match before {
            None => format!(" {}", BOTTOM - run[0]),
            Some(level) => format!("l{STEP}{}{}", if level > run[0] { " " } else { "" }, level - run[0]),
        };
        if run.len() > 1 {
            path += &format!("h{}", STEP * (run.len() - 1));
        }
        before = Some(run[0]);
    }
    path
}

fn words(least: f64, peak: f64, time: &str) -> String {
    let (least, peak) = (number(least), number(peak));
    match (peak.as_str(), least == peak) {
        ("0", _) => format!("no new ones in {time}"),
        (_, true) => format!("{peak} new per s in {time}"),
        (_, false) => format!("{least} to {peak} new per s in {time}"),
    }
}

/// A rate with no more digits than say something: one connection in a step is `0.03`.
fn number(rate: f64) -> String {
    let digits = match rate {
        0.1..10.0 => 1,
        0.001..0.1 => 2,
        _ => 0,
    };
    let text = format!("{rate:.digits$}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn time(steps: usize) -> String {
    match steps as u64 * COURSE_STEP_SECONDS {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::{ServiceState, TrafficView};

    fn sparkline(course: &[f64], now: f64) -> Option<Sparkline> {
        Sparkline::of(&ServiceView {
            label: "A".into(),
            addresses: Vec::new(),
            ports: "2001".into(),
            protocol: "tcp".into(),
            state: ServiceState::Up,
            problem: None,
            without_server: String::new(),
            idle_timeout_seconds: None,
            persistence_seconds: None,
            forwarding_method: "snat".into(),
            connections_opened: 0,
            connections_not_taken: 0,
            recent_connections_per_second: course.to_vec(),
            traffic: TrafficView { connections_per_second: Some(now), ..TrafficView::default() },
            fallback_server: None,
            real_servers: Vec::new(),
        })
    }

    /// The points of a path that [`path`] has made.
    fn points(path: &str) -> Vec<(i32, i32)> {
        let spaced = path.replace('-', " -").replace('M', " M ").replace('h', " h ").replace('l', " l ");
        let mut words = spaced.split_whitespace();
        let (mut points, mut at) = (Vec::new(), (0, 0));
        while let Some(command) = words.next() {
            let mut number = || words.next().unwrap().parse::<i32>().unwrap();
            at = match command {
                "M" => (number(), number()),
                "h" => (at.0 + number(), at.1),
                "l" => (at.0 + number(), at.1 + number()),
                other => panic!("{other} in {path}"),
            };
            points.push(at);
        }
        points
    }

    #[test]
    fn a_service_without_connections_has_a_flat_line() {
        let line = sparkline(&[0.0; COURSE_STEPS], 0.0).unwrap();
        assert_eq!(line.path, "M0 15h60");
        assert_eq!((line.words.as_str(), line.peak.as_str()), ("no new ones in 10 min", "0"));
    }

    #[test]
    fn nothing_is_drawn_of_what_is_not_known() {
        assert_eq!(sparkline(&[], 3.0), None);
        let young = sparkline(&[0.0], 0.0).unwrap();
        assert_eq!((young.path.as_str(), young.words.as_str()), ("M57 15h3", "no new ones in 30 s"));
    }

    #[test]
    fn the_course_is_told_in_words() {
        let mut course = [0.0; COURSE_STEPS];
        (course[3], course[4]) = (12.0, 0.033);
        let line = sparkline(&course, 3.04).unwrap();
        assert_eq!(line.words, "0 to 12 new per s in 10 min");
        assert_eq!(line.path, "M0 15h6l3-14l3 13l3 1h42l3-4");
        let steady = sparkline(&[2.5; 4], 2.5).unwrap();
        assert_eq!(steady.words, "2.5 new per s in 2 min");
    }

    #[test]
    fn few_connections_are_not_none() {
        let cases = [(0.0, "0"), (0.033, "0.03"), (0.25, "0.2"), (1.0, "1"), (9.94, "9.9"), (1234.5, "1234")];
        for (rate, text) in cases {
            assert_eq!(number(rate), text);
        }
    }

    proptest! {
        #[test]
        fn a_line_stays_in_its_box_and_small(
            course in proptest::collection::vec(0.0..1e6_f64, 1..2 * COURSE_STEPS), now in 0.0..1e6_f64,
        ) {
            let line = sparkline(&course, now).unwrap();
            let points = points(&line.path);
            prop_assert!(points.iter().all(|(x, y)| (0..=60).contains(x) && (1..=15).contains(y)), "{}", line.path);
            prop_assert_eq!(points.last().unwrap().0, 60, "now is at the right: {}", line.path);
            prop_assert!(points.iter().any(|(_, y)| *y == 1), "the peak is at the top: {}", line.path);
            // 200 of them are 35 kB of the page's 150.
            prop_assert!(line.path.len() + line.words.len() <= 190, "{line:?}");
        }
    }
}
