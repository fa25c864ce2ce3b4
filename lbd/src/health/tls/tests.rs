//! Handshakes with a real TLS server on the loopback interface, its certificates made for the test.

use std::net::SocketAddr;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::check_kind::Verify;
use crate::config::{CheckKind, HostName, Question};
use crate::health::{self, Passed};

/// Long enough for a machine under load.
const PATIENT: Duration = Duration::from_secs(20);

/// An authority and a server certificate that it issued.
struct Made {
    authority: CertificateDer<'static>,
    server: CertificateDer<'static>,
    key: KeyPair,
}

/// For `name`, which ends with that year.
fn made(name: &str, last_year: i32) -> Made {
    made_by("Hospital CA", name, last_year)
}

fn made_by(authority: &str, name: &str, last_year: i32) -> Made {
    let authority_key = KeyPair::generate().unwrap();
    let mut wanted = CertificateParams::default();
    wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wanted.distinguished_name.push(DnType::CommonName, authority);
    let authority = wanted.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(wanted, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut wanted = CertificateParams::new([name.to_owned()]).unwrap();
    wanted.distinguished_name.push(DnType::CommonName, "pacs");
    wanted.not_before = date_time_ymd(2020, 1, 1);
    wanted.not_after = date_time_ymd(last_year, 2, 3);
    let server = wanted.signed_by(&key, &issuer).unwrap();
    Made { authority: authority.der().clone(), server: server.der().clone(), key }
}

/// A server with this certificate, which reads until its client goes.
async fn serve(made: &Made) -> SocketAddr {
    let key = PrivateKeyDer::try_from(made.key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider().clone());
    let config = builder.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.server.clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    address
}

async fn ask(address: SocketAddr, verify: Verify, name: Option<&str>) -> Result<Passed, Failure> {
    let server_name = name.map(|name| HostName::try_from(name).unwrap());
    let kind = CheckKind::Tls(Tls { verify, server_name });
    let question = Question { kind, interval: PATIENT, fast_interval: PATIENT, timeout: PATIENT };
    health::probe(&question, address).await
}

async fn failure(made: &Made, verify: Verify, name: Option<&str>) -> String {
    ask(serve(made).await, verify, name).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_certificate_of_a_pinned_authority_passes_under_its_name() {
    let made = made("pacs.example", 2090);
    let pinned = || Verify::Pinned(vec![made.authority.clone()]);
    let passed = ask(serve(&made).await, pinned(), Some("pacs.example")).await.unwrap();
    assert_eq!(day(passed.certificate_ends.unwrap()), "2090-02-03");
    let told = failure(&made, pinned(), None).await;
    assert!(told.contains("does not hold the name 127.0.0.1") && told.contains("tls_server_name"), "{told}");
}

#[tokio::test]
async fn a_certificate_for_the_address_passes_without_a_name() {
    let made = made("127.0.0.1", 2090);
    ask(serve(&made).await, Verify::Pinned(vec![made.authority.clone()]), None).await.unwrap();
}

#[tokio::test]
async fn a_pinned_certificate_passes_whatever_its_names_but_not_beyond_its_time() {
    let [good, expired] = [2090, 2025].map(|year| made("pacs.example", year));
    let pinned = |made: &Made| Verify::Pinned(vec![made.server.clone()]);
    ask(serve(&good).await, pinned(&good), None).await.unwrap();
    let told = failure(&expired, pinned(&expired), None).await;
    assert!(told.contains("has expired on 2025-02-03"), "{told}");
    let authority = Verify::Pinned(vec![expired.authority.clone()]);
    let told = failure(&expired, authority, Some("pacs.example")).await;
    assert!(told.contains("has expired on 2025-02-03"), "{told}");
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused_unless_nothing_is_verified() {
    let one = made("pacs.example", 2090);
    let other = made_by("Other CA", "pacs.example", 2090);
    let told = failure(&one, Verify::Pinned(vec![other.authority]), Some("pacs.example")).await;
    assert!(told.contains("issuer of the server's certificate is not trusted (CN=Hospital CA"), "{told}");
    let told = failure(&one, Verify::System, Some("pacs.example")).await;
    assert!(told.contains("certificate"), "{told}");
    let passed = ask(serve(&one).await, Verify::Nothing, None).await.unwrap();
    assert!(passed.certificate_ends.is_some(), "the end is told all the same");
}

#[tokio::test]
async fn a_server_that_speaks_plain_text_is_no_tls_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 mail.example ready\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(ask(address, Verify::Nothing, None).await, Err(Failure::Tls(TlsFault::NotTls)));
}
