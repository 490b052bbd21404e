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
use crate::ops::{Parameter, operator};

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

/// The blocks of each axis, and the input that has the borders. The first versions have one block size for two axes.
fn blocks(cx: &Lowering<'_>, node: NodeRef<'_>, block: Parameter) -> Result<(Vec<i64>, usize)> {
    Ok(match block {
        Parameter::Attribute => (vec![node.int("block_size", 1); 2], 1),
        Parameter::Input(index) => (cx.integers(node, index, "blocks")?, index + 1),
    })
}

pub fn space_to_batch(cx: &mut Lowering<'_>, node: NodeRef<'_>, block: Parameter) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let rank = cx.rank(node, input)?;
    let (block, borders) = blocks(cx, node, block)?;
    let pads = cx.integers(node, borders, "paddings")?;
    let count = block.len();
    if pads.len() != 2 * count || count + 1 > rank || block.iter().any(|&block| block < 1) {
        return Err(node.error("its blocks do not fit its paddings or its input"));
    }
    let mut name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    if pads.iter().any(|&pad| pad != 0) {
        let side = |offset: usize| {
            let inner = (0..count).map(move |axis| axis * 2 + offset);
            let inner: Vec<i64> = inner.map(|index| pads[index]).collect();
            [vec![0], inner, vec![0; rank - 1 - count]].concat()
        };
        let all = [side(0), side(1)].concat();
        let pads = steps.cx.vector(node, "pads", &all);
        name = steps.op("Pad", &[&name, &pads]);
    }
    // Each axis becomes two: which block, and where in it.
    let shape = steps.op("Shape", &[&name]);
    let mut apart = vec![length(&mut steps, &shape, 0)];
    let mut together = vec![steps.ints(&[-1])];
    for (axis, &block) in block.iter().enumerate() {
        let (whole, block) = (length(&mut steps, &shape, axis + 1), steps.ints(&[block]));
        let blocks = steps.op("Div", &[&whole, &block]);
        together.push(blocks.clone());
        apart.extend([blocks, block]);
    }
    for axis in count + 1..rank {
        let rest = length(&mut steps, &shape, axis);
        apart.push(rest.clone());
        together.push(rest);
    }
    let (apart, together) = (shape_of(&mut steps, &apart), shape_of(&mut steps, &together));
    let split = steps.op("Reshape", &[&name, &apart]);
    let inside = (0..count).map(|axis| 2 * axis as i64 + 2);
    let outside = (0..count).map(|axis| 2 * axis as i64 + 1);
    let rest = (2 * count + 1..rank + count).map(|axis| axis as i64);
    let perm: Vec<i64> = inside.chain([0]).chain(outside).chain(rest).collect();
    let moved = steps.transpose(&split, &perm);
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "Reshape", vec![moved, together], layout, vec![]);
    Ok(())
}

pub fn batch_to_space(cx: &mut Lowering<'_>, node: NodeRef<'_>, block: Parameter) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let rank = cx.rank(node, input)?;
    let (block, borders) = blocks(cx, node, block)?;
    let count = block.len();
    if count + 1 > rank || block.iter().any(|&block| block < 1) {
        return Err(node.error("its blocks do not fit its input"));
    }
    let crops = cx.known_integers(node, borders)?;
    if crops.as_ref().is_some_and(|crops| crops.len() != 2 * count) {
        return Err(node.error("its blocks do not fit its crops"));
    }
    let open_crops = match &crops {
        Some(_) => None,
        None => {
            let name = cx.in_tensorflow_layout(cx.input_of(node, borders)?)?;
            Some(cx.cast(node, name, crate::tensor::DType::Int64))
        }
    };
    let name = cx.in_tensorflow_layout(input)?;
    let mut steps = Steps { cx, node };
    let shape = steps.op("Shape", &[&name]);
    let blocks: Vec<String> = block.iter().map(|&block| steps.ints(&[block])).collect();
    let mut apart = blocks.clone();
    apart.push(steps.ints(&[-1]));
    let mut together = vec![steps.ints(&[-1])];
    for axis in 1..rank {
        let whole = length(&mut steps, &shape, axis);
        apart.push(whole.clone());
        together.push(match blocks.get(axis - 1) {
            Some(block) => steps.op("Mul", &[&whole, block]),
            None => whole,
        });
    }
    let (apart, together) = (shape_of(&mut steps, &apart), shape_of(&mut steps, &together));
    let split = steps.op("Reshape", &[&name, &apart]);
    let pairs = (0..count).flat_map(|axis| [(count + 1 + axis) as i64, axis as i64]);
    let rest = (2 * count + 1..rank + count).map(|axis| axis as i64);
    let perm: Vec<i64> = [count as i64].into_iter().chain(pairs).chain(rest).collect();
    let moved = steps.transpose(&split, &perm);
    let joined = steps.op("Reshape", &[&moved, &together]);
    let layout = Layout::tensorflow_of(steps.cx.shape(node.into()));
    let axes: Vec<i64> = (1..=count as i64).collect();
    let (starts, ends) = match (crops, open_crops) {
        (Some(crops), _) if crops.iter().all(|&crop| crop == 0) => {
            cx.emit(node, "Identity", vec![joined], layout, vec![]);
            return Ok(());
        }
        (Some(crops), _) => {
            let starts: Vec<i64> = (0..count).map(|axis| crops[2 * axis]).collect();
            let ends: Vec<i64> = (0..count)
                .map(|axis| crops[2 * axis + 1])
                .map(|crop| if crop == 0 { i64::MAX } else { -crop })
                .collect();
            (steps.cx.vector(node, "starts", &starts), steps.cx.vector(node, "ends", &ends))
        }
        (None, crops) => {
            let crops = crops.unwrap_or_default();
            let [first, second] = [0, 1].map(|column| {
                let column = steps.int(column);
                steps.op_with("Gather", &[&crops, &column], "axis", 1)
            });
            let shape = steps.op("Shape", &[&joined]);
            let axes = steps.cx.vector(node, "cropped", &axes);
            let lengths = steps.op("Gather", &[&shape, &axes]);
            (first, steps.op("Sub", &[&lengths, &second]))
        }
    };
    let axes = steps.cx.vector(node, "axes", &axes);
    cx.emit(node, "Slice", vec![joined, starts, ends, axes], layout, vec![]);
    Ok(())
}
