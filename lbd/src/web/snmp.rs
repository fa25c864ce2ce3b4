//! What people order of the SNMP agent, for API and pages alike; each order stands in the audit log, without any secret.

use axum::http::StatusCode;

use super::api::ProblemDocument;
use super::{Caller, Gateway};
use crate::config::Problem;
use crate::config::values::{Fault, quoted};
use crate::snmp::secret::{NewPassphrases, check_community, check_passphrase};

impl Gateway {
    /// Starts the agent anew.
    pub(in crate::web) async fn restart_snmp(&self, caller: &Caller) {
        self.snmp().restart().await;
        self.access().audit().change(&caller.author(), &["SNMP: agent restarted".to_owned()]);
    }

    /// Sets or forgets the community.
    pub(in crate::web) async fn set_snmp_community(
        &self,
        caller: &Caller,
        community: Option<String>,
    ) -> Result<(), ProblemDocument> {
        if let Some(community) = &community {
            check_community(community).map_err(|fault| wrong("community", fault))?;
        }
        let what = if community.is_some() { "set" } else { "removed" };
        self.snmp().set_community(community).await.map_err(not_stored)?;
        self.access().audit().change(&caller.author(), &[format!("SNMP: community {what}")]);
        Ok(())
    }

    /// Sets passphrases of a user that the configuration has; what is not given stays.
    pub(in crate::web) async fn set_snmp_passphrases(
        &self,
        caller: &Caller,
        user: &str,
        new: NewPassphrases,
    ) -> Result<(), ProblemDocument> {
        let latest = self.latest();
        let users = latest.document.snmp.iter().flat_map(|snmp| &snmp.user);
        let known: Vec<_> = users.map(|user| user.name.clone()).collect();
        if !known.iter().any(|name| name == user) {
            let detail =
                format!("There is no SNMP user {}; add them to the configuration first.", quoted(user));
            return Err(ProblemDocument::missing(detail));
        }
        let given = [("authentication", &new.authentication), ("privacy", &new.privacy)];
        let named: Vec<_> =
            given.iter().filter(|(_, passphrase)| passphrase.is_some()).map(|(name, _)| *name).collect();
        for (field, passphrase) in given {
            if let Some(passphrase) = passphrase {
                check_passphrase(passphrase).map_err(|fault| wrong(field, fault))?;
            }
        }
        if named.is_empty() {
            let fault = Fault::new("no passphrase is given", "give one of at least 8 characters");
            return Err(wrong("authentication", fault));
        }
        self.snmp().set_passphrases(user.to_owned(), new, known).await.map_err(not_stored)?;
        let line = format!("SNMP: passphrases of {user} set ({})", named.join(", "));
        self.access().audit().change(&caller.author(), &[line]);
        Ok(())
    }
}

fn wrong(field: &str, Fault { problem, remedy }: Fault) -> ProblemDocument {
    ProblemDocument::invalid(vec![Problem { field: field.to_owned(), problem, remedy }])
}

fn not_stored(why: String) -> ProblemDocument {
    let title = "The secret could not be stored";
    ProblemDocument::new(StatusCode::INSUFFICIENT_STORAGE, title, format!("{why}."))
}
