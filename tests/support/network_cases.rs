//! Networks with other inputs than images, or with several outputs, as TensorFlow built and ran them.
//!
//! `scripts/make_fixtures/transformers.py` describes the files of a case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Deserialize;
use tempfile::TempDir;
use tf2onnx_rs::graph::{Graph, import::import};
use tf2onnx_rs::model_config::ModelConfig;
use tf2onnx_rs::ops::output_types;
use tf2onnx_rs::proto::GraphDef;
use tf2onnx_rs::slim::recognize::Overrides;
use tf2onnx_rs::slim::{ImageShape, NetworkOption, recognize_and_build};

use super::checkpoint_writer::Variable;
use super::checkpoints::{Format, write};
use super::command::convert;
use super::fill;
use super::npy::{self, Array};
use super::onnx::{Model, execute_arrays, relative_error};
use super::op_cases::{Files, of_archive};
use crate::structure::nodes_for;

/// The largest error allowed, relative to the largest value expected.
const TOLERANCE: f32 = 2e-5;

#[derive(Deserialize)]
pub struct Case {
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    archived: Files,
    network: String,
    pub options: Vec<String>,
    /// The files beside the checkpoint.
    pub files: BTreeMap<String, serde_json::Value>,
    /// Batch, height and width of the images, if it reads any.
    #[serde(default)]
    images: Option<[Option<usize>; 3]>,
    /// The scope of the variables that are scaled, and by which factor.
    #[serde(default)]
    gain: Option<(String, f64)>,
    inputs: Vec<String>,
    /// The names of the outputs, and of their tensors in the definition.
    outputs: Vec<(String, String)>,
    pub variables: Vec<(String, Vec<usize>)>,
}

/// The cases of an archive.
pub fn cases(archive: &str) -> impl Iterator<Item = Case> {
    of_archive(archive).into_iter().map(|(name, archived)| {
        let case: Case = serde_json::from_slice(&archived["case.json"]).unwrap();
        Case { name, archived, ..case }
    })
}

impl Case {
    pub fn load(archive: &str, name: &str) -> Self {
        cases(archive).find(|case| case.name == name).unwrap()
    }

    /// Writes the checkpoint and what belongs beside it.
    pub fn write(&self, folder: &Path) -> PathBuf {
        self.write_as(folder, str::to_owned)
    }

    /// The same, with other names of the variables, but their values.
    pub fn write_as(&self, folder: &Path, name: impl Fn(&str) -> String) -> PathBuf {
        for (name, content) in &self.files {
            std::fs::write(folder.join(name), content.to_string()).unwrap();
        }
        let filled = |(known, shape): &(String, Vec<usize>)| {
            let gain = self.gain.as_ref().filter(|(scope, _)| known.starts_with(scope.as_str()));
            let gain = gain.map_or(1.0, |(_, gain)| *gain);
            Variable::float32(&name(known), shape, fill::variable(known, shape, gain))
        };
        write(folder, &self.variables.iter().map(filled).collect::<Vec<_>>(), Format::V2)
    }

    /// The options that no variable shows.
    fn arguments(&self) -> Vec<String> {
        let options = self.options.iter().map(|option| ["--network-option".to_owned(), option.clone()]);
        let mut arguments: Vec<String> = options.flatten().collect();
        if let Some([batch, Some(height), Some(width)]) = self.images {
            arguments.extend(["--image-size".to_owned(), format!("{height}x{width}")]);
            arguments
                .extend(batch.into_iter().flat_map(|batch| ["--batch-size".to_owned(), batch.to_string()]));
        }
        arguments
    }

    /// Converts a checkpoint of [`Case::write`]. Returns what the program prints, and the model.
    pub fn convert_written(&self, checkpoint: &Path, options: &[&str]) -> (String, PathBuf) {
        let model = checkpoint.with_extension("onnx");
        let own = self.arguments();
        let options: Vec<&str> = own.iter().map(String::as_str).chain(options.iter().copied()).collect();
        (convert(checkpoint, &model, &options).stdout, model)
    }

    pub fn convert(&self, folder: &Path, options: &[&str]) -> (String, PathBuf) {
        self.convert_written(&self.write(folder), options)
    }

