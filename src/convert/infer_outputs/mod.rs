//! What a graph is for: the ends that a user would call its outputs, where nobody says.
//!
//! An end is computed from what the graph is fed, and nothing but training reads it: losses, metrics, summaries,
//! gradients and savers are not what a model is converted for.

mod training;
mod weights;
mod wiring;

use training::{
    Step, filling, is_gradient, is_trained, makes_no_tensor, of_training, only_updates, reduces_the_batch,
    step,
};
use weights::Weights;
use wiring::{Marks, Wiring, is_of_shapes};

use crate::graph::{draws_random_numbers, is_variable};
use crate::proto::{DataType, GraphDef, NodeDef, attr_value::Value};

/// How many candidates are listed where there is no end.
const CANDIDATES: usize = 8;

/// Ops through which a graph is fed.
pub fn is_feed(op: &str) -> bool {
    is_placeholder(op) || is_input_pipeline(op)
}

/// Ops that a caller feeds.
pub fn is_placeholder(op: &str) -> bool {
    matches!(op, "Placeholder" | "PlaceholderV2" | "PlaceholderWithDefault")
}

/// Ops that hand a graph what was read from files: iterators and queues.
pub fn is_input_pipeline(op: &str) -> bool {
    op == "IteratorGetNext" || op.starts_with("QueueDequeue")
}

/// The names of the tensors at the ends of a graph, in the graph's order.
pub fn infer_outputs(definition: &GraphDef) -> Vec<String> {
    Search::new(definition).ends()
}

/// The names of tensors of a graph that could be its outputs, the likeliest first.
pub fn candidates(definition: &GraphDef) -> Vec<String> {
    Search::new(definition).candidates()
}

/// A tensor through which a graph is fed: the place of its node, and the port.
type Feed = (usize, usize);

/// What is known of a graph before its ends are looked for.
struct Search<'a> {
    wiring: Wiring<'a>,
    feeds: Vec<Feed>,
    of_training: Marks,
    only_updates: Marks,
    weights: Weights,
    is_trained: bool,
}

/// How the ends are looked for.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// What is fed and meets no weight is not the network's input.
    finds_labels: bool,
    /// Neither is what is called a label, although weights are applied to it.
    by_name: bool,
    /// What is computed of a whole batch, or of random numbers, is not a result of the network.
    drops_statistics: bool,
}

impl<'a> Search<'a> {
    fn new(definition: &'a GraphDef) -> Self {
        let wiring = Wiring::new(definition);
        let of_training = of_training(&wiring);
        let filling = filling(&wiring);
        let is_source = |place: usize| is_feed(&wiring.nodes[place].op);
        // What one queue hands out to fill another is only prepared between them.
        let last: Vec<usize> = wiring.places(|place| is_source(place) && !filling[place]).collect();
        let sources = if last.is_empty() { wiring.places(is_source).collect() } else { last };
        let weights = Weights::new(&wiring, &sources, &of_training);
        let ports = |&place: &usize| {
            let mut ports: Vec<Feed> = wiring.readers[place].iter().map(|&(_, port)| (place, port)).collect();
            ports.sort_unstable();
            ports.dedup();
            ports
        };
        let feeds = sources.iter().flat_map(ports).collect();
        let (only_updates, is_trained) = (only_updates(&wiring), is_trained(&wiring));
        Self { wiring, feeds, of_training, only_updates, weights, is_trained }
    }

    fn ends(&self) -> Vec<String> {
        let finds_labels = self.weights.has_variables || self.is_trained;
        let strict = Rules { finds_labels, by_name: true, drops_statistics: self.is_trained };
        let unnamed = Rules { by_name: false, ..strict };
        let loose = Rules { drops_statistics: false, ..unnamed };
        let mut attempts = vec![strict, unnamed, loose];
        if !self.weights.has_variables {
            // A frozen graph was cut where its ends are.
            attempts.push(Rules { finds_labels: false, ..loose });
        }
        attempts
            .into_iter()
            .map(|rules| self.ends_by(rules))
            .find(|ends| !ends.is_empty())
            .unwrap_or_default()
    }

