//! The load-balancer daemon: decides which real server takes which connection, and tells the kernel.

pub mod config;
pub mod engine;
pub mod health;
pub mod network;
pub mod plan;
mod sys;
pub mod traffic;
pub mod view;
