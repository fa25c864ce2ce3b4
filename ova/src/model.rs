//! What an OVA holds, read once and judged by nobody: the rules of [`crate::verify`] do that.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::Error;
use crate::manifest::Manifest;
use crate::ovf::{Fault, Node};
use crate::product::DISK_BYTES;
use crate::system::System;
use crate::ustar::{Archive, Entry, Section};
use crate::vmdk::{
    Collector, ContentId, DESCRIPTOR_AT, DESCRIPTOR_SECTORS, Damage, Fields, Grains, Header, Layout, SECTOR,
    Stream, walk,
};

/// A longer descriptor or manifest is not read: ours have 10 KB and 150 bytes.
const MAX_TEXT: u64 = 256 << 10;

/// An OVA that was read.
#[derive(Debug, Clone)]
pub struct Ova {
    /// The tar archive.
    pub archive: Archive,
    /// The manifest, if there is one that is text.
    pub manifest: Option<Manifest>,
    /// The digests that the manifest speaks of, computed anew: by the line's position.
    pub digests: BTreeMap<usize, String>,
    /// The descriptor.
    pub ovf: Result<Node, Fault>,
    /// The disk, if there is one that is long enough for a VMDK.
    pub vmdk: Option<Vmdk>,
}

/// The VMDK in an OVA.
#[derive(Debug, Clone)]
pub struct Vmdk {
    /// Its size.
    pub bytes: u64,
    /// Its first sector.
    pub header: Header,
    /// The descriptor at the one place where it may be.
    pub descriptor: Fields,
    /// Tables and grains, if the header is one of ours.
    pub content: Result<Content, Damage>,
    /// What is on the disk, if all of it can be read and it has the right size.
    pub system: Option<System>,
}

/// Tables and grains of a VMDK.
#[derive(Debug, Clone)]
pub struct Content {
    /// Where all this lies.
    pub layout: Layout,
    /// The grain directory.
    pub directory: Vec<u32>,
    /// All grain tables, one after the other.
    pub table: Vec<u32>,
    /// The grains and markers.
    pub stream: Stream,
    /// Derived from the grains; `None` if not all of them are sound.
    pub id: Option<ContentId>,
}

impl Ova {
    /// Reads the OVA at `path`. Fails only if the file cannot be read.
    pub fn read(path: &Path) -> Result<Ova, Error> {
        let file = File::open(path).map_err(Error::io("open the OVA", path))?;
        Ova::read_file(&file).map_err(Error::io("read the OVA", path))
    }

    fn read_file(file: &File) -> io::Result<Ova> {
        let archive = Archive::read(file)?;
        let text = |ending| archive.find(ending).map(|entry| read_text(file, entry)).transpose();
        let manifest = text(".mf")?.and_then(Result::ok).map(|text| Manifest::parse(&text));
        let ovf = match text(".ovf")? {
            Some(Ok(text)) => Node::parse(&text),
            Some(Err(why)) => Err(Fault::Xml(why)),
            None => Err(Fault::Xml("no .ovf in the archive".to_owned())),
        };
        let digests = manifest.as_ref().map(|manifest| digests(file, &archive, manifest)).transpose()?;
        let vmdk = archive.find(".vmdk").map(|entry| Vmdk::read(file, entry)).transpose()?.flatten();
        Ok(Ova { archive, manifest, digests: digests.unwrap_or_default(), ovf, vmdk })
    }
}

impl Vmdk {
    /// Reads the VMDK that is an entry of an OVA; `None` if it is too short for a header and a descriptor.
    fn read(file: &File, entry: &Entry) -> io::Result<Option<Vmdk>> {
        let front = (DESCRIPTOR_AT + DESCRIPTOR_SECTORS) * SECTOR;
        if entry.size < front {
            return Ok(None);
        }
        let mut input = Section::new(file, entry.at, entry.size);
        let mut first = [0; SECTOR as usize];
        input.read_exact(&mut first)?;
        let mut descriptor = vec![0; (DESCRIPTOR_SECTORS * SECTOR) as usize];
        input.read_exact(&mut descriptor)?;
        let header = Header::decode(&first);
        let content = match header.layout().and_then(|layout| room_for_tables(layout, entry.size)) {
            Ok(layout) => Ok(Content::read(&mut input, layout, entry.size / SECTOR)?),
            Err(damage) => Err(damage),
        };
        let whole = content.as_ref().ok().filter(|content| content.is_whole());
        let system = whole.map(|content| System::read(&mut Grains::new(file, entry.at, &content.stream)));
        let (bytes, descriptor) = (entry.size, Fields::parse(&descriptor));
        Ok(Some(Vmdk { bytes, header, descriptor, content, system: system.transpose()? }))
    }
}

/// The tables are read into memory: they must lie within the file.
pub fn room_for_tables(layout: Layout, bytes: u64) -> Result<Layout, Damage> {
    match layout.overhead * SECTOR <= bytes {
        true => Ok(layout),
        false => Err(Damage { at: bytes, what: "it ends within its grain tables".to_owned() }),
    }
}

impl Content {
    fn read(input: &mut impl Read, layout: Layout, sectors: u64) -> io::Result<Content> {
        let mut directory = read_words(input, (layout.tables_at - layout.directory_at) * SECTOR)?;
        directory.truncate(layout.tables as usize);
        let table = read_words(input, (layout.overhead - layout.tables_at) * SECTOR)?;
        let mut collector = Collector::default();
        let stream = walk::<io::Error>(input, &layout, sectors, |grain, data| {
            if !grain.zero {
                collector.add(grain.lba, data);
            }
            Ok(())
        })?;
        let id = is_sound(&stream).then(|| collector.finish(layout.capacity));
        Ok(Content { layout, directory, table, stream, id })
    }

    /// A disk of the product's size, each grain of which can be read.
    fn is_whole(&self) -> bool {
        self.layout.capacity * SECTOR == DISK_BYTES && is_sound(&self.stream)
    }
}

fn is_sound(stream: &Stream) -> bool {
    stream.stopped.is_none() && stream.grains.iter().all(|grain| grain.fault.is_none())
}

fn read_words(input: &mut impl Read, bytes: u64) -> io::Result<Vec<u32>> {
    let mut buffer = vec![0; bytes as usize];
    input.read_exact(&mut buffer)?;
    let (words, _) = buffer.as_chunks::<4>();
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn read_text(file: &File, entry: &Entry) -> io::Result<Result<String, String>> {
    if entry.size > MAX_TEXT {
        return Ok(Err(format!("{} has {} bytes, more than {MAX_TEXT}", entry.name, entry.size)));
    }
    let mut bytes = Vec::new();
    Section::new(file, entry.at, entry.size).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).map_err(|error| format!("{} is not UTF-8: {error}", entry.name)))
}

fn digests(file: &File, archive: &Archive, manifest: &Manifest) -> io::Result<BTreeMap<usize, String>> {
    let mut digests = BTreeMap::new();
    for (position, line) in manifest.lines.iter().enumerate().take(MAX_DIGESTS) {
        if let Some(entry) = archive.files().find(|entry| entry.name == line.name) {
            let mut input = Section::new(file, entry.at, entry.size);
            digests.insert(position, line.algorithm.digest(&mut input)?);
        }
    }
    Ok(digests)
}

/// More lines than this are not computed: a manifest that repeats itself must not cost hours.
const MAX_DIGESTS: usize = 8;
