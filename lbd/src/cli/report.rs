//! `lbd report`: how available services and servers were.

use clap::{Args, Subcommand};

use super::client;
use super::failure::CommandError;
use super::print::{Common, encoded, table};
use crate::history::report::{Availability, AvailabilityReport};
use crate::web::AVAILABILITY;
use crate::web::pages::duration;

const EXAMPLES: &str = "Examples:
  lbd report availability                                   # this month so far
  lbd report availability --month 2026-10
  lbd report availability --month 2026-10 --csv > october.csv";

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
}

pub(super) fn show(Report { which, common }: &Report) -> Result<(), CommandError> {
    let Which::Availability { month, csv } = which;
    let month = encoded(month.as_deref().unwrap_or_default());
    let format = if *csv { "csv" } else { "json" };
    let answer = client::get(&common.way, &format!("{AVAILABILITY}?month={month}&format={format}"))?;
    if *csv || common.json {
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
