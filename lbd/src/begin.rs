//! The beginning: which configuration is in force, where it comes from, and what the kernel has already.
//!
//! In this order: the newest version of the store; the copy on the rescue partition; what the deployment passed
//! (OVF environment) or a file given on the command line; the factory defaults. All but the first are stored, so
//! that they count once.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::config::{Config, Document, Format, VirtualService, validate};
use crate::engine::Start;
use crate::network::netlink::Netlink;
use crate::store::{Author, Stamp, Standing};
use crate::traffic::nft;
use crate::vault::{Copied, Vault};
use crate::zero_touch::{self, GivenPassword, Settings};

/// Where lbd keeps its things, and what it was given to begin with.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    /// Everything that must survive a restart.
    pub state_directory: PathBuf,
    /// Socket of the local command line.
    pub control_socket: PathBuf,
    /// Folder in which init leaves word for people.
    pub notices: Option<PathBuf>,
    /// Folder in which init leaves accounts of crashes.
    pub crashes: Option<PathBuf>,
    /// Partition for a copy of the configuration.
    pub rescue_device: Option<PathBuf>,
    /// File in memory for another one.
    pub memory_copy: Option<PathBuf>,
    /// Standard input is the kernel's log.
    pub kernel_log: bool,
    /// On the appliance, init's control socket.
    pub init_socket: PathBuf,
    /// The public key of updates.
    pub update_key: PathBuf,
    /// Folder of the licences of what is shipped; it need not be there.
    pub licences: PathBuf,
    /// Used when nothing is stored yet.
    pub origin: Origin,
}

/// What to begin with when nothing is stored yet.
#[derive(Debug, Clone, Default)]
pub enum Origin {
    /// Nothing: say so and end.
    #[default]
    None,
    /// This configuration file.
    File(PathBuf),
    /// As an appliance: what the deployment passed, else the factory defaults.
    Appliance {
        /// The OVF environment document, if there is one.
        ovf_environment: Option<PathBuf>,
    },
}

/// Far more than any environment document has.
const LARGEST_ENVIRONMENT: u64 = 1 << 20;

/// Reads everything that the engine starts from.
pub async fn start(paths: &Paths, vault: &Vault, netlink: &Netlink) -> Result<Start, String> {
    let mut problems = Vec::new();
    let (version, config) = configuration(paths, vault, &mut problems)?;
    if let Err(why) = vault.mirror() {
        problems.push(format!("There is no rescue copy of the configuration: {why}."));
    }
    let destinations = destinations(&config);
    // Together: each waits for the kernel, and traffic that lbd answers itself waits for all of them.
    let (listing, fast_path, topology) =
        tokio::join!(nft::list(), nft::fast_path_error(), netlink.topology(&destinations));
    Ok(Start {
        version,
        listing: listing.map_err(|error| format!("reading the kernel's rules: {error}"))?,
        topology: topology.map_err(|error| error.to_string())?,
        fast_path_missing: fast_path.map(|error| error.to_string()),
        problems,
        host_name: host_name(),
        config,
    })
}

/// The configuration in force and its stored version, 0 where it could not be stored.
fn configuration(paths: &Paths, vault: &Vault, problems: &mut Vec<String>) -> Result<(u64, Config), String> {
    let loaded = vault.load().map_err(|error| error.to_string())?;
    problems.extend(loaded.problems);
    if let Some(newest) = loaded.newest {
        return Ok(newest);
    }
    let config = match rescued(vault, problems) {
        Some(config) => config,
        None => first(paths, vault, problems)?,
    };
    // It balances all the same.
    let stamp = Stamp { time: Timestamp::now(), by: Author::lbd(), comment: "the first one".into() };
    let saved = vault.save(&config.document, &stamp, Standing::Accepted);
    let version = saved.unwrap_or_else(|error| {
        problems.push(format!("The configuration is not stored: {error}."));
        0
    });
    Ok((version, config))
}

fn rescued(vault: &Vault, problems: &mut Vec<String>) -> Option<Config> {
    let (config, saved, copied) = match vault.rescued() {
        Ok(found) => found?,
        Err(why) => {
            problems.push(format!("The rescue partition is of no use: {why}."));
            return None;
        }
    };
    problems.push(
        match copied {
            Copied::OnRescuePartition => {
                "The data disk held no configuration: the last one was taken from the rescue partition. Earlier \
                 versions, logs and certificates are gone; compare the configuration with a backup."
            }
            Copied::InMemory => {
                "The data disk has failed: lbd runs with the configuration and the password that it had, from memory. Other \
                 users, certificates, logs and the passwords of mail and SNMP are out of reach. What is changed now is lost \
                 when the appliance restarts. Look at the datastore of the virtual machine, then restart the appliance."
            }
        }
        .into(),
    );
    if let Some(Err(why)) = saved.password().map(|password| vault.passwords().restore(&password)) {
        problems.push(format!("The password could not be restored: {why}."));
    }
    Some(config)
}

