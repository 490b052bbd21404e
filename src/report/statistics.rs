//! What the elements of a weight are like: extremes, moments, and a histogram. Each weight is opened once and walked
//! by all cores, piece by piece.

use half::{bf16, f16};
use rayon::prelude::*;
use serde::Serialize;

use crate::error::Result;
use crate::tensor::{Constant, DType};

/// The bins of a histogram.
pub const BINS: usize = 32;

/// Bytes that a core walks before it looks for other work; a multiple of the size of every type.
const PIECE_BYTES: usize = 1 << 18;

/// What is known of the elements of a tensor. Extremes and moments are those of the finite ones; they are `null` where
/// there are none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Statistics {
    /// How many elements there are.
    pub count: u64,
    /// How many are no numbers.
    pub nan: u64,
    /// How many are infinite.
    pub infinite: u64,
    /// How many are zero.
    pub zeros: u64,
    /// How many are negative and finite.
    pub negative: u64,
    /// The least element.
    pub min: Option<f64>,
    /// The greatest element.
    pub max: Option<f64>,
    /// The mean.
    pub mean: Option<f64>,
    /// The standard deviation.
    pub deviation: Option<f64>,
    /// How the finite elements are distributed.
    pub histogram: Option<Histogram>,
}

/// How many elements fall into each of several equal parts of a range.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the range begins.
    pub low: f64,
    /// Where it ends; the last bin includes it.
    pub high: f64,
    /// The number of elements in each bin.
    pub counts: Vec<u64>,
}

/// The statistics of every constant, in their order.
///
/// # Errors
/// Where one cannot be read.
pub fn of_all(constants: &[&Constant]) -> Result<Vec<Statistics>> {
    constants.par_iter().with_max_len(1).map(|constant| of(constant)).collect()
}

/// The statistics of one constant.
///
/// # Errors
/// Where it cannot be read.
pub fn of(constant: &Constant) -> Result<Statistics> {
    let (dtype, bytes) = (constant.dtype(), constant.bytes()?);
    let walked = bytes.par_chunks(PIECE_BYTES).map(|piece| Sums::of(dtype, piece));
    let sums = walked.reduce(|| Sums::NONE, Sums::with);
    if sums.finite() == 0 {
        return Ok(sums.statistics(None));
    }
    let (low, high) = (sums.min, sums.max);
    // Half of each, since their difference may be more than a number can hold.
    let scale = if low < high { BINS as f64 / (high / 2.0 - low / 2.0) } else { 0.0 };
    let counted = bytes.par_chunks(PIECE_BYTES).map(|piece| {
        let mut counts = [0; BINS];
        for_each(dtype, piece, |value| {
            if value.is_finite() {
                // A place below 0 or that is no number becomes 0.
                let bin = ((value / 2.0 - low / 2.0) * scale) as usize;
                counts[bin.min(BINS - 1)] += 1;
            }
        });
        counts
    });
    let add = |mut sum: [u64; BINS], counts: [u64; BINS]| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    };
    let counts = counted.reduce(|| [0; BINS], add).to_vec();
    // All alike: one bin says it.
    let counts = if low < high { counts } else { vec![sums.finite()] };
    Ok(sums.statistics(Some(Histogram { low, high, counts })))
}

/// Sums over elements.
#[derive(Debug, Clone, Copy)]
struct Sums {
    count: u64,
    nan: u64,
    infinite: u64,
    zeros: u64,
    negative: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
}

impl Sums {
    const NONE: Self = Self {
        count: 0,
        nan: 0,
        infinite: 0,
        zeros: 0,
        negative: 0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        mean: 0.0,
        squares: 0.0,
    };

    fn of(dtype: DType, piece: &[u8]) -> Self {
        let mut sums = Self::NONE;
        let mut sum = 0.0;
        for_each(dtype, piece, |value| {
            sums.count += 1;
            if value.is_finite() {
                sums.zeros += u64::from(value == 0.0);
                sums.negative += u64::from(value < 0.0);
                sums.min = sums.min.min(value);
                sums.max = sums.max.max(value);
                sum += value;
            } else {
                sums.nan += u64::from(value.is_nan());
                sums.infinite += u64::from(value.is_infinite());
            }
        });
        sums.mean = sum / sums.finite().max(1) as f64;
        let (mean, mut squares) = (sums.mean, 0.0);
        for_each(dtype, piece, |value| {
            if value.is_finite() {
                squares += (value - mean) * (value - mean);
            }
        });
        Self { squares, ..sums }
    }

    fn finite(&self) -> u64 {
        self.count - self.nan - self.infinite
    }

