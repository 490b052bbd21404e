//! Ops whose arguments are lengths that are known, or that the model computes from the shapes of its inputs, as TensorFlow's
//! Python functions build them.
//!
//! Source: `get_shape_list` in `modeling.py` of github.com/google-research/bert. Its users write
//! `tf.reshape(net, [batch_size, seq_length, width])`, where each length is a number if it is known and a scalar tensor
//! otherwise; TensorFlow then packs them into one tensor.

use super::NetworkBuilder;
use crate::error::Error;
use crate::graph::{Attr, Attrs, TensorRef};
use crate::tensor::{Constant, DType};

/// A length in a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// It is known.
    Known(usize),
    /// This scalar holds it.
    Computed(TensorRef),
}

/// An input of an op.
pub(super) enum Operand<'a> {
    /// A tensor that exists.
    Tensor(TensorRef),
    /// A constant with this name below the op.
    Constant(&'a str, Constant),
    /// A vector of lengths with this name below the op.
    Lengths(&'a str, &'a [Length]),
}

use Operand::{Lengths, Tensor};

impl NetworkBuilder<'_> {
    /// Adds an op in the open name scope. Its constants are named below it.
    pub(super) fn op_of<const N: usize>(
        &mut self,
        name: &str,
        op: &str,
        operands: &[Operand<'_>],
        attrs: [(&'static str, Attr); N],
    ) -> TensorRef {
        let name = self.unique_name(name);
        let inputs = operands.iter().map(|operand| match operand {
            Tensor(tensor) => *tensor,
            Operand::Constant(suffix, value) => {
                self.named_constant(format!("{name}/{suffix}"), value.clone())
            }
            Lengths(suffix, lengths) => self.packed(format!("{name}/{suffix}"), lengths),
        });
        let inputs = inputs.collect();
        self.add(name, op, inputs, attrs.into())
    }

    fn named_constant(&mut self, name: String, value: Constant) -> TensorRef {
        self.add(name, "Const", vec![], Attrs::from([("value", Attr::Tensor(value))]))
    }

    /// A vector of lengths: a constant if all are known, otherwise what `tf.stack` builds.
    fn packed(&mut self, name: String, lengths: &[Length]) -> TensorRef {
        let known: Option<Vec<i32>> =
            lengths.iter().map(|length| length.known().map(|known| known as i32)).collect();
        if let Some(known) = known {
            return self.named_constant(name, Constant::from_i32(vec![known.len()], &known));
        }
        let parts = lengths.iter().enumerate().map(|(axis, length)| match length {
            Length::Known(known) => {
                self.named_constant(format!("{name}/{axis}"), Constant::from_i32(vec![], &[*known as i32]))
            }
            Length::Computed(tensor) => *tensor,
        });
        let parts = parts.collect();
        self.add(name, "Pack", parts, Attrs::new())
    }

    /// The lengths of the axes of a tensor of this rank: known ones, and scalars that the model reads from the shape.
    pub fn shape_list<const RANK: usize>(&mut self, net: TensorRef) -> [Length; RANK] {
        // After an error, any tensor may stand for another.
        let dims = self.shape(net).dims().and_then(|dims| <[_; RANK]>::try_from(dims).ok());
        let Some(dims) = dims else {
            self.fail(Error::new(self.current_scope(), format!("a tensor of rank {RANK} is needed")));
            return [Length::Known(1); RANK];
        };
        if dims.iter().all(Option::is_some) {
            return dims.map(|dim| Length::Known(dim.unwrap_or_default()));
        }
        let shape = self.op("Shape", "Shape", &[net], []);
        std::array::from_fn(|axis| match dims[axis] {
            Some(known) => Length::Known(known),
            None => Length::Computed(self.element(shape, axis)),
        })
    }

    /// `tf.shape(net)`: a constant if all lengths are known.
    pub(super) fn shape_tensor(&mut self, net: TensorRef) -> TensorRef {
        let known: Option<Vec<usize>> = self.shape(net).fully_known();
        match known {
            Some(lengths) => {
                let lengths: Vec<i32> = lengths.into_iter().map(|length| length as i32).collect();
                self.constant("Shape", Constant::from_i32(vec![lengths.len()], &lengths))
            }
            None => self.op("Shape", "Shape", &[net], []),
        }
    }

    /// `tf.shape(net)[0]`
    pub(super) fn first_length(&mut self, net: TensorRef) -> TensorRef {
        let shape = self.shape_tensor(net);
        self.element(shape, 0)
    }

    /// `tf.stack` of scalars, the last ones of which are numbers.
    pub(super) fn stack(&mut self, tensors: &[TensorRef], numbers: &[usize]) -> TensorRef {
        let tensors = tensors.iter().copied().map(Length::Computed);
        let lengths: Vec<Length> = tensors.chain(numbers.iter().copied().map(Length::Known)).collect();
        let name = self.unique_name("stack");
        self.packed(name, &lengths)
    }

    /// `vector[index]`
    fn element(&mut self, vector: TensorRef, index: usize) -> TensorRef {
        let index = index as i32;
        self.strided_slice(vector, [index], [index + 1], [("shrink_axis_mask", Attr::Int(1))])
    }

    /// A slice with steps of 1. Bits of the masks stand for axes that begin at their first element, that end at their last
    /// one, or of which one element is taken.
    pub(super) fn strided_slice<const RANK: usize, const N: usize>(
        &mut self,
        net: TensorRef,
        begin: [i32; RANK],
        end: [i32; RANK],
        masks: [(&'static str, Attr); N],
    ) -> TensorRef {
        let vector = |values: &[i32]| Constant::from_i32(vec![RANK], values);
        let operands = [
            Tensor(net),
            Operand::Constant("stack", vector(&begin)),
            Operand::Constant("stack_1", vector(&end)),
            Operand::Constant("stack_2", vector(&[1; RANK])),
        ];
        self.op_of("strided_slice", "StridedSlice", &operands, masks)
    }

    /// `tf.reshape`
    pub fn reshape_to(&mut self, net: TensorRef, lengths: &[Length]) -> TensorRef {
        self.op_of("Reshape", "Reshape", &[Tensor(net), Lengths("shape", lengths)], [])
    }

    /// The first rows of a matrix: `tf.slice(net, [0, 0], [rows, -1])`
    pub fn first_rows(&mut self, net: TensorRef, rows: Length) -> TensorRef {
        let name = self.unique_name("Slice");
        let begin = self.named_constant(format!("{name}/begin"), Constant::from_i32(vec![2], &[0, 0]));
        let size = match rows {
            Length::Known(rows) => {
                self.named_constant(format!("{name}/size"), Constant::from_i32(vec![2], &[rows as i32, -1]))
            }
            Length::Computed(rows) => {
                let rest = self.named_constant(format!("{name}/size/1"), Constant::from_i32(vec![], &[-1]));
                self.add(format!("{name}/size"), "Pack", vec![rows, rest], Attrs::new())
            }
        };
        self.add(name, "Slice", vec![net, begin, size], Attrs::new())
    }

    /// `tf.ones(shape)`
    pub fn ones(&mut self, lengths: &[Length]) -> TensorRef {
        let known: Option<Vec<usize>> = lengths.iter().map(|length| length.known()).collect();
        if let Some(shape) = known {
            return self.constant("ones", Constant::filled(shape, 1.0));
        }
        let one = Constant::from_f32(vec![], &[1.0]);
        self.op_of("ones", "Fill", &[Lengths("packed", lengths), Operand::Constant("Const", one)], [])
    }

    /// The product of two lengths, as Python computes it.
    pub fn length_product(&mut self, a: Length, b: Length) -> Length {
        let operand = |suffix, length| match length {
            Length::Known(known) => Operand::Constant(suffix, Constant::from_i32(vec![], &[known as i32])),
            Length::Computed(tensor) => Tensor(tensor),
        };
        match (a, b) {
            (Length::Known(a), Length::Known(b)) => Length::Known(a * b),
            (a, b) => Length::Computed(self.op_of("mul", "Mul", &[operand("x", a), operand("y", b)], [])),
        }
    }

    /// `tf.expand_dims(net, [axis])`
    pub fn expand_dims_at(&mut self, net: TensorRef, axis: i32) -> TensorRef {
        let axis = Operand::Constant("dim", Constant::from_i32(vec![1], &[axis]));
        self.op_of("ExpandDims", "ExpandDims", &[Tensor(net), axis], [])
    }

    /// `tf.transpose(net, perm)`
    pub fn transpose(&mut self, net: TensorRef, perm: &[i32]) -> TensorRef {
        let perm = Operand::Constant("perm", Constant::from_i32(vec![perm.len()], perm));
        self.op_of("transpose", "Transpose", &[Tensor(net), perm], [])
    }

    /// `tf.nn.softmax(net, axis=0)`: exchanges the first axis and the last one before and after it.
    pub fn softmax_of_first_axis(&mut self, net: TensorRef) -> TensorRef {
        let rank = self.shape(net).rank().unwrap_or(1) as i32;
        // TensorFlow makes a rank for negative axes, and another one for the exchange.
        self.unique_name("Rank");
        let rank = self.constant("Rank", Constant::from_i32(vec![], &[rank]));
        let net = self.exchanged_ends(net, rank);
        let net = self.op("Softmax", "Softmax", &[net], []);
        self.exchanged_ends(net, rank)
    }

    fn exchanged_ends(&mut self, net: TensorRef, rank: TensorRef) -> TensorRef {
        let number = |suffix, value| Operand::Constant(suffix, Constant::from_i32(vec![], &[value]));
        let last = self.op_of("Sub", "Sub", &[Tensor(rank), number("y", 1)], []);
        let before = [number("start", 0), number("limit", 0), number("delta", 1)];
        let before = self.op_of("range", "Range", &before, []);
        let between = [number("start", 1), Tensor(last), number("delta", 1)];
        let between = self.op_of("range", "Range", &between, []);
        let operands = [
            Tensor(before),
            Lengths("values_1", &[Length::Computed(last)]),
            Tensor(between),
            Operand::Constant("values_3", Constant::from_i32(vec![1], &[0])),
            number("axis", 0),
        ];
        let perm = self.op_of("concat", "ConcatV2", &operands, []);
        self.op("transpose", "Transpose", &[net, perm], [])
    }

    /// `tf.cast(net, tf.float32)` of integers.
    pub fn to_float(&mut self, net: TensorRef) -> TensorRef {
        self.op(
            "Cast",
            "Cast",
            &[net],
            [("SrcT", Attr::Type(DType::Int32)), ("DstT", Attr::Type(DType::Float32))],
        )
    }
}

impl Length {
    /// The length, if it is known.
    pub fn known(self) -> Option<usize> {
        match self {
            Self::Known(known) => Some(known),
            Self::Computed(_) => None,
        }
    }
}
