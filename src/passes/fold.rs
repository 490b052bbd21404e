//! What is known before the model runs: constants are computed, branches on constants are taken, calls are
//! replaced by what they call.

use hashbrown::{HashMap, HashSet};

use super::control_flow::{Branch, taken_branch};
use crate::error::Result;
use crate::eval::{Tensor, evaluate, is_evaluated};
use crate::graph::{Attr, Attrs, Graph, Node, TensorRef};
use crate::tensor::Constant;

/// Constants with more elements are weights: they stay where they are.
const MAX_ELEMENTS: usize = 1 << 16;

/// How often what was drawn in the place of calls is looked at again: how deeply functions may call each other.
const MAX_DEPTH: usize = 100;

/// Simplifies a graph until nothing is left to be known. `outputs` are the names of the tensors that have to keep
/// their names.
///
/// # Errors
/// Where constants of the graph cannot be read, or its functions make no sense.
pub fn simplify(mut graph: Graph, outputs: &[String]) -> Result<Graph> {
    let kept: HashSet<&str> = outputs.iter().map(|name| node_name(name)).collect();
    for _ in 0..MAX_DEPTH {
        let mut simplifying = Simplifying::new(&graph, &kept);
        simplifying.run()?;
        let has_drawn = simplifying.has_drawn;
        let named: Vec<TensorRef> =
            outputs.iter().filter_map(|name| simplifying.new.find_tensor(name)).collect();
        graph = simplifying.new.pruned_to(&named).0;
        if !has_drawn {
            break;
        }
    }
    Ok(graph)
}

fn node_name(tensor: &str) -> &str {
    tensor.rsplit_once(':').map_or(tensor, |(node, _)| node)
}

/// What became of a tensor of the old graph.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// Where it is in the new graph.
    At(TensorRef),
    /// It is on a branch that is not taken.
    Dead,
}

struct Simplifying<'a> {
    old: &'a Graph,
    new: Graph,
    places: HashMap<TensorRef, Place>,
    /// Nodes whose names have to stay.
    kept: &'a HashSet<&'a str>,
    /// The branch of a `Switch` that a tensor of the new graph is on, where it is decided when the model runs.
    branches: HashMap<TensorRef, Vec<Branch>>,
    /// Whether a function was drawn, whose nodes have not been looked at.
    has_drawn: bool,
}

impl<'a> Simplifying<'a> {
    fn new(old: &'a Graph, kept: &'a HashSet<&'a str>) -> Self {
        Self {
            old,
            new: Graph::with_library(old.library().clone()),
            places: HashMap::new(),
            kept,
            branches: HashMap::new(),
            has_drawn: false,
        }
    }

    fn run(&mut self) -> Result<()> {
        for (id, node) in self.old.nodes() {
            let inputs: Vec<Place> = node.inputs.iter().map(|input| self.places[input]).collect();
            let outputs = self.simplified(node, &inputs)?;
            for (port, place) in outputs.into_iter().enumerate() {
                self.places.insert(TensorRef { node: id, port }, place);
            }
        }
        Ok(())
    }

    /// Draws what stands for a node and hands out where its outputs are.
    fn simplified(&mut self, node: &Node, inputs: &[Place]) -> Result<Vec<Place>> {
        let live: Vec<TensorRef> = inputs
            .iter()
            .filter_map(|input| match input {
                Place::At(tensor) => Some(*tensor),
                Place::Dead => None,
            })
            .collect();
        if node.op == "Merge" || node.op == "RefMerge" {
            return self.merged(node, inputs, &live);
        }
        if live.len() < inputs.len() {
            return Ok(vec![Place::Dead; node.outputs.len()]);
        }
        match node.op.as_str() {
            "Switch" | "RefSwitch" => return self.switched(node, &live),
            "PartitionedCall" | "StatefulPartitionedCall" => {
                if let Some(Attr::Function(function)) = node.attrs.get("f") {
                    return self.drawn(node, function, &live);
                }
            }
            "If" | "StatelessIf" => {
                let condition = live.first().and_then(|&input| self.known(input)).transpose()?;
                if let Some(branch) = condition.and_then(|condition| taken_branch(node, &condition)) {
                    return self.drawn(node, branch, &live[1..]);
                }
            }
            _ => {}
        }
        if let Some(values) = self.evaluated(node, &live)? {
            return self.constants(node, values);
        }
        self.copied(node, live)
    }

