//! MobileNet v3 (<https://arxiv.org/abs/1905.02244>), its minimalistic variants, and MobileNet EdgeTPU.
//!
//! Source: `research/slim/nets/mobilenet/mobilenet_v3.py`.

use std::borrow::Cow;

use super::mobilenet::{
    Definition, LEAST_DEPTH, Op, REDUCE, USE_EXPLICIT_PADDING, biased_conv, bottleneck, conv,
    fused_bottleneck, mobilenet, training_scope, under_multiplier,
};
use super::{Build, LibraryNetwork};
use crate::slim::Activation::{HardSwish, Relu};
use crate::slim::Value;
use crate::slim::options::{
    DIVISIBLE_BY, FINEGRAIN_CLASSIFICATION_MODE, NUM_CLASSES, OUTPUT_STRIDE, OptionSpec,
};

pub const MOBILENET_V3_LARGE: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_v3_large",
    scope: "MobilenetV3",
    image_size: [224, 224],
    logits: "Logits/Conv2d_1c_1x1/weights",
    aux_logits: None,
    arg_scope_name: "training_scope",
    arg_scope: training_scope,
    options: &[
        NUM_CLASSES,
        under_multiplier(1.0),
        FINEGRAIN_CLASSIFICATION_MODE,
        LEAST_DEPTH,
        DIVISIBLE_BY,
        OUTPUT_STRIDE,
    ],
    build: Build::Images(|slim, images, options| mobilenet(slim, images, options, &LARGE)),
};
pub const MOBILENET_V3_SMALL: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_v3_small",
    build: Build::Images(|slim, images, options| mobilenet(slim, images, options, &SMALL)),
    ..MOBILENET_V3_LARGE
};
pub const MOBILENET_V3_LARGE_MINIMALISTIC: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_v3_large_minimalistic",
    build: Build::Images(|slim, images, options| mobilenet(slim, images, options, &LARGE_MINIMALISTIC)),
    ..MOBILENET_V3_LARGE
};
pub const MOBILENET_V3_SMALL_MINIMALISTIC: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_v3_small_minimalistic",
    build: Build::Images(|slim, images, options| mobilenet(slim, images, options, &SMALL_MINIMALISTIC)),
    ..MOBILENET_V3_LARGE
};
pub const MOBILENET_EDGETPU: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_edgetpu",
    scope: "MobilenetEdgeTPU",
    options: &edgetpu_options(1.0, false),
    build: Build::Images(|slim, images, options| mobilenet(slim, images, options, &EDGETPU)),
    ..MOBILENET_V3_LARGE
};
pub const MOBILENET_EDGETPU_075: LibraryNetwork = LibraryNetwork {
    name: "mobilenet_edgetpu_075",
    options: &edgetpu_options(0.75, true),
    ..MOBILENET_EDGETPU
};

const fn edgetpu_options(depth_multiplier: f64, finegrain: bool) -> [OptionSpec; 7] {
    [
        NUM_CLASSES,
        under_multiplier(depth_multiplier),
        OptionSpec { default: Value::Flag(finegrain), ..FINEGRAIN_CLASSIFICATION_MODE },
        LEAST_DEPTH,
        DIVISIBLE_BY,
        OUTPUT_STRIDE,
        USE_EXPLICIT_PADDING,
    ]
}

const fn definition(ops: &'static [Op]) -> Definition {
    Definition {
        activation: Relu,
        ops: Cow::Borrowed(ops),
        exempts_from_any_multiplier: true,
        pads_inside_blocks: false,
    }
}

pub const LARGE: Definition = definition(&[
    conv(16, 3).stride(2).activation(HardSwish),
    bottleneck(1.0, 16, 3),
    bottleneck(4.0, 24, 3).stride(2),
    bottleneck(3.0, 24, 3),
    bottleneck(3.0, 40, 5).squeezed().stride(2),
    bottleneck(3.0, 40, 5).squeezed(),
    bottleneck(3.0, 40, 5).squeezed(),
    bottleneck(6.0, 80, 3).stride(2).activation(HardSwish),
    bottleneck(2.5, 80, 3).activation(HardSwish),
    bottleneck(184.0 / 80.0, 80, 3).activation(HardSwish),
    bottleneck(184.0 / 80.0, 80, 3).activation(HardSwish),
    bottleneck(6.0, 112, 3).squeezed().activation(HardSwish),
    bottleneck(6.0, 112, 3).squeezed().activation(HardSwish),
    bottleneck(6.0, 160, 5).squeezed().stride(2).activation(HardSwish),
    bottleneck(6.0, 160, 5).squeezed().activation(HardSwish),
    bottleneck(6.0, 160, 5).squeezed().activation(HardSwish),
    conv(960, 1).activation(HardSwish),
    REDUCE,
    biased_conv(1280).activation(HardSwish),
]);

