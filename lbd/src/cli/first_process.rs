//! Orders to the appliance's first process, over its socket: one line there, one line back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The first process answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gives the order. The error is a sentence for whoever stands at the machine.
pub(super) fn order(socket: &Path, word: &str) -> Result<(), String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{word}\n").as_bytes())?;
        let mut answer = [0; 256];
        let length = stream.read(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer[..length]).trim().to_owned())
    };
    match ask() {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(format!("The first process refuses: {answer}.")),
        Err(error) => {
            let socket = socket.display();
            Err(format!("The first process is not reached at {socket}: {error}. Use the hypervisor instead."))
        }
    }
}
