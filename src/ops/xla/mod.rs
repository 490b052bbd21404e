//! The ops that wrap operations of XLA, as JAX and Hugging Face's generation of texts write them.
//!
//! Sources: `tensorflow/compiler/tf2xla/ops/xla_ops.cc`, `tensorflow/compiler/tf2xla/python/xla.py`, and
//! <https://openxla.org/xla/operation_semantics>.

pub mod dimensions;
pub mod eval;
pub mod lower;
pub mod shape;
pub mod slices;
pub mod windows;

use super::array::lower::basic::{identities, identity};
use super::{Op, by_parts, op};
use crate::ops::infer::like_first_input;
use crate::tensor::Tensor;

const COMPILED: &str = "XLA compiles the op for its value";

const OF_NAN: &str = "the runtime decides about the places of NaN and of zeros with a sign";

/// The ops of this family.
pub const OPS: &[Op] = &[
    by_parts("XlaBroadcastHelper")
        .shape(shape::broadcast_helper)
        .lower(lower::pad::broadcast_helper, &["Unsqueeze"])
        .constants(&[("broadcast_dims", COMPILED)])
        .float16(),
    op("XlaConv")
        .also(&["XlaConvV2"])
        .shape(shape::convolution)
        .lower(lower::convolution::convolution, &["Conv", "Pad", "Cast"])
        .constants(&[
            ("window_strides", COMPILED),
            ("padding", COMPILED),
            ("lhs_dilation", COMPILED),
            ("rhs_dilation", COMPILED),
            ("feature_group_count", COMPILED),
        ])
        .float16(),
    op("XlaDot")
        .also(&["XlaDotV2"])
        .shape(shape::dot)
        .lower(lower::product::dot, &["Einsum", "Cast"])
        .eval(eval::dot)
        .float16(),
    by_parts("XlaDynamicSlice")
        .shape(shape::dynamic_slice)
        .lower(lower::slice::dynamic_slice, &["Slice", "Min", "Max"])
        .fold(eval::dynamic_slice)
        .float16(),
    by_parts("XlaDynamicUpdateSlice")
        .shape(shape::dynamic_update_slice)
        .lower(lower::slice::dynamic_update_slice, &["Concat", "Slice", "Min", "Max"])
        .eval(eval::dynamic_update_slice)
        .float16(),
    op("XlaEinsum")
        .shape(super::matrix::shape::einsum)
        .lower(super::matrix::lower::product::einsum, &["Einsum"]),
    by_parts("XlaGather")
        .shape(shape::gather)
        .lower(lower::gather::gather, &["Gather", "Min", "Max", "Mul", "Add"])
        .eval(eval::gather)
        .float16(),
    op("XlaKeyValueSort")
        .shape(shape::like_inputs)
        .lower(lower::sort::key_value_sort, &["TopK", "GatherElements"])
        .note(OF_NAN),
    by_parts("XlaOptimizationBarrier")
        .shape(shape::like_inputs)
        .lower(identities, &[])
        .eval(|_, inputs| Some(inputs.iter().map(|&input| input.clone()).collect()))
        .float16(),
    by_parts("XlaPad")
        .shape(shape::pad)
        .lower(lower::pad::pad, &["Pad", "Slice", "Reshape"])
        .constants(&[("padding_low", COMPILED), ("padding_high", COMPILED), ("padding_interior", COMPILED)])
        .float16(),
    op("XlaReduce")
        .also(&["XlaVariadicReduce", "XlaVariadicReduceV2"])
        .shape(shape::reduce)
        .lower(lower::reduce::reduce, &["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "IsNaN", "Where"])
        .note("of one tensor, by one op: Add, Mul, Maximum, Minimum, LogicalAnd or LogicalOr; of two, as JAX's argmax and argmin"),
    op("XlaReduceWindow")
        .shape(shape::reduce_window)
        .lower(
            lower::windows::reduce_window,
            &[
                "Gather",
                "ReduceSum",
                "ReduceProd",
                "ReduceMax",
                "ReduceMin",
                "MaxPool",
                "AveragePool",
                "CumSum",
            ],
        )
        .constants(&[
            ("window_dimensions", COMPILED),
            ("window_strides", COMPILED),
            ("base_dilations", COMPILED),
            ("window_dilations", COMPILED),
            ("padding", COMPILED),
        ])
        .note("its function is one op: Add, Mul, Maximum, Minimum, LogicalAnd or LogicalOr"),
    op("XlaScatter")
        .shape(shape::scatter)
        .lower(lower::gather::scatter, &["ScatterND", "Pad", "Slice", "Where"])
        .note("its function is one argument, or one op of both: Add, Mul, Maximum or Minimum"),
    by_parts("XlaSharding")
        .shape(like_first_input)
        .lower(identity, &[])
        .eval(|_, inputs| Some(vec![Tensor::clone(inputs.first()?)]))
        .float16(),
    op("XlaSort").shape(like_first_input).lower(lower::sort::sort, &["TopK"]).note(OF_NAN),
    op("XlaVariadicSort")
        .shape(shape::sorted)
        .lower(lower::sort::variadic_sort, &["TopK", "GatherElements"])
        .note("its function compares both elements of one tensor, by Less, Greater or as JAX sorts; the runtime decides about the places of NaN"),
];
