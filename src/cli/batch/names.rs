//! The names of the outputs: those of their inputs, with another extension.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::inputs::Input;
use crate::error::{Error, Result};

/// The extensions of inputs, the longest first.
const SUFFIXES: [&str; 15] = [
    ".meta.pbtxt",
    ".meta.txt",
    ".tar.gz",
    ".graphdef",
    ".prototxt",
    ".pb.txt",
    ".pbtxt",
    ".index",
    ".ckpt",
    ".json",
    ".meta",
    ".tgz",
    ".tar",
    ".zip",
    ".pb",
];

/// The name of the output for an input: `model.ckpt-5000` becomes `model-5000.onnx`.
pub fn of(input: &Path) -> PathBuf {
    // A path such as `..` has no file name.
    let absolute = || input.canonicalize().ok();
    let name =
        input.file_name().map(ToOwned::to_owned).or_else(|| absolute()?.file_name().map(ToOwned::to_owned));
    let mut name = name.unwrap_or_else(|| "model".into()).to_string_lossy().into_owned();
    let lower = name.to_lowercase();
    if let Some(suffix) = SUFFIXES.iter().find(|suffix| lower.ends_with(*suffix))
        && lower.len() == name.len()
        && name.len() > suffix.len()
    {
        name.truncate(name.len() - suffix.len());
    } else if let Some((base, step)) = name.rsplit_once(".ckpt-")
        && !base.is_empty()
    {
        name = format!("{base}-{step}");
    }
    PathBuf::from(name + ".onnx")
}

/// Checks that no two inputs have the same output.
///
/// # Errors
/// If two have: the error names the first two.
pub fn check(inputs: &[Input]) -> Result<()> {
    let mut taken: HashMap<&Path, &Input> = HashMap::new();
    let mut clashes = vec![];
    for input in inputs {
        match taken.get(input.output.as_path()) {
            None => drop(taken.insert(&input.output, input)),
            Some(first) => clashes.push((*first, input)),
        }
    }
    let Some((first, second)) = clashes.first() else { return Ok(()) };
    let more = match clashes.len() {
        1 => String::new(),
        2 => ", and 1 more input has an output that another has".to_owned(),
        count => format!(", and {} more inputs have an output that another has", count - 1),
    };
    let problem = format!("{} and {} would both be written to it{more}", first.named(), second.named());
    let advice = match second.location {
        Some(_) => "give one of them another name with output = \"…\"",
        None => {
            "leave one out (with --exclude in folders and patterns), keep their folders with --relative-to, or name the \
             outputs in a --manifest"
        }
    };
    Err(Error::file(&second.output, problem).advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_called_like_its_input() {
        for (input, output) in [
            ("inception_v3.ckpt", "inception_v3.onnx"),
            ("a/model.ckpt-5000", "model-5000.onnx"),
            ("model-5000", "model-5000.onnx"),
            ("inception_v3_2016_08_28.tar.gz", "inception_v3_2016_08_28.onnx"),
            ("mobilenet_v1_0.25_128", "mobilenet_v1_0.25_128.onnx"),
            ("frozen.PB", "frozen.onnx"),
            ("graph.pb.txt", "graph.onnx"),
            ("export/1", "1.onnx"),
            (".ckpt", ".ckpt.onnx"),
        ] {
            assert_eq!(of(Path::new(input)), Path::new(output), "{input}");
        }
    }
}
