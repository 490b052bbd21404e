//! The feature extractors of Faster R-CNN: a classifier in two parts, one for the image, and one for the crops of its features.
//!
//! Source: `research/object_detection/models/faster_rcnn_*_feature_extractor.py`.

use super::fields::Message;
use crate::error::Result;
use crate::graph::TensorRef;
use crate::slim::arg_scope::{SAME, VALID};
use crate::slim::nets::resnet::{self, Unit};
use crate::slim::nets::{inception, inception_resnet_v2, inception_v2, resnet_v1};
use crate::slim::{
    Arg, Arg::Stride, ArgScope, Layer, NetworkBuilder, Normalizer, Options, Value, Variables, holds_prefix,
};

/// The fields of `FasterRcnnFeatureExtractor`.
#[derive(Debug, Clone, Copy)]
pub struct RcnnExtractor {
    kind: Kind,
    stride: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    InceptionV2,
    InceptionResnetV2,
    /// Its scope, and the number of units of its first three blocks and the last one.
    Resnet(&'static str, [usize; 4]),
}

impl Kind {
    fn scope(self) -> &'static str {
        match self {
            Self::InceptionV2 => "InceptionV2",
            Self::InceptionResnetV2 => "InceptionResnetV2",
            Self::Resnet(scope, _) => scope,
        }
    }
}

const KINDS: &[(&str, Kind)] = &[
    ("faster_rcnn_inception_v2", Kind::InceptionV2),
    ("faster_rcnn_resnet50", Kind::Resnet("resnet_v1_50", [3, 4, 6, 3])),
    ("faster_rcnn_resnet101", Kind::Resnet("resnet_v1_101", [3, 4, 23, 3])),
    ("faster_rcnn_resnet152", Kind::Resnet("resnet_v1_152", [3, 8, 36, 3])),
    ("faster_rcnn_inception_resnet_v2", Kind::InceptionResnetV2),
];

/// The values of `type`.
pub const NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut index = 0;
    while index < KINDS.len() {
        names[index] = KINDS[index].0;
        index += 1;
    }
    names
};

/// The extractor that has these variables.
pub fn recognized(variables: &Variables) -> Option<&'static str> {
    let has = |scope: &str| holds_prefix(variables, &format!("FirstStageFeatureExtractor/{scope}/"));
    KINDS.iter().find(|(_, kind)| has(kind.scope())).map(|(name, _)| *name)
}

/// Layers that have a stride and a padding.
const LAYERS: &[Layer] = &[Layer::Conv2d, Layer::MaxPool2d, Layer::AvgPool2d];

impl RcnnExtractor {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        // Whether batch norms are trained does not matter after training.
        message.has_only(&["type", "first_stage_features_stride", "batch_norm_trainable"])?;
        let name = message.word("type", "")?;
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == name) else {
            let problem = format!("\"{name}\" is not one of the extractors that are converted");
            return Err(message.wrong("type", problem).advice(format!("they are {}", NAMES.join(", "))));
        };
        let stride = message.count("first_stage_features_stride", 16)?;
        if ![8, 16].contains(&stride) {
            return Err(message.wrong("first_stage_features_stride", "it is not 8 or 16"));
        }
        Ok(Self { kind: *kind, stride })
    }

    /// The features of the images, in the open scope `scope`.
    pub fn proposal_features(
        self,
        slim: &mut NetworkBuilder<'_>,
        images: TensorRef,
        scope: &str,
    ) -> TensorRef {
        slim.variable_scope(self.kind.scope(), |slim| match self.kind {
            Kind::InceptionV2 => slim.arg_scopes(&inception_v2_scope(), |slim| {
                slim.reenter_scope(|slim| {
                    slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| {
                        inception_v2::first_modules(slim, images, &inception_v2_options())
                    })
                })
            }),
            Kind::InceptionResnetV2 => slim.arg_scopes(&inception::arg_scope(), |slim| {
                slim.reenter_scope(|slim| {
                    let stride = if self.stride == 8 { 1 } else { 2 };
                    slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| {
                        inception_resnet_v2::first_modules(slim, images, &SAME, stride)
                    })
                })
            }),
            Kind::Resnet(architecture, units) => slim.arg_scopes(&resnet::arg_scope(), |slim| {
                let specs = resnet_v1::RESNET_V1_50.options.into();
                let mut options = Options::defaults(&specs, architecture);
                options.set("output_stride", Value::Count(self.stride));
                // The original builds the last block too, which nothing reads.
                slim.reenter_scope(|slim| resnet_v1::base(slim, images, units, &options));
                slim.built_end_point(&format!("{scope}/{architecture}/block3"))
            }),
        })
    }

    /// The features of crops.
    pub fn box_classifier_features(self, slim: &mut NetworkBuilder<'_>, crops: TensorRef) -> TensorRef {
        slim.variable_scope(self.kind.scope(), |slim| match self.kind {
            Kind::InceptionV2 => slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| {
                slim.arg_scopes(&inception_v2_scope(), |slim| {
                    inception_v2::last_modules(slim, crops, &inception_v2_options())
                })
            }),
            Kind::InceptionResnetV2 => slim.arg_scopes(&inception::arg_scope(), |slim| {
                slim.arg_scope(LAYERS, &[Stride(1), SAME], |slim| {
                    inception_resnet_v2::last_modules(slim, crops, VALID)
                })
            }),
            Kind::Resnet(_, units) => slim.arg_scopes(&resnet::arg_scope(), |slim| {
                slim.variable_scope("block4", |slim| {
                    (1..=units[3]).fold(crops, |net, unit| {
                        let args = Unit { base_depth: 512, stride: 1, rate: 1 };
                        let scope = format!("unit_{unit}");
                        slim.variable_scope(&scope, |slim| resnet_v1::bottleneck(slim, net, args))
                    })
                })
            }),
        })
    }
}

/// `_batch_norm_arg_scope`
fn inception_v2_scope() -> ArgScope {
    let params = vec![Arg::Scale(true), Arg::Decay(0.9997), Arg::Epsilon(0.001)];
    let args = [Arg::NormalizerFn(Some(Normalizer::BatchNorm)), Arg::NormalizerParams(params)];
    ArgScope::new().nested(&[Layer::Conv2d, Layer::SeparableConv2d], &args)
}

fn inception_v2_options() -> Options {
    let mut options = Options::defaults(&inception_v2::INCEPTION_V2.options.into(), "InceptionV2");
    options.set("depth_multiplier", Value::Number(1.0));
    options
}
