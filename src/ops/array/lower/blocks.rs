//! Images taken apart into blocks: into the batch, and into the channels.
//!
//! Sources: `tf.space_to_batch`, `tf.batch_to_space`, `tf.nn.space_to_depth` and `tf.nn.depth_to_space` in TensorFlow's
//! API documentation; SpaceToDepth and DepthToSpace in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::array::lower::around::{int_vector, reshaped};
use crate::ops::{Parameter, operator};
use crate::tensor::DType;

/// Both put the blocks before the channels.
pub fn depth_and_space(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let layout = Lowering::window_layout(node.data_format(), 4);
    let name = cx.in_layout(cx.input_of(node, 0)?, &layout)?;
    let attributes = vec![("blocksize", Attribute::Int(node.int("block_size", 1)))];
    cx.emit(node, operator(&node), vec![name], layout, attributes);
    Ok(())
}

/// A shape with some lengths that are read from a tensor when the model runs.
fn shape_of(steps: &mut Steps<'_, '_, '_>, parts: &[String]) -> String {
    let parts: Vec<&String> = parts.iter().collect();
    steps.op_with("Concat", &parts, "axis", 0)
}

/// The length of an axis of a shape, as a vector of one.
fn length(steps: &mut Steps<'_, '_, '_>, shape: &String, axis: usize) -> String {
    let axis = steps.ints(&[axis as i64]);
    steps.op("Gather", &[shape, &axis])
}

/// The lengths of a block along each axis that is taken apart, as vectors of one number, and the input that has the paddings or crops.
/// The first versions have one length for two axes.
fn block_lengths(cx: &mut Lowering<'_>, node: NodeRef<'_>, block: Parameter) -> Result<(Vec<String>, usize)> {
    let Parameter::Input(index) = block else {
        let length = Steps { cx, node }.ints(&[node.int("block_size", 1)]);
        return Ok((vec![length; 2], 1));
    };
    let input = cx.input_of(node, index)?;
    if let Some(block) = cx.known_integers(node, index)? {
        if block.iter().any(|&block| block < 1) {
            return Err(node.error("a block has no elements"));
        }
        let mut steps = Steps { cx, node };
        return Ok((block.iter().map(|&block| steps.ints(&[block])).collect(), index + 1));
    }
    let others = cx.input_of(node, index + 1)?;
    let Some(count) = cx.shape(input).dim(0).or(cx.shape(others).dim(0)) else {
        let error = node.error("how many axes its blocks have is not known");
        return Err(error.advice(cx.shape_advice(input)));
    };
    let blocks = int_vector(cx, node, index)?;
    let mut steps = Steps { cx, node };
    Ok(((0..count as i64).map(|axis| steps.part(&blocks, 0, axis, axis + 1)).collect(), index + 1))
}

/// A tensor whose batch and first axes are apart, and the lengths of the axes behind them: each of them, or all as one axis where
/// nobody knows how many there are.
struct Apart {
    value: String,
    shape: String,
    behind: Vec<String>,
    /// The lengths of the axes that became one.
    joined: Option<String>,
}

impl Apart {
    fn new(cx: &mut Lowering<'_>, node: NodeRef<'_>, count: usize) -> Result<Self> {
        let input = cx.input_of(node, 0)?;
        let rank = cx.shape(input).rank();
        if rank.is_some_and(|rank| count + 1 > rank) {
            return Err(node.error("its blocks do not fit its input"));
        }
        let value = cx.in_tensorflow_layout(input)?;
        let mut steps = Steps { cx, node };
        let shape = steps.op("Shape", &[&value]);
        if let Some(rank) = rank {
            let behind = (count + 1..rank).map(|axis| length(&mut steps, &shape, axis)).collect();
            return Ok(Self { value, shape, behind, joined: None });
        }
        let front = steps.part(&shape, 0, 0, count as i64 + 1);
        let joined = steps.part(&shape, 0, count as i64 + 1, i64::MAX);
        let product = steps.reduce("ReduceProd", &joined, &[0], true);
        let shape = steps.op_with("Concat", &[&front, &product], "axis", 0);
        let value = reshaped(&mut steps, &value, &shape);
        Ok(Self { value, shape, behind: vec![product], joined: Some(joined) })
    }

    /// The lengths behind the axes in the shape of the result.
    fn result(&self) -> Vec<String> {
        self.joined.as_ref().map_or_else(|| self.behind.clone(), |joined| vec![joined.clone()])
    }
}

