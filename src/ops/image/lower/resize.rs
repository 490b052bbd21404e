//! Images of other sizes.
//!
//! Sources: `tf.image.resize` and `tf.compat.v1.image.resize_*` in TensorFlow's API documentation,
//! `tensorflow/core/kernels/image/resize_*_op.cc`; Resize in <https://onnx.ai/onnx/operators/onnx__Resize.html>.

use crate::error::Result;
use crate::graph::{NodeRef, TensorRef};
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, Attributes};
use crate::ops::array::lower::around::int_vector;
use crate::tensor::{Constant, DType};

fn text(value: &str) -> Attribute {
    Attribute::Text(value.to_owned())
}

pub fn bilinear(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    resize(cx, node, &[DType::Float32], vec![("mode", text("linear"))])
}

pub fn nearest(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if cx.dtype(cx.input_of(node, 0)?) == DType::Int64 {
        return gathered(cx, node);
    }
    // TensorFlow rounds down from an edge, and to the nearest from a corner; from half a pixel down is to the nearest too.
    let is_rounded = node.bool("align_corners", false) || node.bool("half_pixel_centers", false);
    let rounding = if is_rounded { "round_prefer_ceil" } else { "floor" };
    let attributes = vec![("mode", text("nearest")), ("nearest_mode", text(rounding))];
    resize(cx, node, &[DType::Float32, DType::Float16, DType::Int32, DType::Int8, DType::UInt8], attributes)
}

/// Takes the rows and columns of int64 images, which ONNX Runtime does not resize.
fn gathered(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let (size, shape) = (known_size(cx, node)?, cx.shape(input).clone());
    let (Some(&[height, width]), Some(rows), Some(columns)) = (size.as_deref(), shape.dim(1), shape.dim(2))
    else {
        return Err(node
            .error("its images are int64, which ONNX Runtime does not resize, and their sizes are not known")
            .advice("cast them to int32 before it, where their values are less than 2147483648"));
    };
    let rows = cx.vector(node, "rows", &nearest_pixels(node, rows, height));
    let columns = cx.vector(node, "columns", &nearest_pixels(node, columns, width));
    let name = cx.in_tensorflow_layout(input)?;
    let axis = |axis| vec![("axis", Attribute::Int(axis))];
    let taken = cx.step(node, "rows_taken", "Gather", vec![name, rows], axis(1));
    cx.emit(node, "Gather", vec![taken, columns], Layout::tensorflow(4), axis(2));
    Ok(())
}

/// The pixel of a row of `from` that each of `to` pixels is.
///
/// Source: `LegacyScaler` and `HalfPixelScalerForNN` in `tensorflow/core/util/image_resizer_state.h`,
/// `tensorflow/core/kernels/image/resize_nearest_neighbor_op.cc`.
fn nearest_pixels(node: NodeRef<'_>, from: usize, to: i64) -> Vec<i64> {
    let (corners, centers) = (node.bool("align_corners", false), node.bool("half_pixel_centers", false));
    let scale =
        if corners && to > 1 { (from as f32 - 1.0) / (to as f32 - 1.0) } else { from as f32 / to as f32 };
    let pixels = (0..to).map(|pixel| {
        let position = (pixel as f32 + if centers { 0.5 } else { 0.0 }) * scale;
        let position = if corners { position.round() } else { position.floor() };
        (position as i64).min(from as i64 - 1)
    });
    pixels.collect()
}

/// Images are resized as one of the `known` types, otherwise as float32.
fn resize(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    known: &[DType],
    interpolation: Attributes,
) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let layout = Layout::channels_first(4);
    let mut name = cx.in_layout(input, &layout)?;
    let needs_cast = !known.contains(&cx.dtype(input));
    if needs_cast {
        name = cx.cast(node, name, DType::Float32);
    }
    let (corners, centers) = (node.bool("align_corners", false), node.bool("half_pixel_centers", false));
    let coordinates = match (corners, centers) {
        (true, _) => "align_corners",
        (false, true) => "half_pixel",
        (false, false) => "asymmetric",
    };
    let attributes = [vec![("coordinate_transformation_mode", text(coordinates))], interpolation].concat();
    let sizes = sizes(cx, node, input, &name)?;
    let inputs = vec![name, String::new(), String::new(), sizes];
    if needs_cast && cx.dtype(node.into()) != DType::Float32 {
        let resized = cx.step(node, "resized", "Resize", inputs, attributes);
        cx.emit_cast(node, resized, layout);
    } else {
        cx.emit(node, "Resize", inputs, layout, attributes);
    }
    Ok(())
}

