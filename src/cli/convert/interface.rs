//! Options for the inputs and outputs of a model: names, preprocessing, probabilities, classes.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::options::INTERFACE;
use crate::convert::{ConvertOptions, NewNames, Probabilities};
use crate::error::Result;
use crate::passes::preprocess::Preprocessing;
use crate::setting::Setting;

/// The options for inputs and outputs, besides those that choose the tensors.
#[derive(Debug, Clone, clap::Args)]
pub struct InterfaceArgs {
    /// Name inputs and outputs after TensorFlow's tensors, not after the keys of the SavedModel's signature
    #[arg(long, visible_alias = "use-graph-names", help_heading = INTERFACE)]
    tensor_names: bool,
    /// New names of inputs: NAME=NEW, or a name for each input in order
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    rename_inputs: Vec<String>,
    /// New names of outputs: NAME=NEW, or a name for each output in order
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    rename_outputs: Vec<String>,
    /// Add slim's preprocessing to the model: its images are then RGB bytes, from 0 to 255
    ///
    /// inception scales them to [-1, 1], for Inception, MobileNet, NASNet and PNASNet networks and the published ResNets
    /// v2. vgg subtracts ImageNet's mean red, green and blue, for VGG networks and ResNets v1. Crop and resize images before
    /// the model.
    #[arg(long, help_heading = INTERFACE, value_name = "KIND", default_value = "none", value_enum)]
    preprocess: Preprocessing,
    /// Add probabilities if the model has only logits
    #[arg(long, help_heading = INTERFACE, conflicts_with = "no_softmax")]
    softmax: bool,
    /// Leave out probabilities, and output only the logits
    #[arg(long, help_heading = INTERFACE)]
    no_softmax: bool,
    /// A file with the names of the classes, for the model's metadata: a name on each line, or NUMBER:NAME
    #[arg(long, help_heading = INTERFACE, value_name = "FILE")]
    labels: Option<PathBuf>,
}

impl InterfaceArgs {
    /// `options`, completed with these.
    ///
    /// # Errors
    /// If only some of the new names have an old name.
    pub fn complete(&self, options: ConvertOptions) -> Result<ConvertOptions> {
        Ok(ConvertOptions {
            tensor_names: self.tensor_names,
            rename_inputs: NewNames::parse(Setting::RenameInputs, &self.rename_inputs)?,
            rename_outputs: NewNames::parse(Setting::RenameOutputs, &self.rename_outputs)?,
            preprocessing: self.preprocess,
            probabilities: match (self.softmax, self.no_softmax) {
                (true, _) => Probabilities::Added,
                (_, true) => Probabilities::LeftOut,
                _ => Probabilities::AsBuilt,
            },
            labels: self.labels.clone(),
            ..options
        })
    }
}

impl ValueEnum for Preprocessing {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Inception, Self::Vgg, Self::None]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name().unwrap_or("none")))
    }
}
