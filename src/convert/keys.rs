//! The keys of a signature as names of a model's inputs and outputs: programs that call the model know them.
//!
//! tf2onnx does the same where the tensors are not named by the user (`tf2onnx.tf_loader.from_saved_model`).

use hashbrown::{HashMap, HashSet};

use super::rename::{Aliases, Names};
use super::signature::{Signature, tensor_of_key};
use super::{ConvertOptions, Note, NoteKind};
use crate::onnx::{Model, Node, TensorInfo};

/// The keys that become the names of the model's inputs and outputs, each with its tensor: those of the signature, unless
/// the options name tensors or ask for TensorFlow's names.
pub(super) fn wanted(signature: Option<&Signature>, options: &ConvertOptions) -> Aliases {
    let Some(signature) = signature.filter(|signature| signature.is_meant && !options.tensor_names) else {
        return Aliases::default();
    };
    // In an option, a key that is also the name of a node means that node.
    let chosen = |given: &[String], all: &Names, keys: &Names| match given {
        [] => all.clone(),
        given => {
            let named = |name: &String| Some((name.clone(), tensor_of_key(keys, name)?.to_owned()));
            given.iter().filter_map(named).collect()
        }
    };
    Aliases {
        inputs: chosen(&options.inputs, &signature.all_keys.inputs, &signature.keys.inputs),
        outputs: chosen(&options.outputs, &signature.all_keys.outputs, &signature.names_of_outputs()),
    }
}

/// The names of the inputs and outputs. An output may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    pub inputs: Vec<(String, String)>,
    pub outputs: Vec<(String, Vec<String>)>,
    /// Keys that did not become names.
    pub notes: Vec<Note>,
}

impl Called {
    /// The names of these tensors by these keys. No two inputs or outputs have the same name.
    pub fn new(inputs: &[String], outputs: &[String], keys: &Aliases) -> Self {
        let is_usable = |key: &str| !key.is_empty() && !key.chars().any(char::is_control);
        let wanted = |tensors: &[String], keys: &Names| -> Vec<Vec<String>> {
            let mut of_tensors: HashMap<&str, Vec<String>> = HashMap::new();
            for (key, tensor) in keys.iter().filter(|(key, _)| is_usable(key)) {
                of_tensors.entry(tensor).or_default().push(key.clone());
            }
            let of = |tensor: &String| of_tensors.get(tensor.as_str()).cloned().unwrap_or_default();
            tensors.iter().map(of).collect()
        };
        let (wanted_inputs, wanted_outputs) = (wanted(inputs, &keys.inputs), wanted(outputs, &keys.outputs));
        // A tensor without a key keeps its own name, and nothing else gets that name.
        let keyless = |tensors: &[String], wanted: &[Vec<String>]| -> Vec<String> {
            let keyless = tensors.iter().zip(wanted).filter(|(_, keys)| keys.is_empty());
            keyless.map(|(tensor, _)| tensor.clone()).collect()
        };
        let mut taken: HashSet<String> = keyless(inputs, &wanted_inputs).into_iter().collect();
        taken.extend(keyless(outputs, &wanted_outputs));
        let mut called = Self { inputs: vec![], outputs: vec![], notes: vec![] };
        for (tensor, keys) in inputs.iter().zip(wanted_inputs) {
            let mut free = keys.iter().filter(|key| !taken.contains(*key));
            let name = free.next().unwrap_or(tensor).clone();
            for other in keys.iter().filter(|key| **key != name) {
                let text = format!("the input {other} of the signature is called {name} in the model");
                called.notes.push(Note::info(NoteKind::Names, text).about(&name));
            }
            taken.insert(name.clone());
            called.inputs.push((tensor.clone(), name));
        }
        for (tensor, keys) in outputs.iter().zip(wanted_outputs) {
            let (free, others): (Vec<String>, Vec<String>) =
                keys.into_iter().partition(|key| !taken.contains(key));
            let names = if free.is_empty() { vec![tensor.clone()] } else { free };
            for other in others {
                let text = format!(
                    "the output {other} of the signature is called {} in the model, where {other} is the name of another \
                     tensor",
                    names[0]
                );
                called.notes.push(Note::info(NoteKind::Names, text).about(&names[0]));
            }
            taken.extend(names.iter().cloned());
            called.outputs.push((tensor.clone(), names));
        }
        called
    }

