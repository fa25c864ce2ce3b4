//! Runs `nft`: the only way to the kernel's packet filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Seek, Write};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::listing::Listing;
use super::table::{FAMILY, MAPS, NAME, NUMBERING, STICKY6_PREFIX, TABLE};
use crate::sys;

/// Far above the second that the largest table takes; a kernel that needs longer is in trouble.
const TIMEOUT: Duration = Duration::from_secs(20);
/// A listing of 2,000 services of 10 servers has about 10 MB.
const LARGEST_ANSWER: u64 = 64 << 20;
/// An error text is for people.
const LONGEST_COMPLAINT: usize = 500;
/// Debian's place, which is not on every user's search path.
const SEARCH_PATH: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// Why `nft` did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NftError {
    /// The program could not be started or spoken to.
    Run(String),
    /// It did not end in time.
    Timeout,
    /// The kernel, or nft itself, refused.
    Refused(String),
    /// Its answer could not be read.
    Answer(String),
}

impl fmt::Display for NftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(why) => write!(f, "cannot run nft: {why}; install nftables 1.0.6 or later"),
            Self::Timeout => write!(f, "nft did not end within {} s", TIMEOUT.as_secs()),
            Self::Refused(why) => write!(f, "nft says: {why}"),
            Self::Answer(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NftError {}

/// Carries out `script` as one transaction: all of it or nothing.
pub async fn apply(script: &str) -> Result<(), NftError> {
    run(&["-f", "-"], script).await.map(|_| ())
}

/// The kernel's table, without the elements of the persistence map; empty where there is none.
pub async fn list() -> Result<Listing, NftError> {
    let mut listing = Listing::default();
    let outline = match run(&["-j", "-t", "list", "table", FAMILY, NAME], "").await {
        Err(NftError::Refused(why)) if why.contains("No such file or directory") => return Ok(listing),
        other => other?,
    };
    listing.read(&outline).map_err(NftError::Answer)?;
    // One call for all: most of a call is its start, and every start of lbd waits for it. Only its interactive mode takes
    // several lists a call. "list maps" would give the kernel's own too.
    let maps = listed_maps().filter(|name| listing.maps.contains_key(*name));
    let mut lists: Vec<_> = maps.map(|name| format!("list map {TABLE} {name}\n")).collect();
    lists.push(format!("list sets table {TABLE}\n"));
    let answer = run(&["-j", "-i"], &lists.concat()).await?;
    match listing.read(&answer).map_err(NftError::Answer)? {
        answers if answers == lists.len() => Ok(listing),
        answers => {
            Err(NftError::Answer(format!("nft gave {answers} of the {} lists of table {TABLE}", lists.len())))
        }
    }
}

/// Names of the maps whose elements lbd writes, which leaves out the kernel's own.
fn listed_maps() -> impl Iterator<Item = &'static str> {
    MAPS.iter().filter(|map| map.written_by_us && map.keyword == "map").map(|map| map.name)
}

/// Every rule of the kernel, as people read it, without the elements of its maps.
pub async fn outline() -> Result<Vec<u8>, NftError> {
    run(&["-t", "list", "ruleset"], "").await
}

/// Packets of every counter, by name.
pub async fn counters() -> Result<BTreeMap<String, u64>, NftError> {
    let mut listing = Listing::default();
    let answer = run(&["-j", "list", "set", FAMILY, NAME, NUMBERING], "").await?;
    listing.read(&answer).map_err(NftError::Answer)?;
    Ok(listing.counters)
}

