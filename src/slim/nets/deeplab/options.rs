//! The flags of DeepLab's definition. Most show in the variables.
//!
//! Source: `research/deeplab/common.py`.

use std::borrow::Cow;

use super::mobilenet::read_depths;
use super::variant::Variant;
use crate::slim::options::{self, DIVISIBLE_BY, MIN_DEPTH};
use crate::slim::{Counts, OptionSource, OptionSpec, Value, Variables};

/// The options of all variants, and these.
macro_rules! with_common {
    ($($own:expr),*) => {
        &[
            $($own,)*
            NUM_CLASSES,
            OUTPUT_STRIDE,
            ATROUS_RATES,
            ASPP_WITH_BATCH_NORM,
            ASPP_WITH_SEPARABLE_CONV,
            ASPP_CONVS_FILTERS,
            ASPP_WITH_CONCAT_PROJECTION,
            ASPP_WITH_SQUEEZE_AND_EXCITATION,
            ADD_IMAGE_LEVEL_FEATURE,
            IMAGE_SE_USES_QSIGMOID,
            DECODER_OUTPUT_STRIDE,
            DECODER_USE_SEPARABLE_CONV,
            DECODER_USE_SUM_MERGE,
            DECODER_FILTERS,
            DECODER_OUTPUT_IS_LOGITS,
            LOGITS_KERNEL_SIZE,
            PREDICTION_WITH_UPSAMPLED_LOGITS,
            USE_BOUNDED_ACTIVATION,
            PREPROCESS_IMAGES,
        ]
    };
}

pub const OF_XCEPTION: &[OptionSpec] =
    with_common!(MULTI_GRID, IMAGE_POOLING_CROP_SIZE, IMAGE_POOLING_STRIDE);
pub const OF_RESNET: &[OptionSpec] = OF_XCEPTION;
pub const OF_RESNET_BETA: &[OptionSpec] = with_common!(
    OptionSpec {
        source: OptionSource::Definition("the published ResNets with a beta root have 1,2,4"),
        ..MULTI_GRID
    },
    IMAGE_POOLING_CROP_SIZE,
    IMAGE_POOLING_STRIDE
);
pub const OF_MOBILENET: &[OptionSpec] = with_common!(
    DEPTH_MULTIPLIER,
    DEPTH_DIVISIBLE_BY,
    LEAST_DEPTH,
    IMAGE_POOLING_CROP_SIZE,
    IMAGE_POOLING_STRIDE
);
pub const OF_MOBILENET_V3: &[OptionSpec] = with_common!(
    DEPTH_MULTIPLIER,
    DEPTH_DIVISIBLE_BY,
    LEAST_DEPTH,
    OptionSpec {
        source: OptionSource::Definition("the published models on MobileNet v3 have 769,769"),
        ..IMAGE_POOLING_CROP_SIZE
    },
    OptionSpec {
        source: OptionSource::Definition("the published models on MobileNet v3 have 4,5"),
        ..IMAGE_POOLING_STRIDE
    }
);

const fn flag(
    name: &'static str,
    default: bool,
    read: fn(&Variables, &str) -> Option<Value>,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        name: Cow::Borrowed(name),
        default: Value::Flag(default),
        source: OptionSource::ReadBy(read),
        help,
    }
}

fn exists(variables: &Variables, root: &str, name: &str) -> bool {
    variables.contains_key(&format!("{root}{name}"))
}

/// The length of the last axis.
fn depth(variables: &Variables, root: &str, name: &str) -> Option<Value> {
    variables.get(&format!("{root}{name}"))?.last().map(|&depth| Value::Count(depth))
}

const NUM_CLASSES: OptionSpec = OptionSpec {
    source: OptionSource::ReadBy(|variables, root| {
        let from_decoder = || depth(variables, root, "decoder/feature_projection0/weights");
        depth(variables, root, "logits/semantic/weights").or_else(from_decoder)
    }),
    help: "number of predicted classes",
    ..options::NUM_CLASSES
};

pub const OUTPUT_STRIDE: OptionSpec = OptionSpec {
    default: Value::Count(16),
    source: OptionSource::Definition(
        "published models are evaluated with 16, with 8 and twice the atrous rates, and with 32 on MobileNet v3",
    ),
    help: "ratio of the image's size to that of the features, kept small by atrous convolution",
    ..options::OUTPUT_STRIDE
};

