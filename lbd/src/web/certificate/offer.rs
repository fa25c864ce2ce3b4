//! A certificate with its key that somebody brings: usable, or each fault named by its field. Pure; takes any text.

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::about::about;
use crate::config::Problem;

/// A chain of four with its key has about 10 KB.
pub const LARGEST: usize = 64 << 10;
/// Chains have two to four.
const MOST_CERTIFICATES: usize = 8;
/// The field of the certificates.
pub const CERTIFICATE: &str = "certificate";
/// The field of the key.
pub const PRIVATE_KEY: &str = "private_key";

fn problem(field: &str, problem: impl Into<String>, remedy: &str) -> Vec<Problem> {
    vec![Problem { field: field.into(), problem: problem.into(), remedy: remedy.into() }]
}

/// Certificate chain and key as one PEM text, the server's own certificate first. `certificate` may hold the key too;
/// where no key is given, the certificate must belong to `present_key`, a PEM text.
pub fn checked(
    certificate: &str,
    private_key: &str,
    present_key: &str,
    now: Timestamp,
) -> Result<String, Vec<Problem>> {
    let size = certificate.len() + private_key.len();
    if size > LARGEST {
        let what = format!("{size} bytes are more than the {LARGEST} allowed");
        return Err(problem(
            CERTIFICATE,
            what,
            "give the server's certificate and its intermediate ones only",
        ));
    }
    let chain = chain(certificate)?;
    let is_given = !private_key.trim().is_empty();
    let key_text = match (is_given, certificate.contains("PRIVATE KEY-----")) {
        (true, _) => private_key,
        (false, true) => certificate,
        (false, false) => present_key,
    };
    let (key, public) = key(key_text)?;
    let chain = own_first(chain, &public, is_given || key_text == certificate)?;
    in_time(&chain[0], now)?;
    let certificates: String = chain.iter().map(|one| pem("CERTIFICATE", one)).collect();
    let kind = match &key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    Ok(certificates + &pem(kind, key.secret_der()))
}

fn chain(text: &str) -> Result<Vec<CertificateDer<'static>>, Vec<Problem>> {
    let begins = "paste text that begins with -----BEGIN CERTIFICATE-----; a DER file becomes PEM with \
                  `openssl x509 -inform der -in FILE`, a PKCS#12 file with `openssl pkcs12 -nodes -in FILE`";
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let what = if text.trim().is_empty() {
            "the certificate is missing"
        } else {
            "this is no certificate in PEM"
        };
        return Err(problem(CERTIFICATE, what, begins));
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let whole = "copy it again, from the first -----BEGIN to the last -----END line";
    let chain = certificates
        .map_err(|_| problem(CERTIFICATE, "the PEM text of a certificate is not whole", whole))?;
    if chain.len() > MOST_CERTIFICATES {
        let what = format!("{} certificates are more than the {MOST_CERTIFICATES} allowed", chain.len());
        return Err(problem(CERTIFICATE, what, "give the server's own and its intermediate ones only"));
    }
    match chain.iter().position(|one| about(one).is_none()) {
        Some(index) => Err(problem(
            CERTIFICATE,
            format!("certificate {} of {} cannot be read", index + 1, chain.len()),
            whole,
        )),
        None if chain.is_empty() => {
            Err(problem(CERTIFICATE, "the PEM text of a certificate is not whole", whole))
        }
        None => Ok(chain),
    }
}

/// The key, and its public half.
fn key(text: &str) -> Result<(PrivateKeyDer<'static>, Vec<u8>), Vec<Problem>> {
    let wrong = |what: &str, remedy: &str| problem(PRIVATE_KEY, what, remedy);
    if text.contains("ENCRYPTED") {
        let remedy = "remove the passphrase with `openssl pkey -in FILE`, and paste what it prints";
        return Err(wrong("the private key is protected by a passphrase", remedy));
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        let remedy =
            "paste text that begins with -----BEGIN PRIVATE KEY-----, RSA PRIVATE KEY or EC PRIVATE KEY";
        wrong("this is no private key in PEM", remedy)
    })?;
    let usable = aws_lc_rs::default_provider().key_provider.load_private_key(key.clone_key());
    let public = usable.ok().and_then(|key| key.public_key().map(|public| public.to_vec()));
    let kinds = "use RSA with 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519";
    public.map(|public| (key, public)).ok_or_else(|| wrong("this kind of private key cannot be used", kinds))
}

/// The certificate of this key first, as TLS wants it (RFC 8446 section 4.4.2), whatever the order of the text.
fn own_first(
    mut chain: Vec<CertificateDer<'static>>,
    public: &[u8],
    is_given: bool,
) -> Result<Vec<CertificateDer<'static>>, Vec<Problem>> {
    let is_of_key = |one: &CertificateDer<'_>| {
        X509Certificate::from_der(one).is_ok_and(|(_, parsed)| parsed.public_key().raw == public)
    };
    let Some(own) = chain.iter().position(is_of_key) else {
        let subject = about(&chain[0]).map(|one| one.subject).unwrap_or_default();
        return Err(match is_given {
            true => problem(
                PRIVATE_KEY,
                format!("the private key does not belong to the certificate of {subject}"),
                "give the key with which this certificate was requested",
            ),
            false => problem(
                PRIVATE_KEY,
                format!("the certificate of {subject} does not belong to the key in use"),
                "give its own private key too",
            ),
        });
    };
    let own = chain.remove(own);
    chain.insert(0, own);
    Ok(chain)
}

