//! The log at a real syslog server: rsyslog, over UDP, TCP and TLS, and while it is away.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lab::{Config, Host, Lab, Process, wait};

const PORT: u16 = 10_514;
/// A line that cannot be sent is tried again after a second, then after two, four and so on.
const AGAIN: Duration = Duration::from_secs(60);

/// rsyslog on a host of the lab.
struct Rsyslog<'lab> {
    host: &'lab Host,
    folder: PathBuf,
    configuration: PathBuf,
}

impl<'lab> Rsyslog<'lab> {
    /// With one input, in rsyslog's own words.
    fn new(host: &'lab Host, input: &str) -> Self {
        let folder = host.new_folder("rsyslog");
        let configuration = folder.join("rsyslog.conf");
        let text = format!(
            "global(workDirectory=\"{0}\" maxMessageSize=\"8k\")\n{input}\n\
             template(name=\"plain\" type=\"string\" string=\"%syslogfacility-text%.%syslogseverity-text% %hostname% \
             %programname%:%msg%\\n\")\n\
             action(type=\"omfile\" file=\"{0}/received\" template=\"plain\")\n",
            folder.display()
        );
        std::fs::write(&configuration, text).expect("lab folder");
        Self { host, folder, configuration }
    }

    fn start(&self) -> Arc<Process> {
        let mut command = self.host.command("/usr/sbin/rsyslogd");
        command.args(["-n", "-i"]).arg(self.folder.join("pid")).arg("-f").arg(&self.configuration);
        let process = self.host.start(command, "rsyslogd");
        // What is sent by UDP before that is lost.
        let sockets = || self.host.run(format!("ss -Hlntu sport = :{PORT}")).stdout;
        wait::until(AGAIN, "rsyslog to listen", || !sockets().trim().is_empty());
        process
    }

    fn received(&self) -> String {
        std::fs::read_to_string(self.folder.join("received")).unwrap_or_default()
    }

    fn wait_for(&self, words: &str) {
        wait::until(AGAIN, format!("rsyslog to have {words:?}"), || self.received().contains(words));
    }

    fn count(&self, words: &str) -> usize {
        self.received().lines().filter(|line| line.contains(words)).count()
    }
}

fn lbd(lab: &Lab, arguments: &str) {
    let socket = lab.lbd().control_socket();
    lab.lbd().command(&format!("{arguments} --control-socket {}", socket.display()), "").expect_ok();
}

/// A change, which the log tells of.
fn change(lab: &Lab, weight: u8) -> String {
    lbd(lab, &format!("server weight DATALINK_POOL1 DATALINK_POOL1_NODE1 {weight}"));
    format!("-> {weight}")
}

fn view(lab: &Lab) -> serde_json::Value {
    lab.lbd().status()["syslog_servers"][0].clone()
}

#[test]
fn lines_arrive_over_udp_and_tcp_as_they_come_and_as_grave_as_is_wanted() {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    for transport in ["udp", "tcp"] {
        lab.lbd().start(&Config::datalink());
        let input = format!("module(load=\"im{transport}\")\ninput(type=\"im{transport}\" port=\"{PORT}\")");
        let rsyslog = Rsyslog::new(host, &input);
        let process = rsyslog.start();
        lbd(&lab, &format!("syslog add SIEM {} transport={transport} port={PORT}", host.address()));
        rsyslog.wait_for(&change(&lab, 50));
        let host_name = lab.lbd().status()["host_name"].as_str().expect("a name").to_owned();
        rsyslog.wait_for(&format!("daemon.info {host_name} lbd:"));
        assert_eq!(rsyslog.count("-> 50"), 1);
        // The server has a line a moment before the status tells of it.
        wait::until(AGAIN, "the server to be well", || view(&lab)["state"] == "up");
        lbd(&lab, "syslog edit SIEM severity=warning");
        let calm = change(&lab, 60);
        // What is asked for twice is a line of its own; then nothing calm is under way any more.
        lbd(&lab, "syslog edit SIEM severity=info");
        rsyslog.wait_for(&change(&lab, 70));
        assert_eq!(rsyslog.count(&calm), 0, "{}", rsyslog.received());
        lab.lbd().stop();
        process.kill();
        std::fs::remove_dir_all(lab.lbd().state_folder()).expect("the state of lbd");
    }
}