/// The rates of the 3x3 convolutions of ASPP. The checkpoint tells how many there are, and a rate of 0 is one that it does not tell.
pub const ATROUS_RATES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("atrous_rates"),
    default: Value::Counts(Counts::new(&[])),
    source: OptionSource::ReadBy(|variables, root| {
        let aspp = |i: usize| {
            exists(variables, root, &format!("aspp{i}_depthwise/depthwise_weights"))
                || exists(variables, root, &format!("aspp{i}/weights"))
        };
        let branch = |i: usize| exists(variables, root, &format!("logits/semantic_{i}/weights"));
        Some(Value::Counts(match (1..).take_while(|&i| aspp(i)).count() {
            3 => Counts::new(&[6, 12, 18]),
            0 => match (1..).take_while(|&i| branch(i)).count() {
                0 if kernel_size(variables, root).is_none_or(|size| size == 1) => Counts::new(&[]),
                branches => Counts::new(&[0; 8][..(branches + 1).min(8)]),
            },
            count => Counts::new(&[0; 8][..count.min(8)]),
        }))
    }),
    help: "rates of the convolutions of ASPP; three convolutions have 6,12,18 by default, or 12,24,36 with an \
           output_stride of 8",
};

const ASPP_WITH_BATCH_NORM: OptionSpec = flag(
    "aspp_with_batch_norm",
    true,
    |variables, root| {
        Some(Value::Flag(
            exists(variables, root, "aspp0/weights") || exists(variables, root, "image_pooling/weights"),
        ))
    },
    "whether there is ASPP between the features and the logits",
);

const ASPP_WITH_SEPARABLE_CONV: OptionSpec = flag(
    "aspp_with_separable_conv",
    true,
    |variables, root| Some(Value::Flag(!exists(variables, root, "aspp1/weights"))),
    "whether the 3x3 convolutions of ASPP are separable",
);

const ASPP_CONVS_FILTERS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("aspp_convs_filters"),
    default: Value::Count(256),
    source: OptionSource::ReadBy(|variables, root| depth(variables, root, "aspp0/weights")),
    help: "number of channels of ASPP",
};

const ASPP_WITH_CONCAT_PROJECTION: OptionSpec = flag(
    "aspp_with_concat_projection",
    true,
    |variables, root| Some(Value::Flag(exists(variables, root, "concat_projection/weights"))),
    "whether a convolution follows the branches of ASPP",
);

const ASPP_WITH_SQUEEZE_AND_EXCITATION: OptionSpec = flag(
    "aspp_with_squeeze_and_excitation",
    false,
    |variables, root| Some(Value::Flag(exists(variables, root, "image_pooling/biases"))),
    "whether the mean of the image multiplies the result of ASPP, instead of being one of its branches",
);

const ADD_IMAGE_LEVEL_FEATURE: OptionSpec = flag(
    "add_image_level_feature",
    true,
    |variables, root| Some(Value::Flag(exists(variables, root, "image_pooling/weights"))),
    "whether the mean of the image is a part of ASPP",
);

const IMAGE_SE_USES_QSIGMOID: OptionSpec = OptionSpec {
    name: Cow::Borrowed("image_se_uses_qsigmoid"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether squeeze-and-excitation in ASPP has a sigmoid of straight lines, as in the published models on \
           MobileNet v3",
};

const IMAGE_POOLING_CROP_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("image_pooling_crop_size"),
    default: Value::Counts(Counts::new(&[])),
    source: OptionSource::User,
    help: "height and width of the window of the image that is averaged in ASPP; by default the whole image",
};

const IMAGE_POOLING_STRIDE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("image_pooling_stride"),
    default: Value::Counts(Counts::new(&[1, 1])),
    source: OptionSource::User,
    help: "steps of that window along both axes of the features",
};

pub const DECODER_OUTPUT_STRIDE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("decoder_output_stride"),
    default: Value::Counts(Counts::new(&[])),
    source: OptionSource::ReadBy(|variables, root| {
        let variant = Variant::of(variables, root)?;
        let mut strides = vec![];
        for stage in 0.. {
            let suffix = stage_suffix(stage);
            let weights = format!("{root}decoder/feature_projection0{suffix}/weights");
            let Some(&channels) = variables.get(&weights).and_then(|shape| shape.get(2)) else { break };
            let fitting = variant.decoder_end_points.iter().find(|(stride, end_point)| {
                strides.last().is_none_or(|last| stride < last)
                    && variant.channels(*end_point, variables, root) == Some(channels)
            });
            strides.push(fitting?.0);
        }
        Some(Value::Counts(Counts::new(&strides)))
    }),
    help: "ratio of the image's size to that of the features of each stage of the decoder",
};

