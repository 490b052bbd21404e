//! MobileNet v2, v3 and EdgeTPU as DeepLab has them: without their classifiers, and v3 with half as many filters in its
//! last blocks.
//!
//! Source: `_mobilenet_v2`, `mobilenet_v3_large_seg` and the like in `research/deeplab/core/feature_extractor.py`.

use crate::graph::TensorRef;
use crate::slim::Activation::HardSwish;
use crate::slim::depth::fitting_depth_by;
use crate::slim::nets::mobilenet::{Definition, Op, bottleneck, conv, mobilenet_base, training_scope};
use crate::slim::nets::mobilenet_v2::V2;
use crate::slim::nets::mobilenet_v3::{EDGETPU, LARGE, SMALL};
use crate::slim::options::make_divisible;
use crate::slim::{NetworkBuilder, Options, Variables};

pub fn mobilenet_v2(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    features(slim, images, "MobilenetV2", v2(), options)
}

pub fn mobilenet_v3_large_seg(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
) -> TensorRef {
    features(slim, images, "MobilenetV3", large_seg(), options)
}

pub fn mobilenet_v3_small_seg(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
) -> TensorRef {
    features(slim, images, "MobilenetV3", small_seg(), options)
}

pub fn mobilenet_edgetpu(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    features(slim, images, "MobilenetEdgeTPU", EDGETPU, options)
}

fn v2() -> Definition {
    with_rows(V2, &V2.ops[..18], &[])
}

fn large_seg() -> Definition {
    let halved = [
        bottleneck(336.0 / 112.0, 80, 5).squeezed().stride(2).activation(HardSwish),
        bottleneck(480.0 / 80.0, 80, 5).squeezed().activation(HardSwish),
        bottleneck(480.0 / 80.0, 80, 5).squeezed().activation(HardSwish),
        conv(480, 1).activation(HardSwish),
    ];
    with_rows(LARGE, &LARGE.ops[..13], &halved)
}

fn small_seg() -> Definition {
    let halved = [
        bottleneck(144.0 / 48.0, 48, 5).squeezed().stride(2).activation(HardSwish),
        bottleneck(288.0 / 48.0, 48, 5).squeezed().activation(HardSwish),
        bottleneck(288.0 / 48.0, 48, 5).squeezed().activation(HardSwish),
        conv(288, 1).activation(HardSwish),
    ];
    with_rows(SMALL, &SMALL.ops[..9], &halved)
}

fn with_rows(definition: Definition, first: &[Op], rest: &[Op]) -> Definition {
    Definition { ops: [first, rest].concat().into(), ..definition }
}

fn features(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    scope: &str,
    definition: Definition,
    options: &Options,
) -> TensorRef {
    slim.arg_scopes(&training_scope(), |slim| {
        slim.variable_scope(scope, |slim| mobilenet_base(slim, images, options, &definition))
    })
}

/// The depth multiplier, the divisor of depths and the least depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Depths {
    pub multiplier: f64,
    pub divisible_by: usize,
    pub min_depth: usize,
}

/// Reads what all depths of a MobileNet are made with. The depths of v2 are multiples of 8 without a multiplier; with one,
/// they may be any number, unless the flag `divisible_by` says otherwise.
pub fn read_depths(variables: &Variables, root: &str) -> Option<Depths> {
    let is_v2 = variables.contains_key(&format!("{root}MobilenetV2/Conv/weights"));
    let (scope, definition) = if is_v2 {
        ("MobilenetV2", v2())
    } else if variables.contains_key(&format!("{root}MobilenetEdgeTPU/Conv/weights")) {
        ("MobilenetEdgeTPU", EDGETPU)
    } else if variables.contains_key(&format!("{root}MobilenetV3/expanded_conv_14/project/weights")) {
        ("MobilenetV3", large_seg())
    } else {
        ("MobilenetV3", small_seg())
    };
    let names = definition.ops.iter().scan([0, 0], |[convolutions, blocks], op| {
        let (count, name, layer) = if op.is_bottleneck() {
            (blocks, "expanded_conv", "/project")
        } else {
            (convolutions, "Conv", "")
        };
        *count += 1;
        let number = if *count == 1 { String::new() } else { format!("_{}", *count - 1) };
        Some(format!("{root}{scope}/{name}{number}{layer}/weights"))
    });
    let depths = definition.ops.iter().zip(names);
    let depths = depths.map(|(op, name)| Some((op.depth(), *variables.get(&name)?.last()?)));
    let depths: Vec<(usize, usize)> = depths.collect::<Option<_>>()?;
    let read = |divisible_by: usize, min_depth: usize| {
        let depth =
            |full: usize, multiplier, least| make_divisible(full as f64 * multiplier, divisible_by, least);
        let (multiplier, _) = fitting_depth_by(depth, &depths, &[min_depth], divisible_by)?;
        Some(Depths { multiplier, divisible_by, min_depth })
    };
    if !is_v2 {
        return read(8, 8);
    }
    let without_multiplier = read(8, 8).filter(|depths| depths.multiplier == 1.0);
    without_multiplier.or_else(|| read(1, 1)).or_else(|| read(8, 1))
}
