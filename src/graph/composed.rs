//! Ops that TensorFlow defines as several others in a row. They are imported as these; the last one has the node's name.
//!
//! Sources: the descriptions of the ops in `tensorflow/core/ops/{array,image,math,nn,random}_ops.cc` and
//! `tensorflow/compiler/tf2xla/ops/xla_ops.cc`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::{Attr, Attrs, Graph, NodeId, TensorRef};
use crate::error::{Error, Result};
use crate::tensor::{Constant, DType};

/// Whether an op is imported as others.
pub fn is_composed(op: &str) -> bool {
    COMPOSED.iter().any(|(name, ..)| *name == op)
}

/// The kernels of fused convolutions read the first image at all positions of a batch (seen in TensorFlow 2.15).
const FIRST_IMAGE: &str = "of a batch of images, TensorFlow's kernel computes the first one alone";

/// The ops, each with those that it is imported as, and a difference from TensorFlow.
pub const COMPOSED: &[(&str, &[&str], &str)] = &[
    ("AdjustContrast", &["Cast", "AdjustContrastv2", "Maximum", "Minimum"], ""),
    ("BatchNormWithGlobalNormalization", &["FusedBatchNormV3"], ""),
    ("FusedPadConv2D", &["MirrorPad", "Conv2D"], FIRST_IMAGE),
    ("FusedResizeAndPadConv2D", &["ResizeBilinear", "Cast", "MirrorPad", "Conv2D"], FIRST_IMAGE),
    ("RandomCrop", &["Shape", "RandomUniformInt", "Slice"], "at another place than TensorFlow's"),
    ("SparseMatMul", &["Cast", "MatMul"], ""),
    ("TensorStridedSliceUpdate", &["Range", "StridedSlice", "BroadcastTo", "TensorScatterUpdate"], ""),
    ("XlaIf", &["StatelessIf"], ""),
    ("XlaWhile", &["StatelessWhile"], ""),
];

/// Adds the nodes that replace a node, and returns the last one.
///
/// # Errors
/// If the number of inputs does not fit the op, or the inputs do not fit its ops.
pub(super) fn add_composed(
    graph: &mut Graph,
    op: &str,
    name: &str,
    inputs: &[TensorRef],
    attrs: &Attrs,
) -> Result<NodeId> {
    let mut composed = Composed { graph, name, attrs };
    match (op, inputs) {
        ("AdjustContrast", &[images, factor, least, greatest]) => {
            composed.contrast(images, factor, [least, greatest])
        }
        ("BatchNormWithGlobalNormalization", &[input, mean, variance, beta, gamma]) => {
            composed.batch_norm(input, [mean, variance, beta, gamma])
        }
        ("FusedPadConv2D", &[input, paddings, filter]) => {
            composed.padded_convolution(input, paddings, filter)
        }
        ("FusedResizeAndPadConv2D", &[input, size, paddings, filter]) => {
            let align = composed.attrs.get("resize_align_corners").cloned().unwrap_or(Attr::Bool(false));
            let dtype = composed.graph.tensor_type(input).dtype;
            let resized =
                composed.add("ResizeBilinear", &[input, size], [("align_corners", align)].into())?;
            let resized = composed.cast(resized, dtype)?;
            composed.padded_convolution(resized, paddings, filter)
        }
        ("RandomCrop", &[image, size]) => composed.random_crop(image, size),
        ("SparseMatMul", &[a, b]) => composed.product(a, b),
        ("TensorStridedSliceUpdate", &[input, begin, end, strides, value]) => {
            composed.slice_update(input, [begin, end, strides], value)
        }
        ("XlaIf", _) => composed.graph.add(name, "StatelessIf", inputs.to_vec(), attrs.clone()),
        ("XlaWhile", _) => composed.graph.add(name, "StatelessWhile", inputs.to_vec(), attrs.clone()),
        _ => Err(Error::new(format!("{op} \"{name}\""), format!("it has {} inputs", inputs.len()))),
    }
}

struct Composed<'a> {
    graph: &'a mut Graph,
    name: &'a str,
    attrs: &'a Attrs,
}

