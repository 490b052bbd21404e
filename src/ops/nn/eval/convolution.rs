//! Convolutions of images and videos, and their transposes.
//!
//! The elements in the window become the rows of a matrix, one for each position, which is multiplied by the filters. The
//! rows are made strip by strip: all of them at once would need many times the memory of the image.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;

use crate::graph::{DataFormat, Node};
use crate::ops::array::eval::basic::lengths;
use crate::ops::nn::eval::sliding::{Sliding, channels_last, contiguous, from_channels_last};
use crate::tensor::Tensor;
use crate::tensor::element_count;

/// Elements of a strip: they stay in the cache while they are multiplied.
const STRIP: usize = 1 << 18;

/// The number of positions in a strip if each has so many elements. There is a strip for every core.
fn strip(positions: usize, each: usize) -> usize {
    (STRIP / each.max(1)).min(positions.div_ceil(rayon::current_num_threads())).max(1)
}

/// If the filters read fewer channels than the image has, it is a convolution in groups.
pub fn convolution(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input), Tensor::Float32(filter)] = inputs else { return None };
    let (format, rank) = (node.data_format(), input.ndim());
    let input = channels_last(input, format);
    let &[ref sizes @ .., read, outputs] = filter.shape() else { return None };
    let sliding = Sliding::new(node, input.shape(), sizes)?;
    let groups = sliding.channels.checked_div(read)?;
    if groups * read != sliding.channels || groups == 0 || outputs % groups != 0 {
        return None;
    }
    let filter = contiguous(filter.view());
    let filters = ArrayView2::from_shape((sliding.taps() * read, outputs), filter.as_slice()?).ok()?;
    let shape = sliding.shape(rank, outputs);
    let mut result = vec![0.0; element_count(&shape)?];
    let (image, positions) = (sliding.pixels() * sliding.channels, sliding.positions());
    if !result.is_empty() {
        let rows = strip(positions, filters.nrows());
        let images = input.as_slice()?.par_chunks(image.max(1));
        result.par_chunks_mut(positions * outputs).zip(images).for_each(|(result, image)| {
            result.par_chunks_mut(rows * outputs).enumerate().for_each(|(index, result)| {
                Strip { sliding: &sliding, first: index * rows, image, filters, read }.convolve(result);
            });
        });
    }
    Some(vec![Tensor::Float32(from_channels_last(format, &shape, result)?)])
}

/// Some positions of the window over an image.
struct Strip<'a> {
    sliding: &'a Sliding,
    /// The first of the positions.
    first: usize,
    image: &'a [f32],
    /// A row for each element that the window covers, a column for each channel of the result.
    filters: ArrayView2<'a, f32>,
    /// Channels that each filter reads.
    read: usize,
}

impl Strip<'_> {
    /// Fills the channels of the result at these positions.
    fn convolve(&self, result: &mut [f32]) {
        let (sliding, outputs) = (self.sliding, self.filters.ncols());
        let (channels, rows, covered) = (sliding.channels, result.len() / outputs, self.filters.nrows());
        let groups = channels / self.read;
        let Ok(mut result) = ArrayViewMut2::from_shape((rows, outputs), result) else { return };
        if sliding.is_pointwise() && groups == 1 {
            let pixels = &self.image[self.first * channels..][..rows * channels];
            if let Ok(pixels) = ArrayView2::from_shape((rows, channels), pixels) {
                general_mat_mul(1.0, &pixels, &self.filters, 0.0, &mut result);
            }
            return;
        }
        let mut patches = vec![0.0; rows * covered];
        for group in 0..groups {
            if covered > 0 {
                for (row, patch) in patches.chunks_mut(covered).enumerate() {
                    sliding.for_taps(self.first + row, |tap, pixel| {
                        let from = pixel * channels + group * self.read;
                        patch[tap * self.read..][..self.read]
                            .copy_from_slice(&self.image[from..][..self.read]);
                    });
                }
            }
            let each = outputs / groups;
            let part = s![.., group * each..(group + 1) * each];
            if let Ok(patches) = ArrayView2::from_shape((rows, covered), &patches) {
                general_mat_mul(1.0, &patches, &self.filters.slice(part), 0.0, &mut result.slice_mut(part));
            }
        }
    }
}

