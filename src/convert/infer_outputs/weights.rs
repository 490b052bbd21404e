//! Where a graph applies its weights: what tells its inputs from its labels.
//!
//! Labels, targets, sample weights and rewards meet the network's results in a loss. Nothing that is trained is applied to
//! what is computed from them, and that is so whatever their types and shapes are.

use super::wiring::{Marks, Wiring, is_of_shapes};
use crate::graph::is_variable;
use crate::proto::{DataType, NodeDef, attr_value::Value};

/// Where weights are applied.
pub(super) struct Weights {
    /// Whether the graph has variables; one that has none is frozen.
    pub has_variables: bool,
    /// The nodes that are computed from the elements of what is fed.
    pub fed: Marks,
    /// The nodes that apply a weight to what is fed.
    pub applying: Marks,
    /// The nodes that do so, and those that are computed from their results.
    pub applied: Marks,
    /// The nodes that do so, and those on which such nodes depend.
    pub leading: Marks,
}

impl Weights {
    pub fn new(wiring: &Wiring<'_>, feeds: &[usize], of_training: &Marks) -> Self {
        let has_variables = wiring.nodes.iter().any(|node| is_variable(&node.op));
        let serves = |place: usize| !of_training[place];
        let has_elements = |place: usize| serves(place) && !is_of_shapes(&wiring.nodes[place].op);
        let fed = wiring.forward(feeds.iter().copied(), has_elements);
        let applying_at_least = |rank: usize| -> Marks {
            let is_weight = |place: usize| is_weight(&wiring.nodes[place], has_variables, rank);
            // What is computed from weights alone is one too, but for sums of them: those are a regularization.
            let of_weights =
                |place: usize| has_elements(place) && !fed[place] && !is_reduction(&wiring.nodes[place].op);
            let weights = wiring.forward(wiring.places(is_weight), of_weights);
            let applies = |place: usize| {
                fed[place]
                    && serves(place)
                    // A choice between a weight and what is fed.
                    && wiring.nodes[place].op != "Merge"
                    && wiring.inputs[place].iter().any(|&(input, _)| weights[input])
            };
            (0..wiring.nodes.len()).map(applies).collect()
        };
        // Scalars are steps, rates and scales; in the smallest of examples they are all there is.
        let mut applying = applying_at_least(1);
        if !applying.contains(&true) && has_variables {
            applying = applying_at_least(0);
        }
        let starts = || wiring.places(|place| applying[place]).collect::<Vec<_>>();
        let applied = wiring.forward(starts(), |place| has_elements(place) && fed[place]);
        let leading = wiring.backward(starts(), has_elements);
        Self { has_variables, fed, applying, applied, leading }
    }

    /// Whether weights are applied to what is computed from this tensor.
    pub fn are_reached_from(&self, wiring: &Wiring<'_>, (place, port): (usize, usize)) -> bool {
        wiring.readers[place].iter().any(|&(reader, read)| read == port && self.leading[reader])
    }
}

fn is_reduction(op: &str) -> bool {
    matches!(op, "Sum" | "Mean" | "Max" | "Min" | "Prod" | "L2Loss" | "AddN")
}

/// Whether a node is a weight of at least this rank: a variable, or a constant where there are no variables.
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
