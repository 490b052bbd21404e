//! The preparation of images in the model.
//!
//! Source: `_preprocess_zero_mean_unit_range` and `_preprocess_subtract_imagenet_mean` in
//! `research/deeplab/core/feature_extractor.py`.

use super::variant::Preprocessing;
use crate::graph::{Attr, TensorRef};
use crate::slim::NetworkBuilder;
use crate::tensor::{Constant, DType};

/// The mean pixel of ImageNet.
const MEAN_RGB: [f32; 3] = [123.15, 115.90, 103.06];

pub fn prepared(slim: &mut NetworkBuilder<'_>, images: TensorRef, preprocessing: Preprocessing) -> TensorRef {
    match preprocessing {
        Preprocessing::ZeroMeanUnitRange => {
            let factor = slim.constant("mul/x", Constant::from_f32(vec![], &[(2.0_f64 / 255.0) as f32]));
            let net = slim.op("mul", "Mul", &[factor, images], []);
            let one = ("y", Constant::from_f32(vec![], &[1.0]));
            slim.op_with_constant("sub", "Sub", &[net], one, [])
        }
        Preprocessing::SubtractImagenetMean => subtract_imagenet_mean(slim, images),
    }
}

/// Subtracts the mean from the first three channels.
fn subtract_imagenet_mean(slim: &mut NetworkBuilder<'_>, images: TensorRef) -> TensorRef {
    let mean = slim.constant("Reshape/tensor", Constant::from_f32(vec![3], &MEAN_RGB));
    let shape = ("shape", Constant::from_i32(vec![4], &[1, 1, 1, 3]));
    let mean = slim.op_with_constant("Reshape", "Reshape", &[mean], shape, []);
    let scalar = |value| Constant::from_i32(vec![], &[value]);
    let channels = slim.length(images, -1);
    let others = slim.op_with_constant("sub", "Sub", &[channels], ("y", scalar(3)), []);
    let zeros = slim.op_scope("zeros", |slim, name| {
        let ones = ["packed/0", "packed/1", "packed/2"].map(|name| slim.constant(name, scalar(1)));
        let axis = [("axis", Attr::Int(0))];
        let shape = slim.op("packed", "Pack", &[ones[0], ones[1], ones[2], others], axis);
        let zero = slim.constant("Const", Constant::from_f32(vec![], &[0.0]));
        slim.named_op(name, "Fill", &[shape, zero], [("index_type", Attr::Type(DType::Int32))])
    });
    let mean = slim.op_with_constant("concat", "ConcatV2", &[mean, zeros], ("axis", scalar(3)), []);
    slim.op("sub", "Sub", &[images, mean], [])
}
