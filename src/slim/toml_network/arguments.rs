//! slim's keyword arguments: which layers have which, and the syntax of their values.

use super::fields::{Field, Fields};
use super::steps::Defaults;
use crate::error::Result;
use crate::graph::Padding;
use crate::slim::{Activation, Arg, Layer, Normalizer};

/// A keyword argument: its name, and how its value is read.
pub struct Argument {
    name: &'static str,
    read: fn(&Field<'_>) -> Result<Arg>,
}

const STRIDE: Argument =
    Argument { name: "stride", read: |field| field.count(1..=MAX_WINDOW).map(Arg::Stride) };
const PADDING: Argument =
    Argument { name: "padding", read: |field| field.choice(PADDINGS).map(Arg::Padding) };
const RATE: Argument = Argument { name: "rate", read: |field| field.count(1..=MAX_WINDOW).map(Arg::Rate) };
const ACTIVATION_FN: Argument =
    Argument { name: "activation_fn", read: |field| activation(field).map(Arg::ActivationFn) };
const NORMALIZER_FN: Argument =
    Argument { name: "normalizer_fn", read: |field| field.choice(NORMALIZERS).map(Arg::NormalizerFn) };
const NORMALIZER_PARAMS: Argument = Argument { name: "normalizer_params", read: normalizer_params };
const BIASES_INITIALIZER: Argument =
    Argument { name: "biases_initializer", read: |field| field.choice(BIASES).map(Arg::BiasesInitializer) };
const DECAY: Argument = Argument { name: "decay", read: |field| field.number().map(Arg::Decay) };
const EPSILON: Argument = Argument { name: "epsilon", read: epsilon };
const SCALE: Argument = Argument { name: "scale", read: |field| field.flag().map(Arg::Scale) };
const CENTER: Argument = Argument { name: "center", read: |field| field.flag().map(Arg::Center) };

pub const CONVOLUTION: &[Argument] =
    &[STRIDE, PADDING, RATE, ACTIVATION_FN, NORMALIZER_FN, NORMALIZER_PARAMS, BIASES_INITIALIZER];
/// Those of `slim.conv2d_transpose`, which has no rate.
pub const TRANSPOSED: &[Argument] =
    &[STRIDE, PADDING, ACTIVATION_FN, NORMALIZER_FN, NORMALIZER_PARAMS, BIASES_INITIALIZER];
pub const FULLY_CONNECTED: &[Argument] =
    &[ACTIVATION_FN, NORMALIZER_FN, NORMALIZER_PARAMS, BIASES_INITIALIZER];
pub const POOLING: &[Argument] = &[STRIDE, PADDING];
pub const BATCH_NORM: &[Argument] = &[DECAY, EPSILON, SCALE, CENTER, ACTIVATION_FN];

/// The layers that use defaults from an arg_scope, with their keyword arguments.
const LAYERS: &[(&str, Layer, &[Argument])] = &[
    ("conv2d", Layer::Conv2d, CONVOLUTION),
    ("separable_conv2d", Layer::SeparableConv2d, CONVOLUTION),
    ("conv2d_transpose", Layer::Conv2dTranspose, TRANSPOSED),
    ("fully_connected", Layer::FullyConnected, FULLY_CONNECTED),
    ("max_pool2d", Layer::MaxPool2d, POOLING),
    ("avg_pool2d", Layer::AvgPool2d, POOLING),
    ("batch_norm", Layer::BatchNorm, BATCH_NORM),
];

/// The values of `activation_fn`.
const ACTIVATIONS: &[(&str, Option<Activation>)] = &[
    ("relu", Some(Activation::Relu)),
    ("relu6", Some(Activation::Relu6)),
    ("elu", Some(Activation::Elu)),
    ("tanh", Some(Activation::Tanh)),
    ("sigmoid", Some(Activation::Sigmoid)),
    ("swish", Some(Activation::Swish)),
    ("leaky_relu", Some(Activation::LeakyRelu(0.2))),
    ("prelu", Some(Activation::PRelu("alphas"))),
    ("hard_swish", Some(Activation::HardSwish)),
    ("hard_sigmoid", Some(Activation::HardSigmoid)),
    ("identity", Some(Activation::Identity)),
    ("none", None),
];
const NORMALIZERS: &[(&str, Option<Normalizer>)] =
    &[("batch_norm", Some(Normalizer::BatchNorm)), ("none", None)];
/// The values of `biases_initializer`: whether there are biases.
const BIASES: &[(&str, bool)] = &[("zeros", true), ("none", false)];
const PADDINGS: &[(&str, Padding)] = &[("SAME", Padding::Same), ("VALID", Padding::Valid)];

/// Reads an activation function by its name. `leaky_relu(0.1)` has another slope than TensorFlow's default.
pub fn activation(field: &Field<'_>) -> Result<Option<Activation>> {
    let argument = |text: &str| text.strip_prefix("leaky_relu(")?.strip_suffix(')')?.parse::<f32>().ok();
    match field.as_text().and_then(argument) {
        Some(alpha) if alpha.is_finite() => Ok(Some(Activation::LeakyRelu(alpha))),
        _ => field.choice(ACTIVATIONS),
    }
}

/// The largest stride, rate or window that is accepted.
pub const MAX_WINDOW: usize = 10_000;

fn normalizer_params(field: &Field<'_>) -> Result<Arg> {
    let example = "a table such as { epsilon = 1e-5, scale = true }";
    let mut fields = field.table(example, ("batch_norm", "argument"))?;
    let args = take_arguments(&mut fields, BATCH_NORM)?;
    fields.finish()?;
    Ok(Arg::NormalizerParams(args))
}

fn epsilon(field: &Field<'_>) -> Result<Arg> {
    match field.number()? {
        epsilon if epsilon >= 0.0 => Ok(Arg::Epsilon(epsilon)),
        _ => Err(field.wrong_value("a number that is not negative")),
    }
}

/// Whether a layer has a keyword argument of this name.
pub fn is_argument(name: &str) -> bool {
    LAYERS.iter().flat_map(|(.., arguments)| *arguments).any(|argument| argument.name == name)
}

/// Takes keyword arguments from the table of a layer.
pub fn take_arguments(fields: &mut Fields<'_>, arguments: &[Argument]) -> Result<Vec<Arg>> {
    let given = arguments.iter().filter_map(|argument| Some((argument, fields.take(argument.name)?)));
    given.map(|(argument, field)| (argument.read)(&field)).collect()
}

/// Reads `arg_scope`: a table, or a list of tables, each nested in the one before it.
pub fn arg_scope(field: &Field<'_>) -> Result<Vec<Defaults>> {
    match field.as_list() {
        Some(tables) => tables.iter().map(defaults).collect(),
        None => Ok(vec![defaults(field)?]),
    }
}

/// Reads `{ of = ["conv2d", "max_pool2d"], stride = 1, padding = "SAME" }`.
fn defaults(field: &Field<'_>) -> Result<Defaults> {
    let example = "a table such as { of = [\"conv2d\"], stride = 1 }";
    let mut fields = field.table(example, ("arg_scope", "key"))?;
    let of = fields.require("of")?;
    let mut layers = vec![];
    for name in of.list("a list of layers, such as [\"conv2d\"]")? {
        let word = name.text()?;
        match LAYERS.iter().find(|(known, ..)| *known == word) {
            Some(layer) => layers.push(layer),
            None => {
                let error =
                    name.error(format!("there is no layer \"{}\" with defaults", word.escape_debug()));
                return Err(crate::suggestion::suggesting(
                    error,
                    word,
                    LAYERS.iter().map(|(known, ..)| *known),
                ));
            }
        }
    }
    if layers.is_empty() {
        return Err(of.error("arg_scope names no layer"));
    }
    let fields = fields.take_all();
    let mut given = vec![];
    for field in &fields {
        // In TOML, the keys after the header of a table belong to that table.
        if ["name", "scope", "image_size", "options", "layers"].contains(&field.key.as_str()) {
            let error = field.error(format!("arg_scope has no key \"{}\"", field.key));
            return Err(error.advice("put the keys of the network before the first [[arg_scope]]"));
        }
        let argument =
            |arguments: &'static [Argument]| arguments.iter().find(|argument| argument.name == field.key);
        if let Some((layer, _, arguments)) = layers.iter().find(|(.., known)| argument(known).is_none()) {
            return Err(field.unknown_key(layer, "argument", arguments.iter().map(|argument| argument.name)));
        }
        given.extend(argument(layers[0].2).map(|argument| (argument, field)));
    }
    let args = given.into_iter().map(|(argument, field)| (argument.read)(field)).collect::<Result<_>>()?;
    Ok(Defaults { layers: layers.into_iter().map(|(_, layer, _)| *layer).collect(), args })
}