/// The height and width of the resized images: constants, or known lengths of other tensors.
fn known_size(cx: &Lowering<'_>, node: NodeRef<'_>) -> Result<Option<Vec<i64>>> {
    let inferred = [1, 2].map(|axis| cx.shape(node.into()).dim(axis));
    let inferred = inferred.into_iter().map(|length| Some(length? as i64)).collect();
    Ok(cx.known_integers(node, 1)?.or(inferred))
}

/// The lengths of all axes of the resized images. `name` is the value of the images, with their channels second.
fn sizes(cx: &mut Lowering<'_>, node: NodeRef<'_>, images: TensorRef, name: &str) -> Result<String> {
    let size = known_size(cx, node)?;
    if let (Some(&[height, width]), [Some(batch), Some(channels)]) =
        (size.as_deref(), [0, 3].map(|axis| cx.shape(images).dim(axis)))
    {
        return Ok(cx.vector(node, "sizes", &[batch as i64, channels as i64, height, width]));
    }
    let size = match size {
        Some(size) => cx.vector(node, "size", &size),
        None => {
            let size = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
            // Shape inference needs to know that there are two of them.
            let (size, two) = (cx.cast(node, size, DType::Int64), cx.vector(node, "two", &[2]));
            cx.step(node, "size", "Reshape", vec![size, two], vec![])
        }
    };
    // From opset 18 on the sizes of some axes could be given alone; ONNX Runtime does not accept them everywhere.
    let shape = cx.step(node, "shape", "Shape", vec![name.to_owned()], vec![]);
    let (start, end) = (cx.vector(node, "start", &[0]), cx.vector(node, "end", &[2]));
    let kept = cx.step(node, "kept", "Slice", vec![shape, start, end], vec![]);
    Ok(cx.step(node, "sizes", "Concat", vec![kept, size], vec![("axis", Attribute::Int(0))]))
}

/// The share that each pixel of a row of `from` has in each of `to`, as a matrix of `to` rows.
///
/// Source: `ComputeLoop` in `tensorflow/core/kernels/image/resize_area_op.cc`.
fn shares(from: usize, to: usize, align_corners: bool) -> Vec<f32> {
    let scale =
        if align_corners && to > 1 { (from - 1) as f64 / (to - 1) as f64 } else { from as f64 / to as f64 };
    let mut shares = vec![0.0; from * to];
    for target in 0..to {
        let (start, end) = (target as f64 * scale, (target + 1) as f64 * scale);
        for pixel in start.floor() as usize..(end.ceil() as usize).max(start.floor() as usize + 1) {
            let covered = (end.min((pixel + 1) as f64) - start.max(pixel as f64)) / scale;
            // Pixels outside of the image are its last pixel.
            shares[target * from + pixel.min(from - 1)] += covered as f32;
        }
    }
    shares
}

