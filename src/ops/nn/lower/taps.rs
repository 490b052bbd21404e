//! Windows taken apart: for each element of the window a tensor of the elements that it meets at all positions. No element is multiplied,
//! so that integers, infinities and NaN stay what they are.
//!
//! Sources: `tf.nn.dilation2d` and `tf.extract_volume_patches` in TensorFlow's API documentation, and
//! `tensorflow/core/kernels/dilation_ops.cc` for the border; Slice and Pad in <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::window::Window;
use crate::graph::{NodeRef, Padding};
use crate::lower::context::Lowering;
use crate::lower::inputs_and_loops::computed_type;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::ops::nn::lower::open_windows;
use crate::tensor::DType;

/// The most elements of a window: each becomes a node.
const MOST: usize = 1 << 10;

/// What the padding `SAME` does with elements that no window meets, where strides are longer than windows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Border {
    /// They stay: the first window begins at the first element.
    Kept,
    /// Half of them are before the first window (`Eigen/CXX11/src/Tensor/TensorVolumePatch.h`).
    Cut,
}

/// The elements that each element of the windows meets, with the elements of the last axis as the fastest. The windows slide over the axes
/// from the second on; `outside` is the value around the tensor.
fn taps(
    steps: &mut Steps<'_, '_, '_>,
    name: &String,
    windows: &[Window],
    outside: &String,
    border: Border,
) -> Result<Vec<String>> {
    let node = steps.node;
    let count = windows.iter().map(|window| window.size).try_fold(1usize, usize::checked_mul);
    let Some(count) = count.filter(|&count| count <= MOST) else {
        return Err(node.error(format!("its windows have more than {MOST} elements")));
    };
    let name = match node.padding()? {
        Padding::Same => padded(steps, name, windows, outside, border)?,
        _ => name.clone(),
    };
    let axes: Vec<i64> = (1..=windows.len() as i64).collect();
    let strides: Vec<i64> = windows.iter().map(|window| window.stride as i64).collect();
    let (axes, strides) = (steps.ints(&axes), steps.ints(&strides));
    let mut values = vec![];
    for index in 0..count {
        let mut rest = index;
        let (mut starts, mut ends) = (vec![0; windows.len()], vec![0; windows.len()]);
        for (axis, window) in windows.iter().enumerate().rev() {
            let offset = (rest % window.size * window.dilation) as i64;
            rest /= window.size;
            let behind = offset + 1 - window.extent() as i64;
            (starts[axis], ends[axis]) = (offset, if behind == 0 { i64::MAX } else { behind });
        }
        let (starts, ends) = (steps.ints(&starts), steps.ints(&ends));
        values.push(steps.op("Slice", &[&name, &starts, &ends, &axes, &strides]));
    }
    Ok(values)
}

/// The tensor with the padding `SAME` around it, which depends on its lengths.
fn padded(
    steps: &mut Steps<'_, '_, '_>,
    name: &String,
    windows: &[Window],
    outside: &String,
    border: Border,
) -> Result<String> {
    let input = steps.cx.input_of(steps.node, 0)?;
    let padding = |window: &Window, length: usize| {
        let reached = length.saturating_sub(1) / window.stride * window.stride;
        let missing = (reached + window.extent()) as i64 - length as i64;
        let missing = if border == Border::Kept { missing.max(0) } else { missing };
        (missing / 2, missing - missing / 2)
    };
    let known: Option<Vec<(i64, i64)>> = windows
        .iter()
        .enumerate()
        .map(|(axis, window)| match steps.cx.shape(input).dim(axis + 1) {
            Some(length) => Some(padding(window, length)),
            None if window.stride == 1 => Some(padding(window, window.extent())),
            None => None,
        })
        .collect();
    let none = steps.ints(&[0]);
    let (before, after) = match known {
        Some(pads) => {
            let (before, after): (Vec<i64>, Vec<i64>) = pads.into_iter().unzip();
            if before.iter().chain(&after).all(|&pad| pad == 0) {
                return Ok(name.clone());
            }
            (steps.ints(&before), steps.ints(&after))
        }
        None => {
            let each = |number: fn(&Window) -> usize| -> Vec<i64> {
                windows.iter().map(|window| number(window) as i64).collect()
            };
            let strides = steps.ints(&each(|window| window.stride));
            let extents = steps.ints(&each(|window| window.extent()));
            let (one, two, last) =
                (steps.ints(&[1]), steps.ints(&[2]), steps.ints(&[windows.len() as i64 + 1]));
            let shape = steps.op("Shape", &[name]);
            let lengths = steps.op("Slice", &[&shape, &one, &last]);
            // As many windows as strides begin within the length.
            let reached = steps.op("Sub", &[&lengths, &one]);
            let reached = steps.op("Div", &[&reached, &strides]);
            let reached = steps.op("Mul", &[&reached, &strides]);
            let needed = steps.op("Add", &[&reached, &extents]);
            let missing = steps.op("Sub", &[&needed, &lengths]);
            let missing = match border {
                Border::Kept => steps.op("Max", &[&missing, &none]),
                Border::Cut => missing,
            };
            let before = steps.op("Div", &[&missing, &two]);
            let after = steps.op("Sub", &[&missing, &before]);
            (before, after)
        }
    };
    let pads = steps.op_with("Concat", &[&none, &before, &none, &none, &after, &none], "axis", 0);
    Ok(steps.op("Pad", &[name, &pads, outside]))
}

