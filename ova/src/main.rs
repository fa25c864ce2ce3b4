//! `ova`: packs the appliance's disk into an OVA, verifies one, takes the disk out again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use evenkeel_ova::manifest::Algorithm;
use evenkeel_ova::model::Ova;
use evenkeel_ova::product::Version;
use evenkeel_ova::verify::{broken, passed, verify};
use evenkeel_ova::{Error, extract, pack};

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pack a raw disk of 20 GB into an OVA; writes FILE.ova.sha256 beside it
    Pack {
        /// The raw disk image
        #[arg(long)]
        disk: PathBuf,
        /// Version of the product, X.Y.Z
        #[arg(long)]
        version: Version,
        /// The OVA to write
        #[arg(long)]
        output: PathBuf,
        /// Digest of the manifest
        #[arg(long, value_enum, default_value_t)]
        manifest: Digest,
    },
    /// Check every rule about an OVA, one line each; exit code 1 if any is broken
    Verify {
        /// Digest that the manifest must use
        #[arg(long, value_enum, default_value_t)]
        manifest: Digest,
        /// The OVA
        file: PathBuf,
    },
    /// Take the disk out of an OVA
    Extract {
        #[command(flatten)]
        what: What,
        /// The OVA
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct What {
    /// Write the raw disk here, sparse
    #[arg(long)]
    disk: Option<PathBuf>,
    /// Write the VMDK here, as it is
    #[arg(long)]
    vmdk: Option<PathBuf>,
}

/// The manifest's digest, as the command line names it.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Digest {
    /// For ESXi 6.0 and later
    #[default]
    Sha1,
    /// For vSphere 6.5 and later
    Sha256,
}

impl From<Digest> for Algorithm {
    fn from(digest: Digest) -> Algorithm {
        match digest {
            Digest::Sha1 => Algorithm::Sha1,
            Digest::Sha256 => Algorithm::Sha256,
        }
    }
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Pack { disk, version, output, manifest } => {
            run_pack(&disk, &version, &output, manifest.into())
        }
        Command::Verify { manifest, file } => run_verify(&file, manifest.into()),
        Command::Extract { what, file } => run_extract(&what, &file),
    };
    result.unwrap_or_else(|error| {
        eprintln!("ova: {error}");
        ExitCode::from(2)
    })
}

fn run_pack(disk: &Path, version: &Version, output: &Path, manifest: Algorithm) -> Result<ExitCode, Error> {
    let packed = pack::pack(disk, version, output, manifest)?;
    let (bytes, grains, id) = (packed.bytes, packed.vmdk.grains, packed.vmdk.id);
    say(&format!("{}: {bytes} bytes, {grains} grains, content {id}", output.display()));
    say(&format!("{}: {}", packed.checksum.display(), packed.sha256));
    Ok(ExitCode::SUCCESS)
}

fn run_verify(file: &Path, manifest: Algorithm) -> Result<ExitCode, Error> {
    let findings = verify(&Ova::read(file)?, manifest);
    findings.iter().for_each(|finding| say(&finding.to_string()));
    let name = file.display();
    if passed(&findings) {
        say(&format!("{name}: passed, {} rules", findings.len()));
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{name}: FAILED, broken: {}", broken(&findings).join(" ")));
    Ok(ExitCode::FAILURE)
}

fn run_extract(what: &What, file: &Path) -> Result<ExitCode, Error> {
    if let Some(output) = &what.vmdk {
        say(&format!("{}: {} bytes", output.display(), extract::vmdk(file, output)?));
    }
    if let Some(output) = &what.disk {
        say(&format!("{}: {} bytes", output.display(), extract::disk(file, output)?));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a line. Whoever reads it may have gone (`ova verify FILE | head`): the exit code still counts.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
