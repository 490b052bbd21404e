//! Simulated quantization, as `tf.contrib.quantize` adds it to a network: a checkpoint of a network that was trained with it has the ends
//! of ranges beside the network's own variables, and its weights only fit a network that rounds as the trained one did.
//!
//! Source: `create_eval_graph` of TensorFlow 1.15, `tensorflow/contrib/quantize/python`: `fold_batch_norms.py` (`fold` here),
//! `graph_matcher.py` and the patterns of `quantize.py` (`layers`), the rest of `quantize.py` (`ranges`), `quant_ops.py`.

mod fold;
mod layers;
mod ranges;

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use self::fold::Folded;
use self::ranges::Range;
use super::rewrite::{Rewriting, rewrite};
use crate::error::{Error, Result};
use crate::graph::{Attr, Attrs, Graph, Moved, NodeId, Shape, TensorRef};
use crate::setting::Setting;
use crate::tensor::DType;

/// The bits of quantized numbers, which no variable shows: the default of `create_training_graph`.
pub const BITS: i64 = 8;

/// The graph of a network with simulated quantization, and the number of tensors that are rounded: none if the variables of the
/// checkpoint, given with their shapes, are not of such a network. A tensor of the graph stays the one that it was, and is not rounded;
/// those that read it read what it is rounded to. slim's functions have returned their end points before the graph is changed.
///
/// # Errors
/// If the checkpoint does not have the variables that TensorFlow's function adds to this network.
pub fn quantize(graph: Graph, variables: &BTreeMap<String, Vec<usize>>) -> Result<(Graph, Moved, usize)> {
    let stored: HashSet<&str> = variables.keys().filter_map(|name| range_of(name)).collect();
    if stored.is_empty() {
        return Ok((graph, Moved::default(), 0));
    }
    let Folded { graph, moved, order } = fold::fold(graph)?;
    let ranges = ranges::choose(&graph, &order);
    check(&graph, &ranges, &stored, variables)?;
    let count = ranges.len();
    let (graph, inserted) = insert(graph, &ranges)?;
    Ok((graph, moved.then(inserted), count))
}

/// The scope of a variable that is an end of a range: `X/act_quant` for `X/act_quant/min` and, where the name was taken,
/// `X/act_quant_1` for `X/act_quant_1/min`.
fn range_of(variable: &str) -> Option<&str> {
    let scope = variable.strip_suffix("/min").or_else(|| variable.strip_suffix("/max"))?;
    let (_, name) = scope.rsplit_once('/').unwrap_or(("", scope));
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (name.ends_with("_quant") || name.ends_with("_quant_")).then_some(scope)
}

/// Refuses a checkpoint that has other ranges than the network. Those in scopes without nodes are of what only training has: auxiliary
/// classifiers, dropouts.
fn check(
    graph: &Graph,
    ranges: &HashMap<NodeId, Range>,
    stored: &HashSet<&str>,
    variables: &BTreeMap<String, Vec<usize>>,
) -> Result<()> {
    let differs = |variable: String, problem: &str| {
        let problem = format!("{problem} tf.contrib.quantize of TensorFlow 1.15 adds to this network");
        Err(with_graph(Error::new(format!("variable \"{variable}\""), problem)))
    };
    let mut wanted: Vec<&str> = ranges.values().map(|range| range.scope.as_str()).collect();
    wanted.sort_unstable();
    for variable in wanted.iter().flat_map(|scope| ["min", "max"].map(|end| format!("{scope}/{end}"))) {
        match variables.get(&variable).map(Vec::as_slice) {
            Some([]) => {}
            Some(_) => return differs(variable, "it is not the single number that"),
            None => return differs(variable, "it is missing among the ranges that"),
        }
    }
    let scopes: HashSet<&str> = graph.nodes().flat_map(|(_, node)| parents(&node.name)).collect();
    let is_built = |scope: &str| parents(scope).next().is_none_or(|scope| scopes.contains(scope));
    let others = stored.iter().copied().filter(|scope| wanted.binary_search(scope).is_err());
    match others.filter(|scope| is_built(scope)).min() {
        Some(scope) => differs(format!("{scope}/min"), "it is none of the ranges that"),
        None => Ok(()),
    }
}

/// The error for a network that is not rebuilt.
fn with_graph(error: Error) -> Error {
    error.advice(format!("give the graph that it was evaluated with: {}", Setting::Graph))
}

/// The scopes that a name is in, the innermost first.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/'), |(scope, _)| scope.rsplit_once('/')).map(|(scope, _)| scope)
}

/// The scope that a name is in.
fn parent(name: &str) -> &str {
    parents(name).next().unwrap_or("")
}

/// The name of something in a scope.
fn within(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { [scope, "/", name].concat() }
}

/// Rounds the outputs of nodes for all that read them.
fn insert(graph: Graph, ranges: &HashMap<NodeId, Range>) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let tensor = rewriting.current_tensor(0);
        let Some(range) = ranges.get(&tensor.node) else { return Ok(None) };
        let copy = rewriting.add_with_attrs(node, node.attrs.clone())?;
        let rounded = fake_quant(rewriting, copy, range)?;
        rewriting.redirect(tensor, rounded);
        Ok(Some(copy))
    })
}

fn fake_quant(rewriting: &mut Rewriting<'_>, of: NodeId, range: &Range) -> Result<TensorRef> {
    let mut end = |name: &str| -> Result<TensorRef> {
        let name = [range.scope.as_str(), "/", name].concat();
        let attrs =
            Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::scalar()))]);
        let variable = rewriting.add(name.clone(), "VariableV2", vec![], attrs)?;
        Ok(rewriting.add(name + "/read", "Identity", vec![variable.into()], Attrs::new())?.into())
    };
    let inputs = vec![of.into(), end("min")?, end("max")?];
    let op = "FakeQuantWithMinMaxVars";
    let attrs = Attrs::from([("num_bits", Attr::Int(BITS)), ("narrow_range", Attr::Bool(range.is_narrow))]);
    Ok(rewriting.add([range.scope.as_str(), "/", op].concat(), op, inputs, attrs)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_from_other_variables() {
        assert_eq!(range_of("a/act_quant/min"), Some("a/act_quant"));
        assert_eq!(range_of("a/conv_quant_12/max"), Some("a/conv_quant_12"));
        assert_eq!(range_of("weights_quant/max"), Some("weights_quant"));
        // The sums behind a moving average, and what others call so.
        for other in ["a/act_quant/a/act_quant/min/biased", "a/quantiles/min", "a/act_quant", "min"] {
            assert_eq!(range_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_is_in_all_scopes_before_it() {
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!(parents("a").count(), 0);
    }
}