/// The windows of a node over images or volumes.
fn windows(node: NodeRef<'_>, sizes: &[usize], rate: &str) -> Result<Vec<Window>> {
    let rank = sizes.len() + 2;
    let (strides, rates) = (node.spatial_sizes("strides", rank)?, node.spatial_sizes(rate, rank)?);
    let each = sizes.iter().zip(strides).zip(rates);
    Ok(each.map(|((&size, stride), dilation)| Window { size, stride, dilation }).collect())
}

/// The greatest sum of an element and the filter's element over it. What is outside of the image does not count, and neither does NaN.
pub fn dilation(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, filter) = (cx.input_of(node, 0)?, cx.input_of(node, 1)?);
    let dtype = cx.dtype(input);
    let (computed, least) = match computed_type(dtype) {
        computed @ (DType::Float32 | DType::Float64) => (computed, f64::NEG_INFINITY),
        // Float64 holds the sums of integers of 32 bits.
        _ if dtype != DType::Int64 && dtype != DType::UInt64 => (DType::Float64, -(2f64.powi(40))),
        _ => return Err(node.error("its integers have 64 bits, and their sums may have more").unsupported()),
    };
    let start = match dtype {
        DType::Float32 => f64::from(f32::MIN),
        DType::Float64 => f64::MIN,
        DType::Float16 => -65504.0,
        DType::BFloat16 => -3.3895313892515355e38,
        DType::Int8 => -128.0,
        DType::Int16 => -32768.0,
        DType::Int32 => f64::from(i32::MIN),
        _ => 0.0,
    };
    let (Some(rows), Some(columns)) = (cx.shape(filter).dim(0), cx.shape(filter).dim(1)) else {
        return open_windows::dilation(cx, node, computed, (start, least));
    };
    let windows = windows(node, &[rows, columns], "rates")?;
    let mut steps = Steps { cx, node };
    let (name, filter) = (steps.input_as(0, computed)?, steps.input_as(1, computed)?);
    let outside = steps.number(computed, least);
    let taps = taps(&mut steps, &name, &windows, &outside, Border::Kept)?;
    let channels = steps.length(&filter, 2);
    let count = steps.ints(&[taps.len() as i64]);
    let shape = steps.op_with("Concat", &[&count, &channels], "axis", 0);
    let filter = steps.op("Reshape", &[&filter, &shape]);
    let mut greatest = steps.number(computed, start);
    for (index, tap) in taps.iter().enumerate() {
        let index = steps.int(index as i64);
        let added = steps.op_with("Gather", &[&filter, &index], "axis", 0);
        let sum = steps.op("Add", &[tap, &added]);
        let is_greater = steps.op("Greater", &[&sum, &greatest]);
        greatest = steps.op("Where", &[&is_greater, &sum, &greatest]);
    }
    steps.set_output(0, greatest, computed);
    Ok(())
}

/// The elements of each window, one after the other along the last axis.
pub fn volume_patches(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let computed = computed_type(cx.dtype(cx.input_of(node, 0)?));
    let windows = windows(node, &node.spatial_sizes("ksizes", 5)?, "rates")?;
    let mut steps = Steps { cx, node };
    let (name, zero) = (steps.input_as(0, computed)?, steps.number(computed, 0.0));
    let taps = taps(&mut steps, &name, &windows, &zero, Border::Cut)?;
    let patches = steps.cx.step(node, "patches", "Concat", taps, vec![("axis", Attribute::Int(-1))]);
    steps.set_output(0, patches, computed);
    Ok(())
}
