//! Hash tables whose contents are in a text file: the lines of the file become constants of the graph.
//!
//! A SavedModel has its files in the folder `assets`. Other graphs name a file on the machine that they were made on; a file of this
//! name in a folder `assets` beside the graph, or beside the graph itself, counts instead. No other file is read: the graph of somebody
//! else could name one that is not meant for its model.
//!
//! A frozen graph has no op that fills its tables. TensorFlow names a table after its file, and how it is read:
//! `hash_table_vocabulary.txt_-2_-1`. A file of this name beside the graph fills the table.
//!
//! Sources: `TextFileInitializer._shared_name` in `tensorflow/python/ops/lookup_ops.py`, `InitializeTableFromTextFileV2` in `tensorflow/core/ops/lookup_ops.cc`, `TextFileLineIterator` in
//! `tensorflow/core/kernels/lookup_util.cc`, `AssetFileDef` in `tensorflow/core/protobuf/meta_graph.proto`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::fs;
use std::path::{Component, Path, PathBuf};

use hashbrown::HashMap;
use prost::Message;

use crate::error::{Error, Result};
use crate::proto::attr_value::Value;
use crate::proto::collection_def::Kind;
use crate::proto::tensor_info::Encoding;
use crate::proto::tensor_shape_proto::Dim;
use crate::proto::{AssetFileDef, AttrValue, GraphDef, MetaGraphDef, NodeDef, TensorProto, TensorShapeProto};
use crate::tensor::DType;

/// The column of a key or a value: the number of its line, counted from 0.
const LINE_NUMBER: i64 = -1;

/// The column of a key or a value: its whole line.
const WHOLE_LINE: i64 = -2;

/// A table, the file that fills it, and how.
struct Filling<'a> {
    table: &'a NodeDef,
    file: PathBuf,
    form: Form,
}

/// How the lines of a file are keys and values.
struct Form {
    /// The columns of the keys and the values.
    columns: [i64; 2],
    delimiter: Option<u8>,
    /// How many lines are read, if not all of them.
    size: Option<usize>,
    /// What is added to the numbers of lines.
    offset: i64,
}

impl Form {
    fn of(initializer: &NodeDef) -> Self {
        let delimiter = match initializer.attr.get("delimiter").and_then(|attr| attr.value.as_ref()) {
            Some(Value::S(delimiter)) => delimiter.first().copied(),
            _ => Some(b'\t'),
        };
        Self {
            columns: [
                int(initializer, "key_index", WHOLE_LINE),
                int(initializer, "value_index", LINE_NUMBER),
            ],
            delimiter,
            size: usize::try_from(int(initializer, "vocab_size", -1)).ok(),
            offset: int(initializer, "offset", 0),
        }
    }
}

/// Adds the contents of the tables that files fill to a graph, as constants and ops that initialize the tables with them. A table
/// whose file is missing stays as it is. The files that were read are no longer listed as files beside the graph, and returned.
///
/// # Errors
/// If a file does not have the form that its table needs.
pub fn fill_tables(meta: &mut MetaGraphDef, path: &Path) -> Result<Vec<PathBuf>> {
    let assets = assets(meta);
    let Some(definition) = &mut meta.graph_def else { return Ok(vec![]) };
    let folder = path.parent().unwrap_or(Path::new("")).join("assets");
    let (mut nodes, mut read) = (vec![], vec![]);
    let beside = [&folder, path.parent().unwrap_or(Path::new(""))];
    let mut fillings = fillings(definition, &assets, &beside);
    for table in definition.node.iter().filter(|node| matches!(&*node.op, "HashTable" | "HashTableV2")) {
        if !is_initialized(definition, table) {
            fillings.extend(named_filling(table, &beside));
        }
    }
    for filling in fillings {
        nodes.extend(initialization(&filling)?);
        read.push(filling.file);
    }
    definition.node.extend(nodes);
    meta.asset_file_def.retain(|asset| !read.contains(&folder.join(&asset.filename)));
    Ok(read)
}

/// The names of files in `assets`, by the tensor that holds the path of the file. `simple_save` of TensorFlow 1 has them in a
/// collection alone.
fn assets(meta: &MetaGraphDef) -> HashMap<String, String> {
    let mut all = meta.asset_file_def.clone();
    let collection = meta.collection_def.get("saved_model_assets").and_then(|found| found.kind.as_ref());
    if let Some(Kind::AnyList(list)) = collection {
        all.extend(list.value.iter().filter_map(|any| AssetFileDef::decode(any.value.as_slice()).ok()));
    }
    let named = |asset: AssetFileDef| match asset.tensor_info?.encoding? {
        Encoding::Name(tensor) => Some((node_of(&tensor).to_owned(), asset.filename)),
        _ => None,
    };
    all.into_iter().filter_map(named).collect()
}

fn node_of(input: &str) -> &str {
    let name = input.split(':').next().unwrap_or(input);
    name.strip_prefix('^').unwrap_or(name)
}

