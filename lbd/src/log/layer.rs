//! lbd's own lines: what it tells `tracing` goes into the journal too.

use std::fmt::Write;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::entry::{Entry, Severity, Source};
use super::journal::Journal;

/// Brings every event into the journal.
#[derive(Debug)]
pub struct IntoJournal(pub Journal);

impl<S: Subscriber> Layer<S> for IntoJournal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let severity = match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO => Severity::Info,
            Level::DEBUG | Level::TRACE => Severity::Debug,
        };
        self.0.record(Entry::new(Timestamp::now(), severity, Source::Lbd, &text.whole()));
    }
}

/// The message, and after it the fields.
#[derive(Debug, Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(self) -> String {
        match (self.message.is_empty(), self.fields.is_empty()) {
            (_, true) => self.message,
            (true, false) => self.fields.trim_start_matches("; ").to_owned(),
            (false, false) => self.message + &self.fields,
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, "; {name}: {value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn an_event_is_a_line_with_its_fields() {
        let journal = Journal::new();
        let subscriber = tracing_subscriber::registry().with(IntoJournal(journal.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(address = %"192.0.2.1", why = "no route", "cannot announce");
            tracing::info!(count = 3);
        });
        let lines: Vec<_> = journal.recent().into_iter().map(|entry| (entry.severity, entry.text)).collect();
        let warning = "cannot announce; address: 192.0.2.1; why: no route";
        assert_eq!(lines, [(Severity::Warning, warning.to_owned()), (Severity::Info, "count: 3".to_owned())]);
    }
}
