//! Signatures of a SavedModel: which one is used, and its names for tensors.

use hashbrown::HashMap;

use super::interface::is_in;
use super::object_functions::{ObjectFunction, returned_tensor};
use super::rename::{Aliases, Names, tensor_called};
use super::{ConvertOptions, FrozenPlaceholder, InputShape, Note, NoteKind};
use crate::error::{Error, Result};
use crate::graph::node_def::functions;
use crate::proto::attr_value::Value;
use crate::proto::{NodeDef, SignatureDef, TensorInfo, tensor_info};
use crate::setting::Setting;
use crate::source::GraphFile;
use crate::suggestion::{first_of, suggesting};

/// The signatures that a server calls, if there are several (`signature_constants.py`; TF-Hub's is "default").
const SERVING_SIGNATURES: [&str; 2] = ["serving_default", "default"];

/// Names of signatures for loading a SavedModel, not for calling it
/// (`tensorflow/cc/saved_model/constants.h`).
const LOADERS_SIGNATURES: [&str; 2] = ["__saved_model_init_op", "__saved_model_train_op"];

/// How many alternatives a note lists.
const LISTED: usize = 8;

/// Whether a signature is for calling the model.
pub fn is_callable(name: &str, signature: &SignatureDef) -> bool {
    !signature.outputs.is_empty() && !LOADERS_SIGNATURES.contains(&name)
}

/// The signature of a graph that is used.
#[derive(Debug)]
pub(super) struct Signature {
    pub name: String,
    /// Whether it sets the inputs and outputs of the model; otherwise only its keys are used, as names of tensors.
    pub is_called: bool,
    /// The tensors that are its inputs and outputs, in the order of their keys.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// Its keys that are not names of nodes.
    pub keys: Aliases,
    /// All of its keys.
    pub all_keys: Aliases,
    /// The names that its outputs have in the function that computes them, where no node has the name: tf2onnx takes them.
    returned: Names,
    /// Whether it was chosen for a reason, and not only because it is the first of several.
    pub is_meant: bool,
}

impl Signature {
    /// The signature that the options name, or the one that a server calls.
    ///
    /// # Errors
    /// If the graph has no signature of that name.
    pub fn choose(
        file: &GraphFile,
        options: &ConvertOptions,
        nodes: &HashMap<&str, &NodeDef>,
        notes: &mut Vec<Note>,
    ) -> Result<Option<Self>> {
        let signatures = &file.meta().signature_def;
        let callable = signatures.iter().filter(|(name, signature)| is_callable(name, signature));
        let mut usable: Vec<&str> = callable.map(|(name, _)| name.as_str()).collect();
        usable.sort_unstable();
        let is_called = options.signature.is_some() || options.outputs.is_empty();
        let chosen = match &options.signature {
            Some(name) if signatures.contains_key(name) => Some(name.as_str()),
            Some(name) => {
                let error = Error::file(file.path(), format!("it has no signature \"{name}\""));
                let functions = ObjectFunction::all(file.meta());
                let functions = functions.iter().map(|function| function.name.as_str());
                let functions = functions.filter(|name| !usable.contains(name));
                let known: Vec<&str> = usable.iter().copied().chain(functions).collect();
                return Err(match known.is_empty() {
                    true => {
                        error.advice(format!("it has none at all: choose outputs with {}", Setting::Outputs))
                    }
                    false => suggesting(error, name, known),
                });
            }
            None => match SERVING_SIGNATURES.into_iter().find(|serving| usable.contains(serving)) {
                Some(serving) => Some(serving),
                None => {
                    if let ([first, _, ..], true) = (&usable[..], is_called) {
                        let all: Vec<String> = usable.iter().map(|&name| name.to_owned()).collect();
                        let all = first_of(&all, LISTED);
                        let text = format!(
                            "of the signatures {all}, {first} is used; choose with {}",
                            Setting::Signature
                        );
                        notes.push(Note::info(NoteKind::Signature, text).about(*first));
                    }
                    usable.first().copied()
                }
            },
        };
        Ok(chosen.map(|name| {
            let [inputs, outputs] = [&signatures[name].inputs, &signatures[name].outputs].map(by_key);
            let tensors = |names: &Names| names.iter().map(|(_, tensor)| tensor.clone()).collect();
            let (inputs_in_order, outputs_in_order) = (tensors(&inputs), tensors(&outputs));
            let all_keys = Aliases { inputs: inputs.clone(), outputs: outputs.clone() };
            let returned = match options.outputs[..] {
                [] => vec![],
                _ => returned_names(file, &outputs, nodes),
            };
            let is_meant = is_called || usable.len() == 1 || SERVING_SIGNATURES.contains(&name);
            let [inputs, outputs] = [inputs, outputs].map(|mut names| {
                names.retain(|(key, _)| !is_in(nodes, key));
                names
            });
            Self {
                name: name.to_owned(),
                is_called,
                inputs: inputs_in_order,
                outputs: outputs_in_order,
                keys: Aliases { inputs, outputs },
                all_keys,
                returned,
                is_meant,
            }
        }))
    }

