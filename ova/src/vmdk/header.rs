//! The sparse extent header: the first sector (VMDK 5.0 specification, "Hosted Sparse Extent Header").

use super::{DESCRIPTOR_AT, DESCRIPTOR_SECTORS, Damage, GRAIN_SECTORS, Layout, TABLE_ENTRIES};

/// The header's fields as they are on disk, judged by nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Byte 0: `KDMV`.
    pub magic: [u8; 4],
    /// Byte 4.
    pub version: u32,
    /// Byte 8: bit 0 newline test, bit 1 redundant tables, bit 16 compressed, bit 17 markers.
    pub flags: u32,
    /// Byte 12: size of the disk in sectors.
    pub capacity: u64,
    /// Byte 20: sectors of a grain.
    pub grain_size: u64,
    /// Byte 28: sector of the descriptor.
    pub descriptor_at: u64,
    /// Byte 36: its sectors.
    pub descriptor_size: u64,
    /// Byte 44.
    pub entries_per_table: u32,
    /// Byte 48: sector of the redundant grain directory.
    pub redundant_directory_at: u64,
    /// Byte 56: sector of the grain directory; all ones say "look into the footer".
    pub directory_at: u64,
    /// Byte 64: sectors in front of the first grain.
    pub overhead: u64,
    /// Byte 72: not 0 while a writer has it open.
    pub unclean: u8,
    /// Byte 73: newline, space, carriage return, newline: broken by a transfer in text mode.
    pub newline_test: [u8; 4],
    /// Byte 77: 1 is deflate.
    pub compression: u16,
    /// Byte 79 to the end of the sector.
    pub padding: Vec<u8>,
}

/// Newline test and markers and compression: what a stream-optimised extent has.
const FLAGS: u32 = 0x0003_0001;

impl Header {
    /// The header of a finished VMDK with this layout.
    pub fn new(layout: &Layout) -> Header {
        Header {
            magic: *b"KDMV",
            version: 3,
            flags: FLAGS,
            capacity: layout.capacity,
            grain_size: GRAIN_SECTORS,
            descriptor_at: DESCRIPTOR_AT,
            descriptor_size: DESCRIPTOR_SECTORS,
            entries_per_table: TABLE_ENTRIES as u32,
            redundant_directory_at: 0,
            directory_at: layout.directory_at,
            overhead: layout.overhead,
            unclean: 0,
            newline_test: *b"\n \r\n",
            compression: 1,
            padding: vec![0; 433],
        }
    }

    /// The first sector of the file.
    pub fn encode(&self) -> Vec<u8> {
        let mut sector = Vec::with_capacity(512);
        sector.extend(self.magic);
        sector.extend(self.version.to_le_bytes());
        sector.extend(self.flags.to_le_bytes());
        for field in [self.capacity, self.grain_size, self.descriptor_at, self.descriptor_size] {
            sector.extend(field.to_le_bytes());
        }
        sector.extend(self.entries_per_table.to_le_bytes());
        for field in [self.redundant_directory_at, self.directory_at, self.overhead] {
            sector.extend(field.to_le_bytes());
        }
        sector.push(self.unclean);
        sector.extend(self.newline_test);
        sector.extend(self.compression.to_le_bytes());
        sector.extend(&self.padding);
        sector
    }

    /// Takes any sector for a header.
    pub fn decode(sector: &[u8; 512]) -> Header {
        Header {
            magic: field(sector, 0),
            version: u32::from_le_bytes(field(sector, 4)),
            flags: u32::from_le_bytes(field(sector, 8)),
            capacity: u64::from_le_bytes(field(sector, 12)),
            grain_size: u64::from_le_bytes(field(sector, 20)),
            descriptor_at: u64::from_le_bytes(field(sector, 28)),
            descriptor_size: u64::from_le_bytes(field(sector, 36)),
            entries_per_table: u32::from_le_bytes(field(sector, 44)),
            redundant_directory_at: u64::from_le_bytes(field(sector, 48)),
            directory_at: u64::from_le_bytes(field(sector, 56)),
            overhead: u64::from_le_bytes(field(sector, 64)),
            unclean: sector[72],
            newline_test: field(sector, 73),
            compression: u16::from_le_bytes(field(sector, 77)),
            padding: sector[79..].to_vec(),
        }
    }

    /// The layout, if the header is exactly one that [`Header::new`] makes.
    pub fn layout(&self) -> Result<Layout, Damage> {
        let refuse = |what: &str| Damage { at: 0, what: what.to_owned() };
        let layout = Layout::new(self.capacity).ok_or_else(|| refuse("the capacity is absurd"))?;
        if !self.capacity.is_multiple_of(GRAIN_SECTORS) {
            return Err(refuse("the capacity is not a multiple of the grain"));
        }
        match *self == Header::new(&layout) {
            true => Ok(layout),
            false => Err(refuse("the header is not that of a stream-optimised VMDK of our layout")),
        }
    }
}

/// `N` bytes at a place that every caller has within the sector.
fn field<const N: usize>(sector: &[u8; 512], at: usize) -> [u8; N] {
    std::array::from_fn(|i| sector[at + i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_fields_at_their_places() {
        let sector = Header::new(&Layout::new(41_943_040).unwrap()).encode();
        assert_eq!(sector.len(), 512);
        assert_eq!(sector[..12], *b"KDMV\x03\0\0\0\x01\0\x03\0");
        assert_eq!(sector[12..20], [0, 0, 128, 2, 0, 0, 0, 0]);
        assert_eq!(sector[44..48], [0, 2, 0, 0]);
        assert_eq!(sector[72..80], *b"\0\n \r\n\x01\0\0");
    }

    #[test]
    fn decoding_is_the_inverse() {
        let layout = Layout::new(131_072).unwrap();
        let header = Header::new(&layout);
        let decoded = Header::decode(&header.encode().try_into().unwrap());
        assert_eq!(decoded, header);
        assert_eq!(decoded.layout(), Ok(layout));
    }

    #[test]
    fn any_other_header_has_no_layout() {
        let good = Header::new(&Layout::new(131_072).unwrap());
        for at in 0..512 {
            let mut sector: [u8; 512] = good.encode().try_into().unwrap();
            sector[at] ^= 0x10;
            assert!(Header::decode(&sector).layout().is_err(), "byte {at}");
        }
    }
}
