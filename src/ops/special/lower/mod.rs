pub mod bessel;
pub mod error;
pub mod gamma;
pub mod incomplete;
pub mod integrals;
pub mod numbers;
mod values;

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::ops::math::lower::elementwise::in_formula;
use crate::tensor::DType;

/// Writes an op as a formula of its inputs. It is computed in float64, so that the digits of float32 that differences lose are not
/// missed.
fn formula(
    cx: &mut Lowering<'_>,
    node: NodeRef<'_>,
    compute: impl for<'f> Fn(&'f Formula<'_, '_, '_>, &[Value<'f>]) -> Value<'f>,
) -> Result<()> {
    in_formula(cx, node, DType::Float64, compute)
}
