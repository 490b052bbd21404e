//! The definition of an op in TensorFlow's op registry: its inputs, outputs and attributes.
//!
//! `op_definitions.txt` has a line for each op; `scripts/make_op_definitions.py` writes it and describes its format.
//! Lines are read when they are needed, since most graphs use few ops, and once, since they have many nodes of each.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::sync::{LazyLock, OnceLock};

use hashbrown::HashMap;

use super::{Attr, Node};
use crate::proto::{NodeDef, attr_value};
use crate::tensor::DType;

const TABLE: &str = include_str!("op_definitions.txt");

/// Ops that graphs have although TensorFlow's registry does not list them, in the same form: one that only TensorFlow itself adds to
/// graphs, and one of TF.js.
///
/// Sources: `tensorflow/core/ops/control_flow_ops.cc`; `tfjs-converter/src/operations/op_list/logical.ts`.
const UNLISTED: &str = "\
LogicalXor | x:bool y:bool | z:bool |
_SwitchN | data:T output_index:int32 | outputs:num_outs*T | num_outs:int>=1 T:type
";

/// The most tensors of one list. `N` comes from the file, and may be any number.
const MAX_LIST: usize = 1 << 16;

/// The definition of an op: a line of the table.
#[derive(Debug, Clone, Copy)]
pub struct OpDefinition(&'static Fields);

/// The fields of a line.
#[derive(Debug)]
struct Fields {
    inputs: Vec<Argument>,
    outputs: Vec<Argument>,
    attributes: Vec<AttributeDefinition>,
}

/// For each op the rest of its line, and the fields if they have been read.
type Lines = HashMap<&'static str, (&'static str, OnceLock<Box<Fields>>)>;

fn lines(table: &'static str) -> Lines {
    let named = table.lines().filter_map(|line| line.split_once(" |"));
    named.map(|(name, fields)| (name, (fields, OnceLock::new()))).collect()
}

/// An input or output of an op: one tensor, or a list of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// Its name, which function bodies use.
    pub name: &'static str,
    /// The number and the types of its tensors.
    pub form: Form,
}

/// The tensors that an argument stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One tensor.
    One(ElementType),
    /// Tensors of one type; this attribute is their number.
    Number(&'static str, ElementType),
    /// One tensor for each type that this attribute lists.
    Types(&'static str),
}

/// The type of a tensor's elements in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// This type; `None` for the few types that no graph for inference has.
    Fixed(Option<DType>),
    /// The type that this attribute holds.
    Attribute(&'static str),
}

/// The definition of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeDefinition {
    /// The attribute's name.
    pub name: &'static str,
    /// The kind of its value: `int`, `type`, `list(type)` …
    pub kind: &'static str,
    /// The least value of an integer, or the least length of a list.
    pub minimum: Option<i64>,
    /// Its default as text; `Some("?")` where the default is not a single word.
    pub default: Option<&'static str>,
    /// The values that it may have, as a list with commas.
    pub allowed: Option<&'static str>,
}

/// The attributes of a node that decide the number and the types of its inputs and outputs.
pub trait TypeAttributes {
    /// The type that an attribute holds.
    fn type_of(&self, name: &str) -> Option<DType>;
    /// The types that an attribute lists.
    fn types_of(&self, name: &str) -> Option<Vec<DType>>;
    /// The integer that an attribute holds.
    fn number_of(&self, name: &str) -> Option<i64>;
}

impl TypeAttributes for NodeDef {
    fn type_of(&self, name: &str) -> Option<DType> {
        match self.attr.get(name)?.value.as_ref()? {
            attr_value::Value::Type(number) => DType::from_proto(*number),
            _ => None,
        }
    }

    fn types_of(&self, name: &str) -> Option<Vec<DType>> {
        match self.attr.get(name)?.value.as_ref()? {
            attr_value::Value::List(list) => {
                list.r#type.iter().map(|&number| DType::from_proto(number)).collect()
            }
            _ => None,
        }
    }

    fn number_of(&self, name: &str) -> Option<i64> {
        match self.attr.get(name)?.value.as_ref()? {
            attr_value::Value::I(number) => Some(*number),
            _ => None,
        }
    }
}

impl TypeAttributes for Node {
    fn type_of(&self, name: &str) -> Option<DType> {
        self.dtype(name)
    }

    fn types_of(&self, name: &str) -> Option<Vec<DType>> {
        match self.attrs.get(name)? {
            Attr::Types(dtypes) => Some(dtypes.clone()),
            // The kind of the elements of an empty list is not known.
            Attr::Ints(none) if none.is_empty() => Some(vec![]),
            _ => None,
        }
    }

