//! The licences of what is shipped, as API and pages show them.

use std::io;

use super::Gateway;
use super::api::ProblemDocument;
use crate::config::values::quoted;
use crate::licences::{Licences, Shipped};

impl Gateway {
    /// Everything that is shipped.
    pub(in crate::web) async fn shipped(&self) -> Result<Shipped, ProblemDocument> {
        let list = self.in_licences(Licences::list).await?;
        list.ok_or_else(|| {
            ProblemDocument::missing(format!(
                "lbd runs on a Linux of your own here, and there are no licence texts in {}: the appliance brings them. \
                 Look at the page Licences of an appliance.",
                self.licences().folder().display()
            ))
        })
    }

    /// A licence text, by the name of its file in the list.
    pub(in crate::web) async fn licence_text(&self, file: String) -> Result<String, ProblemDocument> {
        let asked = file.clone();
        let text = self.in_licences(move |licences| licences.text(&asked)).await?;
        text.ok_or_else(|| {
            ProblemDocument::missing(format!(
                "{} is no text of the list. Choose one that the page Licences or GET /api/v1/licences names.",
                quoted(&file)
            ))
        })
    }

    /// In a thread of its own: it reads files.
    async fn in_licences<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Licences) -> io::Result<T> + Send + 'static,
    ) -> Result<T, ProblemDocument> {
        let licences = self.licences().clone();
        let read = tokio::task::spawn_blocking(move || work(&licences)).await;
        read.map_err(io::Error::other)
            .flatten()
            .map_err(|error| ProblemDocument::of_disk(&format!("the licence texts cannot be read: {error}")))
    }
}
