//! Packs a raw disk into an OVA, and writes its checksum beside it.

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::disk::RawDisk;
use crate::error::Error;
use crate::manifest::{Algorithm, Line};
use crate::ovf::{Package, descriptor};
use crate::product::{DISK_BYTES, FileNames, Version};
use crate::ustar::{Section, Writer};
use crate::vmdk::{self, GRAIN_BYTES, Written};

/// What was packed.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The OVA.
    pub ova: PathBuf,
    /// The file beside it, for `sha256sum -c`.
    pub checksum: PathBuf,
    /// Size of the OVA.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// The disk in it.
    pub vmdk: Written,
}

/// Packs the raw disk at `disk` into `output`. Both files appear whole or not at all.
pub fn pack(disk: &Path, version: &Version, output: &Path, algorithm: Algorithm) -> Result<Packed, Error> {
    let mut raw = RawDisk::open(disk)?;
    if raw.bytes() != DISK_BYTES {
        let expected = format!("{DISK_BYTES}, the 20 GB that the product promises");
        return Err(Error::DiskSize { path: disk.to_owned(), found: raw.bytes(), expected });
    }
    let folder = folder_of(output);
    fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;

    let names = FileNames::new(version);
    let mut vmdk = temporary(folder)?;
    let path = vmdk.path().to_owned();
    let written = vmdk::write(&mut raw, vmdk.as_file_mut(), &path, &names.vmdk)?;
    let package = Package {
        version,
        names: &names,
        vmdk_bytes: written.bytes,
        disk_bytes: raw.bytes(),
        populated_bytes: written.grains * GRAIN_BYTES as u64,
    };
    let ovf = descriptor(&package).map_err(Error::io("write the descriptor of", output))?;

    let ova = temporary(folder)?;
    write_archive(&ova, &names, &ovf, vmdk.as_file(), &written, algorithm)
        .map_err(Error::io("write", output))?;
    let (bytes, sha256) = digest(ova.as_file()).map_err(Error::io("read back", output))?;
    publish(ova, output)?;
    let checksum = write_checksum(folder, output, &sha256)?;
    Ok(Packed { ova: output.to_owned(), checksum, bytes, sha256, vmdk: written })
}

/// The three files in the order that vSphere wants: descriptor, manifest, then what `References` lists.
fn write_archive(
    ova: &NamedTempFile,
    names: &FileNames,
    ovf: &str,
    vmdk: &File,
    written: &Written,
    algorithm: Algorithm,
) -> std::io::Result<()> {
    let disk = || Section::new(vmdk, 0, written.bytes);
    let line = |name: &str, input: &mut dyn Read| {
        let digest = algorithm.digest(input)?;
        Ok::<_, std::io::Error>(Line { algorithm, name: name.to_owned(), digest }.to_string())
    };
    let manifest = line(&names.ovf, &mut ovf.as_bytes())? + &line(&names.vmdk, &mut disk())?;
    let mut archive = Writer::new(BufWriter::new(ova.as_file()));
    archive.append(&names.ovf, ovf.len() as u64, &mut ovf.as_bytes())?;
    archive.append(&names.manifest, manifest.len() as u64, &mut manifest.as_bytes())?;
    archive.append(&names.vmdk, written.bytes, &mut disk())?;
    archive.finish()?.flush()
}

fn digest(file: &File) -> std::io::Result<(u64, String)> {
    let bytes = file.metadata()?.len();
    Ok((bytes, Algorithm::Sha256.digest(&mut Section::new(file, 0, bytes))?))
}

/// `hex  name`, as `sha256sum -c` reads it in the folder of the OVA.
fn write_checksum(folder: &Path, ova: &Path, sha256: &str) -> Result<PathBuf, Error> {
    let name = ova.file_name().unwrap_or_default().to_string_lossy();
    let path = folder.join(format!("{name}.sha256"));
    let mut file = temporary(folder)?;
    writeln!(file, "{sha256}  {name}").map_err(Error::io("write", &path))?;
    publish(file, &path)?;
    Ok(path)
}

/// The folder in which a file lies; a bare name lies in the current one.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

pub(crate) fn temporary(folder: &Path) -> Result<NamedTempFile, Error> {
    NamedTempFile::new_in(folder).map_err(Error::io("create a temporary file in", folder))
}

/// Gives a finished temporary file its name; everybody may read it, whatever the umask.
pub(crate) fn publish(file: NamedTempFile, path: &Path) -> Result<(), Error> {
    let readable = Permissions::from_mode(0o644);
    file.as_file().set_permissions(readable).map_err(Error::io("set the permissions of", path))?;
    file.persist(path).map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}
