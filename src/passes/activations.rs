//! Activations that ONNX has as one operator: the input has their arithmetic; the output has a node for each.
//!
//! - Hard swish is `x * relu6(x + 3) / 6`. Source: `hard_swish` in `slim/nets/mobilenet/conv_blocks.py`.
//! - Gelu is `x / 2 * (1 + erf(x / sqrt(2)))`, or `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`. Source: `gelu` in
//!   `tensorflow/python/ops/nn_ops.py`.
//!
//! Factors may be in any order, and a factor may divide instead.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::own_ops::{GELU, HARD_SWISH};
use crate::graph::{Attr, Attrs, Graph, Moved, Node, TensorRef};
use crate::tensor::{Constant, DType};

/// The operator sets that have the activations.
const HARD_SWISH_SINCE: i64 = 14;
const GELU_SINCE: i64 = 20;

/// The most tensors of a product.
const MAX_FACTORS: usize = 3;

/// Fuses the activations that the operator set `opset` has.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn fuse_activations(graph: Graph, opset: i64) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let Some((input, op, attrs)) = activation(rewriting.old, node, opset)? else { return Ok(None) };
        let input = rewriting.moved(input);
        rewriting.add(node.name.clone(), op, vec![input], attrs).map(Some)
    })
}

/// The input of the activation whose result a node computes, and its op with its attributes.
fn activation(graph: &Graph, node: &Node, opset: i64) -> Result<Option<(TensorRef, &'static str, Attrs)>> {
    let reading = Reading { graph };
    if opset < HARD_SWISH_SINCE || node.outputs[0].dtype != DType::Float32 {
        return Ok(None);
    }
    let Some(product) = reading.product_of(node, None)? else { return Ok(None) };
    for &factor in &product.tensors {
        let (x, number, op, attrs) = if let Some(x) = reading.ramp(factor)? {
            (x, 1.0 / 6.0, HARD_SWISH, Attrs::new())
        } else if let Some((x, approximate)) = reading.bell(factor)?.filter(|_| opset >= GELU_SINCE) {
            (x, 0.5, GELU, Attrs::from([("approximate", Attr::Bool(approximate))]))
        } else {
            continue;
        };
        // The other factor is the same input, which may be a product itself.
        let Some(product) = reading.product_of(node, Some(x))? else { continue };
        let is_whole = product.tensors.len() == 2
            && product.tensors.contains(&factor)
            && product.tensors.contains(&graph.origin(x))
            && is_near(product.number, number)
            && *graph.tensor_type(x) == node.outputs[0];
        if is_whole {
            return Ok(Some((x, op, attrs)));
        }
    }
    Ok(None)
}

/// Whether two numbers are equal but for rounding.
fn is_near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 4.0 * f32::EPSILON * b.abs()
}

/// Tensors that are multiplied with each other and with a number.
struct Product {
    number: f32,
    tensors: Vec<TensorRef>,
}

struct Reading<'g> {
    graph: &'g Graph,
}

