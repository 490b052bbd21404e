//! Dilated convolutions: the input has a dense convolution between `SpaceToBatchND` and `BatchToSpaceND`, as
//! TensorFlow builds it; the output has one convolution with dilations and explicit padding. ONNX has the
//! latter, and it computes the same without moving the image twice.
//!
//! A convolution of sequences is one of images with one row, between `ExpandDims` and `Squeeze`. Source: `conv1d` in
//! `tensorflow/python/ops/nn_ops.py`.

use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, Graph, Moved, Node, NodeId, TensorRef};
use crate::tensor::Constant;

/// Turns the atrous convolutions of a graph into dilated ones.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn dilate_convolutions(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| match dilated(rewriting, node)? {
        Some(found) => found.add(rewriting, node).map(Some),
        None => Ok(None),
    })
}

struct Dilated<'g> {
    /// The dense convolution.
    convolution: &'g Node,
    /// The tensor before it was moved.
    input: TensorRef,
    /// The nodes that add the axis of rows to sequences, and remove it.
    rows: Option<(&'g Node, &'g Node)>,
    attrs: Attrs,
}

impl Dilated<'_> {
    /// Adds the dilated convolution in place of `end`.
    fn add(&self, rewriting: &mut Rewriting<'_>, end: &Node) -> Result<NodeId> {
        let Self { convolution, attrs, .. } = self;
        let (input, filter) = (rewriting.moved(self.input), rewriting.moved(convolution.inputs[1]));
        let Some((expand, squeeze)) = self.rows else {
            return rewriting.add(end.name.clone(), &convolution.op, vec![input, filter], attrs.clone());
        };
        let axis = rewriting.moved(expand.inputs[1]);
        let mut add = |name: &str, op: &str, inputs: Vec<TensorRef>, attrs: &Attrs| {
            let name = rewriting.unique(&format!("{}/{name}", end.name));
            rewriting.add(name, op, inputs, attrs.clone()).map(TensorRef::from)
        };
        let image = add("image", "ExpandDims", vec![input, axis], &Attrs::new())?;
        let convolved = add("convolution", &convolution.op, vec![image, filter], attrs)?;
        rewriting.add(end.name.clone(), "Squeeze", vec![convolved], squeeze.attrs.clone())
    }
}

/// The dilated convolution that computes what `end` does, if it is the end of an atrous one.
fn dilated<'g>(rewriting: &Rewriting<'g>, end: &Node) -> Result<Option<Dilated<'g>>> {
    if end.op != "BatchToSpaceND" {
        return Ok(None);
    }
    let [net, end_block, crops] = end.inputs[..] else { return Ok(None) };
    let mut convolution = rewriting.source(net);
    let squeeze = Some(convolution).filter(|node| node.op == "Squeeze");
    if let Some(squeeze) = squeeze {
        convolution = rewriting.source(squeeze.inputs[0]);
    }
    let is_dense = matches!(convolution.op.as_str(), "Conv2D" | "DepthwiseConv2dNative")
        && convolution.data_format() == DataFormat::ChannelsLast
        && convolution.text("padding") == Some("VALID")
        && convolution.ints("strides").iter().all(|&stride| stride == 1)
        && convolution.ints("dilations").iter().all(|&dilation| dilation == 1);
    let [net, _] = convolution.inputs[..] else { return Ok(None) };
    let mut start = rewriting.source(net);
    let mut rows = None;
    if let Some(squeeze) = squeeze {
        if start.op != "ExpandDims" || !are_rows(rewriting, start, squeeze)? {
            return Ok(None);
        }
        rows = Some((start, squeeze));
        start = rewriting.source(start.inputs[0]);
    }
    let [input, start_block, pads] = start.inputs[..] else { return Ok(None) };
    if !is_dense || start.op != "SpaceToBatchND" {
        return Ok(None);
    }
    let integers = |tensor| integers(rewriting.old, tensor);
    let (block, pads, crops) = (integers(start_block)?, integers(pads)?, integers(crops)?);
    let padding = pads.iter().zip(&crops).map(|(pad, crop)| pad.checked_sub(*crop));
    let Some(padding) = padding.collect::<Option<Vec<i64>>>() else { return Ok(None) };
    let (dilations, explicit) = match (rows, &block[..], &padding[..]) {
        (None, &[rows, columns], &[top, bottom, left, right]) => {
            (vec![1, rows, columns, 1], vec![0, 0, top, bottom, left, right, 0, 0])
        }
        (Some(_), &[steps], &[before, after]) => {
            (vec![1, 1, steps, 1], vec![0, 0, 0, 0, before, after, 0, 0])
        }
        _ => return Ok(None),
    };
    if integers(end_block)? != block || padding.iter().any(|&pad| pad < 0) {
        return Ok(None);
    }
    let mut attrs = convolution.attrs.clone();
    attrs.insert("dilations", Attr::Ints(dilations));
    if padding.iter().any(|&pad| pad > 0) {
        attrs.insert("padding", "EXPLICIT".into());
        attrs.insert("explicit_paddings", Attr::Ints(explicit));
    }
    Ok(Some(Dilated { convolution, input, rows, attrs }))
}

