//! Loops.
//!
//! Sources: `tf.while_loop` in TensorFlow's API documentation; Loop in <https://onnx.ai/onnx/operators/>.

use hashbrown::HashSet;

use super::counted::{Loop, Rest, TripCount, WrittenList};
use super::recurrent::recurrent;
use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Rows, Value};
use crate::lower::function::{BuiltFunction, CallArgument, Form, closed};
use crate::lower::steps::Steps;
use crate::onnx::{self, Attribute, Dim, TensorInfo, onnx_dtype};
use crate::ops::lists::elements::{has_known_elements, stretched};
use crate::ops::lists::lower::of_length;
use crate::tensor::DType;

/// A loop.
///
/// TensorFlow evaluates the condition before each iteration; ONNX takes it for the first one and as the first output of the body,
/// and can be given the number of iterations instead. What no iteration changes is read from around the loop, what nothing needs is
/// left out, and a list that each iteration writes the next element of becomes a scan output.
pub fn while_loop(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let functions = [node.function("cond")?, node.function("body")?];
    let invariants = cx.graph.library().invariants(functions[1])?;
    if invariants.len() != node.inputs.len() || node.outputs.len() != node.inputs.len() {
        return Err(node.error("its body takes another number of tensors"));
    }
    for index in (0..invariants.len()).filter(|&index| invariants[index]) {
        cx.alias(node.output(index), node.inputs[index])?;
    }
    let changed: Vec<usize> = (0..invariants.len()).filter(|&index| !invariants[index]).collect();
    let before = cx.call_arguments(&node.inputs)?;
    let inside = in_each_iteration(cx, node, &before, &changed)?;
    let body = cx.build_function(node, "body", functions[1], &inside)?;
    let condition = cx.build_function(node, "condition", functions[0], &inside)?;
    let this = Loop { node, body: &body, changed: &changed };
    if recurrent(cx, &this, &condition)? {
        return Ok(());
    }
    let plan = Plan::new(cx, this, &condition);
    if plan.variables().is_empty() {
        return Ok(());
    }
    let inputs = plan.inputs(cx, node, functions[0], &before)?;
    let graph = plan.body(cx, node, functions[0], &inside)?;
    plan.emit(cx, node, inputs, graph)
}

/// The variables of a loop in its body: those that change have a name there.
fn in_each_iteration(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    before: &[CallArgument],
    changed: &[usize],
) -> Result<Vec<CallArgument>> {
    let mut inside = before.to_vec();
    for &index in changed {
        let known = node.outputs[index].clone();
        if onnx_dtype(known.dtype).is_none() {
            return Err(node.error(format!("ONNX has no tensors of {}, which it carries", known.dtype)));
        }
        let name = cx.unique_name(format!("{}/body/carried_{index}", node.name));
        let value = if cx.rows(node.inputs[index]).is_some() {
            let splits = cx.unique_name(format!("{}/body/carried_splits_{index}", node.name));
            Value::Rows(Rows { values: name, splits })
        } else {
            Value::Computed { name, layout: Layout::tensorflow_of(&known.shape) }
        };
        inside[index] = CallArgument { value, known };
    }
    Ok(inside)
}

/// How a loop is written.
struct Plan {
    /// The number of iterations as a scalar of the graph around the loop, if the condition only counts them.
    trips: Option<TripCount>,
    /// The variables that are passed from iteration to iteration.
    carried: Vec<usize>,
    /// The lists that are collected.
    lists: Vec<WrittenList>,
    /// The body. It returns the variables that are carried, and then the elements of the lists.
    built: BuiltFunction,
}

impl Plan {
    fn new(cx: &Lowering<'_>, of: Loop<'_>, condition: &BuiltFunction) -> Self {
        let trips = of.trip_count(cx, condition);
        let read: HashSet<usize> = match trips {
            Some(_) => HashSet::new(),
            None => condition.read_arguments().collect(),
        };
        let mut lists = of.written_lists(cx, trips.as_ref());
        // A condition reads the list as it is before each iteration.
        lists.retain(|list| !read.contains(&list.variable));
        let mut results = of.body.results.clone();
        for list in &lists {
            results[list.variable] = list.element;
        }
        let needed = of.needed(cx, &results, &read);
        lists.retain(|list| needed.contains(&list.variable));
        let is_list = |index: &usize| lists.iter().any(|list| list.variable == *index);
        let carried: Vec<usize> = needed.into_iter().filter(|index| !is_list(index)).collect();
        let variables = carried.iter().copied().chain(lists.iter().map(|list| list.variable));
        let returned: Vec<TensorRef> = variables.filter_map(|index| results.get(index).copied()).collect();
        Self { trips, carried, lists, built: of.body.returning(&returned) }
    }

