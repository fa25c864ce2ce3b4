//! What comes back of a probe, and what it means (RFC 792, RFC 1812 section 5.2.7, RFC 4443 section 3). Pure.

use std::net::IpAddr;
use std::time::Duration;

/// What somebody had to say to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Who.
    pub from: IpAddr,
    /// How long it took.
    pub took: Duration,
    /// What it means.
    pub meaning: Meaning,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A router: it had come as far as it was allowed to.
    OnTheWay,
    /// The destination itself.
    Arrived,
    /// It went no further.
    Stopped(Reason),
}

/// Why somebody stopped a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The appliance's own kernel: nobody on its network answers for the address, or for the gateway.
    NobodyHere,
    /// A router: nobody on its network answers for the address.
    Host,
    /// A router that knows no way.
    Network,
    /// A firewall that says so.
    Prohibited,
    /// Somebody else than the destination says that the port is closed there.
    Port,
    /// ICMP type and code that say nothing else.
    Other(u8, u8),
}

/// What an ICMP message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Icmp {
    pub kind: u8,
    pub code: u8,
    /// Of IPv6.
    pub is_v6: bool,
}

/// Who sent an ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    Destination,
    /// The appliance.
    Ourselves,
    Other,
}

impl Icmp {
    /// Whatever the destination itself says, the probe has arrived there: a host with a firewall says "prohibited".
    pub(super) fn meaning(self, sender: Sender) -> Meaning {
        let reason = match self {
            Self { kind: 11, is_v6: false, .. } | Self { kind: 3, is_v6: true, .. } => {
                return Meaning::OnTheWay;
            }
            _ if sender == Sender::Destination => return Meaning::Arrived,
            _ => self.reason(),
        };
        Meaning::Stopped(match (reason, sender) {
            (Reason::Host, Sender::Ourselves) => Reason::NobodyHere,
            _ => reason,
        })
    }

    fn reason(self) -> Reason {
        let Self { kind, code, is_v6 } = self;
        match (is_v6, kind, code) {
            (false, 3, 1 | 7 | 12) | (true, 1, 3) => Reason::Host,
            (false, 3, 0 | 6 | 11) | (true, 1, 0) => Reason::Network,
            (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => Reason::Prohibited,
            (false, 3, 3) | (true, 1, 4) => Reason::Port,
            _ => Reason::Other(kind, code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_means_the_same_in_both_families() {
        let four = |kind, code, sender| Icmp { kind, code, is_v6: false }.meaning(sender);
        let six = |kind, code, sender| Icmp { kind, code, is_v6: true }.meaning(sender);
        let table = [
            ((11, 0), (3, 0), Sender::Other, Meaning::OnTheWay),
            ((3, 3), (1, 4), Sender::Destination, Meaning::Arrived),
            ((3, 10), (1, 1), Sender::Destination, Meaning::Arrived),
            ((3, 3), (1, 4), Sender::Other, Meaning::Stopped(Reason::Port)),
            ((3, 1), (1, 3), Sender::Other, Meaning::Stopped(Reason::Host)),
            ((3, 1), (1, 3), Sender::Ourselves, Meaning::Stopped(Reason::NobodyHere)),
            ((3, 0), (1, 0), Sender::Other, Meaning::Stopped(Reason::Network)),
            ((3, 13), (1, 1), Sender::Other, Meaning::Stopped(Reason::Prohibited)),
        ];
        for (of_four, of_six, sender, meaning) in table {
            assert_eq!(four(of_four.0, of_four.1, sender), meaning, "ICMP {of_four:?} by {sender:?}");
            assert_eq!(six(of_six.0, of_six.1, sender), meaning, "ICMPv6 {of_six:?} by {sender:?}");
        }
        assert_eq!(four(12, 0, Sender::Other), Meaning::Stopped(Reason::Other(12, 0)));
    }
}
