//! The place of a feature as a feature.
//!
//! Source: `encode_coordinates_fn` in `research/attention_ocr/python/model.py`, and `tf.meshgrid`.

use crate::graph::TensorRef;
use crate::slim::NetworkBuilder;
use crate::slim::shape_ops::Operand::{self, Tensor};
use crate::tensor::Constant;

/// The features with their rows and columns as one-hot vectors after them.
pub fn encode_coordinates(slim: &mut NetworkBuilder<'_>, net: TensorRef) -> TensorRef {
    let batch = slim.first_length(net);
    let [height, width] = slim.height_and_width(net).unwrap_or_default();
    let [x, y] = [width, height].map(|length| numbers_below(slim, length));
    let [x, y] = slim.name_scope("meshgrid", |slim| meshgrid(slim, [x, y], [width, height]));
    let columns = slim.one_hot_encoding(x, width);
    let rows = slim.one_hot_encoding(y, height);
    let places = slim.concat_along(2, &[rows, columns], "concat");
    let places = slim.expand_dims(places, 0);
    let multiples = slim.stack(&[batch], &[1, 1, 1]);
    let places = slim.op("Tile", "Tile", &[places, multiples], []);
    slim.concat_along(3, &[net, places], "concat")
}

/// `tf.range(length)`
fn numbers_below(slim: &mut NetworkBuilder<'_>, length: usize) -> TensorRef {
    let [start, limit, delta] = [("start", 0), ("limit", length as i32), ("delta", 1)]
        .map(|(name, value)| Operand::Constant(name, Constant::from_i32(vec![], &[value])));
    slim.op_of("range", "Range", &[start, limit, delta], [])
}

/// `tf.meshgrid(x, y)`, in the open scope: the columns and the rows of all places.
fn meshgrid(slim: &mut NetworkBuilder<'_>, nets: [TensorRef; 2], lengths: [usize; 2]) -> [TensorRef; 2] {
    let [x, y] = [(nets[0], [-1, 1]), (nets[1], [1, -1])].map(|(net, shape)| slim.reshape(net, &shape));
    let [width, height] =
        lengths.map(|length| slim.constant("Size", Constant::from_i32(vec![], &[length as i32])));
    let [x, y] = [(x, [1, -1]), (y, [-1, 1])].map(|(net, shape)| slim.reshape(net, &shape));
    let shape = slim.op("ones/packed", "Pack", &[height, width], []);
    let one = Operand::Constant("Const", Constant::from_i32(vec![], &[1]));
    let ones = slim.op_of("ones", "Fill", &[Tensor(shape), one], []);
    [slim.product(x, ones), slim.product(y, ones)]
}
