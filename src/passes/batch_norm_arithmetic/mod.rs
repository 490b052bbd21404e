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
    let reading = Reading { graph, statistics: Statistics::OfChannels };
    let found = reading.normalization(node)?;
    Ok(found.and_then(|found| reading.checked(found)))
}

/// The parts of a normalization whose variance is a mean, and whose result `node` computes. Their shapes are not checked.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn by_own_statistics(graph: &Graph, node: &Node) -> Result<Option<Found>> {
    Reading { graph, statistics: Statistics::OfTheInput }.normalization(node)
}

/// The parts of a normalization before their shapes are checked.
pub struct Found {
    /// The tensor that is normalized.
    pub input: TensorRef,
    /// The mean.
    pub mean: TensorRef,
    /// The factors of its result.
    pub scale: Scale,
    /// The offset.
    pub beta: Option<TensorRef>,
}

/// `gamma / sqrt(variance + epsilon)`.
#[derive(Clone, Copy)]
pub struct Scale {
    /// The scale.
    pub gamma: Option<TensorRef>,
    /// The variance.
    pub variance: TensorRef,
    /// The number that is added to the variance.
    pub epsilon: f32,
}

/// What a normalization divides by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Statistics {
    /// Numbers for each channel.
    OfChannels,
    /// Numbers that are computed from its input.
    OfTheInput,
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
    statistics: Statistics,
}

impl<'g> Reading<'g> {
    fn source(&self, tensor: TensorRef) -> &'g Node {
        self.graph.node(self.graph.origin(tensor).node)
    }

    fn normalization(&self, node: &'g Node) -> Result<Option<Found>> {
        // Most nodes are none of these, which is known at once.
        if !matches!(node.op.as_str(), "Add" | "AddV2" | "Sub" | "Mul" | "RealDiv" | "Div") {
            return Ok(None);
        }
        match self.scaled_and_shifted(node)? {
            None => self.centered_and_scaled(node),
            found => Ok(found),
        }
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
                (Some([a, b]), _) if self.is_factor(b)? && rank(b) <= rank(a) => {
                    factors.push(Factor::Times(b));
                    a
                }
                (Some([a, b]), _) if self.is_factor(a)? => {
                    factors.push(Factor::Times(a));
                    b
                }
                (_, Some([a, b])) if self.is_factor(b)? || self.root(Factor::Over(b))?.is_some() => {
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

    /// Whether the centered input may be multiplied by a tensor: by gamma, by the scale, or by a part of it.
    fn is_factor(&self, tensor: TensorRef) -> Result<bool> {
        Ok(self.is_parameter(tensor)
            || (self.statistics == Statistics::OfTheInput && self.scale(&[Factor::Times(tensor)])?.is_some()))
    }

    fn is_variance(&self, tensor: TensorRef) -> bool {
        match self.statistics {
            Statistics::OfChannels => self.is_parameter(tensor),
            Statistics::OfTheInput => self.source(tensor).op == "Mean",
        }
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
            if let Some(epsilon) = self.number(epsilon)?.filter(|_| self.is_variance(variance)) {
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
        // Filters may be normalized too, but not by a batch norm.
        let normalized = self.source(input);
        if normalized.is_variable() || normalized.constant().is_some() {
            return None;
        }
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
mod tests;
