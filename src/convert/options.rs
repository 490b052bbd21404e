//! The options of a conversion.

use std::path::PathBuf;

use super::{InputShape, Probabilities};
use crate::error::{Error, Result};
use crate::graph::Limits;
use crate::lower::{OPSETS, Quantization};
use crate::passes::moving_averages;
use crate::passes::preprocess::Preprocessing;
use crate::setting::{Setting, SettingValue};
use crate::slim::{NetworkChoice, NetworkOption};

/// The options of a conversion. The defaults are those of the command line.
#[derive(Debug, Clone)]
pub struct ConvertOptions {
    /// The network. By default, it is recognized.
    pub network: Option<NetworkChoice>,
    /// Arguments of slim's network function.
    pub network_options: Vec<NetworkOption>,
    /// Whether to convert the network if the checkpoint holds more: if the network is the backbone of a detector, say.
    pub backbone: bool,
    /// Height and width of the images. By default, those of the network.
    pub image_size: Option<(usize, usize)>,
    /// The number of images in a batch. By default, any number.
    pub batch_size: Option<usize>,
    /// The inputs: names of tensors, where `node` is short for `node:0`, or keys of the signature. By default, the placeholders
    /// of the graph.
    pub inputs: Vec<String>,
    /// The outputs: names of tensors, keys of the signature, or slim's end points. By default, the logits and predictions of
    /// a network, or the outputs that are inferred from a graph.
    pub outputs: Vec<String>,
    /// The shapes of inputs that the graph leaves open.
    pub shapes: Vec<InputShape>,
    /// Placeholders that become constants.
    pub freeze: Vec<FrozenPlaceholder>,
    /// Placeholders that use their default: names of nodes or of their tensors, or keys of the signature.
    pub use_default: Vec<String>,
    /// Placeholders that are inputs although they have a default, by the same names.
    pub ignore_default: Vec<String>,
    /// The name of the signature of a SavedModel whose inputs and outputs the model has. By default, the one that a server calls.
    pub signature: Option<String>,
    /// The version of the ONNX operator set.
    pub opset: i64,
    /// Inputs that have their channels second: names of tensors, or keys of the signature.
    pub inputs_as_nchw: Vec<String>,
    /// Outputs that have their channels second: names of tensors, keys of the signature, or slim's end points.
    pub outputs_as_nchw: Vec<String>,
    /// Whether ops that cannot be converted are written as they are, in a domain of their own.
    pub keep_going: bool,
    /// Ops that are written as they are, even if they could be converted, each with its domain.
    pub custom_ops: Vec<(String, String)>,
    /// Versions of operator sets besides ONNX's own, by their domains.
    pub extra_opsets: Vec<(String, i64)>,
    /// Whether batch norms become a part of the convolutions before them.
    pub fold_batch_norm: bool,
    /// How simulated quantization is written.
    pub quantization: Quantization,
    /// Whether weights and arithmetic are float16.
    pub float16: bool,
    /// What computes in float32 nevertheless: ops such as `Softmax`, and names of nodes and scopes.
    pub keep_float32: Vec<String>,
    /// Whether the moving averages of the weights are used instead of the weights.
    pub moving_averages: moving_averages::Choice,
    /// How the model preprocesses images.
    pub preprocessing: Preprocessing,
    /// Whether the model outputs probabilities beside its logits.
    pub probabilities: Probabilities,
    /// The file with the names of the classes.
    pub labels: Option<PathBuf>,
    /// Whether inputs and outputs keep TensorFlow's names although a signature has keys for them.
    pub tensor_names: bool,
    /// New names of the inputs.
    pub rename_inputs: NewNames,
    /// New names of the outputs.
    pub rename_outputs: NewNames,
    /// If set, the model's metadata name the files of the input with their SHA-256, this program, and these options as text.
    pub provenance: Option<String>,
    /// The most that is made of a graph.
    pub limits: Limits,
}

