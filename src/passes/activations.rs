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
    let Some(Product { number, tensors }) = reading.product_of(node)? else { return Ok(None) };
    let &[a, b] = &tensors[..] else { return Ok(None) };
    for (x, other) in [(a, b), (b, a)] {
        if *graph.tensor_type(x) != node.outputs[0] {
            continue;
        }
        if is_near(number, 1.0 / 6.0) && reading.is_ramp(other, x)? {
            return Ok(Some((x, HARD_SWISH, Attrs::new())));
        }
        if opset >= GELU_SINCE && is_near(number, 0.5) {
            if let Some(approximate) = reading.bell(other, x)? {
                return Ok(Some((x, GELU, Attrs::from([("approximate", Attr::Bool(approximate))]))));
            }
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

    /// The factors of a node that multiplies or divides; `None` for other nodes and for long products.
    fn product_of(&self, node: &Node) -> Result<Option<Product>> {
        if !matches!(node.op.as_str(), "Mul" | "RealDiv") {
            return Ok(None);
        }
        let mut product = Product { number: 1.0, tensors: vec![] };
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            let &[a, b] = &node.inputs[..] else { return Ok(None) };
            let factors = match (node.op.as_str(), self.number(b)?) {
                ("Mul", _) => vec![a, b],
                (_, Some(divisor)) => {
                    product.number /= divisor;
                    vec![a]
                }
                _ => return Ok(None),
            };
            for factor in factors {
                let source = self.source(factor);
                match self.number(factor)? {
                    Some(number) => product.number *= number,
                    None if self.is_split(source)? => open.push(source),
                    None => product.tensors.push(self.graph.origin(factor)),
                }
            }
            if product.tensors.len() + open.len() > MAX_FACTORS {
                return Ok(None);
            }
        }
        Ok(Some(product))
    }

    fn is_split(&self, node: &Node) -> Result<bool> {
        Ok(match node.op.as_str() {
            "Mul" => true,
            "RealDiv" => self.number(node.inputs[1])?.is_some(),
            _ => false,
        })
    }

    /// The other summand of a sum with a number.
    fn summand(&self, tensor: TensorRef, number: f32) -> Result<Option<TensorRef>> {
        let node = self.source(tensor);
        let ("Add" | "AddV2", &[a, b]) = (node.op.as_str(), &node.inputs[..]) else { return Ok(None) };
        for (one, other) in [(a, b), (b, a)] {
            if self.number(one)? == Some(number) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    fn is_same(&self, a: TensorRef, b: TensorRef) -> bool {
        self.graph.origin(a) == self.graph.origin(b)
    }

    /// Whether a tensor is `relu6(x + 3)`.
    fn is_ramp(&self, tensor: TensorRef, x: TensorRef) -> Result<bool> {
        let ramp = self.source(tensor);
        if ramp.op != "Relu6" {
            return Ok(false);
        }
        Ok(self.summand(ramp.inputs[0], 3.0)?.is_some_and(|input| self.is_same(input, x)))
    }

    /// Whether a tensor is `1 + erf(x / sqrt(2))`: `Some(false)`, or its approximation: `Some(true)`.
    fn bell(&self, tensor: TensorRef, x: TensorRef) -> Result<Option<bool>> {
        let Some(bell) = self.summand(tensor, 1.0)? else { return Ok(None) };
        let bell = self.source(bell);
        let Some(argument) = bell.inputs.first().map(|&input| self.source(input)) else { return Ok(None) };
        let Some(Product { number, tensors }) = self.product_of(argument)? else { return Ok(None) };
        let &[of] = &tensors[..] else { return Ok(None) };
        Ok(match bell.op.as_str() {
            "Erf" if is_near(number, FRAC_1_SQRT_2) && self.is_same(of, x) => Some(false),
            "Tanh" if is_near(number, FRAC_2_SQRT_PI * FRAC_1_SQRT_2) && self.is_cubic(of, x)? => Some(true),
            _ => None,
        })
    }

    /// Whether a tensor is `x + 0.044715 * x ** 3`.
    fn is_cubic(&self, tensor: TensorRef, x: TensorRef) -> Result<bool> {
        let sum = self.source(tensor);
        let ("Add" | "AddV2", &[a, b]) = (sum.op.as_str(), &sum.inputs[..]) else { return Ok(false) };
        let cube = match (self.is_same(a, x), self.is_same(b, x)) {
            (true, false) => b,
            (false, true) => a,
            _ => return Ok(false),
        };
        let Some(Product { number, tensors }) = self.product_of(self.source(cube))? else { return Ok(false) };
        let is_cube = match &tensors[..] {
            &[power] => {
                let node = self.source(power);
                node.op == "Pow"
                    && self.is_same(node.inputs[0], x)
                    && self.number(node.inputs[1])? == Some(3.0)
            }
            three => three.len() == 3 && three.iter().all(|&factor| self.is_same(factor, x)),
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
    fn gelu_is_found_with_both_functions() {
        let exact = ["u = RealDiv x 1.4142135", "e = Erf u", "c = AddV2 1 e"];
        for lines in [["h = Mul 0.5 x", "y = Mul h c"], ["h = Mul 0.5 c", "y = Mul x h"]] {
            assert_eq!(fused(&[&exact[..], &lines].concat(), 20), GELU);
            assert_eq!(fused(&[&exact[..], &lines].concat(), 19), "Mul");
        }
        let inner = ["p = Pow x 3", "q = Mul p 0.044715", "w = AddV2 x q", "v = Mul w 0.7978846"];
        let outer = ["t = Tanh v", "c = AddV2 t 1", "h = Mul c 0.5", "y = Mul x h"];
        assert_eq!(fused(&[&inner[..], &outer].concat(), 20), "Gelu approximate");
        let products = ["k = Mul x x", "p = Mul k x"];
        assert_eq!(fused(&[&products[..], &inner[1..], &outer].concat(), 20), "Gelu approximate");
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
    }
}
