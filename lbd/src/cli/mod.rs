//! The command line: the verbs of the API, over the socket on the same machine or over HTTPS with a token.

mod backup;
mod certificate;
mod check;
mod client;
mod config;
mod connections;
mod console;
mod factory_reset;
mod failure;
mod first_process;
mod guest_services;
mod licences;
mod log;
mod mail;
mod network;
mod outlived;
mod people;
mod persistence;
mod print;
mod probe;
mod report;
mod security;
mod server;
mod service;
mod settings;
mod snmp;
mod status;
mod support;
mod syslog;
mod time;
mod tool;
mod trust;
mod update;
mod way;

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use evenkeel_update::TRUSTED_KEY;
use hyper::Method;
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::audit::Audit;
use crate::begin::{self, Origin, Paths};
use crate::clock;
use crate::crash;
use crate::licences::FOLDER;
use crate::log::journal::Journal;
use crate::log::layer::IntoJournal;
use crate::privileges::{self, Account};
use crate::run;
use crate::store::Author;
use crate::sys;
use crate::update::INIT_SOCKET;
use crate::view::View;
use crate::web::users::UserFile;
use client::Call;
pub use failure::CommandError;
use print::{Common, Why, accepted};

/// The copy of the configuration in memory, beside the control socket: below /run on the appliance (`init/src/places.rs`).
const MEMORY_COPY: &str = "last-configuration";

const STATUS_EXAMPLES: &str = "Examples:
  lbd status
  lbd status --json
  lbd status --url https://192.168.10.10:9443 --token-file backup.token --fingerprint AB:CD:...   # from elsewhere";

const CHECK_EXAMPLES: &str = "Examples:
  lbd check-config my.toml            # asks no daemon, changes nothing; lbd config apply my.toml does";

const RUN_EXAMPLES: &str = "Examples:
  lbd run --initial-config my.toml --state-directory /var/lib/evenkeel
  lbd run --user lbd                  # started by root, it becomes this user";

const PASSWORD_EXAMPLES: &str = "Examples:
  echo 'a good long password' | lbd set-password";

const COMPLETION_EXAMPLES: &str = "Examples:
  lbd completions bash > /etc/bash_completion.d/lbd
  lbd completions fish > ~/.config/fish/completions/lbd.fish";

const EXIT_CODES: &str =
    "Exit code: 0 done; 1 refused or failed, with the reason; 2 the command is wrong; 3 lbd was not reached";

/// The load-balancer daemon of Evenkeel.
#[derive(Debug, Parser)]
#[command(name = "lbd", version, about, subcommand_required = true, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Balance: run the daemon in the foreground
    Run(Run),
    /// Show the state of all virtual services and their servers
    Status(Status),
    /// Check a configuration file and say everything that is wrong with it
    #[command(after_help = CHECK_EXAMPLES)]
    CheckConfig {
        /// The file, in TOML
        file: PathBuf,
    },
    /// Virtual services: list, show, add, edit, remove, enable, disable
    Service(service::Service),
    /// Real servers: list, add, edit, remove, drain, halt, online, weight
    Server(server::Server),
    /// Health checks: list, add, edit, remove
    Check(check::Check),
    /// The configuration as a whole: show, set, diff, history, back, confirm, revert, apply
    Config(config::Config),
    /// Write everything that makes this appliance into one file
    Backup(backup::Backup),
    /// The backups that the appliance kept by itself before updates
    Backups(backup::Backups),
    /// Show what a backup would change, and restore it
    Restore(backup::Restore),
    /// Write a file for whoever supports this appliance
    Support(support::Support),
    /// What crashed, and its last words
    Crashes(support::Crashes),
    /// Users: list, add, edit, remove
    User(people::User),
    /// API tokens: list, create, revoke
    Token(people::Token),
    /// Who did what, from where, the newest first
    Audit(people::Audit),
    /// What lbd, init and the kernel have to say
    Log(log::Log),
    /// How available services and servers were, and the course of figures: availability, history
    Report(report::Report),
    /// Syslog servers that get the log: list, add, edit, remove
    Syslog(syslog::Syslog),
    /// The SNMP agent and traps: status, community, passphrase, restart, test
    Snmp(snmp::Snmp),
    /// Who may manage the appliance: show, open, set
    Security(security::Security),
    /// Where the appliance's own services answer: show, set, restart
    Socket(security::Socket),
    /// The certificate of the WebUI: show, set, confirm, revert
    Certificate(certificate::Certificate),
    /// Alerts: test
    Alert(mail::Alert),
    /// Mail: queue, retry, drop, password
    Mail(mail::Mail),
    /// List the connections of clients, or those that have closed
    Connections(connections::Connections),
    /// Clients that are led to the same server again: list, clear
    Persistence(persistence::Persistence),
    /// Make a health check by hand and show each of its steps
    Probe(probe::Probe),
    /// Look for a fault in the network: ping, traceroute, connect, dicom-echo, dns, neighbours
    Tool(tool::ToolCommand),
    /// The interfaces: link, addresses, speed
    Network(network::Network),
    /// The clock: status, synchronise, set
    Time(time::Time),
    /// Software updates: status, install, restart, rollback
    Update(update::Update),
    /// What is shipped under which licence, the licence texts, and how to get the source code
    Licences(licences::Licences),
    /// Erase everything but the installed versions: the appliance begins anew
    FactoryReset(factory_reset::FactoryReset),
    /// Log-in, wizard and menu at this terminal, as on the appliance's console
    Console(console::Console),
    /// Serves vSphere: addresses, heartbeat, "Shut Down Guest"
    #[command(hide = true)]
    GuestServices(guest_services::GuestServices),
    /// Becomes the time daemon
    #[command(name = clock::daemon::SUBCOMMAND, hide = true)]
    TimeDaemon {
        /// Its configuration, which ntpd-rs reads
        #[arg(long)]
        config: PathBuf,
    },
    /// Sets the clock of the machine
    #[command(name = clock::setting::SUBCOMMAND, hide = true)]
    SetClock {
        /// For example 2026-11-26T13:00:00Z
        time: jiff::Timestamp,
    },
    /// Set the password of the WebUI; it is read from standard input, one line
    #[command(after_help = PASSWORD_EXAMPLES)]
    SetPassword {
        #[command(flatten)]
        state: StateDirectory,
        #[command(flatten)]
        user: User,
    },
    /// Print a script that completes commands in a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completions {
        /// bash: lbd completions bash > /etc/bash_completion.d/lbd;
        /// zsh: into a file _lbd in a folder of $fpath; fish: into ~/.config/fish/completions/lbd.fish
        shell: Shell,
    },
}

