//! Nodes that change nothing: the input has products with 1, quotients by 1, sums with 0, and transpositions that keep the order of
//! axes, and takes elements of stacks; the readers of these nodes in the output read the other operand, or what was stacked.
//!
//! Keras multiplies by a `beta` of 1 in each swish, and by 1 and 0 in `Rescaling`. TensorFlow leaves the same nodes out before it
//! runs a graph (`SimplifyArithmeticOperations` in `tensorflow/core/grappler/optimizers/constant_folding.cc`), so a sum of -0
//! and 0 is -0 there too.

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Graph, Moved, Node, TensorRef};
use crate::tensor::Constant;

/// Makes the readers of nodes that change nothing read what these read.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn drop_neutral(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        if let Some(operand) = unchanged(rewriting.old, node)? {
            let (old, new) = (rewriting.current_tensor(0), rewriting.moved(operand));
            rewriting.redirect(old, new);
        }
        Ok(None)
    })
}

/// The operand that the result of a node equals, in its type and its elements.
fn unchanged(graph: &Graph, node: &Node) -> Result<Option<TensorRef>> {
    if node.op == "Transpose" {
        let order = graph.constant(node.inputs[1]).map(Constant::to_i64s).transpose()?.flatten();
        let keeps =
            order.is_some_and(|order| order.iter().enumerate().all(|(axis, &from)| from == axis as i64));
        return Ok(keeps.then(|| node.inputs[0]));
    }
    if let Some(element) = stacked(graph, node)? {
        return Ok((graph.tensor_type(element) == &node.outputs[0]).then_some(element));
    }
    let (neutral, is_symmetric) = match node.op.as_str() {
        "Mul" => (1.0, true),
        "Div" | "RealDiv" => (1.0, false),
        "Add" | "AddV2" => (0.0, true),
        "Sub" => (0.0, false),
        _ => return Ok(None),
    };
    let &[a, b] = &node.inputs[..] else { return Ok(None) };
    let orders = [(a, b), (b, a)];
    for (operand, other) in orders.into_iter().take(if is_symmetric { 2 } else { 1 }) {
        // The result has the shape of the operand, so the other one is not longer along any axis.
        if graph.tensor_type(operand) == &node.outputs[0]
            && is_broadcast_to(graph, other, operand)
            && is_filled_with(graph, other, neutral)?
        {
            return Ok(Some(operand));
        }
    }
    Ok(None)
}

/// The tensor that a node takes from a stack: `tf.stack(tensors)[index]`.
fn stacked(graph: &Graph, node: &Node) -> Result<Option<TensorRef>> {
    let &[stack, begin, _, strides] = &node.inputs[..] else { return Ok(None) };
    let stack = graph.node(stack.node);
    let masks = ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask"];
    let takes_one = node.op == "StridedSlice"
        && node.int("shrink_axis_mask", 0) == 1
        && masks.iter().all(|mask| node.int(mask, 0) == 0);
    if !takes_one || stack.op != "Pack" || stack.int("axis", 0) != 0 {
        return Ok(None);
    }
    let ints =
        |tensor| -> Result<_> { Ok(graph.constant(tensor).map(Constant::to_i64s).transpose()?.flatten()) };
    let (Some(begin), Some(strides)) = (ints(begin)?, ints(strides)?) else { return Ok(None) };
    let &[index] = &begin[..] else { return Ok(None) };
    let count = stack.inputs.len() as i64;
    let index = if index < 0 { index + count } else { index };
    Ok(usize::try_from(index)
        .ok()
        .filter(|_| strides == [1])
        .and_then(|index| stack.inputs.get(index).copied()))
}

/// Whether a constant can be broadcast to the shape of a tensor.
fn is_broadcast_to(graph: &Graph, constant: TensorRef, tensor: TensorRef) -> bool {
    let (from, to) = (graph.shape(constant), graph.shape(tensor));
    match (from.fully_known().as_deref(), to.dims()) {
        (Some([]), _) => true,
        (Some(from), Some(to)) if from.len() <= to.len() => {
            from.iter().rev().zip(to.iter().rev()).all(|(&from, &to)| from == 1 || Some(from) == to)
        }
        _ => false,
    }
}