/// Whether these nodes add and remove the axis of the rows of images.
fn are_rows(rewriting: &Rewriting<'_>, expand: &Node, squeeze: &Node) -> Result<bool> {
    let is_rows = |axis: i64| axis == 1 || axis == -3;
    Ok(matches!(integers(rewriting.old, expand.inputs[1])?[..], [axis] if is_rows(axis))
        && rewriting.old.shape(expand.inputs[0]).rank() == Some(3)
        && matches!(squeeze.ints("squeeze_dims"), &[axis] if is_rows(axis)))
}

/// The elements of a constant of integers; none for other tensors.
fn integers(graph: &Graph, tensor: TensorRef) -> Result<Vec<i64>> {
    let value = graph.constant(tensor).map(Constant::to_i64s).transpose()?;
    Ok(value.flatten().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{NodeId, Shape};
    use crate::tensor::DType;

    fn add(graph: &mut Graph, name: &str, op: &str, inputs: &[NodeId], attrs: &[(&str, Attr)]) -> NodeId {
        let attrs = attrs.iter().map(|(name, attr)| ((*name).to_owned(), attr.clone())).collect();
        graph.add(name, op, inputs.iter().map(|&id| id.into()).collect(), attrs).unwrap()
    }

    fn image(graph: &mut Graph, name: &str, shape: &[usize]) -> NodeId {
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))];
        add(graph, name, "Placeholder", &[], &attrs)
    }

    fn constant(graph: &mut Graph, name: &str, shape: &[usize], values: &[i32]) -> NodeId {
        let value = Constant::from_i32(shape.to_vec(), values);
        add(graph, name, "Const", &[], &[("value", Attr::Tensor(value))])
    }

    #[test]
    fn an_atrous_convolution_of_sequences_becomes_a_dilated_one() {
        let mut graph = crate::ops::new_graph();
        let net = image(&mut graph, "net", &[2, 24, 8]);
        let filter = image(&mut graph, "filter", &[1, 3, 8, 4]);
        let block = constant(&mut graph, "block", &[1], &[2]);
        let (pads, crops) = (&[4, 0], &[0, 0]);
        let pads = constant(&mut graph, "pads", &[1, 2], pads);
        let crops = constant(&mut graph, "crops", &[1, 2], crops);
        let axis = constant(&mut graph, "axis", &[], &[-3]);
        let apart = add(&mut graph, "apart", "SpaceToBatchND", &[net, block, pads], &[]);
        let expanded = add(&mut graph, "expanded", "ExpandDims", &[apart, axis], &[]);
        let valid = [("padding", Attr::from("VALID"))];
        let convolution = add(&mut graph, "conv", "Conv2D", &[expanded, filter], &valid);
        let dims = [("squeeze_dims", Attr::Ints(vec![-3]))];
        let squeezed = add(&mut graph, "squeezed", "Squeeze", &[convolution], &dims);
        let together = add(&mut graph, "together", "BatchToSpaceND", &[squeezed, block, crops], &[]);

        let (dilated, _) = dilate_convolutions(graph.clone()).unwrap();

        let node = dilated.node(dilated.find("together").unwrap());
        assert_eq!((node.op.as_str(), &node.outputs), ("Squeeze", &graph.node(together).outputs));
        let convolution = dilated.node(node.inputs[0].node);
        assert_eq!(convolution.ints("dilations"), [1, 1, 2, 1]);
        assert_eq!(convolution.ints("explicit_paddings"), [0, 0, 0, 0, 4, 0, 0, 0]);
        let expanded = dilated.node(convolution.inputs[0].node);
        assert_eq!(dilated.tensor_name(expanded.inputs[0]), "net:0");
    }

    #[test]
    fn an_atrous_convolution_becomes_a_dilated_one_of_the_same_shape() {
        let mut graph = crate::ops::new_graph();
        let net = image(&mut graph, "net", &[1, 21, 20, 8]);
        let filter = image(&mut graph, "filter", &[3, 3, 8, 4]);
        let block = constant(&mut graph, "block", &[2], &[2, 2]);
        let pads = constant(&mut graph, "pads", &[2, 2], &[2, 3, 2, 2]);
        let crops = constant(&mut graph, "crops", &[2, 2], &[0, 1, 0, 0]);
        let apart = add(&mut graph, "apart", "SpaceToBatchND", &[net, block, pads], &[]);
        let convolution = add(&mut graph, "conv", "Conv2D", &[apart, filter], &[("padding", "VALID".into())]);
        let together = add(&mut graph, "together", "BatchToSpaceND", &[convolution, block, crops], &[]);

        let (dilated, _) = dilate_convolutions(graph.clone()).unwrap();

        let node = dilated.node(dilated.find("together").unwrap());
        assert_eq!((node.op.as_str(), node.ints("dilations")), ("Conv2D", &[1, 2, 2, 1][..]));
        assert_eq!(node.ints("explicit_paddings"), [0, 0, 2, 2, 2, 2, 0, 0]);
        assert_eq!(node.outputs[0].shape, graph.node(together).outputs[0].shape);
        assert_eq!(node.outputs[0].shape, Shape::known(&[1, 21, 20, 4]));
    }
}
