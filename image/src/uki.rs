//! Builds the Unified Kernel Image: systemd's EFI stub with our sections appended (UAPI "Unified Kernel Image";
//! `systemd-stub(7)`; PE/COFF specification). The layout rules are those of systemd's `ukify`.

use object::pe::{ImageNtHeaders64, ImageSectionHeader};
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader};
use object::{LittleEndian as LE, pe};
use std::fmt;

/// What goes into a UKI.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// systemd's stub.
    pub stub: &'a [u8],
    /// The text of os-release. systemd-boot sorts the entries by its ID and VERSION_ID.
    pub osrel: &'a str,
    /// The kernel command line.
    pub cmdline: &'a str,
    /// The kernel's release, as `uname -r` prints it.
    pub uname: &'a str,
    /// The compressed initramfs.
    pub initrd: &'a [u8],
    /// The kernel, an EFI program itself.
    pub linux: &'a [u8],
}

const HEADER_SIZE: usize = size_of::<ImageSectionHeader>();

/// Offsets of fields inside the headers (PE/COFF specification, "COFF File Header" and "Optional Header").
mod at {
    pub const NUMBER_OF_SECTIONS: usize = 2;
    pub const POINTER_TO_SYMBOL_TABLE: usize = 8;
    pub const NUMBER_OF_SYMBOLS: usize = 12;
    pub const SIZE_OF_INITIALIZED_DATA: usize = 8;
    pub const SIZE_OF_IMAGE: usize = 56;
    pub const CHECK_SUM: usize = 64;
}

/// A section to append.
struct Section<'a> {
    name: &'static str,
    data: &'a [u8],
    virtual_size: u32,
    flags: u32,
}

/// The stub's geometry, and how far the new file has grown.
struct Layout {
    coff: usize,
    optional: usize,
    sections: usize,
    count: u16,
    headers_end: usize,
    file_alignment: u32,
    section_alignment: u32,
    next_address: u32,
    initialized: u32,
}

/// Puts the parts together.
pub fn build(parts: &Parts<'_>) -> Result<Vec<u8>, UkiError> {
    let mut layout = Layout::read(parts.stub)?;
    let mut file = stub_without_symbols(parts.stub, &layout)?;
    for section in sections(parts)? {
        layout.append(&mut file, &section)?;
    }
    layout.finish(&mut file);
    Ok(file)
}

/// `.linux` comes last: the kernel unpacks itself behind its own data and may overwrite what follows.
fn sections<'a>(parts: &Parts<'a>) -> Result<Vec<Section<'a>>, UkiError> {
    let data = |name, data: &'a [u8]| {
        let virtual_size = u32::try_from(data.len()).map_err(|_| UkiError::TooLarge { name })?;
        let flags = pe::IMAGE_SCN_CNT_INITIALIZED_DATA.0 | pe::IMAGE_SCN_MEM_READ.0;
        Ok(Section { name, data, virtual_size, flags })
    };
    let mut linux = data(".linux", parts.linux)?;
    linux.flags = pe::IMAGE_SCN_CNT_CODE.0 | pe::IMAGE_SCN_MEM_READ.0;
    linux.virtual_size = linux.virtual_size.max(image_size(parts.linux)?);
    Ok(vec![
        data(".osrel", parts.osrel.as_bytes())?,
        data(".cmdline", parts.cmdline.as_bytes())?,
        data(".uname", parts.uname.as_bytes())?,
        data(".initrd", parts.initrd)?,
        linux,
    ])
}

/// The kernel's SizeOfImage: the memory it needs to run where it was loaded.
fn image_size(linux: &[u8]) -> Result<u32, UkiError> {
    let (headers, _) = nt_headers("kernel", linux)?;
    Ok(headers.optional_header.size_of_image())
}

fn nt_headers<'a>(which: &'static str, data: &'a [u8]) -> Result<(&'a ImageNtHeaders64, u64), UkiError> {
    let fail = |error| UkiError::NotPe { which, error };
    let dos = pe::ImageDosHeader::parse(data).map_err(fail)?;
    let mut offset = dos.nt_headers_offset().into();
    let (headers, _) = ImageNtHeaders64::parse(data, &mut offset).map_err(fail)?;
    Ok((headers, dos.nt_headers_offset().into()))
}

impl Layout {
    fn read(stub: &[u8]) -> Result<Self, UkiError> {
        let (headers, start) = nt_headers("stub", stub)?;
        let start = usize::try_from(start).map_err(|_| UkiError::Stub("its header lies outside the file"))?;
        let optional = start + 24;
        let sections = optional + usize::from(headers.file_header.size_of_optional_header.get(LE));
        let count = headers.file_header.number_of_sections.get(LE);
        let table = headers
            .sections(stub, sections as u64)
            .map_err(|error| UkiError::NotPe { which: "stub", error })?;
        let first = table
            .iter()
            .map(|s| s.pointer_to_raw_data.get(LE))
            .min()
            .ok_or(UkiError::Stub("it has no sections"))?;
        let end =
            table.iter().map(|s| s.virtual_address.get(LE).saturating_add(s.virtual_size.get(LE))).max();
        let layout = Self {
            coff: start + 4,
            optional,
            sections,
            count,
            headers_end: (headers.optional_header.size_of_headers() as usize).min(first as usize),
            file_alignment: headers.optional_header.file_alignment(),
            section_alignment: headers.optional_header.section_alignment(),
            next_address: end.unwrap_or(0),
            initialized: headers.optional_header.size_of_initialized_data(),
        };
        layout.check(stub)
    }

