//! A disk that keeps its promises and no more: what was not flushed is lost, wholly or in part, when the power is
//! cut; and it fails when it is told to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::artefacts;
use super::nbd::{self, Store};

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// The OVA's disk, served to QEMU over NBD by a thread of the story.
#[derive(Debug)]
pub struct LossyDisk {
    state: Arc<State>,
    socket: PathBuf,
}

#[derive(Debug)]
struct State {
    /// What is safe.
    file: File,
    size: AtomicU64,
    /// Sectors in the write cache, by number.
    cache: Mutex<BTreeMap<u64, [u8; SECTOR as usize]>>,
    broken: AtomicBool,
}

impl LossyDisk {
    /// Takes the raw disk out of the OVA into `folder`, which keeps its socket too.
    pub fn of_the_ova(folder: &Path) -> Self {
        let [raw, socket] = ["lossy.raw", "lossy.sock"].map(|name| folder.join(name));
        let ova = artefacts::ova();
        let size = evenkeel_ova::extract::disk(&ova, &raw)
            .unwrap_or_else(|error| panic!("{}: {error}", ova.display()));
        let file = File::options().read(true).write(true).open(&raw).expect("own file");
        let (size, cache, broken) = (AtomicU64::new(size), Mutex::default(), AtomicBool::new(false));
        let state = Arc::new(State { file, size, cache, broken });
        let listener = UnixListener::bind(&socket).expect("a socket in the lab's folder");
        let shared = Arc::clone(&state);
        // Ends with the test process.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|client| serve(client, &shared)));
        Self { state, socket }
    }

    /// Options of QEMU's `-drive`.
    pub fn drive(&self) -> String {
        format!("format=raw,file.driver=nbd,file.server.type=unix,file.server.path={}", self.socket.display())
    }

    /// What a power cut leaves: of the sectors that were not flushed, each is written or lost, as `random` has it.
    /// The machine must be off. Returns how many were lost.
    pub fn lose_power(&self, random: &mut fastrand::Rng) -> usize {
        let cache = std::mem::take(&mut *self.state.cache.lock().expect("not poisoned"));
        let (lost, written): (Vec<_>, Vec<_>) = cache.into_iter().partition(|_| random.bool());
        for (sector, data) in written {
            self.state.file.write_all_at(&data, sector * SECTOR).expect("own file");
        }
        lost.len()
    }

    /// From now on every access fails, until [`LossyDisk::mend`].
    pub fn fail(&self) {
        self.state.broken.store(true, Ordering::SeqCst);
    }

    /// Ends what [`LossyDisk::fail`] began.
    pub fn mend(&self) {
        self.state.broken.store(false, Ordering::SeqCst);
    }

    /// Overwrites `length` bytes from `offset` on with zeros. The machine must be off.
    pub fn wipe(&self, offset: u64, length: u64) {
        self.state.cache.lock().expect("not poisoned").clear();
        let zeros = vec![0; 1 << 20];
        for at in (offset..offset + length).step_by(zeros.len()) {
            let count = zeros.len().min((offset + length - at) as usize);
            self.state.file.write_all_at(&zeros[..count], at).expect("own file");
        }
    }

    /// Makes it larger, in bytes, as an administrator does in vSphere. The machine must be off.
    pub fn grow(&self, size: u64) {
        self.state.file.set_len(size).expect("room for a sparse file");
        self.state.size.store(size, Ordering::SeqCst);
    }

    /// The file with what is safe.
    pub fn file(&self) -> &File {
        &self.state.file
    }
}

/// One machine after the other. How a client goes does not matter.
fn serve(mut client: UnixStream, state: &State) {
    let _ = nbd::serve(&mut client, state);
}

impl State {
    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        let is_inside = offset.checked_add(length as u64).is_some_and(|end| end <= self.size());
        let is_whole = offset.is_multiple_of(SECTOR) && (length as u64).is_multiple_of(SECTOR);
        match self.broken.load(Ordering::SeqCst) || !is_inside || !is_whole {
            true => Err(io::Error::other("the disk fails")),
            false => Ok(()),
        }
    }
}

impl Store for State {
    fn size(&self) -> u64 {
        self.size.load(Ordering::SeqCst)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(offset, buffer.len())?;
        let cache = self.cache.lock().expect("not poisoned");
        self.file.read_exact_at(buffer, offset)?;
        let end = offset + buffer.len() as u64;
        for (sector, data) in cache.range(offset / SECTOR..end / SECTOR) {
            let at = (sector * SECTOR - offset) as usize;
            buffer[at..at + data.len()].copy_from_slice(data);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8], durable: bool) -> io::Result<()> {
        self.check(offset, data.len())?;
        let mut cache = self.cache.lock().expect("not poisoned");
        let (sectors, _) = data.as_chunks::<{ SECTOR as usize }>();
        for (number, sector) in (offset / SECTOR..).zip(sectors) {
            match durable {
                true => _ = cache.remove(&number),
                false => _ = cache.insert(number, *sector),
            }
        }
        if durable { self.file.write_all_at(data, offset) } else { Ok(()) }
    }

    fn flush(&self) -> io::Result<()> {
        self.check(0, 0)?;
        let mut cache = self.cache.lock().expect("not poisoned");
        for (sector, data) in std::mem::take(&mut *cache) {
            self.file.write_all_at(&data, sector * SECTOR)?;
        }
        Ok(())
    }
}
