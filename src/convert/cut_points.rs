//! What is known of the tensors that `--inputs` names inside of a graph, and of what computes them no more than that.
//!
//! What lies before them may be anything: ops that are not converted, loops, damaged nodes. It is imported for the types that
//! it tells, and where that fails, the attributes of the node itself tell its types.

use hashbrown::HashMap;

use super::asked::node_name;
use crate::error::{Error, Result};
use crate::graph::import::{Part, data_inputs, import_part};
use crate::graph::{Attr, Graph, Shape, TensorType, import};
use crate::proto::{GraphDef, NodeDef};
use crate::tensor::DType;

/// A graph in which the nodes of these names have their types.
///
/// # Errors
/// Where nothing tells the element type of one of them.
pub(super) fn graph_before(
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    part: &Part,
    names: &[String],
) -> Result<Graph> {
    let roots: Vec<String> = names.iter().map(|name| node_name(name).to_owned()).collect();
    let part = |roots: &[String], cuts| Part { roots: roots.to_vec(), cuts, ..part.clone() };
    if let Ok(graph) = import_part(definition, &part(&roots, HashMap::new())) {
        return Ok(graph);
    }
    // Behind a loop of TensorFlow 1, ops still tell shapes.
    let exits = loop_exits(definition);
    let mut cuts = HashMap::new();
    for root in &roots {
        let imported = import_part(definition, &part(std::slice::from_ref(root), exits.clone())).ok();
        let known = imported.and_then(|graph| Some(graph.node(graph.find(root)?).outputs.clone()));
        let types = match known {
            Some(types) => types,
            None => declared_types(definition, nodes, root)?,
        };
        cuts.insert(root.clone(), types);
    }
    import_part(definition, &part(&roots, cuts))
}

/// The nodes where loops of TensorFlow 1 end, with the types of what they compute.
fn loop_exits(definition: &GraphDef) -> HashMap<String, Vec<TensorType>> {
    let exits = definition.node.iter().filter(|node| matches!(node.op.as_str(), "Exit" | "RefExit"));
    let typed = exits.filter_map(|node| match import::attribute_of(node, "T") {
        Ok(Some(Attr::Type(dtype))) => {
            Some((node.name.clone(), vec![TensorType::new(dtype, Shape::UNKNOWN)]))
        }
        _ => None,
    });
    typed.collect()
}

/// The types of a node's outputs as its attributes tell them. Of an attribute that names one type, all outputs have that type.
fn declared_types(
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    name: &str,
) -> Result<Vec<TensorType>> {
    let node =
        nodes.get(name).ok_or_else(|| Error::new(format!("\"{name}\""), "the graph has no such node"))?;
    let attribute = |name: &str| import::attribute_of(node, name).ok().flatten();
    let shape = |port: usize| match attribute("_output_shapes") {
        Some(Attr::Shapes(shapes)) => shapes.get(port).cloned().unwrap_or(Shape::UNKNOWN),
        _ => Shape::UNKNOWN,
    };
    let listed =
        ["output_types", "component_types", "Tout"].into_iter().find_map(|name| match attribute(name) {
            Some(Attr::Types(dtypes)) => Some(dtypes),
            _ => None,
        });
    let named = ["dtype", "T", "DstT", "out_type"].into_iter().find_map(|name| match attribute(name) {
        Some(Attr::Type(dtype)) => Some(dtype),
        _ => None,
    });
    let dtypes: Vec<DType> = match (listed, named) {
        (Some(dtypes), _) => dtypes,
        (None, Some(dtype)) => vec![dtype; ports_read(definition, name)],
        (None, None) => {
            let error = Error::new(
                format!("{} \"{name}\"", node.op),
                "its element type is not known without what computes it, and that cannot be read",
            );
            return Err(error.advice("choose a tensor behind it with --inputs"));
        }
    };
    Ok(dtypes.into_iter().enumerate().map(|(port, dtype)| TensorType::new(dtype, shape(port))).collect())
}

/// How many outputs of a node are read, at least one.
fn ports_read(definition: &GraphDef, name: &str) -> usize {
    let read = definition.node.iter().flat_map(data_inputs).filter(|(input, _)| *input == name);
    read.map(|(_, port)| port + 1).max().unwrap_or(1)
}
