//! Constant folding: constants are computed, branches on constants are taken, calls are replaced by the functions that they
//! call. Branches that are only decided when the model runs stay as they are, between `Switch` and `Merge`.

mod branches;
mod weights;

use std::rc::Rc;

use hashbrown::{HashMap, HashSet};

use super::batch_norm_arithmetic::arithmetic;
use super::control_flow::taken_branch;
use crate::error::Result;
use crate::eval::{evaluate, is_evaluated};
use crate::graph::branches::ON_BRANCH;
use crate::graph::{Attr, Attrs, Graph, Moved, Node, NodeId, NodeRef, TensorMap, TensorRef};
use crate::tensor::{Constant, Tensor, element_count};

/// Constants with more elements are weights: they stay where they are.
const MAX_ELEMENTS: usize = 1 << 16;

/// The most elements that a node reads and makes of constants: a larger one is left to the model.
const MAX_MADE: usize = 1 << 22;

/// The most rounds of expanding calls: how deeply functions may call each other.
const MAX_DEPTH: usize = 100;

/// Simplifies a graph until nothing changes. The tensors in `kept` keep their names.
///
/// # Errors
/// If constants of the graph cannot be read, or its functions are invalid.
pub fn simplify(mut graph: Graph, kept: &[TensorRef]) -> Result<(Graph, Moved)> {
    let mut moved = Moved::default();
    for _ in 0..MAX_DEPTH {
        let nodes = moved.tensors(kept).into_iter().map(|tensor| tensor.node).collect();
        let mut simplifying = Simplifying::new(&graph, nodes, arithmetic(&graph)?);
        simplifying.run()?;
        let has_expanded = simplifying.has_expanded;
        let (simple, simplified) = simplifying.finish();
        moved = moved.then(simplified);
        let (pruned, in_pruned) = simple.pruned_to(&moved.tensors(kept));
        (graph, moved) = (pruned, moved.then(in_pruned));
        if !has_expanded {
            break;
        }
    }
    Ok((graph, moved))
}

/// The tensor of the new graph that replaces a tensor of the old one, if any.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mapped {
    /// Its tensor in the new graph.
    At(TensorRef),
    /// It is on a branch that is not taken.
    Dead,
}

struct Simplifying<'a> {
    old: &'a Graph,
    new: Graph,
    mapped: TensorMap<Mapped>,
    /// The nodes of the new graph that those of the old one became unchanged: they compute the same of the same nodes, and so have
    /// outputs of the same types.
    shared: Vec<Option<NodeId>>,
    /// Nodes of the old graph that have to keep their names.
    kept: HashSet<NodeId>,
    /// Whether a function was expanded, whose nodes are not simplified yet.
    has_expanded: bool,
    /// The `Switch` outputs of the branches that tensors of the new graph are on, as far as they were looked up.
    on_branches: HashMap<TensorRef, Rc<[TensorRef]>>,
    /// Nodes of the old graph that compute batch norms: these become one op, unless they are computed here.
    of_batch_norms: HashSet<NodeId>,
}

impl<'a> Simplifying<'a> {
    fn new(old: &'a Graph, kept: HashSet<NodeId>, of_batch_norms: HashSet<NodeId>) -> Self {
        Self {
            old,
            new: Graph::with_library(old.library().clone()),
            mapped: TensorMap::new(old, Mapped::Dead),
            shared: vec![None; old.len()],
            kept,
            has_expanded: false,
            on_branches: HashMap::new(),
            of_batch_norms,
        }
    }

    fn run(&mut self) -> Result<()> {
        for (id, node) in self.old.nodes() {
            let node = NodeRef::new(id, node);
            let inputs: Vec<Mapped> = node.inputs.iter().map(|&input| self.mapped[input]).collect();
            let outputs = self.simplified(node, &inputs)?;
            for (port, output) in outputs.into_iter().enumerate() {
                self.mapped.set(TensorRef { node: id, port }, output);
            }
        }
        Ok(())
    }

    /// The new graph, and its tensors for those of the old one.
    fn finish(self) -> (Graph, Moved) {
        let live = self.mapped.map(|mapped| match mapped {
            Mapped::At(tensor) => Some(tensor),
            Mapped::Dead => None,
        });
        (self.new, Moved::by_tensors(live))
    }

