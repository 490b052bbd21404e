//! A random box in an image that covers enough of one of the objects in it.
//!
//! Source: `GenerateRandomCrop` and `SatisfiesOverlapConstraints` in
//! `tensorflow/core/kernels/image/sample_distorted_bounding_box_op.cc`. TensorFlow tries boxes one after the other; the model makes all
//! of them, and takes the first one that fits. The numbers are not TensorFlow's, but the distribution of the boxes is.

use super::seed;
use crate::error::Result;
use crate::graph::{Attr, NodeRef};
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::onnx::{Attribute, onnx_dtype};
use crate::tensor::DType;

/// The random numbers of one box: for its aspect ratio, its height, and its position.
const DRAWS: i64 = 4;

/// The most boxes that are tried. Each is made, whether it is needed or not.
const MAX_ATTEMPTS: i64 = 1 << 16;

/// Boxes, with one value for each of them.
struct Boxes<'f> {
    top: Value<'f>,
    left: Value<'f>,
    bottom: Value<'f>,
    right: Value<'f>,
}

impl<'f> Boxes<'f> {
    fn area(&self) -> Value<'f> {
        (&self.bottom - &self.top) * (&self.right - &self.left)
    }

    /// The area of what both have in common; 0 if they are apart.
    fn common_area(&self, other: &Self) -> Value<'f> {
        let common = Self {
            top: self.top.max(&other.top),
            left: self.left.max(&other.left),
            bottom: self.bottom.min(&other.bottom),
            right: self.right.min(&other.right),
        };
        let is_apart = common.top.greater(&common.bottom).or(&common.left.greater(&common.right));
        is_apart.choose(0.0, common.area())
    }
}

pub fn distorted_box(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let attempts = node.int("max_attempts", 100);
    if !(1..=MAX_ATTEMPTS).contains(&attempts) {
        return Err(
            node.error(format!("its max_attempts is {attempts}, and not a number from 1 to {MAX_ATTEMPTS}"))
        );
    }
    let area_range = range(node, "area_range", [0.05, 1.0]);
    let ratio_range = range(node, "aspect_ratio_range", [0.75, 1.33]);
    let uses_image = node.bool("use_image_if_no_bounding_boxes", false);
    let size = cx.in_tensorflow_layout(cx.input_of(node, 0)?)?;
    let boxes = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let least_covered = match node.inputs.get(2) {
        Some(&covered) => cx.in_tensorflow_layout(covered)?,
        None => cx.scalar(node, "covered", DType::Float32, node.float("min_object_covered", 0.1).into()),
    };
    let dtype = Attribute::Int(onnx_dtype(DType::Float32).unwrap_or(1).into());
    let shape = Attribute::Ints(vec![DRAWS, attempts, 1]);
    let attributes = [vec![("dtype", dtype), ("shape", shape)], seed(node)].concat();
    let random = cx.step(node, "random", "RandomUniform", vec![], attributes);
    let numbers = cx.cast(node, size, DType::Float32);

    let f = Formula::new(Steps { cx, node }, DType::Float32);
    let image_size = f.value(numbers);
    let [height, width] = [0, 1].map(|index| part(&f, &image_size, index));
    let objects = objects(&f, &f.value(boxes), [&height, &width], uses_image);
    let random = f.value(random);
    let [ratio, height_draw, top_draw, left_draw] = [0, 1, 2, 3].map(|index| part(&f, &random, index));

    let ratio = ratio * (ratio_range[1] - ratio_range[0]) + ratio_range[0];
    let [least_area, most_area] = area_range.map(|share| &height * share * &width);
    let least_height = (&least_area / &ratio).sqrt().round();
    let most_height = (&most_area / &ratio).sqrt().round();
    // The greatest height whose width is not larger than the image.
    let is_too_wide = |rows: &Value<'_>| (rows * &ratio).round().greater(&width).name;
    let fitting = ((&width + 0.5) / &ratio).floor();
    let fitting = f.value(is_too_wide(&fitting)).choose(&fitting - 1.0, &fitting);
    let most_height = f.value(is_too_wide(&most_height)).choose(&fitting, &most_height).min(&height);
    let least_height = least_height.min(&most_height);
    let choices = &most_height - &least_height + 1.0;
    let rows = least_height + (height_draw * choices).floor();
    // Rounding may have made the area a little too small or too large.
    let rows = area(&rows, &ratio).less(&least_area).choose(&rows + 1.0, &rows);
    let rows = area(&rows, &ratio).greater(&most_area).choose(&rows - 1.0, &rows);
    let columns = (&rows * &ratio).round();
    let top = (top_draw * (&height - &rows)).floor();
    let left = (left_draw * (&width - &columns)).floor();
    let crop = Boxes { bottom: &top + &rows, right: &left + &columns, top, left };

    let fits_image = rows.at_most(&height).and(&columns.at_most(&width)).and(&crop.area().at_least(1.0));
    let fits_area = crop.area().at_least(&least_area).and(&crop.area().at_most(&most_area));
    let object_area = objects.area();
    let covered = crop.common_area(&objects) / &object_area;
    let covers = covered.at_least(f.value(least_covered)).and(&object_area.at_least(1.0));
    let covers = covers.cast(DType::Float32).reduced("ReduceMax", 1).greater(0.5);
    let is_taken = fits_image.and(&fits_area).and(&covers).cast(DType::Float32);
    let first = is_taken.greatest_index(0);
    let is_any = is_taken.reduced("ReduceMax", 0).greater(0.5);

    let chosen = |value: &Value<'_>, otherwise: &Value<'_>| {
        let first = value.along("Gather", 0, &[&first]);
        let flat = is_any.choose(&first, otherwise).op("Reshape", &[&f.vector(&[1])]);
        flat.name
    };
    let zero = f.number(0.0);
    let [top, left] = [&crop.top, &crop.left].map(|start| f.value(chosen(start, &zero)));
    let rows = f.value(chosen(&rows, &height));
    let columns = f.value(chosen(&columns, &width));
    let one = |value: f64| f.number(value).op("Reshape", &[&f.vector(&[1])]);
    let begin = top.along("Concat", 0, &[&left, &one(0.0)]);
    let extent = rows.along("Concat", 0, &[&columns, &one(-1.0)]);
    let (end, right) = (&top + &rows, &left + &columns);
    let relative = [(&top / &height), (&left / &width), (&end / &height), (&right / &width)];
    let [first, others @ ..] = &relative;
    let relative = first.along("Concat", 0, &others.each_ref());
    let relative = relative.op("Reshape", &[&f.vector(&[1, 1, 4])]);
    let [begin, extent, relative] = [begin, extent, relative].map(|value| value.name);

    let mut steps = f.into_steps();
    steps.set_output(0, begin, DType::Float32);
    steps.set_output(1, extent, DType::Float32);
    steps.set_output(2, relative, DType::Float32);
    Ok(())
}

