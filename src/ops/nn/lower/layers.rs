//! Convolution, pooling and batch norm.
//!
//! Sources: `tf.nn` in TensorFlow's API documentation; Conv, MaxPool, AveragePool and BatchNormalization in
//! <https://onnx.ai/onnx/operators/>.

use crate::error::Result;
use crate::graph::window::Window;
use crate::graph::{DataFormat, NodeRef, Padding, TensorRef};
use crate::lower::Layout;
use crate::lower::context::{Lowering, Value};
use crate::lower::folding::fold_into_convolution;
use crate::lower::steps::Steps;
use crate::onnx::{self, Attribute, Attributes};
use crate::ops::nn::lower::open_windows::{self, SamePadding, same_padding};
use crate::ops::nn::lower::transposed::grouped_filter;
use crate::ops::nn::shape::pooled_channels;

/// ONNX's filter is output channels, input channels, spatial axes; TensorFlow's has its channels last.
fn filter_layout(rank: usize) -> Vec<usize> {
    [rank - 1, rank - 2].into_iter().chain(0..rank - 2).collect()
}

/// The rank of the images or volumes that an op slides over: that of its result, which the op determines.
fn window_rank(cx: &Lowering<'_>, node: NodeRef<'_>) -> usize {
    cx.shape(node.inputs[0]).rank().or(cx.shape(node.into()).rank()).unwrap_or(4)
}

pub fn convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let rank = window_rank(cx, node);
    let filter = match cx.constant(node.inputs[1]).cloned() {
        Some(filter) => {
            let perm = filter_layout(rank);
            cx.derived_initializer(node.inputs[1], filter.permuted(&perm)?, &perm)?
        }
        None => cx.in_layout(node.inputs[1], &Layout::of_axes(filter_layout(rank))?)?,
    };
    let shape = cx.shape(node.inputs[1]);
    let sizes: Vec<Option<usize>> = (0..rank - 2).map(|axis| shape.dim(axis)).collect();
    let channels = cx.shape(node.inputs[0]).dim(node.data_format().channel_axis(rank));
    let groups = channels.zip(shape.dim(rank - 2)).map_or(1, |(input, filter)| input / filter.max(1));
    emit_convolution(cx, node, filter, &sizes, groups)
}

/// A convolution with as many groups as input channels. TensorFlow's filter is `[h, w, channels, multiplier]`;
/// ONNX's is `[channels * multiplier, 1, h, w]`.
pub fn depthwise_convolution(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let filter = node.inputs[1];
    let perm = [2, 3, 0, 1];
    if let Some(constant) = cx.constant(filter).cloned() {
        let &[height, width, channels, multiplier] = constant.shape() else {
            return Err(
                node.error(format!("its filter of shape {:?} does not have rank 4", constant.shape()))
            );
        };
        let value = constant.permuted(&perm)?.reshaped(&[channels * multiplier, 1, height, width])?;
        let filter = cx.derived_initializer(filter, value, &perm)?;
        return emit_convolution(cx, node, filter, &[Some(height), Some(width)], channels);
    }
    let shape = cx.shape(filter);
    let images = cx.shape(node.inputs[0]);
    let Some(channels) = shape.dim(2).or(images.dim(node.data_format().channel_axis(4))) else {
        return open_windows::depthwise_convolution(cx, node);
    };
    let sizes = [shape.dim(0), shape.dim(1)];
    let name = grouped_filter(cx, node, filter)?;
    emit_convolution(cx, node, name, &sizes, channels)
}