    /// Gives the inputs and outputs of a model these names.
    pub fn apply(&self, model: &mut Model) {
        let mut outputs: Vec<TensorInfo> = vec![];
        let input_names: HashSet<&str> = self.inputs.iter().map(|(tensor, _)| tensor.as_str()).collect();
        let mut names: HashMap<String, String> =
            self.inputs.iter().filter(|(tensor, name)| tensor != name).cloned().collect();
        // A value has one name. For each other name, an Identity copies it.
        let mut copies: Vec<(String, String)> = vec![];
        for (info, (tensor, called)) in std::mem::take(&mut model.outputs).into_iter().zip(&self.outputs) {
            let is_input = input_names.contains(tensor.as_str());
            for (index, name) in called.iter().enumerate() {
                outputs.push(TensorInfo { name: name.clone(), ..info.clone() });
                match index {
                    0 if name == tensor && !names.contains_key(tensor) => {}
                    0 if !is_input => drop(names.insert(tensor.clone(), name.clone())),
                    _ => copies.push((tensor.clone(), name.clone())),
                }
            }
        }
        if names.is_empty() && copies.is_empty() {
            model.outputs = outputs;
            return;
        }
        let renamed = outputs.iter().map(|info| &info.name).chain(self.inputs.iter().map(|(_, name)| name));
        let interface: HashSet<String> = renamed.cloned().collect();
        let inner: Vec<(String, String)> = {
            let known = model.value_names();
            let new: HashSet<&String> = names.values().chain(copies.iter().map(|(_, new)| new)).collect();
            let is_in_the_way = |name: &&String| {
                known.contains(name.as_str()) && !names.contains_key(*name) && new.contains(name)
            };
            let free = |name: &String| {
                let mut free = format!("{name}/value");
                while known.contains(free.as_str()) || interface.contains(free.as_str()) {
                    free.push('_');
                }
                (name.clone(), free)
            };
            interface.iter().filter(is_in_the_way).map(free).collect()
        };
        names.extend(inner);
        model.rename_values(&names);
        model.outputs = outputs;
        let mut node_names: HashSet<String> = match copies[..] {
            [] => HashSet::new(),
            _ => model.nodes.iter().map(|node| node.name.clone()).collect(),
        };
        for (tensor, name) in copies {
            let mut node = name.clone();
            while !node_names.insert(node.clone()) {
                node.push('_');
            }
            let input = names.get(&tensor).unwrap_or(&tensor).clone();
            let (inputs, outputs) = (vec![input], vec![name]);
            model.nodes.push(Node {
                name: node,
                op: "Identity".into(),
                domain: "".into(),
                inputs,
                outputs,
                attributes: vec![],
            });
        }
    }

    /// These inputs and outputs with their new names.
    pub fn infos(&self, inputs: &[TensorInfo], outputs: &[TensorInfo]) -> (Vec<TensorInfo>, Vec<TensorInfo>) {
        let under = |info: &TensorInfo, name: &String| TensorInfo { name: name.clone(), ..info.clone() };
        let inputs = inputs.iter().zip(&self.inputs).map(|(info, (_, name))| under(info, name));
        let outputs = outputs.iter().zip(&self.outputs);
        let outputs = outputs.flat_map(|(info, (_, names))| names.iter().map(|name| under(info, name)));
        (inputs.collect(), outputs.collect())
    }