    /// The names by which an option may name an output.
    pub fn names_of_outputs(&self) -> Names {
        [&self.keys.outputs[..], &self.returned].concat()
    }

    /// The options with tensors instead of keys.
    pub fn in_tensors(&self, options: &ConvertOptions) -> ConvertOptions {
        let (inputs, outputs) = (&self.keys.inputs, &self.names_of_outputs());
        let tensor = |keys: &Names, name: &str| tensor_of_key(keys, name).unwrap_or(name).to_owned();
        let tensors = |keys: &Names, names: &[String]| names.iter().map(|name| tensor(keys, name)).collect();
        let shape =
            |given: &InputShape| InputShape { tensor: tensor(inputs, &given.tensor), ..given.clone() };
        let frozen = |given: &FrozenPlaceholder| FrozenPlaceholder {
            name: tensor(inputs, &given.name),
            ..given.clone()
        };
        ConvertOptions {
            inputs: tensors(inputs, &options.inputs),
            outputs: tensors(outputs, &options.outputs),
            shapes: options.shapes.iter().map(shape).collect(),
            freeze: options.freeze.iter().map(frozen).collect(),
            use_default: tensors(inputs, &options.use_default),
            ignore_default: tensors(inputs, &options.ignore_default),
            inputs_as_nchw: tensors(inputs, &options.inputs_as_nchw),
            outputs_as_nchw: tensors(outputs, &options.outputs_as_nchw),
            ..options.clone()
        }
    }
}

/// The tensor of a key. TensorFlow calls the tensor of an input after its key when it loads a SavedModel (`images:0`), and tf2onnx
/// takes that name.
pub(super) fn tensor_of_key<'n>(keys: &'n Names, name: &str) -> Option<&'n str> {
    tensor_called(keys, name).or_else(|| tensor_called(keys, name.strip_suffix(":0")?))
}

/// The names that functions give to tensors which the graph's calls of them return: `Identity:0`.
fn returned_names(file: &GraphFile, outputs: &Names, nodes: &HashMap<&str, &NodeDef>) -> Names {
    let functions = functions(file.definition());
    let returned = |tensor: &str| {
        let (node, port) = tensor.rsplit_once(':')?;
        let Some(Value::Func(called)) = nodes.get(node)?.attr.get("f")?.value.as_ref() else { return None };
        let function = *functions.get(called.name.as_str())?;
        let output = function.signature.as_ref()?.output_arg.get(port.parse::<usize>().ok()?)?;
        Some(returned_tensor(function, &output.name)).filter(|name| !is_in(nodes, name))
    };
    outputs.iter().filter_map(|(_, tensor)| Some((returned(tensor)?, tensor.clone()))).collect()
}

/// The keys and tensors of a signature's inputs or outputs, sorted by key. A tensor of a composite type has no name.
fn by_key(parts: &std::collections::BTreeMap<String, TensorInfo>) -> Names {
    let named = parts.iter().filter_map(|(key, info)| match info.encoding.as_ref()? {
        tensor_info::Encoding::Name(name) => Some((key.clone(), name.clone())),
        _ => None,
    });
    let mut named: Names = named.collect();
    named.sort_unstable();
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loads_a_saved_model_is_not_called() {
        let signature = |name: &str| {
            let outputs = [(name.to_owned(), TensorInfo::default())].into();
            SignatureDef { outputs, ..SignatureDef::default() }
        };
        assert!(is_callable("f", &signature("y")));
        assert!(!is_callable("__saved_model_init_op", &signature("__saved_model_init_op")));
        assert!(!is_callable("f", &SignatureDef::default()));
    }

    #[test]
    fn keys_stand_for_tensors_of_their_side() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let options = ConvertOptions {
            outputs: texts(&["scores", "image", "Other:0", "Identity:0"]),
            shapes: ["image=1,2", "scores=3"].map(|text| InputShape::parse(text).unwrap()).to_vec(),
            inputs_as_nchw: texts(&["image"]),
            ..ConvertOptions::default()
        };
        let names = |names: &[(&str, &str)]| {
            names.iter().map(|&(key, tensor)| (key.to_owned(), tensor.to_owned())).collect()
        };
        let signature = Signature {
            name: "serving_default".to_owned(),
            is_called: true,
            inputs: vec![],
            outputs: vec![],
            keys: Aliases {
                inputs: names(&[("image", "serving_default_image:0")]),
                outputs: names(&[("image", "Call:0"), ("scores", "Call:1")]),
            },
            all_keys: Aliases::default(),
            returned: names(&[("Identity:0", "Call:0")]),
            is_meant: true,
        };
        let translated = signature.in_tensors(&options);
        assert_eq!(translated.outputs, ["Call:1", "Call:0", "Other:0", "Call:0"]);
        let shapes = ["serving_default_image:0=1,2", "scores=3"];
        assert_eq!(translated.shapes, shapes.map(|text| InputShape::parse(text).unwrap()));
        assert_eq!(translated.inputs_as_nchw, ["serving_default_image:0"]);
    }
}
