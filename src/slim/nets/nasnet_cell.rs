//! The searched cells of NASNet and PNASNet: five blocks that add two operations each, and the join of their outputs.
//!
//! Source: `research/slim/nets/nasnet/nasnet_utils.py`.

use crate::graph::TensorRef;
use crate::slim::arg_scope::SAME;
use crate::slim::{Arg::Stride, NetworkBuilder};

/// An operation of a cell on one of its states.
#[derive(Clone, Copy)]
pub enum Operation {
    /// Two separable convolutions of this kernel.
    Separable(usize),
    AvgPool,
    MaxPool,
    /// No operation, unless the size or the depth has to change.
    Identity,
}

/// A cell. State 0 is its input, state 1 is the output of the cell before the last one, and each block adds a state.
pub struct Cell {
    /// The two operations of each block, each with the state that it reads. A block adds their results.
    pub blocks: [[(Operation, usize); 2]; 5],
    /// The states that are joined to the output.
    pub joined: &'static [usize],
}

impl Cell {
    /// Builds the cell in `scope`, with `filters` channels for each block, at `stride`. `previous` is the output of the
    /// cell before the last one; the default is the input.
    pub fn build(
        &self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        previous: Option<TensorRef>,
        scope: &str,
        (filters, stride): (usize, usize),
    ) -> TensorRef {
        // Recognition tries all networks of such cells, so stopping early saves much time.
        if slim.has_failed() {
            return net;
        }
        slim.variable_scope(scope, |slim| {
            let previous = previous.map_or(net, |previous| like_current(slim, previous, net, filters));
            let net = slim.relu(net);
            let net = conv_bn(slim, net, filters, ["1x1", "beginning_bn"], 1);
            let mut states = vec![net, previous];
            for (i, [left, right]) in self.blocks.iter().enumerate() {
                let state = slim.variable_scope(&format!("comb_iter_{i}"), |slim| {
                    let [left, right] =
                        [("left", left), ("right", right)].map(|(side, (operation, state))| {
                            // The stride applies only to the two states that are inputs of the cell.
                            let stride = if *state < 2 { stride } else { 1 };
                            let net = states[*state];
                            slim.variable_scope(side, |slim| operation.build(slim, net, filters, stride))
                        });
                    slim.variable_scope("combine", |slim| slim.sum(left, right))
                });
                states.push(state);
            }
            slim.variable_scope("cell_output", |slim| join(slim, &states, self.joined))
        })
    }
}

impl Operation {
    fn build(
        self,
        slim: &mut NetworkBuilder<'_>,
        net: TensorRef,
        filters: usize,
        stride: usize,
    ) -> TensorRef {
        let channels = slim.channels(net);
        let pooled = match self {
            Self::Separable(kernel) => return separable(slim, net, filters, kernel, stride),
            Self::Identity if stride == 1 && channels == filters => return net,
            Self::Identity => {
                let net = slim.relu(net);
                return conv_bn(slim, net, filters, ["1x1", "bn_1"], stride);
            }
            Self::AvgPool => slim.avg_pool2d(net, 3, "AvgPool2D", &[Stride(stride), SAME]),
            Self::MaxPool => slim.max_pool2d(net, 3, "MaxPool2D", &[Stride(stride), SAME]),
        };
        if channels == filters { pooled } else { conv_bn(slim, pooled, filters, ["1x1", "bn_1"], 1) }
    }
}

/// Two separable convolutions. The first one has the stride.
fn separable(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    filters: usize,
    kernel: usize,
    stride: usize,
) -> TensorRef {
    [(1, stride), (2, 1)].iter().fold(net, |net, &(layer, stride)| {
        let net = slim.relu(net);
        let scope = format!("separable_{kernel}x{kernel}_{layer}");
        let net = slim.separable_conv2d(net, filters, kernel, 1, &scope, &[Stride(stride)]);
        slim.batch_norm_in(&format!("bn_sep_{kernel}x{kernel}_{layer}"), net, &[])
    })
}

/// A pointwise convolution and its batch norm, in these scopes.
fn conv_bn(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    filters: usize,
    [conv, bn]: [&str; 2],
    stride: usize,
) -> TensorRef {
    let net = slim.conv2d(net, filters, 1, conv, &[Stride(stride)]);
    slim.batch_norm_in(bn, net, &[])
}

/// The output of an earlier cell, brought to the size of `current` and to `filters` channels.
fn like_current(
    slim: &mut NetworkBuilder<'_>,
    previous: TensorRef,
    current: TensorRef,
    filters: usize,
) -> TensorRef {
    if width(slim, previous) != width(slim, current) {
        let net = slim.relu(previous);
        factorized_reduction(slim, net, filters, 2)
    } else if slim.channels(previous) != filters {
        let net = slim.relu(previous);
        conv_bn(slim, net, filters, ["prev_1x1", "prev_bn"], 1)
    } else {
        previous
    }
}

/// Joins states along the channels. States of another size or depth are first adjusted to the last one.
fn join(slim: &mut NetworkBuilder<'_>, states: &[TensorRef], joined: &[usize]) -> TensorRef {
    let last = states[states.len() - 1];
    let (size, filters) = (width(slim, last), slim.channels(last));
    let adjusted: Vec<TensorRef> = joined
        .iter()
        .map(|&state| {
            let net = states[state];
            let shrinks = width(slim, net) != size;
            if !shrinks && slim.channels(net) == filters {
                return net;
            }
            let stride = if shrinks { 2 } else { 1 };
            slim.variable_scope(&format!("reduction_{state}"), |slim| {
                factorized_reduction(slim, net, filters, stride)
            })
        })
        .collect();
    slim.concat(&adjusted)
}

/// A pointwise convolution that halves the size without ignoring three pixels in four: half of its channels read the
/// image, and the other half read the image moved by one pixel.
fn factorized_reduction(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    filters: usize,
    stride: usize,
) -> TensorRef {
    if stride == 1 {
        return conv_bn(slim, net, filters, ["path_conv", "path_bn"], 1);
    }
    let straight = slim.plain_avg_pool(net, [1, 1], stride);
    let straight = slim.conv2d(straight, filters / 2, 1, "path1_conv", &[]);
    let moved = slim.spatial_pad(net, 0, 1);
    let moved = slim.cropped_at_start(moved, [1, 1]);
    let moved = slim.plain_avg_pool(moved, [1, 1], stride);
    let moved = slim.conv2d(moved, filters - filters / 2, 1, "path2_conv", &[]);
    let net = slim.concat(&[straight, moved]);
    slim.batch_norm_in("final_path_bn", net, &[])
}

fn width(slim: &NetworkBuilder<'_>, net: TensorRef) -> Option<usize> {
    slim.height_and_width(net).map(|[_, width]| width)
}
