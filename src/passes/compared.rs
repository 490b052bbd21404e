//! Comparisons of a tensor with elements that were chosen from it: `equal(x, expand_dims(reduce_max(x, -1), -1))`.
//!
//! The input is a graph that computes in float32. The result are the ops that lead from such a tensor to the comparison: they stay in
//! float32. Otherwise only one side might be rounded, since ONNX Runtime leaves out casts to float16 and back: then no element is equal to
//! the greatest one.
//!
//! Source: `RemoveDuplicateCastTransformer` in `onnxruntime/core/optimizer/insert_cast_transformer.cc`.

use hashbrown::HashSet;

use crate::graph::{Graph, NodeId, TensorRef, forwards};
use crate::tensor::DType;

const COMPARISONS: [&str; 6] = ["Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual"];

/// The most ops that are followed from a comparison: more would take the square of their number.
const MOST: usize = 1000;

/// The ops that choose or move elements of a tensor before it is compared with others of the same tensor.
pub fn compared_with_chosen(graph: &Graph) -> HashSet<NodeId> {
    let mut kept = HashSet::new();
    for (_, node) in graph.nodes().filter(|(_, node)| COMPARISONS.contains(&node.op.as_str())) {
        let &[a, b] = &node.inputs[..] else { continue };
        if graph.tensor_type(a).dtype != DType::Float32 {
            continue;
        }
        let [a, b] = [a, b].map(|side| Chosen::of(graph, side));
        if !a.sources.is_disjoint(&b.sources) {
            kept.extend(a.by.into_iter().chain(b.by));
        }
    }
    kept
}

/// Where the elements of a tensor come from.
#[derive(Default)]
struct Chosen {
    /// The tensors that have been computed.
    sources: HashSet<TensorRef>,
    /// The ops that choose or move their elements.
    by: HashSet<NodeId>,
}

impl Chosen {
    fn of(graph: &Graph, tensor: TensorRef) -> Self {
        let mut chosen = Self::default();
        let mut stack = vec![tensor];
        while let Some(tensor) = stack.pop() {
            let tensor = graph.origin(tensor);
            let node = graph.node(tensor.node);
            if !chooses(&node.op) || chosen.by.len() >= MOST {
                chosen.sources.insert(tensor);
            } else if chosen.by.insert(tensor.node) {
                let is_float = |input: &TensorRef| graph.tensor_type(*input).dtype == DType::Float32;
                stack.extend(node.inputs.iter().copied().filter(is_float));
            }
        }
        chosen
    }
}

/// Whether the elements of an op's result are elements of its inputs.
fn chooses(op: &str) -> bool {
    forwards(op)
        || matches!(
            op,
            "BroadcastTo"
                | "Concat"
                | "ConcatV2"
                | "DepthToSpace"
                | "ExpandDims"
                | "Gather"
                | "GatherNd"
                | "GatherV2"
                | "Max"
                | "MaxPool"
                | "MaxPool3D"
                | "MaxPoolV2"
                | "MaxPoolWithArgmax"
                | "Maximum"
                | "Min"
                | "Minimum"
                | "Pack"
                | "Reshape"
                | "ReverseV2"
                | "Select"
                | "SelectV2"
                | "Slice"
                | "SpaceToDepth"
                | "Split"
                | "SplitV"
                | "Squeeze"
                | "StridedSlice"
                | "Tile"
                | "TopKV2"
                | "Transpose"
                | "Unpack"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};
    use crate::tensor::Constant;

    #[test]
    fn what_leads_from_a_tensor_to_a_comparison_with_it_is_found() {
        let mut graph = crate::ops::new_graph();
        let shape = Attr::Shape(Shape::known(&[2, 3]));
        let attrs = Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", shape)]);
        let x: TensorRef = graph.add("x", "Placeholder", vec![], attrs).unwrap().into();
        let y: TensorRef = graph.add("y", "Exp", vec![x], Attrs::new()).unwrap().into();
        let axis = Attrs::from([("value", Attr::Tensor(Constant::from_i32(vec![], &[1])))]);
        let axis: TensorRef = graph.add("axis", "Const", vec![], axis).unwrap().into();
        let most = graph.add("most", "Max", vec![y, axis], Attrs::new()).unwrap();
        let column = graph.add("column", "ExpandDims", vec![most.into(), axis], Attrs::new()).unwrap();
        graph.add("other", "Greater", vec![column.into(), x], Attrs::new()).unwrap();
        assert_eq!(compared_with_chosen(&graph), HashSet::new());
        graph.add("is_most", "Equal", vec![y, column.into()], Attrs::new()).unwrap();
        assert_eq!(compared_with_chosen(&graph), HashSet::from([most, column]));
    }
}
