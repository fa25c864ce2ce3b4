//! The availability report of a month, from the record of outages. Pure.
//!
//! The seconds of each state add up to the month, or to now where it is not over. What nobody knows is neither up nor
//! down, and counts in no percentage. After a clock that went back the later entries count. An outage that goes on after
//! a time that nobody knows is one, whose length is what is known of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::standing::{Change, Entry, Standing, What};

/// Changes of state that are evaluated: some megabytes. More are counted and left out.
const MOST_CHANGES: usize = 100_000;
/// Outages of one service or server that are listed, the latest; all are counted.
const MOST_OUTAGES: usize = 200;

/// A month; when it begins depends on the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Month(Date);

impl Month {
    /// From text such as `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let is_plain = year.len() == 4 && month.len() == 2;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain || !digits(year) || !digits(month) {
            return None;
        }
        Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok().map(Self)
    }

    /// The one in which a moment lies.
    pub fn of(moment: Timestamp, zone: &TimeZone) -> Self {
        Self(moment.to_zoned(zone.clone()).date().first_of_month())
    }

    /// The months up to this one, this one first.
    pub fn back(self, count: usize) -> Vec<Self> {
        let before = |month: &Self| month.0.yesterday().ok().map(|day| Self(day.first_of_month()));
        std::iter::successors(Some(self), before).take(count).collect()
    }

    /// Its first second and the first one after it, since 1970.
    pub fn bounds(self, zone: &TimeZone) -> (i64, i64) {
        let second =
            |date: Date| date.to_zoned(zone.clone()).map_or(i64::MAX, |at| at.timestamp().as_second());
        let next = self.0.last_of_month().tomorrow();
        (second(self.0), next.map_or(i64::MAX, second))
    }

    /// `2026-11`.
    pub fn name(self) -> String {
        self.0.strftime("%Y-%m").to_string()
    }

    /// `November 2026`.
    pub fn title(self) -> String {
        self.0.strftime("%B %Y").to_string()
    }
}

/// How available everything was in a month.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AvailabilityReport {
    /// Such as `2026-11`.
    pub month: String,
    /// The month's beginning.
    pub from: Timestamp,
    /// Its end, or now where it is not over.
    pub to: Timestamp,
    /// Since when there is a record, where that is not before the month; what was before is not known.
    pub recorded_since: Option<Timestamp>,
    /// In the order of labels; those too that are not configured any more.
    pub services: Vec<ServiceAvailability>,
    /// So many changes of state were too many to be evaluated; 0 but for a farm that flaps for weeks.
    pub changes_left_out: usize,
}

/// How available a service was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceAvailability {
    /// Its label.
    pub label: String,
    /// The service as a whole.
    #[serde(flatten)]
    pub availability: Availability,
    /// In the order of labels.
    pub servers: Vec<ServerAvailability>,
}

/// How available a server was in its service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerAvailability {
    /// Its label.
    pub label: String,
    /// The server.
    #[serde(flatten)]
    pub availability: Availability,
}

/// How available something was. The seconds add up to the time of the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Availability {
    /// So many of a hundred seconds, of those in which it was up, degraded or down, it was not down; null where it was
    /// none of these.
    pub uptime_percent: Option<f64>,
    /// It was up, and whole.
    pub up_seconds: i64,
    /// It was up, and some of its servers failed.
    pub degraded_seconds: i64,
    /// It was down.
    pub down_seconds: i64,
    /// Somebody wanted it so: switched off, drained or halted.
    pub planned_seconds: i64,
    /// Nobody knows: the appliance was off, or did not record.
    pub unknown_seconds: i64,
    /// It was not configured.
    pub absent_seconds: i64,
    /// So many outages there were.
    pub outage_count: usize,
    /// The first 200 of them.
    pub outages: Vec<Outage>,
}

/// An outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// When it began, or the month where it is older.
    pub begin: Timestamp,
    /// When it ended; null where it goes on after the time of the report.
    pub end: Option<Timestamp>,
    /// How long it is known to have lasted within the time of the report.
    pub down_seconds: i64,
    /// Why, in the check's own words.
    pub reason: String,
}

/// From when on something stood how, and why.
#[derive(Debug, Clone)]
struct Stretch {
    since: i64,
    standing: Standing,
    reason: String,
}

/// Takes the record entry by entry, in the order in which it was written.
#[derive(Debug)]
pub struct Evaluation {
    from: i64,
    /// Time of the latest entry.
    clock: i64,
    began: Option<i64>,
    tracks: BTreeMap<String, Vec<Stretch>>,
    changes: usize,
    left_out: usize,
}

