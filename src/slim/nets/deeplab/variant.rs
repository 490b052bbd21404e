//! The backbones of DeepLab: the model variants of its definition.
//!
//! Source: `networks_map`, `name_scope`, `networks_to_feature_maps` and `_PREPROCESS_FN` in
//! `research/deeplab/core/feature_extractor.py`.

use super::{mobilenet, resnet_beta, xception};
use crate::slim::Variables;
use crate::slim::nets::BuildFunction;

/// A backbone.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// Its variable scope.
    pub scope: &'static str,
    /// A variable below the scope that tells it from the others of the same scope.
    pub mark: &'static str,
    /// The end points that a decoder can use, with their output strides.
    pub decoder_end_points: [(usize, EndPoint); 3],
    /// How images of values from 0 to 255 are prepared.
    pub preprocessing: Preprocessing,
    /// Builds it from images to features.
    pub build: BuildFunction,
}

/// An end point of a backbone.
#[derive(Debug, Clone, Copy)]
pub enum EndPoint {
    /// The result of a convolution, below the backbone's scope.
    Convolution(&'static str),
    /// The depthwise convolution of this block of a MobileNet, which is the layer two further.
    Block(usize),
    /// The variant has no decoder.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preprocessing {
    /// `_preprocess_zero_mean_unit_range`: from -1 to 1.
    ZeroMeanUnitRange,
    /// `_preprocess_subtract_imagenet_mean`
    SubtractImagenetMean,
}

const fn decoder(four: &'static str, eight: &'static str, sixteen: &'static str) -> [(usize, EndPoint); 3] {
    use EndPoint::Convolution;
    [(4, Convolution(four)), (8, Convolution(eight)), (16, Convolution(sixteen))]
}

const fn blocks(four: usize, eight: usize, sixteen: usize) -> [(usize, EndPoint); 3] {
    [(4, EndPoint::Block(four)), (8, EndPoint::Block(eight)), (16, EndPoint::Block(sixteen))]
}

const XCEPTION: Variant = Variant {
    scope: "xception_65",
    mark: "entry_flow/conv1_1/weights",
    decoder_end_points: decoder(
        "entry_flow/block2/unit_1/xception_module/separable_conv2_pointwise",
        "entry_flow/block3/unit_1/xception_module/separable_conv2_pointwise",
        "exit_flow/block1/unit_1/xception_module/separable_conv2_pointwise",
    ),
    preprocessing: Preprocessing::ZeroMeanUnitRange,
    build: xception::xception_65,
};

pub const XCEPTION_41: Variant = Variant { scope: "xception_41", build: xception::xception_41, ..XCEPTION };
pub const XCEPTION_65: Variant = XCEPTION;
pub const XCEPTION_71: Variant = Variant {
    scope: "xception_71",
    decoder_end_points: decoder(
        "entry_flow/block3/unit_1/xception_module/separable_conv2_pointwise",
        "entry_flow/block5/unit_1/xception_module/separable_conv2_pointwise",
        "exit_flow/block1/unit_1/xception_module/separable_conv2_pointwise",
    ),
    build: xception::xception_71,
    ..XCEPTION
};

const ORIGINAL_ROOT: &str = "conv1/weights";
const BETA_ROOT: &str = "conv1_1/weights";

pub const RESNET_V1_18: Variant = Variant {
    scope: "resnet_v1_18",
    mark: ORIGINAL_ROOT,
    decoder_end_points: decoder(
        "block1/unit_1/lite_bottleneck_v1/conv2",
        "block2/unit_1/lite_bottleneck_v1/conv2",
        "block3/unit_1/lite_bottleneck_v1/conv2",
    ),
    preprocessing: Preprocessing::SubtractImagenetMean,
    build: resnet_beta::resnet_v1_18,
};
pub const RESNET_V1_18_BETA: Variant = Variant {
    mark: BETA_ROOT,
    preprocessing: Preprocessing::ZeroMeanUnitRange,
    build: resnet_beta::resnet_v1_18_beta,
    ..RESNET_V1_18
};
pub const RESNET_V1_50: Variant = Variant {
    scope: "resnet_v1_50",
    mark: ORIGINAL_ROOT,
    decoder_end_points: decoder(
        "block1/unit_2/bottleneck_v1/conv3",
        "block2/unit_3/bottleneck_v1/conv3",
        "block3/unit_5/bottleneck_v1/conv3",
    ),
    preprocessing: Preprocessing::SubtractImagenetMean,
    build: resnet_beta::resnet_v1_50,
};
pub const RESNET_V1_50_BETA: Variant = Variant {
    mark: BETA_ROOT,
    preprocessing: Preprocessing::ZeroMeanUnitRange,
    build: resnet_beta::resnet_v1_50_beta,
    ..RESNET_V1_50
};
pub const RESNET_V1_101: Variant = Variant {
    scope: "resnet_v1_101",
    decoder_end_points: decoder(
        "block1/unit_2/bottleneck_v1/conv3",
        "block2/unit_3/bottleneck_v1/conv3",
        "block3/unit_22/bottleneck_v1/conv3",
    ),
    build: resnet_beta::resnet_v1_101,
    ..RESNET_V1_50
};
pub const RESNET_V1_101_BETA: Variant = Variant {
    mark: BETA_ROOT,
    preprocessing: Preprocessing::ZeroMeanUnitRange,
    build: resnet_beta::resnet_v1_101_beta,
    ..RESNET_V1_101
};

pub const MOBILENET_V2: Variant = Variant {
    scope: "MobilenetV2",
    mark: "Conv/weights",
    decoder_end_points: blocks(2, 5, 12),
    preprocessing: Preprocessing::ZeroMeanUnitRange,
    build: mobilenet::mobilenet_v2,
};
pub const MOBILENET_V3_LARGE_SEG: Variant = Variant {
    scope: "MobilenetV3",
    mark: "expanded_conv_14/depthwise/depthwise_weights",
    decoder_end_points: blocks(2, 5, 11),
    build: mobilenet::mobilenet_v3_large_seg,
    ..MOBILENET_V2
};
pub const MOBILENET_V3_SMALL_SEG: Variant = Variant {
    scope: "MobilenetV3",
    mark: "expanded_conv_10/depthwise/depthwise_weights",
    decoder_end_points: blocks(0, 2, 7),
    build: mobilenet::mobilenet_v3_small_seg,
    ..MOBILENET_V2
};
pub const MOBILENET_EDGETPU: Variant = Variant {
    scope: "MobilenetEdgeTPU",
    decoder_end_points: [(4, EndPoint::None), (8, EndPoint::None), (16, EndPoint::None)],
    build: mobilenet::mobilenet_edgetpu,
    ..MOBILENET_V2
};

/// All variants. Large MobileNets v3 have the mark of small ones, too.
const VARIANTS: [Variant; 13] = [
    XCEPTION_41,
    XCEPTION_65,
    XCEPTION_71,
    RESNET_V1_18,
    RESNET_V1_18_BETA,
    RESNET_V1_50,
    RESNET_V1_50_BETA,
    RESNET_V1_101,
    RESNET_V1_101_BETA,
    MOBILENET_V2,
    MOBILENET_V3_LARGE_SEG,
    MOBILENET_V3_SMALL_SEG,
    MOBILENET_EDGETPU,
];

impl Variant {
    /// The variant that the variables belong to.
    pub fn of(variables: &Variables, root: &str) -> Option<Self> {
        let has =
            |variant: &Self| variables.contains_key(&format!("{root}{}/{}", variant.scope, variant.mark));
        VARIANTS.into_iter().find(has)
    }

