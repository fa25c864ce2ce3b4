//! The OVA under QEMU: what only the whole machine shows. One program, so that a story that waits does not keep the others
//! waiting.

mod boot;
mod choices;
mod clock;
mod console;
mod crash;
mod disk;
mod flows;
mod image;
mod network;
mod pvscsi;
mod quick_update;
mod run;
mod software_update;
mod traffic;
mod update_power;
mod updates;
mod updating;
