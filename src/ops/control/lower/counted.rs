//! What is known of a loop before it runs: how often its body runs, and which lists it only writes, one element after the other.

use hashbrown::{HashMap, HashSet};

use crate::graph::partial::Length;
use crate::graph::{Graph, NodeId, NodeRef, TensorRef};
use crate::lower::context::Lowering;
use crate::lower::function::BuiltFunction;
use crate::lower::steps::Steps;
use crate::tensor::{Constant, DType};

/// A loop whose body has been built.
pub struct Loop<'a> {
    pub node: NodeRef<'a>,
    pub body: &'a BuiltFunction,
    /// The variables that each iteration changes.
    pub changed: &'a [usize],
}

/// An upper bound of a counter that the condition of a loop compares: the loop goes on while the counter is below it.
pub struct Bound {
    pub counter: usize,
    pub limit: Limit,
    /// Whether the loop goes on while the counter is equal to the limit, too.
    pub is_inclusive: bool,
}

/// A number that stays the same while a loop runs.
pub enum Limit {
    Known(i64),
    /// A variable of the loop that no iteration changes.
    Variable(usize),
}

/// A list that each iteration writes the next element of, and that nothing in the loop reads.
pub struct WrittenList {
    pub variable: usize,
    /// The element, in the graph of the body.
    pub element: TensorRef,
    /// The elements that the loop does not write.
    pub rest: Rest,
}

/// The elements of a list that a loop does not write.
pub enum Rest {
    /// There are none.
    Nothing,
    /// Zeros at the end, up to this number of elements, which is a tensor of the graph around the loop.
    Zeros(TensorRef),
    /// Those that the list had before: as many at its beginning, and those after the ones that are written.
    Before(usize),
}

/// How often the body of a loop runs: as long as all its bounds hold.
pub struct TripCount {
    pub bounds: Vec<Bound>,
}

