//! Columns of the tensors in the body of a loop: the gates of a cell are columns of one sum, or of one weight.

use crate::graph::slice::StridedSlice;
use crate::graph::{Node, TensorRef};
use crate::lower::function::BuiltFunction;
use crate::tensor::Constant;

/// Consecutive elements of the last axis of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    pub tensor: TensorRef,
    pub first: usize,
    pub count: usize,
}

/// The function of an op that is applied to each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    Sigmoid,
    Tanh,
    Relu,
    Elu,
    Softsign,
    Softplus,
    /// 0.2 x + 0.5, between 0 and 1.
    HardSigmoid,
    /// x itself.
    Linear,
}

/// The body of a loop, in which patterns are looked for.
pub struct Body<'a> {
    pub function: &'a BuiltFunction,
    /// Those of its arguments that are parts of constants, which are taken outside of the loop.
    pub parts: Vec<Option<Constant>>,
}

impl<'a> Body<'a> {
    pub fn node(&self, tensor: TensorRef) -> &'a Node {
        self.function.graph().node(tensor.node)
    }

    /// The tensor that a tensor is forwarded from, also through a product with ones: what Keras makes of dropout in inference.
    pub fn origin(&self, tensor: TensorRef) -> TensorRef {
        let graph = self.function.graph();
        let mut origin = graph.origin(tensor);
        while let Some(factor) = self.factor_of_ones(origin) {
            origin = graph.origin(factor);
        }
        origin
    }

    /// The factor of a product whose other factor has the same shape and consists of ones.
    fn factor_of_ones(&self, product: TensorRef) -> Option<TensorRef> {
        let node = self.node(product);
        let &[a, b] = &node.inputs[..] else { return None };
        let origin = |tensor: TensorRef| self.function.graph().origin(tensor);
        let is_ones = |ones: TensorRef, factor: TensorRef| {
            let node = self.node(origin(ones));
            node.op == "OnesLike" && node.inputs.first().map(|&like| origin(like)) == Some(origin(factor))
        };
        let factor = if is_ones(b, a) { Some(a) } else { is_ones(a, b).then_some(b) };
        factor.filter(|_| node.op == "Mul")
    }

    /// The variable of the loop that a tensor is, as it is before the step.
    pub fn argument(&self, tensor: TensorRef) -> Option<usize> {
        self.function.argument(self.origin(tensor))
    }

    fn rank(&self, tensor: TensorRef) -> Option<usize> {
        self.function.graph().shape(tensor).rank()
    }

    /// The length of the last axis of a tensor: 1 of a scalar.
    pub fn width(&self, tensor: TensorRef) -> Option<usize> {
        let dims = self.function.graph().shape(tensor).dims()?;
        dims.last().map_or(Some(1), |&width| width)
    }

    /// All columns of a tensor, as they are computed.
    pub fn all(&self, tensor: TensorRef) -> Option<Columns> {
        Some(self.computed(Columns { tensor, first: 0, count: self.width(tensor)? }))
    }

    /// The tensor of a node that has exactly these columns; `None` if they are a part of a tensor.
    pub fn whole(&self, columns: Columns) -> Option<TensorRef> {
        let is_whole = columns.first == 0 && self.width(columns.tensor) == Some(columns.count);
        is_whole.then_some(columns.tensor)
    }

    /// The columns where they are computed: of a tensor that is not itself a part of another one.
    pub fn computed(&self, columns: Columns) -> Columns {
        let mut columns = columns;
        while let Some((tensor, offset)) = self.part_of(columns.tensor) {
            columns = Columns { tensor, first: offset + columns.first, ..columns };
        }
        columns
    }

    /// The tensor that a tensor consists of some columns of, and the first of them.
    fn part_of(&self, tensor: TensorRef) -> Option<(TensorRef, usize)> {
        let origin = self.origin(tensor);
        if origin != tensor {
            return Some((origin, 0));
        }
        let node = self.node(tensor);
        match (node.op.as_str(), &node.inputs[..]) {
            ("Split", &[axis, value]) | ("SplitV", &[value, _, axis]) => {
                let rank = self.rank(value)?;
                let axis = self.integers(axis)?;
                let is_last = axis == [-1] || usize::try_from(*axis.first()?) == Ok(rank.checked_sub(1)?);
                let ports = (0..tensor.port).map(|port| self.width(TensorRef { port, ..tensor }));
                is_last.then_some((value, ports.sum::<Option<usize>>()?))
            }
            ("StridedSlice", &[value, begin, end, strides]) => {
                let (rank, width) = (self.rank(value)?, self.width(value)?);
                let bounds = [self.integers(begin)?, self.integers(end)?, self.integers(strides)?];
                let slice = StridedSlice::new(node, rank, bounds.each_ref().map(Vec::as_slice)).ok()?;
                let last = rank.checked_sub(1)?;
                let indices: Vec<usize> = slice.indices(last, width).collect();
                let first = *indices.first()?;
                let is_part = self.rank(tensor) == Some(rank)
                    && !slice.shrunk().any(|is_shrunk| is_shrunk)
                    && (0..last).all(|axis| slice.takes_all(axis))
                    && indices.iter().copied().eq(first..first + indices.len());
                is_part.then_some((value, first))
            }
            _ => None,
        }
    }

    fn integers(&self, tensor: TensorRef) -> Option<Vec<i64>> {
        self.function.graph().constant(self.origin(tensor))?.to_i64s().ok()?
    }

    /// The columns of a constant; of a number that is broadcast, the number.
    pub fn constant(&self, columns: Columns) -> Option<Constant> {
        let Columns { tensor, first, count } = self.computed(columns);
        let part = || self.parts.get(self.function.argument(tensor)?)?.as_ref();
        let constant = self.function.graph().constant(tensor).or_else(part)?;
        let Some((_, rows)) = constant.shape().split_last() else { return Some(constant.clone()) };
        let mut start = vec![0; rows.len()];
        start.push(first);
        constant.slice(&start, &[rows, &[count]].concat())
    }

    /// A constant that is one number.
    pub fn number(&self, columns: Columns) -> Option<f32> {
        match self.constant(columns)?.to_f32s().ok()??[..] {
            [number] => Some(number),
            _ => None,
        }
    }

    /// The op that computes these columns element by element, and the columns that it reads for them.
    pub fn elementwise(&self, columns: Columns) -> Option<(&'a str, Vec<Columns>)> {
        let Columns { tensor, first, count } = self.computed(columns);
        let node = self.node(tensor);
        let width = self.width(tensor)?;
        let read = |&input: &TensorRef| {
            let columns = match self.width(input)? {
                same if same == width => Columns { tensor: input, first, count },
                // A single column is broadcast.
                1 => Columns { tensor: input, first: 0, count: 1 },
                _ => return None,
            };
            Some(self.computed(columns))
        };
        Some((node.op.as_str(), node.inputs.iter().map(read).collect::<Option<_>>()?))
    }

    /// The two columns that an op combines, if it is one of these ops.
    pub fn operands(&self, columns: Columns, ops: &[&str]) -> Option<[Columns; 2]> {
        let (op, read) = self.elementwise(columns)?;
        <[Columns; 2]>::try_from(read).ok().filter(|_| ops.contains(&op))
    }

    /// The two columns whose sum these columns are.
    pub fn added(&self, columns: Columns) -> Option<[Columns; 2]> {
        self.operands(columns, &["Add", "AddV2"])
    }

    /// The two columns whose product these columns are.
    pub fn multiplied(&self, columns: Columns) -> Option<[Columns; 2]> {
        self.operands(columns, &["Mul"])
    }

    /// The function that these columns are computed with, and of which columns.
    pub fn activation(&self, columns: Columns) -> Option<(Activation, Columns)> {
        if let Some(linear) = self.hard_sigmoid(columns) {
            return Some((Activation::HardSigmoid, linear));
        }
        let (op, read) = self.elementwise(columns)?;
        let activation = match op {
            "Sigmoid" => Activation::Sigmoid,
            "Tanh" => Activation::Tanh,
            "Relu" => Activation::Relu,
            "Elu" => Activation::Elu,
            "Softsign" => Activation::Softsign,
            "Softplus" => Activation::Softplus,
            _ => return None,
        };
        Some((activation, *read.first()?))
    }

    /// The columns that a hard sigmoid is computed of, as `tf.keras.activations.hard_sigmoid` computes it.
    fn hard_sigmoid(&self, columns: Columns) -> Option<Columns> {
        let line = match &self.elementwise(columns)? {
            ("ClipByValue", read) => {
                let &[line, least, most] = &read[..] else { return None };
                let is_clipped = self.number(least) == Some(0.0) && self.number(most) == Some(1.0);
                is_clipped.then_some(line)?
            }
            ("Maximum", _) => {
                let least = self.with_number(self.operands(columns, &["Maximum"])?, 0.0)?;
                self.with_number(self.operands(least, &["Minimum"])?, 1.0)?
            }
            _ => return None,
        };
        let scaled = self.with_number(self.added(line)?, 0.5)?;
        self.with_number(self.multiplied(scaled)?, 0.2)
    }

    /// The other operand, if one of them is this number.
    fn with_number(&self, [a, b]: [Columns; 2], number: f32) -> Option<Columns> {
        let is_number = |columns: Columns| self.number(columns) == Some(number);
        if is_number(b) { Some(a) } else { is_number(a).then_some(b) }
    }
}
