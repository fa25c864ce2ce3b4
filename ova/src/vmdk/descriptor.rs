//! The descriptor: the text that says what the binary parts are (VMDK 5.0 specification, "The Descriptor").

use std::collections::BTreeMap;

use super::{ContentId, DESCRIPTOR_SECTORS, SECTOR};

/// What is said about a disk of ours.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor<'a> {
    /// Derived from the content.
    pub id: ContentId,
    /// Size of the disk in sectors.
    pub capacity: u64,
    /// Name of the VMDK file itself.
    pub name: &'a str,
}

/// Heads and sectors of any disk above 4 GB; the cylinders are no more than 65535.
const HEADS: u64 = 255;
const SECTORS_PER_TRACK: u64 = 63;

impl Descriptor<'_> {
    /// The text. `adapterType` is lsilogic for pvscsi too, `toolsInstallType` 4 means "unmanaged", and
    /// `virtualHWVersion` is obsolete: 4, never the version of the machine (VMware's converter).
    pub fn text(&self) -> String {
        let cylinders = self.capacity.div_ceil(HEADS * SECTORS_PER_TRACK).min(65_535);
        format!(
            "# Disk DescriptorFile\n\
             version=1\n\
             encoding=\"UTF-8\"\n\
             CID={short}\n\
             parentCID=ffffffff\n\
             createType=\"streamOptimized\"\n\
             \n\
             # Extent description\n\
             RW {capacity} SPARSE \"{name}\"\n\
             \n\
             # The Disk Data Base\n\
             #DDB\n\
             \n\
             ddb.longContentID = \"{long}\"\n\
             ddb.virtualHWVersion = \"4\"\n\
             ddb.geometry.cylinders = \"{cylinders}\"\n\
             ddb.geometry.heads = \"{HEADS}\"\n\
             ddb.geometry.sectors = \"{SECTORS_PER_TRACK}\"\n\
             ddb.adapterType = \"lsilogic\"\n\
             ddb.toolsInstallType = \"4\"\n\
             ddb.toolsVersion = \"2147483647\"\n",
            short = self.id.short(),
            long = self.id,
            capacity = self.capacity,
            name = self.name,
        )
    }

    /// The text, filled up with zeros to its 20 sectors.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.text().into_bytes();
        bytes.resize((DESCRIPTOR_SECTORS * SECTOR) as usize, 0);
        bytes
    }
}

/// A descriptor that was read: its keys and values, unjudged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Values as written, quotes included; a key that occurs twice has both, with a comma between them.
    values: BTreeMap<String, String>,
    /// The lines that describe extents.
    pub extents: Vec<String>,
}

impl Fields {
    /// Reads the descriptor's sectors up to the first zero. Takes any bytes.
    pub fn parse(bytes: &[u8]) -> Fields {
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut fields = Fields::default();
        for line in String::from_utf8_lossy(text).lines().map(str::trim) {
            match line.split_once('=') {
                _ if line.is_empty() || line.starts_with('#') => {}
                Some((key, value)) => fields.add(key.trim(), value.trim()),
                None => fields.extents.push(line.to_owned()),
            }
        }
        fields
    }

    /// The value of `key` as written.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    fn add(&mut self, key: &str, value: &str) {
        self.values
            .entry(key.to_owned())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::content_id::Collector;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let id = Collector::default().finish(41_943_040);
        let bytes = Descriptor { id, capacity: 41_943_040, name: "a.vmdk" }.encode();
        assert_eq!(bytes.len(), 20 * 512);
        let fields = Fields::parse(&bytes);
        assert_eq!(fields.get("CID"), Some(id.short().as_str()));
        assert_eq!(fields.get("createType"), Some("\"streamOptimized\""));
        assert_eq!(fields.get("ddb.geometry.cylinders"), Some("\"2611\""));
        assert_eq!(fields.extents, ["RW 41943040 SPARSE \"a.vmdk\""]);
    }

    #[test]
    fn a_repeated_key_equals_neither_of_its_values() {
        assert_eq!(Fields::parse(b"CID=1\nCID=2").get("CID"), Some("1, 2"));
    }
}
