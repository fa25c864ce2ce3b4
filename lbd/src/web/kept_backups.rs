//! The backups that are kept before updates, as API and pages show them.

use std::io;

use axum::http::StatusCode;

use super::api::{ProblemDocument, capitalised};
use super::backup::BackupFile;
use super::{Caller, Gateway};
use crate::backup::kept::{KeptBackup, KeptBackups};
use crate::config::values::quoted;

impl Gateway {
    /// Keeps what is in force now, before an update changes it. Where that fails nothing may be installed.
    pub(in crate::web) async fn keep_backup(&self, caller: &Caller) -> Result<(), ProblemDocument> {
        let BackupFile { name, text } = self.written(&caller.author(), None).await?;
        let kept = format!("backup {name} kept before an update, without secrets");
        self.in_kept_backups(move |backups| backups.keep(&name, &text)).await?.map_err(|error| {
            let detail = format!(
                "The backup that is kept before every update cannot be stored: {error}. Look at the data disk, then install again."
            );
            ProblemDocument::new(StatusCode::CONFLICT, "Nothing was installed", detail)
        })?;
        self.access().audit().change(&caller.author(), &[kept]);
        Ok(())
    }

    /// Those that can be restored, newest first.
    pub(in crate::web) async fn kept_backups(&self) -> Result<Vec<KeptBackup>, ProblemDocument> {
        self.in_kept_backups(KeptBackups::list).await?.map_err(unreadable)
    }

    /// One of them.
    pub(in crate::web) async fn kept_backup(&self, name: String) -> Result<BackupFile, ProblemDocument> {
        let asked = name.clone();
        let text = self.in_kept_backups(move |backups| backups.text(&asked)).await?.map_err(unreadable)?;
        let missing = || {
            let name = capitalised(&quoted(&name));
            ProblemDocument::missing(format!(
                "{name} is not among the backups that are kept; newer ones may have taken its place."
            ))
        };
        text.map(|text| BackupFile { name: name.clone(), text }).ok_or_else(missing)
    }

    async fn in_kept_backups<T: Send + 'static>(
        &self,
        work: impl FnOnce(&KeptBackups) -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, ProblemDocument> {
        let vault = self.vault().clone();
        self.in_backup_turn(move || work(vault.kept_backups())).await
    }
}

fn unreadable(error: io::Error) -> ProblemDocument {
    ProblemDocument::of_disk(&format!("the backups that are kept cannot be read: {error}"))
}
