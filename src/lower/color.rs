//! Colors of images whose last axis is red, green and blue.
//!
//! Sources: `tf.image.adjust_contrast`, `adjust_hue`, `adjust_saturation`, `rgb_to_hsv` and `hsv_to_rgb` in TensorFlow's
//! API documentation.

use super::Layout;
use super::context::Lowering;
use super::support::{Op, op};
use crate::error::Result;
use crate::graph::{Node, NodeId};
use crate::onnx::Attribute;
use crate::tensor::DType;

/// The ops of this family.
pub const OPS: &[Op] = &[
    op("AdjustContrastv2", adjust_contrast, "ReduceMean, Sub, Mul, Add"),
    op("AdjustHue", adjust_hue, "Split, Mod, Where, Concat"),
    op("AdjustSaturation", adjust_saturation, "ReduceMax, ReduceMin, Clip, Where"),
    op("HSVToRGB", hsv_to_rgb, "Split, Mod, Clip, Concat"),
    op("RGBToHSV", rgb_to_hsv, "Split, ReduceMax, ReduceMin, Where, Concat"),
];

/// Steps of arithmetic for one node, the names of which are kept apart by their number.
struct Sum<'c, 'g, 'n> {
    cx: &'c mut Lowering<'g>,
    node: &'n Node,
}

impl Sum<'_, '_, '_> {
    fn op(&mut self, op: &'static str, inputs: &[&String]) -> String {
        let inputs = inputs.iter().map(|&name| name.clone()).collect();
        self.cx.step(self.node, &op.to_lowercase(), op, inputs, vec![])
    }

    fn number(&mut self, value: f64) -> String {
        self.cx.scalar(self.node, &format!("number_{value}"), DType::Float32, value)
    }

    /// The greatest or least of the last axis, which stays with length 1.
    fn extreme(&mut self, op: &'static str, image: &str) -> String {
        let mut attributes = vec![("keepdims", Attribute::Int(1))];
        let mut inputs = vec![image.to_owned()];
        if self.cx.opset() >= 18 {
            inputs.push(self.cx.vector(self.node, "last", &[-1]));
        } else {
            attributes.push(("axes", Attribute::Ints(vec![-1])));
        }
        self.cx.step(self.node, &op.to_lowercase(), op, inputs, attributes)
    }

    /// The channels of an image.
    fn channels(&mut self, image: &str) -> [String; 3] {
        let outputs =
            [0, 1, 2].map(|channel| self.cx.unique_name(&format!("{}/channel_{channel}", self.node.name)));
        let sizes = self.cx.vector(self.node, "sizes", &[1, 1, 1]);
        let inputs = vec![image.to_owned(), sizes];
        let axis = vec![("axis", Attribute::Int(-1))];
        self.cx.node(&format!("{}/split", self.node.name), "Split", inputs, outputs.to_vec(), axis);
        outputs
    }

    /// The rest of a division, which is not below zero.
    fn modulo(&mut self, value: &String, divisor: f64) -> String {
        let divisor = self.number(divisor);
        let quotient = self.op("Div", &[value, &divisor]);
        let floor = self.op("Floor", &[&quotient]);
        let product = self.op("Mul", &[&floor, &divisor]);
        self.op("Sub", &[value, &product])
    }

    /// The hue from 0 to 6, by which of the channels is the greatest.
    fn hue(&mut self, [red, green, blue]: &[String; 3], value: &String, chroma: &String) -> String {
        let zero = self.number(0.0);
        let one = self.number(1.0);
        let is_gray = self.op("Equal", &[chroma, &zero]);
        let divisor = self.op("Where", &[&is_gray, &one, chroma]);
        let mut side = |a: &String, b: &String, offset: f64| {
            let difference = self.op("Sub", &[a, b]);
            let part = self.op("Div", &[&difference, &divisor]);
            let offset = self.number(offset);
            self.op("Add", &[&part, &offset])
        };
        let (of_red, of_green, of_blue) =
            (side(green, blue, 0.0), side(blue, red, 2.0), side(red, green, 4.0));
        let is_green = self.op("Equal", &[green, value]);
        let rest = self.op("Where", &[&is_green, &of_green, &of_blue]);
        let is_red = self.op("Equal", &[red, value]);
        let hue = self.op("Where", &[&is_red, &of_red, &rest]);
        let hue = self.op("Where", &[&is_gray, &zero, &hue]);
        self.modulo(&hue, 6.0)
    }

    /// An image of a hue from 0 to 6, the greatest channel and its distance to the least: each channel falls and rises
    /// along the hue.
    fn image(&mut self, hue: &String, value: &String, chroma: &String) -> String {
        let mut channels = vec![];
        for offset in [5.0, 3.0, 1.0] {
            let offset = self.number(offset);
            let place = self.op("Add", &[hue, &offset]);
            let rising = self.modulo(&place, 6.0);
            let four = self.number(4.0);
            let falling = self.op("Sub", &[&four, &rising]);
            let least = self.op("Min", &[&rising, &falling]);
            let (zero, one) = (self.number(0.0), self.number(1.0));
            let share = self.op("Clip", &[&least, &zero, &one]);
            let distance = self.op("Mul", &[&share, chroma]);
            channels.push(self.op("Sub", &[value, &distance]));
        }
        self.cx.step(self.node, "image", "Concat", channels, vec![("axis", Attribute::Int(-1))])
    }
}