/// A placeholder that becomes a constant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenPlaceholder {
    /// The name of the placeholder or of its tensor, or a key of the signature.
    pub name: String,
    /// Its value as text, such as `false`, `0.5` or `[1, 2]`; the placeholder has its type.
    pub value: String,
}

impl FrozenPlaceholder {
    /// Reads `NAME=VALUE`.
    ///
    /// # Errors
    /// If the text is not of that form.
    pub fn parse(text: &str) -> Result<Self> {
        let split = text.split_once('=');
        let (name, value) =
            split.ok_or_else(|| Error::new(Setting::Freeze.to(text), "it is not of the form NAME=VALUE"))?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// The setting that freezes this placeholder.
    pub(super) fn setting(&self) -> SettingValue {
        Setting::Freeze.to(format!("{}={}", self.name, self.value))
    }
}

/// New names of a model's inputs or outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewNames {
    /// A name for each input or output, in their order. If the list is empty, they keep their names.
    InOrder(Vec<String>),
    /// Old names with their new names.
    ByName(Vec<(String, String)>),
}

impl NewNames {
    /// Reads a list of `NAME=NEW`, or of new names in order. Errors are about `setting`.
    ///
    /// # Errors
    /// If only some of the texts have an old name.
    pub fn parse(setting: Setting, texts: &[String]) -> Result<Self> {
        let pairs: Vec<Option<(&str, &str)>> = texts.iter().map(|text| text.split_once('=')).collect();
        if pairs.iter().all(Option::is_none) {
            return Ok(Self::InOrder(texts.to_vec()));
        }
        let owned = |(old, new): (&str, &str)| (old.to_owned(), new.to_owned());
        let pairs: Option<Vec<_>> = pairs.into_iter().map(|pair| pair.map(owned)).collect();
        pairs.map(Self::ByName).ok_or_else(|| {
            let problem = "some names have an old name before them and others have not";
            Error::new(setting.to(texts.join(",")), problem).advice("write all of them as NAME=NEW, or none")
        })
    }
}

impl Default for NewNames {
    fn default() -> Self {
        Self::InOrder(vec![])
    }
}

impl Default for ConvertOptions {
    fn default() -> Self {
        Self {
            network: None,
            network_options: vec![],
            backbone: false,
            image_size: None,
            batch_size: None,
            inputs: vec![],
            outputs: vec![],
            shapes: vec![],
            freeze: vec![],
            use_default: vec![],
            ignore_default: vec![],
            signature: None,
            opset: 17,
            inputs_as_nchw: vec![],
            outputs_as_nchw: vec![],
            keep_going: false,
            custom_ops: vec![],
            extra_opsets: vec![],
            fold_batch_norm: false,
            quantization: Quantization::Auto,
            float16: false,
            keep_float32: vec![],
            moving_averages: moving_averages::Choice::Auto,
            preprocessing: Preprocessing::None,
            probabilities: Probabilities::AsBuilt,
            labels: None,
            tensor_names: false,
            rename_inputs: NewNames::default(),
            rename_outputs: NewNames::default(),
            provenance: None,
            limits: Limits::default(),
        }
    }
}

impl ConvertOptions {
    /// Refuses an operator set that cannot be written.
    ///
    /// # Errors
    /// If it is not one of [`OPSETS`].
    pub(super) fn check_opset(&self) -> Result<()> {
        if OPSETS.contains(&self.opset) {
            return Ok(());
        }
        let problem = format!("operator sets from {} to {} can be written", OPSETS.start(), OPSETS.end());
        Err(Error::new(Setting::Opset.to(self.opset), problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_operator_sets_are_written() {
        for (opset, is_known) in [(10, false), (11, true), (28, true), (29, false)] {
            let options = ConvertOptions { opset, ..ConvertOptions::default() };
            assert_eq!(options.check_opset().is_ok(), is_known, "{opset}");
        }
    }
}
