//! `tf2onnx-rs ops`

use serde::Serialize;

use super::output::{self, Column};
use crate::error::Result;
use crate::eval;
use crate::graph::composed;
use crate::graph::op_definition::OpDefinition;
use crate::ops::{Op, refused_ops, supported, supported_ops};

/// Lists the TensorFlow ops that `convert` can convert, and the ONNX operators that they become.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  tf2onnx-rs ops
  tf2onnx-rs ops --json")]
pub struct Args {
    /// Print the list as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the list as docs/ops.md has it
    #[arg(long, hide = true)]
    markdown: bool,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    onnx: Vec<&'static str>,
    opset: i64,
    note: &'static str,
    /// The inputs that must be known before the model runs.
    constants: Vec<Known>,
}

/// An input that must be known before the model runs.
#[derive(Debug, Serialize)]
struct Known {
    input: &'static str,
    reason: &'static str,
}

impl Entry {
    /// The note, and the inputs that must be known.
    fn notes(&self) -> String {
        let known =
            self.constants.iter().map(|known| format!("`{}` must be known: {}", known.input, known.reason));
        let note = Some(self.note.to_owned()).filter(|note| !note.is_empty());
        note.into_iter().chain(known).collect::<Vec<_>>().join("; ")
    }
}

impl From<&Op> for Entry {
    fn from(op: &Op) -> Self {
        let onnx = op.onnx.to_vec();
        // Some ops of a row have as an attribute what is an input of the others.
        let definition = OpDefinition::find(op.name);
        let has = |name: &str| definition.is_none_or(|op| op.inputs().any(|input| input.name == name));
        let constants = op.constants.iter().filter(|(input, _)| has(input));
        let constants = constants.map(|&(input, reason)| Known { input, reason }).collect();
        Self { name: op.name, onnx, opset: op.since, note: op.note, constants }
    }
}

/// An op that is imported as others.
fn of_parts(row: &composed::Row) -> Entry {
    let mut onnx: Vec<&'static str> = vec![];
    let rows: Vec<&Op> = row.parts.iter().filter_map(|part| supported(part)).collect();
    for operator in rows.iter().flat_map(|part| part.onnx) {
        if !onnx.contains(operator) {
            onnx.push(operator);
        }
    }
    let opset = rows.iter().map(|part| part.since).max().unwrap_or_default();
    Entry { name: row.name, onnx, opset, note: row.note, constants: vec![] }
}

pub fn run(args: &Args) -> Result<()> {
    let mut entries: Vec<Entry> = supported_ops().map(Entry::from).collect();
    entries.extend(composed::all().map(of_parts));
    entries.sort_unstable_by_key(|entry| entry.name);
    if args.json {
        return output::print_json(&entries);
    }
    if args.markdown {
        return output::print(&markdown(&entries));
    }
    let rows = entries.iter().map(|entry| {
        vec![entry.name.to_owned(), entry.onnx.join(", "), entry.opset.to_string(), entry.notes()]
    });
    let columns = [
        Column::new("TensorFlow"),
        Column::sentences("ONNX"),
        Column::new("from opset"),
        Column::sentences("notes"),
    ];
    output::print(&output::table(&columns, rows))
}

fn markdown(entries: &[Entry]) -> String {
    let mut text = format!(
        "# Ops\n\nThe {} TensorFlow ops that `convert` can convert, and the ONNX operators that it writes for them. \
         `tf2onnx-rs ops --markdown`\nprints this page. If no operator is named, the op leaves no node: it is a \
         constant or forwards its input. The column `--verify` names the\nops that [`convert --verify`](verify.md) \
         evaluates, with float32, float64, int32, int64, uint8 and booleans. The notes name the inputs that must be \
         known before the model\nruns: constants of the graph, or given with `--freeze`. The model can compute all others.\n\nThe branches of `Switch` and `Merge`, as `tf.cond` and `tf.case` of \
         TensorFlow 1 build them, become `If`. Nodes that Grappler\nand TF.js fuse (`_FusedConv2D`, `_FusedConv3D`, \
         `_FusedMatMul`, `_FusedDepthwiseConv2dNative`, `_FusedBatchNormEx`, `_MklFusedBatchMatMulV2`,\n`_MklSwish`, \
         `_MklFusedMish`, `FusedDepthwiseConv2dNative`, `Prelu`) are read as the ops that they stand for. The arithmetic of layer normalization, hard swish, PReLU and Gelu becomes LayerNormalization (from opset 17), \
         HardSwish (14),\nPRelu and Gelu (20); that of instance and group normalization of images of known size becomes \
         InstanceNormalization.\n\nONNX has no operators for complex numbers. They become two tensors, and where one is an input or output of the model, a tensor \
         of\nfloat32 or float64 with one more axis, the last, for the real and the imaginary part. Special functions are computed in float64.\n\n\
         | TensorFlow | ONNX | from opset | `--verify` | notes |\n|---|---|---|---|---|\n",
        entries.len()
    );
    for entry in entries {
        let verified = if eval::runs(entry.name) { "yes" } else { "" };
        text += &format!(
            "| {} | {} | {} | {verified} | {} |\n",
            entry.name,
            entry.onnx.join(", "),
            entry.opset,
            entry.notes()
        );
    }
    text + &refused()
}

/// The table of ops that cannot be converted.
fn refused() -> String {
    let mut text = "\n## Ops that cannot be converted\n\nThe error that names one of these ops also says why, and what to do \
                    instead. `--inputs` and `--outputs` name the\ntensors where a model begins and ends.\n\n\
                    | TensorFlow | why | instead |\n|---|---|---|\n"
        .to_owned();
    let mut ops: Vec<&Op> = refused_ops().collect();
    ops.sort_unstable_by_key(|op| op.name);
    for op in ops {
        text += &format!("| {} | {} | {} |\n", op.name, op.reason(), op.instead);
    }
    text
}
