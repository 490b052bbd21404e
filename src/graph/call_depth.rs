//! Functions that call each other without end, or too deeply. A damaged graph may have them.

use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

use crate::proto::{FunctionDef, NodeDef};

/// The longest chain of calls from function to function.
pub const MAX_DEPTH: usize = 24;

/// The functions that call themselves, or whose calls are nested deeper than [`MAX_DEPTH`].
pub fn endless(functions: &HashMap<String, Arc<FunctionDef>>) -> HashSet<String> {
    let mut depths = HashMap::new();
    for name in functions.keys() {
        depth(functions, name, &mut depths);
    }
    let is_endless = |(_, depth): &(&str, Depth)| !matches!(depth, Depth::Known(1..=MAX_DEPTH));
    depths.into_iter().filter(is_endless).map(|(name, _)| name.to_owned()).collect()
}

/// The depth of the calls of a function.
#[derive(Clone, Copy)]
enum Depth {
    /// Its calls are being followed.
    Open,
    Known(usize),
    Endless,
}

/// Finds the depth of a function and of those it calls. Stops following calls that are too deep.
fn depth<'a>(
    functions: &'a HashMap<String, Arc<FunctionDef>>,
    name: &'a str,
    depths: &mut HashMap<&'a str, Depth>,
) -> Depth {
    fn follow<'a>(
        functions: &'a HashMap<String, Arc<FunctionDef>>,
        name: &'a str,
        depths: &mut HashMap<&'a str, Depth>,
        left: usize,
    ) -> Depth {
        match (depths.get(name), functions.get(name)) {
            (Some(Depth::Open), _) => return Depth::Endless,
            (Some(&known), _) => return known,
            (None, None) => return Depth::Known(0),
            (None, Some(_)) if left == 0 => return Depth::Endless,
            (None, Some(_)) => {}
        }
        depths.insert(name, Depth::Open);
        let mut deepest = Depth::Known(0);
        for called in functions.get(name).into_iter().flat_map(|function| &function.node_def).flat_map(called)
        {
            deepest = match (deepest, follow(functions, called, depths, left - 1)) {
                (Depth::Known(a), Depth::Known(b)) => Depth::Known(a.max(b)),
                _ => Depth::Endless,
            };
        }
        let depth = match deepest {
            Depth::Known(depth) => Depth::Known(depth + 1),
            other => other,
        };
        depths.insert(name, depth);
        depth
    }
    follow(functions, name, depths, 4 * MAX_DEPTH)
}

/// The functions that a node calls.
pub fn called(node: &NodeDef) -> impl Iterator<Item = &str> {
    use crate::proto::attr_value::Value;
    node.attr.values().filter_map(|attr| attr.value.as_ref()).flat_map(|value| match value {
        Value::Func(function) => vec![function.name.as_str()],
        Value::List(list) => list.func.iter().map(|function| function.name.as_str()).collect(),
        _ => vec![],
    })
}
