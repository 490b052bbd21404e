//! The placeholders of a graph: which are frozen, which keep their defaults, and the shapes of the others.

use hashbrown::{HashMap, HashSet};

use super::deciders::scalar_deciders;
use super::decoders::is_decoder;
use super::input_shape::set_image_size;
use super::interface::{no_tensor, node_name};
use super::{ConvertOptions, FrozenPlaceholder, Note, NoteKind};
use crate::error::{Error, Result};
use crate::graph::node_def::{data_inputs, declared_shape, declared_type, past_identities};
use crate::graph::{Shape, is_placeholder};
use crate::proto::NodeDef;
use crate::setting::Setting;
use crate::suggestion::suggesting_and_listing;
use crate::tensor::{Constant, DType};

/// Names of placeholders that switch between training and inference.
const TRAINING_FLAGS: [&str; 8] = [
    "is_training",
    "training",
    "is_train",
    "train",
    "phase_train",
    "train_phase",
    "phase",
    "keras_learning_phase",
];

/// The values of placeholders that become constants.
pub(super) fn frozen(
    nodes: &HashMap<&str, &NodeDef>,
    options: &ConvertOptions,
    defaults: &HashMap<String, bool>,
    notes: &mut Vec<Note>,
) -> Result<HashMap<String, Constant>> {
    let mut values = HashMap::new();
    for given in &options.freeze {
        let node = nodes.get(node_name(&given.name)).ok_or_else(|| no_placeholder(given, nodes))?;
        if is_decoder(&node.op) {
            continue;
        }
        let value = parse_value(given, declared_type(node))?;
        if values.insert(node.name.clone(), value).is_some() {
            return Err(Error::new(given.setting(), format!("{} has two values", node.name)));
        }
    }
    let given: HashSet<&str> = options.inputs.iter().map(|name| node_name(name)).collect();
    for node in nodes.values().filter(|node| is_placeholder(&node.op)) {
        let last = node.name.rsplit('/').next().unwrap_or_default();
        let is_flag = declared_type(node) == Some(DType::Bool) && TRAINING_FLAGS.contains(&last);
        let is_settled = defaults.contains_key(&node.name) || values.contains_key(&node.name);
        if is_flag && !given.contains(node.name.as_str()) && !is_settled {
            let no = Constant::from_bools(vec![], &[false]);
            values.insert(node.name.clone(), no);
            let text = format!("{} is false, as it is for inference", node.name);
            notes.push(Note::info(NoteKind::Inputs, text).about(&node.name));
        }
    }
    Ok(values)
}

/// The error for a placeholder that the graph does not have, with those that can be frozen.
fn no_placeholder(given: &FrozenPlaceholder, nodes: &HashMap<&str, &NodeDef>) -> Error {
    let is_frozen = |dtype| matches!(dtype, DType::Bool | DType::Int32 | DType::Int64 | DType::Float32);
    let mut placeholders: Vec<&str> = nodes
        .values()
        .filter(|node| is_placeholder(&node.op) && declared_type(node).is_some_and(is_frozen))
        .map(|node| node.name.as_str())
        .collect();
    placeholders.sort_unstable();
    let name = &given.name;
    let error = Error::new(given.setting(), format!("the graph has no placeholder \"{name}\""));
    match placeholders.is_empty() {
        true => error.advice("it has none that could be frozen"),
        false => suggesting_and_listing(error, node_name(name), "its placeholders", placeholders),
    }
}

fn parse_value(given: &FrozenPlaceholder, dtype: Option<DType>) -> Result<Constant> {
    let text = given.value.as_str();
    let wrong = |what: &str| Error::new(given.setting(), format!("\"{text}\" is not {what}"));
    let items: Vec<&str> = text.trim_matches(['[', ']']).split(',').map(str::trim).collect();
    let shape = if items.len() == 1 && !text.starts_with('[') { vec![] } else { vec![items.len()] };
    fn all<T: std::str::FromStr>(items: &[&str]) -> Option<Vec<T>> {
        items.iter().map(|item| item.parse().ok()).collect()
    }
    match dtype {
        Some(DType::Bool) => {
            let flag = |item: &&str| match item.to_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            };
            let flags: Option<Vec<bool>> = items.iter().map(flag).collect();
            Ok(Constant::from_bools(shape, &flags.ok_or_else(|| wrong("true or false"))?))
        }
        Some(DType::Int32) => Ok(Constant::from_i32(shape, &all(&items).ok_or_else(|| wrong("an integer"))?)),
        Some(DType::Int64) => Ok(Constant::from_i64(shape, &all(&items).ok_or_else(|| wrong("an integer"))?)),
        Some(DType::Float32) => Ok(Constant::from_f32(shape, &all(&items).ok_or_else(|| wrong("a number"))?)),
        _ => Err(wrong("a value for it: only placeholders of bool, int32, int64 and float32 can be frozen")),
    }
}

