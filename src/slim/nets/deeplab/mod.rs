//! DeepLab v3 (<https://arxiv.org/abs/1706.05587>) and v3+ (<https://arxiv.org/abs/1802.02611>) on all backbones of its
//! definition: a class for every pixel. Without ASPP it is DeepLab v2, and "Lite R-ASPP" on MobileNet v3.
//!
//! Source: `research/deeplab` of github.com/tensorflow/models: `predict_labels` in `model.py`, and the names of the outputs
//! in `export_model.py`.

mod blocks;
mod head;
mod mobilenet;
mod options;
mod prediction;
mod preprocessing;
mod resnet_beta;
mod variant;
mod xception;

use self::head::{Head, atrous_rates};
use self::options::{ATROUS_RATES, DECODER_OUTPUT_STRIDE, OUTPUT_STRIDE};
use self::variant::Variant;
use super::{Build, LibraryNetwork};
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::setting::Setting;
use crate::slim::{ArgScope, ImageShape, NetworkBuilder, NetworkInput, OptionSpec, Options, Variables};

/// A network on this backbone. `mark` is a variable that only this variant has.
const fn on(
    name: &'static str,
    mark: &'static str,
    options: &'static [OptionSpec],
    build: BuildFunction,
) -> LibraryNetwork {
    LibraryNetwork {
        name,
        // The head is beside the scope of the backbone.
        scope: "",
        image_size: [0, 0],
        logits: mark,
        aux_logits: None,
        arg_scope_name: "DeepLab's arg_scopes",
        arg_scope: ArgScope::new,
        options,
        build: Build::Inputs { inputs, check, build },
    }
}

/// A function that builds a network from its inputs.
type BuildFunction = fn(&mut NetworkBuilder<'_>, &[TensorRef], &Options) -> TensorRef;

pub const XCEPTION_41: LibraryNetwork = on(
    "deeplab_xception_41",
    "xception_41/entry_flow/conv1_1/weights",
    options::OF_XCEPTION,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::XCEPTION_41),
);
pub const XCEPTION_65: LibraryNetwork = on(
    "deeplab_xception_65",
    "xception_65/entry_flow/conv1_1/weights",
    options::OF_XCEPTION,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::XCEPTION_65),
);
pub const XCEPTION_71: LibraryNetwork = on(
    "deeplab_xception_71",
    "xception_71/entry_flow/conv1_1/weights",
    options::OF_XCEPTION,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::XCEPTION_71),
);
pub const RESNET_V1_18: LibraryNetwork =
    on("deeplab_resnet_v1_18", "resnet_v1_18/conv1/weights", options::OF_RESNET, |slim, inputs, options| {
        build(slim, inputs[0], options, &variant::RESNET_V1_18)
    });
pub const RESNET_V1_18_BETA: LibraryNetwork = on(
    "deeplab_resnet_v1_18_beta",
    "resnet_v1_18/conv1_1/weights",
    options::OF_RESNET,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::RESNET_V1_18_BETA),
);
pub const RESNET_V1_50: LibraryNetwork =
    on("deeplab_resnet_v1_50", "resnet_v1_50/conv1/weights", options::OF_RESNET, |slim, inputs, options| {
        build(slim, inputs[0], options, &variant::RESNET_V1_50)
    });
pub const RESNET_V1_50_BETA: LibraryNetwork = on(
    "deeplab_resnet_v1_50_beta",
    "resnet_v1_50/conv1_1/weights",
    options::OF_RESNET_BETA,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::RESNET_V1_50_BETA),
);
pub const RESNET_V1_101: LibraryNetwork = on(
    "deeplab_resnet_v1_101",
    "resnet_v1_101/conv1/weights",
    options::OF_RESNET,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::RESNET_V1_101),
);
pub const RESNET_V1_101_BETA: LibraryNetwork = on(
    "deeplab_resnet_v1_101_beta",
    "resnet_v1_101/conv1_1/weights",
    options::OF_RESNET_BETA,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::RESNET_V1_101_BETA),
);
pub const MOBILENET_V2: LibraryNetwork =
    on("deeplab_mobilenet_v2", "MobilenetV2/Conv/weights", options::OF_MOBILENET, |slim, inputs, options| {
        build(slim, inputs[0], options, &variant::MOBILENET_V2)
    });
pub const MOBILENET_V3_LARGE_SEG: LibraryNetwork = on(
    "deeplab_mobilenet_v3_large_seg",
    "MobilenetV3/expanded_conv_14/depthwise/depthwise_weights",
    options::OF_MOBILENET_V3,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::MOBILENET_V3_LARGE_SEG),
);
pub const MOBILENET_V3_SMALL_SEG: LibraryNetwork = on(
    "deeplab_mobilenet_v3_small_seg",
    "MobilenetV3/expanded_conv_10/depthwise/depthwise_weights",
    options::OF_MOBILENET_V3,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::MOBILENET_V3_SMALL_SEG),
);
pub const MOBILENET_EDGETPU: LibraryNetwork = on(
    "deeplab_mobilenet_edgetpu",
    "MobilenetEdgeTPU/Conv/weights",
    options::OF_MOBILENET,
    |slim, inputs, options| build(slim, inputs[0], options, &variant::MOBILENET_EDGETPU),
);

fn inputs(options: &Options, image: &ImageShape) -> Vec<NetworkInput> {
    vec![NetworkInput::images(options.input_shape(image))]
}

/// Checks that the rates of ASPP are known.
fn check(options: &Options, _: &Variables) -> Result<()> {
    if atrous_rates(options).is_some() {
        return Ok(());
    }
    let count = options.counts(&ATROUS_RATES.name).len();
    let stride = options.count(&OUTPUT_STRIDE.name);
    let problem =
        format!("no checkpoint holds the rates of its {count} convolutions at an output_stride of {stride}");
    Err(Error::new(&ATROUS_RATES.name, problem)
        .advice(format!("set them with {}", Setting::NetworkOption.to("atrous_rates=6,12,18"))))
}

fn build(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    variant: &Variant,
) -> TensorRef {
    let head = Head { variant, options, images, crop_size: slim.height_and_width(images) };
    let prepared = if options.flag("preprocess_images") {
        preprocessing::prepared(slim, images, variant.preprocessing)
    } else {
        images
    };
    let net = (variant.build)(slim, prepared, options);
    let net = head.aspp(slim, net);
    let net = head.decoder(slim, net);
    let net = head.logits(slim, net);
    let decoder_strides = options.counts(&DECODER_OUTPUT_STRIDE.name);
    let stride = decoder_strides.into_iter().min().unwrap_or(options.count(&OUTPUT_STRIDE.name));
    let logits = head.resized(slim, net, stride);
    slim.end_point("merged_logits", logits);
    prediction::predicted(slim, images, logits, options)
}
