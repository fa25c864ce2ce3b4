//! The user-space proxies that we compare with, each at its best: TCP mode, splicing, one thread per CPU,
//! no persistence, no logs.

use std::fmt::Write as _;
use std::net::SocketAddrV4;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::Host;
use lab::process::Process;
use nix::sys::signal::Signal;

/// Where Debian's libnginx-mod-stream puts it.
pub const NGINX_STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
/// A proxy that is asked to end has nothing left to do.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// A port of a proxy, and the servers behind it.
#[derive(Debug, Clone)]
pub struct Frontend {
    /// Where clients connect.
    pub listen: SocketAddrV4,
    /// Where connections go.
    pub servers: Vec<SocketAddrV4>,
}

/// A running proxy. It is asked to end on drop, because nginx's workers outlive a killed master.
#[derive(Debug)]
pub struct Proxy(Arc<Process>);

impl Proxy {
    /// Starts HAProxy on `host` and waits until it listens.
    pub fn haproxy(host: &Host, frontends: &[Frontend]) -> Self {
        let file = host.new_path("haproxy.cfg");
        std::fs::write(&file, haproxy_configuration(frontends)).expect("lab folder");
        let mut command = host.command("haproxy");
        command.arg("-db").arg("-f").arg(file);
        Self::started(host.start(command, "haproxy"), frontends)
    }

    /// Starts nginx on `host` and waits until it listens.
    pub fn nginx(host: &Host, frontends: &[Frontend]) -> Self {
        let folder = host.new_path("nginx");
        std::fs::create_dir(&folder).expect("lab folder");
        let file = folder.join("nginx.conf");
        std::fs::write(&file, nginx_configuration(&folder, frontends)).expect("lab folder");
        let mut command = host.command("nginx");
        command.arg("-p").arg(&folder).arg("-e").arg(folder.join("early.log")).arg("-c").arg(file);
        Self::started(host.start(command, "nginx"), frontends)
    }

    /// Its process, nginx's master.
    pub fn process(&self) -> &Process {
        &self.0
    }

    fn started(process: Arc<Process>, frontends: &[Frontend]) -> Self {
        let proxy = Self(process);
        frontends.iter().for_each(|frontend| proxy.0.wait_listening(frontend.listen.port()));
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.0.exited().is_some() {
            return;
        }
        self.0.signal(Signal::SIGTERM);
        let asked = Instant::now();
        // Not `wait::until`: this may run while a failure unwinds. Whoever does not listen is killed later.
        while self.0.exited().is_none() && asked.elapsed() < END_DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The text of HAProxy's configuration.
pub fn haproxy_configuration(frontends: &[Frontend]) -> String {
    let mut text = "global\n  maxconn 4000\ndefaults\n  mode tcp\n  option splice-auto\n  \
        timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        .to_owned();
    for (number, Frontend { listen, servers }) in frontends.iter().enumerate() {
        writeln!(text, "listen service{number}\n  bind {listen}").expect("writing to a string");
        for (number, server) in servers.iter().enumerate() {
            writeln!(text, "  server server{number} {server}").expect("writing to a string");
        }
    }
    text
}

/// The text of nginx's configuration; its files are in `folder`.
pub fn nginx_configuration(folder: &Path, frontends: &[Frontend]) -> String {
    let folder = folder.display();
    let mut text = format!(
        "load_module {NGINX_STREAM_MODULE};\nuser root;\ndaemon off;\nworker_processes auto;\n\
         pid {folder}/nginx.pid;\nerror_log {folder}/error.log crit;\n\
         events {{ worker_connections 4096; }}\nstream {{\n"
    );
    for (number, Frontend { listen, servers }) in frontends.iter().enumerate() {
        let servers: String = servers.iter().map(|server| format!(" server {server};")).collect();
        writeln!(
            text,
            "  upstream service{number} {{{servers} }}\n  server {{ listen {listen}; proxy_pass service{number}; }}"
        )
        .expect("writing to a string");
    }
    text + "}\n"
}
