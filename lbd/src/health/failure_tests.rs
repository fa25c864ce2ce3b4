//! Every failure in words: the golden file is what administrators read.

use rustls::AlertDescription;

use super::*;

fn title(text: &str) -> AeTitle {
    AeTitle::try_from(text).unwrap()
}

fn rejected(result: u8, source: u8, reason: u8) -> Failure {
    let rejection = Rejection { result, source, reason };
    Failure::Rejected { rejection, calling: title("EVENKEEL"), called: title("DW_SCP") }
}

fn aborted(source: u8, reason: u8) -> Failure {
    Failure::Aborted { step: Step::EchoAnswer, abort: Abort { source, reason } }
}

fn of_the_network() -> Vec<Failure> {
    let target: SocketAddr = "198.51.100.2:11112".parse().unwrap();
    let host = target.ip();
    let mut failures = vec![
        Failure::Refused { target },
        Failure::HostUnreachable { host },
        Failure::NetworkUnreachable { host },
    ];
    for step in [Step::Connecting, Step::AssociationAnswer, Step::EchoAnswer] {
        failures.push(Failure::Reset { step });
        failures.push(Failure::Closed { step });
        failures.push(Failure::TimedOut { step, after: Duration::from_secs(3) });
    }
    failures.push(Failure::TimedOut { step: Step::Connecting, after: Duration::from_micros(1_512_345) });
    failures.push(Failure::Other { step: Step::Connecting, error: "Too many open files".to_owned() });
    failures
}

/// The whole of the tables 9-21, 9-18 and 9-26 of DICOM PS3.8, with reserved values beyond each.
fn of_the_association() -> Vec<Failure> {
    let rejections = [(1, 0..=11), (2, 0..=3), (3, 0..=8), (4, 1..=1)]
        .into_iter()
        .flat_map(|(source, reasons)| reasons.map(move |reason| rejected(1, source, reason)));
    let mut failures: Vec<Failure> = rejections.collect();
    failures.extend([rejected(2, 3, 1), rejected(2, 3, 2), rejected(0, 1, 7), rejected(3, 1, 7)]);
    failures.extend((1..=5).map(|result| Failure::ContextRefused(ContextResult(result))));
    failures.extend([aborted(0, 0), aborted(0, 9), aborted(1, 0), aborted(3, 0)]);
    failures.extend((0..=7).map(|reason| aborted(2, reason)));
    failures
}

fn of_the_echo() -> Vec<Failure> {
    let statuses = [
        0x0001, 0x0107, 0x0110, 0x0116, 0x0122, 0x0124, 0x0210, 0x0211, 0x0212, 0x0213, 0x02ff, 0xa700,
        0xa900, 0xb000, 0xc123, 0xd000, 0xfe00, 0xff00, 0xff01, 0xffff,
    ];
    statuses.map(Failure::BadStatus).to_vec()
}

fn of_other_checks() -> Vec<Failure> {
    let expected = || EscapedBytes::try_from("all is well, and has been for a long time already").unwrap();
    let day = || "2026-01-02T03:04:05Z".parse().ok();
    let alerts = [AlertDescription::HandshakeFailure, AlertDescription::CertificateRequired];
    let mut failures: Vec<Failure> = [
        TlsFault::Expired { ended: day() },
        TlsFault::Expired { ended: None },
        TlsFault::NotYetValid { begins: day() },
        TlsFault::UnknownIssuer { issuer: Some("CN=Hospital CA".into()) },
        TlsFault::NameMismatch { expected: "192.0.2.1".into(), subject: Some("CN=pacs".into()) },
        TlsFault::BadCertificate("certificate has unhandled critical extension".into()),
        TlsFault::NothingInCommon("ServerDoesNotSupportTls12Or13".into()),
        TlsFault::NotTls,
        TlsFault::NoAuthorities { file: "/etc/ssl/certs/ca-certificates.crt" },
        TlsFault::Other("a word of the library".into()),
    ]
    .into_iter()
    .chain(alerts.map(TlsFault::Alert))
    .map(Failure::Tls)
    .collect();
    let first = FirstBytes::of(b"-ERR unknown command");
    let host: IpAddr = "192.0.2.1".parse().unwrap();
    failures.extend([
        Failure::NotHttp,
        Failure::HttpStatus { status: 503, expected: StatusRanges::usual() },
        Failure::BodyLacks { expected: expected(), length: 65_536 },
        Failure::AnswerLacks { expected: EscapedBytes::try_from("+PONG").unwrap(), first, length: 22 },
        Failure::NoEchoReply { host, after: Duration::from_secs(3) },
        Failure::AlwaysOff,
    ]);
    for step in [Step::TlsHandshake, Step::HttpAnswer, Step::HttpBody, Step::ExpectedAnswer, Step::EchoReply]
    {
        failures.push(Failure::Closed { step });
        failures.push(Failure::TimedOut { step, after: Duration::from_secs(3) });
    }
    failures
}

fn of_understanding() -> Vec<Failure> {
    let step = Step::AssociationAnswer;
    let beginnings: [&[u8]; 5] =
        [b"\0", b"HTTP/1.1 400 Bad Request", b"SSH-2.0-OpenSSH", &[0x15, 3, 1, 0, 2], &[0xff; 99]];
    let mut failures: Vec<Failure> =
        beginnings.map(|bytes| Failure::NotDicom(FirstBytes::of(bytes))).to_vec();
    failures.extend((1..=8).map(|kind| Failure::UnexpectedPdu { step, kind: PduKind(kind) }));
    failures.push(Failure::Malformed { step, what: "an item is longer than the PDU" });
    failures.push(Failure::TooLarge { step, size: 4_294_967_301, limit: 65_536 });
    failures.push(Failure::Unaskable);
    failures
}

fn all() -> Vec<Failure> {
    [of_the_network(), of_the_association(), of_the_echo(), of_other_checks(), of_understanding()].concat()
}

#[test]
fn every_failure_is_told_in_these_words() {
    let failures = all();
    let lines: Vec<String> = failures.iter().map(Failure::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn no_failure_is_a_novel() {
    let failures = all();
    for words in failures.iter().map(Failure::to_string) {
        assert!(words.len() < 240 && !words.contains(char::is_control), "{words}");
    }
}
