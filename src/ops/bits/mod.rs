//! Ops on the bits of elements.

pub mod lower;

use super::{Op, op};
use crate::graph::{Shape, TensorType};
use crate::ops::infer::{declared_type, one};
use crate::tensor::{DType, Tensor};

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("Bitcast")
        .shape(|inputs, node| {
            let input = inputs.tensor_type(0)?;
            let dtype = declared_type(node, "type", DType::Unknown);
            let (Some(from), Some(to)) = (input.dtype.size(), dtype.size()) else {
                return one(dtype, Shape::UNKNOWN);
            };
            one(dtype, lower::cast_shape(&input.shape, from, to))
        })
        .lower(lower::bitcast, &["Cast", "BitShift", "Mod", "Mul", "ReduceSum", "BitCast"])
        .note("from and to other types than integers from opset 26 on"),
    op("PopulationCount")
        .shape(|inputs, _| Ok(vec![TensorType::new(DType::UInt8, inputs.shape(0)?.clone())]))
        .lower(lower::population_count, &["BitShift", "Mod", "ReduceSum"])
        .eval(|_, inputs| match inputs {
            [Tensor::Int32(array)] => Some(vec![Tensor::UInt8(array.mapv(|x| x.count_ones() as u8))]),
            [Tensor::Int64(array)] => Some(vec![Tensor::UInt8(array.mapv(|x| x.count_ones() as u8))]),
            [Tensor::UInt8(array)] => Some(vec![Tensor::UInt8(array.mapv(|x| x.count_ones() as u8))]),
            _ => None,
        }),
];
