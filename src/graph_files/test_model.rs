//! A model for tests: `y = x * net/w`.

use std::path::PathBuf;

use crate::convert::{GraphOrigin, Origin, TensorFlowGraph, Unused, Variable};
use crate::graph::{Attr, Attrs, Shape};
use crate::passes::moving_averages::{Choice, MovingAverages};
use crate::proto::VersionDef;
use crate::tensor::{Constant, DType};

/// The model, whose variable is a node of this op. Its value is in memory.
pub(super) fn model(variable: &str) -> TensorFlowGraph {
    let mut graph = crate::ops::new_graph();
    let typed = |shape: &[usize]| {
        Attrs::from([("dtype", Attr::Type(DType::Float32)), ("shape", Attr::Shape(Shape::known(shape)))])
    };
    let x = graph.add("x", "Placeholder", vec![], typed(&[1, 20])).unwrap();
    let w = graph.add("net/w", variable, vec![], typed(&[20, 30])).unwrap();
    let (reading, dtype) = match variable {
        "VarHandleOp" => ("ReadVariableOp", Attrs::from([("dtype", Attr::Type(DType::Float32))])),
        _ => ("Identity", Attrs::new()),
    };
    let read = graph.add("net/w/read", reading, vec![w.into()], dtype).unwrap();
    let y = graph.add("y", "MatMul", vec![x.into(), read.into()], Attrs::new()).unwrap();
    let values: Vec<f32> = (0..600).map(|value| value as f32 / 7.0).collect();
    let origin = GraphOrigin { path: PathBuf::new(), signature: None, keys: vec![], assets: vec![] };
    TensorFlowGraph {
        inputs: vec![("x:0".to_owned(), x.into())],
        outputs: vec![("y:0".to_owned(), y.into())],
        variables: vec![Variable {
            name: "net/w".to_owned(),
            key: "net/w".to_owned(),
            value: Constant::from_f32(vec![20, 30], &values),
            is_trained: true,
        }],
        versions: VersionDef { producer: 134, min_consumer: 12, bad_consumers: vec![] },
        origin: Origin::Graph(origin),
        moving_averages: MovingAverages::choose(&graph, Choice::Off, "", |_| None).unwrap(),
        unused: Unused::default(),
        notes: vec![],
        graph,
    }
}
