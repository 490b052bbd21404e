//! Slices of a tensor that begin at indices: Gather and Scatter in <https://openxla.org/xla/operation_semantics>.
//!
//! A tensor of slices has the axes of the indices, and among them those of a slice.

use super::dimensions::{self, others};
use crate::error::Result;
use crate::graph::{Node, Shape};
use crate::proto::xla::{GatherDimensionNumbers, ScatterDimensionNumbers};

/// What the axes are for: those of the operand, of the indices, and of the tensor of slices.
pub struct Slices {
    /// The axis of the operand that each component of an index counts along.
    pub indexed: Vec<usize>,
    /// The axes of the operand, each with its place in the tensor of slices; those without one are of length 1 in a slice, and left out.
    places: Vec<Option<usize>>,
    /// The axes of the tensor of slices that are those of the indices.
    pub batch: Vec<usize>,
    /// The axis of the indices along which their components are; if there is none, each index is one number.
    pub vector: Option<usize>,
}

impl Slices {
    /// Those that a node gathers at indices of this rank.
    ///
    /// # Errors
    /// If its attribute does not describe such indices.
    pub fn gathered(node: &Node, indices_rank: usize) -> Result<Self> {
        let numbers: GatherDimensionNumbers = dimensions::of(node)?;
        check_no_batching(node, &numbers.operand_batching_dims)?;
        let lists = [&numbers.start_index_map, &numbers.collapsed_slice_dims, &numbers.offset_dims];
        Self::new(node, indices_rank, lists.map(Vec::as_slice), numbers.index_vector_dim)
    }

    /// Those that a node scatters at indices of this rank.
    ///
    /// # Errors
    /// If its attribute does not describe such indices.
    pub fn scattered(node: &Node, indices_rank: usize) -> Result<Self> {
        let numbers: ScatterDimensionNumbers = dimensions::of(node)?;
        check_no_batching(node, &numbers.input_batching_dims)?;
        let lists = [
            &numbers.scatter_dims_to_operand_dims,
            &numbers.inserted_window_dims,
            &numbers.update_window_dims,
        ];
        Self::new(node, indices_rank, lists.map(Vec::as_slice), numbers.index_vector_dim)
    }

    fn new(
        node: &Node,
        indices_rank: usize,
        [indexed, left_out, window]: [&[i64]; 3],
        vector: i64,
    ) -> Result<Self> {
        let rank = window.len() + left_out.len();
        let indexed = dimensions::axes(node, indexed, rank)?;
        let left_out = dimensions::axes(node, left_out, rank)?;
        let vector = usize::try_from(vector).ok().filter(|&axis| axis <= indices_rank);
        let Some(vector) = vector.map(|axis| (axis < indices_rank).then_some(axis)) else {
            return Err(node.error("its indices do not have the axis index_vector_dim"));
        };
        let batch_rank = indices_rank - usize::from(vector.is_some());
        let window = dimensions::axes(node, window, batch_rank.saturating_add(window.len()))?;
        if !window.is_sorted() {
            return Err(node.error("its dimension_numbers do not name the axes of a slice in their order"));
        }
        let batch = others(&window, batch_rank + window.len()).collect();
        let mut window = window.into_iter();
        let places =
            (0..rank).map(|axis| if left_out.contains(&axis) { None } else { window.next() }).collect();
        Ok(Self { indexed, places, batch, vector })
    }

    /// The rank of the operand.
    pub fn rank(&self) -> usize {
        self.places.len()
    }

    /// Refuses an operand or a tensor of slices of another rank.
    ///
    /// # Errors
    /// If one has.
    pub fn check_ranks(&self, node: &Node, operand: &Shape, slices: &Shape) -> Result<()> {
        let rank = self.batch.len() + self.places.iter().flatten().count();
        match [(operand, self.rank()), (slices, rank)]
            .into_iter()
            .find(|(shape, rank)| shape.rank().is_some_and(|known| known != *rank))
        {
            Some((shape, rank)) => {
                Err(node
                    .error(format!("its dimension_numbers are for rank {rank}, not for the shape {shape}")))
            }
            None => Ok(()),
        }
    }

    /// The axis of the tensor of slices that is an axis of the operand, if the slices have it.
    pub fn place(&self, axis: usize) -> Option<usize> {
        self.places.get(axis).copied().flatten()
    }

    /// The axes of the operand, in the order in which slices are written: those that indices count along; those of which slices may have
    /// a part, without an index; and, as the second list, those that slices have as a whole.
    pub fn ordered(&self, is_whole: impl Fn(usize) -> bool) -> [Vec<usize>; 2] {
        let rest = || others(&self.indexed, self.places.len());
        let stays = |&axis: &usize| is_whole(axis) && self.place(axis).is_some();
        let parts = rest().filter(|axis| !stays(axis));
        [self.indexed.iter().copied().chain(parts).collect(), rest().filter(stays).collect()]
    }

    /// The axes of the indices without that of the components.
    pub fn index_axes(&self) -> Vec<usize> {
        let rank = self.batch.len() + usize::from(self.vector.is_some());
        (0..rank).filter(|&axis| Some(axis) != self.vector).collect()
    }
}

fn check_no_batching(node: &Node, axes: &[i64]) -> Result<()> {
    match axes {
        [] => Ok(()),
        _ => Err(node
            .error("its dimension_numbers have axes of batches, which are not converted")
            .unsupported()),
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::graph::{Attr, Attrs};

    fn gathered(numbers: &GatherDimensionNumbers, indices_rank: usize) -> Result<Slices> {
        let attrs = Attrs::from([("dimension_numbers", Attr::Bytes(numbers.encode_to_vec()))]);
        let node = Node {
            name: "slices".to_owned(),
            op: "XlaGather".to_owned(),
            inputs: vec![],
            attrs,
            outputs: vec![],
        };
        Slices::gathered(&node, indices_rank)
    }

    /// Columns of a matrix, at indices of one component.
    fn columns() -> GatherDimensionNumbers {
        GatherDimensionNumbers {
            offset_dims: vec![0],
            collapsed_slice_dims: vec![1],
            start_index_map: vec![1],
            index_vector_dim: 2,
            ..Default::default()
        }
    }

    #[test]
    fn the_axes_of_slices_are_among_those_of_the_indices() {
        let slices = gathered(&columns(), 3).unwrap();
        assert_eq!((slices.rank(), slices.place(0), slices.place(1)), (2, Some(0), None));
        assert_eq!((&slices.batch[..], slices.vector), (&[1, 2][..], Some(2)));
        assert_eq!(slices.ordered(|_| true), [vec![1], vec![0]]);
        assert_eq!(slices.ordered(|_| false), [vec![1, 0], vec![]]);
        // Without an axis of their own, components are numbers.
        assert_eq!(gathered(&columns(), 2).unwrap().vector, None);
    }

    #[test]
    fn axes_that_do_not_exist_are_refused() {
        assert!(gathered(&columns(), 1).is_err());
        assert!(gathered(&GatherDimensionNumbers { offset_dims: vec![3], ..columns() }, 3).is_err());
        assert!(gathered(&GatherDimensionNumbers { start_index_map: vec![-1], ..columns() }, 3).is_err());
        assert!(
            gathered(&GatherDimensionNumbers { collapsed_slice_dims: vec![1, 1], ..columns() }, 3).is_err()
        );
        assert!(
            gathered(&GatherDimensionNumbers { operand_batching_dims: vec![0], ..columns() }, 3).is_err()
        );
    }
}
