//! The engine of SNMP version 3: its name, and how often it has started, which no crash may set back (RFC 3414 section 2.2):
//! a manager that has seen a higher number takes an older one for a forgery.

use std::convert::Infallible;
use std::path::Path;

use async_snmp::v3::{
    AuthoritativeEngine, DesSaltState, PersistedAuthoritativeEngine, PersistedDesSaltState,
};
use serde::{Deserialize, Serialize};

use crate::web::secret::{self, SecretFile};

/// RFC 3411 section 5: the enterprise number of the format's giver with the highest bit set (8072: net-snmp's, whose room for
/// experiments holds our objects too), then 5: octets that the giver chooses.
const ENGINE_ID_HEAD: [u8; 5] = [0x80, 0x00, 0x1f, 0x88, 5];
/// Random: nobody meets it twice.
const ENGINE_ID_TAIL: usize = 8;

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    engine_id: Vec<u8>,
    #[serde(default)]
    boots: u32,
}

/// The engine for as long as lbd runs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) engine: AuthoritativeEngine,
    /// For DES, whose salts begin with the number of boots.
    pub(super) salt: DesSaltState,
}

/// Starts the engine: its new number is on disk when this returns. Waits for the disk; the error is for people.
pub(super) fn start(state_directory: &Path) -> Result<Authority, String> {
    let file = SecretFile::below(state_directory, "snmp-engine.json");
    let stored: Stored =
        file.load().map_err(|error| format!("the name of the SNMP engine cannot be read: {error}"))?;
    let keep = move |state: &PersistedAuthoritativeEngine| {
        let new = Stored { engine_id: state.engine_id().to_vec(), boots: state.engine_boots() };
        file.update(|kept: &mut Stored| {
            *kept = new.clone();
            Ok(())
        })
    };
    let engine = match stored.boots {
        0 => AuthoritativeEngine::install(new_id()?, keep),
        boots => PersistedAuthoritativeEngine::new(stored.engine_id, boots)
            .and_then(|previous| AuthoritativeEngine::restart(previous, keep)),
    };
    let engine = engine.map_err(|error| error.to_string())?;
    // The engine's record is that of the salts too: it has just been written.
    let nothing = |_: &PersistedDesSaltState| Ok::<_, Infallible>(());
    let salt = match engine.engine_boots() {
        1 => DesSaltState::install(nothing),
        boots => PersistedDesSaltState::new(boots - 1)
            .and_then(|previous| DesSaltState::restart(previous, nothing)),
    };
    Ok(Authority { engine, salt: salt.map_err(|error| error.to_string())? })
}

fn new_id() -> Result<Vec<u8>, String> {
    let random = secret::random_bytes()?;
    Ok([&ENGINE_ID_HEAD[..], &random[..ENGINE_ID_TAIL]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_counts_and_the_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let starts: Vec<_> = (0..3).map(|_| start(folder.path()).unwrap()).collect();
        let boots: Vec<_> = starts.iter().map(|start| start.engine.engine_boots()).collect();
        assert_eq!(boots, [1, 2, 3]);
        assert!(starts.iter().all(|start| start.salt.engine_boots() == start.engine.engine_boots()));
        assert!(starts.iter().all(|start| start.engine.engine_id() == starts[0].engine.engine_id()));
        let other = tempfile::tempdir().unwrap();
        assert_ne!(start(other.path()).unwrap().engine.engine_id(), starts[0].engine.engine_id());
    }

    #[test]
    fn without_a_disk_there_is_no_engine() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secrets"), "in the way").unwrap();
        assert!(start(folder.path()).is_err());
    }
}
