//! Changes a graph as a message: its nodes, their inputs and attributes, and its functions. Bytes that a fuzzer changes seldom make a graph
//! whose nodes still fit each other.

use fastrand::Rng;
use prost::Message;
use tf2onnx_rs::proto::attr_value::Value;
use tf2onnx_rs::proto::tensor_shape_proto::Dim;
use tf2onnx_rs::proto::{
    AttrValue, FunctionDef, GraphDef, MetaGraphDef, NodeDef, SavedModel, TensorProto, TensorShapeProto,
};

/// Numbers at which something begins or ends.
const NUMBERS: [i64; 20] = [
    0,
    1,
    -1,
    2,
    -2,
    3,
    4,
    7,
    8,
    16,
    255,
    256,
    65_536,
    1 << 31,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 32,
    i64::MAX,
    i64::MIN,
    -100,
];
/// The numbers of the types, with some that no type has.
const TYPES: std::ops::RangeInclusive<i32> = 0..=24;
const WORDS: [&str; 14] =
    ["", "NHWC", "NCHW", "SAME", "VALID", "EXPLICIT", "a", "T", "body", "add", "MIRROR", "/", "NDHWC", "é"];

/// A message that has graphs.
pub trait Mutate: Message + Default {
    /// The graphs in it.
    fn graphs(&mut self) -> Vec<&mut GraphDef>;
}

impl Mutate for GraphDef {
    fn graphs(&mut self) -> Vec<&mut GraphDef> {
        vec![self]
    }
}

impl Mutate for MetaGraphDef {
    fn graphs(&mut self) -> Vec<&mut GraphDef> {
        self.graph_def.iter_mut().collect()
    }
}

impl Mutate for SavedModel {
    fn graphs(&mut self) -> Vec<&mut GraphDef> {
        self.meta_graphs.iter_mut().flat_map(MetaGraphDef::graphs).collect()
    }
}

/// A message with up to four changes in its graphs; `None` if the bytes are no such message.
pub fn mutated<M: Mutate>(bytes: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut message = M::decode(bytes).ok()?;
    let mut rng = Rng::with_seed(seed);
    for _ in 0..rng.u32(1..=4) {
        for graph in message.graphs() {
            mutate_graph(graph, &mut rng);
        }
    }
    Some(message.encode_to_vec())
}

