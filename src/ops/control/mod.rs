//! Calls, conditionals and loops.

pub mod lower;
pub mod shape;

use super::{Op, op};
use crate::graph::branches::ON_BRANCH;
use crate::ops::infer::like_first_input;

const BRANCH: &str = "it becomes an If, or the branch that is taken";

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
