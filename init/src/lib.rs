//! PID 1 of the appliance: short, boring, complete.
//!
//! ```text
//! boot   a named list of phases; one that fails is logged, and the boot goes on
//! serve  one loop: signals, devices that appear, lbd, its health, consoles, commands, power button, watchdog
//! shutdown  lbd ends, data is written, the machine restarts or powers off
//! ```
//! What decides is pure and has its tests beside it: `modules::{alias, table}`, `adapters::{order, names}`,
//! `disk::{content, check}`, `daemon::{back_off, keeper, last_words}`, `terminals`, `guest_services`, `counting`, `update::slots`, `uevent`, `button`,
//! `log`. The rest does.
//!
//! Threads: the loop is one. Five things that can wait for a disk or the firmware for ever have a thread of their own: the
//! bless, the kernel's last words, an order that concerns updates (one at a time), the end of a counted boot that stays
//! unhealthy, and the last sync of a shutdown. None of them shares state with the loop, but for the folder of crashes, whose
//! files bear it; they answer on a channel or a socket, or restart the machine.

pub mod account;
pub mod adapters;
pub mod aside;
pub mod bless;
pub mod boot;
pub mod button;
pub mod connection_table;
pub mod control;
pub mod counting;
pub mod crash;
pub mod daemon;
pub mod disk;
pub mod esp;
pub mod failure;
pub mod guest_services;
pub mod hardening;
pub mod log;
pub mod machine;
pub mod modules;
pub mod mounts;
pub mod netlink;
pub mod notices;
pub mod places;
pub mod program;
pub mod properties;
pub mod serve;
pub mod shutdown;
pub mod signals;
pub mod terminals;
pub mod uevent;
pub mod update;
pub mod watchdog;
