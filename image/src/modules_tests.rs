//! Modules made by hand: a relocatable ELF file with nothing but `.modinfo`.

use super::*;

/// ELF header, three section headers (null, `.modinfo`, names), the two contents.
fn ko(modinfo: &str) -> Vec<u8> {
    let content = modinfo.replace('|', "\0") + "\0";
    let names = b"\0.modinfo\0.shstrtab\0";
    let (content_at, names_at) = (64 + 3 * 64, 64 + 3 * 64 + content.len());
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend([1, 0, 62, 0, 1, 0, 0, 0]);
    elf.extend([0; 16]);
    elf.extend(64u64.to_le_bytes());
    elf.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
    elf.extend([0; 64]);
    for (name, kind, at, size) in [(1u32, 1u32, content_at, content.len()), (10, 3, names_at, names.len())] {
        elf.extend(name.to_le_bytes());
        elf.extend(kind.to_le_bytes());
        elf.extend([0; 16]);
        elf.extend((at as u64).to_le_bytes());
        elf.extend((size as u64).to_le_bytes());
        elf.extend([0; 24]);
    }
    elf.extend(content.as_bytes());
    elf.extend(names);
    elf
}

/// Name and `.modinfo`, with `|` where a zero byte belongs.
const KERNEL: &[(&str, &str)] = &[
    ("ext4", "depends=jbd2,crc16|softdep=pre: crypto-crc32c absent|alias=fs-ext4"),
    ("jbd2", "depends=crc16,built_in"),
    ("crc16", "depends="),
    ("crc32c_generic", "alias=crypto-crc32c"),
    ("crc32c_intel", "alias=crypto-crc32c|alias=cpu:type:x86,ven*"),
    ("loop_a", "depends=loop_b"),
    ("loop_b", "depends=loop_a"),
];

fn choose(wanted: &[&str]) -> Result<Modules, ModuleError> {
    Modules::choose(wanted, &builtin_names("kernel/x/built-in.ko\n"), |name| {
        let found = KERNEL.iter().find(|(known, _)| *known == name);
        Ok(found.map(|(name, info)| (format!("kernel/{name}.ko"), ko(info))))
    })
}

#[test]
fn dependencies_come_along_and_soft_ones_count_when_present() {
    let modules = choose(&["ext4", "crc32c-generic", "built_in"]).unwrap();
    assert_eq!(
        modules.dep_table(),
        "kernel/crc16.ko:\nkernel/crc32c_generic.ko:\n\
         kernel/ext4.ko: kernel/jbd2.ko kernel/crc16.ko kernel/crc32c_generic.ko\n\
         kernel/jbd2.ko: kernel/crc16.ko\n"
    );
    assert_eq!(modules.alias_table(), "alias crypto-crc32c crc32c_generic\nalias fs-ext4 ext4\n");
}

#[test]
fn a_soft_dependency_that_is_absent_is_passed_over() {
    let modules = choose(&["ext4"]).unwrap();
    assert!(modules.dep_table().contains("kernel/ext4.ko: kernel/jbd2.ko kernel/crc16.ko\n"));
}

#[test]
fn nothing_depends_on_a_module_for_some_processors_only() {
    let table = choose(&["ext4", "crc32c_intel"]).unwrap().dep_table();
    assert!(table.contains("kernel/ext4.ko: kernel/jbd2.ko kernel/crc16.ko\n"), "{table}");
}

#[test]
fn a_cycle_ends() {
    assert_eq!(choose(&["loop_a"]).unwrap().iter().count(), 2);
    assert!(!choose(&["loop_a"]).unwrap().dep_table().is_empty());
}

#[test]
fn an_unknown_module_is_named() {
    assert_eq!(choose(&["nosuch"]), Err(ModuleError::Unknown { name: "nosuch".into() }));
}

#[test]
fn names_are_taken_from_paths() {
    assert_eq!(name_of("kernel/arch/x86/crypto/crc32c-intel.ko.xz").as_deref(), Some("crc32c_intel"));
    assert_eq!(name_of("modules.order"), None);
}