impl Composed<'_> {
    /// Adds one of the ops before the last one.
    fn add(&mut self, op: &str, inputs: &[TensorRef], attrs: Attrs) -> Result<TensorRef> {
        let mut name = format!("{}/{op}", self.name);
        let mut number = 1u64;
        while self.graph.find(&name).is_some() {
            name = format!("{}/{op}_{number}", self.name);
            number = number.saturating_add(1);
        }
        Ok(self.graph.add(name, op, inputs.to_vec(), attrs)?.into())
    }

    /// Adds the last op.
    fn last(&mut self, op: &str, inputs: &[TensorRef], attrs: Attrs) -> Result<NodeId> {
        self.graph.add(self.name.to_owned(), op, inputs.to_vec(), attrs)
    }

    /// A constant.
    fn constant(&mut self, constant: Constant) -> Result<TensorRef> {
        let dtype = Attr::Type(constant.dtype());
        self.add("Const", &[], [("value", Attr::Tensor(constant)), ("dtype", dtype)].into())
    }

    fn integers(&mut self, values: &[i32]) -> Result<TensorRef> {
        self.constant(Constant::from_i32(vec![values.len()], values))
    }

    fn cast(&mut self, tensor: TensorRef, to: DType) -> Result<TensorRef> {
        let from = self.graph.tensor_type(tensor).dtype;
        if from == to {
            return Ok(tensor);
        }
        self.add("Cast", &[tensor], [("SrcT", Attr::Type(from)), ("DstT", Attr::Type(to))].into())
    }

    /// Attributes of the node that one of its ops has too.
    fn attrs(&self, names: &[&'static str]) -> Attrs {
        let mut attrs = Attrs::new();
        for &name in names {
            if let Some(attr) = self.attrs.get(name) {
                attrs.insert(name, attr.clone());
            }
        }
        attrs
    }

    /// The first version has float32 as its result, and bounds.
    fn contrast(&mut self, images: TensorRef, factor: TensorRef, bounds: [TensorRef; 2]) -> Result<NodeId> {
        let images = self.cast(images, DType::Float32)?;
        let adjusted = self.add("AdjustContrastv2", &[images, factor], Attrs::new())?;
        let [least, greatest] = bounds;
        let bounded = self.add("Maximum", &[adjusted, least], Attrs::new())?;
        self.last("Minimum", &[bounded, greatest], Attrs::new())
    }

    /// Without a scale, gamma is ignored.
    fn batch_norm(&mut self, input: TensorRef, statistics: [TensorRef; 4]) -> Result<NodeId> {
        let [mean, variance, beta, gamma] = statistics;
        let is_scaled = matches!(self.attrs.get("scale_after_normalization"), Some(Attr::Bool(true)));
        let scale = if is_scaled { gamma } else { self.add("OnesLike", &[mean], Attrs::new())? };
        let epsilon = self.attrs.get("variance_epsilon").cloned().unwrap_or(Attr::Float(0.0));
        let attrs = Attrs::from([("epsilon", epsilon), ("is_training", Attr::Bool(false))]);
        let normalized = self.add("FusedBatchNormV3", &[input, scale, beta, mean, variance], attrs)?;
        self.last("Identity", &[normalized], Attrs::new())
    }

    fn padded_convolution(
        &mut self,
        input: TensorRef,
        paddings: TensorRef,
        filter: TensorRef,
    ) -> Result<NodeId> {
        let padded = self.add("MirrorPad", &[input, paddings], self.attrs(&["mode"]))?;
        self.last("Conv2D", &[padded, filter], self.attrs(&["strides", "padding"]))
    }

    /// A part of an image at a random place.
    fn random_crop(&mut self, image: TensorRef, size: TensorRef) -> Result<NodeId> {
        let (first, two, one) = (self.integers(&[0])?, self.integers(&[2])?, self.integers(&[1])?);
        let of_int64 = |name| Attrs::from([(name, Attr::Type(DType::Int64))]);
        let shape = self.add("Shape", &[image], of_int64("out_type"))?;
        let sides = self.add("Slice", &[shape, first, two], Attrs::new())?;
        let room = self.add("Sub", &[sides, size], Attrs::new())?;
        let unit = self.cast(one, DType::Int64)?;
        let room = self.add("Add", &[room, unit], Attrs::new())?;
        let none = self.cast(first, DType::Int64)?;
        let mut offsets = [none; 2];
        for (axis, offset) in (0..).zip(&mut offsets) {
            let axis = self.integers(&[axis])?;
            let count = self.add("Slice", &[room, axis, one], Attrs::new())?;
            let empty = self.integers(&[])?;
            let [least, greatest] = [none, count];
            let least = self.add("Reshape", &[least, empty], Attrs::new())?;
            let greatest = self.add("Reshape", &[greatest, empty], Attrs::new())?;
            let mut attrs = self.attrs(&["seed", "seed2"]);
            attrs.insert("Tout", Attr::Type(DType::Int64));
            *offset = self.add("RandomUniformInt", &[one, least, greatest], attrs)?;
        }
        let axis = self.constant(Constant::from_i32(vec![], &[0]))?;
        let [row, column] = offsets;
        let begin = self.add("ConcatV2", &[row, column, none, axis], Attrs::new())?;
        let all = self.constant(Constant::from_i64(vec![1], &[-1]))?;
        let size = self.add("ConcatV2", &[size, all, axis], Attrs::new())?;
        self.last("Slice", &[image, begin, size], Attrs::new())
    }

    /// That factors are sparse changes nothing but TensorFlow's kernel.
    fn product(&mut self, a: TensorRef, b: TensorRef) -> Result<NodeId> {
        let (a, b) = (self.cast(a, DType::Float32)?, self.cast(b, DType::Float32)?);
        self.last("MatMul", &[a, b], self.attrs(&["transpose_a", "transpose_b"]))
    }

    /// The same slice of the numbers of all elements says which ones the value replaces.
    fn slice_update(&mut self, input: TensorRef, bounds: [TensorRef; 3], value: TensorRef) -> Result<NodeId> {
        let shape = self.add("Shape", &[input], Attrs::new())?;
        let size = self.add("Size", &[input], Attrs::new())?;
        let first = self.constant(Constant::from_i32(vec![], &[0]))?;
        let step = self.constant(Constant::from_i32(vec![], &[1]))?;
        let numbers = self.add("Range", &[first, size, step], Attrs::new())?;
        let numbers = self.add("Reshape", &[numbers, shape], Attrs::new())?;
        let masks = ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"];
        let [begin, end, strides] = bounds;
        let slice = self.add("StridedSlice", &[numbers, begin, end, strides], self.attrs(&masks))?;
        let slice_shape = self.add("Shape", &[slice], Attrs::new())?;
        let (column, flat) = (self.integers(&[-1, 1])?, self.integers(&[-1])?);
        let indices = self.add("Reshape", &[slice, column], Attrs::new())?;
        let value = self.add("BroadcastTo", &[value, slice_shape], Attrs::new())?;
        let value = self.add("Reshape", &[value, flat], Attrs::new())?;
        let elements = self.add("Reshape", &[input, flat], Attrs::new())?;
        let changed = self.add("TensorScatterUpdate", &[elements, indices, value], Attrs::new())?;
        self.last("Reshape", &[changed, shape], Attrs::new())
    }
}
