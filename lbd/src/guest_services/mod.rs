//! VMware's guest services: what vSphere shows of the machine and may ask of it. It sees host name and addresses, hears
//! a heartbeat, and can have the machine shut down or restarted in order.
//!
//! ```text
//! channel   messages over the hypervisor's port (its low-bandwidth "backdoor"), register by register
//! request   what vSphere asks for (protocol TCLO)
//! here      what this machine is, asked of its kernel
//! facts     what it is told (protocol RPCI), as text and as XDR (RFC 4506)
//! services  what to answer, and to tell or do: pure, time is an argument
//! session   one step: the channel of questions, the answers, what follows from them
//! ```
//! The protocol has no specification. Its facts are those on which the implementations agree that are in use: VMware's
//! open-vm-tools and govmomi's toolbox, OpenBSD's `vmt(4)`.
//!
//! It runs as a process of its own, as lbd's user and without a capability, kept by init: a hypervisor that refuses the
//! port ends the process that asks, and asking takes the processor until the answer. The heartbeat tells whether the
//! machine is alive, not lbd: vSphere may restart a machine whose heart stands still, and the kernel forwards without
//! lbd. Elsewhere than on VMware the port is never touched.

pub mod channel;
pub mod facts;
pub mod here;
pub mod request;
pub mod services;
pub mod session;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
