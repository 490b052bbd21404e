//! Rounds the elements of a weight to the levels of a quantization: whole multiples of a scale.

use std::sync::Arc;

use super::{Constant, DType, Inline, element_count};

/// The levels that numbers of one range are rounded to, as `tf.quantization.fake_quant_with_min_max_vars` does. The range is
/// moved so that zero is one of its levels.
///
/// Source: `Nudge` in `tensorflow/core/kernels/fake_quant_ops_functor.h`. The order of the operations is that of TensorFlow 2.15,
/// so that results are equal to the last bit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// The least level, as a number.
    pub min: f32,
    /// The greatest level, as a number.
    pub max: f32,
    /// The distance of two levels.
    pub scale: f32,
    /// The reciprocal of the scale.
    pub inverse: f32,
    /// The integer that stands for zero.
    pub zero_point: f32,
    /// The integer that stands for the least level.
    pub first: f32,
    /// The integer that stands for the greatest level.
    pub last: f32,
    /// Whether numbers are divided by the scale, and not multiplied by its reciprocal.
    pub divides: bool,
}

impl Levels {
    /// The integers from `first` to `last` for the numbers from `min` to `max`.
    pub fn new([min, max]: [f32; 2], [first, last]: [f32; 2], divides: bool) -> Self {
        let scale = (max - min) / (last - first);
        let zero = first - min / scale;
        let zero_point = if zero < first {
            first
        } else if zero > last {
            last
        } else {
            zero.round()
        };
        Self {
            min: (first - zero_point) * scale,
            max: (last - zero_point) * scale,
            scale,
            inverse: (last - first) / (max - min),
            zero_point,
            first,
            last,
            divides,
        }
    }

    /// Whether there are several levels at a finite distance.
    pub fn is_proper(&self) -> bool {
        self.scale.is_normal() && self.scale > 0.0 && self.min.is_finite() && self.max.is_finite()
    }

    /// The level that is nearest to a number: how many times the scale it is.
    fn nearest(&self, number: f32) -> f32 {
        let above = number.min(self.max).max(self.min) - self.min;
        let level = if self.divides { above / self.scale } else { above * self.inverse };
        (level - (self.zero_point - self.first) + 0.5).floor()
    }
}

/// The levels of a tensor: those of each index of an axis, or one for all.
#[derive(Debug, Clone)]
pub struct Quantization {
    levels: Arc<[Levels]>,
    axis: usize,
    /// The number of consecutive elements with the same levels.
    run: usize,
}

impl Quantization {
    /// Levels along `axis` of a tensor of this shape.
    ///
    /// # Panics
    /// If there are several, and their number is not the length of the axis.
    fn new(levels: Arc<[Levels]>, shape: &[usize], axis: usize) -> Self {
        let run = match levels.len() {
            1 => usize::MAX,
            count => {
                let (length, run) = length_and_run(shape, axis).expect("an axis of the tensor");
                assert_eq!(count, length, "levels for each index of the axis");
                run
            }
        };
        Self { levels, axis, run }
    }

    /// Those of the tensor with its axes permuted.
    pub(super) fn permuted(&self, perm: &[usize], shape: &[usize]) -> Self {
        let axis = perm.iter().position(|&axis| axis == self.axis).unwrap_or(0);
        Self::new(self.levels.clone(), shape, axis)
    }

    /// Those of the tensor in another shape; `None` if no axis of it has them. An axis that is made of several, of which this is
    /// the last one, repeats them.
    pub(super) fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let count = self.levels.len();
        if count == 1 {
            return Some(self.clone());
        }
        let (axis, length) = (0..shape.len()).find_map(|axis| {
            let (length, run) = length_and_run(shape, axis)?;
            (run == self.run && length.is_multiple_of(count)).then_some((axis, length))
        })?;
        let levels: Vec<Levels> = self.levels.iter().copied().cycle().take(length).collect();
        Some(Self::new(levels.into(), shape, axis))
    }

    /// Rounds consecutive little-endian float32 elements, the first of which has the index `first` in the tensor: to the numbers
    /// of their levels, or to the integers that stand for them.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a tensor with elements has levels for them"
    )]
    pub(super) fn apply(&self, first: usize, bytes: &mut [u8], as_integers: bool) {
        let (elements, _) = bytes.as_chunks_mut::<4>();
        for (index, element) in (first..).zip(elements) {
            let levels = &self.levels[index / self.run % self.levels.len()];
            let level = levels.nearest(f32::from_le_bytes(*element));
            let value = if as_integers { level + levels.zero_point } else { level * levels.scale };
            *element = value.to_le_bytes();
        }
    }
}

/// The length of an axis, and the number of consecutive elements with the same index on it.
fn length_and_run(shape: &[usize], axis: usize) -> Option<(usize, usize)> {
    let (length, behind) = shape.get(axis..)?.split_first()?;
    Some((*length, element_count(behind)?.max(1)))
}

/// Writes the integers from 0 to 255 that float32 elements hold to the beginning of `bytes`, and returns their number.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "each element is inside of `bytes`, before and after"
)]
pub(super) fn to_bytes(bytes: &mut [u8]) -> usize {
    let count = bytes.len() / 4;
    for index in 0..count {
        // The output never overtakes the input.
        let element = bytes[index * 4..].first_chunk().copied().unwrap_or_default();
        bytes[index] = f32::from_le_bytes(element) as u8;
    }
    count
}

