//! The thread that runs the checks.

use std::io;

use tokio::runtime::{Builder, Handle};

/// Starts a thread for checks alone, for ever, and gives the way to it. A check is a chain of short waits, and there may be
/// hundreds a second: among workers that look for work at each other's, every wait costs a second turn of the processor,
/// and what lbd does otherwise can make a check late.
///
/// Fails where the system gives no thread.
pub fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let way = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("checks".into()).spawn(run)?;
    Ok(way)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_check_that_panics_ends_alone() {
        let way = super::start().unwrap();
        let (sender, results) = std::sync::mpsc::channel();
        for number in 0..3 {
            let sender = sender.clone();
            way.spawn(async move {
                assert_ne!(number, 1, "one of the three fails");
                sender.send((number, std::thread::current().name().map(str::to_owned)))
            });
        }
        drop(sender);
        let results: Vec<_> = results.iter().collect();
        assert_eq!(results, [(0, Some("checks".to_owned())), (2, Some("checks".to_owned()))]);
    }
}