/// Paddings or crops as pairs: a vector of those before each axis, and one of those after it. `None` if all are 0.
fn sides(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    input: usize,
    count: usize,
) -> Result<Option<[String; 2]>> {
    let Some(pairs) = cx.known_integers(node, input)? else {
        let name = cx.in_tensorflow_layout(cx.input_of(node, input)?)?;
        let mut steps = Steps { cx, node };
        let name = steps.cast(&name, DType::Int64);
        return Ok(Some([0, 1].map(|column| {
            let column = steps.int(column);
            steps.op_with("Gather", &[&name, &column], "axis", 1)
        })));
    };
    if pairs.len() != 2 * count {
        return Err(node.error("its blocks do not fit its paddings or crops"));
    }
    let mut steps = Steps { cx, node };
    let is_any = pairs.iter().any(|&length| length != 0);
    Ok(is_any.then(|| {
        [0, 1].map(|side| {
            let lengths: Vec<i64> = pairs.iter().skip(side).step_by(2).copied().collect();
            steps.ints(&lengths)
        })
    }))
}

pub fn space_to_batch(cx: &mut Lowering<'_>, node: NodeRef<'_>, block: Parameter) -> Result<()> {
    let (block, borders) = block_lengths(cx, node, block)?;
    let count = block.len();
    let apart = Apart::new(cx, node, count)?;
    let sides = sides(cx, node, borders, count)?;
    let mut steps = Steps { cx, node };
    let (mut name, mut shape) = (apart.value.clone(), apart.shape.clone());
    if let Some([before, after]) = sides {
        let (batch, behind) = (steps.ints(&[0]), steps.ints(&vec![0; apart.behind.len()]));
        let pads = [&batch, &before, &behind, &batch, &after, &behind];
        let pads = steps.op_with("Concat", &pads, "axis", 0);
        name = steps.op("Pad", &[&name, &pads]);
        shape = steps.op("Shape", &[&name]);
    }
    // Each axis becomes two: which block, and where in it.
    let mut split = vec![length(&mut steps, &shape, 0)];
    let mut together = vec![steps.ints(&[-1])];
    for (axis, block) in block.iter().enumerate() {
        let whole = length(&mut steps, &shape, axis + 1);
        let blocks = steps.op("Div", &[&whole, block]);
        together.push(blocks.clone());
        split.extend([blocks, block.clone()]);
    }
    split.extend(apart.behind.iter().cloned());
    together.extend(apart.result());
    let (split, together) = (shape_of(&mut steps, &split), shape_of(&mut steps, &together));
    let split = steps.op("Reshape", &[&name, &split]);
    let inside = (0..count).map(|axis| 2 * axis as i64 + 2);
    let outside = (0..count).map(|axis| 2 * axis as i64 + 1);
    let rest = (2 * count + 1..2 * count + 1 + apart.behind.len()).map(|axis| axis as i64);
    let perm: Vec<i64> = inside.chain([0]).chain(outside).chain(rest).collect();
    let moved = steps.transpose(&split, &perm);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Reshape", vec![moved, together], layout, vec![]);
    Ok(())
}

pub fn batch_to_space(cx: &mut Lowering<'_>, node: NodeRef<'_>, block: Parameter) -> Result<()> {
    let (block, borders) = block_lengths(cx, node, block)?;
    let count = block.len();
    let apart = Apart::new(cx, node, count)?;
    let crops = sides(cx, node, borders, count)?;
    let mut steps = Steps { cx, node };
    let (name, shape) = (&apart.value, &apart.shape);
    let mut split = block.clone();
    split.push(steps.ints(&[-1]));
    let mut together = vec![steps.ints(&[-1])];
    for (axis, block) in block.iter().enumerate() {
        let whole = length(&mut steps, shape, axis + 1);
        split.push(whole.clone());
        together.push(steps.op("Mul", &[&whole, block]));
    }
    split.extend(apart.behind.iter().cloned());
    together.extend(apart.result());
    let (split, together) = (shape_of(&mut steps, &split), shape_of(&mut steps, &together));
    let split = steps.op("Reshape", &[name, &split]);
    let pairs = (0..count).flat_map(|axis| [(count + 1 + axis) as i64, axis as i64]);
    let rest = (2 * count + 1..2 * count + 1 + apart.behind.len()).map(|axis| axis as i64);
    let perm: Vec<i64> = [count as i64].into_iter().chain(pairs).chain(rest).collect();
    let moved = steps.transpose(&split, &perm);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    let Some([starts, crops]) = crops else {
        cx.emit(node, "Reshape", vec![moved, together], layout, vec![]);
        return Ok(());
    };
    let joined = steps.op("Reshape", &[&moved, &together]);
    let axes: Vec<i64> = (1..=count as i64).collect();
    let axes = steps.ints(&axes);
    let shape = steps.op("Shape", &[&joined]);
    let lengths = steps.op("Gather", &[&shape, &axes]);
    let ends = steps.op("Sub", &[&lengths, &crops]);
    cx.emit(node, "Slice", vec![joined, starts, ends, axes], layout, vec![]);
    Ok(())
}