const LARGE_MINIMALISTIC: Definition = definition(&[
    conv(16, 3).stride(2),
    bottleneck(1.0, 16, 3),
    bottleneck(4.0, 24, 3).stride(2),
    bottleneck(3.0, 24, 3),
    bottleneck(3.0, 40, 3).stride(2),
    bottleneck(3.0, 40, 3),
    bottleneck(3.0, 40, 3),
    bottleneck(6.0, 80, 3).stride(2),
    bottleneck(2.5, 80, 3),
    bottleneck(184.0 / 80.0, 80, 3),
    bottleneck(184.0 / 80.0, 80, 3),
    bottleneck(6.0, 112, 3),
    bottleneck(6.0, 112, 3),
    bottleneck(6.0, 160, 3).stride(2),
    bottleneck(6.0, 160, 3),
    bottleneck(6.0, 160, 3),
    conv(960, 1),
    REDUCE,
    biased_conv(1280),
]);

pub const SMALL: Definition = definition(&[
    conv(16, 3).stride(2).activation(HardSwish),
    bottleneck(1.0, 16, 3).squeezed().stride(2),
    bottleneck(72.0 / 16.0, 24, 3).stride(2),
    bottleneck(88.0 / 24.0, 24, 3),
    bottleneck(4.0, 40, 5).squeezed().stride(2).activation(HardSwish),
    bottleneck(6.0, 40, 5).squeezed().activation(HardSwish),
    bottleneck(6.0, 40, 5).squeezed().activation(HardSwish),
    bottleneck(3.0, 48, 5).squeezed().activation(HardSwish),
    bottleneck(3.0, 48, 5).squeezed().activation(HardSwish),
    bottleneck(6.0, 96, 5).squeezed().stride(2).activation(HardSwish),
    bottleneck(6.0, 96, 5).squeezed().activation(HardSwish),
    bottleneck(6.0, 96, 5).squeezed().activation(HardSwish),
    conv(576, 1).activation(HardSwish),
    REDUCE,
    biased_conv(1024).activation(HardSwish),
]);

const SMALL_MINIMALISTIC: Definition = definition(&[
    conv(16, 3).stride(2),
    bottleneck(1.0, 16, 3).stride(2),
    bottleneck(72.0 / 16.0, 24, 3).stride(2),
    bottleneck(88.0 / 24.0, 24, 3),
    bottleneck(4.0, 40, 3).stride(2),
    bottleneck(6.0, 40, 3),
    bottleneck(6.0, 40, 3),
    bottleneck(3.0, 48, 3),
    bottleneck(3.0, 48, 3),
    bottleneck(6.0, 96, 3).stride(2),
    bottleneck(6.0, 96, 3),
    bottleneck(6.0, 96, 3),
    conv(576, 1),
    REDUCE,
    biased_conv(1024),
]);

pub const EDGETPU: Definition = definition(&[
    conv(32, 3).stride(2),
    fused_bottleneck(1.0, 16, 3),
    fused_bottleneck(8.0, 32, 3).stride(2),
    fused_bottleneck(4.0, 32, 3),
    fused_bottleneck(4.0, 32, 3),
    fused_bottleneck(4.0, 32, 3),
    fused_bottleneck(8.0, 48, 3).stride(2),
    fused_bottleneck(4.0, 48, 3),
    fused_bottleneck(4.0, 48, 3),
    fused_bottleneck(4.0, 48, 3),
    bottleneck(8.0, 96, 3).stride(2),
    bottleneck(4.0, 96, 3),
    bottleneck(4.0, 96, 3),
    bottleneck(4.0, 96, 3),
    bottleneck(8.0, 96, 3).without_residual(),
    bottleneck(4.0, 96, 3),
    bottleneck(4.0, 96, 3),
    bottleneck(4.0, 96, 3),
    bottleneck(8.0, 160, 5).stride(2),
    bottleneck(4.0, 160, 5),
    bottleneck(4.0, 160, 5),
    bottleneck(4.0, 160, 5),
    bottleneck(8.0, 192, 3),
    conv(1280, 1),
]);
