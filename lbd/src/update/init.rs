//! Asks init: one line there, one line back.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// An answer is a line of some hundred bytes.
const LONGEST_ANSWER: u64 = 16 << 10;

/// What init answers behind `ok`; what it says against it, for people.
pub async fn ask(socket: &Path, word: &str, patience: Duration) -> Result<String, String> {
    let exchange = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(format!("{word}\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    };
    let answer: io::Result<String> = match tokio::time::timeout(patience, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(io::Error::other(format!("no answer within {} s", patience.as_secs()))),
    };
    let answer = answer.map_err(|error| format!("asking init at {}: {error}", socket.display()))?;
    match answer.split_once(' ').unwrap_or((&answer, "")) {
        ("ok", told) => Ok(told.to_owned()),
        ("error", why) => Err(why.to_owned()),
        _ => Err(format!("init's answer {answer:?} is not understood")),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    async fn answered(line: &'static str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("init.sock");
        let listener = UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 8];
            stream.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"systems\n");
            stream.write_all(line.as_bytes()).await.unwrap();
        });
        ask(&path, "systems", Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn answers() {
        assert_eq!(answered("ok 1.1\n").await, Ok("1.1".into()));
        assert_eq!(answered("ok\n").await, Ok(String::new()));
        assert_eq!(answered("error no: room\n").await, Err("no: room".into()));
        assert!(answered("what\n").await.unwrap_err().contains("not understood"));
        let nobody = ask(Path::new("/nowhere/init.sock"), "systems", Duration::from_secs(1)).await;
        assert!(nobody.unwrap_err().starts_with("asking init at /nowhere/init.sock: "));
    }

    #[tokio::test]
    async fn silence_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("init.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        let told = ask(&path, "systems", Duration::from_millis(20)).await.unwrap_err();
        assert!(told.contains("no answer within"), "{told}");
    }
}