    fn check(self, stub: &[u8]) -> Result<Self, UkiError> {
        let power = |n: u32| n.is_power_of_two() && (0x200..=0x10000).contains(&n);
        if !power(self.file_alignment) || !power(self.section_alignment) {
            return Err(UkiError::Stub("its alignments are not powers of two between 0x200 and 0x10000"));
        }
        if self.headers_end > stub.len() {
            return Err(UkiError::Stub("its header is longer than the file"));
        }
        let (headers, _) = nt_headers("stub", stub)?;
        let mut offset = self.optional as u64 + size_of_val(&headers.optional_header) as u64;
        let count = headers.optional_header.number_of_rva_and_sizes();
        let directories = object::read::pe::DataDirectories::parse(
            object::ReadRef::read_bytes(stub, &mut offset, u64::from(count) * 8).unwrap_or_default(),
            count,
        );
        let security = directories.ok().and_then(|all| all.get(pe::IMAGE_DIRECTORY_ENTRY_SECURITY).copied());
        match security {
            Some(entry) if entry.virtual_address.get(LE) != 0 => Err(UkiError::Stub("it is signed already")),
            _ => Ok(self),
        }
    }

    fn append(&mut self, file: &mut Vec<u8>, section: &Section<'_>) -> Result<(), UkiError> {
        let too_large = || UkiError::TooLarge { name: section.name };
        let header = self.sections + usize::from(self.count) * HEADER_SIZE;
        if header + HEADER_SIZE > self.headers_end {
            return Err(UkiError::HeaderSpace { name: section.name });
        }
        pad(file, self.file_alignment);
        let raw_at = u32::try_from(file.len()).map_err(|_| too_large())?;
        file.extend_from_slice(section.data);
        pad(file, self.file_alignment);
        let raw_size = u32::try_from(file.len()).map_err(|_| too_large())? - raw_at;
        let address = align(self.next_address, self.section_alignment).ok_or_else(too_large)?;
        self.next_address = address.checked_add(section.virtual_size).ok_or_else(too_large)?;
        self.initialized = self.initialized.wrapping_add(section.virtual_size);
        self.count += 1;
        write_header(&mut file[header..header + HEADER_SIZE], section, address, raw_at, raw_size);
        Ok(())
    }

    fn finish(&self, file: &mut [u8]) {
        let image = align(self.next_address, self.section_alignment).unwrap_or(u32::MAX);
        file[self.coff + at::NUMBER_OF_SECTIONS..][..2].copy_from_slice(&self.count.to_le_bytes());
        put(file, self.optional + at::SIZE_OF_INITIALIZED_DATA, self.initialized);
        put(file, self.optional + at::SIZE_OF_IMAGE, image);
        put(file, self.optional + at::CHECK_SUM, 0);
    }
}

/// The fields of `IMAGE_SECTION_HEADER` in order: name, virtual size and address, raw size and offset, three
/// unused ones, flags.
fn write_header(header: &mut [u8], section: &Section<'_>, address: u32, raw_at: u32, raw_size: u32) {
    header.fill(0);
    header[..section.name.len()].copy_from_slice(section.name.as_bytes());
    for (at, value) in
        [(8, section.virtual_size), (12, address), (16, raw_size), (20, raw_at), (36, section.flags)]
    {
        put(header, at, value);
    }
}

/// An image file should have no symbol table; old stubs have one at their end, where new sections go.
fn stub_without_symbols(stub: &[u8], layout: &Layout) -> Result<Vec<u8>, UkiError> {
    let (headers, _) = nt_headers("stub", stub)?;
    let symbols = headers.file_header.pointer_to_symbol_table.get(LE) as usize;
    let mut file = stub.to_vec();
    if symbols != 0 {
        if symbols < layout.headers_end || symbols > stub.len() {
            return Err(UkiError::Stub("its symbol table lies outside the file"));
        }
        file.truncate(symbols);
        put(&mut file, layout.coff + at::POINTER_TO_SYMBOL_TABLE, 0);
        put(&mut file, layout.coff + at::NUMBER_OF_SYMBOLS, 0);
    }
    Ok(file)
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn pad(file: &mut Vec<u8>, alignment: u32) {
    file.resize(file.len().next_multiple_of(alignment as usize), 0);
}

fn align(value: u32, alignment: u32) -> Option<u32> {
    value.checked_next_multiple_of(alignment)
}

/// Why no UKI can be built.
#[derive(Debug)]
pub enum UkiError {
    /// The stub or the kernel is no PE file.
    NotPe {
        /// Which of them.
        which: &'static str,
        /// What is wrong with it.
        error: object::read::Error,
    },
    /// The stub is a PE file that cannot be built upon.
    Stub(&'static str),
    /// The stub's header has no room for another section.
    HeaderSpace {
        /// The section.
        name: &'static str,
    },
    /// The image would exceed the 4 GB that PE offsets can express.
    TooLarge {
        /// The section.
        name: &'static str,
    },
}

impl fmt::Display for UkiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("building the UKI: ")?;
        match self {
            Self::NotPe { which, error } => {
                write!(f, "the {which} is no EFI program: {error}; fetch its package again (`image fetch`)")
            }
            Self::Stub(why) => {
                write!(f, "the stub cannot be used, {why}; take the one of Debian's systemd-boot-efi")
            }
            Self::HeaderSpace { name } => {
                write!(f, "no room in the stub's header for section {name}; use a newer stub")
            }
            Self::TooLarge { name } => {
                write!(f, "section {name} makes the image larger than 4 GB; make it smaller")
            }
        }
    }
}

impl std::error::Error for UkiError {}

#[cfg(test)]
#[path = "uki_tests.rs"]
mod tests;
