//! Preprocessing as a part of the model: the input is a graph whose images come from slim's preprocessing; the
//! output is a graph whose images are bytes, and which preprocesses them itself.
//!
//! Cropping and resizing, which depend on the size of a photograph, are not part of the model: the bytes are those of
//! an image of the network's size.

use super::rewrite::{Rewriting, rewrite};
use crate::error::{Error, Result};
use crate::graph::{Attr, Attrs, Graph, Moved, Node, TensorRef};
use crate::setting::Setting;
use crate::tensor::{Constant, DType};

/// The preprocessing of the elements of an image, which are from 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preprocessing {
    /// None: the inputs of the model are those of the network.
    #[default]
    None,
    /// They are scaled to `[-1, 1]`.
    ///
    /// Source: `preprocess_for_eval` in
    /// <https://github.com/tensorflow/models/blob/master/research/slim/preprocessing/inception_preprocessing.py>; the
    /// first factor is that of `convert_image_dtype` in `tensorflow/python/ops/image_ops_impl.py`.
    Inception,
    /// The mean of ImageNet's red, green and blue is subtracted.
    ///
    /// Source: `_mean_image_subtraction` in
    /// <https://github.com/tensorflow/models/blob/master/research/slim/preprocessing/vgg_preprocessing.py>.
    Vgg,
}

/// `_R_MEAN`, `_G_MEAN` and `_B_MEAN` of `vgg_preprocessing.py`.
const RGB_MEANS: [f32; 3] = [123.68, 116.78, 103.94];

impl Preprocessing {
    /// The name that slim's `preprocessing_factory` has for it.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Inception => Some("inception"),
            Self::Vgg => Some("vgg"),
        }
    }

    /// A description for users.
    pub fn describe(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Inception => Some("bytes are scaled to [-1, 1]"),
            Self::Vgg => Some("the mean of red, green and blue is subtracted from bytes"),
        }
    }
}

/// Makes `graph` accept the bytes of images. `inputs` are the tensors that are fed.
///
/// # Errors
/// If it is not clear which of the inputs are images, or such images cannot be preprocessed in this way.
pub fn preprocess(
    graph: Graph,
    inputs: &[TensorRef],
    preprocessing: Preprocessing,
) -> Result<(Graph, Moved)> {
    let Some(name) = preprocessing.name() else { return Ok((graph, Moved::default())) };
    let refused = |problem: String| Error::new(Setting::Preprocess.to(name), problem);
    let image = image_input(&graph, inputs).map_err(refused)?;
    check(&graph, image, preprocessing).map_err(|problem| {
        let input = graph.tensor_name(image);
        refused(format!(
            "the input {input} is {} {}: {problem}",
            graph.tensor_type(image).dtype,
            graph.shape(image)
        ))
    })?;
    let fed = graph.node(image.node).name.clone();
    rewrite(graph, |rewriting, node| {
        if node.name != fed {
            return Ok(None);
        }
        let bytes = rewriting.add(fed.clone(), &node.op, vec![], of_bytes(node, image.port))?;
        let bytes = TensorRef { node: bytes, port: image.port };
        let preprocessed = add_preprocessing(rewriting, &format!("{fed}/preprocess"), bytes, preprocessing)?;
        rewriting.redirect(image, preprocessed);
        Ok(Some(bytes.node))
    })
}

/// The input that is images or videos, which have one more axis.
fn image_input(graph: &Graph, inputs: &[TensorRef]) -> Result<TensorRef, String> {
    let is_image = |tensor: &&TensorRef| matches!(graph.shape(**tensor).rank(), Some(4 | 5));
    let images: Vec<&TensorRef> = inputs.iter().filter(is_image).collect();
    let names = |tensors: &[&TensorRef]| {
        tensors.iter().map(|tensor| graph.tensor_name(**tensor)).collect::<Vec<_>>().join(", ")
    };
    match images[..] {
        [image] => Ok(*image),
        [] => Err(format!("none of the inputs takes images: {}", names(&inputs.iter().collect::<Vec<_>>()))),
        _ => Err(format!("several inputs take images: {}", names(&images))),
    }
}

/// Checks that images of this type and shape can be preprocessed. The error has the reason.
fn check(graph: &Graph, image: TensorRef, preprocessing: Preprocessing) -> Result<(), String> {
    if graph.tensor_type(image).dtype != DType::Float32 {
        return Err("only images of float32 are preprocessed".to_owned());
    }
    if graph.node(image.node).op != "Placeholder" {
        return Err(format!(
            "its default would be preprocessed too; leave that out with {}",
            Setting::IgnoreDefault
        ));
    }
    match (graph.shape(image).last(), preprocessing) {
        (Some(3), _) | (Some(1), Preprocessing::Inception) => Ok(()),
        (Some(1), _) => {
            Err("the mean is one of red, green and blue, and these images have one channel".to_owned())
        }
        (None, _) => Err(format!("the number of its channels is not known; give it with {}", Setting::Shape)),
        _ => Err("images have 3 channels, or 1, on their last axis".to_owned()),
    }
}

