//! What of the appliance can be reached: as it says itself, and as nmap finds it from outside.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::host::Host;
use crate::process;

/// Usual ports of UDP, and those of the port table.
const UDP_PORTS: &str = "53,67,69,111,123,137,161,162,500,514,2001,5353,6694,9443";

/// For all ports of a few addresses that drop: half a minute on an idle machine, some minutes for one that is emulated.
const SCANNED: Duration = Duration::from_secs(600);

/// Address, transport and number.
pub type Port = (IpAddr, String, u16);

/// What nmap calls open when it sends so many packets a second, of all TCP ports and the usual UDP ports.
pub fn scan(from: &Host, targets: &[IpAddr], packets_per_second: u32) -> BTreeSet<Port> {
    let mut found = BTreeSet::new();
    for is_ipv6 in [false, true] {
        let of_family = targets.iter().filter(|target| target.is_ipv6() == is_ipv6);
        let hosts: Vec<_> = of_family.map(ToString::to_string).collect();
        if hosts.is_empty() {
            continue;
        }
        let (family, hosts) = (if is_ipv6 { "-6" } else { "" }, hosts.join(" "));
        // Whoever drops is asked twice; the lab's cables lose nothing, but a busy machine answers late.
        let how = format!(
            "-n -Pn -oG - --max-retries 1 --min-rtt-timeout 1s \
             --min-rate {packets_per_second} --max-rate {packets_per_second}"
        );
        let nmap = |which: &str| {
            let mut command = from.command("nmap");
            command.args(format!("{family} {how} {which} {hosts}").split_whitespace());
            process::run_within(command, "", SCANNED)
        };
        let tcp = nmap("-sS -p-");
        let udp = nmap(&format!("-sU -p {UDP_PORTS}"));
        found.extend(open_ports(tcp.expect_ok()));
        found.extend(open_ports(udp.expect_ok()));
    }
    found
}

/// Of lines such as `Host: 192.0.2.1 () Ports: 9443/open/tcp//x///, ...`.
fn open_ports(listing: &str) -> BTreeSet<Port> {
    let mut all = BTreeSet::new();
    for line in listing.lines().filter(|line| line.contains("Ports: ")) {
        let address = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("an address");
        let ports = line.split_once("Ports: ").map_or("", |(_, ports)| ports);
        for port in ports.split(", ") {
            let fields: Vec<_> = port.split('/').collect();
            if let [number, "open", transport, ..] = fields[..] {
                all.insert((address, transport.to_owned(), number.parse().expect("a port")));
            }
        }
    }
    all
}

/// What the status, which the page shows, says is open.
pub fn told(status: &Value) -> BTreeSet<Port> {
    let address = |text: &Value| text.as_str().and_then(|text| text.parse().ok()).expect("an address");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all = BTreeSet::new();
    for opening in list(&status["openings"]) {
        let port = opening["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        all.insert((address(&opening["address"]), opening["transport"].as_str().expect("text").into(), port));
    }
    for service in list(&status["virtual_services"]) {
        for place in list(&service["addresses"]) {
            let port = service["ports"].as_str().and_then(|text| text.parse().ok()).expect("one port");
            all.insert((address(&place["address"]), "tcp".into(), port));
        }
    }
    all
}
