//! The types of tensors inside of a graph that the options name as inputs.
//!
//! The nodes before them may be anything: ops that cannot be converted, loops, damaged nodes. They are imported to infer
//! types. If that fails, the attributes of the node itself have its types.

use hashbrown::HashMap;

use super::interface::node_name;
use crate::error::{Error, Result};
use crate::graph::import::{Part, import_part};
use crate::graph::op_definition::declared_output_types;
use crate::graph::validate::Nodes;
use crate::graph::{Attr, Graph, Shape, TensorType, node_def};
use crate::ops::output_types;
use crate::proto::{GraphDef, NodeDef};
use crate::setting::Setting;
use crate::tensor::DType;

/// A graph in which the nodes of these names have their types.
///
/// # Errors
/// If the element type of one of them is not known.
pub(super) fn graph_before(
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    part: &Part,
    names: &[String],
) -> Result<Graph> {
    let roots: Vec<String> = names.iter().map(|name| node_name(name).to_owned()).collect();
    let part = |roots: &[String], cuts| Part { roots: roots.to_vec(), cuts, ..part.clone() };
    if let Ok(graph) = import_part(definition, &part(&roots, HashMap::new()), output_types) {
        return Ok(graph);
    }
    // After a loop of TensorFlow 1, shapes can still be inferred.
    let exits = loop_exits(definition);
    let mut cuts = HashMap::new();
    for root in &roots {
        let imported =
            import_part(definition, &part(std::slice::from_ref(root), exits.clone()), output_types).ok();
        let known = imported.and_then(|graph| Some(graph.node(graph.find(root)?).outputs.clone()));
        let types = match known {
            Some(types) => types,
            None => declared_types(definition, nodes, root)?,
        };
        cuts.insert(root.clone(), types);
    }
    import_part(definition, &part(&roots, cuts), output_types)
}

/// The nodes at the end of TensorFlow 1 loops, with the types of their outputs.
fn loop_exits(definition: &GraphDef) -> HashMap<String, Vec<TensorType>> {
    let exits = definition.node.iter().filter(|node| matches!(node.op.as_str(), "Exit" | "RefExit"));
    let typed = exits.filter_map(|node| match node_def::attribute_of(node, "T") {
        Ok(Some(Attr::Type(dtype))) => {
            Some((node.name.clone(), vec![TensorType::new(dtype, Shape::UNKNOWN)]))
        }
        _ => None,
    });
    typed.collect()
}

/// The types of a node's outputs, from the definition of its op and its attributes.
fn declared_types(
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    name: &str,
) -> Result<Vec<TensorType>> {
    let node =
        nodes.get(name).ok_or_else(|| Error::new(format!("\"{name}\""), "the graph has no such node"))?;
    let unknown = || {
        let error = Error::new(
            format!("{} \"{name}\"", node.op),
            "its element type is not known without the nodes before it, and these cannot be read",
        );
        error.advice(format!("choose a tensor after it with {}", Setting::Inputs))
    };
    let shapes = match node_def::attribute_of(node, "_output_shapes") {
        Ok(Some(Attr::Shapes(shapes))) => shapes,
        _ => vec![],
    };
    let declared = declared_output_types(node).or_else(|| read_types(definition, node));
    let dtypes: Option<Vec<DType>> = declared.ok_or_else(unknown)?.into_iter().collect();
    let dtypes = dtypes.ok_or_else(unknown)?.into_iter().enumerate();
    Ok(dtypes
        .map(|(port, dtype)| TensorType::new(dtype, shapes.get(port).cloned().unwrap_or(Shape::UNKNOWN)))
        .collect())
}

/// The types of the outputs of a custom op, as the nodes that read them declare them; `None` if nothing reads them.
fn read_types(definition: &GraphDef, node: &NodeDef) -> Option<Vec<Option<DType>>> {
    let mut nodes = Nodes::new(&definition.node).ok()?;
    nodes.types_of_unknown_ops(&definition.node).remove(node.name.as_str())
}
