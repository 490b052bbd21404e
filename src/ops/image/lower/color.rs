//! Colors of images whose last axis is red, green and blue.
//!
//! Sources: `tf.image.adjust_contrast`, `adjust_hue`, `adjust_saturation`, `rgb_to_hsv` and `hsv_to_rgb` in TensorFlow's
//! API documentation; `HSVToRGB` in `tensorflow/core/kernels/image/colorspace_op.h`.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::onnx::Attribute;
use crate::tensor::DType;

impl Steps<'_, '_, '_> {
    /// The channels of an image.
    fn channels(&mut self, image: &str) -> [String; 3] {
        let sizes = self.cx.vector(self.node, "sizes", &[1, 1, 1]);
        let inputs = vec![image.to_owned(), sizes];
        let axis = vec![("axis", Attribute::Int(-1))];
        let outputs = ("split", ["channel_0", "channel_1", "channel_2"]);
        self.cx.step_with_outputs(self.node, outputs, "Split", inputs, axis)
    }

    /// The greatest channel, and its distance to the least.
    fn value_and_chroma(&mut self, [red, green, blue]: &[String; 3]) -> (String, String) {
        let value = self.op("Max", &[red, green, blue]);
        let least = self.op("Min", &[red, green, blue]);
        let chroma = self.op("Sub", &[&value, &least]);
        (value, chroma)
    }

    /// The rest of a division, which is not below zero.
    fn modulo(&mut self, value: &String, divisor: f64) -> String {
        let divisor = self.number(DType::Float32, divisor);
        let quotient = self.op("Div", &[value, &divisor]);
        let floor = self.op("Floor", &[&quotient]);
        let product = self.op("Mul", &[&floor, &divisor]);
        self.op("Sub", &[value, &product])
    }

    /// The hue from 0 to 6, by which of the channels is the greatest.
    fn hue(&mut self, [red, green, blue]: &[String; 3], value: &String, chroma: &String) -> String {
        let zero = self.number(DType::Float32, 0.0);
        let one = self.number(DType::Float32, 1.0);
        let is_gray = self.op("Equal", &[chroma, &zero]);
        let divisor = self.op("Where", &[&is_gray, &one, chroma]);
        let mut side = |a: &String, b: &String, offset: f64| {
            let difference = self.op("Sub", &[a, b]);
            let part = self.op("Div", &[&difference, &divisor]);
            let offset = self.number(DType::Float32, offset);
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

    /// The share of the greatest channel that the distance to the least makes; none where all is black.
    fn saturation(&mut self, value: &String, chroma: &String) -> String {
        let (zero, one) = (self.number(DType::Float32, 0.0), self.number(DType::Float32, 1.0));
        let is_lit = self.op("Greater", &[value, &zero]);
        let divisor = self.op("Where", &[&is_lit, value, &one]);
        let ratio = self.op("Div", &[chroma, &divisor]);
        self.op("Where", &[&is_lit, &ratio, &zero])
    }

    /// An image of a hue from 0 to 6, the greatest channel and its distance to the least: each channel falls and rises
    /// along the hue.
    fn image(&mut self, hue: &String, value: &String, chroma: &String) -> String {
        let mut channels = vec![];
        for offset in [5.0, 3.0, 1.0] {
            let offset = self.number(DType::Float32, offset);
            let position = self.op("Add", &[hue, &offset]);
            let rising = self.modulo(&position, 6.0);
            let four = self.number(DType::Float32, 4.0);
            let falling = self.op("Sub", &[&four, &rising]);
            let least = self.op("Min", &[&rising, &falling]);
            let (zero, one) = (self.number(DType::Float32, 0.0), self.number(DType::Float32, 1.0));
            let share = self.op("Clip", &[&least, &zero, &one]);
            let distance = self.op("Mul", &[&share, chroma]);
            channels.push(self.op("Sub", &[value, &distance]));
        }
        self.cx.step(self.node, "image", "Concat", channels, vec![("axis", Attribute::Int(-1))])
    }
}

/// Begins with the image in TensorFlow's order, as float32.
fn begin<'c, 'g, 'n>(cx: &'c mut Lowering<'g>, node: NodeRef<'n>) -> Result<(Steps<'c, 'g, 'n>, String)> {
    let input = cx.input_of(node, 0)?;
    let name = cx.in_tensorflow_layout(input)?;
    let name = if cx.dtype(input) == DType::Float32 { name } else { cx.cast(node, name, DType::Float32) };
    Ok((Steps { cx, node }, name))
}

