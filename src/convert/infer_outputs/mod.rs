//! Inferring the outputs of a graph, if the user does not name them.
//!
//! An output is computed from the graph's inputs, and only training reads it: losses, metrics, summaries, gradients and
//! savers are not what a model is converted for.

mod training;
mod weights;
mod wiring;

use training::{
    Step, filling, is_gradient, is_trained, makes_no_tensor, of_training, only_updates, reduces_the_batch,
    step,
};
use weights::Weights;
use wiring::{Marks, Wiring, chooses, result_count};

use hashbrown::HashSet;

use crate::graph::{generates_random_numbers, is_of_shapes, is_placeholder, is_variable};
use crate::proto::{DataType, GraphDef, NodeDef, attr_value::Value};

/// How many candidates are listed if no output is found.
const CANDIDATES: usize = 8;

/// Ops that are inputs of a graph: placeholders, and the ends of input pipelines.
pub fn is_feed(op: &str) -> bool {
    is_placeholder(op) || is_input_pipeline(op)
}

/// Ops at the end of an input pipeline, iterators and queues: they return training data.
pub fn is_input_pipeline(op: &str) -> bool {
    op == "IteratorGetNext" || op.starts_with("QueueDequeue")
}

/// The names of the tensors that are the outputs of a graph, in the graph's order.
pub fn infer_outputs(definition: &GraphDef) -> Vec<String> {
    Search::new(definition).outputs()
}

/// The names of tensors that could be the outputs of a graph, the likeliest first.
pub fn candidates(definition: &GraphDef) -> Vec<String> {
    Search::new(definition).candidates()
}

/// A tensor that is an input of the graph: the index of its node, and the port.
type Feed = (usize, usize);

/// The properties of a graph that the search for its outputs needs.
struct Search<'a> {
    wiring: Wiring<'a>,
    feeds: Vec<Feed>,
    of_training: Marks,
    only_updates: Marks,
    weights: Weights,
    is_trained: bool,
    /// The nodes whose shapes depend on the elements of the inputs: those behind a choice of elements.
    of_chosen: Marks,
    /// The nodes that a choice of elements depends on.
    decides_choice: Marks,
    /// The nodes inside of loops of TensorFlow 1: they have another result in each iteration.
    in_loops: Marks,
}

/// The rules of a search.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// An input that no weight is applied to is a label, not an input of the network.
    finds_labels: bool,
    /// An input that is called a label is one, even if weights are applied to it.
    by_name: bool,
    /// A tensor that is computed from a whole batch or from random numbers is not a result of the network.
    drops_statistics: bool,
}

