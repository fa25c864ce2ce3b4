//! The load-balancer daemon: decides which real server takes which connection, and tells the kernel.

pub mod config;
pub mod health;
pub mod view;
