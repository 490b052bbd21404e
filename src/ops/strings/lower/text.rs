//! Strings.
//!
//! Sources: `tf.strings` in TensorFlow's API documentation; Cast, StringNormalizer, StringConcat, StringSplit and
//! RegexFullMatch in <https://onnx.ai/onnx/operators/>.

use std::sync::Arc;

use super::digits::{MOST_DIGITS, fixed_point};
use crate::error::Result;
use crate::graph::{Node, NodeRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::emit::zeros_are_lengths;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, onnx_dtype};
use crate::ops::sparse::lower::sparse::emit_kept;
use crate::tensor::{Constant, DType, Inline};

/// The first operator set with StringConcat.
pub const JOINS_TEXTS: i64 = 20;

/// A string constant for the use of a node.
pub fn text(cx: &mut Lowering<'_>, node: NodeRef<'_>, what: &str, value: &[u8]) -> String {
    let value = Constant::new(DType::String, vec![], Arc::new(Inline::Strings(vec![value.to_vec()])));
    cx.initializer(&format!("{}/{what}", node.name), value, &[])
}

/// Whether the runtime chooses the digits of the real numbers that `AsString` writes.
pub fn has_digits_of_runtime(node: &Node, dtype: DType, opset: i64) -> bool {
    let has_default_digits = node.int("precision", -1) < 0 && opset < JOINS_TEXTS;
    dtype.is_float() && (node.bool("shortest", false) || has_default_digits)
}

/// Numbers as text. ONNX has no width and no filling. Real numbers have 6 digits behind the point, where ONNX can join texts.
pub fn as_string(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (dtype, precision) = (cx.dtype(input), node.int("precision", -1));
    let is_shortest = node.bool("shortest", false);
    if node.int("width", -1) > 0
        || node.bool("scientific", false)
        || precision > MOST_DIGITS as i64
        || (precision >= 0 && (is_shortest || !dtype.is_float()))
    {
        return Err(node.error("ONNX cannot write numbers with a width, an exponent or this precision"));
    }
    if dtype.is_float() && !has_digits_of_runtime(&node, dtype, cx.opset()) {
        return fixed_point(cx, node, usize::try_from(precision).unwrap_or(6));
    }
    let (name, layout) = cx.stored(input)?;
    match dtype {
        DType::String => cx.alias(node.into(), input),
        DType::Bool => {
            let (yes, no) = (text(cx, node, "true", b"true"), text(cx, node, "false", b"false"));
            cx.emit(node, "Where", vec![name, yes, no], layout, vec![]);
            Ok(())
        }
        DType::Complex64 | DType::Complex128 => Err(node.error("ONNX cannot write complex numbers as text")),
        _ => {
            let to = Attribute::Int(onnx_dtype(DType::String).unwrap_or_default().into());
            cx.emit(node, "Cast", vec![name], layout, vec![("to", to)]);
            Ok(())
        }
    }
}

pub fn to_number(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let to = Attribute::Int(onnx_dtype(cx.dtype(node.into())).unwrap_or_default().into());
    cx.emit(node, "Cast", vec![name], layout, vec![("to", to)]);
    Ok(())
}

pub fn lower(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    change_case(cx, node, "LOWER")
}

pub fn upper(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    change_case(cx, node, "UPPER")
}

/// StringNormalizer has a vector as its input. Without an encoding, TensorFlow changes only ASCII letters, as the locale
/// "C" does.
fn change_case(cx: &mut Lowering<'_>, node: NodeRef<'_>, action: &str) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let mut attributes = vec![
        ("case_change_action", Attribute::Text(action.to_owned())),
        ("is_case_sensitive", Attribute::Int(1)),
    ];
    if node.text("encoding").is_none_or(str::is_empty) {
        attributes.push(("locale", Attribute::Text("C".to_owned())));
    }
    let layout = Layout::tensorflow_of(cx.shape(input));
    if cx.shape(input).rank() == Some(1) {
        cx.emit(node, "StringNormalizer", vec![name], layout, attributes);
        return Ok(());
    }
    let shape = cx.step(node, "shape", "Shape", vec![name.clone()], vec![]);
    let flat = cx.vector(node, "flat", &[-1]);
    let flat = cx.step(node, "flat", "Reshape", vec![name, flat], vec![]);
    let changed = cx.step(node, "changed", "StringNormalizer", vec![flat], attributes);
    let attributes = zeros_are_lengths();
    cx.emit(node, "Reshape", vec![changed, shape], layout, attributes);
    Ok(())
}

/// Texts joined one after the other, with a separator between them.
pub fn join(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let separator = node.text("separator").unwrap_or_default().to_owned();
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    let mut joined = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    for &input in node.inputs.get(1..).unwrap_or_default() {
        if !separator.is_empty() {
            let separator = text(cx, node, "separator", separator.as_bytes());
            joined = cx.step(node, "joined", "StringConcat", vec![joined, separator], vec![]);
        }
        let next = cx.in_tensorflow_layout(input)?;
        joined = cx.step(node, "joined", "StringConcat", vec![joined, next], vec![]);
    }
    cx.emit(node, "Identity", vec![joined], layout, vec![]);
    Ok(())
}

