//! One question to an NTP server and its answer (RFC 5905 section 7.3, as a client of RFC 4330). Pure.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Without extensions or authentication.
pub const LENGTH: usize = 48;
/// Version 4, mode 3 (client).
const CLIENT: u8 = 4 << 3 | 3;
const MODE_SERVER: u8 = 4;
/// Leap indicator: the server's own clock is not synchronised.
const ALARM: u8 = 3;
/// Strata above are not synchronised (RFC 5905 figure 11).
const HIGHEST_STRATUM: u8 = 15;
/// Seconds from 1900, where NTP counts from, to 1970.
const EPOCH: i64 = 2_208_988_800;
/// NTP counts in 2^-32 s.
const FRACTIONS: f64 = 4_294_967_296.0;

/// What a server says of our clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// How far the server is from a clock that needs no other: 1 to 15.
    pub stratum: u8,
    /// So many seconds must be added to our clock: positive where ours is slow. Right as long as both are within 68 years.
    pub offset_seconds: f64,
    /// The way there and back, in seconds.
    pub round_trip_seconds: f64,
}

/// Why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not the answer to this question: a late one, or somebody else's. To be ignored.
    Foreign,
    /// The server does not want to be asked (kiss-o'-death, RFC 5905 section 7.4).
    Refused(String),
    /// It has no time to tell.
    Unsynchronised,
    /// Its times contradict each other.
    Nonsense,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("something else answered"),
            Self::Refused(code) => write!(f, "the server does not want to be asked (kiss code {code})"),
            Self::Unsynchronised => f.write_str("the server's own clock is not synchronised"),
            Self::Nonsense => f.write_str("the server's times contradict each other"),
        }
    }
}

/// A question. The number is random: who does not see the question cannot answer it, and nobody learns our time from it.
pub fn question(number: u64) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = CLIENT;
    packet[40..].copy_from_slice(&number.to_be_bytes());
    packet
}

/// Reads the answer to the question of this number, which was sent at `sent` and came `took` later, on the clock that does
/// not jump.
pub fn read(packet: &[u8], number: u64, sent: Timestamp, took: Duration) -> Result<Answer, Fault> {
    let header: &[u8; LENGTH] =
        packet.get(..LENGTH).and_then(|part| part.try_into().ok()).ok_or(Fault::Foreign)?;
    let (leap, version, mode) = (header[0] >> 6, header[0] >> 3 & 7, header[0] & 7);
    if mode != MODE_SERVER || !(3..=4).contains(&version) || field(header, 24) != number {
        return Err(Fault::Foreign);
    }
    let stratum = header[1];
    if stratum == 0 {
        let code = header[12..16].iter().map(|byte| char::from(*byte));
        return Err(Fault::Refused(code.filter(char::is_ascii_alphanumeric).collect()));
    }
    let (received, answered) = (field(header, 32), field(header, 40));
    if leap == ALARM || stratum > HIGHEST_STRATUM || answered == 0 {
        return Err(Fault::Unsynchronised);
    }
    // Differences are right across the end of an era (2036), as they are taken modulo 2^64.
    let took = took.as_secs_f64();
    let in_server = seconds(answered.wrapping_sub(received));
    let round_trip = took - in_server;
    // Clocks of 1 ms resolution may tell a little less than nothing.
    if in_server < 0.0 || round_trip < -0.01 {
        return Err(Fault::Nonsense);
    }
    let round_trip_seconds = round_trip.max(0.0);
    let there = seconds(received.wrapping_sub(of_wall(sent)));
    Ok(Answer { stratum, offset_seconds: there - round_trip_seconds / 2.0, round_trip_seconds })
}

