//! What the appliance does, in the namespace lab: real lbd on a real kernel, with real peers. One program, so that a story
//! that waits does not keep the others waiting.

mod administrators;
mod alerts;
mod backup;
mod balance;
mod change;
mod checks;
mod clock;
mod commands;
mod complaints;
mod connections;
mod console;
mod crash;
mod endurance;
mod exposure;
mod fallback;
mod health;
mod history;
mod hosts;
mod ipv6;
mod lockdown;
mod logs;
mod mail;
mod management;
mod mending;
mod model;
mod network;
mod persistence;
mod pools;
mod proxy;
mod refusal;
mod snmp;
mod states;
mod syslog;
mod tools;
