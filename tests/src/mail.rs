//! Mail: Debian's Postfix as an instance of its own, dnsmasq as name server, and a mail server that misbehaves.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::SOON;
use crate::host::Host;
use crate::peers::{peer_script, python};
use crate::process::Process;
use crate::servers::Certificate;
use crate::wait;

/// The domain whose mail the lab's servers take.
pub const DOMAIN: &str = "hospital.example";

/// A running Postfix that takes all mail for [`DOMAIN`].
#[derive(Debug)]
pub struct MailServer {
    /// The running master process.
    pub process: Arc<Process>,
    inbox: PathBuf,
}

/// What a smart host demands.
#[derive(Debug, Clone, Copy)]
pub struct Demands<'a> {
    /// Its certificate, for STARTTLS.
    pub certificate: &'a Certificate,
    /// User and password, only over TLS.
    pub credentials: (&'a str, &'a str),
}

impl MailServer {
    /// Every mail that has arrived, in the order of the names of their files.
    pub fn mails(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.inbox.join("new")) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
        let text = |path: &PathBuf| std::fs::read_to_string(path).expect("a mail that has arrived");
        paths.iter().map(|path| text(path).replace("=\n", "").replace("=3D", "=")).collect()
    }

    /// Waits until so many mails have arrived, and returns them.
    pub fn wait_mails(&self, count: usize, deadline: std::time::Duration) -> Vec<String> {
        let what = format!("{count} mails to arrive; Postfix says:\n{}", self.process.log());
        wait::until_some(deadline, what, || Some(self.mails()).filter(|mails| mails.len() >= count)).0
    }
}

impl Host {
    /// Starts Postfix on port 25 and waits until it listens. It takes mail for [`DOMAIN`] from everybody, or, with
    /// `demands`, from whoever fulfils them.
    pub fn postfix(&self, name: &str, demands: Option<Demands<'_>>) -> MailServer {
        let folder = self.new_folder("postfix");
        let of_postfix = |name: &str| {
            let path = folder.join(name);
            std::fs::create_dir(&path).expect("lab folder");
            self.run(format!("chown postfix: {}", path.display())).expect_ok();
            path
        };
        let (data, mail) = (of_postfix("data"), of_postfix("mail"));
        std::fs::create_dir(folder.join("queue")).expect("lab folder");
        let user = self.run("id -u postfix").expect_ok().trim().to_owned();
        let group = self.run("id -g postfix").expect_ok().trim().to_owned();
        let shown = folder.display();
        let mut settings = format!(
            "compatibility_level = 3.6\nqueue_directory = {shown}/queue\ndata_directory = {}\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\nmyhostname = {name}.{DOMAIN}\nmydestination =\nmynetworks = 127.0.0.0/8\n\
             maillog_file = /dev/stdout\nvirtual_mailbox_domains = {DOMAIN}\nvirtual_mailbox_base = {}\n\
             virtual_mailbox_maps = static:inbox/\nvirtual_uid_maps = static:{user}\nvirtual_gid_maps = static:{group}\n\
             smtpd_relay_restrictions = reject_unauth_destination\ndisable_dns_lookups = yes\n\
             smtpd_peername_lookup = no\nalias_maps =\nlocal_recipient_maps =\n",
            data.display(),
            mail.display()
        );
        if let Some(demands) = demands {
            settings += &self.demanding(&folder, demands);
        }
        std::fs::write(folder.join("main.cf"), settings).expect("lab folder");
        std::fs::write(folder.join("master.cf"), MASTER).expect("lab folder");
        let mut command = self.command("postfix");
        command.arg("-c").arg(&folder).arg("start-fg");
        let process = self.start(command, "postfix");
        process.wait_listening(25);
        MailServer { process, inbox: mail.join("inbox") }
    }

    fn demanding(&self, folder: &Path, demands: Demands<'_>) -> String {
        let Certificate { certificate, key } = demands.certificate;
        let (user, password) = demands.credentials;
        let users = folder.join("sasldb2");
        let line = format!("saslpasswd2 -c -p -f {} -u {DOMAIN} {user}", users.display());
        self.run_with_input(line, password).expect_ok();
        self.run(format!("chown postfix: {}", users.display())).expect_ok();
        let sasl = folder.join("sasl");
        std::fs::create_dir(&sasl).expect("lab folder");
        let settings = format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {}\n",
            users.display()
        );
        std::fs::write(sasl.join("smtpd.conf"), settings).expect("lab folder");
        std::fs::set_permissions(key, PermissionsExt::from_mode(0o644)).expect("own file");
        format!(
            "smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n\
             smtpd_tls_auth_only = yes\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_local_domain = {DOMAIN}\n\
             cyrus_sasl_config_path = {}\nsmtpd_recipient_restrictions = permit_sasl_authenticated, reject\n",
            certificate.display(),
            key.display(),
            sasl.display()
        )
    }

    /// Starts a name server that knows these records, in dnsmasq's words, and nothing else.
    pub fn name_server(&self, records: &[&str]) -> Arc<Process> {
        let mut command = self.command("dnsmasq");
        command.args([
            "--no-daemon",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--local=/example/",
        ]);
        command.args(["--user=root", "--pid-file"]);
        command.args(records.iter().map(|record| format!("--{record}")));
        let process = self.start(command, "dnsmasq");
        process.wait_listening(53);
        process
    }

    /// Starts a mail server with this behaviour (`tests/peers/smtp.py` lists them) and waits until it listens.
    pub fn nasty_mail_server(
        &self,
        port: u16,
        mode: &str,
        certificate: Option<&Certificate>,
    ) -> Arc<Process> {
        let mut command = self.command(&python().to_string_lossy());
        command.arg(peer_script("smtp.py")).args(["--port", &port.to_string(), "--mode", mode]);
        if let Some(Certificate { certificate, key }) = certificate {
            command.arg("--certificate").arg(certificate).arg("--key").arg(key);
        }
        let process = self.start(command, "smtp");
        process.wait_listening(port);
        process
    }

    /// Waits until `process` has said this in its log.
    pub fn wait_said(&self, process: &Process, words: &str) {
        wait::until(SOON, format!("{words:?} in the log"), || process.log().contains(words));
    }
}

/// The services of Postfix that take mail and put it into a mailbox; none in a chroot.
const MASTER: &str = "\
smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";
