//! Tables that fit the width of a terminal.
//!
//! On a narrow terminal, names lose their middle and sentences are wrapped. If that is not enough, a row takes several lines:
//! its name is on the first, and the other columns are below.

use std::io::IsTerminal;
use std::ops::Range;

use textwrap::core::display_width;

use super::color::{HEADING, styled};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    head: &'static str,
    fit: Fit,
}

/// How a cell fits into a narrower column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It does not: the column is as wide as its widest cell.
    Whole,
    /// The cell loses its middle.
    Name,
    /// The cell is wrapped.
    Sentence,
}

impl Column {
    /// A column of numbers and words.
    pub const fn new(head: &'static str) -> Self {
        Self { head, fit: Fit::Whole }
    }

    /// A column of names or paths.
    pub const fn names(head: &'static str) -> Self {
        Self { head, fit: Fit::Name }
    }

    /// A column of sentences or lists.
    pub const fn sentences(head: &'static str) -> Self {
        Self { head, fit: Fit::Sentence }
    }

    /// The smallest width of the column if its widest cell has width `widest`.
    fn least(self, widest: usize) -> usize {
        match self.fit {
            Fit::Whole => widest,
            Fit::Name => widest.min(20),
            Fit::Sentence => widest.min(24),
        }
    }

    fn fitted(self, cell: &str, width: usize) -> Vec<String> {
        match self.fit {
            Fit::Sentence => textwrap::wrap(cell, width).into_iter().map(String::from).collect(),
            Fit::Name | Fit::Whole => vec![shortened(cell, width)],
        }
    }
}

/// The spaces before a row and between columns.
const MARGIN: usize = 1;
const GAP: usize = 2;
/// The spaces before columns below a name.
const INDENT: usize = 3;

/// The width of a stream's terminal; `None` if it is not a terminal.
#[cfg(unix)]
pub fn width_of(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let (width, _) = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten()?;
    Some(usize::from(width.0))
}

/// The width of a stream's terminal; `None` if it is not a terminal.
#[cfg(windows)]
pub fn width_of(stream: &(impl IsTerminal + std::os::windows::io::AsHandle)) -> Option<usize> {
    let (width, _) = stream.is_terminal().then(|| terminal_size::terminal_size_of(stream)).flatten()?;
    Some(usize::from(width.0))
}

/// A table for a terminal of the given width. Without a width, as in a pipe, it is as wide as it needs to be.
pub fn table(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    let lines = arranged(columns, rows, width.unwrap_or(usize::MAX));
    let head: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    let head = written(columns, &lines, &head).into_iter().map(|line| styled(HEADING, &line) + "\n");
    let rows = rows.iter().flat_map(|row| written(columns, &lines, row)).map(|line| line + "\n");
    head.chain(rows).collect()
}

/// Columns beside each other.
struct Line {
    indent: usize,
    columns: Range<usize>,
    /// The widths of these columns.
    widths: Vec<usize>,
}

/// All columns on one line, if they fit. Otherwise the first column on its own line, and the others on as few lines as
/// possible.
fn arranged(columns: &[Column], rows: &[Vec<String>], width: usize) -> Vec<Line> {
    let widest = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| display_width(cell));
        cells.fold(display_width(columns[index].head), usize::max)
    };
    let widest: Vec<usize> = (0..columns.len()).map(widest).collect();
    let least = |range: Range<usize>, indent: usize| -> usize {
        let widths: usize = range.clone().map(|index| columns[index].least(widest[index])).sum();
        indent + widths + GAP * range.len().saturating_sub(1)
    };
    let line = |columns_of_line: Range<usize>, indent: usize| {
        let room = width.saturating_sub(indent + GAP * columns_of_line.len().saturating_sub(1));
        let limits =
            columns_of_line.clone().map(|index| (columns[index].least(widest[index]), widest[index]));
        Line { indent, widths: shared(limits.collect(), room), columns: columns_of_line }
    };
    if least(0..columns.len(), MARGIN) <= width {
        return vec![line(0..columns.len(), MARGIN)];
    }
    let mut lines = vec![line(0..1, MARGIN)];
    let mut start = 1;
    for index in 1..columns.len() {
        if index > start && least(start..index + 1, INDENT) > width {
            lines.push(line(start..index, INDENT));
            start = index;
        }
    }
    if start < columns.len() {
        lines.push(line(start..columns.len(), INDENT));
    }
    lines
}

