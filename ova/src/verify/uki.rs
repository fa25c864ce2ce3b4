//! Rules of the operating system: the one Unified Kernel Image on the boot partition.

use super::{Miss, Rule, Subject, Verdict, boot, judge, none, rule};
use crate::system::Program;

const UAPI: &str = "UAPI Unified Kernel Image, systemd-stub(7)";
const PE: &str = "PE/COFF specification";

pub const RULES: &[Rule] = &[
    rule("uki-program", program, PE, "a UEFI program for x86-64, without checksum"),
    rule(
        "uki-sections",
        sections,
        UAPI,
        "the stub's, then .osrel, .cmdline, .uname, .initrd, .linux; each once, .linux last",
    ),
    rule(
        "uki-layout",
        layout,
        PE,
        "sections aligned, within the file, one behind the other; SizeOfImage is their end",
    ),
    rule(
        "uki-release",
        release,
        "UAPI boot loader specification",
        "ID=evenkeel, NAME, VERSION_ID: systemd-boot sorts by them",
    ),
    rule("uki-version", version, "os-release(5)", "VERSION_ID and IMAGE_VERSION are the OVF's version"),
    rule(
        "uki-command-line",
        command_line,
        "image/src/build.rs",
        "console=tty0 console=ttyS0,115200 panic=10 quiet loglevel=4",
    ),
    rule(
        "uki-kernel",
        kernel,
        "Documentation/arch/x86/boot.rst",
        "a kernel that UEFI starts; room to unpack it",
    ),
    rule("uki-kernel-release", kernel_release, UAPI, ".uname is what the kernel calls itself"),
    rule("uki-initrd", initrd, "image/src/initramfs.rs", "a Zstandard frame"),
];

/// What the image adds to the stub.
const OWN: [&str; 5] = [".osrel", ".cmdline", ".uname", ".initrd", ".linux"];

/// Other sections that systemd-stub would take.
const OTHERS: [&str; 9] =
    [".splash", ".dtb", ".dtbauto", ".hwids", ".ucode", ".pcrsig", ".pcrpkey", ".profile", ".efifw"];

/// The UKI, if it is a program.
fn uki<'a>(s: &Subject<'a>) -> Result<Program<'a>, Miss> {
    let program = Program::parse(boot::file(s, "EFI/Linux/")?);
    program.map_err(|_| Miss::Unknown("the UKI is no program"))
}

fn program(s: &Subject<'_>) -> Verdict {
    let program = boot::starts(Program::parse(boot::file(s, "EFI/Linux/")?))?;
    judge(program.check_sum == 0, format!("{} bytes, checksum {}", program.file_size(), program.check_sum))
}

fn sections(s: &Subject<'_>) -> Verdict {
    let uki = uki(s)?;
    let names: Vec<&str> = uki.sections.iter().map(|section| section.name.as_str()).collect();
    let (stub, own) = names.split_at(names.len().saturating_sub(OWN.len()));
    let foreign = stub.iter().any(|name| OWN.contains(name) || OTHERS.contains(name));
    judge(own == OWN && !stub.is_empty() && !foreign, names.join(", "))
}

fn layout(s: &Subject<'_>) -> Verdict {
    let uki = uki(s)?;
    let power = |alignment: u32| alignment.is_power_of_two() && alignment >= 512;
    if !power(uki.section_alignment) || !power(uki.file_alignment) {
        return judge(false, format!("alignments {:#x}, {:#x}", uki.section_alignment, uki.file_alignment));
    }
    let mut wrong = Vec::new();
    let (mut address, mut at) = (0, 0);
    for section in &uki.sections {
        let stored_end = u64::from(section.at) + u64::from(section.stored);
        let good = u64::from(section.address) >= address
            && section.address.is_multiple_of(uki.section_alignment)
            && u64::from(section.at) >= at
            && section.at.is_multiple_of(uki.file_alignment)
            && stored_end <= uki.file_size();
        if !good {
            wrong.push(format!("{} at {:#x}, {:#x} in the file", section.name, section.address, section.at));
        }
        address = u64::from(section.address) + u64::from(section.memory);
        at = stored_end;
    }
    if u64::from(uki.image_size) != address.next_multiple_of(u64::from(uki.section_alignment)) {
        wrong.push(format!("SizeOfImage {:#x}, sections end at {address:#x}", uki.image_size));
    }
    none(wrong, format!("{} sections", uki.sections.len()))
}

