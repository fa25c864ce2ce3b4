//! TLS towards a server: the handshake, and what is thought of the certificate.
//!
//! rustls speaks; [`judge`] decides about the certificate, [`fault`] says in words what went wrong.

pub mod fault;

mod judge;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::attempt::Attempt;
use super::certificate;
use super::failure::{Failure, Step};
use super::tcp::close_in_order;
use crate::config::check_kind::{Tls, Verify};
pub use fault::TlsFault;
use fault::day;
use judge::Judge;

/// Completes a handshake and closes again.
pub(super) async fn probe(tls: &Tls, attempt: &mut Attempt) -> Result<Duration, Failure> {
    let stream = attempt.connect().await?;
    let stream = handshake(stream, tls, attempt).await?;
    let took = attempt.elapsed();
    attempt.farewell(close_in_order(stream)).await;
    attempt.note(|| "closed");
    Ok(took)
}

/// Speaks TLS over `stream` from here on.
pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    tls: &Tls,
    attempt: &mut Attempt,
) -> Result<TlsStream<S>, Failure> {
    let address = attempt.target().ip();
    let name = match &tls.server_name {
        Some(name) => ServerName::try_from(name.to_string()).unwrap_or(ServerName::from(address)),
        None => ServerName::from(address),
    };
    let judge = Arc::new(Judge::new(&tls.verify, provider())?);
    let config = client(judge.clone())?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let outcome = attempt.step(Step::TlsHandshake, handshake).await;
    let seen = judge.seen();
    let stream = outcome.map_err(|failure| match failure {
        Failure::Tls(fault) => Failure::Tls(fault.about(seen.as_ref())),
        other => other,
    })?;
    let session = stream.get_ref().1;
    let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS").to_owned();
    if let Some(certificate) = &seen {
        attempt.saw_certificate(certificate.ends);
    }
    attempt.note(|| match &seen {
        Some(certificate::Certificate { subject, ends, .. }) => {
            format!("TLS handshake done: {version}, certificate of {subject}, ends {}", day(*ends))
        }
        None => format!("TLS handshake done: {version}"),
    });
    Ok(stream)
}

/// Speaks TLS over `stream` from here on with a server of this name that is trusted in this way.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: ServerName<'static>,
    verify: &Verify,
) -> Result<TlsStream<S>, TlsFault> {
    let failed = |failure: Failure| match failure {
        Failure::Tls(fault) => fault,
        other => TlsFault::Other(other.to_string()),
    };
    let judge = Arc::new(Judge::new(verify, provider()).map_err(failed)?);
    let config = client(judge.clone()).map_err(failed)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        let fault = fault_in(&error).unwrap_or_else(|| TlsFault::Other(error.to_string()));
        fault.about(judge.seen().as_ref())
    })
}

/// For a client that trusts servers in this way.
pub fn client_trusting(verify: &Verify) -> Result<ClientConfig, Failure> {
    client(Arc::new(Judge::new(verify, provider())?))
}

fn client(judge: Arc<Judge>) -> Result<ClientConfig, Failure> {
    let builder =
        ClientConfig::builder_with_provider(provider().clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::Tls(TlsFault::of(&error)))?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(judge).with_no_client_auth();
    // Every check is to see the certificate, and none to keep anything.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| rustls::crypto::aws_lc_rs::default_provider().into())
}

/// What rustls complains about in an error of its stream.
pub(crate) fn fault_in(error: &io::Error) -> Option<TlsFault> {
    error.get_ref()?.downcast_ref::<rustls::Error>().map(TlsFault::of)
}