/// What follows the names of a stage of the decoder.
pub fn stage_suffix(stage: usize) -> String {
    if stage == 0 { String::new() } else { format!("_{stage}") }
}

const DECODER_USE_SEPARABLE_CONV: OptionSpec = flag(
    "decoder_use_separable_conv",
    true,
    |variables, root| {
        let has = |name: &str| exists(variables, root, &format!("decoder/{name}/depthwise_weights"));
        Some(Value::Flag(has("decoder_conv0_depthwise") || has("decoder_split_sep_conv0_depthwise")))
    },
    "whether the convolutions of the decoder are separable",
);

const DECODER_USE_SUM_MERGE: OptionSpec = flag(
    "decoder_use_sum_merge",
    false,
    |variables, root| {
        let has = |name: &str| exists(variables, root, &format!("decoder/{name}"));
        Some(Value::Flag(
            has("decoder_conv0/weights") || has("decoder_split_sep_conv0_depthwise/depthwise_weights"),
        ))
    },
    "whether the decoder adds its two inputs instead of concatenating them",
);

const DECODER_FILTERS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("decoder_filters"),
    default: Value::Count(256),
    source: OptionSource::ReadBy(|variables, root| {
        [
            "decoder_conv0_pointwise",
            "decoder_split_sep_conv0_pointwise",
            "decoder_conv0/decoder_conv0_1",
            "decoder_conv0",
        ]
        .iter()
        .find_map(|name| depth(variables, root, &format!("decoder/{name}/weights")))
    }),
    help: "number of channels of the decoder",
};

const DECODER_OUTPUT_IS_LOGITS: OptionSpec = flag(
    "decoder_output_is_logits",
    false,
    |variables, root| Some(Value::Flag(exists(variables, root, "decoder/feature_projection0/biases"))),
    "whether the result of the decoder is the logits",
);

fn kernel_size(variables: &Variables, root: &str) -> Option<usize> {
    variables.get(&format!("{root}logits/semantic/weights"))?.first().copied()
}

const LOGITS_KERNEL_SIZE: OptionSpec = OptionSpec {
    name: Cow::Borrowed("logits_kernel_size"),
    default: Value::Count(1),
    source: OptionSource::ReadBy(|variables, root| kernel_size(variables, root).map(Value::Count)),
    help: "kernel of the convolution to the logits",
};

const PREDICTION_WITH_UPSAMPLED_LOGITS: OptionSpec = OptionSpec {
    name: Cow::Borrowed("prediction_with_upsampled_logits"),
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether the logits are resized to the image, and not what is predicted from them",
};

pub const USE_BOUNDED_ACTIVATION: OptionSpec = OptionSpec {
    name: Cow::Borrowed("use_bounded_activation"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "whether activations are clipped to 6, for quantized inference",
};

const PREPROCESS_IMAGES: OptionSpec = OptionSpec {
    name: Cow::Borrowed("preprocess_images"),
    default: Value::Flag(true),
    source: OptionSource::User,
    help: "whether the model takes images of values from 0 to 255, and not prepared ones",
};

/// The rates of the last block of the backbone.
pub const MULTI_GRID: OptionSpec = OptionSpec {
    name: Cow::Borrowed("multi_grid"),
    default: Value::Counts(Counts::new(&[])),
    source: OptionSource::User,
    help: "atrous rates of the convolutions of the last block, beside the one that keeps the features large",
};

const DEPTH_MULTIPLIER: OptionSpec = OptionSpec {
    source: OptionSource::ReadBy(|variables, root| {
        read_depths(variables, root).map(|depths| Value::Number(depths.multiplier))
    }),
    ..options::DEPTH_MULTIPLIER
};

const DEPTH_DIVISIBLE_BY: OptionSpec = OptionSpec {
    source: OptionSource::ReadBy(|variables, root| {
        read_depths(variables, root).map(|depths| Value::Count(depths.divisible_by))
    }),
    ..DIVISIBLE_BY
};

const LEAST_DEPTH: OptionSpec = OptionSpec {
    default: Value::Count(8),
    source: OptionSource::ReadBy(|variables, root| {
        read_depths(variables, root).map(|depths| Value::Count(depths.min_depth))
    }),
    ..MIN_DEPTH
};
