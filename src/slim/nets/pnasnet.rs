//! PNASNet-5 (<https://arxiv.org/abs/1712.00559>): the structure of NASNet with a single kind of cell.
//!
//! Source: `research/slim/nets/nasnet/pnasnet.py`.

use super::nasnet::{
    FILTER_SCALING_RATE, NASNET_LARGE, NUM_CELLS, SKIP_REDUCTION_LAYER_INPUT, aux_head, before_last, filters,
    final_layer, hparams, imagenet_stem, reductions,
};
use super::nasnet_cell::Cell;
use super::nasnet_cell::Operation::{Identity, MaxPool, Separable};
use super::{Build, LibraryNetwork};
use crate::graph::TensorRef;
use crate::slim::{NetworkBuilder, Options};

pub const PNASNET_LARGE: LibraryNetwork = LibraryNetwork {
    name: "pnasnet_large",
    aux_logits: Some("aux_7"),
    arg_scope_name: "pnasnet_large_arg_scope",
    options: &hparams(12, 216, 3.0, 1),
    build: Build::Images(build),
    ..NASNET_LARGE
};
pub const PNASNET_MOBILE: LibraryNetwork = LibraryNetwork {
    name: "pnasnet_mobile",
    image_size: [224, 224],
    aux_logits: Some("aux_5"),
    arg_scope_name: "pnasnet_mobile_arg_scope",
    options: &hparams(9, 54, 1.0, 1),
    ..PNASNET_LARGE
};

const CELL: Cell = Cell {
    blocks: [
        [(Separable(5), 1), (MaxPool, 1)],
        [(Separable(7), 0), (MaxPool, 0)],
        [(Separable(5), 0), (Separable(3), 0)],
        [(Separable(3), 4), (MaxPool, 0)],
        [(Separable(3), 1), (Identity, 0)],
    ],
    joined: &[2, 3, 4, 5, 6],
};

fn build(slim: &mut NetworkBuilder<'_>, images: TensorRef, options: &Options) -> TensorRef {
    let mut outputs = imagenet_stem(slim, images, options, &CELL);
    let mut net = outputs[outputs.len() - 1];
    slim.end_point("Stem", net);
    let reductions = reductions(options);
    let mut scaling = 1.0;
    let mut previous = before_last(&outputs);
    for cell in 0..options.count(NUM_CELLS) {
        let is_reduction = reductions.contains(&cell);
        if is_reduction {
            scaling *= options.number(FILTER_SCALING_RATE);
        }
        // A reduction may read the same input as the cell before it.
        if !is_reduction || options.count(SKIP_REDUCTION_LAYER_INPUT) != 0 {
            previous = before_last(&outputs);
        }
        let stride = if is_reduction { 2 } else { 1 };
        let scope = format!("cell_{cell}");
        net = CELL.build(slim, net, previous, &scope, (filters(options, scaling), stride));
        slim.end_point(&format!("Cell_{cell}"), net);
        outputs.push(net);
        aux_head(slim, net, cell, options);
    }
    final_layer(slim, net, options)
}
