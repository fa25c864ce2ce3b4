//! Alerts: what people are told of, when, and how. One policy for all channels.
//!
//! [`sightings`] reads the View (pure), [`policy`] decides what is told when (pure), with an [`episode`] for each topic in
//! trouble; [`words`] and [`mailing`] make mails of it (pure); [`desk`] drives all that.

pub mod desk;
pub mod episode;
pub mod mailing;
pub mod policy;
pub mod sightings;
pub mod topic;
pub mod words;

#[cfg(test)]
mod tests;

pub use desk::Alarm;
