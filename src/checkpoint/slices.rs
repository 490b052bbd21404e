//! The slices of partitioned variables, which together are one tensor.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::wire::Damage;
use crate::proto::{TensorShapeProto, TensorSliceProto};
use crate::tensor::element_count;

/// `TensorShape::MaxDimensions()` of `tensorflow/core/framework/tensor_shape.h`.
const MAX_RANK: usize = 254;
/// The most slices of a variable: every pair of them is compared. Real variables have at most a few hundred.
pub(super) const MAX_SLICES: usize = 1 << 14;

/// The shape in a message. In a checkpoint, all lengths are known.
pub(super) fn full_shape(proto: &TensorShapeProto) -> Result<Vec<usize>, Damage> {
    if proto.unknown_rank || proto.dim.len() > MAX_RANK {
        return Err(format!("its rank is unknown or above {MAX_RANK}"));
    }
    let sizes = proto.dim.iter().map(|dim| usize::try_from(dim.size));
    let shape: Vec<usize> = sizes.collect::<Result<_, _>>().map_err(|_| "its shape has a negative size")?;
    match element_count(&shape) {
        Some(_) => Ok(shape),
        None => Err(format!("its shape {shape:?} has more elements than this machine can count")),
    }
}

/// A slice of a tensor: its start and its length along each axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    start: Vec<usize>,
    lengths: Vec<usize>,
}

impl Slice {
    /// The slice that contains the whole tensor.
    pub(super) fn whole(shape: &[usize]) -> Self {
        Self { start: vec![0; shape.len()], lengths: shape.to_vec() }
    }

    /// Reads the slice of a tensor of `shape` from a message. An axis without a length is included as a whole.
    ///
    /// Source: `tensorflow/core/framework/tensor_slice.cc`.
    pub(super) fn from_proto(proto: &TensorSliceProto, shape: &[usize]) -> Result<Self, Damage> {
        if proto.extent.len() != shape.len() {
            return Err(format!("a slice of {} axes does not fit its shape {shape:?}", proto.extent.len()));
        }
        let mut slice = Self::whole(shape);
        let bounds = slice.start.iter_mut().zip(&mut slice.lengths).zip(shape);
        for ((axis, extent), ((slice_start, slice_length), &whole)) in
            proto.extent.iter().enumerate().zip(bounds)
        {
            let start = usize::try_from(extent.start).ok();
            let rest = start.and_then(|start| whole.checked_sub(start));
            let length = match extent.length {
                Some(length) => usize::try_from(length).ok().filter(|&length| Some(length) <= rest),
                None => rest.filter(|&rest| rest == whole),
            };
            let (Some(start), Some(length)) = (start, length) else {
                return Err(format!("a slice extends beyond its shape {shape:?} along axis {axis}"));
            };
            (*slice_start, *slice_length) = (start, length);
        }
        Ok(slice)
    }

    /// The shape of the slice itself.
    pub(super) fn shape(&self) -> &[usize] {
        &self.lengths
    }

    /// The number of elements of the slice, which is at most that of the tensor.
    pub(super) fn count(&self) -> usize {
        element_count(&self.lengths).unwrap_or(0)
    }

    fn overlaps(&self, other: &Self) -> bool {
        // A tensor of rank 0 has one element, and two slices of it overlap.
        let [own, others] = [self, other].map(|slice| slice.start.iter().zip(&slice.lengths));
        own.zip(others).all(|((start, length), (other_start, other_length))| {
            *start < other_start.saturating_add(*other_length) && *other_start < start.saturating_add(*length)
        })
    }

    /// Calls `copy` for each run of elements that are contiguous both in the slice and in the whole tensor of `shape`, with
    /// the start of the run in the tensor, its start in the slice, and its length.
    pub(super) fn for_each_run(&self, shape: &[usize], mut copy: impl FnMut(usize, usize, usize)) {
        let count = self.count();
        if count == 0 {
            return;
        }
        // A run goes along the last axis that the slice does not include as a whole.
        let cut = self.lengths.iter().zip(shape).rposition(|(length, whole)| length != whole).unwrap_or(0);
        let (outer, behind) = shape.split_at(shape.len().min(cut.saturating_add(1)));
        let inner = element_count(behind).unwrap_or(0);
        let run = self.lengths.get(cut).copied().unwrap_or(1).saturating_mul(inner);
        // The number of elements of the tensor from one index of each axis to the next one.
        let mut strides: Vec<usize> = outer
            .iter()
            .rev()
            .scan(inner, |next, length| {
                let stride = *next;
                *next = stride.saturating_mul(*length);
                Some(stride)
            })
            .collect();
        strides.reverse();
        let mut index: Vec<usize> = self.start.iter().copied().take(strides.len()).collect();
        for from in (0..count).step_by(run.max(1)) {
            let distances = index.iter().zip(&strides).map(|(index, stride)| index.saturating_mul(*stride));
            copy(distances.fold(0, usize::saturating_add), from, run);
            let axes = index.iter_mut().zip(&self.start).zip(&self.lengths).take(cut);
            for ((index, start), length) in axes.rev() {
                *index = index.saturating_add(1);
                if *index < start.saturating_add(*length) {
                    break;
                }
                *index = *start;
            }
        }
    }
}