impl<'a> Search<'a> {
    fn new(definition: &'a GraphDef) -> Self {
        let wiring = Wiring::new(definition);
        let of_training = of_training(&wiring);
        let filling = filling(&wiring);
        let is_source = |index: usize| is_feed(&wiring.nodes[index].op);
        // A queue that fills another queue is not the end of the pipeline.
        let last: Vec<usize> = wiring.nodes_where(|index| is_source(index) && !filling[index]).collect();
        let sources = if last.is_empty() { wiring.nodes_where(is_source).collect() } else { last };
        let weights = Weights::new(&wiring, &sources, &of_training);
        let ports = |&index: &usize| {
            let mut ports: Vec<Feed> = wiring.readers[index].iter().map(|&(_, port)| (index, port)).collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        let feeds = sources.iter().flat_map(ports).collect();
        let (only_updates, is_trained) = (only_updates(&wiring), is_trained(&wiring));
        let choosing: Vec<usize> = wiring.nodes_where(|index| chooses(&wiring.nodes[index].op)).collect();
        let decides_choice = wiring.backward(choosing.iter().copied(), |_| true);
        let of_chosen = wiring.forward(choosing, |_| true);
        let in_loops = wiring.in_loops();
        Self {
            wiring,
            feeds,
            of_training,
            only_updates,
            weights,
            is_trained,
            of_chosen,
            decides_choice,
            in_loops,
        }
    }

    fn outputs(&self) -> Vec<String> {
        let finds_labels = self.weights.has_variables || self.is_trained;
        let strict = Rules { finds_labels, by_name: true, drops_statistics: self.is_trained };
        let unnamed = Rules { by_name: false, ..strict };
        let loose = Rules { drops_statistics: false, ..unnamed };
        let mut attempts = vec![strict, unnamed, loose];
        if !self.weights.has_variables {
            // A frozen graph was cut after its outputs, so that what looks like a label may be an input.
            attempts.push(Rules { finds_labels: false, ..loose });
        }
        attempts
            .into_iter()
            .map(|rules| self.outputs_by(rules))
            .find(|outputs| !outputs.is_empty())
            .unwrap_or_default()
    }

    /// The inputs of the network, and its labels.
    fn inputs_and_labels(&self, rules: Rules) -> (Vec<Feed>, Vec<Feed>) {
        let is_of_type =
            |feed: &Feed, dtypes: &[DataType]| dtypes.contains(&declared(self.node(feed.0), feed.1).0);
        let is_flag = |feed: &Feed| is_of_type(feed, &[DataType::DtBool]);
        let is_text = |feed: &Feed| is_of_type(feed, &[DataType::DtString]);
        let has_weights = self.weights.applying.contains(&true);
        let is_label = |feed: &Feed| {
            let meets_none = match has_weights {
                true => !self.weights.are_reached_from(&self.wiring, *feed),
                false => looks_like_labels(self.node(feed.0), feed.1),
            };
            rules.finds_labels
                && !is_flag(feed)
                && (meets_none || rules.by_name && is_called_a_label(self.node(feed.0)))
        };
        let (labels, others): (Vec<Feed>, Vec<Feed>) = self.feeds.iter().partition(|feed| is_label(feed));
        let numbers = |feeds: &[Feed]| -> Vec<Feed> {
            feeds.iter().copied().filter(|feed| !is_flag(feed) && !is_text(feed)).collect()
        };
        // If a graph has only texts as inputs, or only labels, these are the inputs of the network.
        match (numbers(&others), others) {
            (inputs, _) if !inputs.is_empty() => (inputs, labels),
            (_, others) if others.iter().any(|feed| !is_flag(feed)) => (others, labels),
            (_, _) if rules.by_name && has_weights => (vec![], labels),
            _ => (self.feeds.clone(), vec![]),
        }
    }

    fn outputs_by(&self, rules: Rules) -> Vec<String> {
        let wiring = &self.wiring;
        let (inputs, labels) = self.inputs_and_labels(rules);
        let has_elements = |index: usize| self.depends_on_elements(index);
        let of_labels = wiring.forward(readers_of(wiring, &labels), has_elements);
        let is_statistic = |index: usize| {
            let reduces = || {
                let reduced = wiring.inputs[index].first();
                reduced.is_some_and(|&(input, _)| self.weights.fed[input]) && reduces_the_batch(wiring, index)
            };
            !self.weights.leading[index] && (generates_random_numbers(&self.node(index).op) || reduces())
        };
        let statistics = match rules.drops_statistics {
            true => wiring.forward(wiring.nodes_where(is_statistic), |_| true),
            false => vec![false; wiring.nodes.len()],
        };
        let ends_there = |index: usize| self.of_training[index] || of_labels[index] || statistics[index];
        // Results as text are for printing, beside the results themselves.
        let makes_text = |index: usize| {
            matches!(self.node(index).op.as_str(), "AsString" | "StringJoin") && !self.weights.leading[index]
        };
        let serves = |index: usize| has_elements(index) && !ends_there(index) && !makes_text(index);
        let candidates: Marks = match self.feeds.is_empty() {
            // The initial values of variables are not results.
            true => (0..wiring.nodes.len()).map(|index| serves(index) && !self.only_updates[index]).collect(),
            false => {
                let starts = readers_of(wiring, &inputs).filter(|&index| serves(index));
                wiring.forward(starts.collect::<Vec<_>>(), serves)
            }
        };
        let is_result = |index: usize| {
            let node = self.node(index);
            candidates[index]
                && !self.in_loops[index]
                && !is_feed(&node.op)
                && node.op != "Const"
                && !is_variable(&node.op)
        };
        let is_end = |index: usize| {
            let is_read = |&(reader, _): &(usize, usize)| candidates[reader];
            is_result(index) && !wiring.readers[index].iter().any(is_read)
        };
        let is_read_by_training = |index: usize| {
            let compares = |reader: usize| ends_there(reader) && !is_gradient(&self.node(reader).name);
            wiring.readers[index].iter().any(|&(reader, _)| compares(reader))
        };
        let goes_on =
            |index: usize| wiring.readers[index].iter().any(|&(reader, _)| self.weights.leading[reader]);
        let (mut found, mut secondary, mut others) = (vec![], vec![], vec![]);
        for index in wiring.nodes_where(is_end) {
            if rules.by_name && goes_on(index) {
                // The network goes on from here: what is called a label is a part of it.
                return vec![];
            }
            if self.is_beside_a_branch(index) {
                secondary.push(index);
            } else if wiring.readers[index].is_empty() || !is_read_by_training(index) {
                found.push(index);
            } else {
                found.extend(self.results_before(index, &is_result, &goes_on));
                others.push(index);
            }
        }
        // Scores are a result, too, if training reads them and the graph also searches for the largest of them.
        found.extend(wiring.nodes_where(|index| {
            is_result(index)
                && self.weights.applied[index]
                && !goes_on(index)
                && is_read_by_training(index)
                && step(wiring, index) == Step::Stops
        }));
        for fallback in [secondary, others] {
            if found.is_empty() {
                found = fallback;
            }
        }
        // Beside results of the weights, a number that is computed of a whole batch of inputs is a statistic of the inputs: dynamic_rnn
        // computes the least and the greatest length of the sequences and does not read them.
        let applied = &self.weights.applied;
        if found.iter().any(|&index| applied[index]) {
            found.retain(|&index| applied[index] || !reduces_the_batch(wiring, index));
        }
        found.sort_unstable();
        found.dedup();
        let mut tensors: Vec<Feed> = vec![];
        let mut listed: HashSet<Feed> = HashSet::new();
        for end in found.iter().copied() {
            // The logits are an output beside the probabilities, as in slim's networks.
            let own = (0..result_count(self.node(end))).map(|port| (end, port));
            let all = self.logits_of(end, &found).into_iter().chain(own);
            tensors.extend(all.filter(|&tensor| listed.insert(tensor)));
        }
        tensors.into_iter().map(|(index, port)| format!("{}:{port}", self.node(index).name)).collect()
    }

    /// The results of the network from which a loss or a metric is computed that ends with the node `end`.
    fn results_before(
        &self,
        end: usize,
        is_result: &dyn Fn(usize) -> bool,
        goes_on: &dyn Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut seen = vec![false; self.wiring.nodes.len()];
        let mut found = vec![];
        // Each node with the node that forwards its result, as long as no part of the loss was found.
        let mut open = vec![(end, Some(end))];
        while let Some((index, forwarding)) = open.pop() {
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            let kind = match self.weights.applying[index] {
                true => Step::Stops,
                false => step(&self.wiring, index),
            };
            if kind == Step::Stops {
                // If the network goes on after it, the loss or metric is a statistic inside of the network.
                found.extend((!goes_on(index)).then_some(forwarding.unwrap_or(index)));
                continue;
            }
            let forwarding = forwarding.filter(|_| kind == Step::Forwards);
            let inputs = self.wiring.inputs[index].iter().map(|&(input, _)| input);
            open.extend(inputs.filter(|&input| is_result(input)).map(|input| (input, forwarding)));
        }
        found.retain(|&index| is_result(index) && !goes_on(index));
        found
    }

    /// Whether a node is an unread result of a conditional or a loop.
    fn is_beside_a_branch(&self, index: usize) -> bool {
        if self.node(index).op == "Exit" {
            return true;
        }
        let input = self.wiring.inputs[index].first().map(|&(input, _)| self.node(input).op.as_str());
        self.node(index).op == "Identity"
            && matches!(input, Some("If" | "StatelessIf" | "While" | "StatelessWhile" | "Switch"))
    }

    fn candidates(&self) -> Vec<String> {
        const NAMES: [&str; 13] = [
            "softmax",
            "prob",
            "predict",
            "logits",
            "sigmoid",
            "score",
            "output",
            "embedding",
            "class",
            "pred",
            "result",
            "boxes",
            "biasadd",
        ];
        let wiring = &self.wiring;
        let fed = wiring.forward(readers_of(wiring, &self.feeds), |index| self.depends_on_elements(index));
        let is_candidate = |&index: &usize| {
            let node = self.node(index);
            (fed[index] || self.feeds.is_empty())
                && !self.in_loops[index]
                && !is_gradient(&node.name)
                && !makes_no_tensor(&node.op)
                && !is_feed(&node.op)
                && !is_of_shapes(&node.op)
                && !is_variable(&node.op)
                && !matches!(node.op.as_str(), "Const" | "Identity" | "Switch" | "Merge")
        };
        let rank = |&index: &usize| {
            let node = self.node(index);
            let last = node.name.rsplit('/').next().unwrap_or_default();
            let name = format!("{last} {}", node.op).to_lowercase();
            let is_behind = self.weights.applied[index] && !self.weights.leading[index];
            let named = NAMES.iter().position(|known| name.contains(known)).unwrap_or(NAMES.len());
            let is_result = is_behind || self.weights.applying[index];
            (self.of_training[index], !self.weights.applied[index], !is_result, named, usize::MAX - index)
        };
        let mut found: Vec<usize> = (0..wiring.nodes.len()).filter(is_candidate).collect();
        found.sort_by_key(rank);
        found.truncate(CANDIDATES);
        found.into_iter().map(|index| format!("{}:0", self.node(index).name)).collect()
    }

    /// The input of the softmax that computes a node, past reshapes. The search stops at a reshape that is one of the `outputs`, which
    /// are sorted. If elements are chosen by the probabilities, as a detector chooses boxes, the logits are a step to the results
    /// and not a result.
    fn logits_of(&self, output: usize, outputs: &[usize]) -> Option<Feed> {
        let past_reshapes = |(mut index, mut port): Feed, outputs: &[usize]| {
            // A damaged graph may have a cycle.
            for _ in 0..self.wiring.nodes.len() {
                let is_reshape = matches!(self.node(index).op.as_str(), "Reshape" | "Identity");
                if !is_reshape || outputs.binary_search(&index).is_ok() {
                    return Some((index, port));
                }
                (index, port) = *self.wiring.inputs[index].first()?;
            }
            None
        };
        let (softmax, _) = past_reshapes((output, 0), &[])?;
        if self.node(softmax).op != "Softmax" || self.decides_choice[softmax] {
            return None;
        }
        past_reshapes(*self.wiring.inputs[softmax].first()?, outputs)
    }

    /// Whether the result of a node depends on the elements of its inputs, and not only on their shapes. The number of the boxes that were
    /// chosen does.
    fn depends_on_elements(&self, index: usize) -> bool {
        !is_of_shapes(&self.node(index).op) || self.of_chosen[index]
    }

    fn node(&self, index: usize) -> &NodeDef {
        &self.wiring.nodes[index]
    }
}

/// The nodes that read these tensors.
fn readers_of<'w>(wiring: &'w Wiring<'_>, feeds: &'w [Feed]) -> impl Iterator<Item = usize> + 'w {
    feeds.iter().flat_map(move |&(index, port)| {
        wiring.readers[index].iter().filter(move |(_, read)| *read == port).map(|&(reader, _)| reader)
    })
}

