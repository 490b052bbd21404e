//! Operators of newer sets in the form that an older set has, and generators of random numbers of older sets in a newer one.
//!
//! Source: the versions of each operator in <https://github.com/onnx/onnx/blob/main/docs/Changelog.md>.

use super::writer::{Writer, int_attribute, text_attribute};
use super::{Finish, batches, bits, einsum, error, places, random, shapes, strings, unsigned};
use crate::error::{Error, Result};
use crate::onnx::operators::first_opset;
use crate::onnx::{Attribute, Node};
use crate::setting::Setting;
use crate::tensor::{Constant, DType};

/// Operators that sets before their first one have others for.
#[cfg(test)]
pub(crate) const REPLACED: [&str; 8] = [
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "Einsum",
    "GreaterOrEqual",
    "LessOrEqual",
    "Trilu",
];

/// Writes the nodes that stand for another one.
type Replace = fn(&mut Writer<'_, '_, '_>) -> Result<()>;

/// The first operator set in which the axes of this reduction, or of Squeeze and Unsqueeze, are an input, and not an attribute.
fn axes_input_since(op: &str) -> Option<i64> {
    match op {
        "ReduceSum" | "Squeeze" | "Unsqueeze" => Some(13),
        _ if op.starts_with("Reduce") => Some(18),
        _ => None,
    }
}

/// The error for a node that only a later set has.
fn later(node: &Node, problem: impl std::fmt::Display, opset: i64) -> Error {
    error(node, problem).advice(format!("choose {} or later", Setting::Opset.to(opset)))
}

impl Finish<'_, '_> {
    /// A node in the form that the operator set has; `None` if other nodes took its place.
    pub(super) fn in_this_opset(&mut self, mut node: Node) -> Result<Option<Node>> {
        if !node.domain.is_empty() {
            return Ok(Some(node));
        }
        let opset = self.opset();
        if axes_input_since(&node.op).is_some_and(|since| opset < since) {
            let are_known = node.inputs.get(1).is_none_or(|axes| self.known_ints(axes).is_some());
            match &*node.op {
                "Squeeze" if !are_known => return self.replaced(node, shapes::squeeze),
                "Unsqueeze" if !are_known => return self.replaced(node, shapes::unsqueeze),
                _ => self.attribute_of_input(&mut node, "axes")?,
            }
        }
        self.check_graphs(&node)?;
        let input_type = node.inputs.first().and_then(|name| self.types.get(name)).copied();
        let is_float = input_type.is_some_and(DType::is_float);
        let replace: Replace = match &*node.op {
            "Softmax" | "LogSoftmax" if opset < 13 && int_attribute(&node, "axis") != Some(-1) => softmax,
            "Einsum" if opset < 12 || einsum::fails(&node) => einsum::einsum,
            "GreaterOrEqual" if opset < 12 => |w| or_equal(w, "Greater"),
            "LessOrEqual" if opset < 12 => |w| or_equal(w, "Less"),
            "Max" if opset < 12 && !is_float => |w| extreme(w, "Greater"),
            "Min" if opset < 12 && !is_float => |w| extreme(w, "Less"),
            "Pow" if opset < 12 && !is_float => power,
            "Clip" if opset < 12 && input_type == Some(DType::Float64) => clip,
            "GatherND" if opset < 12 && int_attribute(&node, "batch_dims").unwrap_or(0) != 0 => {
                batches::gather
            }
            "GatherND" if opset < 12 => {
                node.attributes.retain(|(name, _)| name != "batch_dims");
                return Ok(Some(node));
            }
            "Split" if opset < 18 => {
                // The parts are equal, and as many as the outputs.
                node.attributes.retain(|(name, _)| name != "num_outputs");
                if opset >= 13 || node.inputs.len() < 2 {
                    return Ok(Some(node));
                }
                if self.known_ints(&node.inputs[1]).is_some() {
                    self.attribute_of_input(&mut node, "split")?;
                    return Ok(Some(node));
                }
                shapes::split
            }
            "Resize" if opset < 13 => {
                // All inputs are needed, and may be empty.
                let mut writer = Writer { finish: self, node };
                let none = writer.constant("none", Constant::from_f32(vec![0], &[]));
                let mut node = writer.node;
                for input in node.inputs.iter_mut().filter(|input| input.is_empty()) {
                    none.clone_into(input);
                }
                return Ok(Some(node));
            }
            "Reshape" if opset < 14 && int_attribute(&node, "allowzero") == Some(1) => shapes::reshape,
            "Trilu" if opset < 14 => shapes::triangle,
            "BitwiseAnd" if opset < 18 => bits::and,
            "BitwiseOr" if opset < 18 => bits::or,
            "BitwiseXor" if opset < 18 => bits::xor,
            "BitwiseNot" if opset < 18 => bits::not,
            "RandomUniform" | "RandomUniformLike" if opset >= random::WITHOUT_GENERATORS => random::uniform,
            "RandomNormalLike" if opset >= random::WITHOUT_GENERATORS => random::normal,
            "Equal" if opset < 19 && input_type == Some(DType::String) => strings::equal,
            "ArgMax" | "ArgMin" | "TopK" if input_type == Some(DType::UInt64) => unsigned::ordered,
            "ScatterND" => match text_attribute(&node, "reduction") {
                Some("max") if opset < 18 => |w| places::combine(w, "Max"),
                Some("min") if opset < 18 => |w| places::combine(w, "Min"),
                Some("add") if opset < 16 => |w| places::combine(w, "Add"),
                Some("mul") if opset < 16 => |w| places::combine(w, "Mul"),
                _ => {
                    if opset < 16 {
                        node.attributes.retain(|(name, _)| name != "reduction");
                    }
                    return Ok(Some(node));
                }
            },
            op => {
                if let Some(first) = first_opset(op).filter(|first| *first > opset) {
                    return Err(later(&node, format!("ONNX has {op} from operator set {first} on"), first));
                }
                return Ok(Some(node));
            }
        };
        self.replaced(node, replace)
    }

    /// Writes other nodes in place of one.
    fn replaced(&mut self, node: Node, replace: Replace) -> Result<Option<Node>> {
        replace(&mut Writer { finish: self, node })?;
        Ok(None)
    }

    /// Refuses a loop or conditional of bfloat16 in a set in which these have no such values.
    fn check_graphs(&self, node: &Node) -> Result<()> {
        let mut values = node.graphs().flat_map(|graph| graph.inputs.iter().chain(&graph.outputs));
        if self.opset() < 16 && values.any(|value| value.dtype == DType::BFloat16) {
            return Err(later(node, "it has values of bfloat16, which it cannot in this operator set", 16));
        }
        Ok(())
    }

    /// The elements of a value that is an initializer of integers.
    pub(super) fn known_ints(&mut self, name: &str) -> Option<Vec<i64>> {
        self.cx.constant_named(name)?.to_i64s().ok().flatten()
    }

    /// The number of elements of a value that is an initializer.
    pub(super) fn known_len(&mut self, name: &str) -> Option<usize> {
        self.cx.constant_named(name).map(Constant::len)
    }

    /// Turns the second input of a node, a constant, into an attribute.
    fn attribute_of_input(&mut self, node: &mut Node, attribute: &'static str) -> Result<()> {
        let Some(input) = node.inputs.get(1) else { return Ok(()) };
        let Some(values) = self.known_ints(input) else {
            let opset = axes_input_since(&node.op).unwrap_or(13);
            return Err(later(node, format!("its {attribute} are not known before the model runs"), opset));
        };
        node.inputs.truncate(1);
        node.attributes.retain(|(name, _)| name != "noop_with_empty_axes");
        node.attributes.push((attribute.into(), Attribute::Ints(values)));
        Ok(())
    }
}

/// Before set 13, all axes from one on count together.
fn softmax(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (x, axis) = (w.input(0), w.attribute("axis", 1));
    let along = || vec![("axes", Attribute::Ints(vec![axis])), ("keepdims", Attribute::Int(1))];
    let greatest = w.op_with("ReduceMax", &[&x], along())?;
    let below = w.op("Sub", &[&x, &greatest])?;
    let exp = w.op("Exp", &[&below])?;
    let axes = w.ints(&[axis]);
    let sum = w.op_with("ReduceSum", &[&exp, &axes], vec![("keepdims", Attribute::Int(1))])?;
    if w.node.op == "Softmax" {
        return w.emit("Div", &[&exp, &sum], vec![]);
    }
    let log = w.op("Log", &[&sum])?;
    w.emit("Sub", &[&below, &log], vec![])
}

/// A number that is not less is greater or equal, unless one is NaN.
fn or_equal(w: &mut Writer<'_, '_, '_>, order: &'static str) -> Result<()> {
    let (a, b) = (w.input(0), w.input(1));
    let (is_beyond, is_equal) = (w.op(order, &[&a, &b])?, w.op("Equal", &[&a, &b])?);
    w.emit("Or", &[&is_beyond, &is_equal], vec![])
}

/// The extreme of integers, which Max and Min have from set 12 on.
fn extreme(w: &mut Writer<'_, '_, '_>, order: &'static str) -> Result<()> {
    let mut inputs = w.node.inputs.clone();
    let last = inputs.pop().unwrap_or_default();
    let mut inputs = inputs.into_iter();
    let Some(mut value) = inputs.next() else { return w.emit("Identity", &[&last], vec![]) };
    for input in inputs {
        let is_beyond = w.op(order, &[&value, &input])?;
        value = w.op("Where", &[&is_beyond, &value, &input])?;
    }
    let is_beyond = w.op(order, &[&value, &last])?;
    w.emit("Where", &[&is_beyond, &value, &last], vec![])
}

/// A power of integers, as ONNX Runtime computes it in later sets.
fn power(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let dtype = w.dtype(&w.input(0))?;
    let (base, exponent) = (w.input(0), w.input(1));
    let (base, exponent) = (w.cast(&base, DType::Float64)?, w.cast(&exponent, DType::Float64)?);
    let power = w.op("Pow", &[&base, &exponent])?;
    w.emit_cast(&power, dtype)
}

fn clip(w: &mut Writer<'_, '_, '_>) -> Result<()> {
    let (value, least, greatest) = (w.input(0), w.input(1), w.input(2));
    let raised = if least.is_empty() { value } else { w.op("Max", &[&value, &least])? };
    match greatest.is_empty() {
        true => w.emit("Identity", &[&raised], vec![]),
        false => w.emit("Min", &[&raised, &greatest], vec![]),
    }
}
