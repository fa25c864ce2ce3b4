//! Probes against a scripted server on the loopback interface.

use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::dicom::reason::{PduKind, Rejection};
use super::dicom::{ABORT, RELEASE_REQUEST};
use super::*;
use crate::config::AeTitle;
use crate::config::check_kind::{EscapedBytes, HttpPath, HttpRequest, StatusRanges};

/// Long enough for a machine under load, where the outcome is not a time-out.
const PATIENT: Duration = Duration::from_secs(20);
/// Where the outcome is a time-out; the steps before it must fit in, on a machine under load too.
const BRIEF: Duration = Duration::from_secs(1);

const RECORDED: &[u8] = include_bytes!("../../fuzz/corpus/dicom_reply/dcmtk-storescp-success.bin");
const REJECTION: &[u8] = include_bytes!("../../fuzz/corpus/dicom_reply/pynetdicom-called-unknown.bin");

fn acceptance() -> Vec<u8> {
    RECORDED[..190].to_vec()
}

fn echo_answer() -> Vec<u8> {
    RECORDED[190..].to_vec()
}

/// What a server does next.
enum Act {
    /// Reads one PDU.
    Read,
    /// Reads until the client has ended its side.
    HearOut,
    Send(Vec<u8>),
    /// Sends byte by byte, with a pause of this length before each.
    Drip(Vec<u8>, Duration),
    /// Sends zeros after these until the client goes.
    Flood(Vec<u8>),
    Close,
    Reset,
}

/// Plays `acts` to one client, then listens to it; returns what the client said after the last act, and
/// whether it ended with a FIN.
async fn serve(acts: Vec<Act>) -> (SocketAddr, JoinHandle<(Vec<u8>, bool)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let play = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        for act in acts {
            match act {
                Act::Read => read_pdu(&mut stream).await,
                Act::HearOut => drop(stream.read_to_end(&mut Vec::new()).await.unwrap()),
                Act::Send(bytes) => stream.write_all(&bytes).await.unwrap(),
                Act::Drip(bytes, pause) => drip(&mut stream, &bytes, pause).await,
                Act::Flood(head) => flood(&mut stream, &head).await,
                Act::Close => return (Vec::new(), true),
                Act::Reset => {
                    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                    return (Vec::new(), true);
                }
            }
        }
        let mut rest = Vec::new();
        let in_order = stream.read_to_end(&mut rest).await.is_ok();
        (rest, in_order)
    };
    (address, tokio::spawn(play))
}

async fn read_pdu(stream: &mut TcpStream) {
    let mut header = [0; 6];
    stream.read_exact(&mut header).await.unwrap();
    let length = u32::from_be_bytes(header[2..].try_into().unwrap());
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.unwrap();
}