/// Those of hospitals' Linux machines, in each of which the completions are tried out.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl From<Shell> for clap_complete::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}

#[derive(Debug, Args)]
struct StateDirectory {
    /// Folder for everything that must survive a restart
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/lib/evenkeel")]
    state_directory: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
struct Run {
    #[command(flatten)]
    state: StateDirectory,
    /// Socket for the command line [default: lbd.sock in the state directory]
    #[arg(long, value_name = "SOCKET")]
    control_socket: Option<PathBuf>,
    /// Configuration to begin with when none is stored yet
    #[arg(long, value_name = "FILE")]
    initial_config: Option<PathBuf>,
    /// As the appliance: with nothing stored, begin with what the deployment passed or the factory defaults
    #[arg(long, conflicts_with = "initial_config")]
    appliance: bool,
    /// OVF environment document with what the deployment passed
    #[arg(long, value_name = "FILE", requires = "appliance")]
    ovf_environment: Option<PathBuf>,
    /// Partition for a copy of the configuration
    #[arg(long, value_name = "DEVICE")]
    rescue_device: Option<PathBuf>,
    /// Standard input is the kernel's log (/dev/kmsg), opened by who may
    #[arg(long)]
    kernel_log: bool,
    /// Folder of files with a sentence each that the status shows
    #[arg(long, value_name = "DIRECTORY")]
    notices: Option<PathBuf>,
    /// Folder in which init leaves accounts of crashes; they are kept below the state directory
    #[arg(long, value_name = "DIRECTORY")]
    crashes: Option<PathBuf>,
    /// Socket of the appliance's first process
    #[arg(long, value_name = "SOCKET", default_value = INIT_SOCKET, requires = "appliance")]
    init_socket: PathBuf,
    /// Public key of the updates that are taken
    #[arg(long, value_name = "FILE", default_value = TRUSTED_KEY, requires = "appliance")]
    update_key: PathBuf,
    /// Folder with the licences of what is shipped
    #[arg(long, value_name = "DIRECTORY", default_value = FOLDER)]
    licences: PathBuf,
    #[command(flatten)]
    user: User,
}

#[derive(Debug, Args)]
struct User {
    /// User, by name or number, that lbd becomes when root starts it, and that owns its files
    #[arg(long, default_value = "evenkeel")]
    user: String,
}

#[derive(Debug, Args)]
#[command(after_help = STATUS_EXAMPLES)]
struct Status {
    #[command(flatten)]
    common: Common,
}

/// Does what the command says. Errors are for the person who gave it.
pub fn carry_out(command: Command) -> Result<(), CommandError> {
    match command.verb {
        Verb::Run(run) => daemon(run)?,
        Verb::Status(status) => show_status(&status.common)?,
        Verb::CheckConfig { file } => {
            let config = begin::read_config(&file)?;
            println!("{} is valid: {} virtual services.", file.display(), config.services.len());
        }
        Verb::Service(service) => service::carry_out(&service)?,
        Verb::Server(server) => server::carry_out(&server)?,
        Verb::Check(check) => check::carry_out(&check)?,
        Verb::Config(config) => config::carry_out(&config)?,
        Verb::Backup(backup) => backup::back_up(&backup)?,
        Verb::Backups(backups) => backup::kept(&backups)?,
        Verb::Support(support) => support::support(&support)?,
        Verb::Crashes(crashes) => support::crashes(&crashes)?,
        Verb::Restore(restore) => backup::restore(&restore)?,
        Verb::User(user) => people::carry_out_user(&user)?,
        Verb::Token(token) => people::carry_out_token(&token)?,
        Verb::Audit(audit) => people::show_audit(&audit)?,
        Verb::Log(question) => log::show(&question)?,
        Verb::Report(report) => report::show(&report)?,
        Verb::Syslog(syslog) => syslog::carry_out(&syslog)?,
        Verb::Snmp(snmp) => snmp::carry_out(&snmp)?,
        Verb::Security(security) => security::carry_out(&security)?,
        Verb::Socket(socket) => security::carry_out_socket(&socket)?,
        Verb::Certificate(certificate) => certificate::carry_out(&certificate)?,
        Verb::Alert(alert) => mail::carry_out_alert(&alert)?,
        Verb::Mail(mail) => mail::carry_out_mail(&mail)?,
        Verb::Probe(probe) => probe::carry_out(probe)?,
        Verb::Tool(tool) => tool::carry_out(tool)?,
        Verb::Connections(question) => connections::show(&question)?,
        Verb::Persistence(persistence) => persistence::carry_out(&persistence)?,
        Verb::Network(network) => network::carry_out(&network)?,
        Verb::Time(time) => time::carry_out(&time)?,
        Verb::Update(update) => update::carry_out(&update)?,
        Verb::Licences(question) => licences::show(&question)?,
        Verb::FactoryReset(wish) => factory_reset::carry_out(&wish)?,
        Verb::Console(console) => console::carry_out(console)?,
        Verb::GuestServices(services) => guest_services::carry_out(services)?,
        // It reads its argument by itself.
        Verb::TimeDaemon { config: _ } => ntpd::daemon_main().map_err(|error| error.to_string())?,
        Verb::SetClock { time } => clock::setting::set_here(time)?,
        Verb::SetPassword { state, user } => set_password(&state.state_directory, &user.user)?,
        Verb::Completions { shell } => {
            clap_complete::generate(
                clap_complete::Shell::from(shell),
                &mut Command::command(),
                "lbd",
                &mut std::io::stdout(),
            );
        }
    }
    Ok(())
}

/// Levels of what the crate async-snmp has to say.
const SNMP_LOG: [&str; 2] = ["async_snmp=off", "async_snmp::agent=error"];

fn daemon(run: Run) -> Result<(), String> {
    let log_level = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::INFO.into())
        .from_env_lossy();
    // What anybody may send must not fill the log: it is counted.
    let log_level = SNMP_LOG
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(log_level, tracing_subscriber::EnvFilter::add_directive);
    let journal = Journal::new();
    tracing_subscriber::registry()
        .with(log_level)
        // init tells lines apart by their words; colours would stand before them.
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false))
        .with(IntoJournal(journal.clone()))
        .init();
    sys::give_memory_back();
    crash::hook::set();
    let origin = match (run.initial_config, run.appliance) {
        (Some(file), _) => {
            // Refused before anything else happens.
            begin::read_config(&file)?;
            Origin::File(file)
        }
        (None, true) => Origin::Appliance { ovf_environment: run.ovf_environment },
        (None, false) => Origin::None,
    };
    privileges::raise_file_limit();
    if privileges::is_root() {
        let account = Account::find(&run.user.user).map_err(|error| error.to_string())?;
        account.own_folder(&run.state.state_directory).map_err(|error| error.to_string())?;
        account.become_lbd(matches!(origin, Origin::Appliance { .. })).map_err(|error| error.to_string())?;
    }
    privileges::check().map_err(|error| error.to_string())?;
    let state_directory = run.state.state_directory;
    let control_socket = run.control_socket.unwrap_or_else(|| state_directory.join("lbd.sock"));
    let (notices, crashes) = (run.notices, run.crashes);
    let (rescue_device, kernel_log) = (run.rescue_device, run.kernel_log);
    let memory_copy = run.appliance.then(|| control_socket.with_file_name(MEMORY_COPY));
    let (init_socket, update_key, licences) = (run.init_socket, run.update_key, run.licences);
    let paths = Paths {
        state_directory,
        control_socket,
        notices,
        crashes,
        rescue_device,
        memory_copy,
        kernel_log,
        init_socket,
        update_key,
        licences,
        origin,
    };
    // Two workers at least: one can wait for a slow system call while the other keeps the checks on time. One for each
    // processor, as they move the bytes of proxied services.
    let workers = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting the runtime: {error}"))?;
    let ended = runtime.block_on(run::run(paths, journal.clone()));
    if let Err(why) = &ended {
        tracing::error!("lbd ends: {why}");
    }
    journal.finish();
    ended
}

