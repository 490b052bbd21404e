//! The content of ONNX models, and what they compute.

use std::path::Path;

use onnx_protobuf::{Message, ModelProto, NodeProto};
use rten::{ModelOptions, Value, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use super::npy::Array;

pub struct Model(ModelProto);

impl Model {
    pub fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the model was written");
        Self(ModelProto::parse_from_bytes(&bytes).expect("the model is a ModelProto"))
    }

    pub fn proto(&self) -> &ModelProto {
        &self.0
    }

    pub fn nodes(&self, op: &str) -> Vec<&NodeProto> {
        self.0.graph.node.iter().filter(|node| node.op_type == op).collect()
    }

    pub fn inputs(&self) -> Vec<(String, String)> {
        self.0.graph.input.iter().map(described).collect()
    }

    pub fn outputs(&self) -> Vec<(String, String)> {
        self.0.graph.output.iter().map(described).collect()
    }

    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.0.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    pub fn initializer(&self, name: &str) -> Option<Vec<f32>> {
        let tensor = self.0.graph.initializer.iter().find(|tensor| tensor.name == name)?;
        Some(tensor.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
    }
}

/// Name and shape, as in `("input:0", "batch,299,299,3")`.
fn described(info: &onnx_protobuf::ValueInfoProto) -> (String, String) {
    use onnx_protobuf::tensor_shape_proto::dimension::Value;
    let dims = info.type_.tensor_type().shape.dim.iter().map(|dim| match &dim.value {
        Some(Value::DimValue(length)) => length.to_string(),
        Some(Value::DimParam(name)) => name.clone(),
        _ => "?".to_owned(),
    });
    (info.name.clone(), dims.collect::<Vec<_>>().join(","))
}

/// Runs a model on one input and returns shape and elements of each output.
pub fn execute(path: &Path, shape: &[usize], input: Vec<f32>) -> Vec<(Vec<usize>, Vec<f32>)> {
    execute_all(path, &[(shape.to_vec(), input)])
}

/// Runs a model on as many inputs as it takes, in its order.
pub fn execute_all(path: &Path, inputs: &[(Vec<usize>, Vec<f32>)]) -> Vec<(Vec<usize>, Vec<f32>)> {
    let tensors = inputs.iter().map(|(shape, input)| Tensor::from_data(shape, input.clone()));
    let tensors: Vec<Tensor<f32>> = tensors.collect();
    run(path, tensors.iter().map(|tensor| tensor.view().into()).collect())
}

/// Runs a model that takes floats and integers, on as many inputs as it takes. The runtime takes integers of any type as int32.
pub fn execute_arrays(path: &Path, inputs: &[Array]) -> Vec<(Vec<usize>, Vec<f32>)> {
    let tensor = |input: &Array| -> ValueOrView<'static> {
        let (shape, values) = (&input.shape[..], input.values.iter());
        match input.descr.as_str() {
            "<f4" => Tensor::from_data(shape, values.map(|&value| value as f32).collect::<Vec<_>>()).into(),
            _ => Tensor::from_data(shape, values.map(|&value| value as i32).collect::<Vec<_>>()).into(),
        }
    };
    run(path, inputs.iter().map(tensor).collect())
}

/// Runs a model that takes bytes.
pub fn execute_bytes(path: &Path, shape: &[usize], input: Vec<u8>) -> Vec<(Vec<usize>, Vec<f32>)> {
    run(path, vec![Tensor::from_data(shape, input).view().into()])
}

fn run(path: &Path, inputs: Vec<ValueOrView<'_>>) -> Vec<(Vec<usize>, Vec<f32>)> {
    let model = ModelOptions::with_all_ops().load_file(path).expect("the runtime loads the model");
    let outputs = model
        .run(model.input_ids().iter().copied().zip(inputs).collect(), model.output_ids(), None)
        .expect("the runtime executes the model");
    outputs
        .into_iter()
        .map(|value| {
            if let Value::Int32Tensor(tensor) = value {
                return (tensor.shape().to_vec(), tensor.iter().map(|&value| value as f32).collect());
            }
            let tensor: Tensor<f32> = value.try_into().expect("the output is of numbers");
            (tensor.shape().to_vec(), tensor.to_vec())
        })
        .collect()
}

/// The largest difference, relative to the largest value expected.
pub fn relative_error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len(), "as many elements");
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let difference = got.iter().zip(expected).fold(0.0_f32, |worst, (a, b)| {
        let difference = (a - b).abs();
        if difference.is_nan() { f32::INFINITY } else { worst.max(difference) }
    });
    difference / largest
}
