//! Nodes that fail in TensorFlow whenever they run, since a constant is out of range. ONNX has no result for them either,
//! or a different one: a negative index counts from the end in ONNX.
//!
//! Source: the kernels `gather_op.cc`, `gather_nd_op.cc`, `scatter_nd_op.cc`, `segment_reduction_ops_impl.h`, `slice_op.cc`,
//! `mirror_pad_op.cc`, `inplace_ops.cc` and `cwise_ops.h` in `tensorflow/core/kernels`.

use crate::error::Result;
use crate::graph::{Graph, Node};
use crate::tensor::Constant;

/// The most indices of one node that are checked. A longer constant holds weights.
const MAX_INDICES: usize = 1 << 20;

/// Refuses a graph that has nodes which fail whenever they run. The bodies of its functions are left out: a branch may
/// never be taken.
///
/// # Errors
/// If it has such a node.
pub fn refuse_failing(graph: &Graph) -> Result<()> {
    graph.nodes().try_for_each(|(_, node)| Inputs { graph, node }.check())
}

struct Inputs<'a> {
    graph: &'a Graph,
    node: &'a Node,
}

impl Inputs<'_> {
    fn check(&self) -> Result<()> {
        match self.node.op.as_str() {
            "Gather" | "ResourceGather" => self.indices_of_axis(1, self.lengths(0), 0),
            "GatherV2" => {
                let Some(axis) = self.integers(2)?.and_then(|axis| axis.first().copied()) else {
                    return Ok(());
                };
                self.indices_of_axis(1, self.lengths(0), axis)
            }
            "GatherNd" if self.node.int("batch_dims", 0) == 0 => self.index_rows(1, self.lengths(0)),
            "ScatterNd" => match self.integers(2)? {
                Some(lengths) => {
                    let lengths = lengths.into_iter().map(|length| usize::try_from(length).ok());
                    self.index_rows(0, Some(lengths.collect()))
                }
                None => Ok(()),
            },
            "TensorScatterUpdate"
            | "TensorScatterAdd"
            | "TensorScatterSub"
            | "TensorScatterMax"
            | "TensorScatterMin" => self.index_rows(1, self.lengths(0)),
            "SegmentSum" | "SegmentMax" | "SegmentMin" | "SegmentMean" | "SegmentProd" => self.segments(),
            "Slice" => self.slice(),
            "MirrorPad" => self.mirrored(),
            "InvertPermutation" => self.permutation(),
            "FloorDiv" | "FloorMod" | "Mod" | "Div" | "TruncateDiv" | "TruncateMod" => self.divisor(),
            _ => Ok(()),
        }
    }

    fn constant(&self, index: usize) -> Option<&Constant> {
        self.graph.constant(*self.node.inputs.get(index)?).filter(|constant| constant.len() <= MAX_INDICES)
    }

    fn integers(&self, index: usize) -> Result<Option<Vec<i64>>> {
        self.constant(index).map_or(Ok(None), Constant::to_i64s)
    }

    fn lengths(&self, index: usize) -> Option<Vec<Option<usize>>> {
        self.graph.shape(*self.node.inputs.get(index)?).dims().map(<[_]>::to_vec)
    }

    /// Indices along one axis.
    fn indices_of_axis(&self, index: usize, lengths: Option<Vec<Option<usize>>>, axis: i64) -> Result<()> {
        let (Some(indices), Some(lengths)) = (self.integers(index)?, lengths) else { return Ok(()) };
        let axis = if axis < 0 { axis + lengths.len() as i64 } else { axis };
        let Some(Some(length)) = usize::try_from(axis).ok().and_then(|axis| lengths.get(axis)) else {
            return Ok(());
        };
        match indices.iter().find(|&&index| is_outside(index, *length)) {
            Some(index) => Err(self
                .node
                .error(format!("its index {index} is not in axis {axis}, whose length is {length}"))),
            None => Ok(()),
        }
    }

    /// Indices into the first axes of a tensor of these lengths: each row of the input has one index per axis.
    fn index_rows(&self, index: usize, lengths: Option<Vec<Option<usize>>>) -> Result<()> {
        let (Some(indices), Some(lengths)) = (self.integers(index)?, lengths) else { return Ok(()) };
        let depth = self.constant(index).and_then(|constant| constant.shape().last().copied()).unwrap_or(0);
        if depth == 0 || depth > lengths.len() {
            return Ok(());
        }
        for row in indices.chunks(depth) {
            let mut pairs = row.iter().zip(&lengths);
            if pairs.any(|(&index, length)| length.is_some_and(|length| is_outside(index, length))) {
                return Err(self.node.error(format!("its index {row:?} is outside of the tensor")));
            }
        }
        Ok(())
    }

    /// Segment ids are in ascending order, and none is negative.
    fn segments(&self) -> Result<()> {
        let Some(ids) = self.integers(1)? else { return Ok(()) };
        let is_ordered = ids.is_sorted() && ids.first().is_none_or(|&first| first >= 0);
        let rows = self.lengths(0).and_then(|lengths| *lengths.first()?);
        if is_ordered && rows.is_none_or(|rows| rows == ids.len()) {
            return Ok(());
        }
        Err(self.node.error("its segment_ids are not a number for each row, in ascending order"))
    }

    fn slice(&self) -> Result<()> {
        let (Some(begin), Some(size), Some(lengths)) =
            (self.integers(1)?, self.integers(2)?, self.lengths(0))
        else {
            return Ok(());
        };
        for (axis, ((begin, size), length)) in begin.iter().zip(&size).zip(lengths).enumerate() {
            let Some(length) = length.and_then(|length| i64::try_from(length).ok()) else { continue };
            if *size >= 0 && begin.checked_add(*size).is_none_or(|end| end > length) {
                let problem =
                    format!("it takes {size} from {begin} of axis {axis}, whose length is {length}");
                return Err(self.node.error(problem));
            }
        }
        Ok(())
    }

    fn mirrored(&self) -> Result<()> {
        let (Some(paddings), Some(lengths)) = (self.integers(1)?, self.lengths(0)) else { return Ok(()) };
        // A reflection leaves out the element at the edge.
        let left_out = usize::from(self.node.text("mode") != Some("SYMMETRIC"));
        for (axis, (pair, length)) in paddings.chunks(2).zip(lengths).enumerate() {
            let Some(length) = length else { continue };
            let most = length.saturating_sub(left_out) as i64;
            if let Some(padding) = pair.iter().find(|&&padding| padding > most) {
                let problem =
                    format!("it mirrors {padding} elements of axis {axis}, whose length is {length}");
                return Err(self.node.error(problem));
            }
        }
        Ok(())
    }

    fn permutation(&self) -> Result<()> {
        let Some(mut axes) = self.integers(0)? else { return Ok(()) };
        axes.sort_unstable();
        if axes.iter().enumerate().all(|(index, &axis)| i64::try_from(index) == Ok(axis)) {
            return Ok(());
        }
        Err(self.node.error("its input is not a permutation of axes"))
    }

    /// Only integers are checked: other numbers have a quotient by 0.
    fn divisor(&self) -> Result<()> {
        match self.integers(1)? {
            Some(divisors) if divisors.contains(&0) && self.has_elements() => {
                Err(self.node.error("it divides integers by 0"))
            }
            _ => Ok(()),
        }
    }

    fn has_elements(&self) -> bool {
        let outputs = self.node.outputs.first();
        let dims = outputs.and_then(|output| output.shape.fully_known());
        dims.is_some_and(|dims| !dims.contains(&0))
    }
}

fn is_outside(index: i64, length: usize) -> bool {
    usize::try_from(index).map_or(true, |index| index >= length)
}
