//! The scopes of layers, in the order that their channels show.

use super::super::{LayerEntry, LayerKind};
use super::not_expressible;

/// The scope that all layers are in, below which their names differ.
pub(super) fn common_scope(layers: &[LayerEntry]) -> &str {
    let mut scopes = layers.iter().map(|layer| parent(&layer.scope));
    let first = scopes.next().unwrap_or("");
    scopes.fold(first, |common, scope| {
        let mut end = 0;
        for (part, other) in common.split('/').zip(scope.split('/')) {
            if part != other {
                break;
            }
            end += part.len() + 1;
        }
        &common[..end.saturating_sub(1).min(common.len())]
    })
}

fn parent(scope: &str) -> &str {
    scope.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn without_numbers(name: &str) -> String {
    name.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// A scope with the layer in it, and the scopes below it.
#[derive(Default)]
pub(super) struct Scope<'a> {
    pub(super) name: &'a str,
    pub(super) layer: Option<&'a LayerEntry>,
    pub(super) below: Vec<Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// The scopes of the layers below `root`.
    pub(super) fn tree(root: &str, layers: &'a [LayerEntry]) -> Self {
        let mut tree = Scope::default();
        for layer in layers {
            let mut scope = &mut tree;
            let path = layer.scope.strip_prefix(root).unwrap_or(&layer.scope);
            for name in path.split('/').filter(|name| !name.is_empty()) {
                let known = scope.below.iter().position(|below| below.name == name);
                let index = known.unwrap_or_else(|| {
                    scope.below.push(Scope { name, ..Scope::default() });
                    scope.below.len() - 1
                });
                scope = &mut scope.below[index];
            }
            scope.layer = Some(layer);
        }
        tree
    }

    /// Puts the scopes in an order in which each reads the channels of the one before, as far as that is possible. Where it is
    /// not, the order is that of the names. Returns the channels of the last layer.
    pub(super) fn arrange(&mut self, mut channels: Option<usize>) -> Option<usize> {
        if let Some(layer) = self.layer.filter(|layer| not_expressible(layer).is_none()) {
            channels = layer.outputs;
        }
        if self.has_branches() {
            let outputs = self.below.iter_mut().map(|branch| branch.arrange(channels));
            return outputs.collect::<Vec<_>>().into_iter().sum();
        }
        let mut remaining = std::mem::take(&mut self.below);
        while !remaining.is_empty() {
            let reads = |scope: &Scope<'_>| scope.entry().and_then(|layer| layer.inputs);
            let is_norm =
                |scope: &Scope<'_>| scope.entry().is_some_and(|layer| layer.kind == LayerKind::BatchNorm);
            // The numbers in names are the order of scopes that differ in them alone.
            let is_numbered_later = |index: usize| {
                let pattern = without_numbers(remaining[index].name);
                remaining[..index].iter().any(|earlier| without_numbers(earlier.name) == pattern)
            };
            let fits = |index: usize| match channels {
                Some(_) => reads(&remaining[index]) == channels && !is_numbered_later(index),
                // The first layer reads images.
                None => reads(&remaining[index]).is_some_and(|channels| [1, 3].contains(&channels)),
            };
            let fitting = (0..remaining.len()).find(|&index| fits(index));
            let index = fitting.or_else(|| remaining.iter().position(|scope| !is_norm(scope))).unwrap_or(0);
            let mut next = remaining.remove(index);
            channels = next.arrange(channels);
            self.below.push(next);
        }
        channels
    }

    /// Whether the scopes below are branches by their names, which a description gives them too.
    pub(super) fn has_branches(&self) -> bool {
        let is_branch = |(index, branch): (usize, &Scope<'_>)| branch.name == format!("Branch_{index}");
        self.layer.is_none() && self.below.len() > 1 && self.below.iter().enumerate().all(is_branch)
    }

    /// The layer that reads what the scope reads: the first one, unless it is a batch norm that follows another.
    fn entry(&self) -> Option<&'a LayerEntry> {
        let layers = self.layers();
        let is_norm = |layer: &&&LayerEntry| layer.kind == LayerKind::BatchNorm;
        layers.iter().find(|layer| !is_norm(layer)).or(layers.first()).copied()
    }

    /// The layers that a description can have.
    fn layers(&self) -> Vec<&'a LayerEntry> {
        let own = self.layer.filter(|layer| not_expressible(layer).is_none());
        own.into_iter().chain(self.below.iter().flat_map(Scope::layers)).collect()
    }
}