fn first(paths: &Paths, vault: &Vault, problems: &mut Vec<String>) -> Result<Config, String> {
    match &paths.origin {
        Origin::File(file) => read_config(file),
        Origin::Appliance { ovf_environment } => {
            let settings = ovf_environment.as_deref().map(|file| read_environment(file, problems));
            appliance(settings.unwrap_or_default(), vault, problems)
        }
        Origin::None => Err(format!(
            "there is no configuration in {}; give one with --initial-config FILE",
            paths.state_directory.display()
        )),
    }
}

/// What is wrong with the passed settings is told, and the rest is used: nobody may stand at the console.
fn read_environment(file: &Path, problems: &mut Vec<String>) -> Settings {
    let unusable = |why: String| format!("The settings passed by the deployment are of no use: {why}.");
    let size = std::fs::metadata(file).map(|metadata| metadata.len());
    let xml = match size {
        Ok(size) if size > LARGEST_ENVIRONMENT => Err(format!("{size} bytes are too many")),
        Ok(_) => std::fs::read(file).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let parsed = xml.and_then(|xml| {
        zero_touch::parse(&xml)
            .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())
    });
    parsed.unwrap_or_else(|why| {
        problems.push(unusable(why));
        Settings::default()
    })
}

fn appliance(settings: Settings, vault: &Vault, problems: &mut Vec<String>) -> Result<Config, String> {
    for problem in &settings.problems {
        problems.push(format!("A setting passed by the deployment is not used: {problem}."));
    }
    for note in &settings.notes {
        tracing::info!("{note}");
    }
    let set = match &settings.password {
        Some(GivenPassword::Hash(hash)) => vault.passwords().set_hash(hash),
        Some(GivenPassword::OneTime(password)) => vault.passwords().set_one_time(password),
        None => Ok(()),
    };
    if let Err(why) = set {
        problems.push(format!("The password passed by the deployment is not set: {why}."));
    }
    validate(zero_touch::initial_document(&settings)).map_err(|problems| lines(&problems))
}

/// Addresses of all servers, those that only serve when no other does included.
pub fn destinations(config: &Config) -> BTreeSet<IpAddr> {
    config.services.iter().flat_map(VirtualService::destinations).collect()
}

/// Reads a configuration file; the error lists every problem, one a line.
pub fn read_config(file: &Path) -> Result<Config, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}; give a file that you may read", file.display()))?;
    Document::parse(&text, Format::Toml).and_then(validate).map_err(|problems| lines(&problems))
}