/// Checks that the slices have as many elements as a tensor of `shape`. Does not compare the slices with each other.
pub(super) fn check_counts<'a>(
    shape: &[usize],
    slices: impl ExactSizeIterator<Item = &'a Slice>,
) -> Result<(), Damage> {
    if slices.len() > MAX_SLICES {
        return Err(format!("it has more than {MAX_SLICES} slices"));
    }
    let expected = element_count(shape).unwrap_or(usize::MAX);
    let held = slices.fold(0usize, |sum, slice| sum.saturating_add(slice.count()));
    match held.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less if held == 0 => Err("its values are missing".into()),
        std::cmp::Ordering::Less => Err(format!("its slices hold only {held} of its {expected} elements")),
        std::cmp::Ordering::Greater => Err(format!("its slices hold {held} elements, not {expected}")),
    }
}

/// Checks that no two slices share an element. Slices that also pass [`check_counts`] cover the tensor exactly.
pub(super) fn check_disjoint(slices: &[&Slice]) -> Result<(), Damage> {
    let slices: Vec<&Slice> = slices.iter().copied().filter(|slice| slice.count() > 0).collect();
    for (i, slice) in slices.iter().enumerate() {
        if slices.iter().take(i).any(|other| slice.overlaps(other)) {
            return Err("its slices overlap".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{tensor_shape_proto::Dim, tensor_slice_proto::Extent};

    fn slice(shape: &[usize], extents: &[(i64, i64)]) -> Result<Slice, Damage> {
        let extent =
            |&(start, length): &(i64, i64)| Extent { start, length: (length >= 0).then_some(length) };
        Slice::from_proto(&TensorSliceProto { extent: extents.iter().map(extent).collect() }, shape)
    }

    fn positions(shape: &[usize], slice: &Slice) -> Vec<usize> {
        let mut positions = vec![];
        slice.for_each_run(shape, |to, from, run| {
            assert_eq!(from, positions.len());
            positions.extend(to..to + run);
        });
        positions
    }

    #[test]
    fn runs_are_as_long_as_possible() {
        let shape = [4, 3, 2];
        assert_eq!(positions(&shape, &Slice::whole(&shape)), (0..24).collect::<Vec<_>>());
        assert_eq!(
            positions(&shape, &slice(&shape, &[(1, 2), (0, -1), (0, -1)]).unwrap()),
            (6..18).collect::<Vec<_>>()
        );
        assert_eq!(positions(&shape, &slice(&shape, &[(2, 2), (1, 1), (0, -1)]).unwrap()), [14, 15, 20, 21]);
        assert_eq!(positions(&shape, &slice(&shape, &[(0, 2), (0, 2), (1, 1)]).unwrap()), [1, 3, 7, 9]);
        assert_eq!(positions(&[], &Slice::whole(&[])), [0]);
        assert_eq!(positions(&[0, 4], &Slice::whole(&[0, 4])), [] as [usize; 0]);
        let mut runs = 0;
        slice(&shape, &[(1, 2), (0, -1), (0, -1)]).unwrap().for_each_run(&shape, |_, _, _| runs += 1);
        assert_eq!(runs, 1);
    }

    #[test]
    fn a_slice_stays_within_its_tensor() {
        for extents in [[(3, 2)], [(-1, 1)], [(5, 0)], [(0, 5)], [(i64::MAX, i64::MAX)], [(1, -1)]] {
            assert!(slice(&[4], &extents).is_err(), "{extents:?}");
        }
        assert!(slice(&[4, 4], &[(0, 4)]).is_err());
        assert!(slice(&[4], &[(4, 0)]).is_ok());
    }

    #[test]
    fn gaps_and_overlaps_are_found() {
        let shape = [4, 4];
        let half = |start| slice(&shape, &[(start, 2), (0, -1)]).unwrap();
        let corner = slice(&shape, &[(2, 2), (2, 2)]).unwrap();
        let check = |slices: &[&Slice]| {
            check_counts(&shape, slices.iter().copied()).and_then(|()| check_disjoint(slices))
        };
        assert!(check(&[&half(0), &half(2)]).is_ok());
        assert!(check(&[&half(0), &corner]).unwrap_err().contains("12 of its 16"));
        assert!(check(&[&half(0), &half(0)]).unwrap_err().contains("overlap"));
        assert!(check(&[&half(0), &half(1)]).unwrap_err().contains("overlap"));
        assert!(check(&[&half(0), &half(2), &corner]).unwrap_err().contains("20 elements"));
        assert!(check(&[]).unwrap_err().contains("missing"));
    }

    #[test]
    fn a_shape_that_cannot_be_counted_is_refused() {
        let shape = |sizes: &[i64]| {
            let dim = sizes.iter().map(|&size| Dim { size, name: String::new() }).collect();
            full_shape(&TensorShapeProto { dim, unknown_rank: false })
        };
        assert_eq!(shape(&[3, 0, 5]).unwrap(), [3, 0, 5]);
        assert!(shape(&[-1]).is_err());
        assert!(shape(&[1 << 40, 1 << 40]).is_err());
        assert!(shape(&[1; 255]).is_err());
    }
}
