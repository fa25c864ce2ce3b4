//! The WebUI in Debian's Chromium, used as a person would, against real lbd and real DICOM peers. One program, so that a
//! story that waits does not keep the others waiting.
//!
//! Pictures of every page are kept in `target/screenshots`.

mod absent;
mod access;
mod admin;
mod clock;
mod cluster;
mod factory_reset;
mod failure;
mod keyboard;
mod licences;
mod logs;
mod mail;
mod network;
mod online_updates;
mod overview;
mod plain;
mod plain_appliance;
mod reports;
mod rest;
mod security;
mod snmp;
mod states;
mod support;
mod together;
