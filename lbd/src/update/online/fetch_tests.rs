//! Files from a real TLS server on the loopback interface, straight and through a proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::check_kind::Verify;
use crate::config::online::HttpProxy;

const ANSWERS: &[(&str, &str)] = &[
    ("/good", "200 OK\r\nContent-Length: 5\r\n\r\nwhole"),
    ("/moved", "302 Found\r\nLocation: good\r\nContent-Length: 0\r\n\r\n"),
    ("/circle", "301 Moved Permanently\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n"),
    ("/clear", "302 Found\r\nLocation: http://127.0.0.1/good\r\nContent-Length: 0\r\n\r\n"),
    ("/nowhere", "302 Found\r\nContent-Length: 0\r\n\r\n"),
    ("/large", "200 OK\r\nContent-Length: 11\r\n\r\n12345678901"),
    ("/endless", "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n"),
    ("/cut", "200 OK\r\nContent-Length: 9\r\n\r\n1234"),
    ("/missing", "404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    ("/odd", "what?\r\n\r\n"),
];
const LIMIT: u64 = 10;

/// The first line of a request.
async fn first_line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()?.lines().next().map(str::to_owned)
}

async fn serve() -> (SocketAddr, CertificateDer<'static>) {
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let line = first_line(&mut stream).await.unwrap_or_default();
            let path = line.split(' ').nth(1).unwrap_or_default();
            let answer = ANSWERS.iter().find(|(known, _)| *known == path).map_or("", |(_, answer)| answer);
            let status = if path == "/odd" { "" } else { "HTTP/1.1 " };
            // Whoever has heard enough may have gone.
            let _ = stream.write_all(format!("{status}{answer}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, certificate)
}

/// Connects where it is asked to, or says this.
async fn proxy(refusal: Option<&'static str>) -> HttpProxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let line = first_line(&mut stream).await.unwrap();
            let place =
                line.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap();
            let answer = refusal.unwrap_or("HTTP/1.1 200 Connection established\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            if refusal.is_none() {
                let mut server = TcpStream::connect(place).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut server).await;
            }
        }
    });
    HttpProxy { host: "127.0.0.1".try_into().unwrap(), port }
}

fn at(address: SocketAddr, path: &str, verify: Verify, proxy: Option<HttpProxy>) -> OnlineUpdates {
    OnlineUpdates {
        url: format!("https://{address}{path}").parse().unwrap(),
        proxy,
        verify,
        interval: Duration::from_secs(3600),
        search_domain: None,
        dns_servers: Vec::new(),
    }
}

async fn fetched(source: &OnlineUpdates) -> Result<String, String> {
    let coming = get(source, &source.url, LIMIT).await.map_err(|fault| fault.to_string())?;
    let bytes = coming.whole().await.map_err(|fault| fault.to_string())?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn files_come_straight_and_from_where_the_server_leads_to() {
    let (address, certificate) = serve().await;
    let pinned = || Verify::Pinned(vec![certificate.clone()]);
    for path in ["/good", "/moved"] {
        assert_eq!(fetched(&at(address, path, pinned(), None)).await, Ok("whole".into()), "{path}");
    }
    for (path, words) in [
        ("/circle", "leads to more than 3 places one after the other"),
        ("/clear", "leads to a place without https"),
        ("/nowhere", "leads nowhere: it does not say where to"),
        ("/large", "has more than the 10 bytes"),
        ("/endless", "has more than the 10 bytes"),
        ("/cut", "broke off: the connection ended too early; try again"),
        ("/missing", "answered 404 Not Found"),
        ("/odd", "broke off"),
    ] {
        let told = fetched(&at(address, path, pinned(), None)).await.unwrap_err();
        assert!(told.contains(words), "{path}: {told}");
    }
}

#[tokio::test]
async fn who_is_not_trusted_or_not_there_is_told() {
    let (address, _) = serve().await;
    let mut other = CertificateParams::default();
    other.distinguished_name.push(DnType::CommonName, "Somebody else");
    let other = other.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let untrusted = at(address, "/good", Verify::Pinned(vec![other.der().clone()]), None);
    let told = fetched(&untrusted).await.unwrap_err();
    assert!(told.contains(&format!("certificate of the update server {address} is not trusted")), "{told}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let told = fetched(&at(closed, "/good", Verify::System, None)).await.unwrap_err();
    assert!(told.contains("cannot be reached: connection refused; check the URL"), "{told}");
}

#[tokio::test]
async fn a_proxy_leads_there_or_says_why_not() {
    let (address, certificate) = serve().await;
    let through = |proxy| at(address, "/moved", Verify::Pinned(vec![certificate.clone()]), Some(proxy));
    assert_eq!(fetched(&through(proxy(None).await)).await, Ok("whole".into()));
    for (answer, words) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "(403 Forbidden); ask who runs the proxy"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "it wants a user"),
        ("SSH-2.0\r\n\r\n", "the proxy 127.0.0.1:"),
    ] {
        let told = fetched(&through(proxy(Some(answer)).await)).await.unwrap_err();
        assert!(told.contains(words), "{answer}: {told}");
    }
}

proptest! {
    #[test]
    fn no_answer_leads_to_where_nobody_proves_who_it_is(location in prop::collection::vec(any::<u8>(), 0..80)) {
        let here = "https://updates.example/a/index.json".parse().unwrap();
        let location = HeaderValue::from_bytes(&location).ok();
        if let Ok(next) = elsewhere(&here, location.as_ref()) {
            prop_assert!(next.scheme() == "https" && next.username().is_empty() && next.has_host());
        }
    }
}

#[test]
fn the_signature_is_beside_the_index() {
    let of = |url: &str| signature_of(&url.parse().unwrap()).to_string();
    assert_eq!(of("https://u/a/i.json"), "https://u/a/i.json.minisig");
    assert_eq!(of("https://u/i.json?a=b"), "https://u/i.json.minisig?a=b");
}
