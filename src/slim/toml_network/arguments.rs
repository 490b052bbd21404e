//! slim's keyword arguments: which layer takes which, and how their values are written.

use super::fields::{Field, Fields};
use super::steps::Defaults;
use crate::error::Result;
use crate::graph::Padding;
use crate::slim::{Activation, Arg, Layer, Normalizer};

/// The layers that take defaults from an arg_scope, with their keyword arguments.
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

/// What `activation_fn` can be.
pub const ACTIVATIONS: &[(&str, Option<Activation>)] = &[
    ("relu", Some(Activation::Relu)),
    ("relu6", Some(Activation::Relu6)),
    ("sigmoid", Some(Activation::Sigmoid)),
    ("hard_swish", Some(Activation::HardSwish)),
    ("none", None),
];
const NORMALIZERS: &[(&str, Option<Normalizer>)] =
    &[("batch_norm", Some(Normalizer::BatchNorm)), ("none", None)];
/// Whether there are biases, which the checkpoint holds.
const BIASES: &[(&str, bool)] = &[("zeros", true), ("none", false)];
const PADDINGS: &[(&str, Padding)] = &[("SAME", Padding::Same), ("VALID", Padding::Valid)];

/// The largest stride, rate or window that is taken for meant.
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

/// The keyword arguments that a layer takes.
fn taken_by(layer: &str) -> &'static [&'static str] {
    LAYERS.iter().find(|(name, ..)| *name == layer).map_or(&[], |(.., takes)| takes)
}

/// Takes a layer's keyword arguments off its table.
pub fn take_arguments(fields: &mut Fields<'_>, layer: &str) -> Result<Vec<Arg>> {
    taken_by(layer).iter().filter_map(|name| fields.take(name)).map(|field| argument(&field)).collect()
}

/// A table that holds a layer's keyword arguments and nothing else.
fn layer_arguments(mut fields: Fields<'_>, layer: &str) -> Result<Vec<Arg>> {
    let args = take_arguments(&mut fields, layer)?;
    fields.finish()?;
    Ok(args)
}

/// `arg_scope`: a table, or a list of tables, the later ones nested in the earlier ones.
pub fn arg_scope(field: &Field<'_>) -> Result<Vec<Defaults>> {
    match field.as_list() {
        Some(tables) => tables.iter().map(defaults).collect(),
        None => Ok(vec![defaults(field)?]),
    }
}

/// `{ of = ["conv2d", "max_pool2d"], stride = 1, padding = "SAME" }`
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
                let error = name.error(format!("no layer \"{}\" takes defaults", word.escape_debug()));
                return Err(crate::suggestion::suggesting(
                    error,
                    word,
                    LAYERS.iter().map(|(known, ..)| *known),
                ));
            }
        }
    }
    if layers.is_empty() {
        return Err(of.error("arg_scope is of no layer"));
    }
    let fields = fields.take_all();
    for field in &fields {
        // TOML counts what follows the header of a table to that table.
        if ["name", "scope", "image_size", "options", "layers"].contains(&field.key.as_str()) {
            let error = field.error(format!("arg_scope has no key \"{}\"", field.key));
            return Err(error.advice("keys of the network stand before the first [[arg_scope]]"));
        }
        if let Some((layer, _, takes)) = layers.iter().find(|(.., takes)| !takes.contains(&&field.key[..])) {
            return Err(field.unknown_key(layer, "argument", takes.iter().copied()));
        }
    }
    let args = fields.iter().map(argument).collect::<Result<_>>()?;
    Ok(Defaults { layers: layers.into_iter().map(|(_, layer, _)| *layer).collect(), args })
}