impl Loop<'_> {
    /// The number of trips, if the condition only compares counters with what stays the same.
    pub fn trip_count(&self, cx: &Lowering<'_>, condition: &BuiltFunction) -> Option<TripCount> {
        let graph = condition.graph();
        let mut open = vec![*condition.results.first()?];
        let mut bounds = vec![];
        while let Some(tensor) = open.pop() {
            let node = graph.node(graph.origin(tensor).node);
            match node.op.as_str() {
                "LogicalAnd" => open.extend(&node.inputs),
                _ => bounds.push(self.bound(cx, condition, node)?),
            }
        }
        bounds.reverse();
        let mut different: Vec<Bound> = vec![];
        for bound in bounds {
            if !different.iter().any(|other| self.is_same(cx, other, &bound)) {
                different.push(bound);
            }
        }
        Some(TripCount { bounds: different })
    }

    fn bound(
        &self,
        cx: &Lowering<'_>,
        condition: &BuiltFunction,
        node: &crate::graph::Node,
    ) -> Option<Bound> {
        let &[a, b] = &node.inputs[..] else { return None };
        let (counter, limit, is_inclusive) = match node.op.as_str() {
            "Less" => (a, b, false),
            "LessEqual" => (a, b, true),
            "Greater" => (b, a, false),
            "GreaterEqual" => (b, a, true),
            _ => return None,
        };
        let counter = condition.argument(counter).filter(|&counter| self.is_counter(counter))?;
        let is_integer = matches!(self.node.outputs[counter].dtype, DType::Int32 | DType::Int64);
        let is_scalar = |variable: usize| cx.shape(self.node.inputs[variable]).rank() == Some(0);
        let limit = match (condition.argument(limit), known_integer(condition.graph(), limit)) {
            (_, Some(known)) => Limit::Known(known),
            (Some(limit), None) if !self.changed.contains(&limit) && is_scalar(limit) => {
                match cx.constant(self.node.inputs[limit]).and_then(integer) {
                    Some(known) => Limit::Known(known),
                    None => Limit::Variable(limit),
                }
            }
            _ => return None,
        };
        (is_integer && is_scalar(counter)).then_some(Bound { counter, limit, is_inclusive })
    }

    /// Whether two bounds allow the same number of iterations.
    fn is_same(&self, cx: &Lowering<'_>, a: &Bound, b: &Bound) -> bool {
        let start = |bound: &Bound| cx.constant(self.node.inputs[bound.counter]).and_then(integer);
        let has_same_limit = match (&a.limit, &b.limit) {
            (Limit::Known(a), Limit::Known(b)) => a == b,
            (Limit::Variable(a), Limit::Variable(b)) => {
                are_equal(cx, self.node.inputs[*a], self.node.inputs[*b])
            }
            _ => false,
        };
        has_same_limit && a.is_inclusive == b.is_inclusive && start(a).is_some() && start(a) == start(b)
    }

    /// Whether each iteration adds 1 to a variable.
    pub fn is_counter(&self, variable: usize) -> bool {
        let graph = self.body.graph();
        let Some(&result) = self.body.results.get(variable) else { return false };
        let node = graph.node(graph.origin(result).node);
        let &[a, b] = &node.inputs[..] else { return false };
        let adds = |counter: TensorRef, step: TensorRef| {
            self.body.argument(counter) == Some(variable) && known_integer(graph, step) == Some(1)
        };
        matches!(node.op.as_str(), "Add" | "AddV2") && (adds(a, b) || adds(b, a))
    }

    /// The lists that are written in order from their beginning, and not read.
    pub fn written_lists(&self, cx: &Lowering<'_>, trips: Option<&TripCount>) -> Vec<WrittenList> {
        let uses = Uses::new(self.body);
        let found = self.changed.iter().filter_map(|&variable| self.written_list(cx, trips, &uses, variable));
        found.collect()
    }

    fn written_list(
        &self,
        cx: &Lowering<'_>,
        trips: Option<&TripCount>,
        uses: &Uses,
        variable: usize,
    ) -> Option<WrittenList> {
        let graph = self.body.graph();
        let result = graph.origin(*self.body.results.get(variable)?);
        let write = graph.node(result.node);
        let &[list, index, element] = &write.inputs[..] else { return None };
        let counter = self.body.argument(index)?;
        let start = usize::try_from(cx.constant(self.node.inputs[counter]).and_then(integer)?).ok()?;
        let is_written = write.op == "TensorListSetItem"
            && cx.rows(self.node.inputs[variable]).is_none()
            && self.body.argument(list) == Some(variable)
            && self.is_counter(counter)
            // ONNX Runtime copies the bytes of collected strings, and fails when it frees them.
            && graph.tensor_type(element).dtype != DType::String
            && graph.shape(element).rank().is_some();
        // The argument and the written list are read by the write and the result alone, past what forwards them.
        let is_read = [graph.origin(list), result].iter().any(|&tensor| {
            uses.readers(tensor).any(|reader| reader != result.node)
                || uses.results(tensor).any(|index| index != variable)
        });
        let before = cx.producer(cx.origin(self.node.inputs[variable]));
        let rest = match (before.op.as_str(), start) {
            ("TensorListReserve", 0) => {
                let reserved = *before.inputs.get(1)?;
                let is_whole = trips.is_some_and(|trips| trips.are(cx, self, counter, reserved));
                if is_whole { Rest::Nothing } else { Rest::Zeros(reserved) }
            }
            // A list that was written has elements of their shape everywhere.
            ("TensorListSetItem", start) => Rest::Before(start),
            _ => return None,
        };
        (is_written && !is_read).then_some(WrittenList { variable, element, rest })
    }

    /// The variables that the outputs in use depend on, in their order. `results` are what the body returns for each variable;
    /// `read` are variables that the condition reads.
    pub fn needed(&self, cx: &Lowering<'_>, results: &[TensorRef], read: &HashSet<usize>) -> Vec<usize> {
        let is_used = |&variable: &usize| cx.is_used(self.node.output(variable)) || read.contains(&variable);
        let graph = self.body.graph();
        let mut needed: HashSet<usize> = self.changed.iter().copied().filter(is_used).collect();
        let result = |variable: usize| results.get(variable).map(|result| result.node);
        let mut open: Vec<NodeId> = needed.iter().filter_map(|&variable| result(variable)).collect();
        let mut seen = HashSet::new();
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            open.extend(graph.node(node).inputs.iter().map(|input| input.node));
            if let Some(variable) = self.body.argument(node.into())
                && needed.insert(variable)
            {
                open.extend(result(variable));
            }
        }
        self.changed.iter().copied().filter(|variable| needed.contains(variable)).collect()
    }
}