fn emit_convolution(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    filter: String,
    sizes: &[Option<usize>],
    groups: usize,
) -> Result<()> {
    let rank = sizes.len() + 2;
    let layout = Lowering::window_layout(node.data_format(), rank);
    let mut input = cx.in_layout(node.inputs[0], &layout)?;
    let mut attributes = if pads_are_open(cx, node, sizes)? {
        input = same_padded(cx, node, input, &filter)?;
        vec![("strides", ints(&node.spatial_sizes("strides", rank)?))]
    } else {
        window_attributes(cx, node, sizes)?
    };
    if let Some(sizes) = sizes.iter().copied().collect::<Option<Vec<usize>>>() {
        attributes.push(("kernel_shape", ints(&sizes)));
    }
    let dilations = node.spatial_sizes("dilations", rank)?;
    if dilations.iter().any(|&dilation| dilation != 1) {
        attributes.push(("dilations", ints(&dilations)));
    }
    if groups != 1 {
        attributes.push(("group", Attribute::Int(groups as i64)));
    }
    cx.emit(node, "Conv", vec![input, filter], layout, attributes);
    Ok(())
}

pub fn max_pool(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if let Some(size) = pooled_channels(&node) {
        return open_windows::max_pool_of_channels(cx, node, size);
    }
    if !follows_pad(cx, node.inputs[0]) {
        return pool(cx, node, "MaxPool", vec![]);
    }
    // ONNX Runtime makes the zeros of a Pad the padding of the MaxPool after it, which counts for nothing, so that the largest of
    // negative numbers at the border is no longer 0. It does not where channels are padded: here, by one that is left out again.
    let (input, layout, attributes) = window_inputs(cx, node)?;
    let mut steps = Steps { cx, node };
    let mut pads = vec![0; 2 * window_rank(steps.cx, node)];
    let first_after = pads.len() / 2;
    pads[first_after + 1] = 1;
    let pads = steps.ints(&pads);
    let padded = steps.op("Pad", &[&input, &pads]);
    let [first, last, channels] = [0, -1, 1].map(|value| steps.ints(&[value]));
    let pooled = cx.step(node, "pooled", "MaxPool", vec![padded], attributes);
    cx.emit(node, "Slice", vec![pooled, first, last, channels], layout, vec![]);
    Ok(())
}

/// Whether a tensor is padded and read once, unless it is known to have no negative numbers.
fn follows_pad(cx: &mut Lowering<'_>, tensor: TensorRef) -> bool {
    let tensor = cx.before_casts(tensor);
    let Some(&before) = cx.graph.node(tensor.node).inputs.first() else { return false };
    let is_positive = matches!(cx.graph.node(before.node).op.as_str(), "Relu" | "Relu6" | "Sigmoid");
    !is_positive && cx.sole_producer(tensor).is_some_and(|producer| producer.op == "Pad")
}

/// TensorFlow's average leaves the padding out; so does ONNX's with `count_include_pad` 0.
pub fn average_pool(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    pool(cx, node, "AveragePool", vec![("count_include_pad", Attribute::Int(0))])
}

fn pool(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    op: &'static str,
    mut attributes: Attributes,
) -> Result<()> {
    let (input, layout, window) = window_inputs(cx, node)?;
    attributes.extend(window);
    cx.emit(node, op, vec![input], layout, attributes);
    Ok(())
}

