//! What stands above the log-in.

use super::facts::{Daemon, Facts};
use super::recovery;
use super::text::{item, paragraph, plain};

/// So many problems are shown; the others are in the menu and in the WebUI.
const MOST_PROBLEMS: usize = 4;

/// At most 22 lines: with the prompt it fits a screen of 24.
pub fn banner(daemon: &Daemon, offers_recovery: bool) -> String {
    let rule = "=".repeat(79);
    let body = match daemon {
        Daemon::Starting => "Evenkeel load balancer\n\nIt is starting.\n".to_owned(),
        Daemon::Silent(why) => {
            "Evenkeel load balancer\n\n".to_owned()
                + &item("!", &format!("The daemon lbd does not answer: {why}."))
                + &paragraph(
                    "It is started again by itself. Traffic goes on meanwhile. Press Enter to look again; if it \
                     stays so for minutes, restart the machine with Ctrl-Alt-Del.",
                    2,
                )
        }
        Daemon::Answers(facts) => known(facts),
    };
    let offer = if offers_recovery { format!("\n{}", recovery::offer()) } else { String::new() };
    format!("\n{rule}\n{body}{offer}{rule}\n")
}

fn known(facts: &Facts) -> String {
    let mut text = format!("Evenkeel {}, load balancer\n\n", plain(&facts.version));
    let locked = if facts.is_configured { "" } else { ", locked: no password is set" };
    text += &format!("WebUI: {}{locked}\n", plain(&facts.address()));
    if let Some(fingerprint) = &facts.fingerprint {
        let (first, second) = fingerprint.split_at(fingerprint.len().div_ceil(2));
        text += &format!("Its certificate (SHA-256): {}\n{:27}{}\n", plain(first), "", plain(second));
    }
    if !facts.is_configured {
        text += "\nTo set up network and password, log in as setup, with the password setup.\n";
    }
    let mut problems: Vec<_> = facts.problems.iter().map(String::as_str).collect();
    let not_there =
        "The address of the WebUI is not in force yet: see the problems, or the network's cables.";
    if !facts.address_is_in_force() {
        problems.insert(0, not_there);
    }
    if !problems.is_empty() {
        text.push('\n');
    }
    for problem in problems.iter().take(MOST_PROBLEMS) {
        text += &first_lines(&item("!", problem));
    }
    if problems.len() > MOST_PROBLEMS {
        text += &format!("! and {} more: see the status\n", problems.len() - MOST_PROBLEMS);
    }
    text
}

/// A problem is told at length elsewhere.
fn first_lines(text: &str) -> String {
    const LINES: usize = 2;
    text.lines().take(LINES).map(|line| format!("{line}\n")).collect()
}
