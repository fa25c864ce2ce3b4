//! Seeded randomness and how many moments a randomised story tries.

/// How many moments to try: `few` in `make test`, `many` in `make test-long`.
pub fn rounds(few: u64, many: u64) -> u64 {
    if is_long() { many } else { few }
}

/// Whether this is `make test-long`.
pub fn is_long() -> bool {
    std::env::var_os("EVENKEEL_LONG").is_some()
}

/// The seed of this run: `EVENKEEL_SEED`, or a new one. Printed, so that a failure can be repeated.
///
/// # Panics
/// When `EVENKEEL_SEED` is not a number.
pub fn seed(story: &str) -> u64 {
    let seed = match std::env::var("EVENKEEL_SEED") {
        Ok(text) => text.parse().expect("EVENKEEL_SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    println!("{story}: repeat with EVENKEEL_SEED={seed}");
    seed
}
