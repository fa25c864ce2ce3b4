//! The kernel's traffic path: one nftables table of our own, `inet evenkeel`.
//!
//! [`ruleset`] says what the table must be, [`table`] holds it as data, [`listing`] reads back what the kernel
//! has, [`difference`] turns the two into one transaction, [`nft`] carries it out. All but the last are pure.
//!
//! The script is nft's own language, not its JSON: nft 1.0 and 1.1 have no JSON for the statements that learn
//! persistence entries, and the golden files stay readable. What the kernel has is read as JSON.

pub mod balance;
pub mod difference;
pub mod listing;
pub mod nft;
pub mod numbering;
pub mod openings;
pub mod ruleset;
pub mod shares;
pub mod sysctl;
pub mod table;

#[cfg(test)]
mod tests;
