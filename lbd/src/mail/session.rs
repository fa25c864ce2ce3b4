//! Hands a letter to one mail server: lettre speaks SMTP, TLS is the one of the health checks, with its words.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Starttls};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::exchange::Server;
use super::queue::Outcome;
use crate::config::alerting::Encryption;
use crate::config::check_kind::Verify;
use crate::health::tls::{client_trusting, fault_in};

/// For the connection itself.
const CONNECT: Duration = Duration::from_secs(15);
/// For a whole conversation: slow servers greet after half a minute, and check what they are given.
const CONVERSATION: Duration = Duration::from_secs(180);
/// An answer is quoted up to here.
const LONGEST_ANSWER: usize = 300;
/// "For good" of these is about how we came, which the administrator may correct: authentication or TLS is wanted first
/// (RFC 4954 section 6, RFC 3207 section 4).
const CONDITIONS: [u16; 3] = [530, 534, 538];

/// How to speak to servers.
#[derive(Debug, Clone)]
pub struct Manners {
    /// TCP port.
    pub port: u16,
    /// Whether to encrypt.
    pub encryption: Encryption,
    /// Which certificates to trust, where encryption is demanded.
    pub verify: Verify,
    /// The name that certificates must hold; the server's where there is none.
    pub server_name: Option<String>,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// What to call ourselves.
    pub hello_name: String,
}

/// Why a server did not take a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There may be another server, or another time.
    Server(String),
    /// Any other server would say the same of this letter, now or later.
    Letter(String),
}

impl Trouble {
    /// Without another server.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Server(words) => Outcome::Later(words),
            Self::Letter(words) => Outcome::Never(words),
        }
    }
}

/// Hands over `message`; returns the server's answer.
pub async fn deliver(server: &Server, manners: &Manners, message: &Message) -> Result<String, Trouble> {
    let Server { name, address } = server;
    let port = manners.port;
    let place = if *name == address.to_string() {
        format!("{name}:{port}")
    } else {
        format!("{name} ({address}:{port})")
    };
    let connect = tokio::time::timeout(CONNECT, TcpStream::connect(SocketAddr::new(*address, port)));
    let stream = match connect.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Trouble::Server(format!("{place} cannot be reached: {error}"))),
        Err(_) => return Err(Trouble::Server(format!("{place} cannot be reached: no answer within 15 s"))),
    };
    let session = Session { place, name, manners };
    let conversation = Box::pin(session.converse(stream, message));
    let late = |_| {
        let (place, limit) = (&session.place, CONVERSATION.as_secs());
        Err(Trouble::Server(format!("{place} did not get to the end of the conversation within {limit} s")))
    };
    tokio::time::timeout(CONVERSATION, conversation).await.unwrap_or_else(late)
}

struct Session<'a> {
    place: String,
    name: &'a str,
    manners: &'a Manners,
}

