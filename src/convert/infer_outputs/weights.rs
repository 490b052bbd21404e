//! Where a graph applies its weights, which distinguishes its inputs from its labels.
//!
//! Labels, targets, sample weights and rewards meet the network's results in a loss. No trained weight is applied to what is
//! computed from them, whatever their types and shapes are.

use super::wiring::{Marks, Wiring};
use crate::graph::{is_of_shapes, is_variable};
use crate::proto::{DataType, NodeDef, attr_value::Value};

/// Where weights are applied.
pub(super) struct Weights {
    /// Whether the graph has variables; without variables, it is frozen.
    pub has_variables: bool,
    /// The nodes that are computed from the elements of inputs.
    pub fed: Marks,
    /// The nodes that apply a weight to a tensor that is computed from inputs.
    pub applying: Marks,
    /// These nodes, and the nodes that are computed from their results.
    pub applied: Marks,
    /// These nodes, and the nodes that they depend on.
    pub leading: Marks,
}

impl Weights {
    pub fn new(wiring: &Wiring<'_>, feeds: &[usize], of_training: &Marks) -> Self {
        let has_variables = wiring.nodes.iter().any(|node| is_variable(&node.op));
        let serves = |index: usize| !of_training[index];
        let has_elements = |index: usize| serves(index) && !is_of_shapes(&wiring.nodes[index].op);
        let fed = wiring.forward(feeds.iter().copied(), has_elements);
        let applying_at_least = |rank: usize| -> Marks {
            let is_weight = |index: usize| is_weight(&wiring.nodes[index], has_variables, rank);
            // A tensor that is computed only from weights is a weight, too. Sums of weights are not: they are a regularization.
            let of_weights =
                |index: usize| has_elements(index) && !fed[index] && !is_reduction(&wiring.nodes[index].op);
            let weights = wiring.forward(wiring.nodes_where(is_weight), of_weights);
            let applies = |index: usize| {
                fed[index]
                    && serves(index)
                    // A Merge chooses between a weight and an input, and applies nothing.
                    && wiring.nodes[index].op != "Merge"
                    && wiring.inputs[index].iter().any(|&(input, _)| weights[input])
            };
            (0..wiring.nodes.len()).map(applies).collect()
        };
        // Scalars are steps, rates and scales. In the smallest examples, there are only scalars.
        let mut applying = applying_at_least(1);
        if !applying.contains(&true) && has_variables {
            applying = applying_at_least(0);
        }
        let starts = || wiring.nodes_where(|index| applying[index]).collect::<Vec<_>>();
        let applied = wiring.forward(starts(), |index| has_elements(index) && fed[index]);
        let leading = wiring.backward(starts(), has_elements);
        Self { has_variables, fed, applying, applied, leading }
    }

    /// Whether weights are applied to tensors that are computed from this one.
    pub fn are_reached_from(&self, wiring: &Wiring<'_>, (index, port): (usize, usize)) -> bool {
        wiring.readers[index].iter().any(|&(reader, read)| read == port && self.leading[reader])
    }
}

fn is_reduction(op: &str) -> bool {
    matches!(op, "Sum" | "Mean" | "Max" | "Min" | "Prod" | "L2Loss" | "AddN")
}

/// Whether a node is a weight of at least this rank: a variable, or a constant if there are no variables.
fn is_weight(node: &NodeDef, has_variables: bool, rank: usize) -> bool {
    let value = |name: &str| node.attr.get(name)?.value.as_ref();
    let is_float = |dtype: i32| {
        !matches!(
            DataType::try_from(dtype),
            Ok(DataType::DtInt32 | DataType::DtInt64 | DataType::DtBool | DataType::DtString)
        )
    };
    if is_variable(&node.op) {
        let is_trained = !matches!(value("dtype"), Some(&Value::Type(dtype)) if !is_float(dtype));
        let has_rank = !matches!(value("shape"), Some(Value::Shape(shape)) if !shape.unknown_rank && shape.dim.len() < rank);
        return is_trained && has_rank;
    }
    match value("value") {
        Some(Value::Tensor(tensor)) if node.op == "Const" && !has_variables => {
            let dims = tensor.tensor_shape.as_ref().map_or(0, |shape| shape.dim.len());
            is_float(tensor.dtype) && dims >= rank
        }
        _ => false,
    }
}
