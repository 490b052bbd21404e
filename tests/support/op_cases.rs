//! Graphs of one op or pattern each, frozen by TensorFlow, with inputs and results (`tests/fixtures/*.zip`).

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::npy::{self, Array};
use super::repository::fixture;

/// The files of a case: `case.json`, `graph.pb`, inputs `i0.npy`, … and results `o0.npy`, ….
pub type Files = BTreeMap<String, Vec<u8>>;

/// The inputs, the outputs, and the tolerances.
#[derive(serde::Deserialize)]
pub struct Case {
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    rtol: f64,
    atol: f64,
    /// Greater values count as equal to it, and so do lesser ones than its negative.
    mtol: Option<f64>,
    check_value: bool,
    check_shape: bool,
    #[serde(default)]
    pub inputs_as_nchw: Vec<String>,
    #[serde(default)]
    pub use_default: Vec<String>,
    /// The operator set that the case needs.
    #[serde(default)]
    pub opset: i64,
}

/// The cases at the edges of ops: arguments that are known at run time alone, and negative, beyond an axis, empty or large.
const EDGES: &str = "edges.zip";

/// The files of each case, by their names: those of all archives in `tests/fixtures` but that of the edges.
pub fn cases() -> BTreeMap<String, Files> {
    let names = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut cases = BTreeMap::new();
    for name in names.filter_map(|name| name.into_string().ok()) {
        if name.ends_with(".zip") && name != EDGES {
            add_cases(&fixtures().join(name), &mut cases);
        }
    }
    cases
}

/// The cases at the edges of ops.
pub fn edges() -> BTreeMap<String, Files> {
    of_archive(EDGES)
}

/// The cases of one archive.
pub fn of_archive(name: &str) -> BTreeMap<String, Files> {
    let mut cases = BTreeMap::new();
    add_cases(&fixtures().join(name), &mut cases);
    cases
}

fn fixtures() -> PathBuf {
    fixture("")
}

fn add_cases(path: &Path, cases: &mut BTreeMap<String, Files>) {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let (case, name) =
            file.name().unwrap().split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let mut bytes = vec![];
        file.read_to_end(&mut bytes).unwrap();
        cases.entry(case).or_default().insert(name, bytes);
    }
}

impl Case {
    pub fn of(files: &Files) -> Self {
        serde_json::from_slice(&files["case.json"]).unwrap()
    }

    /// Inputs and results; `None` if some are not real numbers, or are integers that float64 cannot represent.
    pub fn arrays(&self, files: &Files) -> Option<(Vec<Array>, Vec<Array>)> {
        let is_exact = |array: &Array| {
            array.descr != "<i8" || array.values.iter().all(|value| value.abs() < 2f64.powi(53))
        };
        let arrays = |kind: char, count: usize| -> Option<Vec<Array>> {
            (0..count)
                .map(|index| npy::parse(&files[&format!("{kind}{index}.npy")]).filter(is_exact))
                .collect()
        };
        arrays('i', self.inputs.len()).zip(arrays('o', self.outputs.len()))
    }

    /// How results differ from those that TensorFlow has, if they do.
    pub fn difference(&self, expected: &Array, shape: &[usize], values: &[f64]) -> Option<String> {
        if self.check_shape && shape != expected.shape {
            return Some(format!("shape {shape:?}, TensorFlow has {:?}", expected.shape));
        }
        if !self.check_value {
            return None;
        }
        if values.len() != expected.values.len() {
            return Some(format!("{} elements, TensorFlow has {}", values.len(), expected.values.len()));
        }
        let held = |value: f64| self.mtol.map_or(value, |most| value.clamp(-most, most));
        let pairs = values.iter().zip(&expected.values).map(|(&got, &expected)| (held(got), held(expected)));
        let is_far = |&(got, expected): &(f64, f64)| {
            let is_same = got == expected || got.is_nan() && expected.is_nan();
            let difference = (got - expected).abs();
            !is_same && (difference.is_nan() || difference > self.atol + self.rtol * expected.abs())
        };
        pairs.clone().find(is_far).map(|(got, expected)| format!("{got}, TensorFlow has {expected}"))
    }
}
