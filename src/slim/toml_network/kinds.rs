//! The kinds of steps, and the keys of a step.

use super::arguments::is_argument;
use super::fields::Fields;
use crate::error::Error;
use crate::suggestion::suggesting;

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Conv2d,
    SeparableConv2d,
    Conv2dTranspose,
    FullyConnected,
    MaxPool2d,
    AvgPool2d,
    BatchNorm,
    LocalResponseNormalization,
    Pad,
    Dropout,
    Flatten,
    Softmax,
    PlainSoftmax,
    SpatialSqueeze,
    SpatialMean,
    Activation,
    L2Normalize,
    Identity,
    ArgMax,
    ResizeBilinear,
    ResizeNearest,
    SpaceToDepth,
    DepthToSpace,
    Add,
    Multiply,
    Concat,
    Layers,
    Branches,
    Residual,
    Gate,
    Aside,
    AuxLogits,
}

/// The keys that decide the kind of a step.
pub const KINDS: &[(&str, Kind)] = &[
    ("conv2d", Kind::Conv2d),
    ("separable_conv2d", Kind::SeparableConv2d),
    ("conv2d_transpose", Kind::Conv2dTranspose),
    ("fully_connected", Kind::FullyConnected),
    ("max_pool2d", Kind::MaxPool2d),
    ("avg_pool2d", Kind::AvgPool2d),
    ("batch_norm", Kind::BatchNorm),
    ("local_response_normalization", Kind::LocalResponseNormalization),
    ("pad", Kind::Pad),
    ("dropout", Kind::Dropout),
    ("flatten", Kind::Flatten),
    ("softmax", Kind::Softmax),
    ("plain_softmax", Kind::PlainSoftmax),
    ("spatial_squeeze", Kind::SpatialSqueeze),
    ("spatial_mean", Kind::SpatialMean),
    ("activation", Kind::Activation),
    ("l2_normalize", Kind::L2Normalize),
    ("identity", Kind::Identity),
    ("arg_max", Kind::ArgMax),
    ("resize_bilinear", Kind::ResizeBilinear),
    ("resize_nearest_neighbor", Kind::ResizeNearest),
    ("space_to_depth", Kind::SpaceToDepth),
    ("depth_to_space", Kind::DepthToSpace),
    ("add", Kind::Add),
    ("multiply", Kind::Multiply),
    ("concat", Kind::Concat),
    ("layers", Kind::Layers),
    ("branches", Kind::Branches),
    ("residual", Kind::Residual),
    ("gate", Kind::Gate),
    ("aside", Kind::Aside),
    ("aux_logits", Kind::AuxLogits),
];

/// The error for a step without any of [`KINDS`]: one is mistyped or missing.
pub fn no_kind(mut fields: Fields<'_>) -> Error {
    let kinds = || KINDS.iter().map(|(key, _)| *key);
    let is_known = |key: &str| OTHER_KEYS.contains(&key) || is_argument(key);
    let unknown = fields.take_all().into_iter().find(|field| !is_known(&field.key));
    match unknown {
        Some(field) => {
            let error = field.error(format!("there is no layer \"{}\"", field.key.escape_debug()));
            suggesting(error, &field.key, kinds())
        }
        None => fields
            .error("the step has no layer")
            .advice(format!("choose one of {}", kinds().collect::<Vec<_>>().join(", "))),
    }
}

/// Keys of a step that do not decide its kind, beside the keyword arguments of layers.
const OTHER_KEYS: &[&str] = &[
    "kernel",
    "scope",
    "scopes",
    "depth_multiplier",
    "depth_radius",
    "bias",
    "alpha",
    "beta",
    "shortcut",
    "arg_scope",
    "reenter_scope",
    "name_scope",
    "variable_names",
    "from",
    "shortcut_last",
    "gate_first",
    "name",
    "keepdims",
    "axis",
    "align_corners",
    "half_pixel_centers",
    "repeat",
    "block",
    "when",
    "unless",
    "end_point",
    "output",
];
