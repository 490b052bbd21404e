//! The library's errors as exceptions. Their classes are written in Python, in `tf2onnx_rs/_errors.py`.

use std::error::Error as _;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tf2onnx_rs::cli::functions::{Failure, Misuse};
use tf2onnx_rs::{Error, ErrorKind};

use crate::wording::{argument, literal};

/// The exception for a failed call.
pub fn exception(py: Python<'_>, failure: &Failure) -> PyErr {
    match failure {
        Failure::Error(error) => of_error(py, error),
        Failure::Usage(misuse) => of_misuse(py, misuse),
    }
}

/// The exception for an error of the library, with the error of the system as its cause.
pub fn of_error(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.kind() {
        ErrorKind::Io => "FileError",
        ErrorKind::Unsupported => "UnsupportedError",
        _ => "InvalidError",
    };
    let advice = error.advised().map(|advice| match error.example() {
        Some(example) => format!("{advice}\n\n{example}"),
        None => advice.to_owned(),
    });
    let raised = raised(py, class, error.subject(), error.problem(), advice.as_deref());
    let cause = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    let cause = cause.map(|cause| match cause.raw_os_error() {
        // With the number, Python chooses the class and the text.
        Some(code) => PyOSError::new_err((code, std::io::Error::from_raw_os_error(code).to_string())),
        None => std::io::Error::new(cause.kind(), cause.to_string()).into(),
    });
    raised.set_cause(py, cause);
    raised
}

fn of_misuse(py: Python<'_>, misuse: &Misuse) -> PyErr {
    let invalid =
        |subject: &str, problem: &str, advice| raised(py, "ArgumentError", subject, problem, advice);
    match misuse {
        Misuse::Value { parameter, value, problem } => {
            invalid(&format!("{parameter}={}", literal(value)), problem, None)
        }
        Misuse::Conflict(one, other) => {
            invalid(&argument(one), &format!("it cannot be used with {}", argument(other)), None)
        }
        Misuse::Missing(names) => {
            let names: Vec<String> = names.iter().map(|name| argument(name)).collect();
            let names = names.join(" or ");
            invalid("arguments", &format!("{names} is missing, which others need"), None)
        }
        Misuse::Other(problem) => invalid("arguments", problem, None),
    }
}

/// An exception of a class of the package.
fn raised(py: Python<'_>, class: &str, subject: &str, problem: &str, advice: Option<&str>) -> PyErr {
    let made = py
        .import("tf2onnx_rs._errors")
        .and_then(|errors| errors.getattr(class))
        .and_then(|class| class.call1((subject, problem, advice)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
