//! `lbd network`: the interfaces as they are.

use clap::Args;
use hyper::Method;

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, table};
use crate::view::{InterfaceView, View};

const EXAMPLES: &str = "Examples:
  lbd network
  lbd network --json

Addresses, bonds, VLANs and routes stand in [network] of the configuration: lbd config apply.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Network {
    #[command(flatten)]
    common: Common,
}

pub(super) fn carry_out(Network { common }: &Network) -> Result<(), CommandError> {
    let view: View = Call::new(Method::GET, "/api/v1/status").send(&common.way)?.read()?;
    match common.json {
        true => println!("{}", serde_json::json!(view.interfaces)),
        false => print!("{}", shown(&view.interfaces)),
    }
    Ok(())
}

fn shown(interfaces: &[InterfaceView]) -> String {
    let rows: Vec<_> = interfaces.iter().map(row).collect();
    table(["INTERFACE", "LINK", "MADE OF", "ADDRESSES", "MTU", "SPEED"], &rows)
}

fn row(interface: &InterfaceView) -> [String; 6] {
    let link = match (interface.switched_on, interface.has_link) {
        (true, true) => "up",
        (true, false) => "NO LINK",
        (false, _) => "off",
    };
    let addresses = interface.addresses.join(", ");
    [
        interface.name.clone(),
        link.to_owned(),
        interface.made_of.clone(),
        if addresses.is_empty() { "-".to_owned() } else { addresses },
        interface.mtu.to_string(),
        interface.speed_words(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_a_line() {
        let bond = InterfaceView {
            name: "bond0".into(),
            made_of: "bond, active-backup".into(),
            switched_on: true,
            has_link: true,
            addresses: vec!["192.168.10.10/24".into(), "fd00::10/64".into()],
            mtu: 9_000,
            megabits_per_second: Some(10_000),
            duplex: Some("full".into()),
            ..InterfaceView::default()
        };
        let member = InterfaceView {
            name: "eth0".into(),
            made_of: "adapter, member of bond0".into(),
            switched_on: true,
            mtu: 9_000,
            ..InterfaceView::default()
        };
        let text = shown(&[bond, member]);
        let lines: Vec<_> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "INTERFACE LINK MADE OF ADDRESSES MTU SPEED",
                "bond0 up bond, active-backup 192.168.10.10/24, fd00::10/64 9000 10 Gbit/s, full duplex",
                "eth0 NO LINK adapter, member of bond0 - 9000 unknown",
            ]
        );
    }
}