    /// The sums over both, by Chan, Golub and LeVeque (<https://doi.org/10.1080/00031305.1983.10483115>).
    fn with(self, other: Self) -> Self {
        let (left, right) = (self.finite() as f64, other.finite() as f64);
        let total = left + right;
        let distance = other.mean - self.mean;
        let right_share = if total > 0.0 { right / total } else { 0.0 };
        Self {
            count: self.count + other.count,
            nan: self.nan + other.nan,
            infinite: self.infinite + other.infinite,
            zeros: self.zeros + other.zeros,
            negative: self.negative + other.negative,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            mean: self.mean + distance * right_share,
            squares: self.squares + other.squares + distance * distance * left * right_share,
        }
    }

    fn statistics(self, histogram: Option<Histogram>) -> Statistics {
        let known = |value: f64| (self.finite() > 0).then_some(value);
        Statistics {
            count: self.count,
            nan: self.nan,
            infinite: self.infinite,
            zeros: self.zeros,
            negative: self.negative,
            min: known(self.min),
            max: known(self.max),
            mean: known(self.mean),
            deviation: known((self.squares / self.finite().max(1) as f64).sqrt()),
            histogram,
        }
    }
}

/// Calls `visit` with every element. Types that hold no real numbers have none.
fn for_each(dtype: DType, bytes: &[u8], mut visit: impl FnMut(f64)) {
    /// Elements of as many bytes as `read` takes.
    fn all<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64, visit: &mut impl FnMut(f64)) {
        bytes.as_chunks::<N>().0.iter().for_each(|element| visit(read(*element)));
    }
    let visit = &mut visit;
    match dtype {
        DType::Float32 => all(bytes, |b| f32::from_le_bytes(b).into(), visit),
        DType::Float64 => all(bytes, f64::from_le_bytes, visit),
        DType::Float16 => all(bytes, |b| f16::from_le_bytes(b).to_f64(), visit),
        DType::BFloat16 => all(bytes, |b| bf16::from_le_bytes(b).to_f64(), visit),
        DType::Int8 | DType::QInt8 => all(bytes, |b| i8::from_le_bytes(b).into(), visit),
        DType::UInt8 | DType::QUInt8 => all(bytes, |b| u8::from_le_bytes(b).into(), visit),
        DType::Int16 | DType::QInt16 => all(bytes, |b| i16::from_le_bytes(b).into(), visit),
        DType::UInt16 | DType::QUInt16 => all(bytes, |b| u16::from_le_bytes(b).into(), visit),
        DType::Int32 | DType::QInt32 => all(bytes, |b| i32::from_le_bytes(b).into(), visit),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_values(values: &[f32]) -> Statistics {
        of(&Constant::from_f32(vec![values.len()], values)).unwrap()
    }

    #[test]
    fn moments_are_those_of_the_definition_over_many_pieces() {
        let values: Vec<f32> = (0..300_000).map(|i| ((i * 7919) % 10_007) as f32 / 100.0 + 1000.0).collect();
        let told = of_values(&values);
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
        assert!((told.mean.unwrap() - mean).abs() < 1e-9 * mean);
        assert!((told.deviation.unwrap() - variance.sqrt()).abs() < 1e-9 * variance.sqrt());
        assert_eq!(told.histogram.unwrap().counts.iter().sum::<u64>(), 300_000);
    }

    #[test]
    fn bins_are_equal_parts_and_the_last_one_includes_the_greatest_element() {
        let values: Vec<f32> = (0..=64).map(|i| i as f32).collect();
        let histogram = of_values(&values).histogram.unwrap();
        assert_eq!((histogram.low, histogram.high), (0.0, 64.0));
        assert_eq!(histogram.counts[..3], [2, 2, 2]);
        assert_eq!(histogram.counts[BINS - 1], 3);
    }

    #[test]
    fn what_is_no_number_is_counted_and_otherwise_left_out() {
        let told = of_values(&[f32::NAN, f32::INFINITY, -1.0, 0.0, -0.0, 4.0]);
        assert_eq!((told.count, told.nan, told.infinite, told.zeros, told.negative), (6, 1, 1, 2, 1));
        assert_eq!((told.min, told.max, told.mean), (Some(-1.0), Some(4.0), Some(0.75)));
        let nothing = of_values(&[f32::NAN]);
        assert_eq!((nothing.min, nothing.histogram), (None, None));
        assert_eq!(of_values(&[]), Statistics::default());
    }

    #[test]
    fn elements_that_are_all_alike_make_one_bin() {
        let told = of_values(&[2.5; 7]);
        assert_eq!(told.histogram.unwrap().counts, [7]);
        assert_eq!((told.mean, told.deviation), (Some(2.5), Some(0.0)));
    }

    #[test]
    fn a_range_wider_than_a_number_holds_has_bins_all_the_same() {
        let values =
            [f64::MIN, f64::MAX * 0.3, f64::MAX].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let source = crate::tensor::Inline::Bytes(values.into());
        let told = of(&Constant::new(DType::Float64, vec![3], std::sync::Arc::new(source))).unwrap();
        let counts = told.histogram.unwrap().counts;
        assert_eq!((counts[0], counts[20], counts[BINS - 1]), (1, 1, 1));
    }
}