/// The images of a pooling, their layout, and the attributes of its window.
fn window_inputs(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<(String, Layout, Attributes)> {
    let rank = window_rank(cx, node);
    let layout = Lowering::window_layout(node.data_format(), rank);
    let input = cx.in_layout(node.inputs[0], &layout)?;
    let sizes = node.spatial_sizes("ksize", rank)?;
    let open: Vec<Option<usize>> = sizes.iter().copied().map(Some).collect();
    let mut attributes = window_attributes(cx, node, &open)?;
    attributes.push(("kernel_shape", ints(&sizes)));
    Ok((input, layout, attributes))
}

/// Whether the model has to compute how a convolution is padded, because ONNX Runtime does not compute it for `auto_pad`: that
/// takes no dilation, and pads by negative numbers if there are gaps between the windows.
fn pads_are_open(cx: &Lowering<'_>, node: NodeRef<'_>, sizes: &[Option<usize>]) -> Result<bool> {
    if !matches!(node.padding()?, Padding::Same) {
        return Ok(false);
    }
    let rank = sizes.len() + 2;
    let first = node.data_format().first_spatial_axis();
    let (strides, dilations) = (node.spatial_sizes("strides", rank)?, node.spatial_sizes("dilations", rank)?);
    let (mut is_open, mut is_automatic) = (false, true);
    for (axis, &size) in sizes.iter().enumerate() {
        let window = size.map(|size| Window { size, stride: strides[axis], dilation: dilations[axis] });
        let length = cx.shape(node.inputs[0]).dim(first + axis);
        is_automatic &= dilations[axis] == 1;
        match window {
            Some(window) => {
                is_open |= length.is_none() && window.stride != 1 && window.extent() != 1;
                is_automatic &= window.extent() + 1 >= window.stride;
            }
            None => {
                is_open = true;
                is_automatic &= strides[axis] == 1;
            }
        }
    }
    Ok(is_open && !is_automatic)
}

/// Images with zeros around them, as many as the padding `SAME` adds for the filter.
fn same_padded(cx: &mut Lowering<'_>, node: NodeRef<'_>, images: String, filter: &String) -> Result<String> {
    let rank = cx.shape(node.into()).rank().unwrap_or(4);
    let as_i64 = |sizes: Vec<usize>| sizes.into_iter().map(|size| size as i64).collect::<Vec<_>>();
    let strides = as_i64(node.spatial_sizes("strides", rank)?);
    let dilations = as_i64(node.spatial_sizes("dilations", rank)?);
    let mut steps = Steps { cx, node };
    let [lengths, kernel] = [&images, filter].map(|value| {
        let shape = steps.op("Shape", &[value]);
        steps.part(&shape, 0, 2, i64::MAX)
    });
    let (one, strides, dilations) = (steps.int(1), steps.ints(&strides), steps.ints(&dilations));
    let between = steps.op("Sub", &[&kernel, &one]);
    let reach = steps.op("Mul", &[&between, &dilations]);
    let SamePadding { total, before, .. } = same_padding(&mut steps, &lengths, &strides, &reach);
    let after = steps.op("Sub", &[&total, &before]);
    let others = steps.ints(&[0, 0]);
    let pads = steps.op_with("Concat", &[&others, &before, &others, &after], "axis", 0);
    Ok(steps.op("Pad", &[&images, &pads]))
}

/// `strides` and `pads` (or, where the size of the image is open, `auto_pad`) of a window op.
fn window_attributes(cx: &Lowering<'_>, node: NodeRef<'_>, sizes: &[Option<usize>]) -> Result<Attributes> {
    let rank = sizes.len() + 2;
    let format = node.data_format();
    let (strides, dilations) = (node.spatial_sizes("strides", rank)?, node.spatial_sizes("dilations", rank)?);
    let mut attributes = vec![("strides", ints(&strides))];
    let padding = node.padding()?;
    let first = format.first_spatial_axis();
    let lengths: Vec<Option<usize>> =
        (0..sizes.len()).map(|axis| cx.shape(node.inputs[0]).dim(first + axis)).collect();
    let windows: Option<Vec<Window>> = (0..sizes.len())
        .map(|axis| Some(Window { size: sizes[axis]?, stride: strides[axis], dilation: dilations[axis] }))
        .collect();
    match (windows, &padding) {
        (Some(windows), _) => attributes.extend(window_pads(cx, node, &padding, &windows, &lengths)?),
        (None, Padding::Same) => attributes.push(auto_pad()),
        (None, Padding::Explicit(pads)) => attributes.extend(pads_attribute(pads)),
        (None, Padding::Valid) => {}
    }
    Ok(attributes)
}

fn auto_pad() -> (&'static str, Attribute) {
    ("auto_pad", Attribute::Text("SAME_UPPER".to_owned()))
}

fn pads_attribute(pads: &[(usize, usize)]) -> Option<(&'static str, Attribute)> {
    let (begins, ends): (Vec<usize>, Vec<usize>) = pads.iter().copied().unzip();
    let is_any = begins.iter().chain(&ends).any(|&pad| pad != 0);
    is_any.then(|| ("pads", ints(&[begins, ends].concat())))
}

/// `pads` of windows over axes of these lengths, or `auto_pad` if they depend on open lengths.
///
/// # Errors
/// If `auto_pad` would not pad as TensorFlow does.
pub fn window_pads(
    cx: &Lowering<'_>,
    node: NodeRef<'_>,
    padding: &Padding,
    windows: &[Window],
    lengths: &[Option<usize>],
) -> Result<Option<(&'static str, Attribute)>> {
    let pads: Option<Vec<(usize, usize)>> = match padding {
        Padding::Valid => return Ok(None),
        Padding::Explicit(pads) => return Ok(pads_attribute(pads)),
        Padding::Same => windows
            .iter()
            .zip(lengths)
            .map(|(window, length)| match length {
                Some(length) => Some(window.same_padding(*length)),
                // At stride 1 the padding does not depend on the length, and of single elements there is none.
                None if window.stride == 1 => Some(window.same_padding(window.extent())),
                None if window.extent() == 1 => Some((0, 0)),
                None => None,
            })
            .collect(),
    };
    if let Some(pads) = pads {
        return Ok(pads_attribute(&pads));
    }
    // With `auto_pad`, ONNX Runtime accepts no dilation, and pads by negative numbers if there are gaps between the windows.
    if windows.iter().any(|window| window.dilation != 1 || window.extent() + 1 < window.stride) {
        return Err(node
            .error("how its images are padded depends on their size, which is not known")
            .advice(cx.shape_advice(cx.input_of(node, 0)?)));
    }
    Ok(Some(auto_pad()))
}

/// A bias along the channels. If it is the only reader of a convolution or matrix product, it becomes the bias of that
/// node.
pub fn bias_add(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let (input, bias) = (node.inputs[0], node.inputs[1]);
    let bias_name = cx.in_tensorflow_layout(bias)?;
    let layer = convolution_of_rows(cx, node).unwrap_or(input);
    let is_known = cx.constant(bias).is_some();
    let fused =
        cx.sole_producer(layer).is_some_and(|producer| match (&*producer.op, producer.inputs.len()) {
            ("Conv" | "Gemm", 2) if is_known => {
                producer.inputs.push(bias_name.clone());
                true
            }
            _ => false,
        });
    if fused {
        return cx.rename_output(input, node.into());
    }
    let (name, layout) = cx.stored(input)?;
    let format = node.data_format();
    let behind = match cx.shape(input).rank() {
        Some(rank) => rank - 1 - layout.stored_axis(format.channel_axis(rank)),
        None if format == DataFormat::ChannelsLast => 0,
        None => {
            // The bias gets an axis for each one behind the channels.
            let mut steps = Steps { cx, node };
            let shape = steps.op("Shape", &[&name]);
            let spatial = steps.part(&shape, 0, 2, i64::MAX);
            let count = steps.op("Shape", &[&spatial]);
            let (channels, one) = (steps.ints(&[-1]), steps.ints(&[1]));
            let ones = steps.op("Expand", &[&one, &count]);
            let target = steps.op_with("Concat", &[&channels, &ones], "axis", 0);
            let bias = steps.op("Reshape", &[&bias_name, &target]);
            cx.emit(node, "Add", vec![name, bias], layout, vec![]);
            return Ok(());
        }
    };
    let bias = match cx.constant(bias).cloned() {
        Some(constant) => {
            let mut shape = vec![1; behind + 1];
            shape[0] = constant.len();
            cx.derived_initializer(bias, constant.reshaped(&shape)?, &[])?
        }
        None if behind == 0 => bias_name,
        None => {
            let axes: Vec<i64> = (1..=behind as i64).collect();
            let axes = cx.vector(node, "axes", &axes);
            cx.step(node, "bias", "Unsqueeze", vec![bias_name, axes], vec![])
        }
    };
    cx.emit(node, "Add", vec![name, bias], layout, vec![]);
    Ok(())
}

/// Makes a constant that an Add adds to each channel of a convolution the bias of this convolution. Returns whether it did.
///
/// # Errors
/// If the constant cannot be read.
pub fn add_bias(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<bool> {
    let &[a, b] = &node.inputs[..] else { return Ok(false) };
    let (input, bias) = if cx.constant(b).is_some() { (a, b) } else { (b, a) };
    let Some(constant) = cx.constant(bias).cloned() else { return Ok(false) };
    let (Some(layout), shape) = (cx.layout(input).cloned(), cx.shape(input)) else { return Ok(false) };
    let (rank, given) = (layout.axes().len(), constant.shape());
    if rank < 3 || shape.rank() != Some(rank) || given.len() > rank || cx.dtype(input) != constant.dtype() {
        return Ok(false);
    }
    // Stored images have their channels second.
    let channel = layout.axes()[1];
    let lengths = [vec![1; rank - given.len()], given.to_vec()].concat();
    let is_channel = |axis: usize| lengths[axis] == 1 || axis == channel;
    if !(0..rank).all(is_channel) || shape.dim(channel) != Some(lengths[channel]) {
        return Ok(false);
    }
    let takes_bias = |producer: &mut onnx::Node| producer.op == "Conv" && producer.inputs.len() == 2;
    if !cx.sole_producer(input).is_some_and(takes_bias) {
        return Ok(false);
    }
    let name = cx.derived_initializer(bias, constant.reshaped(&[constant.len()])?, &[])?;
    if let Some(producer) = cx.sole_producer(input) {
        producer.inputs.push(name);
    }
    cx.rename_output(input, node.into())?;
    Ok(true)
}

/// The convolution of images whose rows become sequences before a bias is added, if only the bias reads them.
fn convolution_of_rows(cx: &mut Lowering<'_>, bias_add: NodeRef<'_>) -> Option<TensorRef> {
    let sequences = bias_add.inputs[0];
    let squeeze = cx.producer(sequences);
    let is_of_rows = squeeze.op == "Squeeze"
        && matches!(squeeze.ints("squeeze_dims"), [1 | -3])
        && cx.shape(squeeze.inputs[0]).rank() == Some(4)
        && bias_add.data_format() == DataFormat::ChannelsLast
        && cx.producer(squeeze.inputs[0]).data_format() == DataFormat::ChannelsLast;
    let is_alone = cx.sole_producer(sequences).is_some_and(|node| node.op == "Squeeze");
    (is_of_rows && is_alone && cx.sole_producer(squeeze.inputs[0])?.op == "Conv").then(|| squeeze.inputs[0])
}

/// Batch norm with the moving averages of training, as one BatchNormalization.
pub fn batch_norm(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    if node.bool("is_training", true) {
        return Err(node
            .error("it normalizes by the statistics of each batch")
            .advice("convert a graph that was built for inference"));
    }
    if cx.folds_batch_norms() && fold_into_convolution(cx, node)? {
        return Ok(());
    }
    let rank = window_rank(cx, node);
    let layout = Lowering::window_layout(node.data_format(), rank);
    let mut inputs = vec![cx.in_layout(node.inputs[0], &layout)?];
    // Before operator set 15, all inputs must have the same type.
    let types = [0, 1].map(|index| cx.dtype(node.inputs[index]));
    let is_cast = cx.opset() < 15 && types[0] != types[1];
    if is_cast {
        inputs[0] = cx.cast(node, inputs[0].clone(), types[1]);
    }
    for &statistic in &node.inputs[1..5] {
        inputs.push(cx.in_tensorflow_layout(statistic)?);
    }
    let epsilon = node.float("epsilon", 1e-4);
    let epsilon = vec![("epsilon", Attribute::Float(epsilon))];
    if is_cast {
        let normalized = cx.step(node, "normalized", "BatchNormalization", inputs, epsilon);
        cx.emit_cast(node, normalized, layout);
    } else {
        cx.emit(node, "BatchNormalization", inputs, layout, epsilon);
    }
    // Only training reads the output statistics. In inference, they are the input statistics.
    for (port, &statistic) in node.inputs[3..5].iter().enumerate() {
        let output = node.output(port + 1);
        if let Some(constant) = cx.constant(statistic).cloned() {
            cx.set(output, Value::Constant { name: format!("{}:{}", node.name, port + 1), constant });
        }
    }
    Ok(())
}

fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}
