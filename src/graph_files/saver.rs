//! The nodes of `tf.compat.v1.train.Saver` that save and restore the variables of a graph.
//!
//! Source: `BaseSaverBuilder._build_internal` in `tensorflow/python/training/saver.py`.

use super::nodes::{node, strings};
use super::variables::{InGraph, assignment};
use crate::error::Result;
use crate::graph::{Attr, Graph, Shape};
use crate::proto::saver_def::CheckpointFormatVersion;
use crate::proto::{NodeDef, SaverDef};
use crate::tensor::DType;

/// The defaults of a `Saver`.
const MAX_TO_KEEP: i32 = 5;
const KEEP_EVERY_N_HOURS: f32 = 10_000.0;

/// The nodes that save and restore these variables, each under the name that `key` returns.
///
/// # Errors
/// If an attribute cannot be written.
pub(super) fn saver(
    graph: &Graph,
    variables: &[InGraph<'_>],
    key: impl Fn(&InGraph<'_>) -> String,
) -> Result<(SaverDef, Vec<NodeDef>)> {
    let scope = free_scope(graph);
    let mut keyed: Vec<(String, &InGraph<'_>)> = variables.iter().map(|one| (key(one), one)).collect();
    keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let named = |name: &str| format!("{scope}/{name}");
    let count = [keyed.len()];
    let keys = || keyed.iter().map(|(key, _)| key.clone());
    let whole = || keyed.iter().map(|_| String::new());
    let dtypes = || Attr::Types(keyed.iter().map(|(_, one)| one.variable.value.dtype()).collect());

    let filename = named("Const");
    let text = || [("dtype", Attr::Type(DType::String)), ("shape", Attr::Shape(Shape::scalar()))];
    let mut nodes = vec![
        strings(&named("filename/input"), &[], ["model".to_owned()])?,
        node(&named("filename"), "PlaceholderWithDefault", &[&named("filename/input")], text())?,
        node(&filename, "PlaceholderWithDefault", &[&named("filename")], text())?,
        strings(&named("SaveV2/tensor_names"), &count, keys())?,
        strings(&named("SaveV2/shape_and_slices"), &count, whole())?,
    ];
    let (names, slices) = (named("SaveV2/tensor_names"), named("SaveV2/shape_and_slices"));
    let mut inputs = vec![filename.as_str(), &names, &slices];
    inputs.extend(keyed.iter().map(|(_, one)| one.value.as_str()));
    nodes.push(node(&named("SaveV2"), "SaveV2", &inputs, [("dtypes", dtypes())])?);
    let after_saving = format!("^{}", named("SaveV2"));
    let attrs = [
        ("T", Attr::Type(DType::String)),
        ("_class", Attr::Strings(vec![format!("loc:@{filename}").into_bytes()])),
    ];
    nodes.push(node(&named("control_dependency"), "Identity", &[&filename, &after_saving], attrs)?);

    let (names, slices) = (named("RestoreV2/tensor_names"), named("RestoreV2/shape_and_slices"));
    nodes.push(strings(&names, &count, keys())?);
    nodes.push(strings(&slices, &count, whole())?);
    let restore = named("RestoreV2");
    nodes.push(node(&restore, "RestoreV2", &[&filename, &names, &slices], [("dtypes", dtypes())])?);
    let mut restored = vec![];
    for (index, (_, one)) in keyed.iter().enumerate() {
        let op = if one.is_resource { "AssignVariableOp" } else { "Assign" };
        let numbered = if index == 0 { named(op) } else { named(&format!("{op}_{index}")) };
        let value = if index == 0 { restore.clone() } else { format!("{restore}:{index}") };
        nodes.push(assignment(&numbered, one.variable, one.is_resource, &value)?);
        restored.push(format!("^{numbered}"));
    }
    let restored: Vec<&str> = restored.iter().map(String::as_str).collect();
    nodes.push(node(&named("restore_all"), "NoOp", &restored, [])?);
    let saver = SaverDef {
        filename_tensor_name: format!("{filename}:0"),
        save_tensor_name: format!("{}:0", named("control_dependency")),
        restore_op_name: named("restore_all"),
        max_to_keep: MAX_TO_KEEP,
        sharded: false,
        keep_checkpoint_every_n_hours: KEEP_EVERY_N_HOURS,
        version: CheckpointFormatVersion::V2 as i32,
    };
    Ok((saver, nodes))
}

/// The scope of the saver: `save`, with a number if the graph has nodes of that scope.
fn free_scope(graph: &Graph) -> String {
    let is_free = |scope: &String| {
        let inside = format!("{scope}/");
        !graph.nodes().any(|(_, node)| node.name == *scope || node.name.starts_with(&inside))
    };
    let numbered = (1..).map(|number| format!("save_{number}"));
    std::iter::once("save".to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}