/// A weight as integers, and what DequantizeLinear needs to compute its numbers.
#[derive(Debug, Clone)]
pub struct Quantized {
    /// The integers, uint8.
    pub integers: Constant,
    /// The distance of two levels, for each index of the axis.
    pub scale: Constant,
    /// The integer that stands for zero, uint8, for each index of the axis.
    pub zero_point: Constant,
    /// The axis along which scale and zero point differ.
    pub axis: Option<usize>,
}

impl Constant {
    /// A float32 tensor rounded to levels: those of each index of an axis, or one for all.
    ///
    /// # Panics
    /// If the elements are not stored as float32, or the number of levels is neither 1 nor the length of the axis.
    #[must_use]
    pub fn rounded_to(&self, levels: Arc<[Levels]>, axis: usize) -> Self {
        assert!(self.is_stored_as_float32(), "only float32 is rounded");
        let levels = Quantization::new(levels, &self.shape, axis);
        self.clone().with(|recipe| recipe.levels = Some(levels))
    }

    /// A tensor that is rounded to levels, as bytes. `None` for another tensor, if a byte has too few levels, or if zero is not the
    /// same byte everywhere: ONNX Runtime has no convolution of such weights.
    pub fn quantized(&self) -> Option<Quantized> {
        let quantization = self.levels.as_ref().filter(|_| self.dtype == DType::Float32)?;
        let levels = &quantization.levels;
        let zero = levels.first()?.zero_point;
        let is_byte = |of: &Levels| of.is_proper() && of.zero_point == zero && of.last <= 255.0;
        if !levels.iter().all(is_byte) {
            return None;
        }
        let axis = (levels.len() > 1).then_some(quantization.axis);
        let shape = axis.map_or(vec![], |_| vec![levels.len()]);
        let integers = self.clone().with(|recipe| recipe.dtype = DType::UInt8);
        let zeros = Inline::Bytes(vec![zero as u8; levels.len()].into());
        let scales: Vec<f32> = levels.iter().map(|levels| levels.scale).collect();
        Some(Quantized {
            integers,
            scale: Self::from_f32(shape.clone(), &scales),
            zero_point: Self::new(DType::UInt8, shape, Arc::new(zeros)),
            axis,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(max: f32) -> Levels {
        Levels::new([-max, max], [1.0, 255.0], true)
    }

    #[test]
    fn zero_is_one_of_the_levels() {
        let levels = Levels::new([-6.0, 6.0], [0.0, 255.0], false);
        let level = -levels.min / levels.scale;
        assert!((level - level.round()).abs() < 1e-4, "{level}");
        assert!((levels.max - levels.min - 12.0).abs() < 1e-4);
        assert_eq!(Levels::new([1.0, 2.0], [0.0, 255.0], false).min, 0.0);
        assert!(!Levels::new([1.0, 1.0], [0.0, 255.0], false).is_proper());
    }

    #[test]
    fn each_index_of_the_axis_is_rounded_by_its_levels_wherever_the_axis_goes() {
        let numbers: Vec<f32> = (0..6).map(|number| number as f32 * 20.3).collect();
        let weights =
            Constant::from_f32(vec![3, 2], &numbers).rounded_to([levels(127.0), levels(254.0)].into(), 1);
        assert_eq!(weights.to_f32s().unwrap().unwrap(), [0., 20., 41., 60., 81., 102.]);
        let moved = weights.permuted(&[1, 0]).unwrap().reshaped(&[2, 1, 3]).unwrap();
        assert_eq!(moved.to_f32s().unwrap().unwrap(), [0., 41., 81., 20., 60., 102.]);
        let quantized = moved.quantized().unwrap();
        assert_eq!(*quantized.integers.bytes().unwrap(), [128, 169, 209, 138, 158, 179]);
        assert_eq!(quantized.scale.to_f32s().unwrap().unwrap(), [1.0, 2.0]);
        assert_eq!((quantized.axis, quantized.zero_point.bytes().unwrap().to_vec()), (Some(0), vec![128; 2]));
    }

    #[test]
    fn an_axis_that_is_made_of_several_repeats_the_levels() {
        let weights =
            Constant::from_f32(vec![3, 2], &[3.0; 6]).rounded_to([levels(127.0), levels(254.0)].into(), 1);
        let flat = weights.reshaped(&[6, 1]).unwrap().quantized().unwrap();
        assert_eq!(flat.scale.to_f32s().unwrap().unwrap(), [1., 2., 1., 2., 1., 2.]);
        // No axis has the levels: the numbers are rounded, but no integers.
        let mixed = weights.permuted(&[1, 0]).unwrap().reshaped(&[6]).unwrap();
        assert_eq!(mixed.to_f32s().unwrap().unwrap(), [3., 3., 3., 4., 4., 4.]);
        assert!(weights.reshaped(&[2, 3]).unwrap().quantized().is_none());
    }

    #[test]
    fn weights_whose_zeros_differ_stay_numbers() {
        let skewed = Levels::new([0.0, 254.0], [1.0, 255.0], true);
        let weights = Constant::from_f32(vec![2], &[3.2, 3.2]).rounded_to([levels(127.0), skewed].into(), 0);
        assert!(weights.quantized().is_none());
        assert_eq!(weights.to_f32s().unwrap().unwrap(), [3.0, 3.0]);
    }
}