/// The attributes of a placeholder whose output `port` has bytes as elements.
fn of_bytes(placeholder: &Node, port: usize) -> Attrs {
    let mut attrs = placeholder.attrs.clone();
    match attrs.get("output_types") {
        Some(Attr::Types(types)) => {
            let mut types = types.clone();
            types[port] = DType::UInt8;
            attrs.insert("output_types", Attr::Types(types));
        }
        _ => attrs.insert("dtype", Attr::Type(DType::UInt8)),
    }
    attrs
}

/// Adds the ops that TensorFlow would add, in the same order, so that results are the same to the last bit.
fn add_preprocessing(
    rewriting: &mut Rewriting<'_>,
    scope: &str,
    bytes: TensorRef,
    preprocessing: Preprocessing,
) -> Result<TensorRef> {
    let to_float = Attrs::from([("DstT", Attr::Type(DType::Float32))]);
    let mut net: TensorRef = rewriting.add(format!("{scope}/Cast"), "Cast", vec![bytes], to_float)?.into();
    let scalar = |value: f32| Constant::from_f32(vec![], &[value]);
    let steps = match preprocessing {
        Preprocessing::None => vec![],
        Preprocessing::Inception => vec![
            ("Mul", "scale", scalar(1.0 / 255.0)),
            ("Sub", "center", scalar(0.5)),
            ("Mul", "stretch", scalar(2.0)),
        ],
        Preprocessing::Vgg => vec![("Sub", "mean", Constant::from_f32(vec![RGB_MEANS.len()], &RGB_MEANS))],
    };
    for (op, name, value) in steps {
        let value = Attrs::from([("value", Attr::Tensor(value))]);
        let value = rewriting.add(format!("{scope}/{name}/y"), "Const", vec![], value)?;
        net = rewriting.add(format!("{scope}/{name}"), op, vec![net, value.into()], Attrs::new())?.into();
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    fn placeholder(graph: &mut Graph, name: &str, shape: &[usize]) -> TensorRef {
        let attrs = [("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))];
        graph.add(name, "Placeholder", vec![], attrs.into()).unwrap().into()
    }

    #[test]
    fn what_read_the_image_reads_the_preprocessed_bytes() {
        let mut graph = crate::ops::new_graph();
        let image = placeholder(&mut graph, "images", &[1, 8, 8, 3]);
        let scale = placeholder(&mut graph, "scale", &[]);
        graph.add("net", "Mul", vec![image, scale], Attrs::new()).unwrap();
        let (graph, _) = preprocess(graph, &[image, scale], Preprocessing::Vgg).unwrap();
        let image = graph.find_tensor("images").unwrap();
        assert_eq!(graph.tensor_type(image).dtype, DType::UInt8);
        let net = graph.node(graph.find("net").unwrap());
        assert_eq!(graph.tensor_name(net.inputs[0]), "images/preprocess/mean:0");
        assert_eq!(graph.tensor_name(net.inputs[1]), "scale:0");
        assert_eq!(net.outputs[0].shape, Shape::known(&[1, 8, 8, 3]));
    }

    #[test]
    fn only_the_image_among_the_outputs_of_an_iterator_is_preprocessed() {
        let mut graph = crate::ops::new_graph();
        let shapes = vec![Shape::known(&[1, 8, 8, 3]), Shape::known(&[1])];
        let attrs = [
            ("output_types", Attr::Types(vec![DType::Float32, DType::Int64])),
            ("output_shapes", Attr::Shapes(shapes)),
        ];
        let next = graph.add("next", "Placeholder", vec![], attrs.into()).unwrap();
        let [image, label] = [0, 1].map(|port| TensorRef { node: next, port });
        graph.add("net", "Relu", vec![image], Attrs::new()).unwrap();
        graph.add("label", "Identity", vec![label], Attrs::new()).unwrap();
        let (graph, _) = preprocess(graph, &[image, label], Preprocessing::Inception).unwrap();
        let next = graph.node(graph.find("next").unwrap());
        assert_eq!((next.outputs[0].dtype, next.outputs[1].dtype), (DType::UInt8, DType::Int64));
        let read_by = |name: &str| graph.tensor_name(graph.node(graph.find(name).unwrap()).inputs[0]);
        assert_eq!(
            (read_by("net").as_str(), read_by("label").as_str()),
            ("next/preprocess/stretch:0", "next:1")
        );
    }

    #[test]
    fn images_that_are_not_preprocessed_so_are_refused_with_the_reason() {
        let said = |shapes: &[&[usize]], preprocessing| {
            let mut graph = crate::ops::new_graph();
            let names = ["a", "b"].into_iter().zip(shapes);
            let inputs: Vec<TensorRef> =
                names.map(|(name, shape)| placeholder(&mut graph, name, shape)).collect();
            preprocess(graph, &inputs, preprocessing).map(|_| ()).unwrap_err().to_string()
        };
        let image: &[usize] = &[1, 8, 8, 3];
        assert!(
            said(&[&[1, 96, 64]], Preprocessing::Inception).contains("none of the inputs takes images: a:0")
        );
        assert!(
            said(&[image, image], Preprocessing::Inception).contains("several inputs take images: a:0, b:0")
        );
        assert!(said(&[&[1, 28, 28, 1]], Preprocessing::Vgg).contains("these images have one channel"));
        assert!(said(&[&[1, 3, 8, 8]], Preprocessing::Vgg).contains("on their last axis"));
    }
}
