//! Weights as a sequence of turns for nft's `numgen inc`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The order of turns: each mark occurs in proportion to its weight, spread as evenly as can be.
///
/// `numgen` walks the sequence round and round. Blocks (100 times one server, then 100 times the next) would
/// send the first hundred clients to one server, so weights are divided by their greatest common divisor and
/// interleaved (smooth weighted round robin: the mark that has waited longest in relation to its weight).
///
/// A sequence that would be very long is shortened: the shares are then right to about a tenth of a percent.
pub fn turns(weights: &[(u32, u32)]) -> Vec<u32> {
    let weights = shortened(weights);
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| greatest_common_divisor(divisor, *weight));
    if divisor == 0 {
        return Vec::new();
    }
    let shares: Vec<_> =
        weights.iter().filter(|(_, w)| *w > 0).map(|(mark, w)| (*mark, i64::from(w / divisor))).collect();
    let total: i64 = shares.iter().map(|(_, share)| share).sum();
    let mut turns = Turns::default();
    (0..total).filter_map(|_| turns.next(&shares)).collect()
}

/// Whose turn it is: smooth weighted round robin, among others each time where need be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns(BTreeMap<u32, i64>);

impl Turns {
    /// The mark that has waited longest in relation to its share, among these.
    pub fn next(&mut self, shares: &[(u32, i64)]) -> Option<u32> {
        for (mark, share) in shares {
            *self.0.entry(*mark).or_default() += share;
        }
        let credit = |mark: &u32| self.0.get(mark).copied().unwrap_or_default();
        // The lowest mark wins a tie: the same weights always give the same sequence.
        let chosen =
            shares.iter().map(|(mark, _)| *mark).max_by_key(|mark| (credit(mark), Reverse(*mark)))?;
        let total: i64 = shares.iter().map(|(_, share)| share).sum();
        *self.0.entry(chosen).or_default() -= total;
        Some(chosen)
    }

    /// Forgets the others.
    pub fn keep(&mut self, wanted: impl Fn(u32) -> bool) {
        self.0.retain(|mark, _| wanted(*mark));
    }
}

/// Longer sequences cost time at every change and space in the kernel, and no administrator sees the difference.
const MOST_TURNS: u64 = 1024;

/// Each that has a weight keeps one turn at least. What is short already stays as it is: rounding up adds at most one
/// turn a server.
fn shortened(weights: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let divisor = weights.iter().fold(0, |divisor, (_, weight)| greatest_common_divisor(divisor, *weight));
    let total: u64 = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let servers = u64::try_from(weights.len()).unwrap_or(u64::MAX);
    if total / u64::from(divisor.max(1)) <= MOST_TURNS.saturating_add(servers) {
        return weights.to_vec();
    }
    let scaled =
        |weight: u32| u32::try_from((u64::from(weight) * MOST_TURNS).div_ceil(total)).unwrap_or(u32::MAX);
    weights.iter().map(|(mark, weight)| (*mark, scaled(*weight))).collect()
}

/// Slots of the table that a hash of the client's address is looked up in; with 1,024 the shares of ten servers are
/// right to a few percent, and the rule stays small.
const SLOTS: u32 = 1024;

/// A server for each slot, in proportion to the weights (weighted rendezvous hashing, Highest Random Weight): a server
/// that leaves gives up its own slots and no others move; one that comes takes only what becomes its own.
pub fn slots(weights: &[(u32, u32)]) -> Vec<u32> {
    (0..SLOTS).filter_map(|slot| best_for(slot, weights)).collect()
}

/// The server of a slot; of any number of them.
pub fn best_for(slot: u32, weights: &[(u32, u32)]) -> Option<u32> {
    let there = weights.iter().filter(|(_, weight)| *weight > 0);
    let score = |(mark, weight): &(u32, u32)| f64::from(*weight) / -fraction(*mark, slot).ln();
    there.max_by(|a, b| score(a).total_cmp(&score(b))).map(|(mark, _)| *mark)
}

/// Between 0 and 1, both excluded, and as good as random for each pair (the finaliser of SplitMix64).
fn fraction(mark: u32, slot: u32) -> f64 {
    let mut bits = (u64::from(mark) << 32 | u64::from(slot)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    let top = u32::try_from((bits ^ bits >> 31) >> 32).unwrap_or_default();
    (f64::from(top) + 0.5) / (f64::from(u32::MAX) + 1.0)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
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
        let weights: Vec<_> = (1..=256).map(|mark| (mark, 256 - u32::from(mark % 2 == 0))).collect();
        let sequence = turns(&weights);
        assert!((256..=1280).contains(&sequence.len()), "{}", sequence.len());
        assert!(weights.iter().all(|(mark, _)| sequence.contains(mark)));
        let counted: Vec<_> = weights.iter().map(|(mark, _)| (*mark, turns_of(&sequence, *mark))).collect();
        assert_eq!(turns(&counted), sequence, "who counts the turns gets them again");
    }

    fn turns_of(sequence: &[u32], mark: u32) -> u32 {
        sequence.iter().filter(|turn| **turn == mark).count() as u32
    }

    #[test]
    fn slots_follow_the_weights() {
        let slots = slots(&[(0x10001, 100), (0x10002, 100), (0x10003, 200), (0x10004, 0)]);
        let count = |mark| slots.iter().filter(|slot| **slot == mark).count();
        assert_eq!((slots.len(), count(0x10004)), (1024, 0));
        assert!((412..=612).contains(&count(0x10003)), "{}", count(0x10003));
        assert!((186..=326).contains(&count(0x10001)), "{}", count(0x10001));
        assert!(super::slots(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn a_server_that_leaves_moves_only_its_own_clients(weights in prop::collection::vec(1_u32..=256, 2..12), gone in 0_usize..12) {
            let all: Vec<_> = weights.iter().enumerate().map(|(i, w)| (0x10001 + i as u32, *w)).collect();
            let left = all[gone % all.len()].0;
            let rest: Vec<_> = all.iter().copied().filter(|(mark, _)| *mark != left).collect();
            for (before, after) in slots(&all).into_iter().zip(slots(&rest)) {
                prop_assert!(before == after || before == left);
            }
        }

        #[test]
        fn each_has_its_share_of_every_prefix(weights in prop::collection::vec(0_u32..=200, 1..6)) {
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