fn show_status(common: &Common) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, "/api/v1/status").send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
    } else {
        let view: View = answer.read()?;
        print!("{}", status::text(&view, jiff::Timestamp::now()));
    }
    Ok(())
}

/// Changes an entry of the configuration as lbd has it now, and nothing that somebody else has changed meanwhile.
fn edit_entry(
    common: &Common,
    path: &str,
    why: &Why,
    edit: impl FnOnce(&mut Value) -> Result<(), String>,
) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, path).send(&common.way)?;
    let mut entry: Value = answer.read()?;
    edit(&mut entry)?;
    let call = Call::new(Method::PUT, why.at(path)).json(&entry).based_on(answer.tag);
    accepted(&call.send(&common.way)?, common.json)
}

fn set_password(state_directory: &Path, user: &str) -> Result<(), String> {
    if privileges::is_root() {
        if !state_directory.exists() {
            let account = Account::find(user).map_err(|error| error.to_string())?;
            account.own_folder(state_directory).map_err(|error| error.to_string())?;
        }
        let owner = Account::owner_of(state_directory).map_err(|error| error.to_string())?;
        owner.become_plain().map_err(|error| error.to_string())?;
    }
    UserFile::below(state_directory).set(&people::line_of_input()?)?;
    // lbd may not run, or not know anybody yet: whoever reaches its folder needs no password.
    let by = Author { user: "root".into(), from: "lbd set-password".into() };
    Audit::below(state_directory).change(&by, &["password of loadbalancer set".into()]);
    println!("The password of the user loadbalancer is set.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_contradict_nobody() {
        Command::command().debug_assert();
    }

    /// The words of a line of a shell, up to where the command ends; words in quotes hold no blanks here.
    fn command_of(line: &str) -> Option<Vec<&str>> {
        let (_, rest) = line.split_once("lbd ")?;
        let end = [" # ", " | ", " < ", " > "].iter().filter_map(|mark| rest.find(mark)).min();
        let own = rest[..end.unwrap_or(rest.len())].trim_end_matches('\\');
        Some(std::iter::once("lbd").chain(own.split_whitespace()).collect())
    }

    #[test]
    fn every_command_has_examples_and_each_is_understood() {
        let fingerprint = "00".repeat(32);
        for verb in Command::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (_, examples) =
                help.split_once("Examples:\n").unwrap_or_else(|| panic!("{} has none", verb.get_name()));
            let text = examples
                .replace("\\\n", "")
                .replace("AB:CD:...", &fingerprint)
                .replace("ticket 4711", "4711");
            let lines: Vec<_> = text.lines().take_while(|line| !line.is_empty()).collect();
            for line in lines {
                let words = command_of(line).unwrap_or_else(|| panic!("no command of lbd: {line}"));
                let parsed = Command::try_parse_from(&words);
                assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("refused"));
            }
        }
    }

    #[test]
    fn what_excludes_each_other_is_refused_and_options_stand_anywhere() {
        let parsed = |line: &str| Command::try_parse_from(line.split(' ')).is_ok();
        for right in [
            "lbd server drain POOL NODE1 --json",
            "lbd server --json drain POOL NODE1",
            "lbd server drain --everywhere 192.0.2.1",
            "lbd status --url https://192.0.2.1 --token-file t --fingerprint \
             0000000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert!(parsed(right), "{right}");
        }
        for wrong in [
            "lbd server drain POOL",
            "lbd server drain POOL NODE1 --everywhere 192.0.2.1",
            "lbd status --url https://192.0.2.1",
            "lbd status --token-file t",
            "lbd status --url https://192.0.2.1 --token-file t --control-socket s",
            "lbd status --url https://192.0.2.1 --token-file t --fingerprint AB",
            "lbd user add ann",
            "lbd user edit ann",
            "lbd user edit ann --role viewer --one-time",
        ] {
            assert!(!parsed(wrong), "{wrong}");
        }
    }
}
