//! The appliance's network: links, addresses, routes, and the virtual addresses; what is there, what is wanted, and whether
//! an address is free.

pub mod announce;
pub mod figures;
pub mod links;
pub mod message;
pub mod neighbours;
pub mod netlink;
pub mod places;
mod placing;
pub mod probe;
pub mod routes;
pub mod topology;
