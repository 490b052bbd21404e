//! Printing: results on standard output, everything else on standard error.

use std::io::Write;
use std::path::Path;

use serde::{Serialize, Serializer};

pub use super::table::Column;
use super::{color, table};
use crate::error::{Error, Result};
use crate::graph::Shape;
pub use crate::report::numbers::bytes;

/// Prints a result, without colors if standard output is not a terminal, and without control characters of names. A pipe whose reader has closed it is not an error.
pub fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(color::harmless(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new("standard output", format!("it cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// A path as text in JSON. Bytes that are not UTF-8 are replaced.
pub fn path<S: Serializer>(path: &impl AsRef<Path>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().display())
}

/// The same for a path that may be `null`.
pub fn optional_path<S: Serializer>(
    path: &Option<impl AsRef<Path>>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    match path {
        Some(known) => self::path(known, serializer),
        None => serializer.serialize_none(),
    }
}

/// A result as JSON. All control characters in it are escaped, also those that JSON allows.
pub fn json(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new("JSON", format!("the result cannot be written as JSON: {error}")))?;
    for control in ('\u{7f}'..='\u{9f}').filter(|&control| text.contains(control)).collect::<Vec<_>>() {
        text = text.replace(control, &format!("\\u{:04x}", u32::from(control)));
    }
    Ok(text + "\n")
}

/// Prints a result as JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print(&json(value)?)
}

/// Prints something that is not a result.
pub fn warn(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", color::harmless(text));
}

/// A table that fits the terminal of standard output.
pub fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    table::table(columns, &rows, table::width_of(&std::io::stdout()))
}

/// A shape as text: `[3, 3, 32, 64]`.
pub fn shape(shape: &[usize]) -> String {
    Shape::known(shape).to_string()
}

/// A number with its noun: `1 tensor`, `3 tensors`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