fn finish(cx: &mut Lowering<'_>, node: NodeRef<'_>, value: String) -> Result<()> {
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    if cx.dtype(node.into()) == DType::Float32 {
        cx.emit(node, "Identity", vec![value], layout, vec![]);
    } else {
        cx.emit_cast(node, value, layout);
    }
    Ok(())
}

/// The distance to the mean of each channel is scaled.
pub fn adjust_contrast(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let factor = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let (mut steps, image) = begin(cx, node)?;
    let mean = steps.reduce("ReduceMean", &image, &[-3, -2], true);
    let distance = steps.op("Sub", &[&image, &mean]);
    let scaled = steps.op("Mul", &[&distance, &factor]);
    let value = steps.op("Add", &[&scaled, &mean]);
    finish(cx, node, value)
}

pub fn adjust_hue(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let delta = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let (mut steps, image) = begin(cx, node)?;
    let channels = steps.channels(&image);
    let (value, chroma) = steps.value_and_chroma(&channels);
    let hue = steps.hue(&channels, &value, &chroma);
    let six = steps.number(DType::Float32, 6.0);
    let turn = steps.op("Mul", &[&delta, &six]);
    let turned = steps.op("Add", &[&hue, &turn]);
    let hue = steps.modulo(&turned, 6.0);
    let result = steps.image(&hue, &value, &chroma);
    finish(cx, node, result)
}

/// The distance of each channel to the greatest grows with the saturation, which stays between 0 and 1.
pub fn adjust_saturation(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let scale = cx.in_tensorflow_layout(cx.input_of(node, 1)?)?;
    let (mut steps, image) = begin(cx, node)?;
    let (zero, one) = (steps.number(DType::Float32, 0.0), steps.number(DType::Float32, 1.0));
    let channels = steps.channels(&image);
    let (value, chroma) = steps.value_and_chroma(&channels);
    let saturation = steps.saturation(&value, &chroma);
    let scaled = steps.op("Mul", &[&saturation, &scale]);
    let clipped = steps.op("Clip", &[&scaled, &zero, &one]);
    let is_colored = steps.op("Greater", &[&saturation, &zero]);
    let divisor = steps.op("Where", &[&is_colored, &saturation, &one]);
    let growth = steps.op("Div", &[&clipped, &divisor]);
    let distance = steps.op("Sub", &[&value, &image]);
    let grown = steps.op("Mul", &[&distance, &growth]);
    let result = steps.op("Sub", &[&value, &grown]);
    finish(cx, node, result)
}

pub fn rgb_to_hsv(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (mut steps, image) = begin(cx, node)?;
    let channels = steps.channels(&image);
    let (value, chroma) = steps.value_and_chroma(&channels);
    let hue = steps.hue(&channels, &value, &chroma);
    let six = steps.number(DType::Float32, 6.0);
    let hue = steps.op("Div", &[&hue, &six]);
    let saturation = steps.saturation(&value, &chroma);
    let parts = vec![hue, saturation, value];
    let result = steps.cx.step(node, "hsv", "Concat", parts, vec![("axis", Attribute::Int(-1))]);
    finish(cx, node, result)
}

pub fn hsv_to_rgb(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (mut steps, image) = begin(cx, node)?;
    let [hue, saturation, value] = steps.channels(&image);
    let [zero, one, two, six] = [0.0, 1.0, 2.0, 6.0].map(|number| steps.number(DType::Float32, number));
    let hue = steps.op("Mul", &[&hue, &six]);
    let rest = steps.op("Sub", &[&one, &saturation]);
    let mut channels = vec![];
    // TensorFlow does not wrap hues outside of 0 to 1: it clips each channel.
    for (center, is_outside) in [(3.0, true), (2.0, false), (4.0, false)] {
        let center = steps.number(DType::Float32, center);
        let distance = steps.op("Sub", &[&hue, &center]);
        let distance = steps.op("Abs", &[&distance]);
        let share = match is_outside {
            true => steps.op("Sub", &[&distance, &one]),
            false => steps.op("Sub", &[&two, &distance]),
        };
        let share = steps.op("Clip", &[&share, &zero, &one]);
        let share = steps.op("Mul", &[&saturation, &share]);
        let share = steps.op("Add", &[&rest, &share]);
        channels.push(steps.op("Mul", &[&share, &value]));
    }
    let result = steps.cx.step(node, "image", "Concat", channels, vec![("axis", Attribute::Int(-1))]);
    finish(cx, node, result)
}
