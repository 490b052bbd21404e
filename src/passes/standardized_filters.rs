//! Filters that are standardized when the model runs: the input computes the mean and the variance of each filter of a constant,
//! and divides by the deviation; the output has the constant that results.
//!
//! Source: `StandardizedConv2D` in `bit_tf2/models.py` of github.com/google-research/big_transfer.

use super::batch_norm_arithmetic::{Found, Scale, by_own_statistics};
use super::layer_norm::{is_same, is_squared_difference, kept_mean};
use super::rewrite::rewrite;
use crate::error::Result;
use crate::graph::{Attr, Attrs, Graph, Moved, Node};
use crate::tensor::Constant;

/// Computes the standardized filters of a graph whose variables are constants.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn standardize_filters(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let Some((filters, epsilon)) = standardization(rewriting.old, node)? else { return Ok(None) };
        let Some(value) = standardized(filters, epsilon)? else { return Ok(None) };
        let attrs = Attrs::from([("value", Attr::Tensor(value))]);
        rewriting.add(node.name.clone(), "Const", vec![], attrs).map(Some)
    })
}

/// The filters that `node` standardizes, and what is added to their variances.
fn standardization<'g>(graph: &'g Graph, node: &Node) -> Result<Option<(&'g Constant, f32)>> {
    let Some(Found { input, mean, scale, beta: None }) = by_own_statistics(graph, node)? else {
        return Ok(None);
    };
    let Scale { gamma: None, variance, epsilon } = scale else { return Ok(None) };
    let source = |tensor| graph.node(graph.origin(tensor).node);
    let Some(filters) = source(input).constant().filter(|constant| constant.shape().len() > 1) else {
        return Ok(None);
    };
    let axes: Vec<i64> = (0..filters.shape().len() as i64 - 1).collect();
    let averaged = kept_mean(graph, source(mean), &axes, filters.shape().len())?;
    let squared = kept_mean(graph, source(variance), &axes, filters.shape().len())?;
    let is_own = averaged.is_some_and(|averaged| is_same(graph, averaged, input))
        && squared.is_some_and(|squared| is_squared_difference(graph, source(squared), input, mean));
    Ok(is_own.then_some((filters, epsilon)))
}

/// Each filter, the elements of one index of the last axis, with mean 0 and variance 1.
fn standardized(filters: &Constant, epsilon: f32) -> Result<Option<Constant>> {
    let (Some(&count), Some(mut values)) = (filters.shape().last(), filters.to_f32s()?) else {
        return Ok(None);
    };
    if values.is_empty() {
        return Ok(None);
    }
    let length = (values.len() / count) as f64;
    let sums = |term: &dyn Fn(usize, f64) -> f64| {
        let mut sums = vec![0.0; count];
        for filter in values.chunks_exact(count) {
            for (index, &value) in filter.iter().enumerate() {
                sums[index] += term(index, f64::from(value));
            }
        }
        sums
    };
    let means: Vec<f64> = sums(&|_, value| value).into_iter().map(|sum| sum / length).collect();
    let squares = sums(&|index, value| (value - means[index]).powi(2));
    let deviations: Vec<f64> =
        squares.into_iter().map(|sum| (sum / length + f64::from(epsilon)).sqrt()).collect();
    for filter in values.chunks_exact_mut(count) {
        for (index, value) in filter.iter_mut().enumerate() {
            *value = ((f64::from(*value) - means[index]) / deviations[index]) as f32;
        }
    }
    Ok(Some(Constant::from_f32(filters.shape().to_vec(), &values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The graph of a standardized constant, with the mean along these axes.
    fn graph(axes: &[i32]) -> Graph {
        let mut graph = crate::ops::new_graph();
        let constants = [
            ("w", Constant::from_f32(vec![2, 2, 2], &[1., 10., 2., 20., 3., 30., 6., 0.])),
            ("axes", Constant::from_i32(vec![axes.len()], axes)),
            ("epsilon", Constant::from_f32(vec![], &[0.5])),
        ];
        for (name, value) in constants {
            graph.add(name, "Const", vec![], [("value", Attr::Tensor(value))].into()).unwrap();
        }
        for line in [
            "mean Mean w axes",
            "fixed StopGradient mean",
            "square SquaredDifference w fixed",
            "variance Mean square axes",
            "centered Sub w mean",
            "sum AddV2 variance epsilon",
            "deviation Sqrt sum",
            "y RealDiv centered deviation",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let inputs = words[2..].iter().map(|name| graph.find(name).unwrap().into()).collect();
            let keeps = Attrs::from([("keep_dims", Attr::Bool(true))]);
            let attrs = if words[1] == "Mean" { keeps } else { Attrs::new() };
            graph.add(words[0], words[1], inputs, attrs).unwrap();
        }
        graph
    }

    #[test]
    fn filters_are_computed() {
        let (graph, _) = standardize_filters(graph(&[0, 1])).unwrap();
        let value = graph.node(graph.find("y").unwrap()).constant().unwrap().to_f32s().unwrap().unwrap();
        // Means of 3 and 15, variances of 3.5 and 125.
        let of = |value: f64, mean: f64, variance: f64| ((value - mean) / (variance + 0.5).sqrt()) as f32;
        let expected =
            [(1., 10.), (2., 20.), (3., 30.), (6., 0.)].map(|(a, b)| [of(a, 3., 3.5), of(b, 15., 125.)]);
        assert_eq!(value, expected.concat());
    }

    #[test]
    fn other_means_are_left() {
        let (graph, _) = standardize_filters(graph(&[1, 2])).unwrap();
        assert_eq!(graph.node(graph.find("y").unwrap()).op, "RealDiv");
    }
}