    /// The tensors that a network is fed, and its labels.
    fn mains_and_labels(&self, rules: Rules) -> (Vec<Feed>, Vec<Feed>) {
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
        // A graph that takes nothing but texts, or nothing but labels, is for these.
        match (numbers(&others), others) {
            (mains, _) if !mains.is_empty() => (mains, labels),
            (_, others) if others.iter().any(|feed| !is_flag(feed)) => (others, labels),
            (_, _) if rules.by_name && has_weights => (vec![], labels),
            _ => (self.feeds.clone(), vec![]),
        }
    }

    fn ends_by(&self, rules: Rules) -> Vec<String> {
        let wiring = &self.wiring;
        let (mains, labels) = self.mains_and_labels(rules);
        let has_elements = |place: usize| !is_of_shapes(&self.node(place).op);
        let of_labels = wiring.forward(readers_of(wiring, &labels), has_elements);
        let is_statistic = |place: usize| {
            let reduces = || {
                let reduced = wiring.inputs[place].first();
                reduced.is_some_and(|&(input, _)| self.weights.fed[input]) && reduces_the_batch(wiring, place)
            };
            !self.weights.leading[place] && (draws_random_numbers(&self.node(place).op) || reduces())
        };
        let statistics = match rules.drops_statistics {
            true => wiring.forward(wiring.places(is_statistic), |_| true),
            false => vec![false; wiring.nodes.len()],
        };
        let ends_there = |place: usize| self.of_training[place] || of_labels[place] || statistics[place];
        // Who wants to print results has them as texts besides.
        let makes_text = |place: usize| {
            matches!(self.node(place).op.as_str(), "AsString" | "StringJoin") && !self.weights.leading[place]
        };
        let serves = |place: usize| has_elements(place) && !ends_there(place) && !makes_text(place);
        let candidates: Marks = match self.feeds.is_empty() {
            // The initial values of variables are no results.
            true => (0..wiring.nodes.len()).map(|place| serves(place) && !self.only_updates[place]).collect(),
            false => {
                let starts = readers_of(wiring, &mains).filter(|&place| serves(place));
                wiring.forward(starts.collect::<Vec<_>>(), serves)
            }
        };
        let is_result = |place: usize| {
            let node = self.node(place);
            candidates[place] && !is_feed(&node.op) && node.op != "Const" && !is_variable(&node.op)
        };
        let is_end = |place: usize| {
            let is_read = |&(reader, _): &(usize, usize)| candidates[reader];
            is_result(place) && !wiring.readers[place].iter().any(is_read)
        };
        let is_read_by_training = |place: usize| {
            let compares = |reader: usize| ends_there(reader) && !is_gradient(&self.node(reader).name);
            wiring.readers[place].iter().any(|&(reader, _)| compares(reader))
        };
        let goes_on =
            |place: usize| wiring.readers[place].iter().any(|&(reader, _)| self.weights.leading[reader]);
        let (mut found, mut secondary, mut others) = (vec![], vec![], vec![]);
        for place in wiring.places(is_end) {
            if rules.by_name && goes_on(place) {
                // What is called a label takes part in the network.
                return vec![];
            }
            if self.is_beside_a_branch(place) {
                secondary.push(place);
            } else if wiring.readers[place].is_empty() || !is_read_by_training(place) {
                found.push(place);
            } else {
                found.extend(self.results_before(place, &is_result, &goes_on));
                others.push(place);
            }
        }
        // The scores whose largest is looked for are a result too where training reads them.
        found.extend(wiring.places(|place| {
            is_result(place)
                && self.weights.applied[place]
                && !goes_on(place)
                && is_read_by_training(place)
                && step(wiring, place) == Step::Stops
        }));
        for fallback in [secondary, others] {
            if found.is_empty() {
                found = fallback;
            }
        }
        found.sort_unstable();
        found.dedup();
        let mut names: Vec<String> = vec![];
        for end in found.iter().copied() {
            // Who takes probabilities may want the logits; the networks of slim deliver both.
            // A sparse tensor is its indices, values and shape.
            let ports = if self.node(end).op == "CTCGreedyDecoder" { 0..3 } else { 0..1 };
            let delivered = ports.map(|port| (end, port));
            for (place, port) in logits_of(wiring, end, &found).into_iter().chain(delivered) {
                let name = format!("{}:{port}", self.node(place).name);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// What a loss or a metric of the network begins with, the last part of which is the node at `end`.
    fn results_before(
        &self,
        end: usize,
        is_result: &dyn Fn(usize) -> bool,
        goes_on: &dyn Fn(usize) -> bool,
    ) -> Vec<usize> {
        let mut seen = vec![false; self.wiring.nodes.len()];
        let mut found = vec![];
        // Each with the result that it carries on, where no part of the loss was met yet.
        let mut open = vec![(end, Some(end))];
        while let Some((place, carried)) = open.pop() {
            if std::mem::replace(&mut seen[place], true) {
                continue;
            }
            let kind = match self.weights.applying[place] {
                true => Step::Stops,
                false => step(&self.wiring, place),
            };
            if kind == Step::Stops {
                // Where the network goes on behind it, a statistic of it is looked at, not its result.
                found.extend((!goes_on(place)).then_some(carried.unwrap_or(place)));
                continue;
            }
            let carried = carried.filter(|_| kind == Step::Carries);
            let inputs = self.wiring.inputs[place].iter().map(|&(input, _)| input);
            open.extend(inputs.filter(|&input| is_result(input)).map(|input| (input, carried)));
        }
        found.retain(|&place| is_result(place) && !goes_on(place));
        found
    }

    /// Whether a node is what a branch or a loop delivers beside what is read of it.
    fn is_beside_a_branch(&self, place: usize) -> bool {
        if self.node(place).op == "Exit" {
            return true;
        }
        let input = self.wiring.inputs[place].first().map(|&(input, _)| self.node(input).op.as_str());
        self.node(place).op == "Identity"
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
        let fed =
            wiring.forward(readers_of(wiring, &self.feeds), |place| !is_of_shapes(&self.node(place).op));
        let is_candidate = |&place: &usize| {
            let node = self.node(place);
            (fed[place] || self.feeds.is_empty())
                && !is_gradient(&node.name)
                && !makes_no_tensor(&node.op)
                && !is_feed(&node.op)
                && !is_of_shapes(&node.op)
                && !is_variable(&node.op)
                && !matches!(node.op.as_str(), "Const" | "Identity" | "Switch" | "Merge")
        };
        let rank = |&place: &usize| {
            let node = self.node(place);
            let last = node.name.rsplit('/').next().unwrap_or_default();
            let name = format!("{last} {}", node.op).to_lowercase();
            let is_behind = self.weights.applied[place] && !self.weights.leading[place];
            let named = NAMES.iter().position(|known| name.contains(known)).unwrap_or(NAMES.len());
            let is_result = is_behind || self.weights.applying[place];
            (self.of_training[place], !self.weights.applied[place], !is_result, named, usize::MAX - place)
        };
        let mut found: Vec<usize> = (0..wiring.nodes.len()).filter(is_candidate).collect();
        found.sort_by_key(rank);
        found.truncate(CANDIDATES);
        found.into_iter().map(|place| format!("{}:0", self.node(place).name)).collect()
    }

    fn node(&self, place: usize) -> &NodeDef {
        &self.wiring.nodes[place]
    }
}

/// The nodes that read these tensors.
fn readers_of<'w>(wiring: &'w Wiring<'_>, feeds: &'w [Feed]) -> impl Iterator<Item = usize> + 'w {
    feeds.iter().flat_map(move |&(place, port)| {
        wiring.readers[place].iter().filter(move |(_, read)| *read == port).map(|&(reader, _)| reader)
    })
}

/// The type and rank that a feed declares for one of its outputs, as far as it does.
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

/// Whether a feed looks as if it were labels, in a graph without weights: a vector, or a scalar, of integers.
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

/// What the softmax reads that a node is the result of, past reshapes. A reshape that is an end itself is not passed.
fn logits_of(wiring: &Wiring<'_>, end: usize, ends: &[usize]) -> Option<Feed> {
    let past_reshapes = |(mut place, mut port): Feed, ends: &[usize]| loop {
        let is_reshape = matches!(wiring.nodes[place].op.as_str(), "Reshape" | "Identity");
        if !is_reshape || ends.contains(&place) {
            return Some((place, port));
        }
        (place, port) = *wiring.inputs[place].first()?;
    };
    let (softmax, _) = past_reshapes((end, 0), &[])?;
    if wiring.nodes[softmax].op != "Softmax" {
        return None;
    }
    past_reshapes(*wiring.inputs[softmax].first()?, ends)
}

#[cfg(test)]
mod tests;