    /// The tensor and the name of each output; one that has several names is there several times.
    pub fn outputs_by_name(&self) -> Names {
        let named =
            self.outputs.iter().flat_map(|(tensor, names)| names.iter().map(move |name| (tensor, name)));
        named.map(|(tensor, name)| (tensor.clone(), name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn names(names: &[(&str, &str)]) -> Names {
        names.iter().map(|&(key, tensor)| (key.to_owned(), tensor.to_owned())).collect()
    }

    fn node(op: &'static str, input: &str, output: &str) -> Node {
        let (inputs, outputs) = (texts(&[input]), texts(&[output]));
        Node {
            name: output.to_owned(),
            op: op.into(),
            domain: "".into(),
            inputs,
            outputs,
            attributes: vec![],
        }
    }

    /// A model of x:0 whose nodes each read the one before, with these outputs, called by these keys: its inputs, outputs,
    /// and what each node reads and computes.
    fn called(outputs: &[&str], inner: &[&str], keys: &Aliases) -> (Vec<String>, Vec<String>, Names, usize) {
        let info = |name: &&str| TensorInfo { name: (*name).to_owned(), dtype: DType::Float32, shape: None };
        let mut nodes = vec![];
        let mut last = "x:0";
        for name in inner {
            nodes.push(node("Relu", last, name));
            last = name;
        }
        let outputs_of_model = outputs.iter().map(info).collect();
        let mut model =
            Model { inputs: vec![info(&"x:0")], outputs: outputs_of_model, nodes, ..Model::default() };
        let called = Called::new(&texts(&["x:0"]), &texts(outputs), keys);
        called.apply(&mut model);
        let of = |infos: &[TensorInfo]| infos.iter().map(|info| info.name.clone()).collect();
        let edges = model.nodes.iter().map(|node| (node.inputs[0].clone(), node.outputs[0].clone()));
        (of(&model.inputs), of(&model.outputs), edges.collect(), called.notes.len())
    }

    #[test]
    fn inputs_and_outputs_are_called_by_their_keys() {
        let keys = Aliases { inputs: names(&[("image", "x:0")]), outputs: names(&[("note", "y:0")]) };
        let (inputs, outputs, edges, notes) = called(&["y:0", "z:0"], &["y:0", "z:0"], &keys);
        assert_eq!((inputs, outputs, notes), (texts(&["image"]), texts(&["note", "z:0"]), 0));
        assert_eq!(edges, names(&[("image", "note"), ("note", "z:0")]));
    }

    #[test]
    fn a_tensor_of_two_keys_is_an_output_under_both() {
        let keys = Aliases { inputs: vec![], outputs: names(&[("a", "y:0"), ("b", "y:0")]) };
        let (_, outputs, edges, _) = called(&["y:0"], &["y:0"], &keys);
        assert_eq!(outputs, ["a", "b"]);
        assert_eq!(edges, names(&[("x:0", "a"), ("a", "b")]));
    }

    #[test]
    fn an_input_that_is_an_output_is_copied() {
        let keys = Aliases { inputs: names(&[("image", "x:0")]), outputs: names(&[("copy", "x:0")]) };
        let (inputs, outputs, edges, _) = called(&["x:0"], &[], &keys);
        assert_eq!(
            (inputs, outputs, edges),
            (texts(&["image"]), texts(&["copy"]), names(&[("image", "copy")]))
        );
    }

    #[test]
    fn an_input_that_is_an_output_without_a_key_is_copied_under_its_tensors_name() {
        let keys = Aliases { inputs: names(&[("image", "x:0")]), outputs: vec![] };
        let (inputs, outputs, edges, _) = called(&["x:0"], &[], &keys);
        assert_eq!(
            (inputs, outputs, edges),
            (texts(&["image"]), texts(&["x:0"]), names(&[("image", "x:0")]))
        );
        let (inputs, outputs, edges, _) = called(&["x:0"], &[], &Aliases::default());
        assert_eq!((inputs, outputs, edges), (texts(&["x:0"]), texts(&["x:0"]), vec![]));
    }

    #[test]
    fn a_key_that_is_the_name_of_another_tensor_is_the_outputs_name() {
        let keys = Aliases { inputs: vec![], outputs: names(&[("y:0", "z:0")]) };
        let (_, outputs, edges, _) = called(&["z:0"], &["y:0", "z:0"], &keys);
        assert_eq!(outputs, ["y:0"]);
        assert_eq!(edges, names(&[("x:0", "y:0/value"), ("y:0/value", "y:0")]));
        // Two outputs change places.
        let keys = Aliases { inputs: vec![], outputs: names(&[("y:0", "z:0"), ("z:0", "y:0")]) };
        let (_, outputs, edges, _) = called(&["y:0", "z:0"], &["y:0", "z:0"], &keys);
        assert_eq!((outputs, edges), (texts(&["z:0", "y:0"]), names(&[("x:0", "z:0"), ("z:0", "y:0")])));
    }

    #[test]
    fn a_key_of_both_sides_is_the_inputs_name() {
        let keys = Aliases { inputs: names(&[("data", "x:0")]), outputs: names(&[("data", "y:0")]) };
        let (inputs, outputs, _, notes) = called(&["y:0"], &["y:0"], &keys);
        assert_eq!((inputs, outputs, notes), (texts(&["data"]), texts(&["y:0"]), 1));
        // A tensor without a key keeps its name, even if it is the key of another.
        let keys = Aliases { inputs: vec![], outputs: names(&[("z:0", "y:0")]) };
        let (_, outputs, _, notes) = called(&["y:0", "z:0"], &["y:0", "z:0"], &keys);
        assert_eq!((outputs, notes), (texts(&["y:0", "z:0"]), 1));
    }
}