/// Begins with the image in TensorFlow's order, as float32.
fn begin<'c, 'g, 'n>(cx: &'c mut Lowering<'g>, node: &'n Node) -> Result<(Sum<'c, 'g, 'n>, String)> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let name = if cx.dtype(input) == DType::Float32 { name } else { cx.cast(node, name, DType::Float32) };
    Ok((Sum { cx, node }, name))
}

fn finish(cx: &mut Lowering<'_>, id: NodeId, node: &Node, value: String) -> Result<()> {
    let layout = Layout::tensorflow_of(cx.shape(id.into()));
    if cx.dtype(id.into()) == DType::Float32 {
        cx.emit((id, node), "Identity", vec![value], layout, vec![]);
    } else {
        cx.emit_cast((id.into(), node), value, layout);
    }
    Ok(())
}

/// The distance to the mean of each channel is scaled.
fn adjust_contrast(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let factor = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let (mut sum, image) = begin(cx, node)?;
    let mut attributes = vec![("keepdims", Attribute::Int(1))];
    let mut inputs = vec![image.clone()];
    if sum.cx.opset() >= 18 {
        inputs.push(sum.cx.vector(node, "axes", &[-3, -2]));
    } else {
        attributes.push(("axes", Attribute::Ints(vec![-3, -2])));
    }
    let mean = sum.cx.step(node, "mean", "ReduceMean", inputs, attributes);
    let distance = sum.op("Sub", &[&image, &mean]);
    let scaled = sum.op("Mul", &[&distance, &factor]);
    let value = sum.op("Add", &[&scaled, &mean]);
    finish(cx, id, node, value)
}

fn adjust_hue(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let delta = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let (mut sum, image) = begin(cx, node)?;
    let value = sum.extreme("ReduceMax", &image);
    let least = sum.extreme("ReduceMin", &image);
    let chroma = sum.op("Sub", &[&value, &least]);
    let channels = sum.channels(&image);
    let hue = sum.hue(&channels, &value, &chroma);
    let six = sum.number(6.0);
    let turn = sum.op("Mul", &[&delta, &six]);
    let turned = sum.op("Add", &[&hue, &turn]);
    let hue = sum.modulo(&turned, 6.0);
    let result = sum.image(&hue, &value, &chroma);
    finish(cx, id, node, result)
}

/// The distance of each channel to the greatest grows with the saturation, which stays between 0 and 1.
fn adjust_saturation(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let scale = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let (mut sum, image) = begin(cx, node)?;
    let (zero, one) = (sum.number(0.0), sum.number(1.0));
    let value = sum.extreme("ReduceMax", &image);
    let least = sum.extreme("ReduceMin", &image);
    let chroma = sum.op("Sub", &[&value, &least]);
    let is_lit = sum.op("Greater", &[&value, &zero]);
    let divisor = sum.op("Where", &[&is_lit, &value, &one]);
    let ratio = sum.op("Div", &[&chroma, &divisor]);
    let saturation = sum.op("Where", &[&is_lit, &ratio, &zero]);
    let scaled = sum.op("Mul", &[&saturation, &scale]);
    let clipped = sum.op("Clip", &[&scaled, &zero, &one]);
    let is_colored = sum.op("Greater", &[&saturation, &zero]);
    let divisor = sum.op("Where", &[&is_colored, &saturation, &one]);
    let growth = sum.op("Div", &[&clipped, &divisor]);
    let distance = sum.op("Sub", &[&value, &image]);
    let grown = sum.op("Mul", &[&distance, &growth]);
    let result = sum.op("Sub", &[&value, &grown]);
    finish(cx, id, node, result)
}

fn rgb_to_hsv(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (mut sum, image) = begin(cx, node)?;
    let (zero, one) = (sum.number(0.0), sum.number(1.0));
    let value = sum.extreme("ReduceMax", &image);
    let least = sum.extreme("ReduceMin", &image);
    let chroma = sum.op("Sub", &[&value, &least]);
    let channels = sum.channels(&image);
    let hue = sum.hue(&channels, &value, &chroma);
    let six = sum.number(6.0);
    let hue = sum.op("Div", &[&hue, &six]);
    let is_lit = sum.op("Greater", &[&value, &zero]);
    let divisor = sum.op("Where", &[&is_lit, &value, &one]);
    let ratio = sum.op("Div", &[&chroma, &divisor]);
    let saturation = sum.op("Where", &[&is_lit, &ratio, &zero]);
    let parts = vec![hue, saturation, value];
    let result = sum.cx.step(node, "hsv", "Concat", parts, vec![("axis", Attribute::Int(-1))]);
    finish(cx, id, node, result)
}

fn hsv_to_rgb(cx: &mut Lowering<'_>, id: NodeId, node: &Node) -> Result<()> {
    let (mut sum, image) = begin(cx, node)?;
    let [hue, saturation, value] = sum.channels(&image);
    let six = sum.number(6.0);
    let hue = sum.op("Mul", &[&hue, &six]);
    let chroma = sum.op("Mul", &[&saturation, &value]);
    let result = sum.image(&hue, &value, &chroma);
    finish(cx, id, node, result)
}
