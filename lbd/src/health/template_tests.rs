//! Templates: what administrators know, and its way to the typed fields and back.

use proptest::prelude::*;

use super::*;

fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).expect_err("should be refused");
    faults.iter().map(|fault| format!("{}: {}; {}", fault.line, fault.problem, fault.remedy)).collect()
}

#[test]
fn the_two_lines_that_administrators_know_are_a_dicom_check() {
    let check = parse("# called AE title of DataLink\naet=LOADBALANCER\n\naec = DW_SCP\n").unwrap();
    let dicom = HealthCheckDocument {
        kind: "dicom-c-echo".into(),
        calling_ae_title: Some("LOADBALANCER".into()),
        called_ae_title: Some("DW_SCP".into()),
        ..HealthCheckDocument::default()
    };
    assert_eq!(check, dicom);
    let text = render(&dicom);
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["template=DICOM-C-ECHO", "aet=LOADBALANCER", "aec=DW_SCP"]);
}

#[test]
fn every_fault_names_its_line_and_remedy() {
    insta::assert_snapshot!(
        [
            faults(""),
            faults("template=DICOM-C-ECHO\naet=LOADBALANCER\n"),
            faults("template=DICOM\nhello\ncolour=red\naec=A\naec=B\nrise=often\ntls=perhaps\n"),
            faults("template=PING\naec=DW_SCP\ninterval=0\n"),
            faults("aet=LOADBALANCER\naec=SEVENTEEN_LETTERS\nfast-interval=9\n"),
            faults("template=TLS-CONNECT\n-----BEGIN CERTIFICATE-----\n"),
            faults("template=TLS-CONNECT\nverify=pinned\n-----BEGIN CERTIFICATE-----\nAAAA\n"),
            faults("template=NEGOTIATE\nsend=\\q\n"),
        ]
        .concat()
        .join("\n")
    );
}

#[test]
fn certificates_follow_the_line_that_pins_them() {
    let made = rcgen::generate_simple_self_signed(["pacs.example".to_owned()]).unwrap().cert.pem();
    let text = format!("template=NEGOTIATE-HTTPS\nverify=pinned\n{made}{made}path=/health\n");
    let check = parse(&text).unwrap();
    assert_eq!(check.tls_verify.as_ref().unwrap().matches("-----END").count(), 2);
    assert_eq!(check.path.as_deref(), Some("/health"));
    assert_eq!(parse(&render(&check)).unwrap(), check);
}

#[test]
fn every_template_has_a_type_that_the_configuration_knows() {
    for (name, kind, _) in TEMPLATES {
        let needed = match kind {
            "dicom-c-echo" => "aet=A\naec=B\n",
            "send-expect" => "expect=220\n",
            _ => "",
        };
        assert_eq!(parse(&format!("template={name}\n{needed}")).unwrap().kind, kind);
    }
}

fn documents() -> impl Strategy<Value = HealthCheckDocument> {
    let number = || prop::option::of(2_i64..=5);
    let byte = || prop::option::of(r"[a-zA-Z0-9 =#\\r]{0,3}[a-z]");
    (number(), number(), prop::option::of("[A-Z][A-Z_]{0,14}"), prop::option::of(any::<bool>()), byte())
        .prop_flat_map(|(rise, fall, called, tls, expect)| {
            let kinds = prop::sample::select(TEMPLATES.map(|(_, kind, _)| kind).to_vec());
            kinds.prop_map(move |kind| {
                let is = |wanted: &str| kind == wanted;
                HealthCheckDocument {
                    kind: kind.into(),
                    rise,
                    fall,
                    calling_ae_title: called.clone().filter(|_| is("dicom-c-echo")),
                    called_ae_title: called.clone().filter(|_| is("dicom-c-echo")),
                    tls: tls.filter(|_| is("dicom-c-echo") || is("send-expect")),
                    expect: expect.clone().filter(|_| is("send-expect")),
                    ..HealthCheckDocument::default()
                }
            })
        })
}

proptest! {
    /// What is rendered reads as what was rendered, where the configuration allows it at all.
    #[test]
    fn text_and_fields_say_the_same(document in documents()) {
        let labelled = HealthCheckDocument { label: "check".into(), ..document.clone() };
        match parse(&render(&document)) {
            Ok(read) => {
                prop_assert!(check_problems(&labelled).is_ok());
                let trimmed = document.expect.as_ref().map(|text| text.trim().to_owned());
                prop_assert_eq!(read, HealthCheckDocument { expect: trimmed, ..document });
            }
            Err(_) => prop_assert!(check_problems(&labelled).is_err()),
        }
    }

    #[test]
    fn any_text_is_a_check_or_has_faults_in_its_lines(text in "(template=|aec=|[a-z=#\\\\\n -]){0,40}") {
        if let Err(faults) = parse(&text) {
            prop_assert!(!faults.is_empty());
            prop_assert!(faults.iter().all(|fault| (1..=text.lines().count().max(1)).contains(&fault.line)));
        }
    }
}

#[test]
fn an_ae_title_that_begins_like_a_certificate_stays_a_title() {
    let check = parse("template=DICOM-C-ECHO\naet=LOADBALANCE\naec=-----BEGINDW_SCP\n").unwrap();
    assert!(render(&check).contains("\naec=-----BEGINDW_SCP\n"), "{}", render(&check));
    assert_eq!(parse(&render(&check)), Ok(check));
}
