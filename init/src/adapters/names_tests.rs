use super::super::order::PciAddress;
use super::*;
use proptest::prelude::*;

fn found(list: &[(u8, u32)]) -> Vec<(Place, Adapter)> {
    let address = PciAddress::parse("0000:00:03.0").unwrap();
    let one = |(at, (mac, slot)): (usize, &(u8, u32))| {
        let adapter = Adapter {
            name: format!("eth{at}"),
            index: at as i32 + 2,
            mac: format!("00:50:56:00:00:{mac:02x}"),
            route: vec![address],
            firmware_index: None,
        };
        (Place::Slot(*slot, 0, address), adapter)
    };
    list.iter().enumerate().map(one).collect()
}

fn known(list: &[(u32, u8, u32)]) -> Vec<Known> {
    let one = |(number, mac, slot): &(u32, u8, u32)| Known {
        number: *number,
        mac: format!("00:50:56:00:00:{mac:02x}"),
        place: format!("slot-{slot}-0-0"),
    };
    list.iter().map(one).collect()
}

/// What happened; MAC and slot of what is found; the numbers they get.
type Story = (&'static str, &'static [(u8, u32)], &'static [u32]);

#[test]
fn who_gets_which_name() {
    let memory = [(0, 1, 192), (1, 2, 224), (2, 3, 256)];
    let table: &[Story] = &[
        ("as it was", &[(1, 192), (2, 224), (3, 256)], &[0, 1, 2]),
        ("moved to other slots", &[(3, 32), (1, 33), (2, 34)], &[2, 0, 1]),
        ("the second replaced", &[(1, 192), (9, 224), (3, 256)], &[0, 1, 2]),
        ("the first removed, a new one elsewhere", &[(2, 224), (3, 256), (9, 1184)], &[1, 2, 0]),
        ("a fourth added before the others", &[(9, 160), (1, 192), (2, 224), (3, 256)], &[3, 0, 1, 2]),
        ("all new: another machine from the same OVA", &[(7, 192), (8, 224), (9, 256)], &[0, 1, 2]),
        ("all new and elsewhere: another hypervisor", &[(7, 3), (8, 4), (9, 5)], &[0, 1, 2]),
    ];
    for (story, adapters, expected) in table {
        assert_eq!(assign(&found(adapters), &known(&memory)), *expected, "{story}");
    }
    assert_eq!(assign(&found(&[(5, 192), (4, 224)]), &[]), [0, 1], "first boot");
}

#[test]
fn an_absent_adapter_is_remembered_until_its_name_is_taken() {
    let memory = known(&[(0, 1, 192), (1, 2, 224)]);
    let without = found(&[(1, 192)]);
    assert_eq!(remember(&without, &assign(&without, &memory), &memory), memory);
    let replaced = found(&[(1, 192), (9, 256)]);
    let numbers = assign(&replaced, &memory);
    assert_eq!(remember(&replaced, &numbers, &memory), known(&[(0, 1, 192), (1, 9, 256)]));
}

#[test]
fn renaming_takes_two_rounds_and_spares_those_that_are_right() {
    let adapters = found(&[(1, 192), (2, 224), (3, 256)]);
    let expected = [(2, "renaming2"), (3, "renaming3"), (2, "eth1"), (3, "eth0")];
    assert_eq!(renamings(&adapters, &[1, 0, 2]), expected.map(|(index, name)| (index, name.to_owned())));
    assert!(renamings(&adapters, &[0, 1, 2]).is_empty());
}

#[test]
fn a_damaged_memory_is_read_as_far_as_it_goes() {
    let text = "# x\neth0 00:50:56:00:00:01 slot-192-0-0\neth0 00:50:56:00:00:02 a\neth1 00:50:56:00:00:01 a\neth2 0:1 a\n\
                lan0 00:50:56:00:00:03 a\neth4294967295 00:50:56:00:00:04 a\neth3 00:50:56:00:00:AA pci\u{0}x\neth5";
    let read = parse(text);
    let numbers: Vec<_> = read.iter().map(|one| (one.number, one.mac.as_str())).collect();
    assert_eq!(numbers, [(0, "00:50:56:00:00:01"), (3, "00:50:56:00:00:aa")]);
}

proptest! {
    #[test]
    fn names_are_always_different_and_known_ones_stay(
        adapters in proptest::collection::btree_map(0u8..9, 0u32..9, 0..6),
        memory in proptest::collection::btree_map(0u32..9, (0u8..9, 0u32..9), 0..6),
    ) {
        let adapters = found(&adapters.into_iter().collect::<Vec<_>>());
        let memory: Vec<_> = memory.into_iter().map(|(number, (mac, slot))| (number, mac, slot)).collect();
        let memory = parse(&format(&known(&memory)));
        let numbers = assign(&adapters, &memory);
        let different: BTreeSet<_> = numbers.iter().collect();
        prop_assert_eq!(different.len(), adapters.len());
        for ((_, adapter), number) in adapters.iter().zip(&numbers) {
            if let Some(old) = memory.iter().find(|old| old.mac == adapter.mac) {
                prop_assert_eq!(old.number, *number);
            }
        }
        // The next boot finds the same.
        let next = parse(&format(&remember(&adapters, &numbers, &memory)));
        prop_assert_eq!(assign(&adapters, &next), numbers);
    }

    #[test]
    fn any_file_is_read(text in any::<String>()) {
        parse(&text);
    }
}
