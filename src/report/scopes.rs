//! The name scopes of a graph as a tree: the layers and inner scopes of each scope, and the edges between them.

use hashbrown::{HashMap, HashSet};
use serde::Serialize;

use super::{Arrangement, LayerReport};

/// The largest depth of scopes. Deeper ones are a part of a layer's name.
const MAX_DEPTH: usize = 24;

/// The tree of scopes. The first scope is the whole graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Picture {
    /// The scopes, each after its parent.
    pub scopes: Vec<Scope>,
}

/// A scope with its parts and their arrangement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scope {
    /// Its full name; empty for the whole graph.
    pub name: String,
    /// Its name within its parent.
    pub label: String,
    /// The scope that it is in.
    pub parent: Option<usize>,
    /// The number of layers in it and in its inner scopes.
    pub layers: usize,
    /// The elements of the weights of these layers.
    pub parameters: u64,
    /// Its layers and inner scopes, in the order of the graph.
    pub parts: Vec<Part>,
    /// The arrangement of its parts in the picture.
    pub arrangement: Arrangement,
}

/// A part of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// An inner scope, by its index in the list of scopes.
    Scope(usize),
    /// A layer, by its index in the list of layers.
    Layer(usize),
}

impl Picture {
    /// Arranges layers by the scopes in their names.
    pub fn new(layers: &[LayerReport]) -> Self {
        let mut scopes = compressed(tree(layers));
        let around = parents(&scopes, layers.len());
        let mut links: Vec<Links> = vec![Links::default(); scopes.len()];
        for (reader, layer) in layers.iter().enumerate() {
            for &read in &layer.inputs {
                connect(&around, read, reader, &mut links);
            }
        }
        for (scope, links) in scopes.iter_mut().zip(links) {
            let index: HashMap<Part, usize> =
                scope.parts.iter().enumerate().map(|(i, &part)| (part, i)).collect();
            let known = |part: &Part| index.get(part).copied();
            let between =
                links.between.iter().filter_map(|(from, to)| Some([known(from)?, known(to)?])).collect();
            let entered = links.entered.iter().filter_map(known).collect();
            let left = links.left.iter().filter_map(known).collect();
            scope.arrangement = Arrangement::new(scope.parts.len(), between, entered, left);
        }
        Self { scopes }
    }
}

/// The edges in a scope, each once and in the order of the graph.
#[derive(Debug, Clone, Default)]
struct Links {
    between: Vec<(Part, Part)>,
    /// Parts that read something from outside of the scope.
    entered: Vec<Part>,
    /// Parts that something outside reads.
    left: Vec<Part>,
    seen: HashSet<(Option<Part>, Option<Part>)>,
}

impl Links {
    fn add(&mut self, from: Option<Part>, to: Option<Part>) {
        if !self.seen.insert((from, to)) {
            return;
        }
        match (from, to) {
            (Some(from), Some(to)) => self.between.push((from, to)),
            (None, Some(to)) => self.entered.push(to),
            (Some(from), None) => self.left.push(from),
            (None, None) => {}
        }
    }
}

/// A new scope.
fn scope(name: &str, label: &str, parent: Option<usize>) -> Scope {
    Scope {
        name: name.to_owned(),
        label: label.to_owned(),
        parent,
        layers: 0,
        parameters: 0,
        parts: vec![],
        arrangement: Arrangement::default(),
    }
}

/// The scopes by the names of layers.
fn tree(layers: &[LayerReport]) -> Vec<Scope> {
    let mut scopes = vec![scope("", "", None)];
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, layer) in layers.iter().enumerate() {
        let mut within = 0;
        let count = |scope: &mut Scope| {
            scope.layers += 1;
            scope.parameters = scope.parameters.saturating_add(layer.parameters);
        };
        count(&mut scopes[0]);
        let mut start = 0;
        for (end, _) in layer.name.match_indices('/').take(MAX_DEPTH) {
            let (name, label) = (&layer.name[..end], &layer.name[start..end]);
            start = end + 1;
            let found = known.get(name).copied();
            within = found.unwrap_or_else(|| {
                let id = scopes.len();
                scopes.push(scope(name, label, Some(within)));
                scopes[within].parts.push(Part::Scope(id));
                known.insert(name, id);
                id
            });
            count(&mut scopes[within]);
        }
        scopes[within].parts.push(Part::Layer(index));
    }
    scopes
}

