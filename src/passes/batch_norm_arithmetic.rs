//! Batch norms that are written as arithmetic: how they are recognized, and what they are computed from.
//!
//! `tf.nn.batch_normalization` computes `x * scale + (beta - mean * scale)` with `scale = gamma / sqrt(variance + epsilon)`;
//! others write `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, in any order. Without gamma or beta these are
//! left out.
//!
//! Source: `batch_normalization` in `tensorflow/python/ops/nn_impl.py`.

use hashbrown::HashSet;

use crate::error::Result;
use crate::graph::{DataFormat, Graph, Node, NodeId, TensorRef};
use crate::tensor::{Constant, DType};

/// The tensors that a batch norm is computed from. All parts but the input have an element for each channel: as vectors,
/// or with lengths of 1 along the other axes of the input.
pub struct Parts {
    /// The tensor that is normalized.
    pub input: TensorRef,
    /// The scale.
    pub gamma: Option<TensorRef>,
    /// The offset.
    pub beta: Option<TensorRef>,
    /// The mean.
    pub mean: TensorRef,
    /// The variance.
    pub variance: TensorRef,
    /// The number that is added to the variance.
    pub epsilon: f32,
    /// How many channels there are.
    pub channels: usize,
    /// The axis of the input that they are on; the last one where its rank is not known.
    pub axis: DataFormat,
}

impl Parts {
    fn all(&self) -> impl Iterator<Item = TensorRef> {
        let parts = [Some(self.input), self.gamma, self.beta, Some(self.mean), Some(self.variance)];
        parts.into_iter().flatten()
    }
}

/// The nodes of a graph that compute batch norms from their parts. Where the parts are constants, so are some of these
/// nodes. Once these have been folded, a batch norm cannot be distinguished from a product and a sum.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn arithmetic(graph: &Graph) -> Result<HashSet<NodeId>> {
    let mut found = HashSet::new();
    for (id, node) in graph.nodes() {
        let Some(parts) = spelled_out(graph, node)? else { continue };
        let part_tensors: HashSet<TensorRef> = parts.all().collect();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let inputs = graph.node(id).inputs.iter().filter(|&&input| !part_tensors.contains(&input));
            open.extend(inputs.map(|input| input.node).filter(|&input| found.insert(input)));
        }
        found.insert(id);
    }
    Ok(found)
}

/// The parts of the batch norm whose result `node` computes.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn spelled_out(graph: &Graph, node: &Node) -> Result<Option<Parts>> {
    let reading = Reading { graph };
    let found = match reading.scaled_and_shifted(node)? {
        None => reading.centered_and_scaled(node)?,
        found => found,
    };
    Ok(found.and_then(|found| reading.checked(found)))
}

/// The parts of a batch norm before their shapes are checked.
struct Found {
    input: TensorRef,
    mean: TensorRef,
    scale: Scale,
    beta: Option<TensorRef>,
}

/// `gamma / sqrt(variance + epsilon)`.
#[derive(Clone, Copy)]
struct Scale {
    gamma: Option<TensorRef>,
    variance: TensorRef,
    epsilon: f32,
}

/// A tensor that is multiplied with, or divided by.
#[derive(Clone, Copy)]
enum Factor {
    Times(TensorRef),
    Over(TensorRef),
}

const ADD: [&str; 2] = ["Add", "AddV2"];
const MUL: [&str; 1] = ["Mul"];
const SUB: [&str; 1] = ["Sub"];
const DIV: [&str; 2] = ["RealDiv", "Div"];

/// How many factors a batch norm has at most: gamma, the root, and ones.
const MAX_FACTORS: usize = 4;

fn operands(node: &Node, ops: &[&str]) -> Option<[TensorRef; 2]> {
    ops.contains(&node.op.as_str()).then(|| <[TensorRef; 2]>::try_from(&node.inputs[..]).ok()).flatten()
}

struct Reading<'g> {
    graph: &'g Graph,
}

