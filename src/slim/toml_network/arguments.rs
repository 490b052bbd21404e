//! slim's keyword arguments: which layers have which, and the syntax of their values.

use super::fields::{Field, Fields};
use super::steps::Defaults;
use crate::error::Result;
use crate::graph::Padding;
use crate::slim::{Activation, Arg, Layer, Normalizer};

/// The layers that use defaults from an arg_scope, with their keyword arguments.
const LAYERS: &[(&str, Layer, &[&str])] = &[
    ("conv2d", Layer::Conv2d, CONVOLUTION),
    ("separable_conv2d", Layer::SeparableConv2d, CONVOLUTION),
    ("fully_connected", Layer::FullyConnected, FULLY_CONNECTED),
    ("max_pool2d", Layer::MaxPool2d, POOLING),
    ("avg_pool2d", Layer::AvgPool2d, POOLING),
    ("batch_norm", Layer::BatchNorm, BATCH_NORM),
];
const CONVOLUTION: &[&str] = &[
    "stride",
    "padding",
    "rate",
    "activation_fn",
    "normalizer_fn",
    "normalizer_params",
    "biases_initializer",
];
const FULLY_CONNECTED: &[&str] =
    &["activation_fn", "normalizer_fn", "normalizer_params", "biases_initializer"];
const POOLING: &[&str] = &["stride", "padding"];
const BATCH_NORM: &[&str] = &["decay", "epsilon", "scale", "center", "activation_fn"];

/// The values of `activation_fn`.
pub const ACTIVATIONS: &[(&str, Option<Activation>)] = &[
    ("relu", Some(Activation::Relu)),
    ("relu6", Some(Activation::Relu6)),
    ("sigmoid", Some(Activation::Sigmoid)),
    ("hard_swish", Some(Activation::HardSwish)),
    ("none", None),
];
const NORMALIZERS: &[(&str, Option<Normalizer>)] =
    &[("batch_norm", Some(Normalizer::BatchNorm)), ("none", None)];
/// The values of `biases_initializer`: whether there are biases.
const BIASES: &[(&str, bool)] = &[("zeros", true), ("none", false)];
const PADDINGS: &[(&str, Padding)] = &[("SAME", Padding::Same), ("VALID", Padding::Valid)];

/// The largest stride, rate or window that is accepted.
pub const MAX_WINDOW: usize = 10_000;

fn argument(field: &Field<'_>) -> Result<Arg> {
    Ok(match field.key.as_str() {
        "stride" => Arg::Stride(field.count(1..=MAX_WINDOW)?),
        "padding" => Arg::Padding(field.choice(PADDINGS)?),
        "rate" => Arg::Rate(field.count(1..=MAX_WINDOW)?),
        "activation_fn" => Arg::ActivationFn(field.choice(ACTIVATIONS)?),
        "normalizer_fn" => Arg::NormalizerFn(field.choice(NORMALIZERS)?),
        "normalizer_params" => {
            let example = "a table such as { epsilon = 1e-5, scale = true }";
            let params = field.table(example, ("batch_norm", "argument"))?;
            Arg::NormalizerParams(layer_arguments(params, "batch_norm")?)
        }
        "biases_initializer" => Arg::BiasesInitializer(field.choice(BIASES)?),
        "decay" => Arg::Decay(field.number()?),
        "epsilon" => match field.number()? {
            epsilon if epsilon >= 0.0 => Arg::Epsilon(epsilon),
            _ => return Err(field.wrong_value("a number that is not negative")),
        },
        "scale" => Arg::Scale(field.flag()?),
        "center" => Arg::Center(field.flag()?),
        _ => return Err(field.unknown_key("slim", "argument", [])),
    })
}

/// The names of a layer's keyword arguments.
fn argument_names(layer: &str) -> &'static [&'static str] {
    LAYERS.iter().find(|(name, ..)| *name == layer).map_or(&[], |(.., names)| names)
}

/// Takes a layer's keyword arguments from its table.
pub fn take_arguments(fields: &mut Fields<'_>, layer: &str) -> Result<Vec<Arg>> {
    argument_names(layer).iter().filter_map(|name| fields.take(name)).map(|field| argument(&field)).collect()
}

/// Reads a table that has a layer's keyword arguments and no other keys.
fn layer_arguments(mut fields: Fields<'_>, layer: &str) -> Result<Vec<Arg>> {
    let args = take_arguments(&mut fields, layer)?;
    fields.finish()?;
    Ok(args)
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
    for field in &fields {
        // In TOML, the keys after the header of a table belong to that table.
        if ["name", "scope", "image_size", "options", "layers"].contains(&field.key.as_str()) {
            let error = field.error(format!("arg_scope has no key \"{}\"", field.key));
            return Err(error.advice("put the keys of the network before the first [[arg_scope]]"));
        }
        if let Some((layer, _, names)) = layers.iter().find(|(.., names)| !names.contains(&&field.key[..])) {
            return Err(field.unknown_key(layer, "argument", names.iter().copied()));
        }
    }
    let args = fields.iter().map(argument).collect::<Result<_>>()?;
    Ok(Defaults { layers: layers.into_iter().map(|(_, layer, _)| *layer).collect(), args })
}
