//! Reshapes of reshapes: the input gives a tensor one shape after another; in the output the last `Reshape` reads the tensor itself.

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Graph, Moved, Node, TensorMap, TensorRef};

/// Makes each `Reshape` to a constant shape read the tensor that is reshaped before it, if nothing else reads what is between them.
///
/// # Errors
/// If the new nodes do not fit.
pub fn join_reshapes(graph: Graph) -> Result<(Graph, Moved)> {
    if !graph.has_op(&["Reshape"]) {
        return Ok((graph, Moved::default()));
    }
    let readers = graph.reader_counts();
    rewrite(graph, |rewriting, node| {
        let Some(tensor) = first_tensor(rewriting.old, node, &readers) else { return Ok(None) };
        let inputs = vec![rewriting.moved(tensor), rewriting.moved(node.inputs[1])];
        rewriting.add(node.name.clone(), &node.op, inputs, node.attrs.clone()).map(Some)
    })
}

/// The tensor before the nodes that only change its shape, if there are any before this one.
fn first_tensor(graph: &Graph, node: &Node, readers: &TensorMap<usize>) -> Option<TensorRef> {
    // A shape that is computed when the model runs may be copied from the tensor between the two, and one that the tensor has
    // already needs no node.
    if node.op != "Reshape"
        || graph.constant(node.inputs[1]).is_none()
        || node.outputs[0] == *graph.tensor_type(node.inputs[0])
    {
        return None;
    }
    let mut tensor = node.inputs[0];
    loop {
        let before = graph.node(tensor.node);
        let is_shape_only = matches!(before.op.as_str(), "Reshape" | "ExpandDims" | "Squeeze");
        if !is_shape_only || readers[tensor] != 1 {
            return (tensor != node.inputs[0]).then_some(tensor);
        }
        tensor = before.inputs[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};
    use crate::tensor::{Constant, DType};

    /// The input of a `Reshape` to `[-1, 6]` after `op`, which reads `x` and a constant, and which another node reads too if
    /// `is_read`.
    fn read_after(op: &str, argument: &[i32], is_read: bool) -> String {
        let mut graph = crate::ops::new_graph();
        let mut add = |name: &str, op: &str, inputs: Vec<TensorRef>, attrs: Attrs| -> TensorRef {
            graph.add(name, op, inputs, attrs).unwrap().into()
        };
        let shape = Shape::new(vec![None, Some(2), Some(3)]);
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
        let x = add("x", "Placeholder", vec![], attrs.into());
        let ints =
            |values: &[i32]| [("value", Attr::Tensor(Constant::from_i32(vec![values.len()], values)))].into();
        let argument = add("argument", "Const", vec![], ints(argument));
        let target = add("target", "Const", vec![], ints(&[-1, 6]));
        let between = add("between", op, vec![x, argument], Attrs::new());
        if is_read {
            add("read", "Relu", vec![between], Attrs::new());
        }
        add("out", "Reshape", vec![between, target], Attrs::new());
        let (graph, _) = join_reshapes(graph).unwrap();
        graph.tensor_name(graph.node(graph.find("out").unwrap()).inputs[0])
    }

    #[test]
    fn only_the_last_shape_counts() {
        assert_eq!(read_after("Reshape", &[-1, 3], false), "x:0");
        assert_eq!(read_after("ExpandDims", &[1], false), "x:0");
        assert_eq!(read_after("Tile", &[2, 1, 1], false), "between:0");
    }

    #[test]
    fn shapes_that_others_read_or_that_stay_are_kept() {
        assert_eq!(read_after("Reshape", &[-1, 3], true), "between:0");
        assert_eq!(read_after("Reshape", &[-1, 6], false), "between:0");
    }
}
