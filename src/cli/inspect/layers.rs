//! The layers of a checkpoint whose network is not known, as a table.

use crate::cli::output::{self, Column};
use crate::inspect::{LayerEntry, LayerKind};

/// Layers whose names differ in their numbers alone, and that are alike but for their channels.
struct Group<'a> {
    pattern: String,
    first: &'a LayerEntry,
    layers: Vec<&'a LayerEntry>,
}

/// The layers, with one row for those that repeat.
pub fn table(layers: &[LayerEntry]) -> String {
    let mut groups: Vec<Group<'_>> = vec![];
    for layer in layers {
        let pattern = without_numbers(&layer.scope);
        let known = groups.iter_mut().find(|group| group.pattern == pattern && is_alike(group.first, layer));
        match known {
            Some(group) => group.layers.push(layer),
            None => groups.push(Group { pattern, first: layer, layers: vec![layer] }),
        }
    }
    let columns = [
        Column::names("layers, by their variables"),
        Column::new("count"),
        Column::new("kind"),
        Column::new("inputs"),
        Column::new("outputs"),
        Column::new("with"),
    ];
    let rows = groups.iter().map(|group| {
        let count = group.layers.len();
        vec![
            if count == 1 { group.first.scope.clone() } else { group.pattern.clone() },
            count.to_string(),
            kind(group.first),
            range(group.layers.iter().map(|layer| layer.inputs)),
            range(group.layers.iter().map(|layer| layer.outputs)),
            with(group.first),
        ]
    });
    output::table(&columns, rows)
}

fn is_alike(a: &LayerEntry, b: &LayerEntry) -> bool {
    a.kind == b.kind
        && a.kernel == b.kernel
        && (a.biases.is_some(), a.batch_norm.is_some(), a.gamma, a.beta)
            == (b.biases.is_some(), b.batch_norm.is_some(), b.gamma, b.beta)
        && a.others == b.others
}

/// A scope with `*` in place of its numbers.
fn without_numbers(scope: &str) -> String {
    let mut pattern = String::new();
    for c in scope.chars() {
        match c.is_ascii_digit() {
            true if pattern.ends_with('*') => {}
            true => pattern.push('*'),
            false => pattern.push(c),
        }
    }
    pattern
}

fn kind(layer: &LayerEntry) -> String {
    let name = match layer.kind {
        LayerKind::Conv2d => "convolution",
        LayerKind::DepthwiseConv2d => "depthwise convolution",
        LayerKind::SeparableConv2d => "separable convolution",
        LayerKind::Conv1d => "1D convolution",
        LayerKind::Conv3d => "3D convolution",
        LayerKind::FullyConnected => "matrix",
        LayerKind::Recurrent => "recurrent cell",
        LayerKind::BatchNorm => "batch norm",
        LayerKind::Norm => "norm",
        LayerKind::Other => "other",
    };
    let kernel: Vec<String> = layer.kernel.iter().map(usize::to_string).collect();
    if kernel.is_empty() { name.to_owned() } else { format!("{name} {}", kernel.join("x")) }
}

fn range(lengths: impl Iterator<Item = Option<usize>>) -> String {
    let lengths: Vec<usize> = lengths.flatten().collect();
    match (lengths.iter().min(), lengths.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => "?".to_owned(),
    }
}

/// The other variables of a layer.
fn with(layer: &LayerEntry) -> String {
    let mut parts = vec![];
    parts.extend(layer.biases.clone());
    let norm = match (layer.gamma, layer.beta) {
        (true, true) => "gamma and beta",
        (true, false) => "gamma, no beta",
        (false, true) => "beta, no gamma",
        (false, false) => "neither gamma nor beta",
    };
    if layer.batch_norm.is_some() {
        parts.push(format!("batch norm ({norm})"));
    } else if matches!(layer.kind, LayerKind::BatchNorm | LayerKind::Norm) {
        parts.push(norm.to_owned());
    }
    parts.extend(layer.others.iter().cloned());
    parts.join(", ")
}
