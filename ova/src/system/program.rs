//! A program for UEFI: headers and sections of a PE file (PE/COFF specification), read by crate `object`.

use object::LittleEndian as LE;
use object::read::pe::{ImageOptionalHeader, PeFile64};

/// A program.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    bytes: &'a [u8],
    /// 0x8664 for x86-64.
    pub machine: u16,
    /// 10 for an EFI application.
    pub subsystem: u16,
    /// 0: there is none.
    pub check_sum: u32,
    /// Sections begin at a multiple of this in memory.
    pub section_alignment: u32,
    /// Sections begin at a multiple of this in the file.
    pub file_alignment: u32,
    /// Bytes of memory that it needs.
    pub image_size: u32,
    /// In the order of the file.
    pub sections: Vec<Section>,
}

/// A part of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name, `.linux`.
    pub name: String,
    /// Its place in memory.
    pub address: u32,
    /// Its bytes there.
    pub memory: u32,
    /// Its place in the file.
    pub at: u32,
    /// Its bytes there, padding included.
    pub stored: u32,
}

impl<'a> Program<'a> {
    /// Reads the headers of `bytes`; or why that is no program.
    pub fn parse(bytes: &'a [u8]) -> Result<Program<'a>, String> {
        let file = PeFile64::parse(bytes).map_err(|error| error.to_string())?;
        let headers = file.nt_headers();
        let optional = &headers.optional_header;
        let sections = file.section_table().iter().map(|section| Section {
            name: String::from_utf8_lossy(section.raw_name()).into_owned(),
            address: section.virtual_address.get(LE),
            memory: section.virtual_size.get(LE),
            at: section.pointer_to_raw_data.get(LE),
            stored: section.size_of_raw_data.get(LE),
        });
        Ok(Program {
            bytes,
            machine: headers.file_header.machine.get(LE).0,
            subsystem: optional.subsystem.get(LE).0,
            check_sum: optional.check_sum.get(LE),
            section_alignment: optional.section_alignment(),
            file_alignment: optional.file_alignment(),
            image_size: optional.size_of_image(),
            sections: sections.collect(),
        })
    }

    /// The section called `name`, the first if there are more.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// What the section called `name` holds, without its padding; nothing where it lies outside of the file.
    pub fn content(&self, name: &str) -> Option<&'a [u8]> {
        let section = self.section(name)?;
        let at = section.at as usize;
        self.bytes.get(at..at.checked_add(section.memory.min(section.stored) as usize)?)
    }

    /// Bytes of the file.
    pub fn file_size(&self) -> u64 {
        self.bytes.len() as u64
    }
}
