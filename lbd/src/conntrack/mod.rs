//! The kernel's table of connections (conntrack), over netlink.
//!
//! [`wire`] and [`entry`] are the pure codec, [`socket`] the way to the kernel, [`census`] what a look at the whole
//! table adds up to. [`tasks`] holds the tasks: one looks now and then and answers requests for the list, one makes
//! the kernel forget connections when the engine says so, one hears of every connection that ends. Each has a socket
//! of its own, so that none waits for another, and opens it anew after a failure.

pub mod census;
pub mod entry;
pub mod socket;
pub mod tasks;
pub mod wire;
