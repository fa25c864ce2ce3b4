//! Servers other than DICOM's: nginx, TCP servers that answer well or badly, and certificates for both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host::Host;
use crate::peers::{peer_script, python};
use crate::process::Process;

/// A certificate with its key, as files.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// The certificate as text.
    pub fn pem(&self) -> String {
        std::fs::read_to_string(&self.certificate).expect("a certificate that was just made")
    }
}

impl Host {
    /// A certificate authority of its own.
    pub fn authority(&self, name: &str) -> Certificate {
        self.make_certificate(name, &format!("-days 90 -subj /CN={name}"))
    }

    /// A certificate for `name`, issued by `authority`, that counts for so many days.
    pub fn certificate(&self, name: &str, authority: &Certificate, days: u32) -> Certificate {
        let Certificate { certificate, key } = authority;
        let (certificate, key) = (certificate.display(), key.display());
        // The last word keeps openssl from making another authority.
        let wanted = format!(
            "-days {days} -subj /CN={name} -addext subjectAltName=DNS:{name} -CA {certificate} -CAkey {key} \
             -addext basicConstraints=critical,CA:FALSE"
        );
        self.make_certificate(name, &wanted)
    }

    /// The SHA-256 fingerprint of what TLS shows at `place` (address and port), as browsers show it.
    pub fn fingerprint_at(&self, place: &str) -> String {
        let shown = self.run(format!("openssl s_client -connect {place}")).stdout;
        let printed = self.run_with_input("openssl x509 -noout -fingerprint -sha256", &shown);
        printed.expect_ok().trim().split_once('=').expect("a fingerprint").1.to_owned()
    }

    fn make_certificate(&self, name: &str, wanted: &str) -> Certificate {
        let [certificate, key] = ["pem", "key"].map(|kind| self.new_path(&format!("{name}.{kind}")));
        let files = format!("-keyout {} -out {}", key.display(), certificate.display());
        let kind = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        self.run(format!("openssl req -x509 {kind} {files} {wanted}")).expect_ok();
        Certificate { certificate, key }
    }

    /// Starts nginx on port 80 and, with `certificate`, on port 443: `/health` says "all is well", `/busy` answers
    /// with status 503.
    pub fn website(&self, certificate: &Certificate) -> Arc<Process> {
        let folder = self.new_folder("nginx");
        let file = folder.join("nginx.conf");
        std::fs::write(&file, site(&folder, certificate)).expect("lab folder");
        let mut command = self.command("nginx");
        command.arg("-c").arg(&file).arg("-p").arg(&folder);
        let process = self.start(command, "nginx");
        process.wait_listening(443);
        process
    }

    /// Starts a TCP server with this behaviour (`tests/peers/answers.py` lists them) and waits until it listens.
    pub fn answering(&self, port: u16, mode: &str) -> Arc<Process> {
        let mut command = self.command(&python().to_string_lossy());
        command.arg(peer_script("answers.py")).args(["--port", &port.to_string(), "--mode", mode]);
        let process = self.start(command, "answers");
        process.wait_listening(port);
        process
    }
}

fn site(folder: &Path, Certificate { certificate, key }: &Certificate) -> String {
    let (folder, certificate, key) = (folder.display(), certificate.display(), key.display());
    format!(
        "daemon off; master_process off; error_log {folder}/error.log; pid {folder}/nginx.pid;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};\n\
         fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n\
         server {{ listen 80; listen 443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
         location /health {{ return 200 \"all is well\\n\"; }}\n\
         location /busy {{ return 503; }} }} }}\n"
    )
}
