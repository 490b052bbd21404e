pub mod bessel;
pub mod error;
pub mod gamma;
pub mod incomplete;
pub mod integrals;
pub mod numbers;
mod table;
mod values;

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::ops::math::lower::binary::operands;
use crate::tensor::DType;

/// Writes an op as a formula of its inputs. It is computed in float64, so that the digits of float32 that differences lose are not
/// missed.
fn formula(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: impl for<'f> Fn(&'f Formula<'_, '_, '_>, &[Value<'f>]) -> Value<'f>,
) -> Result<()> {
    let (names, layout) = operands(cx, node)?;
    let mut steps = Steps { cx, node };
    let names: Vec<String> = names.iter().map(|name| steps.cast(name, DType::Float64)).collect();
    let formula = Formula::new(steps, DType::Float64);
    let inputs: Vec<Value<'_>> = names.into_iter().map(|name| formula.value(name)).collect();
    let name = compute(&formula, &inputs).name;
    drop(inputs);
    finish(formula, name, layout);
    Ok(())
}

/// Makes a value the output of the node.
fn finish(formula: Formula<'_, '_, '_>, name: String, layout: Layout) {
    let Steps { cx, node } = formula.into_steps();
    cx.emit_cast(node, name, layout);
}