/// Distributes room among columns by their smallest and largest widths. Columns that need little get that, and the others
/// get equal parts.
fn shared(limits: Vec<(usize, usize)>, room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = limits.iter().map(|&(least, _)| least.min(room)).collect();
    let mut left = room.saturating_sub(widths.iter().sum());
    let mut needy: Vec<usize> = (0..limits.len()).collect();
    needy.sort_by_key(|&index| limits[index].1 - limits[index].0);
    for (done, &index) in needy.iter().enumerate() {
        let (least, most) = limits[index];
        let given = (left / (needy.len() - done)).min(most - least);
        widths[index] += given;
        left -= given;
    }
    widths
}

/// A row, or a part of it, as lines of text.
fn written(columns: &[Column], lines: &[Line], row: &[String]) -> Vec<String> {
    let mut text = vec![];
    for line in lines {
        let cells: Vec<Vec<String>> = (line.columns.clone().zip(&line.widths))
            .map(|(index, &width)| columns[index].fitted(row.get(index).map_or("", String::as_str), width))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for level in 0..height {
            let mut written = " ".repeat(line.indent);
            for (cell, &width) in cells.iter().zip(&line.widths) {
                let cell = cell.get(level).map_or("", String::as_str);
                written += cell;
                written.extend(std::iter::repeat_n(' ', width.saturating_sub(display_width(cell)) + GAP));
            }
            let end = written.trim_end().len();
            written.truncate(end);
            // The cells below a name may all be empty.
            if !written.is_empty() || line.columns.start == 0 {
                text.push(written);
            }
        }
    }
    text
}

/// A name without its middle. Most of the end is kept, because it distinguishes names better than the start.
fn shortened(name: &str, width: usize) -> String {
    if display_width(name) <= width {
        return name.to_owned();
    }
    let length = name.chars().count();
    let kept = width.saturating_sub(1);
    let (start, end) = (kept / 3, kept - kept / 3);
    name.chars().take(start).chain(['…']).chain(name.chars().skip(length - end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [Column::names("tensor"), Column::new("bytes"), Column::sentences("notes")];

    fn at(width: Option<usize>, rows: &[[&str; 3]]) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        anstream::adapter::strip_str(&table(&COLUMNS, &rows, width)).to_string()
    }

    const ROWS: [[&str; 3]; 2] = [
        [
            "InceptionV3/Mixed_5b/Branch_0/Conv2d_0a_1x1/weights",
            "12 B",
            "it is of no use to anybody any more",
        ],
        ["a", "1.3 kB", ""],
    ];

    #[test]
    fn a_pipe_gets_whole_cells() {
        assert_eq!(
            at(None, &ROWS),
            " tensor                                               bytes   notes\n \
             InceptionV3/Mixed_5b/Branch_0/Conv2d_0a_1x1/weights  12 B    it is of no use to anybody any more\n \
             a                                                    1.3 kB\n"
        );
        assert_eq!(at(None, &[]), " tensor  bytes  notes\n");
    }

    #[test]
    fn names_lose_their_middle_and_sentences_are_wrapped_where_a_terminal_is_too_narrow() {
        assert_eq!(
            at(Some(65), &ROWS),
            " tensor                     bytes   notes\n \
             Inceptio…d_0a_1x1/weights  12 B    it is of no use to anybody\n                                    any more\n \
             a                          1.3 kB\n"
        );
    }

    #[test]
    fn a_row_takes_several_lines_on_a_narrower_terminal() {
        assert_eq!(
            at(Some(40), &ROWS),
            " tensor\n   bytes   notes\n InceptionV3/…ch_0/Conv2d_0a_1x1/weights\n   \
             12 B    it is of no use to anybody\n           any more\n a\n   1.3 kB\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 1..120 {
            let text = at(Some(width), &ROWS);
            assert!(
                text.lines().all(|line| line.chars().count() <= width.max(INDENT + 1)),
                "{width}:\n{text}"
            );
        }
    }
}
