//! The functions of a SavedModel's root object.

use hashbrown::HashSet;

use crate::graph::node_def::functions;
use crate::proto::attr_value::Value;
use crate::proto::op_def::ArgDef;
use crate::proto::saved_object::Kind as ObjectKind;
use crate::proto::structured_value::Kind;
use crate::proto::{
    FunctionDef, MetaGraphDef, SavedConcreteFunction, SavedFunction, StructuredValue, TensorShapeProto,
};

/// The most functions and settings that are looked at: a damaged file may list one again and again.
const MOST_FUNCTIONS: usize = 1 << 10;
const MOST_SETTINGS: usize = 1 << 5;

/// A function that `tf.function` traced for arguments of one kind.
pub struct ObjectFunction<'a> {
    /// The name of the method, and the number of the trace if there are several: `__call__:1`.
    pub name: String,
    /// The name of the method.
    pub method: &'a str,
    /// The number of the trace.
    index: usize,
    /// What it captures and returns.
    pub saved: &'a SavedConcreteFunction,
    /// Its definition. The captured tensors are its last arguments.
    pub definition: &'a FunctionDef,
    /// What the method is called with that is not a tensor: `training=False`.
    pub settings: Vec<String>,
}

/// An argument or a result of a function.
pub struct FunctionTensor {
    /// Its name: that of a Python argument or the key of a returned dictionary, or else of a tensor as `Identity:0`.
    pub name: String,
    /// The number of its type.
    pub dtype: i32,
    /// Its shape.
    pub shape: TensorShapeProto,
}

impl<'a> ObjectFunction<'a> {
    /// The functions, in the order in which the model lists them.
    pub fn all(meta: &'a MetaGraphDef) -> Vec<Self> {
        let Some(objects) = &meta.object_graph_def else { return vec![] };
        let Some(root) = objects.nodes.first() else { return vec![] };
        let definitions = meta.graph_def.as_ref().map(functions).unwrap_or_default();
        let methods = root.children.iter().filter_map(|child| {
            match objects.nodes.get(usize::try_from(child.node_id).ok()?)?.kind.as_ref()? {
                ObjectKind::Function(function) => Some((child.local_name.as_str(), function)),
                _ => None,
            }
        });
        let traces = methods.flat_map(|(method, function)| {
            let several = function.concrete_functions.len() > 1;
            function.concrete_functions.iter().enumerate().map(move |(index, concrete)| {
                let name = if several { format!("{method}:{index}") } else { method.to_owned() };
                (name, method, index, function, concrete)
            })
        });
        let found = traces.take(MOST_FUNCTIONS).filter_map(|(name, method, index, function, concrete)| {
            let saved = objects.concrete_functions.get(concrete)?;
            let definition = *definitions.get(concrete.as_str())?;
            Some(Self { name, method, index, saved, definition, settings: settings(function, saved) })
        });
        found.collect()
    }

    /// Whether a user means this function: the number of the only one is 0.
    pub fn is_called(&self, name: &str) -> bool {
        let numbered = || name.strip_prefix(self.method)?.strip_prefix(':')?.parse().ok();
        self.name == name || numbered() == Some(self.index)
    }

