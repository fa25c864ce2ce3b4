//! The appliance's network as far as balancing needs it: what is there, and the virtual addresses.

pub mod announce;
pub mod netlink;
pub mod places;
pub mod topology;
