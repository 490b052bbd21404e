//! Options about what a model takes and delivers: its names, its preprocessing, its probabilities, its classes.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::options::INTERFACE;
use crate::convert::{ConvertOptions, NewNames, Probabilities};
use crate::error::Result;
use crate::passes::preprocess::Preprocessing;

/// What is said about the model's inputs and outputs beside which tensors they are.
#[derive(Debug, Clone, clap::Args)]
pub struct InterfaceArgs {
    /// Call inputs and outputs of a SavedModel by TensorFlow's names of the tensors, and not by the signature's keys
    #[arg(long, help_heading = INTERFACE)]
    tensor_names: bool,
    /// New names of inputs: NAME=NEW, or one for each input in their order
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    rename_inputs: Vec<String>,
    /// New names of outputs: NAME=NEW, or one for each output in their order
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    rename_outputs: Vec<String>,
    /// Let the model take images as bytes, RGB from 0 to 255, and preprocess them as slim does
    ///
    /// inception scales them to [-1, 1], which Inception, MobileNet, NASNet and PNASNet networks take, and the
    /// published ResNets v2. vgg subtracts the mean of ImageNet's red, green and blue, for VGG networks and ResNets v1.
    /// Cropping and resizing stay outside of the model.
    #[arg(long, help_heading = INTERFACE, value_name = "KIND", default_value = "none", value_enum)]
    preprocess: Preprocessing,
    /// Add probabilities where the outputs have nothing but logits
    #[arg(long, help_heading = INTERFACE, conflicts_with = "no_softmax")]
    softmax: bool,
    /// Leave probabilities out, and deliver the logits alone
    #[arg(long, help_heading = INTERFACE)]
    no_softmax: bool,
    /// The names of the classes for the model's metadata: one a line, or NUMBER:NAME
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
            rename_inputs: NewNames::parse("--rename-inputs", &self.rename_inputs)?,
            rename_outputs: NewNames::parse("--rename-outputs", &self.rename_outputs)?,
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
