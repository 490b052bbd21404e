//! `tf.image.resize_bilinear` and `tf.image.resize_nearest_neighbor` of TensorFlow 1.
//!
//! Source: `tensorflow/python/ops/image_ops_impl.py`, and `ResizeBilinear` and `ResizeNearestNeighbor` in
//! `tensorflow/core/ops/image_ops.cc`.

use super::shape_ops::Operand;
use super::{Length, NetworkBuilder};
use crate::graph::{Attr, TensorRef};
use crate::tensor::Constant;

/// How pixels between the given ones are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// From the four pixels around.
    Bilinear,
    /// As the nearest one.
    Nearest,
}

/// Which pixels of both images lie on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// The first ones: TensorFlow 1's default.
    Origin,
    /// The first ones and the last ones: `align_corners=True`.
    Corners,
    /// The centers of all pixels: `half_pixel_centers=True`.
    PixelCenters,
}

impl NetworkBuilder<'_> {
    /// Resizes images to this height and width. The name of the op is that of its kind.
    pub fn resize(
        &mut self,
        images: TensorRef,
        size: [usize; 2],
        interpolation: Interpolation,
        alignment: Alignment,
    ) -> TensorRef {
        let op = interpolation.op();
        let size = ("size", Constant::from_i32(vec![2], &size.map(|length| length as i32)));
        self.op_with_constant(op, op, &[images], size, alignment.attrs())
    }

    /// Resizes images to the height and width in the tensor `size`.
    pub fn resize_to(
        &mut self,
        images: TensorRef,
        size: TensorRef,
        interpolation: Interpolation,
        alignment: Alignment,
        name: &str,
    ) -> TensorRef {
        self.op(name, interpolation.op(), &[images, size], alignment.attrs())
    }

    /// Resizes images to a height and width of which each is known or in a tensor. The name of the op is that of its kind.
    pub fn resize_to_lengths(
        &mut self,
        images: TensorRef,
        size: [Length; 2],
        interpolation: Interpolation,
        alignment: Alignment,
    ) -> TensorRef {
        let op = interpolation.op();
        let operands = [Operand::Tensor(images), Operand::Lengths("size", &size)];
        self.op_of(op, op, &operands, alignment.attrs())
    }
}

impl Interpolation {
    /// TensorFlow's op, which is also its name by default.
    pub const fn op(self) -> &'static str {
        match self {
            Self::Bilinear => "ResizeBilinear",
            Self::Nearest => "ResizeNearestNeighbor",
        }
    }
}

impl Alignment {
    fn attrs(self) -> [(&'static str, Attr); 2] {
        [
            ("align_corners", Attr::Bool(self == Self::Corners)),
            ("half_pixel_centers", Attr::Bool(self == Self::PixelCenters)),
        ]
    }
}