/// Each pixel is the average over the area that it covers: two products with constant matrices.
pub fn area(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let shape = cx.shape(input).clone();
    let size = cx.known_integers(node, 1)?;
    let (Some(rows), Some(columns), Some(&[height, width])) = (shape.dim(1), shape.dim(2), size.as_deref())
    else {
        return open_area(cx, node);
    };
    let (Ok(height), Ok(width)) = (usize::try_from(height), usize::try_from(width)) else {
        return Err(node.error("its sizes are not counts"));
    };
    let cells = [rows, columns, height, width];
    if cells.contains(&0) || cells.iter().any(|&length| length > 1 << 13) {
        return Err(node.error("its images are empty or too large"));
    }
    let layout = Layout::channels_first(4);
    let mut name = cx.in_layout(input, &layout)?;
    if cx.dtype(input) != DType::Float32 {
        name = cx.cast(node, name, DType::Float32);
    }
    let corners = node.bool("align_corners", false);
    let down = Constant::from_f32(vec![height, rows], &shares(rows, height, corners));
    let down = cx.initializer(&format!("{}/rows", node.name), down, &[]);
    let across =
        Constant::from_f32(vec![width, columns], &shares(columns, width, corners)).permuted(&[1, 0])?;
    let across = cx.initializer(&format!("{}/columns", node.name), across, &[]);
    let narrowed = cx.step(node, "narrowed", "MatMul", vec![name, across], vec![]);
    cx.emit(node, "MatMul", vec![down, narrowed], layout, vec![]);
    Ok(())
}

/// The same where the model computes the matrices, from the lengths that the images have before and after it.
fn open_area(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    let layout = Layout::channels_first(4);
    let name = cx.in_layout(input, &layout)?;
    let size = int_vector(cx, node, 1)?;
    let is_float = cx.dtype(input) == DType::Float32;
    let mut steps = Steps { cx, node };
    let name = if is_float { name } else { steps.cast(&name, DType::Float32) };
    let mut matrices = vec![];
    for axis in [0, 1] {
        let (from, to) = (steps.length(&name, axis + 2), steps.part(&size, 0, axis, axis + 1));
        matrices.push(open_shares(&mut steps, &from, &to, node.bool("align_corners", false)));
    }
    let across = steps.transpose(&matrices[1], &[1, 0]);
    let narrowed = steps.op("MatMul", &[&name, &across]);
    cx.emit(node, "MatMul", vec![matrices.swap_remove(0), narrowed], layout, vec![]);
    Ok(())
}

/// The matrix of `shares` for lengths that are vectors of one number.
fn open_shares(steps: &mut Steps<'_, '_, '_>, from: &String, to: &String, align_corners: bool) -> String {
    let (targets, pixels) = (steps.positions(to), steps.positions(from));
    let [targets, pixels, from, to] =
        [&targets, &pixels, from, to].map(|value| steps.cast(value, DType::Float64));
    let [zero, one, beyond] = [0.0, 1.0, f64::INFINITY].map(|value| steps.number(DType::Float64, value));
    let mut scale = steps.op("Div", &[&from, &to]);
    let last = steps.op("Sub", &[&from, &one]);
    if align_corners {
        let intervals = steps.op("Sub", &[&to, &one]);
        let (is_many, aligned) = (steps.op("Greater", &[&to, &one]), steps.op("Div", &[&last, &intervals]));
        scale = steps.op("Where", &[&is_many, &aligned, &scale]);
    }
    let behind = steps.ints(&[1]);
    let targets = steps.op("Unsqueeze", &[&targets, &behind]);
    let start = steps.op("Mul", &[&targets, &scale]);
    let next = steps.op("Add", &[&targets, &one]);
    let end = steps.op("Mul", &[&next, &scale]);
    // Pixels outside of the image are its last pixel.
    let next = steps.op("Add", &[&pixels, &one]);
    let is_last = steps.op("Equal", &[&pixels, &last]);
    let next = steps.op("Where", &[&is_last, &beyond, &next]);
    let (first, stop) = (steps.op("Max", &[&start, &pixels]), steps.op("Min", &[&end, &next]));
    let covered = steps.op("Sub", &[&stop, &first]);
    let covered = steps.op("Max", &[&covered, &zero]);
    let shares = steps.op("Div", &[&covered, &scale]);
    steps.cast(&shares, DType::Float32)
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn each_pixel_shares_in_the_area_that_it_covers() {
        assert_eq!(shares(4, 2, false), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5]);
        let thirds = shares(3, 2, false);
        assert!((thirds[0] - 2.0 / 3.0).abs() < 1e-6 && (thirds[1] - 1.0 / 3.0).abs() < 1e-6);
    }
}