    fn number_of(&self, name: &str) -> Option<i64> {
        match self.attrs.get(name)? {
            Attr::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl OpDefinition {
    /// The definition of an op; `None` if the table has none.
    pub fn find(op: &str) -> Option<Self> {
        static LINES: LazyLock<Lines> = LazyLock::new(|| lines(TABLE));
        Self::find_in(&LINES, op)
    }

    /// The definition of an op that TensorFlow's registry does not list; `None` for all but a few.
    pub fn find_unlisted(op: &str) -> Option<Self> {
        static LINES: LazyLock<Lines> = LazyLock::new(|| lines(UNLISTED));
        Self::find_in(&LINES, op)
    }

    fn find_in(lines: &'static Lines, op: &str) -> Option<Self> {
        let (fields, read) = lines.get(op)?;
        Some(Self(read.get_or_init(|| Box::new(Fields::parse(fields)))))
    }

    /// The op's inputs.
    pub fn inputs(self) -> impl DoubleEndedIterator<Item = Argument> + Clone {
        self.0.inputs.iter().copied()
    }

    /// The op's outputs.
    pub fn outputs(self) -> impl DoubleEndedIterator<Item = Argument> + Clone {
        self.0.outputs.iter().copied()
    }

    /// The op's attributes.
    pub fn attributes(self) -> impl Iterator<Item = AttributeDefinition> {
        self.0.attributes.iter().copied()
    }

    /// The attribute of this name.
    pub fn attribute(self, name: &str) -> Option<AttributeDefinition> {
        self.attributes().find(|attribute| attribute.name == name)
    }

    /// The type that an attribute of a node holds, or the attribute's default.
    pub fn type_attribute(self, name: &str, node: &impl TypeAttributes) -> Option<DType> {
        node.type_of(name).or_else(|| DType::from_name(self.attribute(name)?.default?))
    }

    /// The number of tensors of an argument; `None` if the node's attributes do not have it.
    pub fn count(self, argument: Argument, node: &impl TypeAttributes) -> Option<usize> {
        match argument.form {
            Form::One(_) => Some(1),
            Form::Number(name, _) => {
                let number = node.number_of(name).or_else(|| self.attribute(name)?.default?.parse().ok())?;
                usize::try_from(number).ok()
            }
            Form::Types(name) => Some(self.listed_types(name, node)?.len()),
        }
    }

    /// The types of the `count` tensors of an argument; `None` for types that are not in the node's attributes.
    pub fn types(self, argument: Argument, count: usize, node: &impl TypeAttributes) -> Vec<Option<DType>> {
        match argument.form {
            Form::One(element) | Form::Number(_, element) => vec![self.element_type(element, node); count],
            Form::Types(name) => match self.listed_types(name, node) {
                Some(types) => types.into_iter().map(Some).collect(),
                None => vec![None; count],
            },
        }
    }

    /// The types of a node's outputs, as its definition and attributes say: `None` for a type that they do not say, and
    /// for all where they do not say how many outputs there are.
    pub fn output_types(self, node: &impl TypeAttributes) -> Option<Vec<Option<DType>>> {
        let mut types = vec![];
        for output in self.outputs() {
            let count = self.count(output, node).filter(|&count| count <= MAX_LIST)?;
            types.extend(self.types(output, count, node));
        }
        Some(types)
    }

    /// The type of the output of an op that always has one, as for [`OpDefinition::output_types`]; `None` for other ops.
    pub fn only_output(self, node: &impl TypeAttributes) -> Option<Option<DType>> {
        match self.0.outputs[..] {
            [Argument { form: Form::One(element), .. }] => Some(self.element_type(element, node)),
            _ => None,
        }
    }

    fn element_type(self, element: ElementType, node: &impl TypeAttributes) -> Option<DType> {
        match element {
            ElementType::Fixed(dtype) => dtype,
            ElementType::Attribute(name) => self.type_attribute(name, node),
        }
    }

    /// The port of a tensor among all outputs of a node, from the name of an output and the index in that output.
    pub fn port(self, name: &str, index: usize, node: &impl TypeAttributes) -> Option<usize> {
        let mut first: usize = 0;
        for output in self.outputs() {
            if output.name == name {
                return first.checked_add(index);
            }
            first = first.checked_add(self.count(output, node)?)?;
        }
        None
    }

    fn listed_types(self, name: &str, node: &impl TypeAttributes) -> Option<Vec<DType>> {
        node.types_of(name).or_else(|| {
            let default = self.attribute(name)?.default?.strip_prefix('[')?.strip_suffix(']')?;
            default.split(',').filter(|name| !name.is_empty()).map(DType::from_name).collect()
        })
    }
}

/// The types of a node's outputs as its op's definition and its attributes declare them, independent of its inputs. `None` for
/// an op that TensorFlow does not define, and within for types that are not declared.
pub fn declared_output_types(node: &NodeDef) -> Option<Vec<Option<DType>>> {
    OpDefinition::find(&node.op)?.output_types(node)
}

impl Fields {
    fn parse(text: &'static str) -> Self {
        let mut fields = text.split('|');
        let mut words = || fields.next().unwrap_or_default().split_ascii_whitespace();
        Self {
            inputs: words().map(Argument::parse).collect(),
            outputs: words().map(Argument::parse).collect(),
            attributes: words().map(AttributeDefinition::parse).collect(),
        }
    }
}

impl Argument {
    fn parse(text: &'static str) -> Self {
        let (name, form) = text.split_once(':').unwrap_or((text, ""));
        let form = match form.split_once('*') {
            Some((types, "")) => Form::Types(types),
            Some((number, element)) => Form::Number(number, ElementType::parse(element)),
            None => Form::One(ElementType::parse(form)),
        };
        Self { name, form }
    }
}

impl ElementType {
    /// Attributes that hold types are written like types, but TensorFlow has no attribute with the name of a type.
    fn parse(text: &'static str) -> Self {
        match DType::from_name(text) {
            Some(dtype) => Self::Fixed(Some(dtype)),
            None if matches!(text, "int4" | "uint4") || text.starts_with("float8") => Self::Fixed(None),
            None => Self::Attribute(text),
        }
    }
}

impl AttributeDefinition {
    fn parse(text: &'static str) -> Self {
        let (text, allowed) = match text.split_once('{') {
            Some((text, allowed)) => (text, allowed.strip_suffix('}')),
            None => (text, None),
        };
        let (name, text) = text.split_once(':').unwrap_or((text, ""));
        let end = text.find(['>', '=']).unwrap_or(text.len());
        let (kind, rest) = text.split_at(end);
        let (minimum, default) = match rest.strip_prefix(">=") {
            Some(rest) => match rest.split_once('=') {
                Some((minimum, default)) => (minimum.parse().ok(), Some(default)),
                None => (rest.parse().ok(), None),
            },
            None => (None, rest.strip_prefix('=')),
        };
        Self { name, kind, minimum, default, allowed }
    }

    /// Whether the attribute may have this value, as text.
    pub fn allows(&self, value: &str) -> bool {
        self.allowed.is_none_or(|allowed| allowed.split(',').any(|known| known == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Attrs, Shape, TensorType};

    fn node(attrs: Attrs) -> Node {
        let outputs = vec![TensorType::new(DType::Float32, Shape::UNKNOWN)];
        Node { name: "n".to_owned(), op: String::new(), inputs: vec![], attrs, outputs }
    }

    #[test]
    fn every_line_of_the_table_is_found_by_its_name() {
        let names: Vec<&str> = TABLE.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(names.is_sorted() && names.len() > 900);
        assert!(names.iter().all(|name| OpDefinition::find(name).is_some()));
        for name in ["", "A", "Abs ", "MyOp", "Zzz", "abs"] {
            assert!(OpDefinition::find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn unlisted_ops_are_defined_too() {
        let switch = OpDefinition::find_unlisted("_SwitchN").unwrap();
        assert_eq!((switch.inputs().count(), switch.attribute("num_outs").unwrap().minimum), (2, Some(1)));
        assert_eq!(OpDefinition::find_unlisted("LogicalXor").unwrap().inputs().count(), 2);
        assert!(OpDefinition::find_unlisted("Abs").is_none());
    }

    #[test]
    fn a_line_says_what_an_op_takes_and_returns() {
        let concat = OpDefinition::find("ConcatV2").unwrap();
        let inputs: Vec<Argument> = concat.inputs().collect();
        let index = ElementType::Attribute("Tidx");
        assert_eq!(inputs[0].form, Form::Number("N", ElementType::Attribute("T")));
        assert_eq!(inputs[1], Argument { name: "axis", form: Form::One(index) });
        let number = concat.attribute("N").unwrap();
        assert_eq!((number.kind, number.minimum, number.default), ("int", Some(2), None));
        let index = concat.attribute("Tidx").unwrap();
        assert_eq!((index.default, index.allowed), (Some("int32"), Some("int32,int64")));
        assert!(index.allows("int64") && !index.allows("float32"));
    }

    #[test]
    fn attributes_say_the_types_of_outputs_and_defaults_those_that_are_missing() {
        let types = |op: &str, attrs| OpDefinition::find(op).unwrap().output_types(&node(attrs));
        let (float, int, long) = (Some(DType::Float32), Some(DType::Int32), Some(DType::Int64));
        assert_eq!(types("Shape", Attrs::new()), Some(vec![int]));
        assert_eq!(types("Shape", [("out_type", Attr::Type(DType::Int64))].into()), Some(vec![long]));
        assert_eq!(types("Relu", Attrs::new()), Some(vec![None]));
        let split: Attrs = [("num_split", Attr::Int(3)), ("T", Attr::Type(DType::Float32))].into();
        assert_eq!(types("Split", split), Some(vec![float; 3]));
        assert_eq!(types("Split", [("num_split", Attr::Int(1 << 40))].into()), None);
        assert_eq!(types("DecodeWav", Attrs::new()), Some(vec![float, int]));
        assert_eq!(
            types("If", [("Tout", Attr::Types(vec![DType::Int32, DType::Float32]))].into()),
            Some(vec![int, float])
        );
    }

    #[test]
    fn outputs_after_a_list_are_counted_by_its_length() {
        let gather = OpDefinition::find("RaggedGather").unwrap();
        let two = node([("OUTPUT_RAGGED_RANK", Attr::Int(2))].into());
        assert_eq!(gather.port("output_nested_splits", 1, &two), Some(1));
        assert_eq!(gather.port("output_dense_values", 0, &two), Some(2));
        assert_eq!(gather.port("other", 0, &two), None);
    }
}