    /// The variables that the loop has as outputs.
    fn variables(&self) -> Vec<usize> {
        self.carried.iter().copied().chain(self.lists.iter().map(|list| list.variable)).collect()
    }

    /// The number of iterations, the condition of the first one, and the variables before it.
    fn inputs(
        &self,
        cx: &mut Lowering<'_>,
        node: NodeRef<'_>,
        condition: &str,
        before: &[CallArgument],
    ) -> Result<Vec<String>> {
        let mut inputs = match &self.trips {
            Some(trips) => vec![trips.emit(cx, node)?, cx.scalar(node, "true", DType::Bool, 1.0)],
            None => {
                let first = cx.inline(node, "first", condition, before)?;
                vec![String::new(), scalar(cx, node, first)?]
            }
        };
        let before: Vec<TensorRef> = self.carried.iter().map(|&index| node.inputs[index]).collect();
        inputs.extend(cx.stored_parts(&before)?.into_iter().map(|(name, _)| name));
        Ok(inputs)
    }

    /// The graph of the body. What is the same in each iteration is computed before the loop.
    fn body(
        &self,
        cx: &mut Lowering<'_>,
        node: NodeRef<'_>,
        condition: &str,
        inside: &[CallArgument],
    ) -> Result<onnx::Graph> {
        let Self { carried, built, .. } = self;
        let mut nested = cx.nested(node, built, inside)?;
        let [iteration, goes_on] =
            ["iteration", "goes_on"].map(|what| nested.unique_name(format!("{}/body/{what}", node.name)));
        nested.run()?;
        for (&index, &result) in carried.iter().zip(&built.results) {
            if matches!(inside[index].value, Value::Rows(_)) != nested.rows(result).is_some() {
                return Err(
                    node.error(format!("its variable {index} is a list of other tensors after an iteration"))
                );
            }
        }
        let again = match self.trips {
            Some(_) => goes_on.clone(),
            None => {
                let mut next = inside.to_vec();
                for (&index, result) in carried.iter().zip(nested.call_arguments(&built.results)?) {
                    next[index].value = result.value;
                }
                let again = nested.inline(node, "again", condition, &next)?;
                scalar(&mut nested, node, again)?
            }
        };
        let again = nested.step(node, "again", "Identity", vec![again], vec![]);
        let mut outputs = vec![TensorInfo { name: again, dtype: DType::Bool, shape: Some(vec![]) }];
        outputs.extend(nested.graph_outputs(node, &built.results)?);
        let elements = &built.results[carried.len()..];
        let first = outputs.len() - elements.len();
        for (info, &element) in outputs.iter_mut().skip(first).zip(elements) {
            // Runtimes need the shape of an element if the loop does not run at all.
            let dims = built.graph().shape(element).dims();
            info.shape =
                dims.map(|dims| dims.iter().map(|dim| dim.map_or(Dim::Unknown, Dim::Known)).collect());
        }
        let nodes = cx.rejoin(nested);
        let mut inputs = vec![
            TensorInfo { name: iteration, dtype: DType::Int64, shape: Some(vec![]) },
            TensorInfo { name: goes_on, dtype: DType::Bool, shape: Some(vec![]) },
        ];
        for CallArgument { value, known } in carried.iter().map(|&index| &inside[index]) {
            let info = |name: &String, dtype| TensorInfo { name: name.clone(), dtype, shape: None };
            match value {
                Value::Computed { name, .. } => inputs.push(info(name, known.dtype.part())),
                Value::Rows(Rows { values, splits }) => {
                    inputs.extend([info(values, known.dtype.part()), info(splits, DType::Int64)]);
                }
                Value::Constant { .. } | Value::Optional(_) => {}
            }
        }
        let (before, nodes) = split_off_invariant(nodes, &inputs, &outputs);
        before.into_iter().for_each(|node| cx.append(node));
        Ok(closed(format!("{}/body", node.name), inputs, outputs, nodes))
    }