/// Takes an element, written as nft writes it, out of a map; false where it was not there.
pub async fn delete_element(map: &str, key: &str) -> Result<bool, NftError> {
    match apply(&format!("delete element {TABLE} {map} {{ {key} }}\n")).await {
        Ok(()) => Ok(true),
        Err(NftError::Refused(why)) if why.contains("No such file or directory") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Asks the kernel whether each of these persistence maps has room for one more client; nothing is changed.
pub async fn has_room(maps: &BTreeSet<String>) -> Result<bool, NftError> {
    // Nobody has the number of the service, nor the address.
    let client = |map: &String| if map.starts_with(STICKY6_PREFIX) { "::" } else { "0x0fff0000 . 0.0.0.0" };
    let line = |map| format!("add element {TABLE} {map} {{ {} timeout 1s : 0x0fffffff }}\n", client(map));
    match run(&["--check", "-f", "-"], &maps.iter().map(line).collect::<String>()).await {
        Ok(_) => Ok(true),
        // ENFILE.
        Err(NftError::Refused(why)) if why.contains("Too many open files in system") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Asks the kernel whether it would take a flowtable; nothing is changed.
pub async fn fast_path_error() -> Option<NftError> {
    const PROBE: &str = "add table inet evenkeel_probe\n\
        add flowtable inet evenkeel_probe fast { hook ingress priority 0; devices = { \"lo\" }; counter; }\n";
    run(&["--check", "-f", "-"], PROBE).await.err()
}

/// Neither nft nor its script is ever cut in two: the script is whole before nft starts, and nft ends when lbd
/// does, so that it either has sent the one message of the transaction or never will.
async fn run(arguments: &[&str], script: &str) -> Result<Vec<u8>, NftError> {
    let failed = |error: std::io::Error| NftError::Run(error.to_string());
    let mut command = Command::new("nft");
    command
        .args(arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        // In its interactive mode it would keep a history.
        .env("HOME", "/dev/null")
        .stdin(whole_file(script).map_err(failed)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    sys::die_with_us(&mut command);
    let child = command.spawn().map_err(failed)?;
    match tokio::time::timeout(TIMEOUT, listen(child)).await {
        Ok(answer) => answer,
        Err(_) => Err(NftError::Timeout),
    }
}

/// A file in memory, at its beginning.
fn whole_file(text: &str) -> std::io::Result<std::fs::File> {
    let memory = nix::sys::memfd::memfd_create(c"nft", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(memory);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

async fn listen(mut child: Child) -> Result<Vec<u8>, NftError> {
    let failed = |error: std::io::Error| NftError::Run(error.to_string());
    let missing = || NftError::Run("a pipe is missing".into());
    let mut stdout = child.stdout.take().ok_or_else(missing)?.take(LARGEST_ANSWER);
    let mut stderr = child.stderr.take().ok_or_else(missing)?.take(LARGEST_ANSWER);
    let (mut answer, mut complaint) = (Vec::new(), Vec::new());
    let (out, err) = tokio::join!(stdout.read_to_end(&mut answer), stderr.read_to_end(&mut complaint));
    out.map_err(failed)?;
    err.map_err(failed)?;
    let status = child.wait().await.map_err(failed)?;
    // Interactive, it goes on after an error and ends well.
    match status.success() && !String::from_utf8_lossy(&complaint).contains("Error: ") {
        true => Ok(answer),
        false => Err(NftError::Refused(readable(&complaint))),
    }
}

/// nft repeats the script with markers below each error; only what it says of the errors is for people.
fn readable(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let errors: Vec<_> =
        text.lines().filter_map(|line| line.split_once("Error: ")).map(|(_, why)| why).collect();
    let text = if errors.is_empty() { text.trim().to_owned() } else { errors.join("; ") };
    text.chars().filter(|c| !c.is_control()).take(LONGEST_COMPLAINT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_set_is_filled_by_the_kernel_so_that_all_may_be_listed_at_once() {
        let learned = MAPS.iter().filter(|map| !map.written_by_us);
        assert!(learned.clone().count() > 0 && learned.clone().all(|map| map.keyword == "map"));
    }

    #[test]
    fn what_nft_says_is_shortened_to_its_errors() {
        let said =
            b"/dev/stdin:2:1-8: Error: Could not process rule: No such file or directory\nadd x y\n^^^\n";
        assert_eq!(readable(said), "Could not process rule: No such file or directory");
        assert_eq!(readable(b"nft: not found\n"), "nft: not found");
    }
}