    /// Adds the nodes that replace a node, and returns the tensors that replace its outputs.
    fn simplified(&mut self, node: NodeRef<'_>, inputs: &[Mapped]) -> Result<Vec<Mapped>> {
        let live: Vec<TensorRef> = inputs
            .iter()
            .filter_map(|input| match input {
                Mapped::At(tensor) => Some(*tensor),
                Mapped::Dead => None,
            })
            .collect();
        if node.is_merge() {
            return self.merged(node, inputs, &live);
        }
        if live.len() < inputs.len() {
            return Ok(vec![Mapped::Dead; node.outputs.len()]);
        }
        match node.op.as_str() {
            "Switch" | "RefSwitch" => return self.switched(node, live),
            ON_BRANCH => return self.on_branch(&node, &live),
            "PartitionedCall" | "StatefulPartitionedCall" => {
                if let Some(Attr::Function(function)) = node.attrs.get("f") {
                    return self.expanded(node, function, &live);
                }
            }
            "If" | "StatelessIf" => {
                let condition = live.first().and_then(|&input| self.known(input)).transpose()?;
                if let Some(branch) = condition.and_then(|condition| taken_branch(&node, &condition)) {
                    return self.expanded(node, branch, &live[1..]);
                }
            }
            _ => {}
        }
        if !self.of_batch_norms.contains(&node.id)
            && let Some(values) = self.evaluated(&node, &live)?
        {
            let constants = self.constants(node, values)?;
            return self.where_inputs_are(&node, &live, constants);
        }
        if let Some(weights) = self.scaled_weights(&node, &live)? {
            let scaled = self.constant(&node.name, weights)?;
            return self.where_inputs_are(&node, &live, vec![Mapped::At(scaled)]);
        }
        self.copied(node, live)
    }

    fn copied(&mut self, node: NodeRef<'_>, inputs: Vec<TensorRef>) -> Result<Vec<Mapped>> {
        let name = self.unique(&node.name);
        let id = if name == node.name && node.inputs.iter().all(|&input| self.is_shared(input)) {
            let id = self.new.add_copy(self.old, node.id, inputs)?;
            self.shared[node.id.index()] = Some(id);
            id
        } else {
            self.new.add_with_outputs(name, &node.op, inputs, node.attrs.clone(), &node.outputs)?
        };
        let count = self.new.node(id).outputs.len();
        Ok((0..count).map(|port| Mapped::At(TensorRef { node: id, port })).collect())
    }

    /// Whether a tensor is computed in the new graph as it is in the old one.
    fn is_shared(&self, tensor: TensorRef) -> bool {
        let shared = self.shared[tensor.node.index()];
        shared.is_some_and(|node| self.mapped[tensor] == Mapped::At(TensorRef { node, ..tensor }))
    }

    /// A name for a node: its own, unless another node has it.
    fn unique(&self, name: &str) -> String {
        let mut unique = name.to_owned();
        while self.new.find(&unique).is_some() {
            unique.push('_');
        }
        unique
    }

    /// A small constant, past nodes that forward it.
    fn known_constant(&self, tensor: TensorRef) -> Option<&Constant> {
        self.source(tensor).constant().filter(|constant| constant.len() <= MAX_ELEMENTS)
    }

    /// The value of a small constant.
    fn known(&self, tensor: TensorRef) -> Option<Result<Tensor>> {
        Tensor::from_constant(self.known_constant(tensor)?).transpose()
    }

    /// The node that computes a tensor of the new graph, past those that forward it.
    fn source(&self, tensor: TensorRef) -> &Node {
        self.new.node(self.new.origin(tensor).node)
    }

