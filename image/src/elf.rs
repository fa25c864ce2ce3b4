//! What a program asks of the system before it runs: an interpreter, libraries (ELF, System V gABI 4.1).

use object::Endianness;
use object::elf::{DT_NEEDED, EM_X86_64, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::fmt;

type Header = FileHeader64<Endianness>;

/// What an ELF file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// `PT_INTERP`: the loader, absent in a static program.
    pub interpreter: Option<String>,
    /// `DT_NEEDED`: the libraries, in the file's order.
    pub libraries: Vec<String>,
}

/// Reads what the x86-64 ELF file `data` needs.
pub fn needs(data: &[u8]) -> Result<Needs, ElfError> {
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    if header.e_machine.get(endian) != EM_X86_64 {
        return Err(ElfError::Machine);
    }
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, data)? {
        if segment.p_type(endian) == PT_INTERP {
            let bytes = segment.data(endian, data).map_err(|()| ElfError::Segment)?;
            needs.interpreter = Some(text(bytes.split(|byte| *byte == 0).next().unwrap_or_default())?);
        }
    }
    needs.libraries = libraries(header, endian, data)?;
    Ok(needs)
}

fn libraries(header: &Header, endian: Endianness, data: &[u8]) -> Result<Vec<String>, ElfError> {
    let sections = header.sections(endian, data)?;
    let Some((entries, strings)) = sections.dynamic(endian, data)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, data, strings)?;
    let name = |entry: &object::elf::Dyn64<Endianness>| text(entry.string(endian, strings)?);
    entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED).map(name).collect()
}

/// Refuses a program that cannot run without a loader or libraries: `/init` has neither at that moment.
pub fn require_static(data: &[u8]) -> Result<(), ElfError> {
    let needs = needs(data)?;
    match needs.interpreter.or(needs.libraries.into_iter().next()) {
        Some(asked) => Err(ElfError::Dynamic { asked }),
        None => Ok(()),
    }
}

fn text(bytes: &[u8]) -> Result<String, ElfError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ElfError::Segment)
}

/// Why an ELF file is refused. The caller adds its name.
#[derive(Debug)]
pub enum ElfError {
    /// It is no ELF file, or a damaged one.
    Parse(object::read::Error),
    /// A segment lies outside the file, or a name is no text.
    Segment,
    /// It is for another processor.
    Machine,
    /// It must be static and is not.
    Dynamic {
        /// What it asks for.
        asked: String,
    },
}

impl From<object::read::Error> for ElfError {
    fn from(error: object::read::Error) -> Self {
        Self::Parse(error)
    }
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => write!(f, "it is no whole 64-bit ELF file: {error}"),
            Self::Segment => f.write_str("it is damaged: a segment or a name lies outside the file"),
            Self::Machine => {
                f.write_str("it is not for x86-64; build with --target x86_64-unknown-linux-gnu")
            }
            Self::Dynamic { asked } => write!(
                f,
                "it asks for {asked} and must be static; build with RUSTFLAGS='-C target-feature=+crt-static' \
                 and an explicit --target x86_64-unknown-linux-gnu"
            ),
        }
    }
}

impl std::error::Error for ElfError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// This very test program: dynamic, as cargo builds it by default.
    fn own_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_dynamic_program_names_its_loader_and_libraries() {
        let needs = needs(&own_program()).unwrap();
        assert!(needs.interpreter.unwrap().contains("ld-linux"));
        assert!(needs.libraries.iter().any(|library| library == "libc.so.6"));
        assert!(matches!(require_static(&own_program()), Err(ElfError::Dynamic { .. })));
    }

    #[test]
    fn a_header_without_segments_is_static() {
        let mut elf = vec![0; 64];
        elf[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        elf[16..20].copy_from_slice(&[2, 0, 62, 0]);
        elf[20] = 1;
        elf[52] = 64;
        require_static(&elf).unwrap();
        elf[18] = 183; // AArch64
        assert!(matches!(require_static(&elf), Err(ElfError::Machine)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(garbage in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
            let _ = needs(&garbage);
            elf.extend(garbage);
            let _ = needs(&elf);
        }
    }
}