    /// The end point that a decoder uses at this output stride.
    pub fn decoder_end_point(&self, stride: usize) -> Option<EndPoint> {
        self.decoder_end_points.iter().find(|(known, _)| *known == stride).map(|(_, end_point)| *end_point)
    }

    /// The number of channels of an end point, from the shape of its weights.
    pub fn channels(&self, end_point: EndPoint, variables: &Variables, root: &str) -> Option<usize> {
        let scope = self.scope;
        match end_point {
            EndPoint::Convolution(name) => variables.get(&format!("{root}{scope}/{name}/weights"))?.last(),
            EndPoint::Block(block) => {
                let number = if block == 0 { String::new() } else { format!("_{block}") };
                let weights = format!("{root}{scope}/expanded_conv{number}/depthwise/depthwise_weights");
                variables.get(&weights)?.get(2)
            }
            EndPoint::None => None,
        }
        .copied()
    }

    /// The name of an end point. `root` is the scope around the whole model.
    pub fn end_point_name(&self, end_point: EndPoint, root: &str) -> String {
        match end_point {
            EndPoint::Convolution(name) => format!("{root}{}/{name}", self.scope),
            EndPoint::Block(block) => format!("layer_{}/depthwise_output", block + 2),
            EndPoint::None => String::new(),
        }
    }
}
