//! The options of a conversion as they are typed, and the options of the library that they mean.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::input::{GRAPH, InputArgs};
use super::interface::InterfaceArgs;
use super::verified::VerificationArgs;
use crate::convert::ConvertOptions;
use crate::error::Result;
use crate::lower::{OPSETS, Quantization};
use crate::onnx::{TENSORFLOW_DOMAIN, WriteOptions};
use crate::source::OpenOptions;

/// Headings of options in the help.
pub const INTERFACE: &str = "Inputs and outputs";
const MODEL: &str = "ONNX model";

/// The options of a conversion.
#[derive(Debug, Clone, clap::Args)]
pub struct ConversionArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Don't fail if ops cannot be converted: write them as custom ops, in the domain ai.onnx.converters.tensorflow
    #[arg(long, visible_alias = "continue_on_error", help_heading = GRAPH)]
    keep_going: bool,
    /// Write these ops as they are, even if they could be converted, for a runtime that knows them; without a domain, in
    /// ai.onnx.converters.tensorflow
    #[arg(long, help_heading = GRAPH, value_name = "OP[:DOMAIN]", value_delimiter = ',', value_parser = custom_op)]
    custom_ops: Vec<(String, String)>,
    /// Fold batch norms into the convolutions before them: the model is smaller, but harder to read and train
    #[arg(long, help_heading = MODEL)]
    fold_batch_norm: bool,
    /// How to write simulated quantization (FakeQuantWithMinMaxVars and others); qdq lets runtimes compute with integers, float
    /// rounds exactly as TensorFlow does, auto is qdq if the graph quantizes its weights
    #[arg(long, help_heading = MODEL, value_name = "FORM", default_value = "auto", value_enum)]
    quantization: Quantization,
    /// Use float16 for weights and arithmetic; inputs and outputs keep their types
    #[arg(long, help_heading = MODEL)]
    float16: bool,
    /// TensorFlow ops, nodes or scopes that still compute in float32
    #[arg(long, help_heading = MODEL, value_name = "NAMES", value_delimiter = ',', requires = "float16")]
    keep_float32: Vec<String>,
    /// The version of the ONNX operator set
    #[arg(long, help_heading = MODEL, value_name = "N", default_value_t = 17,
          value_parser = opset, allow_negative_numbers = true)]
    opset: i64,
    /// The versions of other operator sets, such as that of custom ops [default: 1]
    #[arg(long, visible_alias = "extra_opset", help_heading = MODEL, value_name = "DOMAIN:N", value_delimiter = ',',
          value_parser = extra_opset)]
    extra_opset: Vec<(String, i64)>,
    /// Write the weights to a separate file, OUTPUT.data; models above 2 GiB always have one
    #[arg(long, help_heading = MODEL)]
    external_data: bool,
    /// Write where the model comes from into its metadata: the SHA-256 of the input's files, the version of this program, and the
    /// options, with names of files without their folders
    #[arg(long, help_heading = MODEL)]
    pub provenance: bool,
    /// Make these inputs NCHW instead of NHWC
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    inputs_as_nchw: Vec<String>,
    /// Make these outputs NCHW instead of NHWC
    #[arg(long, help_heading = INTERFACE, value_name = "NAMES", value_delimiter = ',')]
    outputs_as_nchw: Vec<String>,
    #[command(flatten)]
    pub verification: VerificationArgs,
    #[command(flatten)]
    interface: InterfaceArgs,
}

impl ConversionArgs {
    /// How the input is opened.
    pub fn open_options(&self) -> OpenOptions {
        self.input.open_options()
    }

    /// How it is converted.
    ///
    /// # Errors
    /// If the value of an option is not of the form that it has to be.
    pub fn convert_options(&self) -> Result<ConvertOptions> {
        self.interface.complete(ConvertOptions {
            keep_going: self.keep_going,
            custom_ops: self.custom_ops.clone(),
            extra_opsets: self.extra_opset.clone(),
            fold_batch_norm: self.fold_batch_norm,
            quantization: self.quantization,
            float16: self.float16,
            keep_float32: self.keep_float32.clone(),
            opset: self.opset,
            inputs_as_nchw: self.inputs_as_nchw.clone(),
            outputs_as_nchw: self.outputs_as_nchw.clone(),
            ..self.input.to_options()?
        })
    }

    /// How the model is written.
    pub fn write_options(&self) -> WriteOptions {
        WriteOptions { external_data: self.external_data }
    }

    /// The options that say what is converted.
    pub fn input(&self) -> &InputArgs {
        &self.input
    }
}

impl ValueEnum for Quantization {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::Qdq, Self::Float]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Auto => "auto",
            Self::Qdq => "qdq",
            Self::Float => "float",
        }))
    }
}

/// An op and the domain in which it is written.
fn custom_op(text: &str) -> Result<(String, String), String> {
    let (op, domain) = text.split_once(':').unwrap_or((text, TENSORFLOW_DOMAIN));
    match op.is_empty() || domain.is_empty() || domain.contains(':') {
        true => Err("not of the form OP or OP:DOMAIN".to_owned()),
        false => Ok((op.to_owned(), domain.to_owned())),
    }
}

/// A domain and the version of its operators.
fn extra_opset(text: &str) -> Result<(String, i64), String> {
    let parts = text.split_once(':').and_then(|(domain, version)| Some((domain, version.parse().ok()?)));
    match parts.filter(|(domain, version)| !domain.is_empty() && *version > 0) {
        Some((domain, version)) => Ok((domain.to_owned(), version)),
        None => Err("not of the form DOMAIN:VERSION".to_owned()),
    }
}

/// An operator set that can be written.
fn opset(text: &str) -> Result<i64, String> {
    let number = text.parse().ok().filter(|number| OPSETS.contains(number));
    number.ok_or_else(|| format!("not a number from {} to {}", OPSETS.start(), OPSETS.end()))
}
