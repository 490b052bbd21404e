//! The networks of the slim model library as TensorFlow built and ran them (`tests/fixtures/zoo`), and other image networks
//! (`tests/fixtures/image_networks`).
//!
//! Each case has its variables, the graph that the original definition built for inference, and the logits that TensorFlow
//! computed from variables and an image filled by `fill`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Deserialize;
use tf2onnx_rs::graph::{Graph, import::import};
use tf2onnx_rs::ops::output_types;
use tf2onnx_rs::proto::GraphDef;
use tf2onnx_rs::slim::{NetworkOption, Variables};

use super::repository::fixture;

#[derive(Debug, Deserialize)]
pub struct Case {
    #[serde(skip)]
    pub name: String,
    pub network: String,
    pub num_classes: usize,
    #[serde(default)]
    pub size: Option<Size>,
    #[serde(default)]
    pub frames: Option<usize>,
    #[serde(default)]
    pub kwargs: BTreeMap<String, serde_json::Value>,
    pub input: Input,
    pub output: String,
    pub predictions: Option<String>,
    /// Name, shape, dtype and gain, in slim's order.
    pub variables: Vec<(String, Vec<usize>, String, f64)>,
    pub end_points: BTreeMap<String, EndPoint>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum Size {
    Square(usize),
    HeightWidth([usize; 2]),
}

#[derive(Debug, Deserialize)]
pub struct Input {
    pub shape: Vec<Option<usize>>,
    pub batch: usize,
}

#[derive(Debug, Deserialize)]
pub struct EndPoint {
    pub tensor: String,
    pub shape: Vec<usize>,
}

/// slim's arguments that the variables tell: a checkpoint needs no option for them.
pub const READ_FROM_VARIABLES: [&str; 4] =
    ["depth_multiplier", "min_depth", "create_aux_logits", "finegrain_classification_mode"];

/// The folders of the cases.
const FOLDERS: [&str; 2] = ["zoo", "image_networks"];

/// The folder of a case.
fn folder(name: &str) -> PathBuf {
    let folders = FOLDERS.map(|folder| fixture(folder).join(name));
    folders.into_iter().find(|folder| folder.exists()).unwrap_or_else(|| panic!("there is no case {name}"))
}

fn gunzipped(path: &Path) -> Vec<u8> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = vec![];
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("the fixture is gzip");
    bytes
}

/// The names of all cases.
pub fn case_names() -> Vec<String> {
    let entries =
        FOLDERS.iter().flat_map(|folder| std::fs::read_dir(fixture(folder)).expect("the fixtures are there"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl Case {
    pub fn load(name: &str) -> Self {
        let json = gunzipped(&folder(name).join("case.json.gz"));
        let case: Self = serde_json::from_slice(&json).expect("the case is as described");
        Self { name: name.to_owned(), ..case }
    }

    /// The graph that slim built for inference, in the form of a file.
    pub fn graph_bytes(&self) -> Vec<u8> {
        gunzipped(&folder(&self.name).join("graph.pb.gz"))
    }

    /// The graph that slim built for inference.
    pub fn graph(&self) -> Graph {
        let definition = GraphDef::decode(&self.graph_bytes()[..]).expect("the fixture is a GraphDef");
        import(&definition, output_types).expect("slim's graph is a graph")
    }

    /// The names and shapes of the variables in a checkpoint of this case.
    pub fn variables(&self) -> Variables {
        self.variables.iter().map(|(name, shape, ..)| (name.clone(), shape.clone())).collect()
    }

    /// Height and width of the images.
    pub fn image_size(&self) -> [usize; 2] {
        match self.size {
            Some(Size::Square(size)) => [size, size],
            Some(Size::HeightWidth(size)) => size,
            // A spectrogram has no channels.
            None if self.input.shape.len() == 3 => {
                [self.input.shape[1].unwrap(), self.input.shape[2].unwrap()]
            }
            None => {
                let rank = self.input.shape.len();
                [self.input.shape[rank - 3].unwrap(), self.input.shape[rank - 2].unwrap()]
            }
        }
    }

    /// The arguments of the network's function that a user has to give, because no variable shows them.
    pub fn network_options(&self) -> Vec<NetworkOption> {
        let told = self.kwargs.iter().filter(|(key, _)| !READ_FROM_VARIABLES.contains(&key.as_str()));
        let text = |value: &serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let option = |name: &str, value: String| NetworkOption { name: name.to_owned(), value };
        let mut options: Vec<_> = told.map(|(key, value)| option(key, text(value))).collect();
        options.extend(self.frames.map(|frames| option("frames", frames.to_string())));
        options
    }

    /// The logits that TensorFlow computed, in C order.
    pub fn logits(&self) -> Vec<f32> {
        let bytes = std::fs::read(folder(&self.name).join("logits.npy")).expect("the logits are there");
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "a .npy file of version 1.0");
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let (values, rest) = bytes[10 + header..].as_chunks::<4>();
        assert!(rest.is_empty());
        values.iter().map(|&value| f32::from_le_bytes(value)).collect()
    }
}