#[test]
fn what_comes_while_the_server_is_away_arrives_once_it_is_back() {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    lab.lbd().start(&Config::datalink());
    let input = format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{PORT}\")");
    let rsyslog = Rsyslog::new(host, &input);
    let process = rsyslog.start();
    lbd(&lab, &format!("syslog add SIEM {} transport=tcp port={PORT}", host.address()));
    rsyslog.wait_for(&change(&lab, 50));
    process.kill();
    wait::until(AGAIN, "the loss to be told", || view(&lab)["state"] == "down");
    let problems = || lab.lbd().status()["problems"].to_string();
    assert!(problems().contains("The syslog server SIEM"), "{}", problems());
    wait::until(AGAIN, "the reason to be told", || problems().contains("refused"));
    let missed = [change(&lab, 60), change(&lab, 70)];
    let _process = rsyslog.start();
    missed.iter().for_each(|words| rsyslog.wait_for(words));
    wait::until(AGAIN, "the server to be well again", || view(&lab)["state"] == "up");
    assert_eq!(missed.map(|words| rsyslog.count(&words)), [1, 1]);
    assert!(!problems().contains("SIEM"), "{}", problems());
}

const ALERTS: &str = "\n[alerts]\nhold_down_seconds = 5\ngathering_seconds = 2\n";

/// Each has all lines, and an alert among them, whatever the other does.
#[test]
fn several_servers_get_each_line_and_alerts_too_while_another_is_away() {
    let lab = Lab::single_arm();
    let hosts = ["POOL2_NODE1", "POOL3_NODE1"].map(|name| lab.server(name));
    let inputs = ["udp", "tcp"].map(|transport| {
        format!("module(load=\"im{transport}\")\ninput(type=\"im{transport}\" port=\"{PORT}\")")
    });
    let both = [Rsyslog::new(hosts[0], &inputs[0]), Rsyslog::new(hosts[1], &inputs[1])];
    let _processes = [both[0].start(), both[1].start()];
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    lab.lbd().start(&lab.config([&lab.pool()]).followed_by(ALERTS));
    lab.lbd().wait_service("POOL", "up");
    lbd(&lab, &format!("syslog add AWAY 192.168.10.112 transport=tcp port={}", PORT + 1));
    lbd(&lab, &format!("syslog add SIEM {} transport=udp port={PORT}", hosts[0].address()));
    lbd(&lab, &format!("syslog add ARCHIVE {} transport=tcp port={PORT}", hosts[1].address()));
    lbd(&lab, "server weight POOL NODE1 50");
    for rsyslog in &both {
        rsyslog.wait_for("weight of NODE1 100 -> 50");
        assert_eq!(rsyslog.count("weight of NODE1 100 -> 50"), 1);
    }
    servers[1].kill();
    for rsyslog in &both {
        rsyslog.wait_for("NODE2 of POOL (192.168.10.111) is down");
        let told = rsyslog.received();
        let alert = told.lines().find(|line| line.contains("NODE2 of POOL (192.168.10.111) is down"));
        assert!(alert.is_some_and(|line| line.starts_with("daemon.warning ")), "{told}");
    }
}

#[test]
fn over_tls_only_the_right_server_gets_the_log() {
    let lab = Lab::single_arm();
    let host = lab.server("NODE1");
    lab.lbd().start(&Config::datalink());
    let authority = host.authority("hospital");
    let certificate = host.certificate("siem", &authority, 20);
    let input = format!(
        "global(defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{0}\" \
         defaultNetstreamDriverCertFile=\"{1}\" defaultNetstreamDriverKeyFile=\"{2}\")\n\
         module(load=\"imtcp\" streamDriver.name=\"gtls\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n\
         input(type=\"imtcp\" port=\"{PORT}\")",
        authority.certificate.display(),
        certificate.certificate.display(),
        certificate.key.display()
    );
    let rsyslog = Rsyslog::new(host, &input);
    let _process = rsyslog.start();
    lbd(&lab, &format!("syslog add SIEM {} transport=tls port={PORT}", host.address()));
    wait::until(AGAIN, "the wrong certificate to be told", || view(&lab)["state"] == "down");
    let reason = view(&lab)["reason"].to_string();
    assert!(reason.contains("certificate") || reason.contains("Issuer"), "{reason}");
    let missed = change(&lab, 50);
    let server = serde_json::json!({
        "label": "SIEM",
        "address": host.address().to_string(),
        "port": PORT,
        "transport": "tls",
        "tls_verify": authority.pem(),
        "tls_server_name": "siem",
    });
    let put = lab.lbd().request("PUT", "/api/v1/syslog-servers/SIEM", Some(&server.to_string()));
    put.expect(200);
    rsyslog.wait_for(&change(&lab, 60));
    wait::until(AGAIN, "the server to be well", || view(&lab)["state"] == "up");
    assert_eq!(rsyslog.count(&missed), 1, "what waited outlives the correction: {}", rsyslog.received());
}