    fn copied(&mut self, node: &Node, inputs: Vec<TensorRef>) -> Result<Vec<Place>> {
        let mut branches: Vec<Branch> =
            inputs.iter().filter_map(|input| self.branches.get(input)).flatten().copied().collect();
        branches.sort_unstable();
        branches.dedup();
        let name = self.unique(&node.name);
        let id = self.new.add_with_outputs(name, &node.op, inputs, node.attrs.clone(), &node.outputs)?;
        let outputs = (0..self.new.node(id).outputs.len()).map(|port| TensorRef { node: id, port });
        Ok(outputs
            .map(|tensor| {
                if !branches.is_empty() {
                    self.branches.insert(tensor, branches.clone());
                }
                Place::At(tensor)
            })
            .collect())
    }

    /// A name for a node: its own, unless something that was drawn has it.
    fn unique(&self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.new.find(&unique).is_some() {
            unique.push('_');
        }
        unique
    }

    /// The value of a small constant, past what hands it on.
    fn known(&self, tensor: TensorRef) -> Option<Result<Tensor>> {
        let node = self.new.node(tensor.node);
        match node.op.as_str() {
            "Identity" | "StopGradient" | "EnsureShape" => self.known(*node.inputs.first()?),
            "IdentityN" => self.known(*node.inputs.get(tensor.port)?),
            _ => {
                let constant = node.constant().filter(|constant| constant.len() <= MAX_ELEMENTS)?;
                Tensor::from_constant(constant).transpose()
            }
        }
    }