fn is_filled_with(graph: &Graph, tensor: TensorRef, value: f32) -> Result<bool> {
    /// Longer constants are weights, which are not read for this.
    const MAX_ELEMENTS: usize = 1 << 12;
    let constant = graph.constant(tensor).filter(|constant| constant.len() <= MAX_ELEMENTS);
    let is_value = |all: Vec<f32>| !all.is_empty() && all.iter().all(|&element| element == value);
    Ok(constant.map(Constant::to_f32s).transpose()?.flatten().is_some_and(is_value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};
    use crate::tensor::DType;

    /// Which tensor the last node reads in place of `x`, after `op` was applied to `x` of `shape` and a constant.
    fn read_after(op: &str, shape: Shape, constant: Constant, is_reversed: bool) -> String {
        let mut graph = crate::ops::new_graph();
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
        let x: TensorRef = graph.add("x", "Placeholder", vec![], attrs.into()).unwrap().into();
        let attrs = [("value", Attr::Tensor(constant))];
        let c: TensorRef = graph.add("c", "Const", vec![], attrs.into()).unwrap().into();
        let inputs = if is_reversed { vec![c, x] } else { vec![x, c] };
        let y: TensorRef = graph.add("y", op, inputs, Attrs::new()).unwrap().into();
        graph.add("z", "Relu", vec![y], Attrs::new()).unwrap();
        let (graph, _) = drop_neutral(graph).unwrap();
        let z = graph.node(graph.find("z").unwrap());
        graph.tensor_name(z.inputs[0])
    }

    #[test]
    fn a_product_with_one_is_left_out() {
        let open = Shape::new(vec![None, Some(3)]);
        for is_reversed in [false, true] {
            assert_eq!(read_after("Mul", open.clone(), Constant::filled(vec![], 1.0), is_reversed), "x:0");
            assert_eq!(read_after("Mul", open.clone(), Constant::filled(vec![3], 1.0), is_reversed), "x:0");
        }
        assert_eq!(read_after("Mul", Shape::UNKNOWN, Constant::filled(vec![], 1.0), false), "x:0");
        assert_eq!(read_after("Mul", open, Constant::filled(vec![], 2.0), false), "y:0");
    }

    #[test]
    fn only_the_right_operand_of_a_difference_is_neutral() {
        let shape = Shape::known(&[2]);
        assert_eq!(read_after("Sub", shape.clone(), Constant::filled(vec![], 0.0), false), "x:0");
        assert_eq!(read_after("Sub", shape.clone(), Constant::filled(vec![], 0.0), true), "y:0");
        assert_eq!(read_after("RealDiv", shape, Constant::filled(vec![], 1.0), true), "y:0");
    }

    #[test]
    fn a_constant_that_makes_the_result_longer_stays() {
        assert_eq!(read_after("Mul", Shape::known(&[1]), Constant::filled(vec![3], 1.0), false), "y:0");
        let open = Shape::new(vec![None]);
        assert_eq!(read_after("Mul", open, Constant::filled(vec![3], 1.0), false), "y:0");
        assert_eq!(read_after("Mul", Shape::UNKNOWN, Constant::filled(vec![1], 1.0), false), "y:0");
    }

    #[test]
    fn an_element_of_a_stack_is_what_was_stacked() {
        // The op that reads element `index` of a stack of x and y, and whether it reads x, y or the slice.
        let read = |index: i32, axis: i64| {
            let mut graph = crate::ops::new_graph();
            let mut add = |name: &str, op: &str, inputs: Vec<TensorRef>, attrs: Attrs| -> TensorRef {
                graph.add(name, op, inputs, attrs).unwrap().into()
            };
            let of_three =
                [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(&[3, 3])))];
            let ints = |value: i32| [("value", Attr::Tensor(Constant::from_i32(vec![1], &[value])))].into();
            let x = add("x", "Placeholder", vec![], of_three.clone().into());
            let y = add("y", "Placeholder", vec![], of_three.into());
            let stack = add("stack", "Pack", vec![x, y], [("axis", Attr::Int(axis))].into());
            let [begin, end, strides] = [("begin", index), ("end", index + 1), ("strides", 1)]
                .map(|(name, value)| add(name, "Const", vec![], ints(value)));
            let attrs = [("shrink_axis_mask", Attr::Int(1))];
            let slice = add("slice", "StridedSlice", vec![stack, begin, end, strides], attrs.into());
            add("out", "Relu", vec![slice], Attrs::new());
            let (graph, _) = drop_neutral(graph).unwrap();
            let out = graph.node(graph.find("out").unwrap());
            graph.node(out.inputs[0].node).name.clone()
        };
        assert_eq!([read(0, 0), read(1, 0), read(-1, 0), read(-2, 0)], ["x", "y", "y", "x"]);
        assert_eq!(read(0, 1), "slice");
    }
}
