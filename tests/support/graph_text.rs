//! Graphs in text form.

/// A node of a graph in text form. Attributes are written as `NAME VALUE` in the text form of a message.
pub fn node(name: &str, op: &str, inputs: &[&str], attributes: &[(&str, &str)]) -> String {
    let inputs: String = inputs.iter().map(|input| format!(" input: \"{input}\"")).collect();
    let attributes: String = attributes
        .iter()
        .map(|(key, value)| format!(" attr {{ key: \"{key}\" value {{ {value} }} }}"))
        .collect();
    format!("node {{ name: \"{name}\" op: \"{op}\"{inputs}{attributes} }}\n")
}
