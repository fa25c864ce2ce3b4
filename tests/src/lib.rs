//! The namespace lab: whole networks of hosts on one machine, in which stories about the appliance are told.
//!
//! ```no_run
//! use lab::{Config, Lab, Mode};
//! let lab = Lab::single_arm();
//! lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
//! lab.lbd().start(&Config::datalink());
//! lab.lbd().wait_server("DATALINK_POOL1", "DATALINK_POOL1_NODE1", "up");
//! lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
//! ```
//!
//! Every host is a network namespace of its own, called `ek<pid of the test>-<lab>-<host>`, so that any number
//! of labs live side by side, in one process or in several. Nothing outside these namespaces is touched, and
//! dropping a [`Lab`] ends the processes it started and removes its namespaces. What a killed test left behind
//! is swept away by the next one. Every wait is for an event and has a deadline ([`wait`]).

pub mod api;
pub mod browser;
pub mod clock;
pub mod config;
pub mod datagrams;
pub mod exposure;
pub mod first_process;
pub mod host;
pub mod in_force;
pub mod kernel;
pub mod lbd;
pub mod mail;
pub mod namespace;
pub mod peers;
pub mod process;
pub mod random;
pub mod servers;
pub mod small_disk;
pub mod snmp;
pub mod tcp;
pub mod terminal;
pub mod topology;
pub mod updates;
pub mod vm;
pub mod wait;

pub use api::{Answer, Api};
pub use config::{Config, Pool};
pub use host::Host;
pub use in_force::InForce;
pub use lbd::Lbd;
pub use peers::{Mode, Scp};
pub use process::{Output, Process};
pub use topology::Lab;
