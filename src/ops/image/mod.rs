//! Ops on images and boxes.

pub mod check;
pub mod eval;
pub mod lower;
pub mod shape;

use self::lower::sample::Glimpses;
use self::lower::suppression::non_max_suppression;
use super::{Op, Parameter, op};
use crate::graph::{Shape, TensorType};
use crate::ops::infer::{like_first_input, one};
use crate::tensor::DType;

const NOISE: &str = "noise around the image is another than TensorFlow's";

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AdjustContrastv2")
        .shape(like_first_input)
        .lower(lower::color::adjust_contrast, &["ReduceMean", "Sub", "Mul", "Add"]),
    op("AdjustHue")
        .shape(like_first_input)
        .lower(lower::color::adjust_hue, &["Split", "Mod", "Where", "Concat"]),
    op("AdjustSaturation")
        .shape(like_first_input)
        .lower(lower::color::adjust_saturation, &["Split", "Max", "Min", "Clip", "Where"]),
    op("CombinedNonMaxSuppression")
        .shape(shape::combined_suppression)
        .lower(lower::suppression::combined, &["NonMaxSuppression", "ScatterND", "TopK", "GatherND"])
        .note("of overlapping boxes of the same score, TensorFlow may keep another one"),
    op("CropAndResize")
        .shape(shape::crop_and_resize)
        .lower(lower::crop::crop_and_resize, &["GatherND", "Floor", "Ceil", "Where"])
        .eval(eval::crop::crop_and_resize),
    op("DrawBoundingBoxes")
        .also(&["DrawBoundingBoxesV2"])
        .shape(like_first_input)
        .lower(lower::draw::bounding_boxes, &["Equal", "And", "Where", "ReduceMax", "Gather"]),
    op("ExtractGlimpse")
        .shape(shape::glimpse)
        .lower(|cx, node| lower::sample::glimpse(cx, node, Glimpses::First), &["GatherND", "Where"])
        .note(NOISE),
    op("ExtractGlimpseV2")
        .shape(shape::glimpse)
        .lower(|cx, node| lower::sample::glimpse(cx, node, Glimpses::Second), &["GatherND", "Where"])
        .note(NOISE),
    op("HSVToRGB")
        .shape(like_first_input)
        .lower(lower::color::hsv_to_rgb, &["Split", "Abs", "Clip", "Concat"]),
    op("ImageProjectiveTransformV2")
        .also(&["ImageProjectiveTransformV3"])
        .shape(shape::projective_transform)
        .lower(lower::sample::projective_transform, &["GatherND", "Where", "Floor", "Mul", "Add"]),
    op("NonMaxSuppression")
        .shape(|_, _| one(DType::Int32, Shape::new(vec![None])))
        .lower(|cx, node| non_max_suppression(cx, node, Parameter::Attribute), &["NonMaxSuppression"])
        .eval(|node, inputs| eval::suppression::suppress(node, inputs, Parameter::Attribute)),
    op("NonMaxSuppressionV2")
        .also(&["NonMaxSuppressionV3"])
        .shape(|_, _| one(DType::Int32, Shape::new(vec![None])))
        .lower(|cx, node| non_max_suppression(cx, node, Parameter::Input(3)), &["NonMaxSuppression"])
        .eval(|node, inputs| eval::suppression::suppress(node, inputs, Parameter::Input(3))),
    op("NonMaxSuppressionV4")
        .shape(|_, _| {
            Ok(vec![
                TensorType::new(DType::Int32, Shape::new(vec![None])),
                TensorType::new(DType::Int32, Shape::scalar()),
            ])
        })
        .lower(|cx, node| non_max_suppression(cx, node, Parameter::Input(3)), &["NonMaxSuppression", "Pad"]),
    op("NonMaxSuppressionV5")
        .shape(|inputs, _| {
            Ok(vec![
                TensorType::new(DType::Int32, Shape::new(vec![None])),
                TensorType::new(inputs.dtype(1)?, Shape::new(vec![None])),
                TensorType::new(DType::Int32, Shape::scalar()),
            ])
        })
        .lower(
            |cx, node| non_max_suppression(cx, node, Parameter::Input(3)),
            &["NonMaxSuppression", "Pad", "Loop"],
        )
        .note(
            "where sigma is not 0, TensorFlow may choose other ones of the boxes whose scores are negative",
        ),
    op("NonMaxSuppressionWithOverlaps")
        .shape(|_, _| one(DType::Int32, Shape::new(vec![None])))
        .lower(lower::greedy::with_overlaps, &["Loop", "ArgMax", "Gather", "Where"]),
    op("ResizeArea").shape(shape::resize).check(check::resize).lower(lower::resize::area, &["MatMul"]),
    op("ResizeBicubic")
        .shape(shape::resize)
        .check(check::resize)
        .lower(lower::bicubic::bicubic, &["Gather", "Mul", "Add"])
        .eval(eval::resize::bicubic),
    op("ResizeBilinear")
        .shape(shape::resize)
        .check(check::resize)
        .lower(lower::resize::bilinear, &["Resize"])
        .eval(eval::resize::bilinear),
    op("ResizeNearestNeighbor")
        .shape(shape::resize_nearest)
        .check(check::resize)
        .lower(lower::resize::nearest, &["Resize", "Gather"])
        .eval(eval::resize::nearest),
    op("RGBToHSV")
        .shape(like_first_input)
        .lower(lower::color::rgb_to_hsv, &["Split", "Max", "Min", "Where", "Concat"]),
    op("ScaleAndTranslate")
        .shape(shape::resize)
        .lower(lower::scale::scale_and_translate, &["Where", "ReduceSum", "Div", "MatMul"]),
];
