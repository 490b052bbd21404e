//! What rten 0.27, which executes models here, computes otherwise than ONNX and TensorFlow say.

use crate::eval::{Tensor, is_tied};
use crate::graph::Node;
use crate::tensor::DType;

/// Whether the runtime computes something else for these inputs than a correct model should: of several largest elements
/// it takes another than the first, and a number that it casts to a boolean stays the number it was.
pub fn departs(node: &Node, inputs: &[&Tensor]) -> bool {
    is_tied(node, inputs) || is_boolean_of_other_numbers(node, inputs)
}

fn is_boolean_of_other_numbers(node: &Node, inputs: &[&Tensor]) -> bool {
    let is_other = |number: &f64| *number != 0.0 && *number != 1.0;
    let [input] = inputs else { return false };
    node.op == "Cast" && node.dtype("DstT") == Some(DType::Bool) && input.numbers().iter().any(is_other)
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;

    use super::*;
    use crate::graph::{Attr, Attrs};

    #[test]
    fn numbers_that_are_no_booleans_are_left_to_the_model() {
        let cast = |to| Node {
            name: "cast".to_owned(),
            op: "Cast".to_owned(),
            inputs: vec![],
            attrs: Attrs::from([("DstT", Attr::Type(to))]),
            outputs: vec![],
        };
        let numbers = |numbers: [i32; 3]| Tensor::Int32(arr1(&numbers).into_dyn());
        assert!(departs(&cast(DType::Bool), &[&numbers([0, 2, 1])]));
        assert!(!departs(&cast(DType::Bool), &[&numbers([0, 1, 1])]));
        assert!(!departs(&cast(DType::Int64), &[&numbers([0, 2, 1])]));
    }
}
