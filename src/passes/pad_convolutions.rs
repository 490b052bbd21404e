//! Padding inside convolutions: the input has a `Pad` with zeros before a convolution without padding; the
//! output has one convolution with explicit padding, which does not write the larger image first. Between the two there may be an
//! `ExpandDims`, where a convolution of images computes one of sequences.

use super::rewrite::{Rewriting, rewrite};
use crate::error::Result;
use crate::graph::axis::axis_from_front;
use crate::graph::{Attr, Attrs, DataFormat, Graph, Moved, Node, TensorRef};
use crate::tensor::Constant;

/// Moves the zero padding before a convolution into the convolution.
///
/// # Errors
/// If constants of the graph cannot be read.
pub fn pad_convolutions(graph: Graph) -> Result<(Graph, Moved)> {
    rewrite(graph, |rewriting, node| {
        let Some(Padded { unpadded, expand, pads }) = padded_before(rewriting, node)? else {
            return Ok(None);
        };
        let mut attrs = node.attrs.clone();
        attrs.insert("padding", "EXPLICIT".into());
        attrs.insert("explicit_paddings", Attr::Ints(pads));
        let mut input = rewriting.moved(unpadded);
        if let Some(expand) = expand {
            let inputs = vec![input, rewriting.moved(expand.inputs[1])];
            let name = rewriting.unique(&format!("{}/unpadded", expand.name));
            input = rewriting.add(name, &expand.op, inputs, Attrs::new())?.into();
        }
        let inputs = vec![input, rewriting.moved(node.inputs[1])];
        rewriting.add(node.name.clone(), &node.op, inputs, attrs).map(Some)
    })
}

/// A convolution whose input is padded by a node before it.
struct Padded<'g> {
    /// The input of the `Pad`.
    unpadded: TensorRef,
    /// The `ExpandDims` after the `Pad`.
    expand: Option<&'g Node>,
    /// The lengths that are added before and after each axis of the convolution's input.
    pads: Vec<i64>,
}

fn padded_before<'g>(rewriting: &Rewriting<'g>, node: &Node) -> Result<Option<Padded<'g>>> {
    let is_convolution = matches!(node.op.as_str(), "Conv2D" | "DepthwiseConv2dNative" | "Conv3D");
    if !is_convolution || node.text("padding") != Some("VALID") || node.inputs.len() != 2 {
        return Ok(None);
    }
    let integers = |tensor| -> Result<Option<Vec<i64>>> {
        Ok(rewriting.source(tensor).constant().map(Constant::to_i64s).transpose()?.flatten())
    };
    let before = rewriting.source(node.inputs[0]);
    let expand = Some(before).filter(|node| node.op == "ExpandDims");
    let pad = expand.map_or(before, |expand| rewriting.source(expand.inputs[0]));
    let ("Pad", &[unpadded, pads]) = (pad.op.as_str(), &pad.inputs[..]) else { return Ok(None) };
    let Some(mut pads) = integers(pads)? else { return Ok(None) };
    if let Some(expand) = expand {
        let rank = pads.len() / 2 + 1;
        let axis = integers(expand.inputs[1])?.and_then(|axis| axis.first().copied());
        let Some(axis) = axis.and_then(|axis| axis_from_front(axis, rank)) else { return Ok(None) };
        let at = 2 * axis;
        pads.splice(at..at, [0, 0]);
    }
    let rank = pads.len() / 2;
    let channels = match node.data_format() {
        DataFormat::ChannelsLast => rank.saturating_sub(1),
        DataFormat::ChannelsFirst => 1,
    };
    let (axes, _) = pads.as_chunks::<2>();
    let is_spatial = axes.iter().enumerate().all(|(axis, pads)| match axis == 0 || axis == channels {
        true => *pads == [0, 0],
        false => pads.iter().all(|&pad| pad >= 0),
    });
    Ok(is_spatial.then_some(Padded { unpadded, expand, pads }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{NodeId, Shape};
    use crate::tensor::DType;

    fn padded_convolution(pads: [i32; 8]) -> Graph {
        let mut graph = crate::ops::new_graph();
        let mut add = |name: &str, op: &str, inputs: &[NodeId], attrs: Vec<(&'static str, Attr)>| {
            let inputs = inputs.iter().map(|&id| id.into()).collect();
            graph.add(name, op, inputs, attrs.into_iter().collect()).unwrap()
        };
        let tensor = |shape: &[usize]| {
            vec![("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))]
        };
        let net = add("net", "Placeholder", &[], tensor(&[1, 10, 10, 8]));
        let filter = add("filter", "Placeholder", &[], tensor(&[3, 3, 8 + pads[7] as usize, 4]));
        let value = Attr::Tensor(Constant::from_i32(vec![4, 2], &pads));
        let pads = add("pads", "Const", &[], vec![("value", value)]);
        let padded = add("padded", "Pad", &[net, pads], vec![]);
        add("conv", "Conv2D", &[padded, filter], vec![("padding", "VALID".into())]);
        graph
    }

    #[test]
    fn zeros_around_an_image_become_the_convolutions_own_padding() {
        let before = padded_convolution([0, 0, 1, 1, 1, 2, 0, 0]);
        let (graph, _) = pad_convolutions(before.clone()).unwrap();
        let node = graph.node(graph.find("conv").unwrap());
        assert_eq!(graph.tensor_name(node.inputs[0]), "net:0");
        assert_eq!(node.ints("explicit_paddings"), [0, 0, 1, 1, 1, 2, 0, 0]);
        assert_eq!(node.outputs, before.node(before.find("conv").unwrap()).outputs);
    }

    #[test]
    fn zeros_beside_the_channels_stay_where_they_are() {
        let (graph, _) = pad_convolutions(padded_convolution([0, 0, 1, 1, 1, 1, 0, 1])).unwrap();
        let node = graph.node(graph.find("conv").unwrap());
        assert_eq!(graph.tensor_name(node.inputs[0]), "padded:0");
    }
}
