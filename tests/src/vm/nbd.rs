//! The server's side of the NBD protocol (`doc/proto.md` of the project nbd), as much of it as QEMU needs: one
//! client, reads, writes, flushes.

use std::io::{self, Read, Write};

const GREETING: &[u8; 16] = b"NBDMAGICIHAVEOPT";
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;

/// Handshake flags: fixed newstyle, no zeroes after the export's flags.
const HANDSHAKE: u16 = 0b11;
/// Transmission flags: there are flags, FLUSH, FUA.
const EXPORT: u16 = 0b1101;
const FORCE_UNIT_ACCESS: u16 = 1;

/// Options that a client may ask for.
const EXPORT_NAME: u32 = 1;
const ABORT: u32 = 2;
const INFO: u32 = 6;
const GO: u32 = 7;
/// Answers to options.
const ACKNOWLEDGED: u32 = 1;
const INFORMATION: u32 = 3;
const UNSUPPORTED: u32 = 0x8000_0001;
/// Longer options than any name.
const LONGEST_OPTION: u32 = 4096;
/// QEMU splits what is longer.
const LONGEST_REQUEST: u32 = 64 << 20;

/// `EIO`, in NBD's numbers too.
const FAILED: u32 = 5;

/// What stands behind an export.
pub trait Store {
    /// Its size in bytes.
    fn size(&self) -> u64;
    /// Fills `buffer` from `offset` on.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Takes `data`; on return it is readable, and if `durable` it is safe.
    fn write(&self, offset: u64, data: &[u8], durable: bool) -> io::Result<()>;
    /// On return everything that was written is safe.
    fn flush(&self) -> io::Result<()>;
}

/// Serves one client until it goes.
pub fn serve(stream: &mut (impl Read + Write), store: &impl Store) -> io::Result<()> {
    if handshake(stream, store.size())? {
        while transmit(stream, store)? {}
    }
    Ok(())
}

/// Whether the client goes on to transmission.
fn handshake(stream: &mut (impl Read + Write), size: u64) -> io::Result<bool> {
    stream.write_all(GREETING)?;
    stream.write_all(&HANDSHAKE.to_be_bytes())?;
    let _flags: [u8; 4] = take(stream)?;
    let export = [&size.to_be_bytes()[..], &EXPORT.to_be_bytes()].concat();
    loop {
        let _magic: [u8; 8] = take(stream)?;
        let [option, length] = [take(stream)?, take(stream)?].map(u32::from_be_bytes);
        if length > LONGEST_OPTION {
            return Err(io::Error::other(format!("an option of {length} bytes")));
        }
        io::copy(&mut stream.take(length.into()), &mut io::sink())?;
        match option {
            EXPORT_NAME => {
                stream.write_all(&export)?;
                return Ok(true);
            }
            INFO | GO => {
                answer_option(stream, option, INFORMATION, &[&[0, 0], &export[..]].concat())?;
                answer_option(stream, option, ACKNOWLEDGED, &[])?;
                if option == GO {
                    return Ok(true);
                }
            }
            ABORT => {
                answer_option(stream, option, ACKNOWLEDGED, &[])?;
                return Ok(false);
            }
            _ => answer_option(stream, option, UNSUPPORTED, &[])?,
        }
    }
}

fn answer_option(stream: &mut impl Write, option: u32, kind: u32, data: &[u8]) -> io::Result<()> {
    let head = [option, kind, data.len() as u32].map(u32::to_be_bytes).concat();
    stream.write_all(&[&OPTION_REPLY.to_be_bytes()[..], &head, data].concat())
}

/// One request; whether another may follow.
fn transmit(stream: &mut (impl Read + Write), store: &impl Store) -> io::Result<bool> {
    if u32::from_be_bytes(take(stream)?) != REQUEST {
        return Err(io::Error::other("no request"));
    }
    let [flags, command] = [take(stream)?, take(stream)?].map(u16::from_be_bytes);
    let cookie: [u8; 8] = take(stream)?;
    let (offset, length) = (u64::from_be_bytes(take(stream)?), u32::from_be_bytes(take(stream)?));
    if length > LONGEST_REQUEST {
        return Err(io::Error::other(format!("a request of {length} bytes")));
    }
    let mut data = vec![0; if command < 2 { length as usize } else { 0 }];
    let result = match command {
        0 => store.read(offset, &mut data),
        1 => {
            stream.read_exact(&mut data)?;
            store.write(offset, &data, flags & FORCE_UNIT_ACCESS != 0)
        }
        2 => return Ok(false),
        3 => store.flush(),
        _ => Err(io::Error::other("not offered")),
    };
    let error = if result.is_ok() { 0 } else { FAILED };
    let answer = if command == 0 && error == 0 { data } else { Vec::new() };
    let head = [REPLY, error].map(u32::to_be_bytes).concat();
    stream.write_all(&[&head, &cookie[..], &answer].concat())?;
    Ok(true)
}

fn take<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
