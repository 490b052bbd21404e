//! Calls, conditionals and loops.

pub mod lower;
mod optionals;
pub mod shape;

use super::{Op, op};
use crate::graph::branches::ON_BRANCH;
use crate::ops::infer::like_first_input;

const BRANCH: &str = "it becomes an If, or the branch that is taken";

/// The first operator set of which ONNX Runtime infers no shape for a result of an If if it has one in one branch alone. Before it, an
/// optional that one branch keeps had the shape of the others.
const OPTIONALS: i64 = 13;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("_SwitchN").shape(super::array::shape::basic::switch_n).not_lowered(BRANCH),
    op("Case").also(&["StatelessCase"]).complex_too().shape(shape::case).lower(lower::case, &["If", "Equal"]),
    op("If")
        .also(&["StatelessIf"])
        .complex_too()
        .shape(shape::conditional)
        .lower(lower::conditional, &["If"]),
    op("Merge").also(&["RefMerge"]).shape(super::array::shape::basic::merge).not_lowered(BRANCH),
    op("OptionalFromValue")
        .shape(optionals::optional_type)
        .lower(optionals::from_value, &[])
        .since(OPTIONALS)
        .eval(optionals::value)
        .note(
            "the values that a conditional keeps for its gradient; not lists of tensors, and not in a loop",
        ),
    op("OptionalGetValue")
        .shape(optionals::declared_types)
        .lower(optionals::get_value, &[])
        .since(OPTIONALS)
        .eval(optionals::value),
    op("OptionalNone").shape(optionals::optional_type).lower(optionals::none, &[]).eval(optionals::nothing),
    op("PartitionedCall")
        .also(&["StatefulPartitionedCall"])
        .complex_too()
        .shape(shape::call)
        .lower(lower::call, &[]),
    op("Switch")
        .also(&["RefSwitch"])
        .shape(|inputs, _| Ok(vec![inputs.tensor_type(0)?.clone(); 2]))
        .not_lowered(BRANCH),
    op("While")
        .also(&["StatelessWhile"])
        .complex_too()
        .shape(shape::while_loop)
        .lower(lower::while_loop, &["Loop", "LSTM", "GRU", "RNN"]),
    op(ON_BRANCH).shape(like_first_input).not_lowered(BRANCH),
];