/// The shapes of inputs that the options set.
pub(super) fn shapes(
    nodes: &HashMap<&str, &NodeDef>,
    inputs: &[String],
    options: &ConvertOptions,
    notes: &mut Vec<Note>,
) -> Result<HashMap<String, Shape>> {
    let mut shapes = HashMap::new();
    let is_input =
        |node: &NodeDef| inputs.is_empty() || inputs.iter().any(|name| node_name(name) == node.name);
    for node in nodes.values().filter(|node| is_placeholder(&node.op) && is_input(node)) {
        let Some(mut dims) = declared_shape(node).and_then(|shape| shape.dims().map(<[_]>::to_vec)) else {
            continue;
        };
        let before = dims.clone();
        if let (Some(batch), Some(first @ None)) = (options.batch_size, dims.first_mut()) {
            *first = Some(batch);
        }
        if let Some(size) = options.image_size {
            // The shape of an input counts more than the size of all images.
            if !options.shapes.iter().any(|given| given.node() == node.name) {
                set_image_size(&node.name, &mut dims, size)?;
            }
        }
        if dims != before {
            shapes.insert(node.name.clone(), Shape::new(dims));
        }
    }
    for name in scalar_deciders(nodes) {
        shapes.insert(name.to_owned(), Shape::scalar());
    }
    for given in &options.shapes {
        // The shapes of other tensors are set where the graph is cut.
        let Some(node) = nodes.get(given.node()).filter(|node| is_placeholder(&node.op)) else { continue };
        if let Some(declared) =
            declared_shape(node).filter(|declared| !declared.is_compatible_with(&given.shape))
        {
            let text = format!(
                "the graph declares {} as {declared}; its shape is {} now, as {} says",
                node.name,
                given.shape,
                Setting::Shape
            );
            notes.push(Note::info(NoteKind::Shapes, text).about(&node.name));
        }
        shapes.insert(given.node().to_owned(), given.shape.clone());
    }
    Ok(shapes)
}

/// Which placeholders use their default (`true`), and which are inputs without it (`false`).
pub(super) fn defaults(
    nodes: &HashMap<&str, &NodeDef>,
    inputs: &[String],
    options: &ConvertOptions,
) -> Result<HashMap<String, bool>> {
    let mut defaults = HashMap::new();
    for (names, is_value) in [(&options.use_default, true), (&options.ignore_default, false)] {
        for name in names {
            let node = nodes.get(node_name(name)).ok_or_else(|| no_tensor(name, nodes.keys().copied()))?;
            if node.op != "PlaceholderWithDefault" {
                return Err(Error::new(format!("\"{name}\""), "it is not a placeholder with a default"));
            }
            defaults.insert(node.name.clone(), is_value);
        }
    }
    // A placeholder that the options name as an input is one, even if it has a default.
    for name in inputs {
        let node = nodes.get(node_name(name)).filter(|node| node.op == "PlaceholderWithDefault");
        if let Some(node) = node.filter(|node| !has_constant_default(nodes, node)) {
            defaults.entry(node.name.clone()).or_insert(false);
        }
    }
    Ok(defaults)
}

/// Whether the default of a placeholder is a constant of the graph.
fn has_constant_default(nodes: &HashMap<&str, &NodeDef>, placeholder: &NodeDef) -> bool {
    let find = |name: &str| nodes.get(name).copied();
    let default = data_inputs(placeholder).next().map(|default| past_identities(default, find).0);
    default.and_then(find).is_some_and(|node| node.op == "Const")
}
