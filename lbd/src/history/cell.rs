//! What is kept of one thing in one step: mean and peak of each figure. Pure.
//!
//! A figure takes 16 bits: 10 of a fraction and an exponent of two, as in a floating-point number without a sign. Whole
//! numbers up to 2,048 are exact, everything else is within a thousandth; [`UNKNOWN`] is what nobody knows.

use super::FIGURES;
use crate::numbered::{checksum, checksum_on};

/// Bytes of a cell on disk: a checksum, the means, the peaks.
pub const CELL: usize = 4 + 4 * FIGURES;
/// The code of a figure that is not known.
const UNKNOWN: u16 = u16::MAX;
/// Bits that an `f64` has more in its fraction.
const DROPPED_BITS: u32 = 52 - 10;
/// The code before 1 would be 2^-16: less than any rate that matters.
const BASE: u64 = (1023 - 16) << 10;

/// A figure as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(u16);

impl Code {
    /// Not known.
    pub const UNKNOWN: Self = Self(UNKNOWN);

    /// Of a figure; what is below zero counts as zero, what is no number as unknown.
    pub fn of(figure: Option<f64>) -> Self {
        let Some(figure) = figure.filter(|figure| figure.is_finite()) else { return Self::UNKNOWN };
        if figure <= 0.0 {
            return Self(0);
        }
        // Rounded to the bits that are kept; the sign bit is not set.
        let rounded = (figure.to_bits() + (1 << (DROPPED_BITS - 1))) >> DROPPED_BITS;
        let code = rounded.saturating_sub(BASE).saturating_add(1);
        // Few is not none: the least code that is not zero stands for whatever is smaller.
        Self(u16::try_from(code).unwrap_or(UNKNOWN).min(UNKNOWN - 1))
    }

    /// The figure, if it is known.
    pub fn figure(self) -> Option<f64> {
        match self.0 {
            UNKNOWN => None,
            0 => Some(0.0),
            code => Some(f64::from_bits((u64::from(code - 1) + BASE) << DROPPED_BITS)),
        }
    }
}

/// Mean and peak of each figure in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Means over what is known of the step.
    pub means: [Code; FIGURES],
    /// Largest values.
    pub peaks: [Code; FIGURES],
}

impl Cell {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self { means: [Code::UNKNOWN; FIGURES], peaks: [Code::UNKNOWN; FIGURES] };

    /// Of figures at one moment.
    pub fn of(figures: &[Option<f64>; FIGURES]) -> Self {
        let codes = figures.map(Code::of);
        Self { means: codes, peaks: codes }
    }

    /// One for the steps of all these, which are of equal length: the mean of the means that are known, the largest peak.
    pub fn merged<'a>(cells: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self {
            means: std::array::from_fn(|at| mean(cells.clone().filter_map(|cell| cell.means[at].figure()))),
            peaks: std::array::from_fn(|at| {
                let known = cells.clone().map(|cell| cell.peaks[at]).filter(|code| *code != Code::UNKNOWN);
                known.max().unwrap_or(Code::UNKNOWN)
            }),
        }
    }

    /// As bytes for its place: step and number of the thing are in the checksum, so that no cell is taken for another.
    pub fn encode(&self, time: i64, subject: usize) -> [u8; CELL] {
        let mut bytes = [0; CELL];
        let codes = self.means.iter().chain(&self.peaks);
        for (place, code) in bytes[4..].chunks_exact_mut(2).zip(codes) {
            place.copy_from_slice(&code.0.to_le_bytes());
        }
        let sum = place_checksum(time, subject, &bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// From the bytes of its place; `None` where they are damaged or belong elsewhere.
    pub fn decode(bytes: &[u8], time: i64, subject: usize) -> Option<Self> {
        let (sum, rest) = bytes.split_first_chunk::<4>()?;
        if rest.len() != CELL - 4 || u32::from_le_bytes(*sum) != place_checksum(time, subject, rest) {
            return None;
        }
        let code = |at: usize| Code(u16::from_le_bytes([rest[2 * at], rest[2 * at + 1]]));
        Some(Self { means: std::array::from_fn(code), peaks: std::array::from_fn(|at| code(FIGURES + at)) })
    }
}

fn mean(figures: impl Iterator<Item = f64>) -> Code {
    let (count, sum) = figures.fold((0_u32, 0.0), |(count, sum), figure| (count + 1, sum + figure));
    Code::of((count > 0).then(|| sum / f64::from(count)))
}

fn place_checksum(time: i64, subject: usize, codes: &[u8]) -> u32 {
    let place = checksum_on(checksum(&time.to_le_bytes()), &(subject as u64).to_le_bytes());
    checksum_on(place, codes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(figure: f64) -> f64 {
        Code::of(Some(figure)).figure().unwrap()
    }

    #[test]
    fn whole_numbers_are_exact_and_edges_are_kept() {
        for number in 0..=2_048_u32 {
            assert_eq!(kept(number.into()), f64::from(number));
        }
        assert_eq!(Code::of(None).figure(), None);
        assert_eq!(Code::of(Some(f64::NAN)).figure(), None);
        assert_eq!(kept(-3.0), 0.0);
        assert!(kept(1e-30) > 0.0, "few is not none");
        assert!(kept(1e300) > 1e12 && Code::of(Some(1e300)) != Code::UNKNOWN);
    }

    #[test]
    fn a_cell_is_taken_at_its_own_place_only_and_damage_is_seen() {
        let cell = Cell::of(&[Some(1.0), None, Some(3e9), Some(0.0), Some(0.5), Some(100.0), None]);
        let bytes = cell.encode(600, 7);
        assert_eq!(Cell::decode(&bytes, 600, 7), Some(cell));
        assert_eq!([Cell::decode(&bytes, 610, 7), Cell::decode(&bytes, 600, 8)], [None; 2]);
        for at in 0..CELL {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(Cell::decode(&damaged, 600, 7), None);
        }
        assert_eq!(Cell::decode(&bytes[..CELL - 1], 600, 7), None);
        assert_eq!(Cell::decode(&[0; CELL], 600, 7), None, "zeros are what a power cut leaves");
    }

    proptest! {
        #[test]
        fn a_figure_is_kept_within_a_thousandth_and_in_order(a in 1e-4..1e13_f64, b in 1e-4..1e13_f64) {
            prop_assert!((kept(a) - a).abs() <= a / 1_000.0);
            prop_assert!(a > b || Code::of(Some(a)) <= Code::of(Some(b)));
        }

        #[test]
        fn steps_together_have_the_mean_and_the_peak(
            figures in proptest::collection::vec(proptest::option::of(0.0..1e9_f64), 1..100),
        ) {
            let cells: Vec<_> = figures.iter().map(|figure| Cell::of(&[*figure; FIGURES])).collect();
            let merged = Cell::merged(cells.iter());
            let known: Vec<f64> = figures.iter().flatten().copied().collect();
            if known.is_empty() {
                prop_assert_eq!(merged, Cell::UNKNOWN);
            } else {
                let mean = known.iter().sum::<f64>() / known.len() as f64;
                let peak = known.iter().copied().fold(0.0, f64::max);
                let close = |code: Code, figure: f64| (code.figure().unwrap() - figure).abs() <= figure / 500.0 + 1e-4;
                prop_assert!(close(merged.means[3], mean) && close(merged.peaks[3], peak), "{merged:?}");
            }
        }

        #[test]
        fn any_bytes_are_a_cell_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(cell) = Cell::decode(&bytes, 1, 2) {
                prop_assert_eq!(cell.encode(1, 2).to_vec(), bytes);
            }
        }
    }
}
