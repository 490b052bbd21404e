//! Steps that move, resize and combine tensors: their values in the file, and what they build.

use super::arguments::MAX_WINDOW;
use super::fields::{Field, Fields};
use super::steps::{Action, NewSize, Operand};
use super::values::pair;
use crate::error::{Error, Result};
use crate::graph::TensorRef;
use crate::slim::{Alignment, Interpolation, Length, NetworkBuilder};
use crate::tensor::Constant;

/// The name by which steps read the images of the network.
pub const IMAGES: &str = "images";

/// The largest height or width of resized images.
const MAX_SIZE: usize = 100_000;

/// Reads the name of an end point that a step uses.
pub fn end_point_name(field: &Field<'_>) -> Result<String> {
    match field.text()? {
        "" => Err(field.error("the name of an end point is empty")),
        name => Ok(name.to_owned()),
    }
}

/// Reads a number or the name of an end point.
pub fn operand(field: &Field<'_>) -> Result<Operand> {
    if field.as_text().is_some() {
        return end_point_name(field).map(Operand::EndPoint);
    }
    let number = field.number().map_err(|_| field.wrong_value("a number or the name of an end point"));
    number.map(Operand::Number)
}

/// Reads `concat = ["a", "b"]`.
pub fn concat(field: &Field<'_>) -> Result<Action> {
    let names = field.list("a list of end points, such as [\"low\", \"high\"]")?;
    if names.len() < 2 {
        return Err(field.error("concat needs at least two end points"));
    }
    names.iter().map(end_point_name).collect::<Result<_>>().map(Action::Concat)
}

/// Reads the size of the blocks of `space_to_depth` and `depth_to_space`.
pub fn block(field: &Field<'_>) -> Result<usize> {
    field.count(2..=MAX_WINDOW)
}

/// Reads the arguments of `tf.nn.l2_normalize`, by default along the channels.
pub fn l2_normalize(fields: &mut Fields<'_>) -> Result<Action> {
    let axis = fields.take("axis").map(|field| field.count(0..=4)).transpose()?;
    let epsilon = fields.take("epsilon").map_or(Ok(1e-12), |field| match field.number()? {
        epsilon if epsilon >= 0.0 => Ok(epsilon),
        _ => Err(field.wrong_value("a number that is not negative")),
    })?;
    Ok(Action::L2Normalize { axis, epsilon })
}

/// Reads the size of resized images, and which pixels lie on each other.
pub fn resize(head: &Field<'_>, fields: &mut Fields<'_>, interpolation: Interpolation) -> Result<Action> {
    let size = match head.as_text() {
        Some(text) => relative_size(text).ok_or_else(|| head.wrong_value(SIZES))?,
        None => {
            NewSize::Fixed(pair(head, MAX_SIZE, ", [height, width], \"images\", \"images/4\" or \"x2\"")?)
        }
    };
    let (corners, centers) = (fields.take("align_corners"), fields.take("half_pixel_centers"));
    let [corners, centers] = [&corners, &centers].map(|field| field.as_ref().map_or(Ok(false), Field::flag));
    let alignment = match (corners?, centers?) {
        (false, false) => Alignment::Origin,
        (true, false) => Alignment::Corners,
        (false, true) => Alignment::PixelCenters,
        (true, true) => return Err(head.error("align_corners and half_pixel_centers exclude each other")),
    };
    Ok(Action::Resize { size, interpolation, alignment })
}

const SIZES: &str = "a whole number, [height, width], \"images\", \"images/4\" or \"x2\"";

/// Reads `images`, `images/4` or `x2`.
fn relative_size(text: &str) -> Option<NewSize> {
    let count = |text: &str| text.parse().ok().filter(|count| (1..=MAX_WINDOW).contains(count));
    match (text.strip_prefix("images/"), text.strip_prefix('x')) {
        _ if text == IMAGES => Some(NewSize::Images(1)),
        (Some(divisor), _) => count(divisor).map(NewSize::Images),
        (_, Some(factor)) => count(factor).map(NewSize::Times),
        _ => None,
    }
}

/// The tensor of an end point, or the images.
pub fn named(slim: &mut NetworkBuilder<'_>, images: TensorRef, name: &str) -> TensorRef {
    if slim.has_end_point(name) || name != IMAGES { slim.built_end_point(name) } else { images }
}

/// The sum or the product of a tensor and an operand.
pub fn combined(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    images: TensorRef,
    name: &str,
    operand: &Operand,
) -> TensorRef {
    let op = if name == "add" { "AddV2" } else { "Mul" };
    match operand {
        Operand::Number(number) => {
            let number = ("y", Constant::from_f32(vec![], &[*number]));
            slim.op_with_constant(name, op, &[net], number, [])
        }
        Operand::EndPoint(end_point) => {
            let other = named(slim, images, end_point);
            slim.op(name, op, &[net, other], [])
        }
    }
}

/// A tensor scaled to length 1 along an axis, by default its last.
pub fn normalized(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    axis: Option<usize>,
    epsilon: f32,
    name: &str,
) -> TensorRef {
    let rank = slim.shape(net).rank().unwrap_or(4);
    let axis = axis.unwrap_or(rank.saturating_sub(1));
    if axis >= rank {
        slim.fail(Error::new("axis", format!("a tensor of shape {} has no axis {axis}", slim.shape(net))));
        return net;
    }
    slim.l2_normalize(net, axis, epsilon, name)
}

/// A resized tensor.
pub fn resized(
    slim: &mut NetworkBuilder<'_>,
    net: TensorRef,
    images: TensorRef,
    size: NewSize,
    (interpolation, alignment): (Interpolation, Alignment),
) -> TensorRef {
    let of = match size {
        NewSize::Images(_) => images,
        NewSize::Fixed(_) | NewSize::Times(_) => net,
    };
    let Some(known) = slim.height_and_width(of) else {
        let problem = format!("a tensor of shape {} is not an image of known size", slim.shape(of));
        slim.fail(Error::new(interpolation.op(), problem));
        return net;
    };
    let size = match size {
        NewSize::Fixed(size) => size,
        NewSize::Images(divisor) => known.map(|length| length.div_ceil(divisor)),
        NewSize::Times(factor) => known.map(|length| length.saturating_mul(factor)),
    };
    if size.iter().any(|&length| length > MAX_SIZE) {
        slim.fail(Error::new(interpolation.op(), format!("images have at most {MAX_SIZE} rows and columns")));
        return net;
    }
    slim.resize_to_lengths(net, size.map(Length::Known), interpolation, alignment)
}