    fn evaluated(&self, node: &Node, inputs: &[TensorRef]) -> Result<Option<Vec<Tensor>>> {
        if !is_evaluated(&node.op) || node.op == "Identity" {
            return Ok(None);
        }
        // The shape of a tensor may be known although its elements are not.
        if let ("Shape" | "Size" | "Rank", Some(&input)) = (node.op.as_str(), inputs.first()) {
            return Ok(self.measured(node, input));
        }
        if inputs.is_empty() {
            return Ok(None);
        }
        let constants = inputs.iter().map(|&input| Some(self.known_constant(input)?.len()));
        let Some(lengths) = constants.collect::<Option<Vec<usize>>>() else { return Ok(None) };
        // What is too large is neither read nor made. Evaluating a node says what is wrong with it.
        let types = self.new.types_of(node, inputs).unwrap_or_default();
        let made = types.iter().filter_map(|made| element_count(&made.shape.fully_known()?));
        if lengths.into_iter().chain(made).fold(0, usize::saturating_add) > MAX_MADE {
            return Ok(None);
        }
        let mut values = vec![];
        for &input in inputs {
            match self.known(input).transpose()? {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        let Some(made) = evaluate(node, &values.iter().collect::<Vec<_>>())? else { return Ok(None) };
        let bytes = made.iter().map(Tensor::byte_len).fold(0, usize::saturating_add);
        self.new.library().budget().charge_constants(node.error("").subject(), bytes)?;
        Ok(Some(made))
    }

    /// Weights that stay where they are, and are multiplied when they are read.
    fn scaled_weights(&self, node: &Node, inputs: &[TensorRef]) -> Result<Option<Constant>> {
        let &[a, b] = inputs else { return Ok(None) };
        let (Some(a), Some(b)) = (self.source(a).constant(), self.source(b).constant()) else {
            return Ok(None);
        };
        if a.len().min(b.len()) > MAX_ELEMENTS {
            return Ok(None);
        }
        weights::product(node, [a, b])
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

    /// Constants that replace a node: one under its name, several under names that end in their ports.
    fn constants(&mut self, node: NodeRef<'_>, values: Vec<Tensor>) -> Result<Vec<Mapped>> {
        let is_single = values.len() == 1;
        let mut tensors = vec![];
        for (port, value) in values.iter().enumerate() {
            let name = if is_single { node.name.clone() } else { format!("{}/{port}", node.name) };
            tensors.push(self.constant(&name, value.to_constant())?);
        }
        if is_single { Ok(tensors.into_iter().map(Mapped::At).collect()) } else { self.named(node, tensors) }
    }

    fn constant(&mut self, name: &str, value: Constant) -> Result<TensorRef> {
        let name = self.unique(name);
        let attrs = [("value", Attr::Tensor(value))].into();
        self.new.add(name, "Const", vec![], attrs).map(TensorRef::from)
    }

    /// Tensors that replace a node's outputs. Where these are outputs of the model, they keep their names.
    fn named(&mut self, node: NodeRef<'_>, tensors: Vec<TensorRef>) -> Result<Vec<Mapped>> {
        if !self.kept.contains(&node.id) {
            return Ok(tensors.into_iter().map(Mapped::At).collect());
        }
        let (name, count) = (self.unique(&node.name), tensors.len());
        let id = self.new.add(name, "IdentityN", tensors, Attrs::new())?;
        Ok((0..count).map(|port| Mapped::At(TensorRef { node: id, port })).collect())
    }

    fn expanded(
        &mut self,
        node: NodeRef<'_>,
        function: &str,
        arguments: &[TensorRef],
    ) -> Result<Vec<Mapped>> {
        self.has_expanded = true;
        let library = self.new.library().clone();
        let prefix = format!("{}/", self.unique(&node.name));
        let results = library
            .expand(function, &mut self.new, &prefix, arguments)
            .map_err(|error| error.within(format!("{} \"{}\"", node.op, node.name)))?;
        self.named(node, results)
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
        let kept = graph.find_tensor(output).unwrap();
        simplify(graph.clone(), &[kept]).unwrap().0
    }

    #[test]
    fn the_arithmetic_of_known_shapes_is_folded() {
        let mut graph = crate::ops::new_graph();
        let images = input(&mut graph, "images", DType::Float32, Shape::known(&[2, 3, 4]));
        let shape = add(&mut graph, "shape", "Shape", &[images]);
        let first = constant(&mut graph, "first", Constant::from_i32(vec![], &[0]));
        let axes = constant(&mut graph, "axes", Constant::from_i32(vec![1], &[0]));
        let count = add(&mut graph, "count", "Prod", &[shape, axes]);
        let target = add(&mut graph, "target", "Pack", &[count]);
        add(&mut graph, "flat", "Reshape", &[images, target]);
        add(&mut graph, "unused", "AddV2", &[first, first]);
        let simple = simplified(&graph, "flat");
        let ops: Vec<&str> = simple.nodes().map(|(_, node)| node.op.as_str()).collect();
        assert_eq!(ops, ["Placeholder", "Const", "Reshape"]);
        assert_eq!(*simple.shape(simple.find_tensor("flat").unwrap()), Shape::known(&[24]));
    }

    /// `out = condition ? -x : x`, as TensorFlow 1 builds it.
    fn switched(condition: impl Fn(&mut Graph) -> TensorRef) -> Graph {
        let mut graph = crate::ops::new_graph();
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
    fn a_branch_that_the_model_decides_stays() {
        let graph = switched(|graph| input(graph, "c", DType::Bool, Shape::scalar()));
        let simple = simplified(&graph, "out");
        assert_eq!(simple.node(simple.find("out").unwrap()).op, "Merge");
    }

    #[test]
    fn what_is_computed_from_constants_on_a_branch_is_a_constant_on_that_branch() {
        let mut graph = crate::ops::new_graph();
        let condition = input(&mut graph, "c", DType::Bool, Shape::scalar());
        let one = constant(&mut graph, "one", Constant::from_i32(vec![], &[1]));
        let switch = graph.add("switch", "Switch", vec![one, condition], Attrs::new()).unwrap();
        let two = add(&mut graph, "two", "AddV2", &[TensorRef { node: switch, port: 1 }, one]);
        graph.add("out", "Merge", vec![switch.into(), two], Attrs::new()).unwrap();
        let simple = simplified(&graph, "out");
        let out = simple.node(simple.find("out").unwrap());
        let on_branch = simple.node(out.inputs[1].node);
        assert_eq!(on_branch.op, ON_BRANCH);
        assert_eq!(simple.constant(on_branch.inputs[0]).unwrap().to_i64s().unwrap().unwrap(), [2]);
        assert_eq!(on_branch.inputs[1].port, 1);
    }
}
