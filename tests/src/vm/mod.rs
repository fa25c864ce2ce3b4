//! The appliance as a virtual machine: QEMU boots the disk taken out of the OVA, in place of the lab's lbd.
//!
//! ```no_run
//! use lab::{Lab, Mode};
//! use lab::vm::Guest;
//! let lab = Lab::single_arm_with_guest();
//! lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
//! let guest = Guest::new(&lab);
//! guest.boot(&lab.config([&lab.pool().echo_check("DW_SCP")]));
//! guest.wait_service("POOL", "degraded");
//! lab.client().echoscu(lab.vip(0), 2001, "DW_SCP").expect_ok();
//! ```
//!
//! - `hardware`: which machine, as QEMU's arguments (pure); `machine`: a running one; `qmp`: its control channel
//! - `artefacts`: what `make appliance` left; `disk`: the OVA's own VMDK with what the guest writes beside it;
//!   `lossy_disk`: a disk that loses what was not flushed, and fails when told to (`nbd`: how QEMU reaches it);
//!   `partition`: its partitions; `uki`: other systems made of the one under test, `release`: as updates
//! - `properties`: OVF settings on a disc; `iso`: the disc
//! - `network`: the guest's adapters in the lab's networks; `guest`: the appliance in a story
//!
//! QEMU runs in the namespace of the lab's host `appliance`, and dies with the story. Without hardware
//! virtualisation a boot takes about 15 s on an idle machine; the deadlines allow for ten times as much.

pub mod artefacts;
pub mod disk;
pub mod guest;
pub mod hardware;
pub mod iso;
pub mod lossy_disk;
pub mod machine;
pub mod nbd;
pub mod network;
pub mod partition;
pub mod properties;
pub mod qmp;
pub mod release;
pub mod uki;

pub use disk::Disk;
pub use guest::Guest;
pub use hardware::Hardware;
pub use lossy_disk::LossyDisk;
pub use machine::Machine;
pub use release::Release;
pub use uki::Uki;
