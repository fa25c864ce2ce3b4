//! As much of W3C WebDriver as is needed: JSON over HTTP/1.1, over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::namespace::Namespace;

/// Longer than a page may take to load, after a file of forty megabytes has gone into an emulated machine, too.
const ANSWER: Duration = Duration::from_secs(300);

/// A session of chromedriver; it ends, with its browser, on drop.
#[derive(Debug)]
pub(super) struct Session {
    connection: Mutex<BufReader<TcpStream>>,
    path: String,
}

impl Session {
    /// Opens a browser through the chromedriver that listens on `port` in `namespace`.
    pub(super) fn open(namespace: &Namespace, port: u16, capabilities: &Value) -> Self {
        let stream = namespace.connect(Ipv4Addr::LOCALHOST, port);
        stream.set_read_timeout(Some(ANSWER)).expect("a socket");
        let mut session = Self { connection: Mutex::new(BufReader::new(stream)), path: "/session".into() };
        let opened = session.request("POST", "", capabilities).expect("a browser starts");
        session.path = format!("/session/{}", opened["sessionId"].as_str().expect("a session"));
        session
    }

    /// A command that must succeed.
    pub(super) fn post(&self, command: &str, body: &Value) -> Value {
        self.try_post(command, body).unwrap_or_else(|error| panic!("{command} {body}: {error}"))
    }

    /// A command, or why it failed.
    pub(super) fn try_post(&self, command: &str, body: &Value) -> Result<Value, String> {
        self.request("POST", &format!("/{command}"), body)
    }

    /// A question that must be answered.
    pub(super) fn get(&self, command: &str) -> Value {
        self.try_get(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// A question, or why it is not answered.
    pub(super) fn try_get(&self, command: &str) -> Result<Value, String> {
        self.request("GET", &format!("/{command}"), &Value::Null)
    }

    /// A command of the browser's own protocol.
    pub(super) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    fn request(&self, method: &str, command: &str, body: &Value) -> Result<Value, String> {
        let mut connection = self.connection.lock().map_err(|_| "an earlier command panicked")?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {}{command} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.path,
            body.len()
        );
        let failed = |error: std::io::Error| format!("no answer from chromedriver: {error}");
        connection.get_mut().write_all((head + &body).as_bytes()).map_err(failed)?;
        let answer = read_body(&mut connection).map_err(failed)?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        match answer["value"]["error"].as_str() {
            Some(error) => {
                Err(format!("{error}: {}", answer["value"]["message"].as_str().unwrap_or_default()))
            }
            None => Ok(answer["value"].clone()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Without an answer the browser dies with its driver.
        let _ = self.request("DELETE", "", &Value::Null);
    }
}

fn read_body(connection: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(body)
}
