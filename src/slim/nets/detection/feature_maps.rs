//! Feature maps of several resolutions from those of a classifier.
//!
//! Source: `research/object_detection/models/feature_map_generators.py`.

use crate::error::Error;
use crate::graph::TensorRef;
use crate::slim::arg_scope::{NO_ACTIVATION, NO_NORMALIZER, SAME, VALID};
use crate::slim::options::scaled_depth;
use crate::slim::{Arg, Arg::Stride, Kernel, Layer, NetworkBuilder};
use crate::tensor::Constant;

use super::extractor::Extractor;

/// `multi_resolution_feature_maps`: end points of the classifier, then as many maps as `depths` has, each half as large as the one before.
pub fn multi_resolution(
    slim: &mut NetworkBuilder<'_>,
    from_layers: &[&str],
    depths: &[(usize, usize)],
    extractor: &Extractor,
) -> Vec<TensorRef> {
    let mut maps: Vec<TensorRef> = from_layers.iter().map(|layer| slim.built_end_point(layer)).collect();
    let base = from_layers.last().copied().unwrap_or_default();
    let depth = |depth| scaled_depth(depth, extractor.depth_multiplier, extractor.min_depth);
    let padding = if extractor.use_explicit_padding { VALID } else { SAME };
    let first = maps.len();
    for (index, &(full_depth, kernel)) in (first..).zip(depths) {
        let Some(&before) = maps.last() else { break };
        let outputs = depth(full_depth / 2);
        let scope = format!("{base}_1_Conv2d_{index}_1x1_{outputs}");
        let mut net = slim.conv2d(before, outputs, 1, &scope, &[SAME, Stride(1)]);
        let outputs = depth(full_depth);
        let scope = format!("{base}_2_Conv2d_{index}_{kernel}x{kernel}_s2_{outputs}");
        if extractor.use_explicit_padding {
            net = slim.fixed_padding(net, kernel, 1);
        }
        let strided = [padding.clone(), Stride(2)];
        maps.push(if extractor.use_depthwise {
            net = slim.depthwise_conv2d(net, kernel, &format!("{scope}_depthwise"), &strided);
            slim.conv2d(net, outputs, 1, &scope, &[SAME, Stride(1)])
        } else {
            slim.conv2d(net, outputs, kernel, &scope, &strided)
        });
    }
    maps
}

/// A convolution, or a separable one.
fn conv_or_separable(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    depth: usize,
    kernel: impl Into<Kernel>,
    scope: &str,
    is_separable: bool,
    args: &[Arg],
) -> TensorRef {
    if is_separable {
        slim.separable_conv2d(net, depth, kernel, 1, scope, args)
    } else {
        slim.conv2d(net, depth, kernel, scope, args)
    }
}

/// `fpn_top_down_feature_maps`: each map gets the upsampled map above it added.
pub fn top_down(
    slim: &mut NetworkBuilder<'_>,
    features: &[TensorRef],
    depth: usize,
    use_depthwise: bool,
    use_explicit_padding: bool,
) -> Vec<TensorRef> {
    let padding = if use_explicit_padding { VALID } else { SAME };
    let projection = [NO_ACTIVATION, NO_NORMALIZER];
    slim.name_scope("top_down", |slim| {
        slim.arg_scope(&[Layer::Conv2d, Layer::SeparableConv2d], &[padding, Stride(1)], |slim| {
            let Some((&top, others)) = features.split_last() else { return vec![] };
            let mut net = slim.conv2d(top, depth, 1, &format!("projection_{}", features.len()), &projection);
            let mut maps = vec![net];
            for (index, &feature) in others.iter().enumerate().rev() {
                let level = index + 1;
                net = nearest_neighbor_upsampling(slim, net);
                let residual = slim.conv2d(feature, depth, 1, &format!("projection_{level}"), &projection);
                if use_explicit_padding {
                    net = cropped_like(slim, net, residual);
                }
                if slim.height_and_width(net) != slim.height_and_width(residual) {
                    slim.fail(size_of_pyramid());
                }
                net = slim.sum(net, residual);
                let padded = if use_explicit_padding { slim.fixed_padding(net, 3, 1) } else { net };
                let scope = format!("smoothing_{level}");
                maps.push(conv_or_separable(slim, padded, depth, 3, &scope, use_depthwise, &[]));
            }
            maps.reverse();
            maps
        })
    })
}

fn size_of_pyramid() -> Error {
    Error::new("image size", "a level of the feature pyramid is not twice as large as the one above")
        .advice("choose a height and width that are multiples of 128, or set pad_to_multiple")
}

/// `tf.image.resize_nearest_neighbor` to twice the height and width: the same pixels as `ops.nearest_neighbor_upsampling`, which
/// stacks and reshapes.
fn nearest_neighbor_upsampling(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let Some([height, width]) = slim.height_and_width(net) else { return net };
    slim.name_scope("nearest_neighbor_upsampling", |slim| {
        let size = Constant::from_i32(vec![2], &[2 * height as i32, 2 * width as i32]);
        slim.op_with_constant("Reshape", "ResizeNearestNeighbor", &[net], ("size", size), [])
    })
}

/// The rows and columns of `net` that `like` has.
fn cropped_like(slim: &mut NetworkBuilder<'_>, net: TensorRef, like: TensorRef) -> TensorRef {
    match slim.height_and_width(like) {
        Some([height, width]) if slim.height_and_width(net) != Some([height, width]) => {
            let begin = slim.constant("strided_slice/begin", Constant::from_i32(vec![4], &[0; 4]));
            let size = Constant::from_i32(vec![4], &[-1, height as i32, width as i32, -1]);
            let size = slim.constant("strided_slice/size", size);
            slim.op("strided_slice", "Slice", &[net, begin, size], [])
        }
        _ => net,
    }
}

/// The levels above a top-down pyramid: convolutions of stride 2.
pub fn bottom_up(
    slim: &mut NetworkBuilder<'_>,
    maps: &mut Vec<TensorRef>,
    scopes: &[String],
    depth: usize,
    use_depthwise: bool,
    use_explicit_padding: bool,
) {
    let padding = if use_explicit_padding { VALID } else { SAME };
    for scope in scopes {
        let Some(&below) = maps.last() else { return };
        let net = if use_explicit_padding { slim.fixed_padding(below, 3, 1) } else { below };
        let args = [Stride(2), padding.clone()];
        maps.push(conv_or_separable(slim, net, depth, 3, scope, use_depthwise, &args));
    }
}

/// `pooling_pyramid_feature_maps`: a map, and smaller ones by maximum pooling.
pub fn pooling_pyramid(
    slim: &mut NetworkBuilder<'_>,
    mut net: TensorRef,
    base_depth: usize,
    num_layers: usize,
) -> Vec<TensorRef> {
    if base_depth > 0 {
        let scope = format!("Base_Conv2d_1x1_{base_depth}");
        net = slim.conv2d(net, base_depth, 1, &scope, &[SAME, Stride(1)]);
        net = slim.max_pool2d(net, 1, &scope, &[SAME, Stride(1)]);
    }
    let mut maps = vec![net];
    for layer in 1..num_layers {
        net = slim.max_pool2d(net, 2, &format!("MaxPool2d_{}_2x2", layer - 1), &[SAME, Stride(2)]);
        maps.push(net);
    }
    maps
}
