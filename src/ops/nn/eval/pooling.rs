//! Pooling of images and videos. Windows that extend beyond the border use only the elements inside.

use rayon::prelude::*;

use crate::graph::Node;
use crate::ops::nn::eval::sliding::{Sliding, channels_last, from_channels_last};
use crate::tensor::Tensor;
use crate::tensor::element_count;

/// Combines the elements of each channel in a window, and divides the result by `divisor` of their number.
pub fn pool(
    node: &Node,
    inputs: &[&Tensor],
    start: f32,
    combine: impl Fn(f32, f32) -> f32 + Sync,
    divisor: impl Fn(usize) -> f32 + Sync,
) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input)] = inputs else { return None };
    let (format, rank) = (node.data_format(), input.ndim());
    let input = channels_last(input, format);
    let sizes = node.spatial_sizes("ksize", rank).ok()?;
    let sliding = Sliding::new(node, input.shape(), &sizes)?;
    let (pixels, channels) = (input.as_slice()?, sliding.channels);
    let shape = sliding.shape(rank, channels);
    let mut result = vec![start; element_count(&shape)?];
    if !result.is_empty() {
        let (image, positions) = (sliding.pixels() * channels, sliding.positions());
        result.par_chunks_mut(channels).enumerate().with_min_len(64).for_each(|(index, result)| {
            let image = &pixels[index / positions * image..][..image];
            let mut count = 0;
            sliding.for_taps(index % positions, |_, pixel| {
                count += 1;
                let pixel = &image[pixel * channels..][..channels];
                result.iter_mut().zip(pixel).for_each(|(sum, &x)| *sum = combine(*sum, x));
            });
            let divisor = divisor(count);
            result.iter_mut().for_each(|sum| *sum /= divisor);
        });
    }
    Some(vec![Tensor::Float32(from_channels_last(format, &shape, result)?)])
}
