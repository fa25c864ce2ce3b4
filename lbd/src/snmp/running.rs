//! An agent that runs: made of settings and secrets, ended with this value.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_snmp::agent::{Agent, AgentBuilder, SecurityModel, VacmBuilder};
use async_snmp::{AuthProtocol, Oid, PrivProtocol, SecurityLevel};
use tokio::task::JoinHandle;

use super::boots::Authority;
use super::front::{Doorkeeper, Front};
use super::library::Library;
use super::secret::{Passphrases, Secrets};
use super::shares::Shares;
use crate::config::Snmp as Settings;
use crate::config::snmp::{Authentication, Privacy, SnmpUser, SnmpVersion};
use crate::view::SnmpCounters;

/// Questions that are answered at the same time; further ones wait in the socket.
const MOST_AT_ONCE: usize = 32;
/// The kernel's queue of questions, in bytes: some hundreds.
const QUEUE: usize = 256 * 1024;
/// For an answer; managers ask again after a second or more.
const PATIENCE: Duration = Duration::from_secs(5);
/// Everything there is below `internet`.
const ALL: &[u32] = &[1, 3, 6, 1];

/// What is to run.
pub(super) struct Orders<'a> {
    pub(super) place: SocketAddr,
    pub(super) settings: &'a Settings,
    pub(super) secrets: &'a Secrets,
}

/// What runs.
pub(super) struct Running {
    agent: Agent,
    task: JoinHandle<()>,
    _front: Front,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// The error is for people.
    pub(super) async fn start(
        orders: &Orders<'_>,
        authority: Option<Authority>,
        shares: &Shares,
    ) -> Result<Self, String> {
        let builder = builder(orders, authority, shares)?;
        let agent = builder.build().await.map_err(|error| error.to_string())?;
        let doorkeeper = Doorkeeper {
            versions: orders.settings.versions.clone(),
            community: orders.secrets.community.clone(),
            tally: shares.tally.clone(),
        };
        let front = Front::open(orders.place, agent.local_addr(), doorkeeper).await;
        let front = front.map_err(|error| format!("cannot listen on {}: {error}", orders.place))?;
        let serving = agent.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = serving.run().await {
                tracing::warn!(%error, "the SNMP agent has ended; it starts again by itself");
            }
        });
        Ok(Self { agent, task, _front: front })
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.task.is_finished()
    }

    /// What it has counted so far.
    pub(super) fn counters(&self) -> SnmpCounters {
        let agent = &self.agent;
        SnmpCounters {
            unknown_user: agent.usm_unknown_usernames().into(),
            wrong_proof: agent.usm_wrong_digests().into(),
            undecipherable: agent.usm_decryption_errors().into(),
            unprotected: agent.usm_unsupported_sec_levels().into(),
            outside_time_window: agent.usm_not_in_time_windows().into(),
            unknown_engine: agent.usm_unknown_engine_ids().into(),
            dropped: agent.snmp_silent_drops().into(),
            ..SnmpCounters::default()
        }
    }

    /// Ends it; returns what it has counted.
    pub(super) fn end(self) -> SnmpCounters {
        self.counters()
    }
}

fn builder(
    Orders { settings, secrets, .. }: &Orders<'_>,
    authority: Option<Authority>,
    shares: &Shares,
) -> Result<AgentBuilder, String> {
    let library = Library::new(shares.clone(), &settings.location, &settings.contact);
    let mut builder = Agent::builder()
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string())
        .max_concurrent_requests(Some(MOST_AT_ONCE))
        .recv_buffer_size(Some(QUEUE))
        .request_deadline(Some(PATIENCE))
        .handler(Oid::from_slice(ALL), Arc::new(library));
    let mut access = VacmBuilder::new().view("all", |view| view.include(Oid::from_slice(ALL)));
    if let Some(community) = &secrets.community {
        builder = builder.community(community.as_bytes());
        for (version, model) in [(SnmpVersion::V1, SecurityModel::V1), (SnmpVersion::V2c, SecurityModel::V2c)]
        {
            if settings.versions.contains(&version) {
                access = access.group(community.clone(), model, "community");
            }
        }
    }
    for model in [SecurityModel::V1, SecurityModel::V2c] {
        access =
            access.access("community", model, SecurityLevel::NoAuthNoPriv, |entry| entry.read_view("all"));
    }
    let authority = authority.filter(|_| settings.versions.contains(&SnmpVersion::V3));
    if let Some(Authority { engine, salt }) = authority {
        builder = builder.authoritative_engine(engine).des_salt_state(salt);
        for user in &settings.users {
            let known = secrets.users.get(user.name.as_str());
            let Some(keys) = known.and_then(|known| keys(user, known)) else { continue };
            builder = with_user(builder, user, &keys)?;
            access = access.group(user.name.as_str().to_owned(), SecurityModel::Usm, group(user));
        }
    }
    for (group, level) in [("proved", SecurityLevel::AuthNoPriv), ("encrypted", SecurityLevel::AuthPriv)] {
        access = access.access(group, SecurityModel::Usm, level, |entry| entry.read_view("all"));
    }
    Ok(builder.vacm(|_| access))
}

/// Who has a passphrase for encryption must encrypt.
fn group(user: &SnmpUser) -> &'static str {
    if user.privacy.is_some() { "encrypted" } else { "proved" }
}

/// Passphrases of a user; the second where messages are encrypted.
pub(super) type Keys<'a> = (&'a str, Option<(PrivProtocol, &'a str)>);

pub(super) fn keys<'a>(user: &SnmpUser, known: &'a Passphrases) -> Option<Keys<'a>> {
    let authentication = known.authentication.as_deref()?;
    let privacy = match user.privacy {
        Some(privacy) => Some((encryption(privacy), known.privacy.as_deref()?)),
        None => None,
    };
    Some((authentication, privacy))
}

fn with_user(
    builder: AgentBuilder,
    user: &SnmpUser,
    (authentication, privacy): &Keys<'_>,
) -> Result<AgentBuilder, String> {
    let proof = proof(user.authentication);
    let with = builder.usm_user(user.name.as_str().to_owned(), |new| match privacy {
        Some((encryption, passphrase)) => new.auth_priv(proof, authentication, *encryption, passphrase),
        None => new.auth(proof, authentication),
    });
    with.map_err(|error| format!("the passphrases of {} cannot be used: {error}", user.name.as_str()))
}

pub(super) fn proof(authentication: Authentication) -> AuthProtocol {
    match authentication {
        Authentication::Md5 => AuthProtocol::Md5,
        Authentication::Sha1 => AuthProtocol::Sha1,
        Authentication::Sha224 => AuthProtocol::Sha224,
        Authentication::Sha256 => AuthProtocol::Sha256,
        Authentication::Sha384 => AuthProtocol::Sha384,
        Authentication::Sha512 => AuthProtocol::Sha512,
    }
}

pub(super) fn encryption(privacy: Privacy) -> PrivProtocol {
    match privacy {
        Privacy::Des => PrivProtocol::Des,
        Privacy::Aes128 => PrivProtocol::Aes128,
        Privacy::Aes192 => PrivProtocol::Aes192Blumenthal,
        Privacy::Aes256 => PrivProtocol::Aes256Blumenthal,
        Privacy::Aes192Cisco => PrivProtocol::Aes192Reeder,
        Privacy::Aes256Cisco => PrivProtocol::Aes256Reeder,
    }
}