/// The type and rank that an input declares for one of its outputs, as far as it does.
fn declared(node: &NodeDef, port: usize) -> (DataType, Option<usize>) {
    let value = |name: &str| node.attr.get(name)?.value.as_ref();
    let list = |name: &str| match value(name)? {
        Value::List(list) => Some(list),
        _ => None,
    };
    let listed =
        list("output_types").or(list("component_types")).and_then(|list| list.r#type.get(port)).copied();
    let dtype = match value("dtype") {
        Some(&Value::Type(dtype)) => Some(dtype),
        _ => listed,
    };
    let dtype = dtype.and_then(|dtype| DataType::try_from(dtype).ok()).unwrap_or(DataType::DtInvalid);
    let shape = match value("shape") {
        Some(Value::Shape(shape)) => Some(shape),
        _ => list("output_shapes").and_then(|list| list.shape.get(port)),
    };
    (dtype, shape.filter(|shape| !shape.unknown_rank).map(|shape| shape.dim.len()))
}

/// Whether an input of a graph without weights looks like labels: a vector or a scalar of integers.
fn looks_like_labels(node: &NodeDef, port: usize) -> bool {
    let (dtype, rank) = declared(node, port);
    matches!(dtype, DataType::DtInt32 | DataType::DtInt64) && rank.is_none_or(|rank| rank <= 1)
        || is_called_a_label(node)
}

fn is_called_a_label(node: &NodeDef) -> bool {
    let name = node.name.to_lowercase();
    is_placeholder(&node.op)
        && ["label", "groundtruth", "ground_truth", "y_true"].iter().any(|known| name.contains(known))
}

#[cfg(test)]
mod tests;
