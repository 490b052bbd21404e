//! Where rten 0.27, which executes the models, differs from ONNX and TensorFlow.

use crate::graph::Node;
use crate::ops::is_tied;
use crate::tensor::DType;
use crate::tensor::Tensor;

/// Whether the runtime computes other results from these inputs than a correct model should. If there are several largest
/// elements, it may choose another than the first. It loses NaN, it gives 0 a sign, it leaves numbers as they are when it casts them to
/// booleans, it chooses other boxes, and its integers have 32 bits.
pub fn departs(node: &Node, inputs: &[&Tensor], results: &[Tensor]) -> bool {
    // The bounds of a slice may be large: it ends with the tensor.
    let data =
        if let "Slice" | "StridedSlice" = &*node.op { inputs.get(..1).unwrap_or_default() } else { inputs };
    is_tied(node, inputs)
        || is_boolean_of_other_numbers(node, inputs)
        || may_suppress_others(node, inputs)
        || matches!(&*node.op, "Max" | "Min" | "Relu" | "Relu6") && has_float(inputs, f64::is_nan)
        || node.op == "Sign" && has_float(inputs, |number| number == 0.0)
        || data.iter().copied().chain(results).any(has_long_integers)
}

fn has_float(tensors: &[&Tensor], is: impl Fn(f64) -> bool) -> bool {
    tensors.iter().any(|tensor| match tensor {
        Tensor::Float32(array) => array.iter().any(|&number| is(number.into())),
        Tensor::Float64(array) => array.iter().any(|&number| is(number)),
        _ => false,
    })
}

fn has_long_integers(tensor: &Tensor) -> bool {
    matches!(tensor, Tensor::Int64(array) if array.iter().any(|&number| i32::try_from(number).is_err()))
}

fn is_boolean_of_other_numbers(node: &Node, inputs: &[&Tensor]) -> bool {
    let is_other = |number: &f64| *number != 0.0 && *number != 1.0;
    let [input] = inputs else { return false };
    node.op == "Cast" && node.dtype("DstT") == Some(DType::Bool) && input.numbers().iter().any(is_other)
}

/// Whether boxes may be suppressed that TensorFlow keeps. rten compares each box with those before it, and not with those that have
/// larger scores.
///
/// Source: `non_max_suppression.rs` in rten 0.27.
fn may_suppress_others(node: &Node, inputs: &[&Tensor]) -> bool {
    let count = inputs.first().and_then(|boxes| boxes.shape().first().copied());
    node.op.starts_with("NonMaxSuppression") && count.is_none_or(|count| count > 1)
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;

    use super::*;
    use crate::graph::{Attr, Attrs};

    fn node(op: &str, attrs: Attrs) -> Node {
        Node { name: op.to_owned(), op: op.to_owned(), inputs: vec![], attrs, outputs: vec![] }
    }

    #[test]
    fn the_sign_of_zero_is_left_to_the_model() {
        let sign = node("Sign", Attrs::new());
        let numbers = |numbers: [f32; 2]| Tensor::Float32(arr1(&numbers).into_dyn());
        assert!(departs(&sign, &[&numbers([1.0, -0.0])], &[]));
        assert!(!departs(&sign, &[&numbers([1.0, -2.0])], &[]));
        assert!(!departs(&sign, &[&Tensor::Int32(arr1(&[0]).into_dyn())], &[]));
    }

    #[test]
    fn numbers_that_are_not_booleans_are_left_to_the_model() {
        let cast = |to| node("Cast", Attrs::from([("DstT", Attr::Type(to))]));
        let numbers = |numbers: [i32; 3]| Tensor::Int32(arr1(&numbers).into_dyn());
        assert!(departs(&cast(DType::Bool), &[&numbers([0, 2, 1])], &[]));
        assert!(!departs(&cast(DType::Bool), &[&numbers([0, 1, 1])], &[]));
        assert!(!departs(&cast(DType::Int64), &[&numbers([0, 2, 1])], &[]));
        let long = Tensor::Int64(arr1(&[1 << 31]).into_dyn());
        assert!(departs(&cast(DType::Int64), &[&numbers([0, 2, 1])], &[long]));
    }
}
