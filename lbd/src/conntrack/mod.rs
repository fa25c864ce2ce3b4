//! The kernel's table of connections (conntrack), over netlink, and a record of those that have closed.
//!
//! [`wire`] and [`entry`] are the pure codec, [`socket`] the way to the kernel, [`census`] what a look at the whole
//! table adds up to. [`tasks`] holds the tasks: one looks now and then, one makes the kernel forget connections when
//! the engine says so, one hears of every connection that ends. Each has a socket of its own, so that none waits for
//! another, and opens it anew after a failure.
//!
//! [`record`] is a closed connection as bytes (pure), [`ring`] the files of them, [`recorder`] the thread that writes.
//! [`lookup`] answers questions about both, with the [`names`] of servers; [`list`] is the list of open ones.

pub mod census;
pub mod entry;
pub mod list;
pub mod lookup;
pub mod names;
pub mod record;
pub mod recorder;
pub mod ring;
pub mod socket;
pub mod tasks;
pub mod wire;
