//! `image lock`, `image fetch`, `image build`, `image key`, `image update`: see `image --help`.

use clap::{Args, Parser, Subcommand};
use evenkeel_image::build::{self, CMDLINE, Inputs};
use evenkeel_image::cache::{self, Places};
use evenkeel_image::update;
use evenkeel_image::version::Version;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// Builds the appliance's operating system image. Needs no root.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    places: PlaceArguments,
}

#[derive(Args)]
struct PlaceArguments {
    /// The lock file.
    #[arg(long, global = true, default_value = "packages.lock")]
    lock: PathBuf,
    /// The folder of downloaded packages.
    #[arg(long, global = true, default_value = "target/packages")]
    packages: PathBuf,
    /// The folder of the private apt root.
    #[arg(long, global = true, default_value = "target/apt")]
    apt: PathBuf,
    /// A Debian mirror, instead of the one that this machine's apt uses.
    #[arg(long, global = true)]
    mirror: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Writes packages.lock with the versions that Debian has today.
    Lock,
    /// Downloads the locked packages that are not there yet.
    Fetch,
    /// Builds the image from the locked packages (fetching them first if need be).
    Build(BuildArguments),
    /// Makes a key pair of minisign's without a passphrase, NAME.key and NAME.pub, unless it is there.
    Key {
        /// NAME.key
        key: PathBuf,
    },
    /// Packs and signs the update archive, NAME.update and NAME.update.sha256, and the index by which a server offers it,
    /// NAME.index.json and NAME.index.json.minisig.
    Update(UpdateArguments),
}

#[derive(Args)]
struct UpdateArguments {
    /// The disk file that `build` wrote, NAME.raw; the archive takes what is beside it.
    #[arg(long)]
    image: PathBuf,
    /// The image's version.
    #[arg(long = "version")]
    image_version: Version,
    /// The oldest version that can be updated to this one.
    #[arg(long)]
    minimum_version: Version,
    /// The file whose first section tells what is new.
    #[arg(long, default_value = "CHANGELOG.md")]
    notes: PathBuf,
    /// The secret key of minisign's that signs; a passphrase is read from EVENKEEL_KEY_PASSPHRASE.
    #[arg(long)]
    key: PathBuf,
    /// It is no release.
    #[arg(long)]
    development: bool,
}

#[derive(Args)]
struct BuildArguments {
    /// The static program that becomes /init.
    #[arg(long)]
    init: PathBuf,
    /// The static program that becomes /bin/lbd.
    #[arg(long)]
    lbd: PathBuf,
    /// The image's version.
    #[arg(long = "version")]
    image_version: Version,
    /// The disk file, NAME.raw; NAME.efi, NAME.sbom.json and NAME.files.txt appear beside it.
    #[arg(long)]
    output: PathBuf,
    /// The kernel command line.
    #[arg(long, default_value = CMDLINE)]
    cmdline: String,
    /// The workspace's Cargo.lock.
    #[arg(long, default_value = "Cargo.lock")]
    cargo_lock: PathBuf,
    /// The public key of minisign's whose updates the image takes.
    #[arg(long)]
    trusted_key: PathBuf,
    /// It is no release.
    #[arg(long)]
    development: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let PlaceArguments { lock, packages, apt, mirror } = arguments.places;
    let places = Places { lock, packages, apt, mirror };
    match arguments.action {
        Action::Lock => renew(&places),
        Action::Fetch => fetch(&places),
        Action::Build(build) => {
            fetch(&places)?;
            Ok(build::run(&inputs(build, places), &mut |line| println!("{line}"))?)
        }
        Action::Key { key } => Ok(update::make_key(&key)?),
        Action::Update(arguments) => pack(arguments),
    }
}

fn pack(arguments: UpdateArguments) -> Result<(), Box<dyn Error>> {
    let UpdateArguments { image, image_version, minimum_version, notes, key, development } = arguments;
    let inputs = update::Inputs {
        image,
        version: image_version,
        minimum_version,
        notes,
        key,
        passphrase: std::env::var("EVENKEEL_KEY_PASSPHRASE").ok(),
        is_development: development,
    };
    println!("wrote     {}", update::pack(&inputs)?.display());
    Ok(())
}

fn renew(places: &Places) -> Result<(), Box<dyn Error>> {
    let lock = cache::renew(places)?;
    for locked in lock.iter() {
        println!("locked    {} {}", locked.name, locked.version);
    }
    println!("wrote     {}; test, then commit it", places.lock.display());
    Ok(())
}

fn fetch(places: &Places) -> Result<(), Box<dyn Error>> {
    let lock = cache::read_lock(places)?;
    let fetched = cache::fetch(&lock, places)?;
    println!("fetch     {} packages, {fetched} of them downloaded now", lock.iter().count());
    Ok(())
}

fn inputs(build: BuildArguments, places: Places) -> Inputs {
    Inputs {
        init: build.init,
        lbd: build.lbd,
        version: build.image_version,
        cmdline: build.cmdline,
        cargo_lock: build.cargo_lock,
        trusted_key: build.trusted_key,
        is_development: build.development,
        output: build.output,
        places,
    }
}
