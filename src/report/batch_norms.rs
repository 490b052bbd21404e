//! The batch norms of a report: the origin of each part, and problems with its numbers.

use hashbrown::HashMap;
use serde::Serialize;

use super::WeightReport;
use super::layers::{batch_norm_nodes, constant_of};
use crate::graph::{Graph, NodeId};
use crate::passes::batch_norm::{BatchNorm, Origin};

/// A batch norm. Its parts are indices in the list of weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NormReport {
    /// The scope of its variables.
    pub name: String,
    /// The number of its channels.
    pub channels: Option<usize>,
    /// What is added to the variance.
    pub epsilon: f32,
    /// The scale; `null` if it is synthesized (ones) or computed.
    pub gamma: Option<usize>,
    /// The offset; `null` if it is synthesized (zeros) or computed.
    pub beta: Option<usize>,
    /// Where the scale comes from.
    pub gamma_origin: Origin,
    /// Where the offset comes from.
    pub beta_origin: Origin,
    /// The mean; `null` if the model computes it.
    pub mean: Option<usize>,
    /// The variance; `null` if the model computes it.
    pub variance: Option<usize>,
    /// What is wrong with its numbers.
    pub problem: Option<String>,
}

/// The batch norms of a graph whose variables are constants. `weight_of` has the indices of its constants in `weights`.
pub fn report(
    graph: &Graph,
    batch_norms: &[BatchNorm],
    weight_of: &HashMap<NodeId, usize>,
    weights: &[WeightReport],
) -> Vec<NormReport> {
    let norms = batch_norm_nodes(graph).zip(batch_norms);
    norms
        .map(|(node, norm)| {
            let part = |input: usize| {
                let constant = constant_of(graph, node.inputs[input])?;
                weight_of.get(&constant).copied()
            };
            let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(part);
            let parts = [("gamma", gamma), ("beta", beta), ("mean", mean), ("variance", variance)];
            NormReport {
                name: norm.name.clone(),
                channels: norm.channels,
                epsilon: norm.epsilon,
                gamma,
                beta,
                gamma_origin: norm.gamma.clone(),
                beta_origin: norm.beta.clone(),
                mean,
                variance,
                problem: problem(parts.map(|(name, part)| (name, part.and_then(|part| weights.get(part))))),
            }
        })
        .collect()
}

/// Numbers that no training produces: NaN, infinities, and variances that are not positive.
fn problem(parts: [(&str, Option<&WeightReport>); 4]) -> Option<String> {
    let mut problems = vec![];
    for (name, weight) in parts {
        let Some(statistics) = weight.map(|weight| &weight.statistics) else { continue };
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                problems.push(format!("{count} of {} {what}", plural(name, statistics.count)));
            }
        };
        add(statistics.nan, "not a number");
        add(statistics.inf, "infinite");
        if name == "variance" {
            add(statistics.negative, "negative");
            add(statistics.zeros, "zero");
        }
    }
    (!problems.is_empty()).then(|| problems.join(", "))
}

fn plural(name: &str, count: u64) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Constant, Statistics};

    fn weight(values: &[f32]) -> WeightReport {
        let constant = Constant::from_f32(vec![values.len()], values);
        WeightReport {
            name: "moving_variance".to_owned(),
            dtype: "float32",
            shape: vec![values.len()],
            layer: 0,
            parameters: values.len() as u64,
            bytes: 4 * values.len() as u64,
            statistics: Statistics::of(&constant).unwrap().unwrap(),
            histogram: None,
        }
    }

    #[test]
    fn variances_that_cannot_be_are_named() {
        let said = |values: &[f32]| {
            let weight = weight(values);
            problem([("gamma", None), ("beta", None), ("mean", None), ("variance", Some(&weight))])
        };
        assert_eq!(said(&[1.0, 0.5]), None);
        assert_eq!(said(&[1.0, 0.0, 0.0]).as_deref(), Some("2 of 3 variances zero"));
        assert_eq!(
            said(&[f32::NAN, -1.0, 2.0]).as_deref(),
            Some("1 of 3 variances not a number, 1 of 3 variances negative")
        );
    }

    #[test]
    fn an_offset_may_be_zero() {
        let weight = weight(&[0.0, 0.0]);
        assert_eq!(
            problem([("gamma", None), ("beta", Some(&weight)), ("mean", None), ("variance", None)]),
            None
        );
    }
}
