//! The greatest or the least element along axes, and the number that stands beside it in another tensor.
//!
//! JAX writes it for `argmax` and `argmin` (`_compute_argminmax` in `jax/_src/lax/lax.py`). Of equal elements, the one with the least number
//! counts. NaN counts before all numbers.

use super::computation::{Combination, expressions};
use super::reduce::{neutral, reduced};
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::ops::xla::dimensions;
use crate::tensor::DType;

/// The operator by which an element is before another one, and how those before all others are found.
fn order(results: &[String]) -> Option<(&'static str, Combination)> {
    let [element, number] = results else { return None };
    [("Greater", Combination::Max), ("Less", Combination::Min)].into_iter().find(|(operator, _)| {
        let is_before = format!("LogicalOr({operator}($0,$2),NotEqual($0,$0))");
        let is_chosen = format!("LogicalOr({is_before},LogicalAnd(Equal($0,$2),Less($1,$3)))");
        *element == format!("SelectV2({is_before},$0,$2)")
            && *number == format!("SelectV2({is_chosen},$1,$3)")
    })
}

pub fn best(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let &[input, numbers, first, first_number] = &node.inputs[..] else {
        return Err(node.error("it reduces several tensors together").unsupported());
    };
    let (dtype, number_dtype) = (cx.dtype(input), cx.dtype(numbers));
    let results = expressions(cx, node, "reducer", &[dtype, number_dtype, dtype, number_dtype])?;
    let Some((operator, combination)) = order(&results) else {
        let problem = "its function `reducer` does not choose the greatest or the least of elements";
        return Err(node.error(problem).unsupported());
    };
    let rank = cx.rank(node, input)?;
    let axes = dimensions::axes(&node, node.ints("dimensions_to_reduce"), rank)?;
    if axes.is_empty() {
        return [(0, input), (1, numbers)]
            .into_iter()
            .try_for_each(|(port, tensor)| cx.alias(node.output(port), tensor));
    }
    let mut axes: Vec<i64> = axes.into_iter().map(|axis| axis as i64).collect();
    axes.sort_unstable();
    let [input, numbers, first, first_number] =
        [input, numbers, first, first_number].map(|tensor| cx.in_tensorflow_layout(tensor));
    let (input, numbers, first, first_number) = (input?, numbers?, first?, first_number?);

    let mut steps = Steps { cx, node };
    let along = steps.ints(&axes);
    // With NaN among the elements, runtimes disagree about the greatest one.
    let is_none = dtype.is_float().then(|| steps.op("IsNaN", &[&input]));
    let last = steps.number(dtype, neutral(combination, dtype));
    let comparable = match &is_none {
        Some(is_none) => steps.op("Where", &[is_none, &last, &input]),
        None => input.clone(),
    };
    let found = reduced(&mut steps, comparable, (combination, dtype), &axes);
    let beside = steps.op("Unsqueeze", &[&found, &along]);
    let mut is_best = steps.op("Equal", &[&input, &beside]);
    let has_none = is_none.map(|is_none| {
        let has_none = reduced(&mut steps, is_none.clone(), (Combination::Or, DType::Bool), &axes);
        let beside = steps.op("Unsqueeze", &[&has_none, &along]);
        is_best = steps.op("Where", &[&beside, &is_none, &is_best]);
        has_none
    });
    let greatest = steps.number(number_dtype, neutral(Combination::Min, number_dtype));
    let candidates = steps.op("Where", &[&is_best, &numbers, &greatest]);
    let number = reduced(&mut steps, candidates, (Combination::Min, number_dtype), &axes);

    // What the node begins with is one more element.
    let is_first = steps.op(operator, &[&first, &found]);
    let is_equal = steps.op("Equal", &[&first, &found]);
    let is_less = steps.op("Less", &[&first_number, &number]);
    let is_equal = steps.op("And", &[&is_equal, &is_less]);
    let mut is_first_number = steps.op("Or", &[&is_first, &is_equal]);
    let mut found = steps.op("Where", &[&is_first, &first, &found]);
    if let Some(has_none) = has_none {
        let none = steps.number(dtype, f64::NAN);
        found = steps.op("Where", &[&has_none, &none, &found]);
        let has_numbers = steps.op("Not", &[&has_none]);
        is_first_number = steps.op("And", &[&is_first_number, &has_numbers]);
    }
    let number = steps.op("Where", &[&is_first_number, &first_number, &number]);
    steps.set_output(0, found, dtype);
    steps.set_output(1, number, number_dtype);
    Ok(())
}