/// The text of a section, once all sections are where they must be.
fn section<'a>(s: &Subject<'a>, name: &str) -> Result<&'a [u8], Miss> {
    let unknown = Miss::Unknown("the sections of the UKI are others or elsewhere");
    sections(s).and_then(|_| layout(s)).map_err(|_| unknown.clone())?;
    uki(s)?.content(name).ok_or(unknown)
}

fn text<'a>(s: &Subject<'a>, name: &str) -> Result<&'a str, Miss> {
    let bytes = section(s, name)?;
    std::str::from_utf8(bytes).map_err(|_| Miss::Broken(bytes.escape_ascii().to_string()))
}

/// The values of a field of os-release.
fn field<'a>(release: &'a str, name: &str) -> Vec<&'a str> {
    release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .collect()
}

fn release(s: &Subject<'_>) -> Verdict {
    let release = text(s, ".osrel")?;
    let good = field(release, "ID") == ["evenkeel"]
        && field(release, "NAME") == ["Evenkeel"]
        && field(release, "VERSION_ID").len() == 1;
    judge(good, release.lines().collect::<Vec<_>>().join(", "))
}

fn version(s: &Subject<'_>) -> Verdict {
    release(s).map_err(|_| Miss::Unknown("os-release is not right"))?;
    let release = text(s, ".osrel")?;
    let found: Vec<&str> =
        ["VERSION_ID", "IMAGE_VERSION"].iter().flat_map(|name| field(release, name)).collect();
    judge(found == [s.version()?; 2], found.join(", "))
}

fn command_line(s: &Subject<'_>) -> Verdict {
    let found = text(s, ".cmdline")?;
    judge(found == "console=tty0 console=ttyS0,115200 panic=10 quiet loglevel=4", found)
}

/// Offsets of "the real-mode kernel header": the mark, and where the kernel's release is.
fn kernel(s: &Subject<'_>) -> Verdict {
    let bytes = section(s, ".linux")?;
    let program = boot::starts(Program::parse(bytes))?;
    let room = uki(s)?.section(".linux").map_or(0, |section| section.memory);
    let marked = bytes.get(0x202..0x206) == Some(b"HdrS");
    let found = format!("room for {room:#x} of {:#x} bytes", program.image_size);
    judge(marked && room >= program.image_size, if marked { found } else { "no HdrS".to_owned() })
}

fn kernel_release(s: &Subject<'_>) -> Verdict {
    kernel(s).map_err(|_| Miss::Unknown("the kernel is not right"))?;
    let bytes = section(s, ".linux")?;
    let at = bytes.get(0x20e..0x210).map_or(0, |at| usize::from(u16::from_le_bytes([at[0], at[1]])) + 0x200);
    let own =
        bytes.get(at..).unwrap_or_default().split(|byte| b" \0".contains(byte)).next().unwrap_or_default();
    let told = section(s, ".uname")?;
    let both = format!("{}, the kernel says {}", printed(told), printed(own));
    judge(!told.is_empty() && told == own, if told == own { printed(told) } else { both })
}

fn printed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
}

/// RFC 8878, 3.1.1.
fn initrd(s: &Subject<'_>) -> Verdict {
    let bytes = section(s, ".initrd")?;
    let start = bytes.get(..4).unwrap_or_default();
    judge(start == [0x28, 0xb5, 0x2f, 0xfd], format!("{} bytes, first {}", bytes.len(), start.escape_ascii()))
}