impl<'g> Reading<'g> {
    fn source(&self, tensor: TensorRef) -> &'g Node {
        self.graph.node(self.graph.origin(tensor).node)
    }

    fn number(&self, tensor: TensorRef) -> Result<Option<f32>> {
        let is_scalar = self.graph.shape(tensor).rank() == Some(0);
        let constant = self.source(tensor).constant().filter(|_| is_scalar);
        let value = constant.map(Constant::to_f32s).transpose()?.flatten();
        Ok(value.and_then(|value| value.first().copied()))
    }

    /// The factors of a node that multiplies or divides, where `kept` is not split into its own; `None` for other nodes and for
    /// long products.
    fn product_of(&self, node: &Node, kept: Option<TensorRef>) -> Result<Option<Product>> {
        let kept = kept.map(|kept| self.graph.origin(kept));
        let Some(factors) = self.factors(node)? else { return Ok(None) };
        let mut product = Product { number: 1.0, tensors: vec![] };
        let mut open = vec![factors];
        while let Some((factors, divisor)) = open.pop() {
            product.number /= divisor;
            for factor in factors {
                let origin = self.graph.origin(factor);
                if let Some(number) = self.number(factor)? {
                    product.number *= number;
                    continue;
                }
                match self.factors(self.graph.node(origin.node))?.filter(|_| Some(origin) != kept) {
                    Some(split) => open.push(split),
                    None => product.tensors.push(origin),
                }
            }
            if product.tensors.len() + open.len() > MAX_FACTORS {
                return Ok(None);
            }
        }
        Ok(Some(product))
    }

    /// What a node multiplies, and the number that it divides by.
    fn factors(&self, node: &Node) -> Result<Option<(Vec<TensorRef>, f32)>> {
        let &[a, b] = &node.inputs[..] else { return Ok(None) };
        Ok(match node.op.as_str() {
            "Mul" => Some((vec![a, b], 1.0)),
            "RealDiv" => self.number(b)?.map(|divisor| (vec![a], divisor)),
            _ => None,
        })
    }

    /// The tensor that a node multiplies by a number, and the number.
    fn scaled(&self, tensor: TensorRef) -> Result<Option<(TensorRef, f32)>> {
        Ok(match self.factors(self.source(tensor))? {
            Some((factors, divisor)) => match factors[..] {
                [a] => Some((a, 1.0 / divisor)),
                [a, b] => match (self.number(a)?, self.number(b)?) {
                    (Some(number), None) => Some((b, number)),
                    (None, Some(number)) => Some((a, number)),
                    _ => None,
                },
                _ => None,
            },
            None => None,
        })
    }

    /// The other summand of a sum with a number.
    fn summand(&self, tensor: TensorRef, number: f32) -> Result<Option<TensorRef>> {
        let Some([a, b]) = self.summands(tensor) else { return Ok(None) };
        for (one, other) in [(a, b), (b, a)] {
            if self.number(one)? == Some(number) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    fn summands(&self, tensor: TensorRef) -> Option<[TensorRef; 2]> {
        let node = self.source(tensor);
        matches!(node.op.as_str(), "Add" | "AddV2").then(|| node.inputs[..].try_into().ok()).flatten()
    }

    /// `x`, if a tensor is `relu6(x + 3)`.
    fn ramp(&self, tensor: TensorRef) -> Result<Option<TensorRef>> {
        let ramp = self.source(tensor);
        if ramp.op == "Relu6" { self.summand(ramp.inputs[0], 3.0) } else { Ok(None) }
    }

    /// `x`, if a tensor is `1 + erf(x / sqrt(2))` or `erfc(-x / sqrt(2))`, and whether it is its approximation.
    fn bell(&self, tensor: TensorRef) -> Result<Option<(TensorRef, bool)>> {
        let complement = self.source(tensor);
        if complement.op == "Erfc" {
            let Some((of, number)) = self.scaled(complement.inputs[0])? else { return Ok(None) };
            let negated = self.source(of);
            let (of, number) = if negated.op == "Neg" { (negated.inputs[0], number) } else { (of, -number) };
            return Ok(is_near(number, FRAC_1_SQRT_2).then_some((of, false)));
        }
        let Some(bell) = self.summand(tensor, 1.0)?.map(|bell| self.source(bell)) else { return Ok(None) };
        if !matches!(bell.op.as_str(), "Erf" | "Tanh") {
            return Ok(None);
        }
        let Some((of, number)) = self.scaled(bell.inputs[0])? else { return Ok(None) };
        if bell.op == "Erf" {
            return Ok(is_near(number, FRAC_1_SQRT_2).then_some((of, false)));
        }
        let is_scale = is_near(number, FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
        let Some([a, b]) = self.summands(of).filter(|_| is_scale) else { return Ok(None) };
        for (x, cube) in [(a, b), (b, a)] {
            if self.is_small_cube(cube, x)? {
                return Ok(Some((x, true)));
            }
        }
        Ok(None)
    }

    /// Whether a tensor is `0.044715 * x ** 3`.
    fn is_small_cube(&self, tensor: TensorRef, x: TensorRef) -> Result<bool> {
        let is_x = |tensor: TensorRef| self.graph.origin(tensor) == self.graph.origin(x);
        let Some(Product { number, tensors }) = self.product_of(self.source(tensor), Some(x))? else {
            return Ok(false);
        };
        let is_cube = match &tensors[..] {
            &[power] => {
                let node = self.source(power);
                node.op == "Pow" && is_x(node.inputs[0]) && self.number(node.inputs[1])? == Some(3.0)
            }
            three => three.len() == 3 && three.iter().all(|&factor| is_x(factor)),
        };
        Ok(is_near(number, 0.044_715) && is_cube)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    /// The op that `y` becomes in a graph of ops, each written as `NAME = Op INPUT INPUT`, over the input `x` and numbers.
    fn fused(lines: &[&str], opset: i64) -> String {
        let mut graph = crate::ops::new_graph();
        let shape = Shape::new(vec![None, Some(3)]);
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(shape))];
        graph.add("x", "Placeholder", vec![], attrs.into()).unwrap();
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut inputs = vec![];
            for word in &words[3..] {
                if let Ok(number) = word.parse() {
                    let value = Attr::Tensor(Constant::from_f32(vec![], &[number]));
                    let name = format!("{}/{word}", words[0]);
                    inputs.push(graph.add(name, "Const", vec![], [("value", value)].into()).unwrap().into());
                } else {
                    inputs.push(graph.find(word).unwrap().into());
                }
            }
            graph.add(words[0], words[2], inputs, Attrs::new()).unwrap();
        }
        let (graph, _) = fuse_activations(graph, opset).unwrap();
        let node = graph.node(graph.find("y").unwrap());
        let suffix = if node.bool("approximate", false) { " approximate" } else { "" };
        format!("{}{suffix}", node.op)
    }

    const RAMP: [&str; 2] = ["s = AddV2 x 3", "r = Relu6 s"];

    #[test]
    fn hard_swish_is_found_in_every_order() {
        let orders: [&[&str]; 4] = [
            &["a = Mul x r", "y = Mul a 0.16666667"],
            &["a = Mul r 0.16666667", "y = Mul x a"],
            &["a = RealDiv r 6", "y = Mul a x"],
            &["a = Mul r x", "y = RealDiv a 6"],
        ];
        for lines in orders {
            assert_eq!(fused(&[&RAMP, lines].concat(), 14), HARD_SWISH, "{lines:?}");
            assert_eq!(fused(&[&RAMP, lines].concat(), 13), lines[1].split(' ').nth(2).unwrap());
        }
    }

    #[test]
    fn the_input_may_be_a_product_itself() {
        let lines = ["w = Mul x 2", "s = AddV2 w 3", "r = Relu6 s", "a = RealDiv r 6", "y = Mul w a"];
        assert_eq!(fused(&lines, 14), HARD_SWISH);
        let lines = [
            "w = Mul x 2",
            "u = Mul w 0.70710677",
            "e = Erf u",
            "c = AddV2 e 1",
            "h = Mul w 0.5",
            "y = Mul h c",
        ];
        assert_eq!(fused(&lines, 20), GELU);
    }

    #[test]
    fn gelu_is_found_with_both_functions() {
        let exact = ["u = RealDiv x 1.4142135", "e = Erf u", "c = AddV2 1 e"];
        for lines in [["h = Mul 0.5 x", "y = Mul h c"], ["h = Mul 0.5 c", "y = Mul x h"]] {
            assert_eq!(fused(&[&exact[..], &lines].concat(), 20), GELU);
            assert_eq!(fused(&[&exact[..], &lines].concat(), 19), "Mul");
        }
        let inner = ["p = Pow x 3", "q = Mul p 0.044715", "w = AddV2 x q", "v = Mul w 0.7978846"];
        let outer = ["t = Tanh v", "c = AddV2 t 1", "h = Mul c 0.5", "y = Mul x h"];
        assert_eq!(fused(&[&inner[..], &outer].concat(), 20), format!("{GELU} approximate"));
        let products = ["k = Mul x x", "p = Mul k x"];
        assert_eq!(fused(&[&products[..], &inner[1..], &outer].concat(), 20), format!("{GELU} approximate"));
        // As JAX writes it.
        for opposite in [&["n = Neg x", "u = Mul n 0.70710677"][..], &["u = Mul x -0.70710677"]] {
            let lines = [opposite, &["e = Erfc u", "h = Mul 0.5 x", "y = Mul h e"]].concat();
            assert_eq!(fused(&lines, 20), GELU, "{opposite:?}");
        }
    }

    #[test]
    fn what_only_resembles_an_activation_stays() {
        assert_eq!(fused(&["s = AddV2 x 2", "r = Relu6 s", "a = Mul x r", "y = RealDiv a 6"], 20), "RealDiv");
        assert_eq!(fused(&["s = AddV2 x 3", "r = Relu6 s", "a = Mul x r", "y = Mul a 0.17"], 20), "Mul");
        assert_eq!(
            fused(&["s = AddV2 x 3", "r = Relu6 s", "z = Neg x", "a = Mul z r", "y = RealDiv a 6"], 20),
            "RealDiv"
        );
        assert_eq!(fused(&["e = Erf x", "c = AddV2 1 e", "h = Mul 0.5 c", "y = Mul x h"], 20), "Mul");
        let other = ["u = Mul x 0.70710677", "e = Erfc u", "h = Mul 0.5 x", "y = Mul h e"];
        assert_eq!(fused(&other, 20), "Mul");
    }
}