fn is_initializer(node: &NodeDef) -> bool {
    matches!(node.op.as_str(), "InitializeTableFromTextFile" | "InitializeTableFromTextFileV2")
}

/// Whether a node, or a function that it calls, may fill a table.
fn is_initialized(definition: &GraphDef, table: &NodeDef) -> bool {
    let fills = |node: &NodeDef| {
        let may_fill = node.op.starts_with("InitializeTable")
            || node.op.starts_with("LookupTableImport")
            || node.attr.contains_key("f");
        may_fill && node.input.iter().any(|input| node_of(input) == table.name)
    };
    definition.node.iter().any(fills)
}

/// A table whose name tells its file, if this is in one of the folders. A name does not tell what separates columns, so that only
/// whole lines and their numbers are read.
fn named_filling<'a>(table: &'a NodeDef, folders: &[&Path]) -> Option<Filling<'a>> {
    let Some(Value::S(name)) = table.attr.get("shared_name").and_then(|name| name.value.as_ref()) else {
        return None;
    };
    let name = str::from_utf8(name).ok()?.strip_prefix("hash_table_")?;
    let number = |text: &str| text.parse::<i64>().ok();
    let is_line = |column: &i64| matches!(*column, WHOLE_LINE | LINE_NUMBER);
    let (front, last) = name.rsplit_once('_')?;
    let (before, middle) = front.rsplit_once('_')?;
    // The last number may be an offset, behind both columns.
    let with_offset = before.rsplit_once('_').and_then(|(rest, key)| {
        let columns = [number(key)?, number(middle)?];
        columns.iter().all(is_line).then_some((rest, columns, number(last)?))
    });
    let (named, columns, offset) = match with_offset {
        Some(found) => found,
        None => (before, [number(middle)?, number(last)?], 0),
    };
    if !columns.iter().all(is_line) {
        return None;
    }
    // A number behind the name of the file is how many lines are read.
    let sized = named.rsplit_once('_').and_then(|(file, size)| Some((file, Some(size.parse().ok()?))));
    [Some((named, None)), sized].into_iter().flatten().find_map(|(file, size)| {
        let file = file_beside(file, folders)?;
        Some(Filling { table, file, form: Form { columns, delimiter: None, size, offset } })
    })
}

/// The tables that are initialized from a file that exists: by nodes of the graph, or of functions that it calls.
fn fillings<'a>(
    definition: &'a GraphDef,
    assets: &HashMap<String, String>,
    folders: &[&Path],
) -> Vec<Filling<'a>> {
    let nodes: HashMap<&str, &NodeDef> =
        definition.node.iter().map(|node| (node.name.as_str(), node)).collect();
    let filling = |table: &str, file: &str, initializer: &'a NodeDef| {
        let table = *nodes.get(node_of(table))?;
        let file = file_of(definition, &nodes, node_of(file), assets, folders)?;
        Some(Filling { table, file, form: Form::of(initializer) })
    };
    let mut found = vec![];
    for node in &definition.node {
        if let (true, [table, file, ..]) = (is_initializer(node), node.input.as_slice()) {
            found.extend(filling(table, file, node));
        }
        let Some(Value::Func(called)) = node.attr.get("f").and_then(|f| f.value.as_ref()) else { continue };
        let functions = definition.library.iter().flat_map(|library| &library.function);
        let is_called = |name: &str| name == called.name;
        for function in functions {
            let Some(signature) = function.signature.as_ref().filter(|of| is_called(&of.name)) else {
                continue;
            };
            let names = signature.input_arg.iter().map(|argument| argument.name.as_str());
            let arguments: HashMap<&str, &String> = names.zip(&node.input).collect();
            for initializer in function.node_def.iter().filter(|node| is_initializer(node)) {
                let outer = |index: usize| arguments.get(initializer.input.get(index)?.as_str());
                if let (Some(table), Some(file)) = (outer(0), outer(1)) {
                    found.extend(filling(table, file, initializer));
                }
            }
        }
    }
    found
}

/// The file whose path a node holds, in the folder of assets or another one. TensorFlow 2 keeps it in a variable, to which a placeholder for the path is assigned.
fn file_of(
    definition: &GraphDef,
    nodes: &HashMap<&str, &NodeDef>,
    holder: &str,
    assets: &HashMap<String, String>,
    folders: &[&Path],
) -> Option<PathBuf> {
    let mut node = *nodes.get(holder)?;
    if node.op == "ReadVariableOp" {
        let variable = node_of(node.input.first()?);
        let assigns = |node: &&NodeDef| {
            node.op == "AssignVariableOp"
                && node.input.first().is_some_and(|input| node_of(input) == variable)
        };
        let assignment = definition.node.iter().find(assigns)?;
        node = *nodes.get(node_of(assignment.input.get(1)?))?;
    }
    if let Some(file) = assets.get(&node.name) {
        let is_inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
        return folders.first().map(|folder| folder.join(file)).filter(|file| is_inside && file.is_file());
    }
    let Some(Value::Tensor(value)) = node.attr.get("value").and_then(|value| value.value.as_ref()) else {
        return None;
    };
    file_beside(str::from_utf8(value.string_val.first()?).ok()?, folders)
}