    /// The arguments that are not captured.
    pub fn inputs(&self) -> Vec<FunctionTensor> {
        let arguments = self.definition.signature.iter().flat_map(|signature| &signature.input_arg);
        let given = arguments.clone().count().saturating_sub(self.saved.bound_inputs.len());
        let attribute = |index: usize, name: &str| {
            let attributes = self.definition.arg_attr.get(&u32::try_from(index).ok()?)?;
            attributes.attr.get(name)?.value.as_ref()
        };
        let mut taken = HashSet::new();
        let argument = |(index, argument): (usize, &ArgDef)| {
            // The tensors of one Python argument, such as a dictionary, have one name.
            let name = match attribute(index, "_user_specified_name") {
                Some(Value::S(name)) if !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
                _ => argument.name.clone(),
            };
            let name = if taken.insert(name.clone()) { name } else { argument.name.clone() };
            let shape = match attribute(index, "_output_shapes") {
                Some(Value::List(shapes)) => shapes.shape.first().cloned(),
                _ => None,
            };
            FunctionTensor { name, dtype: argument.r#type, shape: shape.unwrap_or_else(unknown_shape) }
        };
        arguments.take(given).enumerate().map(argument).collect()
    }

    /// The tensors that it returns.
    pub fn outputs(&self) -> Vec<FunctionTensor> {
        let returned = self.saved.output_signature.as_ref().and_then(|value| value.kind.as_ref());
        let keys: Vec<&String> = match returned {
            Some(Kind::DictValue(dict)) => dict.fields.keys().collect(),
            _ => vec![],
        };
        let mut tensors = vec![];
        returned.iter().for_each(|kind| add_tensors(kind, &mut tensors));
        let arguments = self.definition.signature.iter().flat_map(|signature| &signature.output_arg);
        let arguments: Vec<&ArgDef> = arguments.collect();
        // A value of the dictionary may be several tensors, and a value of another type has tensors that are not described.
        let (is_named, is_described) = (keys.len() == arguments.len(), tensors.len() == arguments.len());
        let outputs = arguments.iter().enumerate().map(|(port, argument)| FunctionTensor {
            name: match keys.get(port).filter(|_| is_named) {
                Some(&key) => key.clone(),
                None => returned_tensor(self.definition, &argument.name),
            },
            dtype: argument.r#type,
            shape: tensors.get(port).filter(|_| is_described).cloned().unwrap_or_else(unknown_shape),
        });
        outputs.collect()
    }

    /// Its name, and what its method is called with.
    pub fn described(&self) -> String {
        match &self.settings[..] {
            [] => self.name.clone(),
            settings => format!("{} ({})", self.name, settings.join(", ")),
        }
    }
}

/// The name that TensorFlow gives to a tensor which a function returns, as `Identity:0`.
pub fn returned_tensor(function: &FunctionDef, output: &str) -> String {
    let returned = function.ret.get(output).map_or(output, String::as_str);
    // In a function, it is `node:output:index`.
    match (returned.split(':').next(), returned.rsplit(':').next()) {
        (Some(node), Some(index)) if index.parse::<usize>().is_ok() => format!("{node}:{index}"),
        _ => returned.to_owned(),
    }
}

fn unknown_shape() -> TensorShapeProto {
    TensorShapeProto { unknown_rank: true, ..TensorShapeProto::default() }
}

/// Adds the shapes of the tensors in a value, in the order of `tf.nest.flatten`.
fn add_tensors(kind: &Kind, shapes: &mut Vec<TensorShapeProto>) {
    let values: Vec<&StructuredValue> = match kind {
        Kind::TensorSpecValue(tensor) => {
            shapes.push(tensor.shape.clone().unwrap_or_default());
            return;
        }
        Kind::ListValue(list) => list.values.iter().collect(),
        Kind::TupleValue(tuple) => tuple.values.iter().collect(),
        Kind::DictValue(dict) => dict.fields.values().collect(),
        Kind::NamedTupleValue(tuple) => tuple.values.iter().filter_map(|pair| pair.value.as_ref()).collect(),
        _ => vec![],
    };
    values.into_iter().filter_map(|value| value.kind.as_ref()).for_each(|kind| add_tensors(kind, shapes));
}

/// The arguments that are not tensors, as Python has them.
fn settings(function: &SavedFunction, saved: &SavedConcreteFunction) -> Vec<String> {
    let specification = function.function_spec.as_ref().and_then(|spec| spec.fullargspec.as_ref());
    let names = match specification.and_then(|value| value.kind.as_ref()) {
        Some(Kind::NamedTupleValue(parts)) => {
            values(parts.values.iter().find(|part| part.key == "args").and_then(|part| part.value.as_ref()))
        }
        _ => &[],
    };
    // `self` is among the names of some versions, and never among the values.
    let names = names.iter().filter_map(|name| match name.kind.as_ref()? {
        Kind::StringValue(name) if name != "self" => Some(name),
        _ => None,
    });
    // The arguments by position, then those by name.
    let canonical = values(saved.canonicalized_input_signature.as_ref());
    let positional = names.zip(values(canonical.first()));
    let by_name = match canonical.get(1).and_then(|value| value.kind.as_ref()) {
        Some(Kind::DictValue(dict)) => Some(&dict.fields),
        _ => None,
    };
    let all = positional.chain(by_name.into_iter().flatten());
    let settings = all.filter_map(|(name, value)| Some(format!("{name}={}", python_text(value)?)));
    settings.take(MOST_SETTINGS).collect()
}

/// The values of a list or tuple.
fn values(value: Option<&StructuredValue>) -> &[StructuredValue] {
    match value.and_then(|value| value.kind.as_ref()) {
        Some(Kind::TupleValue(tuple)) => &tuple.values,
        Some(Kind::ListValue(list)) => &list.values,
        _ => &[],
    }
}

fn python_text(value: &StructuredValue) -> Option<String> {
    match value.kind.as_ref()? {
        Kind::BoolValue(value) => Some(if *value { "True" } else { "False" }.to_owned()),
        Kind::Int64Value(value) => Some(value.to_string()),
        Kind::Float64Value(value) => Some(value.to_string()),
        Kind::StringValue(value) => Some(format!("'{value}'")),
        _ => None,
    }
}