impl Evaluation {
    /// Of a time that begins at `from`.
    pub fn new(from: i64) -> Self {
        Self { from, clock: i64::MIN, began: None, tracks: BTreeMap::new(), changes: 0, left_out: 0 }
    }

    /// Takes an entry.
    pub fn take(&mut self, entry: Entry) {
        if entry.time < self.clock {
            self.tracks.values_mut().for_each(|track| forget_since(track, entry.time));
        }
        self.clock = entry.time;
        self.began = Some(self.began.map_or(entry.time, |began| began.min(entry.time)));
        match entry.what {
            What::Change(change) => self.change(change, entry.time),
            What::All { up, other } => self.all(up, other, entry.time),
            What::Hole { since } => {
                let keys: Vec<String> = self.tracks.keys().cloned().collect();
                keys.iter().for_each(|key| self.hole(key, since, entry.time));
            }
        }
    }

    fn all(&mut self, up: Vec<String>, other: Vec<Change>, time: i64) {
        let up = up.into_iter().map(|key| Change { key, standing: Standing::Up, reason: String::new() });
        let named: BTreeMap<String, Change> =
            up.chain(other).map(|change| (change.key.clone(), change)).collect();
        let gone: Vec<String> = self.tracks.keys().filter(|key| !named.contains_key(*key)).cloned().collect();
        for key in gone {
            self.change(Change { key, standing: Standing::Absent, reason: String::new() }, time);
        }
        named.into_values().for_each(|change| self.change(change, time));
    }

    fn change(&mut self, Change { key, standing, reason }: Change, time: i64) {
        let began = self.began.unwrap_or(time);
        let track = self.tracks.entry(key).or_insert_with(|| {
            // Before the record began nobody knows whether it was there; after that it was not.
            let absent = Stretch { since: began, standing: Standing::Absent, reason: String::new() };
            if began < time { vec![absent] } else { Vec::new() }
        });
        let stands_so = track.last().is_some_and(|last| last.standing == standing);
        if stands_so {
            return;
        }
        if self.changes >= MOST_CHANGES {
            self.left_out += 1;
            return;
        }
        // What was over before the time of the report says nothing about it.
        if time <= self.from {
            track.clear();
        }
        self.changes += 1;
        track.push(Stretch { since: time, standing, reason });
    }

    fn hole(&mut self, key: &str, since: i64, until: i64) {
        let Some(last) = self.tracks.get(key).and_then(|track| track.last()).cloned() else { return };
        if last.standing == Standing::Absent || until <= since {
            return;
        }
        let change = |standing, reason| Change { key: key.to_owned(), standing, reason };
        self.change(change(Standing::Unknown, String::new()), since.max(last.since));
        self.change(change(last.standing, last.reason), until);
    }

    /// The report, up to `to`; what is after `known_until` is not known.
    pub fn report(mut self, month: Month, to: i64, known_until: i64) -> AvailabilityReport {
        if known_until < to {
            let keys: Vec<String> = self.tracks.keys().cloned().collect();
            keys.iter().for_each(|key| self.hole(key, known_until, to));
        }
        let (from, to) = (self.from, to.max(self.from));
        let mut services: BTreeMap<String, ServiceAvailability> = BTreeMap::new();
        for (key, track) in &self.tracks {
            let Some(availability) = availability(track, from, to) else { continue };
            let parts: Vec<_> = key.split('/').collect();
            let service = |label: &str| ServiceAvailability {
                label: label.to_owned(),
                availability: Availability::default(),
                servers: Vec::new(),
            };
            match parts.as_slice() {
                ["service", label] => {
                    services.entry((*label).to_owned()).or_insert_with(|| service(label)).availability =
                        availability;
                }
                ["server", of, label] => {
                    let server = ServerAvailability { label: (*label).to_owned(), availability };
                    services.entry((*of).to_owned()).or_insert_with(|| service(of)).servers.push(server);
                }
                _ => {}
            }
        }
        AvailabilityReport {
            month: month.name(),
            from: timestamp(from),
            to: timestamp(to),
            recorded_since: self.began.filter(|began| *began > from).map(timestamp),
            services: services.into_values().collect(),
            changes_left_out: self.left_out,
        }
    }
}

/// The clock has gone back to `time`: what was said of later times does not count, but how things stand now does.
fn forget_since(track: &mut Vec<Stretch>, time: i64) {
    let Some(last) = track.last().cloned() else { return };
    track.retain(|stretch| stretch.since < time);
    if track.last().is_none_or(|kept| kept.standing != last.standing) {
        track.push(Stretch { since: time, ..last });
    }
}

fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// `None` for what was never configured in this time.
fn availability(track: &[Stretch], from: i64, to: i64) -> Option<Availability> {
    let mut found = Availability::default();
    let first = track.first()?.since.clamp(from, to);
    found.unknown_seconds = first - from;
    let ends = track.iter().skip(1).map(|next| next.since).chain([i64::MAX]);
    // The outage that is going on, or was when nobody knew any more.
    let mut open: Option<Outage> = None;
    for (stretch, end) in track.iter().zip(ends) {
        let (begin, until) = (stretch.since.clamp(from, to), end.clamp(from, to));
        let seconds = (until - begin).max(0);
        match stretch.standing {
            Standing::Up => found.up_seconds += seconds,
            Standing::Degraded => found.degraded_seconds += seconds,
            Standing::Down => found.down_seconds += seconds,
            Standing::Planned => found.planned_seconds += seconds,
            Standing::Unknown => found.unknown_seconds += seconds,
            Standing::Absent => found.absent_seconds += seconds,
        }
        if seconds == 0 {
            continue;
        }
        match (stretch.standing, open.as_mut()) {
            (Standing::Down, Some(outage)) => {
                outage.down_seconds += seconds;
                outage.end = (end <= to).then(|| timestamp(until));
            }
            (Standing::Down, None) => {
                open = Some(Outage {
                    begin: timestamp(begin),
                    end: (end <= to).then(|| timestamp(until)),
                    down_seconds: seconds,
                    reason: stretch.reason.clone(),
                });
            }
            (Standing::Unknown, _) => {}
            _ => found.close(open.take()),
        }
    }
    found.close(open);
    let counted = found.up_seconds + found.degraded_seconds + found.down_seconds;
    let up = (found.up_seconds + found.degraded_seconds) as f64;
    found.uptime_percent = (counted > 0).then(|| 100.0 * up / counted as f64);
    (found.absent_seconds < to - from).then_some(found)
}

impl Availability {
    fn close(&mut self, outage: Option<Outage>) {
        let Some(outage) = outage else { return };
        self.outage_count += 1;
        if self.outages.len() >= MOST_OUTAGES {
            self.outages.remove(0);
        }
        self.outages.push(outage);
    }
}

impl AvailabilityReport {
    /// As lines for a spreadsheet (RFC 4180): for each service and server a line `total`, and one for each outage.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "record,month,service,server,begin_utc,end_utc,uptime_percent,up_seconds,degraded_seconds,down_seconds,\
             planned_seconds,unknown_seconds,absent_seconds,outages,reason\r\n",
        );
        for service in &self.services {
            self.lines(&mut text, &service.label, "", &service.availability);
            for server in &service.servers {
                self.lines(&mut text, &service.label, &server.label, &server.availability);
            }
        }
        text
    }

    fn lines(&self, text: &mut String, service: &str, server: &str, of: &Availability) {
        let number = |number: i64| number.to_string();
        let percent = of.uptime_percent.map(|percent| format!("{percent:.4}")).unwrap_or_default();
        let month = self.month.as_str();
        let (from, to) = (self.from.to_string(), self.to.to_string());
        let seconds = [
            of.up_seconds,
            of.degraded_seconds,
            of.down_seconds,
            of.planned_seconds,
            of.unknown_seconds,
            of.absent_seconds,
        ];
        let mut total: Vec<String> =
            ["total", month, service, server, &from, &to, &percent].map(str::to_owned).into();
        total.extend(seconds.map(number));
        total.extend([of.outage_count.to_string(), String::new()]);
        *text += &csv_line(&total);
        for outage in &of.outages {
            let end = outage.end.map(|end| end.to_string()).unwrap_or_default();
            let begin = outage.begin.to_string();
            let mut line: Vec<String> =
                ["outage", month, service, server, &begin, &end, "", "", ""].map(str::to_owned).into();
            line.push(number(outage.down_seconds));
            line.extend(["", "", "", "", &outage.reason].map(str::to_owned));
            *text += &csv_line(&line);
        }
    }
}

/// Cells that a spreadsheet would take for a formula are made text: reasons hold words of servers.
fn csv_line(cells: &[String]) -> String {
    let cell = |cell: &String| {
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = format!("{}{cell}", if is_formula { "'" } else { "" });
        let is_plain = !text.contains([',', '"', '\n', '\r']);
        if is_plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
