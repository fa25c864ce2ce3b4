//! From a bulletin to letters: who gets which part of it. Pure.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::topic::{Bulletin, Kind, Notice};
use super::words::{self, Speaker};
use crate::config::Alerting;
use crate::config::alerting::MailAddress;
use crate::mail::{Letter, Urgency};

/// One letter for each who is to know something of it. The same bulletin always makes letters of the same names.
pub fn letters(bulletin: &Bulletin, settings: &Alerting, host_name: &str, url: &str) -> Vec<Letter> {
    let mut by_way: BTreeMap<(&MailAddress, &MailAddress), Vec<Notice>> = BTreeMap::new();
    for notice in &bulletin.notices {
        let Some((from, to)) = settings.addresses(notice.topic.service()) else { continue };
        for to in to {
            by_way.entry((from, to)).or_default().push(notice.clone());
        }
    }
    let speaker = Speaker { host_name, url, subjects: settings.alerts.subjects, zone: &settings.zone };
    let letter = |((from, to), all): ((&MailAddress, &MailAddress), Vec<Notice>)| {
        let told: Vec<_> =
            all.iter().filter(|notice| !words::is_said_by_others(notice, &all)).cloned().collect();
        let (subject, text) = words::mail(&told, bulletin.at, &speaker);
        Letter {
            id: id(bulletin, from, to),
            from: from.to_string(),
            to: to.to_string(),
            subject,
            text,
            written: bulletin.at,
            urgency: urgency(&told),
        }
    };
    by_way.into_iter().map(letter).collect()
}

/// Time and number name the bulletin, also where numbers began anew with an empty disk; the rest names the way.
fn id(bulletin: &Bulletin, from: &MailAddress, to: &MailAddress) -> String {
    let digest = Sha256::digest(format!("{from}\n{to}"));
    let way: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{:x}-{}-{way}", bulletin.at.as_microsecond(), bulletin.number)
}

fn urgency(notices: &[Notice]) -> Urgency {
    let of = |notice: &Notice| match notice.kind {
        Kind::Began | Kind::Flaps => Urgency::Alarm,
        Kind::Happened | Kind::Ended | Kind::Withdrawn => Urgency::Relief,
        Kind::Lasts => Urgency::Reminder,
    };
    notices.iter().map(of).max().unwrap_or(Urgency::Relief)
}
