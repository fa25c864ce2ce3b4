//! Takes the disk out of an OVA: as the VMDK it is, or as the raw disk it was made from.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::Error;
use crate::model::room_for_tables;
use crate::pack::{folder_of, publish, temporary};
use crate::ustar::{Archive, Entry, Section};
use crate::vmdk::{Damage, Header, Layout, SECTOR, Stream, walk};

/// Copies the VMDK of the OVA at `ova` to `output`; returns its size.
pub fn vmdk(ova: &Path, output: &Path) -> Result<u64, Error> {
    let (file, entry) = open(ova)?;
    let out = temporary(folder_of(output))?;
    let mut input = Section::new(&file, entry.at, entry.size);
    let copied = io::copy(&mut input, &mut out.as_file()).map_err(Error::io("write", output))?;
    publish(out, output)?;
    Ok(copied)
}

/// Writes the disk of the OVA at `ova` to `output`, sparse; returns its size.
pub fn disk(ova: &Path, output: &Path) -> Result<u64, Error> {
    let (file, entry) = open(ova)?;
    let mut input = Section::new(&file, entry.at, entry.size);
    let damaged = |damage| Error::Vmdk { path: ova.to_owned(), damage };
    let layout = read_layout(&mut input, entry.size).map_err(Error::io("read", ova))?.map_err(damaged)?;
    let out = temporary(folder_of(output))?;
    let bytes = layout.capacity * SECTOR;
    out.as_file().set_len(bytes).map_err(Error::io("write", output))?;
    let stream =
        walk::<io::Error>(&mut input, &layout, entry.size / SECTOR, |grain, data| match grain.zero {
            true => Ok(()),
            false => out.as_file().write_all_at(data, grain.lba * SECTOR),
        });
    judge(&stream.map_err(Error::io("write", output))?).map_err(damaged)?;
    publish(out, output)?;
    Ok(bytes)
}

fn open(ova: &Path) -> Result<(File, Entry), Error> {
    let file = File::open(ova).map_err(Error::io("open the OVA", ova))?;
    let archive = Archive::read(&file).map_err(Error::io("read the OVA", ova))?;
    let missing = || archive.problem.clone().unwrap_or_else(|| "there is no .vmdk in it".to_owned());
    match archive.find(".vmdk") {
        Some(entry) => Ok((file, entry.clone())),
        None => Err(Error::NotAnOva { path: ova.to_owned(), why: missing() }),
    }
}

/// Reads header and tables, so that `input` stands at the first grain.
fn read_layout(input: &mut Section<'_>, bytes: u64) -> io::Result<Result<Layout, Damage>> {
    let mut first = [0; SECTOR as usize];
    if bytes < SECTOR {
        return Ok(Err(Damage { at: bytes, what: "it ends within its header".to_owned() }));
    }
    input.read_exact(&mut first)?;
    let layout = Header::decode(&first).layout().and_then(|layout| room_for_tables(layout, bytes));
    if let Ok(layout) = &layout {
        io::copy(&mut input.take((layout.overhead - 1) * SECTOR), &mut io::sink())?;
    }
    Ok(layout)
}

/// A disk is whole if every grain was sound and the end marker was there.
fn judge(stream: &Stream) -> Result<(), Damage> {
    let faulty = stream.grains.iter().find_map(|grain| Some((grain, grain.fault.as_ref()?)));
    match (&stream.stopped, faulty, stream.markers.last()) {
        (Some(damage), _, _) => Err(damage.clone()),
        (_, Some((grain, what)), _) => {
            Err(Damage { at: grain.at * SECTOR, what: format!("this grain {what}") })
        }
        (_, _, None) => {
            Err(Damage { at: 0, what: "its end-of-stream marker is missing, it is cut short".to_owned() })
        }
        _ => Ok(()),
    }
}