/// Each channel has filters of its own; theirs come one after the other in the result.
pub fn depthwise(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [Tensor::Float32(input), Tensor::Float32(filter)] = inputs else { return None };
    let (format, rank) = (node.data_format(), input.ndim());
    let input = channels_last(input, format);
    let &[ref sizes @ .., channels, multiplier] = filter.shape() else { return None };
    let sliding = Sliding::new(node, input.shape(), sizes)?;
    if channels != sliding.channels {
        return None;
    }
    let filter = contiguous(filter.view());
    let (filter, pixels, outputs) = (filter.as_slice()?, input.as_slice()?, channels * multiplier);
    let shape = sliding.shape(rank, outputs);
    let mut result = vec![0.0; element_count(&shape)?];
    if !result.is_empty() {
        let (image, positions) = (sliding.pixels() * channels, sliding.positions());
        result.par_chunks_mut(outputs).enumerate().with_min_len(64).for_each(|(index, result)| {
            let image = &pixels[index / positions * image..][..image];
            sliding.for_taps(index % positions, |tap, pixel| {
                let pixel = &image[pixel * channels..][..channels];
                let weights = &filter[tap * outputs..][..outputs];
                if multiplier == 1 {
                    let terms = pixel.iter().zip(weights);
                    result.iter_mut().zip(terms).for_each(|(sum, (x, weight))| *sum += x * weight);
                    return;
                }
                let weights = weights.chunks(multiplier);
                for ((sums, weights), x) in result.chunks_mut(multiplier).zip(weights).zip(pixel) {
                    sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
                }
            });
        });
    }
    Some(vec![Tensor::Float32(from_channels_last(format, &shape, result)?)])
}