fn lines(problems: &[crate::config::Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty() && name != "(none)").unwrap_or_else(|| "lbmaster".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../examples/datalink.toml");
    /// Large enough for two slots.
    const RESCUE_SIZE: u64 = 1 << 20;

    struct Machine {
        folder: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let rescue = std::fs::File::create(folder.path().join("rescue")).unwrap();
            rescue.set_len(RESCUE_SIZE).unwrap();
            std::fs::write(folder.path().join("first.toml"), EXAMPLE).unwrap();
            Self { folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn boot(&self, origin: Origin) -> (Vault, u64, Config, Vec<String>) {
            let state_directory = self.path("data");
            std::fs::create_dir_all(&state_directory).unwrap();
            let (vault, mut problems) =
                Vault::open(&state_directory, Some(&self.path("rescue")), Some(&self.path("memory")))
                    .unwrap();
            let paths = Paths { state_directory, origin, ..Paths::default() };
            let (version, config) = configuration(&paths, &vault, &mut problems).unwrap();
            vault.mirror().unwrap();
            (vault, version, config, problems)
        }

        fn wipe_data(&self) {
            std::fs::remove_dir_all(self.path("data")).unwrap();
        }

        fn forget_memory(&self) {
            std::fs::remove_file(self.path("memory")).unwrap();
        }
    }

    #[test]
    fn a_file_counts_once_and_the_store_from_then_on() {
        let machine = Machine::new();
        let (vault, version, config, problems) = machine.boot(Origin::File(machine.path("first.toml")));
        assert_eq!((version, problems.len()), (1, 0));
        let mut document = (*config.document).clone();
        document.management.https_port = Some(9444);
        let stamp = Stamp { time: Timestamp::now(), by: Author::lbd(), comment: String::new() };
        vault.save(&document, &stamp, Standing::Accepted).unwrap();
        drop(vault);
        let (_, version, config, _) = machine.boot(Origin::File(machine.path("first.toml")));
        assert_eq!((version, config.management.https_port), (2, 9444));
    }

    #[test]
    fn a_wiped_disk_is_survived_with_configuration_and_password() {
        let machine = Machine::new();
        let (vault, ..) = machine.boot(Origin::File(machine.path("first.toml")));
        vault.passwords().set("correct horse").unwrap();
        vault.mirror().unwrap();
        let stored = vault.passwords().stored().unwrap();
        drop(vault);
        machine.wipe_data();
        machine.forget_memory();
        let (vault, version, config, problems) = machine.boot(Origin::None);
        assert_eq!((version, config.services.len()), (1, 3));
        assert!(problems[0].contains("rescue partition"), "{problems:?}");
        assert_eq!(vault.passwords().stored().unwrap(), stored);
        std::fs::remove_file(machine.path("data/secrets/users.json")).unwrap();
        vault.mirror().unwrap();
        let (_, saved, _) = vault.rescued().unwrap().unwrap();
        assert_eq!(saved.password(), stored, "the copy does not forget what the disk lost");
    }

    #[test]
    fn a_disk_that_dies_whole_is_survived_from_memory_which_has_the_last_change() {
        let machine = Machine::new();
        let (vault, _, config, _) = machine.boot(Origin::File(machine.path("first.toml")));
        vault.passwords().set("correct horse").unwrap();
        let stored = vault.passwords().stored().unwrap();
        // The rescue partition takes nothing any more.
        std::fs::copy(machine.path("rescue"), machine.path("rescue of before")).unwrap();
        let mut document = (*config.document).clone();
        document.management.https_port = Some(9444);
        let stamp = Stamp { time: Timestamp::now(), by: Author::lbd(), comment: String::new() };
        vault.save(&document, &stamp, Standing::Accepted).unwrap();
        vault.mirror().unwrap();
        drop(vault);
        std::fs::rename(machine.path("rescue of before"), machine.path("rescue")).unwrap();
        machine.wipe_data();
        let (vault, _, config, problems) = machine.boot(Origin::Appliance { ovf_environment: None });
        assert_eq!(config.management.https_port, 9444);
        assert_eq!(vault.passwords().stored().unwrap(), stored);
        assert!(problems[0].contains("from memory"), "{problems:?}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(machine.path("memory")).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "it holds the password's hash");
    }

    #[test]
    fn a_second_lbd_is_refused() {
        let machine = Machine::new();
        let (_first, ..) = machine.boot(Origin::File(machine.path("first.toml")));
        let second = Vault::open(&machine.path("data"), None, None);
        assert!(second.unwrap_err().contains("another lbd runs"));
    }

    #[test]
    fn an_appliance_begins_with_what_it_was_passed_or_its_factory_defaults() {
        let machine = Machine::new();
        let environment = machine.path("ovf-env.xml");
        let xml = r#"<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
            xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>
            <Property oe:key="hostname" oe:value="lb1"/><Property oe:key="ip_address" oe:value="10.0.0.5/24"/>
            <Property oe:key="one_time_password" oe:value="change-me-soon"/>
            <Property oe:key="gateway" oe:value="nowhere"/></PropertySection></Environment>"#;
        std::fs::write(&environment, xml).unwrap();
        let origin = Origin::Appliance { ovf_environment: Some(environment) };
        let (vault, version, config, problems) = machine.boot(origin);
        assert_eq!((version, config.management.address.to_string().as_str()), (1, "10.0.0.5"));
        assert!(vault.passwords().stored().unwrap().unwrap().must_change);
        assert!(problems.iter().any(|problem| problem.contains("gateway")), "{problems:?}");

        let other = Machine::new();
        let (vault, _, config, problems) = other.boot(Origin::Appliance { ovf_environment: None });
        assert_eq!(config.management.address.to_string(), "192.168.2.21");
        assert_eq!(vault.passwords().stored().unwrap(), None, "no default password");
        assert!(problems.is_empty());
    }
}
