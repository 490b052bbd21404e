//! From TensorFlow's ops to ONNX operators, one function per op, grouped by family.
//!
//! Each value carries the [`Layout`] it is stored in. A handler asks for its inputs in the layout it needs, or
//! takes them as they are and maps its axes; a Transpose is made only where somebody asks for a layout that a
//! value does not have, and is made once.

mod array;
mod audio;
mod bicubic;
mod binary;
mod blocks;
mod color;
mod context;
mod control;
mod crop;
mod ctc;
mod custom;
mod diagonal;
mod elementwise;
mod emit;
mod ends;
mod extent;
mod fill;
mod flatten;
mod folding;
mod function;
mod gather;
mod initializers;
mod inverse;
mod join;
mod layout;
mod lists;
mod local;
mod loss;
mod matrix;
mod missing;
mod nn;
mod open_diagonal;
mod order;
mod patches;
mod quantize;
mod ragged;
mod random;
mod reduce;
mod resize;
mod segment;
mod sets;
mod shift;
mod slice;
mod sparse;
mod spectral;
mod steps;
mod strings;
mod support;
mod suppression;
mod tables;
mod transposed;
mod unknown_shape;

pub use context::LowerOptions;
use context::Lowering;
pub use layout::Layout;
pub use missing::missing_ops;
pub use support::{Op, supported_ops};

use crate::error::Result;
use crate::graph::{Graph, TensorRef};
use crate::onnx::Model;

/// The least and the greatest operator set that can be written.
pub const OPSETS: std::ops::RangeInclusive<i64> = 13..=21;

/// The ops that can be converted, by family: each file lists its own.
const FAMILIES: &[&[Op]] = &[
    array::OPS,
    audio::OPS,
    bicubic::OPS,
    binary::OPS,
    blocks::OPS,
    color::OPS,
    control::OPS,
    crop::OPS,
    ctc::OPS,
    diagonal::OPS,
    elementwise::OPS,
    extent::OPS,
    fill::OPS,
    gather::OPS,
    join::OPS,
    lists::OPS,
    local::OPS,
    loss::OPS,
    matrix::OPS,
    nn::OPS,
    order::OPS,
    patches::OPS,
    quantize::OPS,
    ragged::OPS,
    random::OPS,
    reduce::OPS,
    resize::OPS,
    segment::OPS,
    sets::OPS,
    slice::OPS,
    sparse::OPS,
    spectral::OPS,
    strings::OPS,
    suppression::OPS,
    tables::OPS,
    transposed::OPS,
];

/// Writes a graph without variables as an ONNX model that computes `outputs`.
///
/// # Errors
/// Where the graph has ops that cannot be converted; all of them are named.
pub fn lower(graph: &Graph, outputs: &[TensorRef], options: &LowerOptions) -> Result<Model> {
    if !options.keep_going {
        missing::refuse_missing(graph)?;
    }
    let mut lowering = Lowering::new(graph, outputs, options);
    lowering.run()?;
    lowering.finish()
}
