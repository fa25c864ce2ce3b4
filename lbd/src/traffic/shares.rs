//! Weights as a sequence of turns for nft's `numgen inc`.

use std::collections::BTreeMap;

/// The order of turns: each mark occurs in proportion to its weight, spread as evenly as can be.
///
/// `numgen` walks the sequence round and round. Blocks (100 times one server, then 100 times the next) would
/// send the first hundred clients to one server, so weights are divided by their greatest common divisor and
/// interleaved (smooth weighted round robin: the mark that has waited longest in relation to its weight).
///
/// A sequence that would be very long is shortened: the shares are then right to about a tenth of a percent.
pub fn turns(weights: &[(u32, u16)]) -> Vec<u32> {
    let weights = shortened(weights);
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| greatest_common_divisor(divisor, *weight));
    if divisor == 0 {
        return Vec::new();
    }
    let shares: BTreeMap<u32, i64> =
        weights.iter().filter(|(_, w)| *w > 0).map(|(mark, w)| (*mark, i64::from(w / divisor))).collect();
    let total: i64 = shares.values().sum();
    let mut credit: BTreeMap<u32, i64> = shares.keys().map(|mark| (*mark, 0)).collect();
    (0..total).filter_map(|_| next_turn(&shares, &mut credit, total)).collect()
}

/// Longer sequences cost time at every change and space in the kernel, and no administrator sees the difference.
const MOST_TURNS: u32 = 1024;

/// Each that has a weight keeps one turn at least.
fn shortened(weights: &[(u32, u16)]) -> Vec<(u32, u16)> {
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| greatest_common_divisor(divisor, *weight));
    let total: u32 = weights.iter().map(|(_, weight)| u32::from(*weight)).sum();
    if total / u32::from(divisor.max(1)) <= MOST_TURNS {
        return weights.to_vec();
    }
    let scaled = |weight: u16| {
        let share = (u32::from(weight) * MOST_TURNS).div_ceil(total);
        u16::try_from(share).unwrap_or(u16::MAX)
    };
    weights.iter().map(|(mark, weight)| (*mark, scaled(*weight))).collect()
}

fn next_turn(shares: &BTreeMap<u32, i64>, credit: &mut BTreeMap<u32, i64>, total: i64) -> Option<u32> {
    for (mark, share) in shares {
        *credit.entry(*mark).or_default() += share;
    }
    // The lowest mark wins a tie: the same weights always give the same sequence.
    let chosen = credit.iter().rev().max_by_key(|(_, credit)| **credit).map(|(mark, _)| *mark)?;
    *credit.entry(chosen).or_default() -= total;
    Some(chosen)
}

fn greatest_common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_weights_alternate_and_unequal_ones_interleave() {
        assert_eq!(turns(&[(1, 100), (2, 100)]), [1, 2]);
        assert_eq!(turns(&[(1, 100), (2, 50)]), [1, 2, 1]);
        assert_eq!(turns(&[(1, 256), (2, 0)]), [1]);
        assert_eq!(turns(&[(1, 0)]), [0; 0]);
        assert_eq!(turns(&[]), [0; 0]);
    }

    #[test]
    fn a_large_farm_of_odd_weights_has_a_short_sequence() {
        let weights: Vec<_> = (1..=256).map(|mark| (mark, 256 - u16::from(mark % 2 == 0))).collect();
        let sequence = turns(&weights);
        assert!((256..=1280).contains(&sequence.len()), "{}", sequence.len());
        assert!(weights.iter().all(|(mark, _)| sequence.contains(mark)));
    }

    proptest! {
        #[test]
        fn each_has_its_share_of_every_prefix(weights in prop::collection::vec(0_u16..=200, 1..6)) {
            let weights: Vec<_> = weights.into_iter().enumerate().map(|(i, w)| (i as u32 + 1, w)).collect();
            let sequence = turns(&weights);
            let total: f64 = weights.iter().map(|(_, w)| f64::from(*w)).sum();
            for length in 1..=sequence.len() {
                for (mark, weight) in &weights {
                    let got = sequence[..length].iter().filter(|m| *m == mark).count() as f64;
                    let fair = length as f64 * f64::from(*weight) / total;
                    // Smooth weighted round robin strays from the fair share by less than the number of servers.
                    prop_assert!((got - fair).abs() < weights.len() as f64, "{mark}: {got} of {fair}");
                }
            }
        }
    }
}