    fn evaluated(&self, node: &Node, inputs: &[TensorRef]) -> Result<Option<Vec<Tensor>>> {
        if !is_evaluated(&node.op) || node.op == "Identity" {
            return Ok(None);
        }
        // A shape may be known where the elements are not.
        if let ("Shape" | "Size" | "Rank", Some(&input)) = (node.op.as_str(), inputs.first()) {
            return Ok(self.measured(node, input));
        }
        if inputs.is_empty() {
            return Ok(None);
        }
        let mut values = vec![];
        for &input in inputs {
            match self.known(input).transpose()? {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        evaluate(node, &values.iter().collect::<Vec<_>>())
    }

    fn measured(&self, node: &Node, input: TensorRef) -> Option<Vec<Tensor>> {
        let shape = self.new.shape(input);
        let dtype = node.dtype("out_type").unwrap_or(crate::tensor::DType::Int32);
        let value = match node.op.as_str() {
            "Rank" => Tensor::from_integers(dtype, &[], &[shape.rank()? as i64]),
            "Size" => {
                let count = crate::tensor::element_count(&shape.fully_known()?)?;
                Tensor::from_integers(dtype, &[], &[i64::try_from(count).ok()?])
            }
            _ => {
                let dims: Vec<i64> = shape.fully_known()?.iter().map(|&dim| dim as i64).collect();
                Tensor::from_integers(dtype, &[dims.len()], &dims)
            }
        };
        value.map(|value| vec![value])
    }

    /// Constants in the place of a node: one under its name, several under names that end in their ports.
    fn constants(&mut self, node: &Node, values: Vec<Tensor>) -> Result<Vec<Place>> {
        let is_single = values.len() == 1;
        let mut tensors = vec![];
        for (port, value) in values.iter().enumerate() {
            let name = if is_single { node.name.clone() } else { format!("{}/{port}", node.name) };
            tensors.push(self.constant(&name, value.to_constant())?);
        }
        if is_single { Ok(tensors.into_iter().map(Place::At).collect()) } else { self.named(node, tensors) }
    }

    fn constant(&mut self, name: &str, value: Constant) -> Result<TensorRef> {
        let name = self.unique(name);
        let attrs = [("value", Attr::Tensor(value))].into();
        self.new.add(name, "Const", vec![], attrs).map(TensorRef::from)
    }

    /// Tensors in the place of a node's outputs. Where the model delivers these, they keep their names.
    fn named(&mut self, node: &Node, tensors: Vec<TensorRef>) -> Result<Vec<Place>> {
        if !self.kept.contains(node.name.as_str()) {
            return Ok(tensors.into_iter().map(Place::At).collect());
        }
        let (name, count) = (self.unique(&node.name), tensors.len());
        let id = self.new.add(name, "IdentityN", tensors, Attrs::new())?;
        Ok((0..count).map(|port| Place::At(TensorRef { node: id, port })).collect())
    }

    fn drawn(&mut self, node: &Node, function: &str, arguments: &[TensorRef]) -> Result<Vec<Place>> {
        self.has_drawn = true;
        let library = self.new.library().clone();
        let prefix = format!("{}/", self.unique(&node.name));
        let results = library
            .draw(function, &mut self.new, &prefix, arguments)
            .map_err(|error| error.within(format!("{} \"{}\"", node.op, node.name)))?;
        self.named(node, results)
    }

    /// A `Switch` hands its input to the branch that is taken. Where that is decided when the model runs, both are
    /// computed, and the `Merge` chooses.
    fn switched(&mut self, node: &Node, inputs: &[TensorRef]) -> Result<Vec<Place>> {
        let &[data, condition] = inputs else { return Err(node.error("it has not two inputs")) };
        if let Some(flags) = self.known(condition).transpose()?.and_then(|condition| condition.flags()) {
            let is_true = flags.first() == Some(&true);
            let branch = |taken: bool| if taken { Place::At(data) } else { Place::Dead };
            return Ok(vec![branch(!is_true), branch(is_true)]);
        }
        let mut outputs = vec![];
        for is_true in [false, true] {
            let name = self.unique(&format!("{}/{is_true}", node.name));
            let tensor = TensorRef::from(self.new.add(name, "Identity", vec![data], Attrs::new())?);
            let mut branches = self.branches.get(&data).cloned().unwrap_or_default();
            branches.push(Branch { condition, is_true });
            self.branches.insert(tensor, branches);
            outputs.push(Place::At(tensor));
        }
        Ok(outputs)
    }

    fn merged(&mut self, node: &Node, inputs: &[Place], live: &[TensorRef]) -> Result<Vec<Place>> {
        let merged = match live[..] {
            [] => return Ok(vec![Place::Dead; 2]),
            [one] => {
                let index = inputs.iter().position(|input| *input != Place::Dead).unwrap_or(0) as i32;
                let index = self
                    .constant(&format!("{}/value_index", node.name), Constant::from_i32(vec![], &[index]))?;
                return self.named(node, vec![one, index]);
            }
            [a, b] => self.chosen(node, a, b)?,
            _ => None,
        };
        let Some(chosen) = merged else {
            return Err(node
                .error("which of its branches is taken is only known when the model runs")
                .advice("fix what decides it with --freeze NAME=VALUE"));
        };
        Ok(vec![Place::At(chosen), Place::Dead])
    }

    /// The choice between two branches of one condition.
    fn chosen(&mut self, node: &Node, a: TensorRef, b: TensorRef) -> Result<Option<TensorRef>> {
        let none = vec![];
        let of = |tensor: TensorRef| self.branches.get(&tensor).unwrap_or(&none);
        let decided = of(a).iter().find_map(|branch| {
            let other = Branch { is_true: !branch.is_true, ..*branch };
            of(b).contains(&other).then_some(*branch)
        });
        let Some(Branch { condition, is_true }) = decided else { return Ok(None) };
        let rest: Vec<Branch> =
            of(a).iter().filter(|branch| branch.condition != condition).copied().collect();
        let (yes, no) = if is_true { (a, b) } else { (b, a) };
        let name = self.unique(&node.name);
        let tensor =
            TensorRef::from(self.new.add(name, "SelectV2", vec![condition, yes, no], Attrs::new())?);
        if !rest.is_empty() {
            self.branches.insert(tensor, rest);
        }
        Ok(Some(tensor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;
    use crate::tensor::DType;

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[TensorRef]) -> TensorRef {
        graph.add(name, op, inputs.to_vec(), Attrs::new()).unwrap().into()
    }

    fn input(graph: &mut Graph, name: &str, dtype: DType, shape: Shape) -> TensorRef {
        let attrs = [("dtype", Attr::Type(dtype)), ("shape", Attr::Shape(shape))];
        graph.add(name, "Placeholder", vec![], attrs.into()).unwrap().into()
    }

    fn constant(graph: &mut Graph, name: &str, value: Constant) -> TensorRef {
        let attrs = [("value", Attr::Tensor(value))];
        graph.add(name, "Const", vec![], attrs.into()).unwrap().into()
    }

    fn simplified(graph: &Graph, output: &str) -> Graph {
        simplify(graph.clone(), &[format!("{output}:0")]).unwrap()
    }

    #[test]
    fn the_arithmetic_of_known_shapes_vanishes() {
        let mut graph = Graph::new();
        let images = input(&mut graph, "images", DType::Float32, Shape::known(&[2, 3, 4]));
        let shape = add(&mut graph, "shape", "Shape", &[images]);
        let first = constant(&mut graph, "first", Constant::from_i32(vec![], &[0]));
        let axes = constant(&mut graph, "axes", Constant::from_i32(vec![1], &[0]));
        let count = add(&mut graph, "count", "Prod", &[shape, axes]);
        let target = add(&mut graph, "target", "Pack", &[count]);
        let flat = add(&mut graph, "flat", "Reshape", &[images, target]);
        add(&mut graph, "unused", "AddV2", &[first, first]);
        let simple = simplified(&graph, "flat");
        let ops: Vec<&str> = simple.nodes().map(|(_, node)| node.op.as_str()).collect();
        assert_eq!(ops, ["Placeholder", "Const", "Reshape"]);
        assert_eq!(*graph.shape(flat), Shape::new(vec![None]));
        assert_eq!(*simple.shape(simple.find_tensor("flat").unwrap()), Shape::known(&[24]));
    }

    /// `out = condition ? -x : x`, as TensorFlow 1 draws it.
    fn switched(condition: impl Fn(&mut Graph) -> TensorRef) -> Graph {
        let mut graph = Graph::new();
        let x = input(&mut graph, "x", DType::Float32, Shape::known(&[3]));
        let condition = condition(&mut graph);
        let switch = graph.add("switch", "Switch", vec![x, condition], Attrs::new()).unwrap();
        let negated = add(&mut graph, "negated", "Neg", &[TensorRef { node: switch, port: 1 }]);
        let merge = vec![switch.into(), negated];
        graph.add("out", "Merge", merge, Attrs::new()).unwrap();
        graph
    }

    #[test]
    fn a_branch_on_a_constant_is_taken() {
        let graph = switched(|graph| constant(graph, "c", Constant::from_bools(vec![], &[true])));
        let simple = simplified(&graph, "out");
        let out = simple.node(simple.find("out").unwrap());
        assert_eq!(simple.node(out.inputs[0].node).op, "Neg");
        assert!(simple.nodes().all(|(_, node)| node.op != "Switch"));
    }

    #[test]
    fn a_branch_that_the_model_decides_becomes_a_choice() {
        let graph = switched(|graph| input(graph, "c", DType::Bool, Shape::scalar()));
        let simple = simplified(&graph, "out");
        assert_eq!(simple.node(simple.find("out").unwrap()).op, "SelectV2");
    }
}
