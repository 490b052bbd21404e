//! The commands as functions. Their results are JSON, which the classes of the package are made of.

use std::ffi::OsString;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tf2onnx_rs::cli;
use tf2onnx_rs::cli::functions::{self as called, Arguments, Function};
use tf2onnx_rs::suggestion;

use crate::work;

/// The values of options by their names.
type Options = Vec<(String, Vec<OsString>)>;

/// A parameter: its name, whether it is a flag, whether it is a list, the form of its value, and what it does.
type Parameter = (String, bool, bool, Option<String>, String);

/// A note: severity, kind, subject and text.
type Note = (&'static str, &'static str, Option<String>, String);

/// A conversion: the summary as JSON, its notes, its text, and the model if it is in no file.
type Converted<'py> = (String, Vec<Note>, String, Option<Bound<'py, PyBytes>>);

/// Runs the command line, and returns its exit status.
#[pyfunction]
pub fn main(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| cli::status(args))
}

/// The parameters of a function.
#[pyfunction]
pub fn parameters(function: &str) -> PyResult<Vec<Parameter>> {
    let function = Function::from_name(function)
        .ok_or_else(|| PyValueError::new_err(format!("there is no function {function}")))?;
    let parameters = function.parameters().into_iter();
    Ok(parameters.map(|known| (known.name, known.is_flag, known.is_list, known.form, known.help)).collect())
}

/// A question for a mistyped name, if a known one is similar.
#[pyfunction]
pub fn did_you_mean(word: &str, known: Vec<String>) -> Option<String> {
    suggestion::did_you_mean(word, known.iter().map(String::as_str))
}

/// Converts a model. If the output is `-`, the model is in no file.
#[pyfunction]
pub fn convert<'py>(
    py: Python<'py>,
    input: OsString,
    output: OsString,
    options: Options,
    progress: Option<Py<PyAny>>,
) -> PyResult<Converted<'py>> {
    let arguments = Arguments { files: vec![input, output], options };
    let answer = work::run(py, progress, move |progress| {
        called::convert(&arguments, &|done, total| progress.set(done, total))
    })?;
    let notes = answer.notes.into_iter();
    let notes = notes.map(|note| (note.severity.name(), note.kind.name(), note.subject, note.text)).collect();
    let model = answer.model.map(|model| PyBytes::new(py, &model));
    Ok((answer.json, notes, answer.text, model))
}

/// Describes a file. Returns the description as JSON and its text.
#[pyfunction]
pub fn inspect(py: Python<'_>, path: OsString, options: Options) -> PyResult<(String, String)> {
    let arguments = Arguments { files: vec![path], options };
    work::run(py, None, move |_| called::inspect(&arguments))
}

/// Lists the networks, or describes one. Returns JSON.
#[pyfunction]
pub fn networks(py: Python<'_>, name: Option<OsString>, options: Options) -> PyResult<String> {
    let arguments = Arguments { files: name.into_iter().collect(), options };
    work::run(py, None, move |_| called::networks(&arguments))
}

/// Runs a model and compares its outputs. Returns the result as JSON and its text.
#[pyfunction]
pub fn verify(py: Python<'_>, model: OsString, options: Options) -> PyResult<(String, String)> {
    let arguments = Arguments { files: vec![model], options };
    work::run(py, None, move |_| called::verify(&arguments))
}

/// Sets the command that starts processes which run models: it calls `run_model` with its last arguments.
#[pyfunction]
pub fn run_models_with(command: Vec<OsString>) {
    tf2onnx_rs::verify::run_models_with(command);
}

/// Runs a model for the process that started this one. Returns the exit status.
#[pyfunction]
pub fn run_model(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| tf2onnx_rs::verify::serve(&arguments))
}