/// The same in the buffer of a fuzzer: the new length. Sometimes it is left to the fuzzer, whose changes of bytes reach what is no message.
pub fn mutate_in_place<M: Mutate>(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> Option<usize> {
    let bytes = mutated::<M>(&data[..size], seed.into())
        .filter(|bytes| bytes.len() <= max_size && !seed.is_multiple_of(8))?;
    data[..bytes.len()].copy_from_slice(&bytes);
    Some(bytes.len())
}

fn mutate_graph(graph: &mut GraphDef, rng: &mut Rng) {
    let functions = graph.library.as_mut().map(|library| &mut library.function);
    match functions.filter(|functions| !functions.is_empty() && rng.bool()) {
        Some(functions) => {
            let index = rng.usize(..functions.len());
            match rng.u32(..12) {
                0 => drop(functions.remove(index)),
                1 => functions.push(functions[index].clone()),
                _ => mutate_function(&mut functions[index], rng),
            }
        }
        None => mutate_nodes(&mut graph.node, rng),
    }
}

fn mutate_function(function: &mut FunctionDef, rng: &mut Rng) {
    let names: Vec<String> = function.ret.keys().cloned().collect();
    match (rng.u32(..8), &mut function.signature) {
        (0, Some(signature)) => shuffled(&mut signature.input_arg, rng),
        (1, Some(signature)) => shuffled(&mut signature.output_arg, rng),
        (2, Some(signature)) => {
            let arguments = signature.input_arg.iter_mut().chain(&mut signature.output_arg);
            if let Some(argument) = rng.choice(arguments.collect::<Vec<_>>()) {
                match rng.u32(..3) {
                    0 => argument.r#type = rng.i32(TYPES),
                    1 => argument.type_attr = word(rng),
                    _ => argument.number_attr = word(rng),
                }
            }
        }
        (3, _) => {
            if let (Some(name), Some(node)) = (rng.choice(&names), rng.choice(&function.node_def)) {
                function.ret.insert(name.clone(), format!("{}:{}:{}", node.name, word(rng), rng.u32(..3)));
            }
        }
        (4, signature) if rng.bool() => *signature = None,
        _ => mutate_nodes(&mut function.node_def, rng),
    }
}

fn mutate_nodes(nodes: &mut Vec<NodeDef>, rng: &mut Rng) {
    if nodes.is_empty() {
        return;
    }
    let (index, other) = (rng.usize(..nodes.len()), nodes[rng.usize(..nodes.len())].clone());
    match rng.u32(..24) {
        0 => drop(nodes.remove(index)),
        1 => nodes.push(other),
        2 => nodes[index].name = if rng.bool() { other.name } else { word(rng) },
        3 => nodes[index].op = other.op,
        4 => nodes[index].attr = other.attr,
        5 => {
            // A node of the same kind behind this one: deep graphs begin like this.
            let mut copy = nodes[index].clone();
            copy.name.push_str("_1");
            if let Some(input) = copy.input.first_mut() {
                input.clone_from(&nodes[index].name);
            }
            nodes.push(copy);
        }
        6 => {
            nodes[index].attr.extend(other.attr);
        }
        7..=13 => mutate_inputs(&mut nodes[index].input, &other.name, rng),
        _ => {
            let attributes = &mut nodes[index].attr;
            let Some(name) = rng.choice(attributes.keys().cloned().collect::<Vec<_>>()) else { return };
            match rng.u32(..8) {
                0 => drop(attributes.remove(&name)),
                1 => {
                    if let Some(value) = rng.choice(other.attr.values().cloned().collect::<Vec<_>>()) {
                        attributes.insert(name, value);
                    }
                }
                _ => {
                    let mut value = attributes.remove(&name).unwrap_or_default();
                    mutate_attribute(&mut value, rng);
                    attributes.insert(name, value);
                }
            }
        }
    }
}

fn mutate_inputs(inputs: &mut Vec<String>, other: &str, rng: &mut Rng) {
    let replaced = match rng.u32(..6) {
        0 => format!("^{other}"),
        1 => format!("{other}:{}", rng.u32(..4)),
        _ => other.to_owned(),
    };
    if inputs.is_empty() || rng.u32(..6) == 0 {
        inputs.insert(rng.usize(..=inputs.len()), replaced);
        return;
    }
    match rng.u32(..3) {
        0 => shuffled(inputs, rng),
        _ => {
            let index = rng.usize(..inputs.len());
            inputs[index] = replaced;
        }
    }
}

fn mutate_attribute(attribute: &mut AttrValue, rng: &mut Rng) {
    match &mut attribute.value {
        Some(Value::I(value)) => *value = number(rng),
        Some(Value::F(value)) => {
            *value = rng.choice([0.0, -1.0, 1e30, f32::NAN, f32::INFINITY, 1e-30]).unwrap_or(0.5)
        }
        Some(Value::B(value)) => *value = !*value,
        Some(Value::S(value)) => *value = word(rng).into_bytes(),
        Some(Value::Type(value)) => *value = rng.i32(TYPES),
        Some(Value::Shape(shape)) => mutate_shape(shape, rng),
        Some(Value::Tensor(tensor)) => mutate_tensor(tensor, rng),
        Some(Value::Func(function)) => function.name = word(rng),
        Some(Value::List(list)) => {
            shuffled(&mut list.i, rng);
            shuffled(&mut list.r#type, rng);
            shuffled(&mut list.shape, rng);
            if let Some(value) = rng.choice(&mut list.i) {
                *value = number(rng);
            }
            if let Some(value) = rng.choice(&mut list.r#type) {
                *value = rng.i32(TYPES);
            }
            if let Some(shape) = rng.choice(&mut list.shape) {
                mutate_shape(shape, rng);
            }
        }
        Some(Value::Placeholder(_)) | None => {
            attribute.value = rng.choice([
                Value::I(1),
                Value::Type(1),
                Value::S(vec![]),
                Value::Shape(TensorShapeProto::default()),
                Value::Func(Box::default()),
            ]);
        }
    }
}

fn mutate_shape(shape: &mut TensorShapeProto, rng: &mut Rng) {
    match rng.u32(..4) {
        0 => shape.unknown_rank = !shape.unknown_rank,
        1 => shape.dim.push(Dim { size: number(rng), ..Dim::default() }),
        2 => drop(shape.dim.pop()),
        _ => {
            if let Some(dim) = rng.choice(&mut shape.dim) {
                dim.size = number(rng);
            }
        }
    }
}

fn mutate_tensor(tensor: &mut TensorProto, rng: &mut Rng) {
    match rng.u32(..5) {
        0 => tensor.dtype = rng.i32(TYPES),
        1 => mutate_shape(tensor.tensor_shape.get_or_insert_default(), rng),
        2 => tensor.tensor_content.truncate(rng.usize(..=tensor.tensor_content.len())),
        3 => {
            let mut content = tensor.tensor_content.to_vec();
            if let Some(byte) = rng.choice(&mut content) {
                *byte = rng.u8(..);
            }
            tensor.tensor_content = content.into();
            if let Some(value) = rng.choice(&mut tensor.int_val) {
                *value = number(rng) as i32;
            }
            if let Some(value) = rng.choice(&mut tensor.int64_val) {
                *value = number(rng);
            }
        }
        _ => shuffled(&mut tensor.int_val, rng),
    }
}

/// Drops, repeats or swaps elements.
fn shuffled<T: Clone>(elements: &mut Vec<T>, rng: &mut Rng) {
    if elements.is_empty() {
        return;
    }
    let (first, second) = (rng.usize(..elements.len()), rng.usize(..elements.len()));
    match rng.u32(..3) {
        0 => drop(elements.remove(first)),
        1 => elements.insert(second, elements[first].clone()),
        _ => elements.swap(first, second),
    }
}

fn number(rng: &mut Rng) -> i64 {
    if rng.bool() { rng.i64(-3..10) } else { rng.choice(NUMBERS).unwrap_or_default() }
}

fn word(rng: &mut Rng) -> String {
    rng.choice(WORDS).unwrap_or_default().to_owned()
}
