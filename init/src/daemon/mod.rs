//! lbd: started, watched, restarted.

pub mod back_off;
pub mod health;
pub mod keeper;
pub mod last_words;
pub mod output;
pub mod process;
pub mod succession;