fn field(header: &[u8; LENGTH], at: usize) -> u64 {
    header[at..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A difference: the nearer way round.
fn seconds(difference: u64) -> f64 {
    difference.cast_signed() as f64 / FRACTIONS
}

/// As NTP writes it: seconds since 1900 modulo 2^32, and their fractions.
fn of_wall(wall: Timestamp) -> u64 {
    let nanoseconds = wall.as_nanosecond() + i128::from(EPOCH) * 1_000_000_000;
    let whole = nanoseconds.div_euclid(1_000_000_000).rem_euclid(1 << 32);
    let fraction = (nanoseconds.rem_euclid(1_000_000_000) << 32) / 1_000_000_000;
    // Both are below 2^32.
    u64::try_from(whole << 32 | fraction).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const NUMBER: u64 = 0x0123_4567_89ab_cdef;

    /// An answer of a server that took `inside` to give it.
    fn answer(received: Timestamp, inside: SignedDuration) -> Vec<u8> {
        let mut packet = vec![0; LENGTH];
        (packet[0], packet[1]) = (4 << 3 | 4, 2);
        packet[24..32].copy_from_slice(&NUMBER.to_be_bytes());
        packet[32..40].copy_from_slice(&of_wall(received).to_be_bytes());
        packet[40..].copy_from_slice(&of_wall(received + inside).to_be_bytes());
        packet
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn offset_and_way_are_those_of_the_standard() {
        let sent = at("2026-11-26T12:00:00Z");
        let inside = SignedDuration::from_millis(1);
        let packet = answer(sent + SignedDuration::from_millis(3_600_010), inside);
        let read = read(&packet, NUMBER, sent, Duration::from_millis(21)).unwrap();
        assert_eq!(read.stratum, 2);
        assert!((read.offset_seconds - 3600.0).abs() < 1e-6, "{read:?}");
        assert!((read.round_trip_seconds - 0.020).abs() < 1e-6, "{read:?}");
    }

    #[test]
    fn a_clock_that_is_years_off_and_one_in_the_next_era_are_told_right() {
        for (ours, theirs) in [
            ("1970-01-01T00:00:00Z", "2026-11-26T12:00:00Z"),
            ("2036-02-07T06:28:10Z", "2036-02-07T06:28:20Z"),
            ("2050-01-01T00:00:00Z", "2026-11-26T12:00:00Z"),
        ] {
            let (ours, theirs) = (at(ours), at(theirs));
            let read = read(&answer(theirs, SignedDuration::ZERO), NUMBER, ours, Duration::ZERO).unwrap();
            let expected = theirs.duration_since(ours).as_secs_f64();
            assert!((read.offset_seconds - expected).abs() < 1e-3, "{ours}: {read:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_told_from_one_that_says_no() {
        let sent = at("2026-11-26T12:00:00Z");
        let good = answer(sent, SignedDuration::ZERO);
        let changed = |at: usize, to: u8| {
            let mut packet = good.clone();
            packet[at] = to;
            read(&packet, NUMBER, sent, Duration::from_millis(1))
        };
        assert_eq!(read(&good[..47], NUMBER, sent, Duration::ZERO), Err(Fault::Foreign));
        assert_eq!(read(&good, NUMBER + 1, sent, Duration::ZERO), Err(Fault::Foreign));
        assert_eq!(changed(0, 4 << 3 | 3), Err(Fault::Foreign), "our own question");
        assert_eq!(changed(0, 7 << 3 | 4), Err(Fault::Foreign), "version 7");
        assert_eq!(changed(0, 3 << 6 | 4 << 3 | 4), Err(Fault::Unsynchronised));
        assert_eq!(changed(1, 16), Err(Fault::Unsynchronised));
        assert_eq!(changed(1, 0), Err(Fault::Refused(String::new())));
        let backwards = answer(sent, SignedDuration::from_secs(-1));
        assert_eq!(read(&backwards, NUMBER, sent, Duration::ZERO), Err(Fault::Nonsense));
        let mut refusal = good;
        (refusal[1], refusal[12], refusal[13], refusal[14], refusal[15]) = (0, b'R', b'A', b'T', b'E');
        let refused = read(&refusal, NUMBER, sent, Duration::ZERO).unwrap_err();
        assert_eq!(refused.to_string(), "the server does not want to be asked (kiss code RATE)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(packet in prop::collection::vec(any::<u8>(), 0..100), number in any::<u64>()) {
            let _ = read(&packet, number, Timestamp::UNIX_EPOCH, Duration::from_secs(1));
        }

        #[test]
        fn any_offset_is_found(offset in -2_000_000_000_000_i64..2_000_000_000_000, way in 0_u64..1_000) {
            let sent = at("2026-11-26T12:00:00Z");
            let one_way = SignedDuration::from_millis(i64::try_from(way).unwrap());
            let packet = answer(sent + SignedDuration::from_millis(offset) + one_way, SignedDuration::ZERO);
            let read = read(&packet, NUMBER, sent, Duration::from_millis(2 * way)).unwrap();
            prop_assert!((read.offset_seconds - offset as f64 / 1e3).abs() < 1e-3, "{read:?}");
        }
    }
}