fn range(node: NodeRef<'_>, name: &str, default: [f64; 2]) -> [f64; 2] {
    match node.attrs.get(name) {
        Some(Attr::Floats(range)) if range.len() == 2 => [range[0].into(), range[1].into()],
        _ => default,
    }
}

/// An element of a value along its first axis.
fn part<'f>(f: &'f Formula<'_, '_, '_>, value: &Value<'f>, index: i64) -> Value<'f> {
    value.along("Gather", 0, &[&f.integer(index)])
}

/// The area of a box of so many rows, with this ratio of width to height.
fn area<'f>(rows: &Value<'f>, ratio: &Value<'f>) -> Value<'f> {
    rows * (rows * ratio).round()
}

/// The objects in pixels. One more stands for none, or for the whole image if it is used where there are none.
fn objects<'f>(
    f: &'f Formula<'_, '_, '_>,
    boxes: &Value<'f>,
    [height, width]: [&Value<'f>; 2],
    uses_image: bool,
) -> Boxes<'f> {
    let boxes = boxes.op("Reshape", &[&f.vector(&[-1, 4])]);
    let count = boxes.op("Shape", &[]).op("Gather", &[&f.integer(0)]);
    let is_used = count.is(f.integer(0));
    let side = |index: i64, length: &Value<'f>, of_image: &Value<'f>| {
        let sides = boxes.along("Gather", 1, &[&f.integer(index)]);
        let sides = (sides * length).floor();
        let extra = if uses_image { is_used.choose(of_image, 0.0) } else { f.number(0.0) };
        sides.along("Concat", 0, &[&extra.op("Reshape", &[&f.vector(&[1])])])
    };
    let zero = f.number(0.0);
    Boxes {
        top: side(0, height, &zero),
        left: side(1, width, &zero),
        bottom: side(2, height, height),
        right: side(3, width, width),
    }
}
