//! The names of the classes, in the model's metadata.
//!
//! They are written under the key `names`, as a mapping from number to name: `{0: "background", 1: "tench"}`, which
//! Python's `ast.literal_eval` and YAML both read. That is what models of Ultralytics have there
//! (<https://github.com/ultralytics/ultralytics/blob/main/ultralytics/engine/exporter.py>), and what tools that show
//! classes by name look for; ONNX itself has no key for it
//! (<https://onnx.ai/onnx/repo-docs/MetadataProps.html>).

use std::io::Read;
use std::path::Path;

use super::probabilities::logits_of;
use super::{BoundGraph, Note, NoteKind};
use crate::error::{Error, Result};
use crate::setting::Setting;

/// The key in the model's metadata.
pub(super) const KEY: &str = "names";

/// ImageNet's thousand classes, and the background class that slim's networks are trained with.
const IMAGENET_WITH_BACKGROUND: usize = 1001;

/// The longest file that is read: room for a hundred times ImageNet's 21,841 classes.
const MAX_BYTES: u64 = 64 << 20;

/// The names of a network's classes from the file at this path; none if there is no path. With them comes a note if the
/// number of classes is not known.
///
/// # Errors
/// If the file cannot be read, or does not name each class once.
pub(super) fn of_classes(path: Option<&Path>, bound: &BoundGraph) -> Result<(Vec<String>, Option<Note>)> {
    let Some(path) = path else { return Ok((vec![], None)) };
    let labels = read(path)?;
    let Some(classes) = bound.classes.or_else(|| classes(bound)) else {
        let text = format!(
            "the names of {} were not counted, since it is not clear which output has the classes",
            Setting::Labels
        );
        return Ok((labels, Some(Note::info(NoteKind::Classes, text))));
    };
    check(&labels, path, classes)?;
    Ok((labels, None))
}

/// Reads the names of classes from a file: one a line, the first that of class 0, or `N:name` lines as in the
/// `labels.txt` that slim writes beside its data sets (`write_label_file` in
/// <https://github.com/tensorflow/models/blob/master/research/slim/datasets/dataset_utils.py>).
///
/// # Errors
/// If the file cannot be read, is not text, or does not name each class once.
fn read(path: &Path) -> Result<Vec<String>> {
    let unreadable = |error: std::io::Error| Error::unreadable(path, &error);
    let mut bytes = vec![];
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::file(path, "it is not text in UTF-8")
            .advice("give a file with the name of a class on each line")
    })?;
    parse(&text).map_err(|problem| Error::file(path, problem))
}

fn parse(text: &str) -> Result<Vec<String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    if text.is_empty() {
        return Err("it names no classes".to_owned());
    }
    if let Some(empty) = lines.iter().position(|line| line.is_empty()) {
        return Err(format!("line {} is empty", empty + 1));
    }
    let numbered = |line: &&str| {
        let (number, name) = line.split_once(':')?;
        Some((number.parse::<usize>().ok()?, name.trim().to_owned()))
    };
    let Some(numbered) = lines.iter().map(numbered).collect::<Option<Vec<_>>>() else {
        return Ok(lines.into_iter().map(str::to_owned).collect());
    };
    let mut names = vec![None; numbered.len()];
    for (number, name) in numbered {
        match names.get_mut(number) {
            Some(class @ None) => *class = Some(name),
            Some(_) => return Err(format!("it names class {number} twice")),
            None => {
                let last = names.len() - 1;
                return Err(format!(
                    "it names a class {number}, and its lines are those of classes 0 to {last}"
                ));
            }
        }
    }
    Ok(names.into_iter().flatten().collect())
}

/// Checks that there is a name for each class.
///
/// # Errors
/// If there are more names or fewer.
fn check(labels: &[String], path: &Path, classes: usize) -> Result<()> {
    let names = labels.len();
    let error = |problem: String| Error::file(path, problem);
    match classes {
        0 => Err(error("it names classes, and the network has none: it ends at its features".to_owned())),
        _ if names == classes => Ok(()),
        IMAGENET_WITH_BACKGROUND if names + 1 == classes => Err(error(format!(
            "it has {names} names, and the model {classes} classes: the background is missing"
        ))
        .advice(
            "in networks that slim trained on ImageNet, class 0 is the background: begin the file with a line for it",
        )),
        _ if names == classes + 1 && names == IMAGENET_WITH_BACKGROUND => Err(error(format!(
            "it has {names} names, and the model {classes} classes: there is one too many"
        ))
        .advice(
            "if the file begins with a background class, remove that line: the network was trained without it",
        )),
        _ => Err(error(format!("it has {names} names, and the model {classes} classes"))
            .advice("give the file that the network was trained with")),
    }
}

/// The number of a graph's classes: the length of its softmax, or of its only output.
fn classes(bound: &BoundGraph) -> Option<usize> {
    let graph = &bound.graph;
    let probabilities = bound.tensors.outputs.iter().find(|&&output| logits_of(graph, output).is_some());
    let output = probabilities.or(match &bound.tensors.outputs[..] {
        [only] => Some(only),
        _ => None,
    })?;
    let shape = graph.shape(*output);
    shape.last().filter(|_| shape.rank() == Some(2))
}

/// The names as they are written into the model.
pub(super) fn metadata(labels: &[String]) -> String {
    // A JSON string is a string in Python and in YAML, too.
    let names = labels.iter().enumerate();
    let names = names.map(|(number, name)| format!("{number}: {}", serde_json::Value::from(name.as_str())));
    format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_one_a_line_or_after_their_numbers() {
        assert_eq!(parse("\u{feff}tench\r\ngold fish\r\n\r\n").unwrap(), ["tench", "gold fish"]);
        assert_eq!(parse("1:dandelion\n0:daisy\n2: ro:se\n").unwrap(), ["daisy", "dandelion", "ro:se"]);
        assert_eq!(parse("0:daisy\nrose").unwrap(), ["0:daisy", "rose"]);
    }

    #[test]
    fn a_file_that_does_not_name_each_class_once_is_refused() {
        assert_eq!(parse("\n\n").unwrap_err(), "it names no classes");
        assert_eq!(parse("a\n\nb").unwrap_err(), "line 2 is empty");
        assert_eq!(parse("0:a\n0:b").unwrap_err(), "it names class 0 twice");
        let said = "it names a class 2, and its lines are those of classes 0 to 1";
        assert_eq!(parse("0:a\n2:b").unwrap_err(), said);
    }

    #[test]
    fn names_are_written_so_that_python_and_yaml_read_them() {
        let labels = ["cat", "dog's \"bone\""].map(str::to_owned);
        assert_eq!(metadata(&labels), r#"{0: "cat", 1: "dog's \"bone\""}"#);
    }
}
