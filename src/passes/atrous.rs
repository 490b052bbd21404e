//! Dilated convolutions: the input has a dense convolution between `SpaceToBatchND` and `BatchToSpaceND`, as
//! TensorFlow 1 builds it; the output has one convolution with dilations and explicit padding. ONNX has the
//! latter, and it computes the same without moving the image twice.

use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::{Attr, Attrs, DataFormat, Graph, Moved, Node, TensorRef};
use crate::tensor::Constant;

/// Turns the atrous convolutions of a graph into dilated ones.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn dilate_convolutions(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let Some(found) = dilated(rewriting, node)? else { return Ok(None) };
        let inputs = found.inputs.map(|input| rewriting.moved(input)).to_vec();
        rewriting.add(node.name.clone(), &found.op, inputs, found.attrs).map(Some)
    })
}

struct Dilated {
    op: String,
    inputs: [TensorRef; 2],
    attrs: Attrs,
}

/// The dilated convolution that computes what `end` does, if it is the end of an atrous one.
fn dilated(rewriting: &Rewriting<'_>, end: &Node) -> Result<Option<Dilated>> {
    if end.op != "BatchToSpaceND" {
        return Ok(None);
    }
    let [net, end_block, crops] = end.inputs[..] else { return Ok(None) };
    let convolution = rewriting.source(net);
    let is_dense = matches!(convolution.op.as_str(), "Conv2D" | "DepthwiseConv2dNative")
        && convolution.data_format() == DataFormat::ChannelsLast
        && convolution.text("padding") == Some("VALID")
        && convolution.ints("strides").iter().all(|&stride| stride == 1)
        && convolution.ints("dilations").iter().all(|&dilation| dilation == 1);
    let [net, filter] = convolution.inputs[..] else { return Ok(None) };
    let start = rewriting.source(net);
    let [net, start_block, pads] = start.inputs[..] else { return Ok(None) };
    if !is_dense || start.op != "SpaceToBatchND" {
        return Ok(None);
    }
    let integers = |tensor| -> Result<Vec<i64>> {
        let value = rewriting.old.constant(tensor).map(Constant::to_i64s).transpose()?;
        Ok(value.flatten().unwrap_or_default())
    };
    let (block, pads, crops) = (integers(start_block)?, integers(pads)?, integers(crops)?);
    let padding: Vec<i64> = pads.iter().zip(&crops).map(|(pad, crop)| pad - crop).collect();
    let [rows, columns] = block[..] else { return Ok(None) };
    let [top, bottom, left, right] = padding[..] else { return Ok(None) };
    if integers(end_block)? != block || padding.iter().any(|&pad| pad < 0) {
        return Ok(None);
    }
    let mut attrs = convolution.attrs.clone();
    attrs.insert("dilations", Attr::Ints(vec![1, rows, columns, 1]));
    attrs.insert("padding".to_owned(), "EXPLICIT".into());
    let explicit = vec![0, 0, top, bottom, left, right, 0, 0];
    attrs.insert("explicit_paddings", Attr::Ints(explicit));
    Ok(Some(Dilated { op: convolution.op.clone(), inputs: [net, filter], attrs }))
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