impl Session<'_> {
    async fn converse(&self, stream: TcpStream, message: &Message) -> Result<String, Trouble> {
        let mut connection = self.open(stream).await?;
        if let Some((user, password)) = &self.manners.credentials {
            self.log_in(&mut connection, user, password).await?;
        }
        let envelope = message.envelope();
        let step = |what| move |error: Error| self.refused(what, &error);
        connection
            .command(Mail::new(envelope.from().cloned(), Vec::new()))
            .await
            .map_err(step("the sender"))?;
        for to in envelope.to() {
            let command = Rcpt::new(to.clone(), Vec::new());
            connection.command(command).await.map_err(step("the recipient"))?;
        }
        connection.command(Data).await.map_err(step("the beginning of the mail"))?;
        let answer = connection.message(&message.formatted()).await.map_err(step("the mail"))?;
        let words: Vec<_> = answer.message().collect();
        let told = format!("{} took it: {} {}", self.place, answer.code(), bounded(&words.join(" ")));
        // The letter is theirs; how the connection ends changes nothing.
        let _ = connection.quit().await;
        Ok(told)
    }

    /// A connection that has heard EHLO, encrypted as it should be.
    async fn open(&self, stream: TcpStream) -> Result<AsyncSmtpConnection, Trouble> {
        let hello = ClientId::Domain(self.manners.hello_name.clone());
        let greeted = |error: Error| self.refused("the greeting", &error).into_server();
        if self.manners.encryption == Encryption::Tls {
            let stream = self.encrypt(stream, &self.manners.verify).await?;
            return AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello)
                .await
                .map_err(greeted);
        }
        let (lent, keeper) = Lent::new(stream);
        let mut plain =
            AsyncSmtpConnection::connect_with_transport(Box::new(lent), &hello).await.map_err(greeted)?;
        let verify = match (self.manners.encryption, plain.can_starttls()) {
            (Encryption::None, _) | (Encryption::Opportunistic, false) => return Ok(plain),
            (Encryption::Opportunistic, true) => &Verify::Nothing,
            (_, true) => &self.manners.verify,
            (_, false) => {
                return Err(Trouble::Server(format!(
                    "{} does not offer STARTTLS, which the settings demand",
                    self.place
                )));
            }
        };
        plain.command(Starttls).await.map_err(|error| self.refused("STARTTLS", &error).into_server())?;
        // What the server sent behind its answer, unencrypted, is lost with the plain connection (CVE-2011-0411).
        drop(plain);
        let Some(stream) = keeper.take() else {
            return Err(Trouble::Server(format!("{} has gone", self.place)));
        };
        let stream = Greeting::before(self.encrypt(stream, verify).await?);
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.map_err(greeted)
    }

    async fn encrypt(&self, stream: TcpStream, verify: &Verify) -> Result<Encrypted, Trouble> {
        let failed = |why: String| Trouble::Server(format!("TLS with {} failed: {why}", self.place));
        let config = client_trusting(verify).map_err(|failure| failed(failure.to_string()))?;
        let name =
            ServerName::try_from(self.manners.server_name.clone().unwrap_or_else(|| self.name.to_owned()))
                .map_err(|error| failed(error.to_string()))?;
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        handshake.map(Encrypted).map_err(|error| match fault_in(&error) {
            Some(fault) => failed(fault.to_string()),
            None => failed(error.to_string()),
        })
    }

    /// A wrong password is the administrator's to correct, not a reason to give letters up.
    async fn log_in(
        &self,
        connection: &mut AsyncSmtpConnection,
        user: &str,
        password: &str,
    ) -> Result<(), Trouble> {
        let is_encrypted = self.manners.encryption != Encryption::None;
        let offers = |mechanism| connection.server_info().supports_auth_mechanism(mechanism);
        if is_encrypted && connection.can_starttls() {
            // Only a connection that is still plain can be here with STARTTLS on offer.
            return Err(Trouble::Server(format!("{} offers STARTTLS twice", self.place)));
        }
        if !offers(Mechanism::Plain) && !offers(Mechanism::Login) {
            return Err(Trouble::Server(format!(
                "{} offers neither AUTH PLAIN nor AUTH LOGIN on this connection; check the encryption, or remove the user",
                self.place
            )));
        }
        let credentials = Credentials::new(user.to_owned(), password.to_owned());
        let answer = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        answer.map(drop).map_err(|error| self.refused("user and password", &error).into_server())
    }

    /// What a server said, in its own words.
    fn refused(&self, to: &str, error: &Error) -> Trouble {
        let mut source = std::error::Error::source(error);
        let mut words = source.map(ToString::to_string).unwrap_or_default();
        while let Some(deeper) = source.and_then(std::error::Error::source) {
            (words, source) = (deeper.to_string(), Some(deeper));
        }
        let place = &self.place;
        match error.status() {
            Some(code) => {
                let told = format!("{place} answered to {to}: {code} {}", bounded(&words));
                let is_ours = CONDITIONS.contains(&u16::from(code));
                if error.is_permanent() && !is_ours { Trouble::Letter(told) } else { Trouble::Server(told) }
            }
            None => Trouble::Server(format!("{place} broke off at {to}: {}", bounded(&words))),
        }
    }
}

impl Trouble {
    /// What has nothing to do with the letter.
    fn into_server(self) -> Self {
        match self {
            Self::Server(words) | Self::Letter(words) => Self::Server(words),
        }
    }
}

/// What a server says is shown to people: one line, without control characters.
fn bounded(words: &str) -> String {
    let line: String =
        words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_ANSWER).collect();
    line.trim().to_owned()
}

/// A TCP stream that can be taken back from lettre, which keeps what it is given.
#[derive(Debug)]
struct Lent(Arc<Mutex<Option<TcpStream>>>);

struct Keeper(Arc<Mutex<Option<TcpStream>>>);

impl Lent {
    fn new(stream: TcpStream) -> (Self, Keeper) {
        let shared = Arc::new(Mutex::new(Some(stream)));
        (Self(shared.clone()), Keeper(shared))
    }

    fn with<R>(
        &self,
        use_it: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(stream) => use_it(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Keeper {
    fn take(&self) -> Option<TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

impl AsyncTokioStream for Lent {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(stream) => stream.peer_addr(),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A stream over TLS.
struct Encrypted(tokio_rustls::client::TlsStream<TcpStream>);

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted").finish_non_exhaustive()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

/// lettre begins with a greeting, which no server repeats after STARTTLS: it is given one.
#[derive(Debug)]
struct Greeting {
    left: &'static [u8],
    stream: Encrypted,
}

impl Greeting {
    fn before(stream: Encrypted) -> Self {
        Self { left: b"220 encrypted\r\n", stream }
    }
}

impl AsyncRead for Greeting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let (now, later) = self.left.split_at(self.left.len().min(buf.remaining()));
        buf.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Greeting {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
