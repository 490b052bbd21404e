//! Windows that slide over images and videos, for convolutions and pooling.

use ndarray::{ArrayD, ArrayViewD, CowArray, IxDyn};

use crate::graph::window::Window;
use crate::graph::{DataFormat, Node, Padding};
use crate::tensor::element_count;

/// A number for each spatial axis of a video. Tensors with fewer axes get leading axes of length 1.
type Spatial = [usize; 3];

/// A window that slides over the spatial axes of a tensor whose channels come last.
#[derive(Debug, Clone)]
pub struct Sliding {
    /// Images in the batch.
    pub batch: usize,
    /// Channels of the input.
    pub channels: usize,
    input: Spatial,
    output: Spatial,
    windows: [Window; 3],
    /// Padding before each axis.
    before: Spatial,
}

impl Sliding {
    /// The window of a node, of `sizes` along the spatial axes, over an input of this shape, channels last; `None` if it
    /// does not fit.
    pub fn new(node: &Node, shape: &[usize], sizes: &[usize]) -> Option<Self> {
        let rank = shape.len();
        let spatial = rank.checked_sub(2).filter(|spatial| (1..=3).contains(spatial))?;
        let (strides, dilations) =
            (node.spatial_sizes("strides", rank).ok()?, node.spatial_sizes("dilations", rank).ok()?);
        let padding = node.padding().ok()?;
        if sizes.len() != spatial || sizes.contains(&0) {
            return None;
        }
        let mut sliding = Self {
            batch: shape[0],
            channels: shape[rank - 1],
            input: [1; 3],
            output: [1; 3],
            windows: [Window { size: 1, stride: 1, dilation: 1 }; 3],
            before: [0; 3],
        };
        for axis in 0..spatial {
            let (position, length) = (3 - spatial + axis, shape[1 + axis]);
            let window = Window { size: sizes[axis], stride: strides[axis], dilation: dilations[axis] };
            sliding.input[position] = length;
            sliding.output[position] = window.positions(length, &padding, axis)?;
            sliding.windows[position] = window;
            sliding.before[position] = match &padding {
                Padding::Same => window.same_padding(length).0,
                Padding::Valid => 0,
                Padding::Explicit(pads) => pads.get(axis)?.0,
            };
        }
        // All numbers of elements below are at most this product, which must not overflow.
        element_count(&[sliding.batch, sliding.positions(), sliding.taps()])?;
        Some(sliding)
    }

    /// How many positions the window has over one image.
    pub fn positions(&self) -> usize {
        self.output.iter().copied().fold(1, usize::saturating_mul)
    }

    /// How many elements the window covers of one channel.
    pub fn taps(&self) -> usize {
        self.windows.iter().map(|window| window.size).fold(1, usize::saturating_mul)
    }

    /// How many pixels an image has.
    pub fn pixels(&self) -> usize {
        self.input.iter().copied().fold(1, usize::saturating_mul)
    }

    /// Whether each position of the window is the one pixel of the same number.
    pub fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.input == self.output && self.windows.iter().all(|window| window.stride == 1)
    }

    /// The shape of a result with so many channels, which come last.
    pub fn shape(&self, rank: usize, channels: usize) -> Vec<usize> {
        let spatial = &self.output[self.output.len() + 2 - rank..];
        [&[self.batch], spatial, &[channels]].concat()
    }

    /// Visits the taps of the window at a position that are inside of the image, each with the number of the tap and the
    /// number of its pixel.
    pub fn for_taps(&self, position: usize, mut visit: impl FnMut(usize, usize)) {
        let [_, rows, columns] = self.output;
        let at = [position / columns / rows, position / columns % rows, position % columns];
        let pixel = |axis: usize, tap: usize| {
            let window = self.windows[axis];
            let coordinate =
                at[axis].saturating_mul(window.stride).saturating_add(tap.saturating_mul(window.dilation));
            let coordinate = coordinate.checked_sub(self.before[axis])?;
            (coordinate < self.input[axis]).then_some(coordinate)
        };
        let [depth, height, width] = self.windows.map(|window| window.size);
        for z in 0..depth {
            let Some(frame) = pixel(0, z) else { continue };
            for y in 0..height {
                let Some(row) = pixel(1, y) else { continue };
                for x in 0..width {
                    if let Some(column) = pixel(2, x) {
                        let source = (frame * self.input[1] + row) * self.input[2] + column;
                        visit((z * height + y) * width + x, source);
                    }
                }
            }
        }
    }
}

/// A tensor with its channels last, its elements in that order.
pub fn channels_last(array: &ArrayD<f32>, format: DataFormat) -> CowArray<'_, f32, IxDyn> {
    contiguous(match format {
        DataFormat::ChannelsFirst if array.ndim() > 2 => {
            let axes = [&[0][..], &(2..array.ndim()).collect::<Vec<_>>(), &[1]].concat();
            array.view().permuted_axes(axes)
        }
        _ => array.view(),
    })
}

/// A tensor of this shape with its channels where a node has them.
pub fn from_channels_last(format: DataFormat, shape: &[usize], elements: Vec<f32>) -> Option<ArrayD<f32>> {
    let array = ArrayD::from_shape_vec(shape, elements).ok()?;
    Some(match format {
        DataFormat::ChannelsFirst if shape.len() > 2 => {
            let axes = [&[0, shape.len() - 1][..], &(1..shape.len() - 1).collect::<Vec<_>>()].concat();
            array.permuted_axes(axes).as_standard_layout().into_owned()
        }
        _ => array,
    })
}

/// The same array with its elements in C order.
pub fn contiguous(array: ArrayViewD<'_, f32>) -> CowArray<'_, f32, IxDyn> {
    if array.is_standard_layout() { array.into() } else { array.as_standard_layout().into_owned().into() }
}
