//! Blocks of units up to an output stride, as Xception and the ResNets of DeepLab have them.
//!
//! Source: `stack_blocks_dense` in `research/deeplab/core/xception.py` and `research/slim/nets/resnet_utils.py`.

use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::options::OUTPUT_STRIDE;
use crate::slim::{NetworkBuilder, Options};

/// Units in the scopes `unit_1`, `unit_2` and so on of a scope.
#[derive(Debug, Clone)]
pub struct Block<U> {
    pub scope: &'static str,
    /// The units, each with its stride.
    pub units: Vec<(usize, U)>,
}

/// Builds the blocks on features that have shrunk by `stride` already. Once they have shrunk by the network's output
/// stride, strides become rates: `build` gets the features, the unit, its stride and its rate.
pub fn stack_blocks_dense<U>(
    slim: &mut NetworkBuilder<'_>,
    mut net: TensorRef,
    blocks: &[Block<U>],
    stride: usize,
    options: &Options,
    mut build: impl FnMut(&mut NetworkBuilder<'_>, TensorRef, &U, [usize; 2]) -> TensorRef,
) -> TensorRef {
    let output_stride = options.count(&OUTPUT_STRIDE.name);
    let (mut current_stride, mut rate) = (stride, 1);
    for block in blocks {
        net = slim.variable_scope(block.scope, |slim| {
            for ((stride, unit), number) in block.units.iter().zip(1..) {
                let is_reached = current_stride == output_stride;
                let stride_and_rate = if is_reached { [1, rate] } else { [*stride, 1] };
                net = slim.variable_scope(&format!("unit_{number}"), |slim| {
                    build(slim, net, unit, stride_and_rate)
                });
                *(if is_reached { &mut rate } else { &mut current_stride }) *= stride;
            }
            slim.scoped_end_point("", net)
        });
    }
    if current_stride != output_stride {
        let error = Error::new(&OUTPUT_STRIDE.name, format!("the network cannot reach {output_stride}"));
        slim.fail(error.advice("choose 8, 16 or 32"));
    }
    net
}
