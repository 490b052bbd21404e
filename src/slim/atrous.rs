//! Atrous convolution as TensorFlow 1 builds it: splits the image into `rate * rate` smaller images, applies a dense
//! convolution to them, and joins the results.
//!
//! Source: `_WithSpaceToBatch` in `tensorflow/python/ops/nn_ops.py`, `required_space_to_batch_paddings` in
//! `tensorflow/python/ops/array_ops.py`.

use super::NetworkBuilder;
use super::layers::padding_attr;
use crate::graph::{Attr, Padding, TensorRef};
use crate::tensor::Constant;

impl NetworkBuilder<'_> {
    /// `tf.nn.convolution(net, filter, dilation_rate=rate)` of images and a filter of size `kernel`, where the op `op` is
    /// the convolution, plain or depthwise.
    pub(super) fn atrous(
        &mut self,
        [name, op]: [&str; 2],
        [net, filter]: [TensorRef; 2],
        kernel: [usize; 2],
        rate: usize,
        padding: &Padding,
    ) -> TensorRef {
        let Some(size) = self.height_and_width(net) else {
            // How many pixels the smaller images need is not known. A dilated convolution computes the same.
            let dilations = Attr::Ints(vec![1, rate as i64, rate as i64, 1]);
            let attrs = [
                ("strides", Attr::Ints(vec![1; 4])),
                ("dilations", dilations),
                ("padding", padding_attr(padding)),
            ];
            return self.op(&format!("{name}/BatchToSpaceND"), op, &[net, filter], attrs);
        };
        let borders = [0, 1].map(|axis| border(size[axis], kernel[axis], rate, padding));
        let pads = borders.map(|Border { before, after, .. }| [before, after]).concat();
        let crops = borders.map(|Border { surplus, .. }| [0, surplus]).concat();
        let net = self.blocks(net, &format!("{name}/SpaceToBatchND"), rate, ("paddings", &pads));
        let attrs = [("strides", Attr::Ints(vec![1; 4])), ("padding", "VALID".into())];
        let net = self.op(name, op, &[net, filter], attrs);
        self.blocks(net, &format!("{name}/BatchToSpaceND"), rate, ("crops", &crops))
    }

    fn blocks(
        &mut self,
        net: TensorRef,
        name: &str,
        rate: usize,
        (what, borders): (&str, &[usize]),
    ) -> TensorRef {
        let (_, op) = name.rsplit_once('/').unwrap_or(("", name));
        let block = Constant::from_i32(vec![2], &[rate as i32; 2]);
        let block = self.constant(&format!("{name}/block_shape"), block);
        let borders: Vec<i32> = borders.iter().map(|&border| border as i32).collect();
        let borders = self.constant(&format!("{name}/{what}"), Constant::from_i32(vec![2, 2], &borders));
        self.op(name, op, &[net, block, borders], [])
    }
}

/// The padding along one axis of an image before it is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Border {
    before: usize,
    after: usize,
    /// The part of `after` that makes the length a multiple of the rate. It is cropped from the result.
    surplus: usize,
}

fn border(length: usize, kernel: usize, rate: usize, padding: &Padding) -> Border {
    let total = match padding {
        Padding::Same => (kernel - 1) * rate,
        _ => 0,
    };
    let before = total / 2;
    let padded = length + total;
    let surplus = padded.next_multiple_of(rate) - padded;
    Border { before, after: total - before + surplus, surplus }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_fits_the_dilated_filter_and_a_whole_number_of_blocks() {
        assert_eq!(border(21, 3, 2, &Padding::Same), Border { before: 2, after: 3, surplus: 1 });
        assert_eq!(border(20, 3, 2, &Padding::Same), Border { before: 2, after: 2, surplus: 0 });
        assert_eq!(border(21, 3, 4, &Padding::Valid), Border { before: 0, after: 3, surplus: 3 });
    }
}
