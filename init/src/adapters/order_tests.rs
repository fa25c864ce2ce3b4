use super::*;
use proptest::prelude::*;

fn adapter(index: i32, address: &str) -> Adapter {
    let route = PciAddress::parse(address).into_iter().collect();
    Adapter {
        name: format!("eth{index}"),
        index,
        mac: format!("00:50:56:00:00:{index:02x}"),
        route,
        firmware_index: None,
    }
}

fn slot(name: &str, address: &str) -> Slot {
    Slot { name: name.into(), address: PciAddress::parse(address).unwrap() }
}

fn addresses(placed: &[(Place, Adapter)]) -> Vec<String> {
    placed
        .iter()
        .map(|(_, adapter)| adapter.route.last().map_or("none".into(), ToString::to_string))
        .collect()
}

/// pvscsi is in slot 160; the fourth adapter is function 1 of the same bridge, on bus 04, before all others.
#[test]
fn slots_of_vmware_are_numbers_not_buses() {
    let slots = [
        slot("160", "0000:03:00"),
        slot("1184", "0000:04:00"),
        slot("192", "0000:0b:00"),
        slot("224", "0000:13:00"),
        slot("256", "0000:1b:00"),
    ];
    let found = ["0000:04:00.0", "0000:0b:00.0", "0000:13:00.0", "0000:1b:00.0"];
    let found = (2..).zip(found).map(|(index, address)| adapter(index, address)).collect();
    let placed = in_order(found, &slots);
    assert_eq!(addresses(&placed), ["0000:0b:00.0", "0000:13:00.0", "0000:1b:00.0", "0000:04:00.0"]);
    assert_eq!(placed[3].0.to_string(), "slot-1184-0-0");
}

#[test]
fn without_slots_the_address_counts_not_the_discovery() {
    let found = vec![adapter(2, "0000:00:09.0"), adapter(3, "0000:00:04.0"), adapter(4, "0000:00:04.1")];
    assert_eq!(addresses(&in_order(found, &[])), ["0000:00:04.0", "0000:00:04.1", "0000:00:09.0"]);
}

#[test]
fn firmwares_index_counts_only_when_all_have_a_different_sane_one() {
    let with = |indexes: [Option<u32>; 2]| {
        let mut found = vec![adapter(2, "0000:00:04.0"), adapter(3, "0000:00:05.0")];
        for (adapter, index) in found.iter_mut().zip(indexes) {
            adapter.firmware_index = index;
        }
        in_order(found, &[]).iter().map(|(_, adapter)| adapter.index).collect::<Vec<_>>()
    };
    assert_eq!(with([Some(2), Some(1)]), [3, 2]);
    for ignored in [[Some(2), None], [Some(1), Some(1)], [Some(33554984), Some(16777736)], [Some(2), Some(0)]]
    {
        assert_eq!(with(ignored), [2, 3], "{ignored:?}");
    }
}

#[test]
fn a_slot_of_the_bridge_above_counts_and_twins_are_told_apart() {
    let mut below = adapter(2, "0000:05:00.0");
    below.route =
        vec![PciAddress::parse("0000:00:1e.0").unwrap(), PciAddress::parse("0000:05:00.0").unwrap()];
    let slots = [slot("7-1", "0000:00:1e"), slot("7", "0000:00:03"), slot("SLOT A", "0000:00:04")];
    let placed = in_order(vec![below, adapter(3, "0000:00:03.0"), adapter(4, "0000:00:04.0")], &slots);
    let places: Vec<_> = placed.iter().map(|(place, _)| place.to_string()).collect();
    assert_eq!(places, ["slot-7-0-0", "slot-7-1-0", "pci-0000:00:04.0"]);
}

#[test]
fn an_adapter_off_the_bus_comes_last() {
    let placed = in_order(vec![adapter(2, "nonsense"), adapter(3, "0000:00:09.0")], &[]);
    assert_eq!(addresses(&placed), ["0000:00:09.0", "none"]);
}

#[test]
fn addresses_are_read_strictly() {
    for good in ["0000:0b:00.0", "10000:e1:1f.7"] {
        assert_eq!(PciAddress::parse(good).unwrap().to_string(), good);
    }
    for bad in [
        "",
        "virtio0",
        "0000:00",
        "0000:00:00:00",
        "0000:100:00.0",
        "0000:00:0g.0",
        "0000:+1:00.0",
        "0000:00:00.10",
    ] {
        assert_eq!(PciAddress::parse(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn discovery_order_never_matters(order in Just((0..6).collect::<Vec<i32>>()).prop_shuffle()) {
        let all: Vec<_> = (0..6).map(|n| adapter(n, &format!("0000:{:02x}:00.0", 3 + n * 7))).collect();
        let slots: Vec<_> = (0..4u32).map(|n| slot(&(300 - n * 32).to_string(), &format!("0000:{:02x}:00", 3 + n * 7))).collect();
        let shuffled: Vec<_> = order.iter().map(|n| all[*n as usize].clone()).collect();
        prop_assert_eq!(in_order(shuffled, &slots), in_order(all, &slots));
    }

    #[test]
    fn any_text_is_an_address_or_not(text in "[0-9a-f:.]{0,16}") {
        if let Some(address) = PciAddress::parse(&text) {
            prop_assert_eq!(PciAddress::parse(&address.to_string()), Some(address));
        }
    }
}
