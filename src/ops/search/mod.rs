//! Ops that look for elements: the greatest, the distinct ones, and where others belong among them.

pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::{Bound, bound, in_top_k, nth_element, unique};
use super::{Op, Parameter, op};
use crate::ops::array::SORTS_ROWS;
use crate::ops::infer::one;
use crate::tensor::DType;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("ApproxTopK")
        .shape(shape::approximate_top_k)
        .lower(lower::approximate_top_k, &["TopK"])
        .note("exact; results that are not aggregated are refused"),
    op("HistogramFixedWidth")
        .shape(shape::histogram)
        .lower(lower::histogram, &["Sub", "Div", "Min", "Equal", "ReduceSum"])
        .eval(eval::histogram),
    op("InTopK")
        .shape(|inputs, _| one(DType::Bool, inputs.shape(1)?.clone()))
        .lower(
            |cx, node| in_top_k(cx, node, Parameter::Attribute),
            &["Equal", "Greater", "ReduceSum", "Less"],
        )
        .eval(|node, inputs| eval::in_top_k(node, inputs, Parameter::Attribute)),
    op("InTopKV2")
        .shape(|inputs, _| one(DType::Bool, inputs.shape(1)?.clone()))
        .lower(|cx, node| in_top_k(cx, node, Parameter::Input(2)), &["Equal", "Greater", "ReduceSum", "Less"])
        .eval(|node, inputs| eval::in_top_k(node, inputs, Parameter::Input(2))),
    op("LowerBound")
        .shape(shape::bound)
        .lower(|cx, node| bound(cx, node, Bound::Lower), &["Less", "ReduceSum"])
        .eval(|node, inputs| eval::bound(node, inputs, Bound::Lower)),
    op("NthElement")
        .shape(shape::nth_element)
        .lower(nth_element, &["TopK", "Gather"])
        .eval(eval::nth_element)
        .note(SORTS_ROWS),
    op("UniqueV2").shape(shape::unique).lower(unique, &["Unique"]),
    op("UniqueWithCountsV2").shape(shape::unique_with_counts).lower(unique, &["Unique"]),
    op("UpperBound")
        .shape(shape::bound)
        .lower(|cx, node| bound(cx, node, Bound::Upper), &["Less", "ReduceSum"])
        .eval(|node, inputs| eval::bound(node, inputs, Bound::Upper)),
];