/// The parts of each text as a sparse matrix: ONNX fills the rows up and counts the parts.
pub fn split(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let texts = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let separator = cx.input_of(node, 1)?;
    let separator = cx.constant(separator).map(Constant::strings).transpose()?;
    let Some([separator]) = separator.as_deref() else {
        return Err(node.error("its separator is not one text"));
    };
    let mut attributes = vec![];
    if !separator.is_empty() {
        attributes.push(("delimiter", Attribute::Text(String::from_utf8_lossy(separator).into_owned())));
    }
    if let Ok(parts) = u32::try_from(node.int("maxsplit", -1)) {
        attributes.push(("maxsplit", Attribute::Int(parts.into())));
    }
    let outputs = ("split", ["parts", "counts"]);
    let [mut parts, mut counts] = cx.step_with_outputs(node, outputs, "StringSplit", vec![texts], attributes);
    let mut shape = cx.step(node, "parts_shape", "Shape", vec![parts.clone()], vec![]);
    if !separator.is_empty() {
        // Between separators, an empty text is an empty part; ONNX has no part of it.
        let nothing = text(cx, node, "nothing", b"");
        let mut steps = Steps { cx, node };
        let (one, none) = (steps.ints(&[1]), steps.ints(&[0]));
        counts = steps.op("Max", &[&counts, &one]);
        let rows = steps.part(&shape, 0, 0, 1);
        let column = steps.op_with("Concat", &[&rows, &one], "axis", 0);
        let column = steps.op("Expand", &[&nothing, &column]);
        parts = steps.op_with("Concat", &[&parts, &column], "axis", 1);
        let lengths = steps.op_with("Concat", &[&counts, &none], "axis", 0);
        let most = steps.reduce("ReduceMax", &lengths, &[0], true);
        shape = steps.op_with("Concat", &[&rows, &most], "axis", 0);
    }
    let last = cx.initializer("last", Constant::from_i64(vec![], &[-1]), &[]);
    let most = cx.step(node, "most", "Gather", vec![shape.clone(), last], vec![]);
    let zero = cx.initializer("range/start", Constant::from_i64(vec![], &[0]), &[]);
    let one = cx.initializer("range/step", Constant::from_i64(vec![], &[1]), &[]);
    let positions = cx.step(node, "places", "Range", vec![zero, most, one], vec![]);
    let axes = cx.vector(node, "column", &[1]);
    let counts = cx.step(node, "counts", "Unsqueeze", vec![counts, axes], vec![]);
    let is_part = cx.step(node, "is_part", "Less", vec![positions, counts], vec![]);
    let found = cx.step(node, "found", "NonZero", vec![is_part], vec![]);
    let perm = vec![("perm", Attribute::Ints(vec![1, 0]))];
    let indices = cx.step(node, "found_indices", "Transpose", vec![found], perm);
    let [first, second, third] = [0, 1, 2].map(|port| node.output(port));
    cx.emit(first, "Identity", vec![indices.clone()], Layout::tensorflow(2), vec![]);
    cx.emit(second, "GatherND", vec![parts, indices], Layout::tensorflow(1), vec![]);
    cx.emit(third, "Identity", vec![shape], Layout::tensorflow(1), vec![]);
    Ok(())
}

/// The parts of each text between single characters, as a sparse matrix; unlike the later version, without empty ones.
pub fn split_at_delimiter(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let texts = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let delimiter = cx.input_of(node, 1)?;
    let delimiter = cx.constant(delimiter).map(Constant::strings).transpose()?;
    let Some([delimiter]) = delimiter.as_deref() else {
        return Err(node.error("its delimiter is not known before the model runs"));
    };
    if delimiter.len() != 1 || !delimiter.is_ascii() {
        let problem = "its delimiter is not one character; ONNX does not split strings at one of several, or into characters";
        return Err(node.error(problem));
    }
    let attributes = vec![("delimiter", Attribute::Text(String::from_utf8_lossy(delimiter).into_owned()))];
    let outputs = ("split", ["parts", "counts"]);
    let [parts, counts] = cx.step_with_outputs(node, outputs, "StringSplit", vec![texts], attributes);
    let mut steps = Steps { cx, node };
    let most = steps.length(&parts, -1);
    let positions = steps.positions(&most);
    let behind = steps.ints(&[1]);
    let counts = steps.op("Unsqueeze", &[&counts, &behind]);
    let mut is_part = steps.op("Less", &[&positions, &counts]);
    if node.bool("skip_empty", true) {
        let nothing = text(steps.cx, node, "nothing", b"");
        let is_empty = steps.op("Equal", &[&parts, &nothing]);
        let has_text = steps.op("Not", &[&is_empty]);
        is_part = steps.op("And", &[&is_part, &has_text]);
    }
    emit_kept(&mut steps, &is_part, &parts, Some(2), [0, 1, 2]);
    Ok(())
}

/// An argument that is an attribute of the static form of an op, and an input of the other one.
///
/// # Errors
/// If it is not one text that is known before the model runs.
pub fn argument(cx: &Lowering<'_>, node: NodeRef<'_>, name: &str, index: usize) -> Result<String> {
    if let Some(known) = node.text(name) {
        return Ok(known.to_owned());
    }
    let input = cx.input_of(node, index)?;
    match cx.constant(input).map(Constant::strings).transpose()?.as_deref() {
        Some([known]) => {
            String::from_utf8(known.clone()).map_err(|_| node.error(format!("its {name} is not UTF-8")))
        }
        _ => Err(node.error(format!("its {name} is not one text"))),
    }
}

pub fn regex_full_match(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (name, layout) = cx.stored(cx.input_of(node, 0)?)?;
    let pattern = argument(cx, node, "pattern", 1)?;
    cx.emit(node, "RegexFullMatch", vec![name], layout, vec![("pattern", Attribute::Text(pattern))]);
    Ok(())
}
