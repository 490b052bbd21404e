//! Scales the elements of a weight by factors along an axis.

use std::sync::Arc;

use super::element_count;

/// Factors for the elements of a float32 tensor, along one of its axes.
#[derive(Debug, Clone)]
pub struct Scaling {
    factors: Arc<[f32]>,
    /// The number of consecutive elements with the same factor.
    run: usize,
}

impl Scaling {
    /// Factors along `axis` of a tensor of this shape; `None` if their number is not the length of the axis.
    pub fn new(factors: Arc<[f32]>, shape: &[usize], axis: usize) -> Option<Self> {
        let (length, behind) = shape.get(axis..)?.split_first()?;
        (factors.len() == *length).then_some(())?;
        Some(Self { factors, run: element_count(behind)? })
    }

    /// Multiplies consecutive little-endian elements. The first of them has the index `first` in the tensor.
    #[expect(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a tensor with elements has factors for them"
    )]
    pub fn apply(&self, first: usize, bytes: &mut [u8]) {
        let (mut elements, _) = bytes.as_chunks_mut::<4>();
        let mut index = first;
        while !elements.is_empty() {
            let factor = self.factors[index / self.run % self.factors.len()];
            let count = (self.run - index % self.run).min(elements.len());
            let (run, rest) = elements.split_at_mut(count);
            for element in run {
                *element = (f32::from_le_bytes(*element) * factor).to_le_bytes();
            }
            elements = rest;
            index += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_index_of_the_axis_has_its_factor() {
        let scaling = Scaling::new([1.0, 10.0, 100.0].into(), &[2, 3, 2], 1).unwrap();
        let mut bytes: Vec<u8> = (1..=12).flat_map(|value| (value as f32).to_le_bytes()).collect();
        let read = |bytes: &[u8]| -> Vec<f32> {
            bytes.as_chunks().0.iter().map(|&element| f32::from_le_bytes(element)).collect()
        };
        // In two parts, where the second one begins in the middle of a run.
        let (left, right) = bytes.split_at_mut(5 * 4);
        scaling.apply(0, left);
        scaling.apply(5, right);
        assert_eq!(read(&bytes), [1., 2., 30., 40., 500., 600., 7., 8., 90., 100., 1100., 1200.]);
    }
}
