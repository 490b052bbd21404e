//! Parts of strings that are replaced by another text: strings are split at these parts, and joined again.
//!
//! Sources: `tf.strings.regex_replace` in TensorFlow's API documentation; StringSplit and StringConcat in
//! <https://onnx.ai/onnx/operators/>.

use super::join::{Joined, by_loop};
use super::text::{argument, text};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::strings::PREPARE;
use crate::ops::strings::pattern::Pattern;

/// What is between the strings that are joined again.
struct Between<'a> {
    /// The text where strings were split.
    rewrite: &'a str,
    /// Whether parts without characters between them are replaced by one text together.
    are_runs: bool,
}

/// The matches of a pattern are replaced. ONNX cannot split at several texts, so that all characters of a set become its first one.
pub fn regex_replace(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (pattern, rewrite) = (argument(cx, node, "pattern", 1)?, argument(cx, node, "rewrite", 2)?);
    if rewrite.contains('\\') {
        return Err(node.error("its rewrite refers to what the pattern matched; ONNX does not know that"));
    }
    let is_global = node.bool("replace_global", true);
    let (delimiters, are_runs) = match Pattern::of(&pattern) {
        Some(Pattern::Text(text)) => (vec![text], false),
        Some(Pattern::OneOf(set)) if is_global || set.len() == 1 => (texts(&set), false),
        Some(Pattern::ManyOf(set)) if is_global => (texts(&set), true),
        found => {
            let problem = match found {
                Some(_) => "ONNX does not replace the first of several characters alone",
                None => {
                    "its pattern is not one text or one set of characters; ONNX does not replace what others match"
                }
            };
            return Err(node.error(problem).advice(PREPARE));
        }
    };
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    let (shape, flat) = (steps.op("Shape", &[&name]), steps.ints(&[-1]));
    let mut strings = steps.op("Reshape", &[&name, &flat]);
    if let Some((first, others)) = delimiters.split_first() {
        for other in others {
            let rewrite = if rewrite.is_empty() { "" } else { first.as_str() };
            strings = replaced(&mut steps, &strings, other, None, &Between { rewrite, are_runs: false })?;
        }
        let most = (!is_global).then_some(1);
        strings = replaced(&mut steps, &strings, first, most, &Between { rewrite: &rewrite, are_runs })?;
    }
    let layout = Layout::tensorflow_of(cx.shape(input));
    cx.emit(node, "Reshape", vec![strings, shape], layout, zeros_are_lengths());
    Ok(())
}

fn texts(characters: &[char]) -> Vec<String> {
    characters.iter().map(char::to_string).collect()
}

/// A vector of strings with another text instead of each delimiter, or of the first ones.
fn replaced(
    steps: &mut Steps<'_, '_, '_>,
    strings: &String,
    delimiter: &str,
    most: Option<i64>,
    between: &Between<'_>,
) -> Result<String> {
    let mut attributes = vec![("delimiter", Attribute::Text(delimiter.to_owned()))];
    attributes.extend(most.map(|most| ("maxsplit", Attribute::Int(most))));
    let outputs = ("split", ["parts", "counts"]);
    let inputs = vec![strings.clone()];
    let [parts, counts] = steps.cx.step_with_outputs(steps.node, outputs, "StringSplit", inputs, attributes);
    let parts = if between.rewrite.is_empty() { parts } else { prefixed(steps, &parts, &counts, between) };
    let count = steps.length(&parts, 1);
    let joined =
        Joined { strings: steps.transpose(&parts, &[1, 0]), count, rest: steps.op("Shape", &[strings]) };
    by_loop(steps, &joined)
}

/// The parts of strings, one row for each, after the text between them. Rows are filled up behind their parts.
fn prefixed(steps: &mut Steps<'_, '_, '_>, parts: &String, counts: &String, between: &Between<'_>) -> String {
    let (zero, one) = (steps.int(0), steps.int(1));
    let length = steps.length(parts, 1);
    let places = steps.positions(&length);
    let behind = steps.ints(&[1]);
    let counts = steps.op("Unsqueeze", &[counts, &behind]);
    let is_part = steps.op("Less", &[&places, &counts]);
    let is_later = steps.op("Greater", &[&places, &zero]);
    let mut is_behind = steps.op("And", &[&is_part, &is_later]);
    let nothing = text(steps.cx, steps.node, "nothing", b"");
    if between.are_runs {
        // A run begins behind the first part, and behind others that have characters.
        let before = steps.op("Sub", &[&places, &one]);
        let before = steps.op("Max", &[&before, &zero]);
        let before = steps.op_with("Gather", &[parts, &before], "axis", 1);
        let is_empty = steps.op("Equal", &[&before, &nothing]);
        let has_text = steps.op("Not", &[&is_empty]);
        let is_second = steps.op("Equal", &[&places, &one]);
        let begins = steps.op("Or", &[&has_text, &is_second]);
        is_behind = steps.op("And", &[&is_behind, &begins]);
    }
    let rewrite = text(steps.cx, steps.node, "rewrite", between.rewrite.as_bytes());
    let prefix = steps.op("Where", &[&is_behind, &rewrite, &nothing]);
    steps.op("StringConcat", &[&prefix, parts])
}
