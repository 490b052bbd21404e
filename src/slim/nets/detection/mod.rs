//! The detectors of the Object Detection API, which the file `pipeline.config` beside the checkpoint describes.
//!
//! Source: `research/object_detection` of github.com/tensorflow/models, its classes for TensorFlow 1;
//! `builders/model_builder.py` reads the file.

mod anchors;
mod box_coder;
mod box_predictor;
mod extractor;
mod faster_rcnn;
mod feature_maps;
mod fields;
mod hyperparams;
mod mobiledet;
mod mobiledet_rows;
mod outputs;
mod post_processing;
mod rcnn_extractor;
mod resizer;
mod second_stage;
mod ssd;
mod suppression;
mod template;
mod template_rcnn;

use std::borrow::Cow;

use self::faster_rcnn::FasterRcnn;
use self::fields::Message;
use self::ssd::Ssd;
use super::{Build, LibraryNetwork};
use crate::error::Result;
use crate::graph::{Shape, TensorRef};
use crate::model_config::ModelConfig;
use crate::slim::{
    ArgScope, ImageShape, NetworkBuilder, NetworkInput, OptionSource, OptionSpec, Options, Value,
};

pub const SSD: LibraryNetwork = LibraryNetwork {
    name: "ssd",
    scope: "FeatureExtractor",
    // The configuration sets it.
    image_size: [0, 0],
    logits: "",
    aux_logits: None,
    arg_scope_name: "pipeline.config",
    arg_scope: ArgScope::new,
    options: &[OptionSpec {
        default: Value::Choice("ssd_mobilenet_v1", &extractor::NAMES),
        source: OptionSource::Config(|config| extractor_of(config, SSD_MESSAGE, &extractor::NAMES)),
        ..FEATURE_EXTRACTOR
    }],
    build: Build::Inputs {
        inputs: |options, image| inputs(SSD_MESSAGE, options, image),
        check: |options, variables| template::require_config(SSD_MESSAGE, options, variables),
        build: |slim, inputs, options| {
            const SCOPES: &[&str] =
                &["FeatureExtractor", "BoxPredictor", "WeightSharedConvolutionalBoxPredictor"];
            build(slim, inputs[0], options, (SSD_MESSAGE, SCOPES), Ssd::read, Ssd::build)
        },
    },
};

/// Faster R-CNN, and Mask R-CNN with a third stage.
pub const FASTER_RCNN: LibraryNetwork = LibraryNetwork {
    name: "faster_rcnn",
    scope: "FirstStageFeatureExtractor",
    options: &[OptionSpec {
        default: Value::Choice("faster_rcnn_inception_v2", &rcnn_extractor::NAMES),
        source: OptionSource::Config(|config| {
            extractor_of(config, FASTER_RCNN_MESSAGE, &rcnn_extractor::NAMES)
        }),
        ..FEATURE_EXTRACTOR
    }],
    build: Build::Inputs {
        inputs: |options, image| inputs(FASTER_RCNN_MESSAGE, options, image),
        check: |options, variables| template::require_config(FASTER_RCNN_MESSAGE, options, variables),
        build: |slim, inputs, options| {
            const SCOPES: &[&str] = &[
                "FirstStageFeatureExtractor",
                "Conv",
                "FirstStageBoxPredictor",
                "SecondStageFeatureExtractor",
                "SecondStageBoxPredictor",
            ];
            build(
                slim,
                inputs[0],
                options,
                (FASTER_RCNN_MESSAGE, SCOPES),
                FasterRcnn::read,
                FasterRcnn::build,
            )
        },
    },
    ..SSD
};

const SSD_MESSAGE: &str = "model.ssd";
const FASTER_RCNN_MESSAGE: &str = "model.faster_rcnn";

const FEATURE_EXTRACTOR: OptionSpec = OptionSpec {
    name: Cow::Borrowed("feature_extractor"),
    default: Value::Flag(false),
    source: OptionSource::User,
    help: "the classifier whose features the detector has; pipeline.config names it",
};

/// The name of the feature extractor, which is one of `names`.
fn extractor_of(config: &ModelConfig, message: &str, names: &'static [&'static str]) -> Option<Value> {
    let message = config.field(message);
    // A name that nobody knows, or none, still tells that the file is about such a detector; reading it refuses the name.
    let known = names.iter().find(|name| message.field("feature_extractor.type").word() == Some(**name));
    message.is_present().then(|| Value::Choice(known.unwrap_or(&names[0]), names))
}

/// The images, in the size that the configuration sets unless the user chooses another.
fn inputs(message: &str, options: &Options, image: &ImageShape) -> Vec<NetworkInput> {
    let [height, width] = match image.height {
        0 => {
            let config = config_of(options);
            // Building the network names the mistake.
            resizer::size(&Message::new(&config, message).message("image_resizer")).unwrap_or([1, 1])
        }
        height => [height, image.width],
    };
    let dims = vec![image.batch, Some(height), Some(width), Some(image.channels)];
    vec![NetworkInput::images(Shape::new(dims))]
}

/// The configuration; without one, that of an example.
fn config_of(options: &Options) -> Cow<'_, ModelConfig> {
    match options.config() {
        Some(config) => Cow::Borrowed(config),
        None => Cow::Owned(template::example()),
    }
}

/// Builds the detector that a message of the configuration describes. Without such a message, a detector is recognized by its scopes.
fn build<T>(
    slim: &mut NetworkBuilder<'_>,
    images: TensorRef,
    options: &Options,
    (message, scopes): (&str, &[&str]),
    read: fn(&Message<'_>) -> Result<T>,
    build: fn(&T, &mut NetworkBuilder<'_>, TensorRef) -> TensorRef,
) -> TensorRef {
    let is_described = options.config().is_some_and(|config| config.field(message).is_present());
    if !is_described && !slim.variables.is_empty() {
        return template::variables_alone(slim, images, scopes);
    }
    let config = config_of(options);
    let message = Message::new(&config, message);
    let size = resizer::size(&message.message("image_resizer"));
    match size.and_then(|_| read(&message)) {
        Ok(detector) => slim.reusing_variables(|slim| build(&detector, slim, images)),
        Err(error) => {
            slim.fail(error);
            images
        }
    }
}