    fn output(&self, index: usize) -> Array {
        npy::parse(&self.archived[&format!("o{index}.npy")]).unwrap()
    }

    fn input(&self, index: usize) -> Array {
        if let Some(bytes) = self.archived.get(&format!("i{index}.npy")) {
            return npy::parse(bytes).unwrap();
        }
        let [batch, height, width] = self.images.expect("the other inputs are in the archive");
        let shape = vec![batch.unwrap_or(2), height.unwrap(), width.unwrap(), 3];
        let values = fill::image(&shape).into_iter().map(f64::from).collect();
        Array { descr: "<f4".to_owned(), shape, values }
    }

    /// Runs a model of the case, or of some of its outputs, and compares them with TensorFlow's.
    pub fn assert_computes_the_same(&self, model: &Path) {
        let described = Model::load(model);
        let input = |(name, _): (String, String)| {
            self.input(self.inputs.iter().position(|input| *input == name).expect(&name))
        };
        let inputs: Vec<Array> = described.inputs().into_iter().map(input).collect();
        let results = execute_arrays(model, &inputs);
        for ((shape, got), (output, _)) in results.into_iter().zip(described.outputs()) {
            let index = self.outputs.iter().position(|(name, tensor)| [name, tensor].contains(&&output));
            let index = index.expect(&output);
            let expected = self.output(index);
            assert_eq!(shape, expected.shape, "{} {output}", self.name);
            let expected: Vec<f32> = expected.values.iter().map(|&value| value as f32).collect();
            let error = relative_error(&got, &expected);
            assert!(error <= TOLERANCE, "{} {output}: {error}", self.name);
        }
    }

    /// The names of the outputs, between commas.
    pub fn output_names(&self) -> String {
        self.outputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// Converts the checkpoint, and compares what the model computes.
pub fn assert_computes_the_same(case: &Case) {
    let folder = TempDir::new().unwrap();
    let (_, model) = case.convert(folder.path(), &["--outputs", &case.output_names()]);
    let named = Model::load(&model).inputs().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(named, case.inputs, "{}", case.name);
    case.assert_computes_the_same(&model);
}

/// Compares the rebuilt graph with the definition's, node for node, and its variables with the checkpoint's.
pub fn assert_is_the_graph(case: &Case) {
    let folder = TempDir::new().unwrap();
    case.write(folder.path());
    let name = &case.name;
    let variables = case.variables.iter().cloned().collect();
    let options: Vec<_> = case.options.iter().map(|text| NetworkOption::parse(text).unwrap()).collect();
    let config = case.files.keys().next().map(|file| folder.path().join(file));
    let config = config.map(|path| ModelConfig::read(&path).unwrap().into());
    let overrides = Overrides { options: &options, config, ..Overrides::default() };
    let recognized = recognize_and_build(&variables, overrides).unwrap();
    assert_eq!(recognized.recognition.network.name, case.network, "{name}");
    let image = match case.images {
        Some([batch, Some(height), Some(width)]) => ImageShape { batch, height, width, channels: 3 },
        _ => recognized.recognition.network.default_images(3),
    };
    let (_, built) = recognized.build(&image, &variables).unwrap();
    let outputs: Vec<&String> = case.outputs.iter().map(|(_, tensor)| tensor).collect();
    let ours = nodes_for(&built.graph, &outputs).unwrap();
    let theirs = nodes_for(&imported(&case.archived), &outputs).unwrap();
    let only = |a: &BTreeSet<String>, b| a.difference(b).take(5).cloned().collect::<Vec<_>>().join("\n    ");
    let differences =
        format!("\n  built:\n    {}\n  definition:\n    {}", only(&ours, &theirs), only(&theirs, &ours));
    assert!(ours == theirs, "{name}{differences}");
    let used: BTreeMap<_, _> = built.variables().map(|(name, shape)| (name.to_owned(), shape)).collect();
    assert_eq!(used, variables, "{name}");
}

fn imported(files: &Files) -> Graph {
    let definition = GraphDef::decode(&files["graph.pb"][..]).unwrap();
    import(&definition, output_types).unwrap()
}
