//! The detectors of the Object Detection API, which the file `pipeline.config` beside the checkpoint describes.
//!
//! Source: `research/object_detection` of github.com/tensorflow/models, its classes for TensorFlow 1;
//! `builders/model_builder.py` reads the file.

mod anchors;
mod box_coder;
mod box_predictor;
mod extractor;
mod feature_maps;
mod fields;
mod hyperparams;
mod mobiledet;
mod mobiledet_rows;
mod outputs;
mod post_processing;
mod resizer;
mod ssd;
mod suppression;
mod template;

use std::borrow::Cow;

use self::fields::Message;
use self::ssd::Ssd;
use super::{Build, LibraryNetwork};
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
    options: &[SSD_FEATURE_EXTRACTOR],
    build: Build::Inputs {
        inputs: |options, image| inputs("model.ssd", options, image),
        check: template::require_config,
        build: build_ssd,
    },
};

const SSD_FEATURE_EXTRACTOR: OptionSpec = OptionSpec {
    name: Cow::Borrowed("feature_extractor"),
    default: Value::Choice("ssd_mobilenet_v1", &extractor::NAMES),
    source: OptionSource::Config(|config| {
        let name = config.field("model.ssd.feature_extractor.type").word()?;
        extractor::NAMES.iter().find(|known| **known == name).map(|name| Value::Choice(name, &extractor::NAMES))
    }),
    help: "the classifier, and the feature maps that are made from it",
};

/// The images, in the size that the configuration sets unless the user chooses another.
fn inputs(model: &str, options: &Options, image: &ImageShape) -> Vec<NetworkInput> {
    let [height, width] = match image.height {
        0 => {
            let config = config_of(options);
            // Building the network names the mistake.
            resizer::size(&Message::new(&config, model).message("image_resizer")).unwrap_or([1, 1])
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

fn build_ssd(slim: &mut NetworkBuilder<'_>, inputs: &[TensorRef], options: &Options) -> TensorRef {
    let images = inputs[0];
    if options.config().is_none() && !slim.variables.is_empty() {
        return template::variables_alone(slim, images, &["FeatureExtractor", "BoxPredictor", "WeightSharedConvolutionalBoxPredictor"]);
    }
    let config = config_of(options);
    let message = Message::new(&config, "model.ssd");
    let read = || {
        resizer::size(&message.message("image_resizer"))?;
        Ssd::read(&message)
    };
    match read() {
        Ok(ssd) => ssd.build(slim, images),
        Err(error) => {
            slim.fail(error);
            images
        }
    }
}