/// The file of this name, which may have folders of another machine before it, in one of the folders.
fn file_beside(named: &str, folders: &[&Path]) -> Option<PathBuf> {
    let name = Path::new(named).file_name()?;
    folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn int(node: &NodeDef, name: &str, default: i64) -> i64 {
    match node.attr.get(name).and_then(|attr| attr.value.as_ref()) {
        Some(Value::I(value)) => *value,
        _ => default,
    }
}

fn dtype(node: &NodeDef, name: &str) -> Option<DType> {
    match node.attr.get(name).and_then(|attr| attr.value.as_ref()) {
        Some(Value::Type(number)) => DType::from_proto(*number),
        _ => None,
    }
}

/// The nodes that initialize a table with the contents of its file.
fn initialization(filling: &Filling<'_>) -> Result<Vec<NodeDef>> {
    let Filling { table, file, form } = filling;
    let text = fs::read(file).map_err(|error| Error::file(file, error.to_string()))?;
    let mut lines: Vec<Vec<u8>> = text
        .split(|&byte| byte == b'\n')
        .map(|line| line.iter().copied().filter(|&byte| byte != b'\r').collect())
        .collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    if let Some(size) = form.size {
        if lines.len() < size {
            let problem = format!("has {} lines, and the table \"{}\" needs {size}", lines.len(), table.name);
            return Err(Error::file(file, problem));
        }
        lines.truncate(size);
    }
    if let Some(empty) = lines.iter().position(Vec::is_empty) {
        return Err(Error::file(file, format!("line {} is empty", empty.saturating_add(1))));
    }
    let column = |index: usize, name: &str| -> Result<NodeDef> {
        let dtype = dtype(table, &format!("{}_dtype", name.strip_suffix('s').unwrap_or(name)))
            .ok_or_else(|| Error::new(format!("table \"{}\"", table.name), "its types are not known"))?;
        let mut value = empty(dtype, lines.len());
        for (number, line) in lines.iter().enumerate() {
            let said =
                |problem: &str| Error::file(file, format!("line {} {problem}", number.saturating_add(1)));
            let token = match form.columns.get(index).copied().unwrap_or(WHOLE_LINE) {
                LINE_NUMBER => &(number as i64).wrapping_add(form.offset).to_string().into_bytes(),
                WHOLE_LINE => line,
                column => {
                    let mut tokens = line.split(|byte| Some(*byte) == form.delimiter);
                    let token = usize::try_from(column).ok().and_then(|column| tokens.nth(column));
                    &token.ok_or_else(|| said(&format!("has no column {column}")))?.to_vec()
                }
            };
            push(&mut value, dtype, token).ok_or_else(|| {
                said(&format!("has no {dtype}, which the table \"{}\" contains", table.name))
            })?;
        }
        let attr = |value| AttrValue { value: Some(value) };
        let attrs = [
            ("dtype".to_owned(), attr(Value::Type(dtype.to_proto() as i32))),
            ("value".to_owned(), attr(Value::Tensor(value.into()))),
        ];
        let name = format!("{}/{name}_of_file", table.name);
        Ok(NodeDef { name, op: "Const".to_owned(), attr: attrs.into(), ..NodeDef::default() })
    };
    let (keys, values) = (column(0, "keys")?, column(1, "values")?);
    let fill = NodeDef {
        name: format!("{}/contents_of_file", table.name),
        op: "InitializeTableV2".to_owned(),
        input: vec![table.name.clone(), keys.name.clone(), values.name.clone()],
        ..NodeDef::default()
    };
    Ok(vec![keys, values, fill])
}

/// A vector of this length, without elements yet.
fn empty(dtype: DType, length: usize) -> TensorProto {
    let dim = Dim { size: length as i64, ..Dim::default() };
    let shape = TensorShapeProto { dim: vec![dim], ..TensorShapeProto::default() };
    TensorProto { dtype: dtype.to_proto() as i32, tensor_shape: Some(shape), ..TensorProto::default() }
}

/// Adds an element that is written as text; `None` if the text is no element of the type.
fn push(value: &mut TensorProto, dtype: DType, token: &[u8]) -> Option<()> {
    if dtype == DType::String {
        value.string_val.push(token.to_vec());
        return Some(());
    }
    let text = str::from_utf8(token).ok()?.trim();
    match dtype {
        DType::Int64 => value.int64_val.push(text.parse().ok()?),
        DType::Int32 => value.int_val.push(text.parse().ok()?),
        DType::Float32 => value.float_val.push(text.parse().ok()?),
        DType::Float64 => value.double_val.push(text.parse().ok()?),
        _ => return None,
    }
    Some(())
}
