//! What is printed: results on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};

use comfy_table::{Table, TableStyle};
use serde::Serialize;

use super::color::{HEADING, styled};
use crate::error::{Error, Result};
use crate::graph::Shape;
pub use crate::report::numbers::bytes;

/// Prints a result, without its colors where it does not go to a terminal. That the reader of a pipe has seen enough
/// is no error.
pub fn print(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::new("standard output", format!("it cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// A result as JSON.
pub fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new("JSON", format!("the result cannot be written as such: {error}")))?;
    Ok(text + "\n")
}

/// Prints a result as JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    print(&json(value)?)
}

/// Says something that is not a result.
pub fn warn(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A table without lines; the first row is its head.
pub fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(head.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    let lines = table.to_string();
    let mut lines = lines.lines().map(str::trim_end);
    let head = lines.next().map(|head| styled(HEADING, head) + "\n").unwrap_or_default();
    lines.fold(head, |text, line| text + line + "\n")
}

/// The least that is left of a name in a table that is made to fit.
const MIN_NAME_WIDTH: usize = 20;

/// A table whose first column is names. On a terminal that is too narrow for it, the names lose their middle; a pipe gets
/// them whole.
pub fn table_of_names(head: &[&str], rows: Vec<Vec<String>>) -> String {
    fitted_table(head, rows, terminal_width())
}

/// The width of the terminal that standard output is.
fn terminal_width() -> Option<usize> {
    let out = std::io::stdout();
    let (width, _) = out.is_terminal().then(|| terminal_size::terminal_size_of(out)).flatten()?;
    Some(usize::from(width.0))
}

fn fitted_table(head: &[&str], mut rows: Vec<Vec<String>>, width: Option<usize>) -> String {
    if let Some(width) = width {
        // Each column has a space on both sides.
        let column = |index: usize| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(head[index].len()) + 2
        };
        let others: usize = (1..head.len()).map(column).sum();
        let room = width.saturating_sub(others + 2).max(MIN_NAME_WIDTH);
        for name in rows.iter_mut().filter_map(|row| row.first_mut()) {
            *name = shortened(name, room);
        }
    }
    table(head, rows)
}

/// A name without its middle: its end says more than its beginning.
fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (start, end) = (kept / 3, kept - kept / 3);
    name.chars().take(start).chain(['…']).chain(name.chars().skip(length - end)).collect()
}

/// A shape as in `[3, 3, 32, 64]`.
pub fn shape(shape: &[usize]) -> String {
    Shape::known(shape).to_string()
}

/// One or many: `1 tensor`, `3 tensors`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_middle_where_a_terminal_is_too_narrow() {
        let name = "InceptionV3/Mixed_5b/Branch_0/Conv2d_0a_1x1/weights".to_owned();
        let rows = vec![vec![name.clone(), "12 B".to_owned()]];
        let fitted = fitted_table(&["tensor", "bytes"], rows.clone(), Some(40));
        let fitted = anstream::adapter::strip_str(&fitted).to_string();
        assert!(fitted.lines().all(|line| line.chars().count() <= 40), "{fitted}");
        assert!(fitted.contains("InceptionV…") && fitted.contains("0a_1x1/weights  12 B"), "{fitted}");
        assert!(fitted_table(&["tensor", "bytes"], rows, None).contains(&name));
        assert_eq!(shortened("abc", 3), "abc");
    }
}
