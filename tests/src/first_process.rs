//! Stands in for the appliance's first process where there is none: takes orders at its socket, says ok, and does nothing.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What lbd asks by itself again and again, and what is answered.
const BY_ITSELF: [(&str, &str); 2] =
    [("systems", "ok {\"running\":\"0.1.0\",\"on_trial\":false,\"other\":null}\n"), ("proven", "ok\n")];

/// The same once this version is installed.
fn with_installed(version: &str) -> String {
    let other = format!("{{\"version\":\"{version}\",\"standing\":\"waiting\"}}");
    format!("ok {{\"running\":\"0.1.0\",\"on_trial\":false,\"other\":{other}}}\n")
}

/// As long as the test runs.
#[derive(Debug)]
pub struct FirstProcess {
    socket: PathBuf,
    orders: Arc<Mutex<Vec<String>>>,
}

impl FirstProcess {
    /// Listens at a new socket of this path, which everybody may open.
    pub fn at(socket: PathBuf) -> Self {
        Self::listening(socket, None)
    }

    /// The same, but tells from the first order to install on that it has installed this version.
    pub fn that_installs(socket: PathBuf, version: &'static str) -> Self {
        Self::listening(socket, Some(version))
    }

    fn listening(socket: PathBuf, version: Option<&'static str>) -> Self {
        let listener = UnixListener::bind(&socket).expect("lab folder");
        std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).expect("own file");
        let orders = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&orders);
        std::thread::spawn(move || {
            listener.incoming().flatten().for_each(|stream| answer(&stream, &heard, version));
        });
        Self { socket, orders }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What was ordered, in order; not what lbd asks by itself.
    pub fn orders(&self) -> Vec<String> {
        self.orders.lock().expect("not poisoned").clone()
    }
}

/// Whoever asked may have gone.
fn answer(mut stream: &UnixStream, orders: &Mutex<Vec<String>>, version: Option<&str>) {
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line);
    let word = line.trim_end();
    let has_installed = orders.lock().expect("not poisoned").iter().any(|order| order == "install");
    let known = BY_ITSELF.iter().find(|(asked, _)| *asked == word).map(|(_, answer)| *answer);
    if known.is_none() && !word.is_empty() {
        orders.lock().expect("not poisoned").push(word.to_owned());
    }
    let told = match (word, version) {
        ("install", Some(version)) => format!("ok {version}\n"),
        ("systems", Some(version)) if has_installed => with_installed(version),
        _ => known.unwrap_or("ok\n").to_owned(),
    };
    let _ = stream.write_all(told.as_bytes());
}
