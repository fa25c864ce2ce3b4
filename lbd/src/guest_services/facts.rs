//! What vSphere is told, in the words of the protocol RPCI.

use std::net::IpAddr;

/// What there is to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The machine's name.
    pub host_name: String,
    /// In words.
    pub system: String,
    /// In the kernel's order.
    pub adapters: Vec<Adapter>,
}

/// A network adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adapter {
    /// Ethernet address: `00:50:56:00:00:01`.
    pub hardware_address: String,
    /// With the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// vSphere knows no more adapters of a machine (open-vm-tools, `NICINFO_MAX_NICS`).
pub const MOST_ADAPTERS: usize = 16;
/// It takes more addresses (2048). Nobody reads them, and all of 16 adapters must fit into a message.
pub const MOST_ADDRESSES: usize = 64;
/// `NICINFO_MAC_LEN` with its end: an Ethernet address has 17.
const LONGEST_HARDWARE_ADDRESS: usize = 18;
/// RFC 1035 allows 253.
const LONGEST_TEXT: usize = 255;

/// Keys of `SetGuestInfo`.
mod key {
    pub const HOST_NAME: u32 = 1;
    pub const SYSTEM_IN_WORDS: u32 = 5;
    pub const SYSTEM: u32 = 6;
    pub const ADAPTERS: u32 = 10;
}

/// As the OVF names it (`ova/src/ovf/hardware.rs`, `other3xLinux64Guest`), in this protocol's words.
const SYSTEM: &str = "other3xlinux-64";

/// What must be told of `new` when `told` is known already.
pub fn news(told: Option<&Facts>, new: &Facts) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    if told.is_none_or(|told| told.host_name != new.host_name) {
        messages.push(text(key::HOST_NAME, &new.host_name));
    }
    if told.is_none_or(|told| told.system != new.system) {
        messages.extend([text(key::SYSTEM_IN_WORDS, &new.system), text(key::SYSTEM, SYSTEM)]);
    }
    if told.is_none_or(|told| told.adapters != new.adapters) {
        messages.push(adapters(&new.adapters));
        messages.extend(address(new));
    }
    messages
}

/// The address that the list of machines shows: the first one, preferably of IPv4, as old clients know no other.
pub fn address(facts: &Facts) -> Option<Vec<u8>> {
    let all = || facts.adapters.iter().flat_map(|adapter| &adapter.addresses).map(|(address, _)| address);
    let first = all().find(|address| address.is_ipv4()).or_else(|| all().next())?;
    Some(format!("info-set guestinfo.ip {first}").into_bytes())
}

/// The two spaces are part of the command.
fn text(key: u32, value: &str) -> Vec<u8> {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = value.floor_char_boundary(LONGEST_TEXT);
    format!("SetGuestInfo  {key} {}", &value[..end]).into_bytes()
}

/// The third version of the list of adapters (open-vm-tools, `nicinfo.x`), without routes, name servers, WINS and DHCP.
fn adapters(adapters: &[Adapter]) -> Vec<u8> {
    const VERSION: u32 = 3;
    let mut message = Xdr(format!("SetGuestInfo  {} ", key::ADAPTERS).into_bytes());
    let adapters = &adapters[..adapters.len().min(MOST_ADAPTERS)];
    message.number(VERSION);
    message.present();
    message.count(adapters.len());
    for Adapter { hardware_address, addresses } in adapters {
        let end = hardware_address.floor_char_boundary(LONGEST_HARDWARE_ADDRESS);
        message.bytes(&hardware_address.as_bytes()[..end]);
        let addresses = &addresses[..addresses.len().min(MOST_ADDRESSES)];
        message.count(addresses.len());
        for (address, prefix) in addresses {
            message.address(*address, *prefix);
        }
        // Name servers, WINS, DHCP of IPv4 and of IPv6.
        (0..4).for_each(|_| message.absent());
    }
    // Routes, then the same four of the whole machine.
    message.count(0);
    (0..4).for_each(|_| message.absent());
    message.0
}

/// RFC 4506.
struct Xdr(Vec<u8>);

impl Xdr {
    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        // All counts are bounded above.
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn present(&mut self) {
        self.number(1);
    }

    fn absent(&mut self) {
        self.number(0);
    }

    /// Bytes of variable length (section 4.10), filled up to a multiple of four.
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend(bytes);
        self.0.extend(std::iter::repeat_n(0, bytes.len().next_multiple_of(4) - bytes.len()));
    }

    /// Kind (RFC 4001), address, prefix; no origin; status "preferred" (RFC 4293).
    fn address(&mut self, address: IpAddr, prefix: u8) {
        const PREFERRED: u32 = 1;
        match address {
            IpAddr::V4(address) => {
                self.number(1);
                self.bytes(&address.octets());
            }
            IpAddr::V6(address) => {
                self.number(2);
                self.bytes(&address.octets());
            }
        }
        self.number(prefix.into());
        self.absent();
        self.present();
        self.number(PREFERRED);
    }
}
