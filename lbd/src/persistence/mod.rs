//! Persistence entries: which client the kernel leads to which server again, and for how long.
//!
//! The kernel learns them by itself (`traffic/ruleset.rs`). [`wire`] is the pure codec of its messages, [`lookup`] lists
//! and clears them for whoever asks; the engine has no part in it but to look whether there is room for more.
//! A map may hold a million of them, so that they are read part by part and never kept: nft would need a gigabyte.

pub mod lookup;
pub mod wire;