async fn drip(stream: &mut TcpStream, bytes: &[u8], pause: Duration) {
    for byte in bytes {
        tokio::time::sleep(pause).await; // The slowness is what is tested.
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

async fn flood(stream: &mut TcpStream, head: &[u8]) {
    let mut outcome = stream.write_all(head).await;
    while outcome.is_ok() {
        outcome = stream.write_all(&[0; 4096]).await;
    }
}

fn question(kind: CheckKind, timeout: Duration) -> Question {
    Question { kind, interval: timeout, fast_interval: timeout, timeout }
}

fn dicom() -> CheckKind {
    let calling = AeTitle::try_from("EVENKEEL").unwrap();
    let called = AeTitle::try_from("DW_SCP").unwrap();
    CheckKind::DicomEcho { calling, called, tls: None }
}

async fn echo(target: SocketAddr, timeout: Duration) -> Result<Duration, Failure> {
    probe(&question(dicom(), timeout), target).await.map(|passed| passed.took)
}

async fn tcp(target: SocketAddr) -> Result<Duration, Failure> {
    probe(&question(CheckKind::Tcp, PATIENT), target).await.map(|passed| passed.took)
}

/// The outcome of a C-ECHO with a server that does this.
async fn outcome(timeout: Duration, acts: Vec<Act>) -> Result<Duration, Failure> {
    let (address, server) = serve(acts).await;
    let outcome = echo(address, timeout).await;
    server.abort();
    outcome
}

fn until_echo() -> Vec<Act> {
    vec![Act::Read, Act::Send(acceptance()), Act::Read]
}

fn then(mut acts: Vec<Act>, act: Act) -> Vec<Act> {
    acts.push(act);
    acts
}

#[tokio::test]
async fn an_echo_passes_and_the_association_is_released() {
    let (address, server) = serve(then(until_echo(), Act::Send(echo_answer()))).await;
    let started = Instant::now();
    let took = echo(address, PATIENT).await.unwrap();
    assert!(took <= started.elapsed());
    // The server never answered the release: the result came all the same, long before the time-out.
    assert!(started.elapsed() < PATIENT / 2);
    assert_eq!(server.await.unwrap(), (RELEASE_REQUEST.to_vec(), true));
}

#[tokio::test]
async fn an_answer_that_trickles_in_passes() {
    let acts = vec![
        Act::Read,
        Act::Drip(acceptance(), Duration::ZERO),
        Act::Read,
        Act::Drip(echo_answer(), Duration::ZERO),
        Act::Read,
        Act::Close,
    ];
    outcome(PATIENT, acts).await.unwrap();
}

#[tokio::test]
async fn silence_is_a_time_out_at_its_step_and_the_server_hears_an_abort() {
    for (acts, step) in [(vec![Act::Read], Step::AssociationAnswer), (until_echo(), Step::EchoAnswer)] {
        let (address, server) = serve(acts).await;
        assert_eq!(echo(address, BRIEF).await, Err(Failure::TimedOut { step, after: BRIEF }));
        assert_eq!(server.await.unwrap(), (ABORT.to_vec(), true));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_times_out_while_connecting() {
    // A full backlog drops further SYNs, as a host does that is switched off.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(BRIEF, TcpStream::connect(address)).await {
        waiting.push(stream);
        assert!(waiting.len() < 20, "the backlog takes everyone");
    }
    let step = Step::Connecting;
    assert_eq!(echo(address, BRIEF).await, Err(Failure::TimedOut { step, after: BRIEF }));
}

#[tokio::test]
async fn a_slow_drip_does_not_stretch_the_time() {
    let started = Instant::now();
    let acts = vec![Act::Read, Act::Drip(acceptance(), Duration::from_millis(20))];
    let step = Step::AssociationAnswer;
    assert_eq!(outcome(BRIEF, acts).await, Err(Failure::TimedOut { step, after: BRIEF }));
    let acts = then(until_echo(), Act::Drip(echo_answer(), Duration::from_millis(20)));
    let step = Step::EchoAnswer;
    assert_eq!(outcome(BRIEF, acts).await, Err(Failure::TimedOut { step, after: BRIEF }));
    // The 280 bytes would take 5.6 s.
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_end_of_the_connection_names_its_step() {
    let association = || vec![Act::Read];
    for (acts, step) in [(association(), Step::AssociationAnswer), (until_echo(), Step::EchoAnswer)] {
        assert_eq!(outcome(PATIENT, then(acts, Act::Close)).await, Err(Failure::Closed { step }));
    }
    for (acts, step) in [(association(), Step::AssociationAnswer), (until_echo(), Step::EchoAnswer)] {
        assert_eq!(outcome(PATIENT, then(acts, Act::Reset)).await, Err(Failure::Reset { step }));
    }
}

#[tokio::test]
async fn an_end_in_the_middle_of_an_answer_is_a_closed_connection() {
    let half = acceptance()[..90].to_vec();
    let failure = outcome(PATIENT, vec![Act::Read, Act::Send(half), Act::Close]).await;
    assert_eq!(failure, Err(Failure::Closed { step: Step::AssociationAnswer }));
}

#[tokio::test]
async fn endless_data_is_refused() {
    let acceptance_without_end = Act::Flood(vec![2, 0, 0x7f, 0xff, 0xff, 0xff]);
    let failure = outcome(PATIENT, vec![Act::Read, acceptance_without_end]).await;
    assert!(matches!(failure, Err(Failure::TooLarge { step: Step::AssociationAnswer, .. })), "{failure:?}");
    let empty_data = [4, 0, 0, 0, 0, 0].repeat(100_000);
    let failure = outcome(PATIENT, then(until_echo(), Act::Flood(empty_data))).await;
    assert!(matches!(failure, Err(Failure::TooLarge { step: Step::EchoAnswer, .. })), "{failure:?}");
    let failure = outcome(PATIENT, vec![Act::Read, Act::Flood(Vec::new())]).await;
    assert!(matches!(failure, Err(Failure::NotDicom(_))), "{failure:?}");
}

#[tokio::test]
async fn a_rejection_is_told_with_its_reason_and_the_connection_closed() {
    let (address, server) = serve(vec![Act::Read, Act::Send(REJECTION.to_vec())]).await;
    let Err(Failure::Rejected { rejection, called, .. }) = echo(address, PATIENT).await else { panic!() };
    assert_eq!(rejection, Rejection { result: 1, source: 1, reason: 7 });
    assert_eq!(called.as_str(), "DW_SCP");
    assert_eq!(server.await.unwrap(), (Vec::new(), true));
}

#[tokio::test]
async fn a_server_that_echoes_bytes_is_no_dicom_server() {
    let mirrored = [&[1, 0, 0, 0, 0, 4][..], &[0; 4]].concat();
    let failure = outcome(PATIENT, vec![Act::Read, Act::Send(mirrored)]).await;
    let kind = PduKind::ASSOCIATE_RQ;
    assert_eq!(failure, Err(Failure::UnexpectedPdu { step: Step::AssociationAnswer, kind }));
}

#[tokio::test]
async fn a_tcp_check_passes_and_closes_in_order() {
    let (address, server) = serve(Vec::new()).await;
    tcp(address).await.unwrap();
    assert_eq!(server.await.unwrap(), (Vec::new(), true));
}

#[tokio::test]
async fn a_tcp_check_hears_a_greeting_out() {
    let greeting = || Act::Send(b"220 ready\r\n".to_vec());
    let (address, server) = serve(vec![greeting(), Act::HearOut, greeting(), greeting()]).await;
    tcp(address).await.unwrap();
    // Had the client closed at once, its kernel would have reset the connection and a greeting failed.
    server.await.unwrap();
}

#[tokio::test]
async fn a_port_without_a_listener_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(tcp(target).await, Err(Failure::Refused { target }));
    assert_eq!(echo(target, PATIENT).await, Err(Failure::Refused { target }));
}

#[tokio::test]
async fn a_trace_tells_every_step_in_order() {
    let release_reply = Act::Send(vec![6, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    let acts = then(then(then(until_echo(), Act::Send(echo_answer())), Act::Read), release_reply);
    let (address, _) = serve(then(acts, Act::Close)).await;
    let told = trace(&question(dicom(), PATIENT), address).await;
    assert!(told.passed && told.outcome.starts_with("passed in "), "{told:?}");
    let words: Vec<_> = told.steps.iter().map(|step| step.what.as_str()).collect();
    let connected = format!("connected to {address}");
    let expected = [
        connected.as_str(),
        "A-ASSOCIATE-RQ sent: EVENKEEL calls DW_SCP",
        "A-ASSOCIATE-AC received: the association is established",
        "C-ECHO-RQ sent",
        "C-ECHO-RSP received: success",
        "released and closed",
    ];
    assert_eq!(words, expected);
    assert!(told.steps.is_sorted_by(|one, next| one.at_milliseconds <= next.at_milliseconds));
    let (address, _) = serve(vec![Act::Read, Act::Send(REJECTION.to_vec())]).await;
    let told = trace(&question(dicom(), PATIENT), address).await;
    assert!(!told.passed && told.steps.last().unwrap().what.contains("called AE title not recognised"));
}

fn http(expected_body: Option<&str>) -> CheckKind {
    let request = HttpRequest {
        path: HttpPath::try_from("/health").unwrap(),
        host: None,
        expected_status: StatusRanges::usual(),
        expected_body: expected_body.map(|text| EscapedBytes::try_from(text).unwrap()),
    };
    CheckKind::Http { request, tls: None }
}

async fn page(kind: CheckKind, answer: &[u8], timeout: Duration) -> Result<Passed, Failure> {
    let (address, server) = serve(vec![Act::Send(answer.to_vec())]).await;
    let outcome = probe(&question(kind, timeout), address).await;
    server.abort();
    outcome
}

#[tokio::test]
async fn an_http_check_looks_at_status_and_page() {
    let good = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nall is well\n";
    page(http(None), good, PATIENT).await.unwrap();
    page(http(Some("is well")), good, PATIENT).await.unwrap();
    let lacks = page(http(Some("is ill")), good, PATIENT).await.unwrap_err();
    assert!(matches!(lacks, Failure::BodyLacks { length: 12, .. }), "{lacks}");
    let bad = page(http(None), b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", PATIENT).await.unwrap_err();
    assert!(bad.to_string().starts_with("HTTP status 503 where 200-399 is expected"), "{bad}");
    assert_eq!(page(http(None), b"SSH-2.0-OpenSSH_9\r\n\r\n", PATIENT).await, Err(Failure::NotHttp));
    let half = page(http(Some("well")), b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx", BRIEF).await;
    assert_eq!(half, Err(Failure::TimedOut { step: Step::HttpBody, after: BRIEF }));
}

#[tokio::test]
async fn an_endless_http_answer_is_refused() {
    for (head, body) in [("HTTP/1.1 200 OK\r\nX: ", None), ("HTTP/1.1 200 OK\r\n\r\n", Some("never"))] {
        let (address, server) = serve(vec![Act::Flood(head.as_bytes().to_vec())]).await;
        let failure = probe(&question(http(body), PATIENT), address).await.unwrap_err();
        server.abort();
        let is_bounded = matches!(
            failure,
            Failure::TooLarge { .. } | Failure::NotHttp | Failure::BodyLacks { length: 65_536, .. }
        );
        assert!(is_bounded, "{failure}");
    }
}

fn send_expect(expect: &str) -> CheckKind {
    let bytes = |text: &str| EscapedBytes::try_from(text).unwrap();
    CheckKind::SendExpect { send: bytes(r"PING\r\n"), expect: bytes(expect), tls: None }
}

#[tokio::test]
async fn a_send_expect_check_finds_its_bytes_or_says_what_came() {
    page(send_expect("+PONG"), b"* hello\r\n+PONG\r\n", PATIENT).await.unwrap();
    let (address, _) = serve(vec![Act::Send(b"-ERR\r\n".to_vec()), Act::HearOut]).await;
    let other = probe(&question(send_expect("+PONG"), BRIEF), address).await.unwrap_err();
    assert!(matches!(other, Failure::AnswerLacks { length: 6, .. }), "{other}");
    let (address, _) = serve(vec![Act::HearOut]).await;
    let silent = probe(&question(send_expect("+PONG"), BRIEF), address).await;
    assert_eq!(silent, Err(Failure::TimedOut { step: Step::ExpectedAnswer, after: BRIEF }));
    let flood = vec![Act::Flood(Vec::new())];
    let (address, server) = serve(flood).await;
    let failure = probe(&question(send_expect("+PONG"), PATIENT), address).await.unwrap_err();
    server.abort();
    assert!(matches!(failure, Failure::AnswerLacks { length: 65_536, .. }), "{failure}");
}

#[tokio::test]
async fn a_check_that_is_switched_asks_nobody() {
    let nowhere = "198.51.100.2:1".parse().unwrap();
    probe(&question(CheckKind::AlwaysOn, PATIENT), nowhere).await.unwrap();
    assert_eq!(probe(&question(CheckKind::AlwaysOff, PATIENT), nowhere).await, Err(Failure::AlwaysOff));
}
