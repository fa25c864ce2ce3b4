//! Guessing passwords at the form with which people log in: slow from one address, and from however many it keeps nobody
//! out who does not guess.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use lab::lbd::SOON;
use lab::{Host, Lab, wait};

use super::{AT_ONCE, PASSWORD, opened};

/// Addresses that one machine of the lab uses as its own.
const GUESSERS: &str = "10.9.0.0/16";
/// As many as an attacker might have in a hospital's network.
const ADDRESSES: u32 = 250;
const GUESSES_OF_EACH: u32 = 400;
/// For the verification of a guess from each address, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(300);

/// lbd with a password; NODE1 has the addresses of many.
fn started(lab: &Lab) -> String {
    lab.lbd().start(&lab.config([&lab.pool()]));
    let guesser = lab.server("NODE1");
    guesser.use_addresses(GUESSERS);
    lab.appliance().ip(format!("route add {GUESSERS} via {}", guesser.address()));
    opened(lab)
}

/// Sends the form with this password; what came back, with its head.
fn send_form(host: &Host, base: &str, from: Option<&str>, password: &str) -> String {
    let from = from.map(|address| format!("--interface {address} ")).unwrap_or_default();
    let form = format!("--data user=loadbalancer --data password={}", password.replace(' ', "+"));
    host.run(format!("curl --insecure --silent --include --max-time 20 {from}{form} {base}/login")).stdout
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn guessing_at_the_form_is_stopped_with_a_page_and_keeps_out_the_guesser_alone() {
    let lab = Lab::single_arm();
    let base = started(&lab);
    let guesser = lab.server("NODE1");
    let guess = |address: &str, password: &str| send_form(guesser, &base, Some(address), password);
    for number in 0..5 {
        assert_eq!(status(&guess("10.9.0.1", &format!("guess{number}"))), "401");
    }
    let stopped = guess("10.9.0.1", PASSWORD);
    assert_eq!(status(&stopped), "429", "{stopped}");
    let told = stopped.to_lowercase();
    assert!(told.contains("retry-after: ") && told.contains("content-type: text/html"), "{stopped}");
    assert!(told.contains("too many wrong passwords came from your address"), "{stopped}");
    assert_eq!(status(&guess("10.9.0.2", PASSWORD)), "303", "from elsewhere");
    assert_eq!(status(&send_form(lab.administrator(), &base, None, PASSWORD)), "303");
}

/// For curl: many wrong passwords from many addresses, in parallel.
fn flood(base: &str) -> String {
    let mut wishes = String::new();
    for guess in 0..GUESSES_OF_EACH {
        for address in 0..ADDRESSES {
            let [.., high, low] = (address + 1).to_be_bytes();
            let wish = format!(
                "url = \"{base}/login\"\ninterface = \"10.9.{high}.{low}\"\ninsecure\nsilent\nmax-time = 20\n\
                 data = \"user=loadbalancer&password=guess{guess}\"\noutput = \"/dev/null\"\n\
                 write-out = \"%{{http_code}} {high}.{low}\\n\"\nnext\n"
            );
            wishes.write_str(&wish).expect("writing to a string");
        }
    }
    wishes
}

#[test]
fn guessing_from_many_addresses_at_once_does_not_keep_the_administrator_out() {
    let lab = Lab::single_arm();
    let base = started(&lab);
    let guesser = lab.server("NODE1");
    let file = guesser.new_path("flood.curl");
    std::fs::write(&file, flood(&base)).expect("lab folder");
    let mut command = guesser.command("curl");
    command.args(["--parallel", "--parallel-immediate", "--parallel-max", "100", "--config"]).arg(&file);
    // Somebody has logged in from the administrator's machine before.
    let logs_in = |host: &Host| {
        let began = Instant::now();
        let answer = send_form(host, &base, None, PASSWORD);
        assert_eq!(status(&answer), "303", "{answer}");
        assert!(began.elapsed() < AT_ONCE, "logged in only after {:?}", began.elapsed());
    };
    logs_in(lab.administrator());
    let flood = guesser.start(command, "flood");
    // Guesses are being verified, and others find no place to wait.
    let answered = |code: &str| -> Vec<String> {
        let log = flood.log();
        let lines = log.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(known, _)| *known == code).map(|(_, address)| address.to_owned()).collect()
    };
    wait::until(SOON, "guesses that are refused, and guesses that wait in vain", || {
        answered("401").len() > 3 && answered("429").len() > 20
    });
    logs_in(lab.administrator());
    // Who comes from where nobody has logged in yet stands before all who have failed.
    let failed = || answered("401").into_iter().collect::<BTreeSet<_>>().len();
    wait::until(PATIENCE, "every address to have failed", || failed() == ADDRESSES as usize);
    println!("{} guesses were verified, {} refused unread", answered("401").len(), answered("429").len());
    logs_in(lab.server("NODE2"));
    assert!(flood.exited().is_none(), "the guessing went on meanwhile");
    flood.kill();
}
