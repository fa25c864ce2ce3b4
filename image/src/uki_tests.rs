//! The result is read back with crate `object`, field by field.

#[path = "../fixtures/program.rs"]
mod program;

use super::*;
use object::read::pe::PeFile64;
use object::{Object, ObjectSection};
use program::stub;
use proptest::prelude::*;

fn parts<'a>(stub: &'a [u8], linux: &'a [u8]) -> Parts<'a> {
    Parts {
        stub,
        osrel: "ID=evenkeel\n",
        cmdline: "console=ttyS0",
        uname: "6.12.1",
        initrd: b"initrd",
        linux,
    }
}

#[test]
fn sections_are_where_the_loader_looks() {
    let kernel = stub(0x400, 0x1000, b"");
    let uki = build(&parts(&stub(0x600, 0x1000, b""), &kernel)).unwrap();
    let pe = PeFile64::parse(uki.as_slice()).unwrap();
    let found: Vec<_> =
        pe.sections().map(|s| (s.name().unwrap().to_owned(), s.address(), s.size())).collect();
    let expected = [
        (".text", 0x1000, 0x123),
        (".osrel", 0x2000, 12),
        (".cmdline", 0x3000, 13),
        (".uname", 0x4000, 6),
        (".initrd", 0x5000, 6),
        (".linux", 0x6000, 0x3000), // the kernel's SizeOfImage, more than its file
    ];
    assert_eq!(found, expected.map(|(name, at, size)| (name.to_owned(), at, size)));
    let optional = &pe.nt_headers().optional_header;
    assert_eq!(optional.size_of_image(), 0x9000);
    assert_eq!(optional.check_sum.get(LE), 0);
}

#[test]
fn contents_are_whole_and_aligned() {
    let kernel = stub(0x400, 0x1000, b"");
    let uki = build(&parts(&stub(0x600, 0x200, b""), &kernel)).unwrap();
    let pe = PeFile64::parse(uki.as_slice()).unwrap();
    for (name, content) in [(".osrel", &b"ID=evenkeel\n"[..]), (".initrd", b"initrd"), (".linux", &kernel)] {
        let section = pe.section_by_name(name).unwrap();
        assert_eq!(&section.data().unwrap()[..content.len()], content, "{name}");
        let (at, size) = section.file_range().unwrap();
        assert_eq!((at % 0x200, section.address() % 0x200), (0, 0), "{name}");
        assert!(size >= content.len() as u64 && at + size <= uki.len() as u64);
    }
}

#[test]
fn a_symbol_table_is_stripped() {
    let kernel = stub(0x400, 0x1000, b"");
    let with = build(&parts(&stub(0x600, 0x1000, &[9; 18]), &kernel)).unwrap();
    assert_eq!(with, build(&parts(&stub(0x600, 0x1000, b""), &kernel)).unwrap());
}

#[test]
fn a_full_header_a_signed_stub_and_no_pe_are_refused() {
    let kernel = stub(0x400, 0x1000, b"");
    assert!(matches!(
        build(&parts(&stub(0x200, 0x1000, b""), &kernel)),
        Err(UkiError::HeaderSpace { name: ".initrd" })
    ));
    let mut signed = stub(0x600, 0x1000, b"");
    put(&mut signed, 0x58 + 112 + 4 * 8, 0x5000);
    assert!(matches!(build(&parts(&signed, &kernel)), Err(UkiError::Stub(_))));
    assert!(matches!(build(&parts(b"no", &kernel)), Err(UkiError::NotPe { which: "stub", .. })));
    assert!(matches!(
        build(&parts(&stub(0x600, 0x1000, b""), b"no")),
        Err(UkiError::NotPe { which: "kernel", .. })
    ));
}

proptest! {
    #[test]
    fn damaged_stubs_never_panic(damage in proptest::collection::vec((0usize..0x800, any::<u8>()), 1..8)) {
        let mut damaged = stub(0x600, 0x1000, &[1; 18]);
        for (at, value) in damage {
            let at = at % damaged.len();
            damaged[at] = value;
        }
        let kernel = stub(0x400, 0x1000, b"");
        let _ = build(&parts(&damaged, &kernel));
        let _ = build(&parts(&kernel, &damaged));
    }

    #[test]
    fn every_header_value_is_survived(at in 0usize..0x170, value in prop_oneof![Just(0u32), Just(u32::MAX), any::<u32>()]) {
        let mut damaged = stub(0x600, 0x1000, b"");
        put(&mut damaged, at, value);
        let kernel = stub(0x400, 0x1000, b"");
        let _ = build(&parts(&damaged, &kernel));
        let _ = build(&parts(&kernel, &damaged));
    }
}