impl<'g> Reading<'g> {
    fn source(&self, tensor: TensorRef) -> &'g Node {
        self.graph.node(self.graph.origin(tensor).node)
    }

    /// `x * scale + (beta - mean * scale)`, and without beta `x * scale + -mean * scale`.
    fn scaled_and_shifted(&self, node: &Node) -> Result<Option<Found>> {
        let Some([a, b]) = operands(node, &ADD) else { return Ok(None) };
        for (scaled, offset) in [(a, b), (b, a)] {
            let offset = self.source(offset);
            let (beta, scaled_mean) = match operands(offset, &SUB) {
                Some([beta, scaled_mean]) => (Some(beta), self.source(scaled_mean)),
                None => (None, offset),
            };
            let found = self.with_mean(scaled, operands(scaled_mean, &MUL), beta, beta.is_none())?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A product of the input and a factor that scales the mean too.
    fn with_mean(
        &self,
        scaled: TensorRef,
        scaled_mean: Option<[TensorRef; 2]>,
        beta: Option<TensorRef>,
        is_negated: bool,
    ) -> Result<Option<Found>> {
        let (Some([a, b]), Some([c, d])) = (operands(self.source(scaled), &MUL), scaled_mean) else {
            return Ok(None);
        };
        for (input, factor, mean) in [(a, b, (c, d)), (b, a, (c, d)), (a, b, (d, c)), (b, a, (d, c))] {
            let (mean, scales_mean) = mean;
            if factor != scales_mean || mean == factor {
                continue;
            }
            let negated = self.source(mean);
            let mean = match (is_negated, negated.op.as_str()) {
                (false, _) => mean,
                (true, "Neg") => negated.inputs[0],
                (true, _) => continue,
            };
            if let Some(scale) = self.scale(&[Factor::Times(factor)])? {
                return Ok(Some(Found { input, mean, scale, beta }));
            }
        }
        Ok(None)
    }

    /// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` with its factors in any order, or `x * scale - mean * scale + beta`.
    fn centered_and_scaled(&self, node: &'g Node) -> Result<Option<Found>> {
        if let Some([a, b]) = operands(node, &ADD) {
            for (product, beta) in [(a, b), (b, a)] {
                if let Some(found) = self.without_beta(self.source(product))? {
                    return Ok(Some(Found { beta: Some(beta), ..found }));
                }
            }
        }
        self.without_beta(node)
    }

    fn without_beta(&self, node: &'g Node) -> Result<Option<Found>> {
        match operands(node, &SUB) {
            Some([scaled, scaled_mean]) => {
                self.with_mean(scaled, operands(self.source(scaled_mean), &MUL), None, false)
            }
            None => self.centered_product(node),
        }
    }

    /// `x - mean` times factors that make a scale.
    fn centered_product(&self, product: &'g Node) -> Result<Option<Found>> {
        let (mut node, mut factors) = (product, vec![]);
        // The input may also have only one long axis, but not a lower rank. An input of unknown rank comes last.
        let rank = |tensor: TensorRef| self.graph.shape(tensor).rank().unwrap_or(usize::MAX);
        while factors.len() < MAX_FACTORS {
            if let Some([input, mean]) = operands(node, &SUB) {
                let scale = self.scale(&factors)?;
                return Ok(scale.map(|scale| Found { input, mean, scale, beta: None }));
            }
            let data = match (operands(node, &MUL), operands(node, &DIV)) {
                (Some([a, b]), _) if self.is_parameter(b) && rank(b) <= rank(a) => {
                    factors.push(Factor::Times(b));
                    a
                }
                (Some([a, b]), _) if self.is_parameter(a) => {
                    factors.push(Factor::Times(a));
                    b
                }
                (_, Some([a, b])) if self.is_parameter(b) => {
                    factors.push(Factor::Over(b));
                    a
                }
                _ => return Ok(None),
            };
            node = self.source(data);
        }
        Ok(None)
    }

    fn is_parameter(&self, tensor: TensorRef) -> bool {
        self.channels(tensor).is_some()
    }

    /// The length of a vector, or of the only axis that is longer than 1, and how many axes follow it.
    fn channels(&self, tensor: TensorRef) -> Option<(usize, usize)> {
        let shape = self.graph.shape(tensor).fully_known()?;
        if let [channels] = shape[..] {
            return Some((channels, 0));
        }
        let mut long = shape.iter().rev().enumerate().filter(|&(_, &length)| length != 1);
        let (after, &channels) = long.next()?;
        long.next().is_none().then_some((channels, after))
    }

    /// The scale of a product that has the root of a variance once, and otherwise gamma at most.
    fn scale(&self, factors: &[Factor]) -> Result<Option<Scale>> {
        let mut open = factors.to_vec();
        let (mut root, mut gamma) = (None, None);
        while let Some(factor) = open.pop() {
            if let Some(found) = self.root(factor)? {
                if root.replace(found).is_some() {
                    return Ok(None);
                }
                continue;
            }
            let Factor::Times(tensor) = factor else { return Ok(None) };
            if self.graph.shape(tensor).rank() == Some(0) && self.number(tensor)? == Some(1.0) {
                continue;
            }
            let node = self.source(tensor);
            // A computed gamma is not split into its factors.
            let split = match (operands(node, &MUL), operands(node, &DIV)) {
                (Some([a, b]), _) => Some([Factor::Times(a), Factor::Times(b)]),
                (_, Some([a, b])) => Some([Factor::Times(a), Factor::Over(b)]),
                _ => None,
            };
            let has_root = |factors: &[Factor; 2]| -> Result<bool> {
                Ok(self.root(factors[0])?.is_some() || self.root(factors[1])?.is_some())
            };
            match split {
                Some(factors) if has_root(&factors)? => open.extend(factors),
                _ if gamma.is_none() => gamma = Some(tensor),
                _ => return Ok(None),
            }
        }
        Ok(root.map(|(variance, epsilon)| Scale { gamma, variance, epsilon }))
    }

    /// Variance and epsilon of a factor `1 / sqrt(variance + epsilon)`.
    fn root(&self, factor: Factor) -> Result<Option<(TensorRef, f32)>> {
        let (tensor, op) = match factor {
            Factor::Times(tensor) => (tensor, "Rsqrt"),
            Factor::Over(tensor) => (tensor, "Sqrt"),
        };
        let node = self.source(tensor);
        match (node.op.as_str(), factor) {
            (found, _) if found == op => self.widened_variance(node.inputs[0]),
            ("Reciprocal" | "Inv", Factor::Times(_)) => self.root(Factor::Over(node.inputs[0])),
            ("RealDiv" | "Div", Factor::Times(_)) if self.number(node.inputs[0])? == Some(1.0) => {
                self.root(Factor::Over(node.inputs[1]))
            }
            ("Pow", _) => {
                let exponent = if matches!(factor, Factor::Times(_)) { -0.5 } else { 0.5 };
                if self.number(node.inputs[1])? != Some(exponent) {
                    return Ok(None);
                }
                self.widened_variance(node.inputs[0])
            }
            _ => Ok(None),
        }
    }

    fn widened_variance(&self, sum: TensorRef) -> Result<Option<(TensorRef, f32)>> {
        let Some([a, b]) = operands(self.source(sum), &ADD) else { return Ok(None) };
        for (variance, epsilon) in [(a, b), (b, a)] {
            if let Some(epsilon) = self.number(epsilon)?.filter(|_| self.is_parameter(variance)) {
                return Ok(Some((variance, epsilon)));
            }
        }
        Ok(None)
    }

    /// The value of a constant of one element.
    fn number(&self, tensor: TensorRef) -> Result<Option<f32>> {
        let constant = self.source(tensor).constant().filter(|constant| constant.len() == 1);
        let value = constant.map(Constant::to_f32s).transpose()?.flatten();
        Ok(value.and_then(|value| value.first().copied()))
    }

    /// The parts, where their shapes are those of a batch norm whose channels are the last axis.
    fn checked(&self, found: Found) -> Option<Parts> {
        let Found { input, mean, scale: Scale { gamma, variance, epsilon }, beta } = found;
        let (channels, after) = self.channels(variance)?;
        let shape = self.graph.shape(input);
        let axis = match (shape.rank(), after) {
            (Some(0 | 1), _) => return None,
            (_, 0) => DataFormat::ChannelsLast,
            (Some(rank), after) if rank == after + 2 => DataFormat::ChannelsFirst,
            _ => return None,
        };
        let channel = shape.rank().and_then(|rank| shape.dim(axis.channel_axis(rank)));
        let rank_of = |tensor: TensorRef| self.graph.shape(tensor).rank().unwrap_or(usize::MAX);
        let is_like_variance = |tensor: TensorRef| {
            self.channels(tensor) == Some((channels, after)) && rank_of(tensor) <= shape.rank().unwrap_or(1)
        };
        let is_normalized = channel.is_none_or(|channel| channel == channels)
            && [Some(mean), Some(variance), gamma, beta].into_iter().flatten().all(is_like_variance)
            && self.graph.tensor_type(input).dtype == DType::Float32;
        is_normalized.then_some(Parts { input, gamma, beta, mean, variance, epsilon, channels, axis })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fold::simplify;
    use super::super::fuse_batch_norm::fuse_batch_norms;
    use super::*;
    use crate::graph::{Attr, Attrs, Shape};

    /// A graph of ops, each written as `NAME = Op INPUT INPUT`, over the input `x`, vectors of constants and numbers.
    fn graph(shape: &[usize], lines: &[&str]) -> Graph {
        let mut graph = crate::ops::new_graph();
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))];
        graph.add("x", "Placeholder", vec![], attrs.into()).unwrap();
        let vector = |values: [f32; 2]| Constant::from_f32(vec![2], &values);
        let number = |value: f32| Constant::from_f32(vec![], &[value]);
        let constants = [
            ("gamma", vector([2.0, 3.0])),
            ("beta", vector([4.0, 5.0])),
            ("mean", vector([6.0, 7.0])),
            ("variance", vector([8.0, 9.0])),
            ("epsilon", number(0.25)),
            ("one", number(1.0)),
            ("half", number(0.5)),
            ("minus_half", number(-0.5)),
        ];
        let second = Constant::from_i32(vec![4], &[1, 2, 1, 1]);
        graph.add("second", "Const", vec![], [("value", Attr::Tensor(second))].into()).unwrap();
        for (name, value) in constants {
            graph.add(name, "Const", vec![], [("value", Attr::Tensor(value))].into()).unwrap();
        }
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let inputs = words[3..].iter().map(|name| graph.find(name).unwrap().into()).collect();
            graph.add(words[0], words[2], inputs, Attrs::new()).unwrap();
        }
        graph
    }

    fn simplified_and_fused(graph: Graph) -> Graph {
        let y = graph.find_tensor("y").unwrap();
        let (simple, _) = simplify(graph, &[y]).unwrap();
        fuse_batch_norms(simple).unwrap().0
    }

    /// The names of the inputs of the node that `y` becomes after constant folding, and its epsilon.
    fn fused(graph: Graph) -> Option<(Vec<String>, f32)> {
        let graph = simplified_and_fused(graph);
        let node = graph.node(graph.find("y").unwrap());
        let is_fused = node.op == "FusedBatchNormV3";
        let parts = node.inputs.iter().map(|&input| graph.node(input.node).name.clone()).collect();
        is_fused.then(|| (parts, node.float("epsilon", 0.0)))
    }

    fn parts(names: &str) -> Option<(Vec<String>, f32)> {
        Some((names.split_whitespace().map(str::to_owned).collect(), 0.25))
    }

    const WIDENED: &str = "w = AddV2 variance epsilon";
    const ALL: &str = "x gamma beta mean variance";

    #[test]
    fn every_spelling_of_constants_is_one_batch_norm() {
        let spellings: [&[&str]; 8] = [
            &[
                "r = Rsqrt w",
                "s = Mul r gamma",
                "a = Mul x s",
                "m = Mul mean s",
                "o = Sub beta m",
                "y = AddV2 a o",
            ],
            &[
                "r = Rsqrt w",
                "s = Mul gamma r",
                "a = Mul s x",
                "m = Mul s mean",
                "o = Sub a m",
                "y = Add beta o",
            ],
            &["c = Sub x mean", "r = Rsqrt w", "n = Mul c r", "g = Mul n gamma", "y = AddV2 g beta"],
            &["c = Sub x mean", "r = Sqrt w", "n = RealDiv c r", "g = Mul gamma n", "y = AddV2 beta g"],
            &["c = Sub x mean", "r = Sqrt w", "n = Mul gamma c", "g = RealDiv n r", "y = AddV2 g beta"],
            &["c = Sub x mean", "r = Sqrt w", "s = RealDiv gamma r", "n = Mul c s", "y = AddV2 n beta"],
            &["c = Sub x mean", "r = Pow w minus_half", "n = Mul r c", "g = Mul n gamma", "y = AddV2 g beta"],
            &[
                "c = Sub x mean",
                "q = Sqrt w",
                "r = RealDiv one q",
                "n = Mul r c",
                "g = Mul n gamma",
                "y = AddV2 g beta",
            ],
        ];
        for lines in spellings {
            for shape in [&[5, 2][..], &[1, 4, 2], &[1, 4, 4, 2], &[1, 3, 4, 4, 2]] {
                assert_eq!(fused(graph(shape, &[&[WIDENED], lines].concat())), parts(ALL), "{lines:?}");
            }
        }
    }

    #[test]
    fn channels_may_be_the_second_axis() {
        let reshaped: Vec<String> = ["mean", "variance", "gamma", "beta"]
            .iter()
            .map(|part| format!("{part}_b = Reshape {part} second"))
            .collect();
        let lines: Vec<&str> = reshaped.iter().map(String::as_str).collect();
        let spelled = [
            "w = AddV2 variance_b epsilon",
            "r = Rsqrt w",
            "s = Mul r gamma_b",
            "a = Mul x s",
            "m = Mul mean_b s",
            "o = Sub beta_b m",
            "y = AddV2 a o",
        ];
        let lines = [&lines[..], &spelled].concat();
        let fused = |shape: &[usize]| {
            let graph = simplified_and_fused(graph(shape, &lines));
            let node = graph.node(graph.find("y").unwrap()).clone();
            let is_fused = node.op == "FusedBatchNormV3" && node.data_format() == DataFormat::ChannelsFirst;
            is_fused.then(|| graph.constant(node.inputs[1]).unwrap().to_f32s().unwrap().unwrap())
        };
        assert_eq!(fused(&[5, 2, 4, 4]), Some(vec![2.0, 3.0]));
        assert_eq!(fused(&[5, 1, 4, 4]), None);
    }

    #[test]
    fn gamma_and_beta_may_be_missing() {
        let no_beta = ["c = Sub x mean", "r = Rsqrt w", "n = Mul c r", "y = Mul n gamma"];
        let no_gamma = ["c = Sub x mean", "r = Sqrt w", "n = RealDiv c r", "y = AddV2 n beta"];
        let unit = ["c = Sub x mean", "r = Rsqrt w", "s = Mul one r", "y = Mul c s"];
        let neither = ["r = Rsqrt w", "a = Mul x r", "n = Neg mean", "m = Mul n r", "y = AddV2 a m"];
        let subtracted = ["r = Rsqrt w", "a = Mul x r", "m = Mul mean r", "y = Sub a m"];
        for (lines, names) in [
            (&no_beta[..], "x gamma y/beta mean variance"),
            (&no_gamma, "x y/gamma beta mean variance"),
            (&unit, "x y/gamma y/beta mean variance"),
            (&neither, "x y/gamma y/beta mean variance"),
            (&subtracted, "x y/gamma y/beta mean variance"),
        ] {
            assert_eq!(fused(graph(&[1, 4, 4, 2], &[&[WIDENED], lines].concat())), parts(names), "{lines:?}");
        }
    }

    #[test]
    fn what_only_resembles_a_batch_norm_is_none() {
        let mean_scaled_otherwise =
            ["r = Rsqrt w", "a = Mul x r", "m = Mul mean gamma", "o = Sub beta m", "y = AddV2 a o"];
        let root_twice = ["c = Sub x mean", "r = Rsqrt w", "n = Mul c r", "y = Mul n r"];
        let multiplied_by_the_root = ["c = Sub x mean", "r = Sqrt w", "y = Mul c r"];
        let negated = ["c = Sub mean x", "r = Rsqrt w", "y = Mul c r"];
        let squared = ["c = Sub x mean", "r = Pow w half", "y = Mul c r"];
        for lines in [&mean_scaled_otherwise[..], &multiplied_by_the_root, &negated, &squared] {
            assert_eq!(fused(graph(&[1, 4, 4, 2], &[&[WIDENED], lines].concat())), None, "{lines:?}");
        }
        // The first root is that of a batch norm, and the second is not its gamma.
        assert_eq!(fused(graph(&[1, 4, 4, 2], &[&[WIDENED], &root_twice[..]].concat())), None);
        // Broadcasting one channel changes the shape.
        let repeated = ["c = Sub x mean", "r = Rsqrt w", "y = Mul c r"];
        assert_eq!(fused(graph(&[4, 4, 1], &[&[WIDENED], &repeated[..]].concat())), None);
    }
}
