//! Which versions are installed, and how one goes back to the other: a page of the console. Pure.

use super::text::{item, paragraph};
use crate::web::update::{UpdateDocument, VersionStanding};

/// The page.
pub(super) fn page(told: &UpdateDocument) -> String {
    let mut text = format!("\n-- Software versions --\n\n{}", paragraph(&running(told), 0));
    match &told.other {
        Some(other) => {
            text += &paragraph(&format!("Other: {}, {}", other.version, standing(other.standing)), 0);
            text += &other
                .left
                .as_ref()
                .map_or_else(String::new, |left| paragraph(&left.words(format_args!("{:.0}", left.at)), 0));
        }
        None if told.problem.is_none() => text += "Other: none\n",
        None => {}
    }
    let why = told.other.iter().filter_map(|other| other.why.as_ref()).chain(&told.problem);
    text += &why.map(|why| item("!", why)).collect::<String>();
    if let Some(uploaded) = &told.uploaded {
        let words = format!("Uploaded: {}, not installed yet", uploaded.version);
        text += &paragraph(&words, 0);
    }
    let way = way_back(told);
    if way.is_empty() { text + "\n" } else { format!("{text}\n{}\n", paragraph(&way, 0)) }
}

fn running(told: &UpdateDocument) -> String {
    let development = if told.development_build { " (development build)" } else { "" };
    let on_trial = if told.on_trial {
        ", on trial: within three minutes of its start everything must work that worked before"
    } else {
        ""
    };
    format!("Running: {}{development}{on_trial}", told.running)
}

fn standing(standing: VersionStanding) -> &'static str {
    match standing {
        VersionStanding::Good => "good: it ran before",
        VersionStanding::Installed => "installed: it starts at the next restart, on trial",
        VersionStanding::Failed => "failed: it was tried and never proved itself",
        VersionStanding::Left => "left: somebody went back from it to what runs now",
    }
}

/// How one gets to the other version; empty where there is none to get to.
fn way_back(told: &UpdateDocument) -> String {
    let Some(other) = &told.other else { return String::new() };
    match other.standing {
        VersionStanding::Good | VersionStanding::Left => format!(
            "To go back to {}: in the WebUI under Maintenance, Software Update, or with `lbd update rollback` from another \
             machine. That restarts the appliance, and the other version must prove itself then.{}",
            other.version,
            if told.on_trial {
                " It also starts by itself if what runs now does not prove itself."
            } else {
                ""
            }
        ),
        VersionStanding::Installed if other.starts_without_restart => format!(
            "To start {}: restart the appliance (5 in the menu), or without a restart in the WebUI under Maintenance, Software \
             Update.",
            other.version
        ),
        VersionStanding::Installed => {
            format!("To start {}: restart the appliance (5 in the menu).", other.version)
        }
        VersionStanding::Failed => String::new(),
    }
}
