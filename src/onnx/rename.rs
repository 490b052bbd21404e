//! Renames values of a model.

use hashbrown::{HashMap, HashSet};

use super::{Graph, Model, Node, TensorInfo};

impl Model {
    /// Renames values, all at the same time, so that two values can swap their names. New names must not be the names of
    /// other values.
    pub fn rename_values(&mut self, names: &HashMap<String, String>) {
        let rename = |name: &mut String| {
            if let Some(new) = names.get(name) {
                name.clone_from(new);
            }
        };
        self.inputs.iter_mut().chain(&mut self.outputs).for_each(|info| rename(&mut info.name));
        self.initializers.iter_mut().for_each(|initializer| rename(&mut initializer.name));
        self.nodes.iter_mut().for_each(|node| node.rename_values(&rename));
    }

    /// The names of all values, including those inside nodes.
    pub fn value_names(&self) -> HashSet<&str> {
        let mut names: HashSet<&str> = self.initializers.iter().map(|value| value.name.as_str()).collect();
        names.extend(self.inputs.iter().map(|input| input.name.as_str()));
        self.nodes.iter().for_each(|node| node.collect_names(&mut names));
        names
    }
}

impl Node {
    fn rename_values(&mut self, rename: &impl Fn(&mut String)) {
        self.inputs.iter_mut().chain(&mut self.outputs).for_each(rename);
        for Graph { inputs, outputs, nodes, .. } in self.graphs_mut() {
            inputs.iter_mut().chain(outputs).for_each(|TensorInfo { name, .. }| rename(name));
            nodes.iter_mut().for_each(|node| node.rename_values(rename));
        }
    }

    fn collect_names<'a>(&'a self, names: &mut HashSet<&'a str>) {
        names.extend(self.outputs.iter().map(String::as_str));
        for graph in self.graphs() {
            names.extend(graph.inputs.iter().map(|input| input.name.as_str()));
            graph.nodes.iter().for_each(|node| node.collect_names(names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Attribute;
    use crate::tensor::DType;

    fn node(op: &'static str, input: &str, output: &str) -> Node {
        Node {
            name: output.to_owned(),
            op: op.into(),
            domain: "".into(),
            inputs: vec![input.to_owned()],
            outputs: vec![output.to_owned()],
            attributes: vec![],
        }
    }

    fn info(name: &str) -> TensorInfo {
        TensorInfo { name: name.to_owned(), dtype: DType::Float32, shape: None }
    }

    #[test]
    fn values_can_swap_names_also_inside_nodes() {
        let body = Graph {
            name: "body".to_owned(),
            inputs: vec![],
            outputs: vec![info("inner")],
            nodes: vec![node("Relu", "a", "inner")],
        };
        let mut branch = node("If", "b", "c");
        branch.attributes = vec![("then_branch".into(), Attribute::Graph(body))];
        let mut model = Model {
            inputs: vec![info("a"), info("b")],
            outputs: vec![info("c")],
            nodes: vec![branch],
            ..Model::default()
        };
        let names = [("a", "b"), ("b", "a"), ("c", "scores")];
        model.rename_values(&names.map(|(old, new)| (old.to_owned(), new.to_owned())).into());
        let inputs: Vec<&str> = model.inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!((inputs, model.outputs[0].name.as_str()), (vec!["b", "a"], "scores"));
        let branch = &model.nodes[0];
        assert_eq!((branch.inputs[0].as_str(), branch.outputs[0].as_str()), ("a", "scores"));
        assert_eq!(branch.graphs().next().unwrap().nodes[0].inputs, ["b"]);
        assert!(model.value_names().contains("inner"));
    }
}
