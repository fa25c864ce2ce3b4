//! What people order of alerts and mail, for API and pages alike; each order stands in the audit log.

use axum::http::StatusCode;

use super::api::ProblemDocument;
use super::{Caller, Gateway};
use crate::config::values::quoted;

impl Gateway {
    /// Sends a test alert as if it were about this service. Returns the names of the mails that are under way.
    pub(in crate::web) async fn test_alert(
        &self,
        caller: &Caller,
        service: Option<String>,
    ) -> Result<Vec<String>, ProblemDocument> {
        let latest = self.latest();
        if let Some(label) = &service
            && !latest.view.virtual_services.iter().any(|known| known.label == *label)
        {
            return Err(ProblemDocument::missing(format!("There is no virtual service {}.", quoted(label))));
        }
        let mails = self.alarm().test(service.clone(), caller.author().to_string()).await;
        let about = service.map(|label| format!(" for {label}")).unwrap_or_default();
        self.access().audit().change(&caller.author(), &[format!("test alert{about} sent")]);
        let has_traps = latest.document.snmp.as_ref().is_some_and(|snmp| !snmp.trap.is_empty());
        if mails.is_empty() && !has_traps {
            let detail = "Give a source and a destination first: Cluster Configuration, Layer 4 Advanced Configuration, or \
                          [alerts] in the configuration; or a destination of traps: SNMP Configuration, or [[snmp.trap]].";
            return Err(ProblemDocument::new(StatusCode::CONFLICT, "Nobody is to get mail", detail));
        }
        Ok(mails)
    }

    /// Tries all mails that wait now.
    pub(in crate::web) async fn retry_mail(&self, caller: &Caller) {
        self.post().hurry().await;
        self.access().audit().change(&caller.author(), &["mail queue: tried at once".to_owned()]);
    }

    /// Throws a mail that waits away.
    pub(in crate::web) async fn throw_mail_away(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(), ProblemDocument> {
        let why = format!("thrown away by {}", caller.author());
        if !self.post().throw_away(id.to_owned(), why).await {
            let detail = format!("No mail {} waits; it may be delivered by now, or under way.", quoted(id));
            return Err(ProblemDocument::missing(detail));
        }
        self.access().audit().change(&caller.author(), &[format!("mail queue: {id} thrown away")]);
        Ok(())
    }

    /// Sets or forgets the password of the smart host.
    pub(in crate::web) async fn set_mail_password(
        &self,
        caller: &Caller,
        password: Option<String>,
    ) -> Result<(), ProblemDocument> {
        let what = if password.is_some() { "set" } else { "removed" };
        self.post().set_password(password).await.map_err(|why| {
            ProblemDocument::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "The password could not be stored",
                format!("{why}."),
            )
        })?;
        self.access().audit().change(&caller.author(), &[format!("mail: password of the smart host {what}")]);
        Ok(())
    }
}