/// What reads the tensors of a loop's body, past what forwards them.
struct Uses {
    readers: HashMap<TensorRef, Vec<NodeId>>,
    /// The indices of the results that each tensor is.
    results: HashMap<TensorRef, Vec<usize>>,
}

impl Uses {
    fn new(body: &BuiltFunction) -> Self {
        let graph = body.graph();
        let (mut readers, mut results) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (id, node) in graph.nodes().filter(|(_, node)| node.forwarded(0).is_none()) {
            for &input in &node.inputs {
                readers.entry(graph.origin(input)).or_default().push(id);
            }
        }
        for (index, &result) in body.results.iter().enumerate() {
            results.entry(graph.origin(result)).or_default().push(index);
        }
        Self { readers, results }
    }

    fn readers(&self, tensor: TensorRef) -> impl Iterator<Item = NodeId> {
        self.readers.get(&tensor).into_iter().flatten().copied()
    }

    fn results(&self, tensor: TensorRef) -> impl Iterator<Item = usize> {
        self.results.get(&tensor).into_iter().flatten().copied()
    }
}

impl TripCount {
    /// The number as a scalar of int64, in the graph around the loop.
    pub fn emit(&self, cx: &mut Lowering<'_>, node: NodeRef<'_>) -> crate::error::Result<String> {
        let mut counts: Vec<String> = vec![];
        for bound in &self.bounds {
            let start = cx.constant(node.inputs[bound.counter]).and_then(integer);
            let count = match (&bound.limit, start) {
                (Limit::Known(limit), Some(start)) => {
                    let more = i64::from(bound.is_inclusive);
                    let count = limit.saturating_sub(start).saturating_add(more).max(0);
                    Steps { cx, node }.int(count)
                }
                (limit, start) => {
                    let mut count = match limit {
                        Limit::Known(limit) => Steps { cx, node }.int(*limit),
                        Limit::Variable(variable) => long(cx, node, *variable)?,
                    };
                    if start != Some(0) {
                        let start = long(cx, node, bound.counter)?;
                        count = Steps { cx, node }.op("Sub", &[&count, &start]);
                    }
                    if bound.is_inclusive {
                        let mut steps = Steps { cx, node };
                        let one = steps.int(1);
                        count = steps.op("Add", &[&count, &one]);
                    }
                    count
                }
            };
            if !counts.contains(&count) {
                counts.push(count);
            }
        }
        match &counts[..] {
            [count] => Ok(count.clone()),
            counts => Ok(Steps { cx, node }.op("Min", &counts.iter().collect::<Vec<_>>())),
        }
    }

    /// Whether there are as many trips as this number says, for a counter that starts at 0.
    fn are(&self, cx: &Lowering<'_>, of: &Loop<'_>, counter: usize, number: TensorRef) -> bool {
        let [bound] = &self.bounds[..] else { return false };
        let is_same = match &bound.limit {
            Limit::Known(limit) => cx.constant(number).and_then(integer) == Some(*limit),
            Limit::Variable(variable) => are_equal(cx, of.node.inputs[*variable], number),
        };
        let start = |variable: usize| cx.constant(of.node.inputs[variable]).and_then(integer);
        !bound.is_inclusive && is_same && start(bound.counter) == start(counter)
    }
}

/// Whether two numbers are equal for sure.
fn are_equal(cx: &Lowering<'_>, a: TensorRef, b: TensorRef) -> bool {
    let lengths = cx.lengths(a).filter(|lengths| !lengths.contains(&Length::Open));
    cx.origin(a) == cx.origin(b) || lengths.is_some() && lengths == cx.lengths(b)
}

/// A variable of a loop before the first iteration, as int64.
fn long(cx: &mut Lowering<'_>, node: NodeRef<'_>, variable: usize) -> crate::error::Result<String> {
    cx.in_type(node, node.inputs[variable], DType::Int64)
}

/// The number that a tensor of a graph is, if it is a constant of one integer.
pub fn known_integer(graph: &Graph, tensor: TensorRef) -> Option<i64> {
    graph.constant(graph.origin(tensor)).and_then(integer)
}

/// The number that a constant of one integer has.
fn integer(constant: &Constant) -> Option<i64> {
    match constant.to_i64s().ok()??[..] {
        [number] => Some(number),
        _ => None,
    }
}
