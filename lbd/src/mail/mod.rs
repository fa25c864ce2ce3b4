//! Mail: from a letter to the answer of the server that took it over.
//!
//! [`queue`] decides what is tried when, and what gives way when there is no room (pure); [`spool`] keeps letters on
//! disk, [`exchange`] finds the servers of a domain, [`session`] speaks to one of them, [`post`] drives all that.

pub mod exchange;
pub mod letter;
pub mod password;
pub mod post;
pub mod queue;
pub mod session;
pub mod spool;

pub use letter::{Letter, Urgency};
pub use post::Post;