/// The gradient of a convolution with respect to its input: at each position, the filters, weighted by the channels there,
/// are added to the elements in the window. The first input is the shape of the result.
pub fn transposed(node: &Node, inputs: &[&Tensor]) -> Option<Vec<Tensor>> {
    let [shape, Tensor::Float32(filter), Tensor::Float32(input)] = inputs else { return None };
    let (format, rank) = (node.data_format(), input.ndim());
    let input = channels_last(input, format);
    let &[ref sizes @ .., channels, read] = filter.shape() else { return None };
    let mut shape = lengths(shape)?;
    if shape.len() != rank || rank < 3 {
        return None;
    }
    if format == DataFormat::ChannelsFirst {
        shape[1..].rotate_left(1);
    }
    let sliding = Sliding::new(node, &shape, sizes)?;
    if shape[rank - 1] != channels || sliding.shape(rank, read) != input.shape() {
        return None;
    }
    let filter = contiguous(filter.view());
    let covered = sliding.taps() * channels;
    let filters = ArrayView2::from_shape((covered, read), filter.as_slice()?).ok()?;
    let mut result = vec![0.0; element_count(&shape)?];
    let (positions, image) = (sliding.positions(), sliding.pixels() * channels);
    let rows = strip(positions, covered);
    if !result.is_empty() && read > 0 {
        let inputs = input.as_slice()?.par_chunks(positions * read);
        result.par_chunks_mut(image).zip(inputs).for_each(|(image, input)| {
            for (index, strip) in input.chunks(rows * read).enumerate() {
                let Ok(strip) = ArrayView2::from_shape((strip.len() / read, read), strip) else { return };
                let mut spread = Array2::<f32>::zeros((strip.nrows(), covered));
                general_mat_mul(1.0, &strip, &filters.t(), 0.0, &mut spread);
                for (row, spread) in spread.outer_iter().enumerate() {
                    sliding.for_taps(index * rows + row, |tap, pixel| {
                        let terms = spread.slice(s![tap * channels..(tap + 1) * channels]);
                        let sums = &mut image[pixel * channels..][..channels];
                        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                    });
                }
            }
        });
    }
    Some(vec![Tensor::Float32(from_channels_last(format, &shape, result)?)])
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayD;

    use super::*;
    use crate::graph::{Attr, Attrs};

    fn node(op: &str, attrs: &[(&'static str, Attr)]) -> Node {
        let attrs: Attrs = attrs.iter().cloned().collect();
        Node { name: "it".to_owned(), op: op.to_owned(), inputs: vec![], attrs, outputs: vec![] }
    }

    fn window(op: &str, padding: &str, stride: i64, dilation: i64, format: &str) -> Node {
        let spatial = |step: i64| match format {
            "NCHW" => Attr::Ints(vec![1, 1, step, step]),
            _ => Attr::Ints(vec![1, step, step, 1]),
        };
        let texts = [("padding", padding.into()), ("data_format", format.into())];
        node(op, &[&texts[..], &[("strides", spatial(stride)), ("dilations", spatial(dilation))]].concat())
    }

    /// Numbers from -1 to 1 that have no pattern.
    fn array(shape: &[usize], seed: u64) -> ArrayD<f32> {
        let mut rng = fastrand::Rng::with_seed(seed);
        ArrayD::from_shape_simple_fn(shape, || rng.f32() * 2.0 - 1.0)
    }

    fn evaluated(node: &Node, inputs: &[&Tensor]) -> ArrayD<f32> {
        let evaluate = crate::ops::find(&node.op).and_then(|op| op.evaluators().next());
        match evaluate.and_then(|evaluate| evaluate(node, inputs)).as_deref() {
            Some([Tensor::Float32(result)]) => result.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn assert_near(a: &ArrayD<f32>, b: &ArrayD<f32>) {
        assert_eq!(a.shape(), b.shape());
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a} instead of {b}");
    }

    #[test]
    fn the_odd_element_of_same_padding_is_at_the_end() {
        let image = Tensor::Float32(ArrayD::from_shape_vec(vec![1, 1, 4, 1], vec![1., 2., 3., 4.]).unwrap());
        let ones = Tensor::Float32(ArrayD::ones(vec![1, 3, 1, 1]));
        let result = evaluated(&window("Conv2D", "SAME", 2, 1, "NHWC"), &[&image, &ones]);
        assert_eq!(result.into_raw_vec_and_offset().0, [6., 7.]);
    }

    #[test]
    fn each_group_reads_its_own_channels() {
        let (image, filter) = (array(&[2, 6, 5, 4], 1), array(&[3, 3, 2, 6], 2));
        let conv = window("Conv2D", "SAME", 1, 2, "NHWC");
        let whole = evaluated(&conv, &[&Tensor::Float32(image.clone()), &Tensor::Float32(filter.clone())]);
        for group in 0..2 {
            let part = |array: &ArrayD<f32>, each: usize| {
                let part = ndarray::Slice::from(group * each..(group + 1) * each);
                array.slice_axis(ndarray::Axis(3), part).to_owned()
            };
            let (image, filter) = (Tensor::Float32(part(&image, 2)), Tensor::Float32(part(&filter, 3)));
            assert_near(&part(&whole, 3), &evaluated(&conv, &[&image, &filter]));
        }
    }

    #[test]
    fn channels_may_come_first() {
        let (image, filter) = (array(&[2, 7, 6, 3], 3), Tensor::Float32(array(&[3, 2, 3, 4], 4)));
        for (padding, stride) in [("SAME", 2), ("VALID", 1)] {
            let (last, first) =
                (Tensor::Float32(image.clone()), Tensor::Float32(image.clone()).channels_second());
            let expected = evaluated(&window("Conv2D", padding, stride, 1, "NHWC"), &[&last, &filter]);
            let got = evaluated(&window("Conv2D", padding, stride, 1, "NCHW"), &[&first, &filter]);
            let Tensor::Float32(got) = Tensor::Float32(got).channels_last() else { unreachable!() };
            assert_near(&got, &expected);
        }
    }

    #[test]
    fn a_transposed_convolution_is_the_adjoint_of_a_convolution() {
        for (padding, stride, dilation) in [("SAME", 2, 1), ("VALID", 2, 1), ("SAME", 1, 2)] {
            let (x, filter) = (array(&[2, 8, 7, 3], 5), Tensor::Float32(array(&[3, 3, 3, 4], 6)));
            let forward = evaluated(
                &window("Conv2D", padding, stride, dilation, "NHWC"),
                &[&Tensor::Float32(x.clone()), &filter],
            );
            let y = array(forward.shape(), 7);
            let shape = Tensor::Int32(ArrayD::from_shape_vec(vec![4], vec![2, 8, 7, 3]).unwrap());
            let backward = evaluated(
                &window("Conv2DBackpropInput", padding, stride, dilation, "NHWC"),
                &[&shape, &filter, &Tensor::Float32(y.clone())],
            );
            let (a, b) = ((&forward * &y).sum(), (&x * &backward).sum());
            assert!((a - b).abs() < 1e-3, "{padding} {stride} {dilation}: {a} and {b}");
        }
    }

    #[test]
    fn a_depthwise_convolution_has_filters_for_each_channel() {
        let (image, filter) = (array(&[1, 5, 5, 2], 8), array(&[3, 3, 2, 3], 9));
        let depthwise = window("DepthwiseConv2dNative", "VALID", 1, 1, "NHWC");
        let got = evaluated(&depthwise, &[&Tensor::Float32(image.clone()), &Tensor::Float32(filter.clone())]);
        // The same filters as those of two groups.
        let grouped = Tensor::Float32(filter.into_shape_with_order(vec![3, 3, 1, 6]).unwrap());
        let conv = window("Conv2D", "VALID", 1, 1, "NHWC");
        assert_near(&got, &evaluated(&conv, &[&Tensor::Float32(image), &grouped]));
    }
}
