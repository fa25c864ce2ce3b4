//! Tools for who stands at the console: what is asked for one, and what it has found, page by page. Pure.

use super::text::{WIDTH, item, paragraph, plain};
use super::{Prompt, fault};
use crate::config::AeTitle;
use crate::tools::{self, Finding, Tool, USUAL_CALLING};

/// Lines of a page, so that with its heading and the prompt it fits a screen of 24.
const PAGE: usize = 18;
/// Rows that are shown at most: ten pages are more than anybody reads here.
const MOST_ROWS: usize = 10 * PAGE;
/// Characters of what was typed before that stand in a prompt, which must fit a line.
const SHOWN: usize = 40;
/// Echo requests of one ping: somebody waits.
const REQUESTS: u16 = 4;
/// What leads back.
const BACK: &str = "q";

/// Where among the tools somebody is, and what they typed.
#[derive(Debug, Default)]
pub(super) struct Toolbox {
    page: Page,
    host: Option<String>,
    port: Option<u16>,
    called: Option<AeTitle>,
}

#[derive(Debug, Default)]
enum Page {
    #[default]
    Choices,
    /// What this tool needs is asked for; `Kind::fields` from this one on.
    Asking(Kind, usize),
    /// These lines were found, and are shown from this one on.
    Reading(Vec<String>, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ping,
    Traceroute,
    LookUp,
    Connect,
    Echo,
    Neighbours,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Host,
    Port,
    Called,
}

/// What follows from a line.
#[derive(Debug)]
pub(super) enum Step {
    Text(String),
    /// lbd is to do this; its finding is awaited.
    Use(Tool),
    Left,
}

impl Toolbox {
    /// The choices.
    pub(super) fn screen(&self) -> String {
        let told = "What the appliance itself can reach, as seen from here.";
        let choices: String =
            Kind::ALL.iter().map(|kind| format!("  {}  {}\n", kind.key(), kind.name())).collect();
        format!("\n-- Tools --\n\n{told}\n\n{choices}  0  Back to the menu\n\n")
    }

    pub(super) fn prompt(&self) -> Prompt {
        match &self.page {
            Page::Choices => Prompt::new("Your choice: "),
            Page::Asking(kind, at) => Prompt::new(self.question(*kind, *at)),
            Page::Reading(lines, from) if from + PAGE < lines.len() => {
                Prompt::new("Enter goes on, q back to the tools: ")
            }
            Page::Reading(..) => Prompt::new("Enter goes back to the tools: "),
        }
    }

    fn question(&self, kind: Kind, at: usize) -> String {
        let (words, known) = match kind.fields().get(at) {
            Some(Field::Host) => (kind.host_words(), self.host.clone()),
            Some(Field::Port) => ("Port", self.port.map(|port| port.to_string())),
            Some(Field::Called) => {
                ("Called AE title", self.called.as_ref().map(|title| title.as_str().to_owned()))
            }
            None => ("", None),
        };
        let known = known.map(|known| match known.get(..SHOWN) {
            Some(head) => format!(" [{head}...]"),
            None => format!(" [{known}]"),
        });
        format!("{words}{}: ", known.unwrap_or_default())
    }

    /// A line was typed.
    pub(super) fn take(&mut self, line: &str) -> Step {
        match &mut self.page {
            Page::Choices => self.choice(line),
            Page::Asking(..) if line.eq_ignore_ascii_case(BACK) => self.again(""),
            Page::Asking(kind, at) => {
                let (kind, at) = (*kind, *at);
                match self.answer(kind, at, line) {
                    Ok(()) => self.ask(kind, at + 1),
                    Err(why) => Step::Text(fault(&why)),
                }
            }
            Page::Reading(lines, from) if line.is_empty() && *from + PAGE < lines.len() => {
                *from += PAGE;
                Step::Text(page(lines, *from))
            }
            Page::Reading(..) => self.again(""),
        }
    }

    fn choice(&mut self, line: &str) -> Step {
        match (line, Kind::ALL.into_iter().find(|kind| kind.key() == line)) {
            (_, Some(kind)) => self.ask(kind, 0),
            ("0", _) => Step::Left,
            ("", _) => Step::Text(self.screen()),
            (other, _) if other.eq_ignore_ascii_case(BACK) => Step::Left,
            _ => Step::Text(fault("Type one of the numbers, then Enter.")),
        }
    }

    /// The question with this number, or the tool itself when all are answered.
    fn ask(&mut self, kind: Kind, at: usize) -> Step {
        match self.tool(kind) {
            Some(tool) if at >= kind.fields().len() => Step::Use(tool),
            _ => {
                self.page = Page::Asking(kind, at);
                Step::Text(if at == 0 { format!("\n{}: q goes back.\n", kind.name()) } else { String::new() })
            }
        }
    }

