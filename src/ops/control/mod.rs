//! Calls, conditionals and loops.

pub mod lower;
pub mod shape;

use super::{Op, op};
use crate::graph::branches::ON_BRANCH;
use crate::ops::infer::like_first_input;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("_SwitchN").shape(super::array::shape::basic::switch_n),
    op("Case").shape(shape::case).lower(lower::case, &["If", "Equal"]),
    op("If").shape(shape::conditional).lower(lower::conditional, &["If"]),
    op("Merge").shape(super::array::shape::basic::merge),
    op("PartitionedCall").shape(shape::call).lower(lower::call, &[]),
    op("RefMerge").shape(super::array::shape::basic::merge),
    op("RefSwitch").shape(|inputs, _| Ok(vec![inputs.tensor_type(0)?.clone(); 2])),
    op("StatefulPartitionedCall").shape(shape::call).lower(lower::call, &[]),
    op("StatelessCase").shape(shape::case).lower(lower::case, &["If", "Equal"]),
    op("StatelessIf").shape(shape::conditional).lower(lower::conditional, &["If"]),
    op("StatelessWhile").shape(shape::while_loop).lower(lower::while_loop, &["Loop"]),
    op("Switch").shape(|inputs, _| Ok(vec![inputs.tensor_type(0)?.clone(); 2])),
    op("While").shape(shape::while_loop).lower(lower::while_loop, &["Loop"]),
    op(ON_BRANCH).shape(like_first_input),
];