fn in_time(certificate: &CertificateDer<'_>, now: Timestamp) -> Result<(), Vec<Problem>> {
    let Some(about) = about(certificate) else { return Ok(()) };
    let day = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
    if about.ends <= now {
        return Err(problem(
            CERTIFICATE,
            format!("the certificate of {} ended on {}", about.subject, day(about.ends)),
            "have it renewed",
        ));
    }
    if about.begins > now {
        return Err(problem(
            CERTIFICATE,
            format!("the certificate of {} counts from {} only", about.subject, day(about.begins)),
            "wait, or set the date of the appliance if it is wrong",
        ));
    }
    Ok(())
}

/// RFC 7468.
fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    format!("-----BEGIN {kind}-----\n{}-----END {kind}-----\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::web::certificate::settings;

    fn now() -> Timestamp {
        "2026-11-25T10:00:00Z".parse().unwrap()
    }

    /// A certificate that counts in these years, and its key.
    fn pair(name: &str, years: (i32, i32)) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn refused(certificate: &str, key: &str, present: &str) -> (String, String) {
        let problems = checked(certificate, key, present, now()).expect_err("it was taken");
        (problems[0].field.clone(), problems[0].problem.clone())
    }

    #[test]
    fn a_pair_is_taken_in_any_order_and_serves() {
        let (own, key) = pair("lb.hospital.example", (2026, 2028));
        let (other, _) = pair("authority", (2020, 2040));
        for (certificate, private_key, present) in [
            (own.clone(), key.clone(), String::new()),
            (format!("{own}{other}"), key.clone(), String::new()),
            (format!("{other}{own}"), key.clone(), String::new()),
            (format!("{key}{own}"), " \n".into(), String::new()),
            (own.clone(), String::new(), key.clone()),
        ] {
            let pem = checked(&certificate, &private_key, &present, now()).unwrap();
            settings(&pem).unwrap();
            let first = CertificateDer::pem_slice_iter(pem.as_bytes()).next().unwrap().unwrap();
            assert!(about(&first).unwrap().subject.contains("lb.hospital.example"));
        }
    }

    #[test]
    fn each_fault_is_named_with_its_field() {
        let (own, key) = pair("lb", (2026, 2028));
        let (_, other_key) = pair("other", (2026, 2028));
        let (old, old_key) = pair("old", (2020, 2025));
        let (early, early_key) = pair("early", (2027, 2028));
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let cut = &own[..own.len() / 2];
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, private_key, present, field, words) in [
            ("", key.as_str(), "", CERTIFICATE, "missing"),
            ("some text", &key, "", CERTIFICATE, "no certificate in PEM"),
            (cut, &key, "", CERTIFICATE, "not whole"),
            (garbage, &key, "", CERTIFICATE, "cannot be read"),
            (&own, "some text", "", PRIVATE_KEY, "no private key"),
            (&own, &encrypted, "", PRIVATE_KEY, "passphrase"),
            (&own, &other_key, "", PRIVATE_KEY, "does not belong to the certificate of"),
            (&own, "", &other_key, PRIVATE_KEY, "does not belong to the key in use"),
            (&old, &old_key, "", CERTIFICATE, "ended on 2025-01-01"),
            (&early, &early_key, "", CERTIFICATE, "counts from 2027-01-01"),
            (&own.repeat(9), &key, "", CERTIFICATE, "more than the 8"),
            (&"x".repeat(LARGEST + 1), &key, "", CERTIFICATE, "bytes are more"),
        ] {
            let (at, what) = refused(certificate, private_key, present);
            assert_eq!(at, field, "{what}");
            assert!(what.contains(words), "{what}");
            assert!(!what.contains("BEGIN"), "repeats what was given");
        }
    }

    #[test]
    fn a_certificate_tells_its_names_and_its_end() {
        let (own, _) = pair("lb.hospital.example", (2026, 2028));
        let der = CertificateDer::from_pem_slice(own.as_bytes()).unwrap();
        let about = about(&der).unwrap();
        assert_eq!(about.names, ["lb.hospital.example"]);
        assert!(about.is_self_signed && about.fingerprint.len() == 95, "{about:?}");
        assert_eq!(about.days_left("2027-12-31T00:00:00Z".parse().unwrap()), 1);
        assert_eq!(about.days_left("2028-01-01T00:00:01Z".parse().unwrap()), -1);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(certificate in ".{0,200}", key in ".{0,200}") {
            let _ = checked(&certificate, &key, "", now());
            let wrapped = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----");
            let _ = checked(&wrapped, &key, "", now());
        }
    }
}