/// The scopes without those that have a single part: the part replaces them.
fn compressed(tree: Vec<Scope>) -> Vec<Scope> {
    let mut kept = vec![scope("", "", None)];
    // Scopes of the tree with their indices in the result. Outer scopes come first in both.
    let mut waiting = vec![(0, 0)];
    while let Some((from, to)) = waiting.pop() {
        (kept[to].layers, kept[to].parameters) = (tree[from].layers, tree[from].parameters);
        for &part in &tree[from].parts {
            let mut part = part;
            let mut last = None;
            while let Part::Scope(id) = part {
                last = Some(id);
                match tree[id].parts[..] {
                    [single] => part = single,
                    _ => break,
                }
            }
            if let (Part::Scope(_), Some(id)) = (part, last) {
                let index = kept.len();
                let inner = &tree[id];
                let outer = if kept[to].name.is_empty() { 0 } else { kept[to].name.len() + 1 };
                let label = inner.name.get(outer..).unwrap_or(&inner.label);
                kept.push(scope(&inner.name, label, Some(to)));
                kept[to].parts.push(Part::Scope(index));
                waiting.push((id, index));
            } else {
                kept[to].parts.push(part);
            }
        }
    }
    kept
}

/// For each layer the scopes around it, outermost first, each with its part that the layer is in.
fn parents(scopes: &[Scope], layers: usize) -> Vec<Vec<(usize, Part)>> {
    let mut around = vec![vec![]; layers];
    for (id, scope) in scopes.iter().enumerate() {
        for &part in &scope.parts {
            let Part::Layer(layer) = part else { continue };
            let mut chain = vec![(id, part)];
            let (mut inner, mut outer) = (id, scope.parent);
            while let Some(id) = outer {
                chain.push((id, Part::Scope(inner)));
                (inner, outer) = (id, scopes[id].parent);
            }
            chain.reverse();
            around[layer] = chain;
        }
    }
    around
}

/// Adds the edge from one layer to another: inside of the innermost scope that has both, out of the scopes that have only the
/// first, and into those that have only the second.
fn connect(around: &[Vec<(usize, Part)>], read: usize, reader: usize, links: &mut [Links]) {
    let (from, to) = (&around[read], &around[reader]);
    let shared = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let (Some(&(scope, left)), Some(&(_, entered))) = (from.get(shared), to.get(shared)) else { return };
    links[scope].add(Some(left), Some(entered));
    from[shared + 1..].iter().for_each(|&(scope, part)| links[scope].add(Some(part), None));
    to[shared + 1..].iter().for_each(|&(scope, part)| links[scope].add(None, Some(part)));
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn layer(name: &str, inputs: &[usize]) -> LayerReport {
        LayerReport {
            name: name.to_owned(),
            op: "Relu".to_owned(),
            inputs: inputs.to_vec(),
            outputs: vec![],
            is_input: inputs.is_empty(),
            is_output: false,
            parameters: 1,
            weight_bytes: 4,
            activation_bytes: None,
            share: 0.0,
        }
    }

    #[test]
    fn a_scope_with_a_single_part_is_replaced_by_it() {
        let layers = [
            layer("input", &[]),
            layer("net/net/conv/Conv2D", &[0]),
            layer("net/net/conv/BatchNorm/FusedBatchNormV3", &[1]),
            layer("net/net/pool/MaxPool", &[2]),
        ];
        let Picture { scopes } = Picture::new(&layers);
        let names: Vec<_> = scopes.iter().map(|scope| (scope.name.as_str(), scope.label.as_str())).collect();
        assert_eq!(names, [("", ""), ("net/net", "net/net"), ("net/net/conv", "conv")]);
        assert_eq!(scopes[0].parts, [Part::Layer(0), Part::Scope(1)]);
        assert_eq!(scopes[1].parts, [Part::Scope(2), Part::Layer(3)]);
        assert_eq!((scopes[1].layers, scopes[2].parameters), (3, 2));
    }

    #[test]
    fn an_edge_leaves_the_scopes_of_the_first_layer_and_enters_those_of_the_second() {
        let layers = [layer("a/x", &[]), layer("a/y", &[0]), layer("b/x", &[1]), layer("b/y", &[2, 1])];
        let Picture { scopes } = Picture::new(&layers);
        let [all, a, b] = &scopes[..] else { panic!("three scopes") };
        assert_eq!(all.arrangement.between(), [[0, 1]]);
        assert_eq!(a.arrangement.between(), [[0, 1]]);
        assert_eq!(b.arrangement.between(), [[0, 1]]);
        assert_eq!((a.arrangement.entered(), a.arrangement.left()), (vec![], vec![1]));
        assert_eq!((b.arrangement.entered(), b.arrangement.left()), (vec![0, 1], vec![]));
    }

    #[test]
    fn layers_with_any_names_are_in_the_picture() {
        let deep = "a/".repeat(10_000) + "b";
        let layers =
            [layer(&deep, &[]), layer("a//", &[0]), layer("/", &[1]), layer("", &[2]), layer("a", &[3])];
        let Picture { scopes } = Picture::new(&layers);
        let placed =
            scopes.iter().flat_map(|scope| &scope.parts).filter(|part| matches!(part, Part::Layer(_)));
        assert_eq!(placed.count(), layers.len());
    }
}