    /// Keeps an answer; Enter alone keeps the one in brackets. The error says what to type.
    fn answer(&mut self, kind: Kind, at: usize, line: &str) -> Result<(), String> {
        match kind.fields().get(at) {
            Some(Field::Host) if line.is_empty() && self.host.is_some() => {}
            Some(Field::Port) if line.is_empty() && self.port.is_some() => {}
            Some(Field::Called) if line.is_empty() && self.called.is_some() => {}
            Some(Field::Host) => {
                let host = tools::host(line);
                self.host = Some(host.map_err(|remedy| format!("The host is not understood: {remedy}."))?);
            }
            Some(Field::Port) => {
                let port = line.parse().ok().filter(|port| *port != 0);
                let wrong = "The port is not understood: give 1 to 65535, for example 104.";
                self.port = Some(port.ok_or(wrong)?);
            }
            Some(Field::Called) => {
                let called = AeTitle::try_from(line);
                self.called = Some(called.map_err(|fault| format!("{}; {}.", fault.problem, fault.remedy))?);
            }
            None => {}
        }
        Ok(())
    }

    /// As soon as all is known.
    fn tool(&self, kind: Kind) -> Option<Tool> {
        let host = self.host.clone();
        Some(match kind {
            Kind::Ping => Tool::Ping { host: host?, count: REQUESTS },
            Kind::Traceroute => Tool::Traceroute { host: host? },
            Kind::LookUp => Tool::LookUp { name: host? },
            Kind::Connect => Tool::Connect { host: host?, port: self.port? },
            Kind::Echo => Tool::Echo {
                host: host?,
                port: self.port?,
                calling: AeTitle::try_from(USUAL_CALLING).ok()?,
                called: self.called.clone()?,
            },
            Kind::Neighbours => Tool::Neighbours,
        })
    }

    /// lbd has answered.
    pub(super) fn found(&mut self, found: Result<Finding, String>) -> Step {
        match found {
            Ok(finding) => {
                let lines = lines(&finding);
                let text = page(&lines, 0);
                self.page = Page::Reading(lines, 0);
                Step::Text(text)
            }
            Err(why) => self.again(&fault(&why)),
        }
    }

    /// From the choices on, after what is to be said.
    fn again(&mut self, text: &str) -> Step {
        self.page = Page::Choices;
        Step::Text(text.to_owned() + &self.screen())
    }
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Ping, Self::Traceroute, Self::LookUp, Self::Connect, Self::Echo, Self::Neighbours];

    /// What is typed for it.
    fn key(self) -> &'static str {
        match self {
            Self::Ping => "1",
            Self::Traceroute => "2",
            Self::LookUp => "3",
            Self::Connect => "4",
            Self::Echo => "5",
            Self::Neighbours => "6",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ping => "Ping",
            Self::Traceroute => "Traceroute",
            Self::LookUp => "DNS look-up",
            Self::Connect => "TCP connect test",
            Self::Echo => "DICOM C-ECHO",
            Self::Neighbours => "Neighbour table",
        }
    }

    fn fields(self) -> &'static [Field] {
        match self {
            Self::Ping | Self::Traceroute | Self::LookUp => &[Field::Host],
            Self::Connect => &[Field::Host, Field::Port],
            Self::Echo => &[Field::Host, Field::Port, Field::Called],
            Self::Neighbours => &[],
        }
    }

    fn host_words(self) -> &'static str {
        if self == Self::LookUp { "Name, or address" } else { "Host, by address or name" }
    }
}

/// The outcome, then the table; where that is too wide for a terminal a row takes more than one line.
fn lines(finding: &Finding) -> Vec<String> {
    let outcome = match finding.succeeded {
        true => paragraph(&finding.outcome, 0),
        false => item("!", &finding.outcome),
    };
    let rest = finding.rows.len().saturating_sub(MOST_ROWS);
    let shown = Finding { rows: finding.rows.iter().take(MOST_ROWS).cloned().collect(), ..finding.clone() };
    let mut table: Vec<_> = shown.table().iter().map(|line| plain(line)).collect();
    if table.iter().any(|line| line.len() > WIDTH) {
        table = shown.rows.iter().flat_map(|row| folded(row)).collect();
    }
    let mut lines: Vec<_> = outcome.lines().map(str::to_owned).collect();
    if !table.is_empty() {
        lines.push(String::new());
    }
    lines.extend(table);
    if rest > 0 {
        lines.push(format!("And {rest} more: the page Maintenance > Tools of the WebUI shows them all."));
    }
    lines
}

/// A row whose cells do not fit beside each other.
fn folded(row: &[String]) -> Vec<String> {
    let text = row.iter().filter(|cell| !cell.is_empty()).cloned().collect::<Vec<_>>().join(", ");
    item("-", &text).lines().map(str::to_owned).collect()
}

fn page(lines: &[String], from: usize) -> String {
    let pages = lines.len().div_ceil(PAGE).max(1);
    let heading = match pages {
        1 => "\n-- What was found --\n".to_owned(),
        _ => format!("\n-- What was found, page {} of {pages} --\n", from / PAGE + 1),
    };
    let shown = lines.iter().skip(from).take(PAGE).map(|line| format!("{line}\n"));
    std::iter::once(heading).chain(shown).collect()
}