    /// Adds the loop, and completes the lists of which it does not write all elements.
    fn emit(
        &self,
        cx: &mut Lowering<'_>,
        node: NodeRef<'_>,
        inputs: Vec<String>,
        body: onnx::Graph,
    ) -> Result<()> {
        let mut names = vec![];
        for &index in &self.carried {
            let form = cx.form(node.inputs[index]);
            names.extend(cx.output_named(node.output(index), &form));
        }
        let written: Vec<String> = self.lists.iter().map(|list| written_name(cx, node, list)).collect();
        names.extend(written.iter().cloned());
        cx.node(&node.name, "Loop", inputs, names, vec![("body", Attribute::Graph(body))]);
        for (list, name) in self.lists.iter().zip(written) {
            match list.rest {
                Rest::Nothing => {}
                Rest::Zeros(count) => fill_up(cx, node, list.variable, count, name)?,
                Rest::Before(start) => put_into(cx, node, list.variable, start, name)?,
            }
        }
        Ok(())
    }
}

/// Operators that cannot fail where no iteration would have computed them.
const SAFE: &[&str] = &[
    "Add",
    "Cast",
    "Concat",
    "Gemm",
    "Identity",
    "MatMul",
    "Mul",
    "Neg",
    "Shape",
    "Sub",
    "Transpose",
    "Unsqueeze",
];

/// The nodes of a body that compute the same in each iteration, and the others.
fn split_off_invariant(
    nodes: Vec<onnx::Node>,
    inputs: &[TensorInfo],
    outputs: &[TensorInfo],
) -> (Vec<onnx::Node>, Vec<onnx::Node>) {
    let mut changing: HashSet<String> = inputs.iter().map(|info| info.name.clone()).collect();
    let (mut before, mut inside) = (vec![], vec![]);
    for node in nodes {
        let is_output = |name: &String| outputs.iter().any(|output| output.name == *name);
        let is_invariant = SAFE.contains(&&*node.op)
            && !node.inputs.iter().any(|input| changing.contains(input))
            && !node.outputs.iter().any(is_output);
        if is_invariant {
            before.push(node);
        } else {
            changing.extend(node.outputs.iter().cloned());
            inside.push(node);
        }
    }
    (before, inside)
}

/// The name of the elements that a loop writes to a list: the name of the list, if these are all.
fn written_name(cx: &mut Lowering<'_>, node: NodeRef<'_>, list: &WrittenList) -> String {
    match list.rest {
        Rest::Nothing => cx.output_named(node.output(list.variable), &Form::Tensor).concat(),
        _ => cx.unique_name(format!("{}/written_{}", node.name, list.variable)),
    }
}

/// Adds zeros after the elements that a loop wrote, up to the number that was reserved.
fn fill_up(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    variable: usize,
    reserved: TensorRef,
    written: String,
) -> Result<()> {
    let output = node.output(variable);
    let reserved = cx.in_tensorflow_layout(reserved)?;
    let mut steps = Steps { cx, node };
    let one = steps.ints(&[1]);
    let reserved = steps.cast(&reserved, DType::Int64);
    let reserved = steps.op("Reshape", &[&reserved, &one]);
    // A list that grows may be longer than what was reserved.
    let list = of_length(cx, node, (written, output), reserved)?;
    let layout = Layout::tensorflow_of(cx.shape(output));
    cx.emit(output, "Identity", vec![list], layout, vec![]);
    Ok(())
}

/// Puts the elements that a loop wrote into a list, after its first `start` elements.
fn put_into(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    variable: usize,
    start: usize,
    written: String,
) -> Result<()> {
    let reserved = cx.shape(node.inputs[variable]);
    let mut list = cx.in_tensorflow_layout(node.inputs[variable])?;
    let mut steps = Steps { cx, node };
    if !has_known_elements(reserved) {
        list = stretched(&mut steps, &list, &written, reserved.rank().is_some());
    }
    let before = steps.part(&list, 0, 0, start as i64);
    let (first, axis, end) = (steps.ints(&[start as i64]), steps.ints(&[0]), steps.ints(&[i64::MAX]));
    let count = steps.length(&written, 0);
    let next = steps.op("Add", &[&first, &count]);
    let after = steps.op("Slice", &[&list, &next, &end, &axis]);
    let output = node.output(variable);
    let layout = Layout::tensorflow_of(cx.shape(output));
    cx.emit(output, "Concat", vec![before, written, after], layout, vec![("axis", Attribute::Int(0))]);
    Ok(())
}

/// The one result of a condition.
fn scalar(cx: &mut Lowering<'_>, node: NodeRef<'_>, results: Vec<Value>) -> Result<String> {
    let name = match <[Value; 1]>::try_from(results) {
        Ok([value]) => cx.scalar_name(value),
        Err(_) => None,
    };
    name.ok_or_else(|| node.error("its condition is not one tensor"))
}
