//! The load-balancer daemon: decides which real server takes which connection, and tells the kernel.

pub mod alert;
pub mod appliance;
pub mod audit;
pub mod banner;
pub mod begin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conntrack;
pub mod dataplane;
pub mod engine;
pub mod fallback;
pub mod health;
pub mod log;
pub mod mail;
pub mod network;
pub mod persistence;
pub mod plan;
pub mod privileges;
pub mod proxy;
pub mod rescue;
pub mod run;
pub mod snmp;
pub mod store;
pub mod traffic;
pub mod vault;
pub mod view;
pub mod web;
pub mod zero_touch;

mod sys;
