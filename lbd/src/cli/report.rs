//! `lbd report`: how available services and servers were, and the course of figures.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::client;
use super::failure::CommandError;
use super::print::{Common, encoded, table};
use crate::history::lookup::{Course, Series};
use crate::history::report::{Availability, AvailabilityReport};
use crate::web::pages::duration;
use crate::web::{AVAILABILITY, HISTORY};

const EXAMPLES: &str = "Examples:
  lbd report availability                                   # this month so far
  lbd report availability --month 2026-10
  lbd report availability --month 2026-10 --csv > october.csv
  lbd report history service/DATALINK_POOL1/connections appliance/cpu          # of the last hour
  lbd report history server/DATALINK_POOL1/DATALINK_POOL1_NODE1/check --from 24h --csv > checks.csv";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Report {
    #[command(subcommand)]
    which: Which,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Uptime of services and servers in a month, and every outage with its reason
    Availability {
        /// Such as 2026-11, in the zone of the configuration [default: this month]
        #[arg(long, value_name = "MONTH")]
        month: Option<String>,
        /// As lines for a spreadsheet
        #[arg(long)]
        csv: bool,
    },
    /// The course of figures, of which the WebUI draws its graphs
    History(Figures),
}

/// Which figures, over which time.
#[derive(Debug, Args)]
struct Figures {
    /// Such as appliance/cpu, interface/eth0/bytes_in, service/POOL/connections, server/POOL/NODE1/check; up to 8
    #[arg(required = true, value_name = "FIGURE")]
    figures: Vec<String>,
    /// A moment such as 2026-11-25T08:30:00Z, or how long ago, such as 90m [default: 1h]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The same [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Each step's mean, as lines for a spreadsheet
    #[arg(long)]
    csv: bool,
}

pub(super) fn show(Report { which, common }: &Report) -> Result<(), CommandError> {
    match which {
        Which::Availability { month, csv } => show_availability(common, month.as_deref(), *csv),
        Which::History(figures) => show_history(common, figures),
    }
}

fn show_history(common: &Common, wanted: &Figures) -> Result<(), CommandError> {
    let Figures { figures, from, to, csv } = wanted;
    let part = |name: &str, text: &Option<String>| match text {
        Some(text) => format!("&{name}={}", encoded(text)),
        None => String::new(),
    };
    let path =
        format!("{HISTORY}?series={}{}{}", encoded(&figures.join(",")), part("from", from), part("to", to));
    let answer = client::get(&common.way, &path)?;
    if common.json {
        print!("{answer}");
        return Ok(());
    }
    let course: Course = serde_json::from_str(&answer).map_err(CommandError::not_understood)?;
    print!("{}", if *csv { lines(&course) } else { summary(&course) });
    Ok(())
}

/// A line for each figure.
fn summary(course: &Course) -> String {
    let number =
        |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.2}"));
    let row = |series: &Series| {
        let Series { name, unit, least, mean, peak, .. } = series;
        [name.clone(), number(*least), number(*mean), number(*peak), unit.clone()]
    };
    let rows: Vec<_> = course.series.iter().map(row).collect();
    table(["FIGURE", "LEAST", "MEAN", "PEAK", "UNIT"], &rows)
}

/// A line for each step: its beginning (UTC) and the mean of each figure, empty where it is not known.
fn lines(course: &Course) -> String {
    let names = course.series.iter().map(|series| format!(",{} ({})", series.name, series.unit));
    let mut text = "time".to_owned() + &names.collect::<String>() + "\n";
    for (at, time) in course.times.iter().enumerate() {
        let moment = Timestamp::from_second(*time).map(|time| time.to_string()).unwrap_or_default();
        let mean = |series: &Series| series.means.get(at).copied().flatten();
        let cells =
            course.series.iter().map(|series| mean(series).map_or(",".to_owned(), |mean| format!(",{mean}")));
        text += &(moment + &cells.collect::<String>() + "\n");
    }
    text
}

fn show_availability(common: &Common, month: Option<&str>, csv: bool) -> Result<(), CommandError> {
    let month = encoded(month.unwrap_or_default());
    let format = if csv { "csv" } else { "json" };
    let answer = client::get(&common.way, &format!("{AVAILABILITY}?month={month}&format={format}"))?;
    if csv || common.json {
        print!("{answer}");
        return Ok(());
    }
    let report: AvailabilityReport = serde_json::from_str(&answer).map_err(CommandError::not_understood)?;
    print!("{}", text(&report));
    Ok(())
}

/// The totals, then the outages.
fn text(report: &AvailabilityReport) -> String {
    let mut text = format!("Availability in {}, {} to {} (UTC)\n", report.month, report.from, report.to);
    if let Some(since) = report.recorded_since {
        text += &format!("Recorded since {since}; what was before is not known.\n");
    }
    let (mut totals, mut outages) = (Vec::new(), Vec::new());
    for service in &report.services {
        rows(&mut totals, &mut outages, &service.label, "", &service.availability);
        for server in &service.servers {
            rows(&mut totals, &mut outages, &service.label, &server.label, &server.availability);
        }
    }
    let head = ["SERVICE", "SERVER", "UPTIME", "OUTAGES", "DOWN", "NOT KNOWN"];
    text += &table(head, &totals);
    if outages.is_empty() {
        return text + "No outages.\n";
    }
    text + "\n" + &table(["SERVICE", "SERVER", "BEGAN", "ENDED", "DOWN", "REASON"], &outages)
}

fn rows(
    totals: &mut Vec<[String; 6]>,
    outages: &mut Vec<[String; 6]>,
    service: &str,
    server: &str,
    of: &Availability,
) {
    let uptime =
        of.uptime_percent.map_or_else(|| "not known".to_owned(), |percent| format!("{percent:.3} %"));
    let [service, server] = [service, server].map(str::to_owned);
    totals.push([
        service.clone(),
        server.clone(),
        uptime,
        of.outage_count.to_string(),
        duration(of.down_seconds),
        duration(of.unknown_seconds),
    ]);
    outages.extend(of.outages.iter().map(|outage| {
        let end = outage.end.map_or_else(|| "goes on".to_owned(), |end| end.to_string());
        let (begin, lasted) = (outage.begin.to_string(), duration(outage.down_seconds));
        [service.clone(), server.clone(), begin, end, lasted, outage.reason.clone()]
    }));
}
