//! Real numbers as text with a fixed number of digits behind the point, as `%f` of C writes them.
//!
//! The digits behind the point are an integer, whose groups of three digits are looked up in a table of texts.
//!
//! Sources: `tensorflow/core/kernels/as_string_op.cc`; the product with its rounding error is T. J. Dekker's, "A floating-point
//! technique for extending the available precision", 1971.

use std::sync::Arc;

use super::text::text;
use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::Layout;
use crate::lower::context::Lowering;
use crate::lower::formula::{Formula, Value};
use crate::lower::steps::Steps;
use crate::tensor::{Constant, DType, Inline};

/// The most digits behind the point: the integer of them is exact in float64.
pub const MOST_DIGITS: usize = 15;

/// How many digits are looked up at once.
const GROUP: usize = 3;

/// 2^63: an integer of this size does not fit the type of the integers that are written.
const MOST: f64 = 9_223_372_036_854_775_808.0;

/// Numbers with `digits` digits behind the point. The runtime decides how it writes those of 2^63 and more.
pub fn fixed_point(cx: &mut Lowering<'_>, node: NodeRef<'_>, digits: usize) -> Result<()> {
    let input = cx.input_of(node, 0)?;
    // Factors of 24 bits, and of the 28 bits of 5 to the 12th.
    let is_exact = cx.dtype(input) != DType::Float64 && digits <= 12;
    let name = cx.in_type(node, input, DType::Float64)?;
    let texts = [("minus", "-"), ("nothing", ""), ("point", "."), ("nan", "nan"), ("infinity", "inf")];
    let texts = texts.map(|(what, value)| text(cx, node, what, value.as_bytes()));
    let sizes = [digits % GROUP].into_iter().filter(|&first| first > 0);
    let sizes: Vec<usize> = sizes.chain(std::iter::repeat_n(GROUP, digits / GROUP)).collect();
    let tables: Vec<String> = sizes.iter().map(|&size| table(cx, node, size)).collect();
    let f = Formula::new(Steps { cx, node }, DType::Float64);
    let [minus, nothing, point, nan, infinity] = texts.map(|name| f.value(name));

    let x = f.value(name);
    let size = x.abs();
    let is_written = size.less(MOST);
    let finite = is_written.choose(&size, 0.0);
    let written = if digits == 0 {
        // Of two integers as near, it is the even one.
        finite.round().cast(DType::Int64).cast(DType::String)
    } else {
        let whole = finite.floor();
        let scale = 10_f64.powi(digits as i32);
        let behind = rounded_product(&(&finite - &whole), scale, is_exact);
        let is_one_more = behind.at_least(scale);
        let whole = is_one_more.choose(&whole + 1.0, &whole).cast(DType::Int64);
        let behind = is_one_more.choose(0.0, &behind).cast(DType::Int64);
        let start = whole.cast(DType::String).op("StringConcat", &[&point]);
        let mut left = digits;
        sizes.into_iter().zip(tables).fold(start, |written, (size, table)| {
            left -= size;
            let group = behind.op("Div", &[&f.integer(10_i64.pow(left as u32))]);
            let group = group.op("Mod", &[&f.integer(10_i64.pow(size as u32))]);
            written.op("StringConcat", &[&f.value(table).along("Gather", 0, &[&group])])
        })
    };
    let odd = size.less(f64::INFINITY).op("Where", &[&size.cast(DType::String), &infinity]);
    let odd = x.is_nan().op("Where", &[&nan, &odd]);
    let written = is_written.op("Where", &[&written, &odd]);
    // The number -0.0 is not less than 0.
    let is_negative = x.less(0.0).or(&x.is(0.0).and(&(1.0 / &x).less(0.0)));
    let sign = is_negative.op("Where", &[&minus, &nothing]);
    let inputs = vec![sign.name.clone(), written.name.clone()];
    drop((minus, nothing, point, nan, infinity));
    let Steps { cx, node } = f.into_steps();
    let layout = Layout::tensorflow_of(cx.shape(node.into()));
    cx.emit(node, "StringConcat", inputs, layout, vec![]);
    Ok(())
}

/// All texts of so many digits, in their order.
fn table(cx: &mut Lowering<'_>, node: NodeRef<'_>, size: usize) -> String {
    let count = 10_usize.pow(size as u32);
    let texts = (0..count).map(|number| format!("{number:0size$}").into_bytes()).collect();
    let texts = Constant::new(DType::String, vec![count], Arc::new(Inline::Strings(texts)));
    cx.initializer(&format!("{}/digits_{size}", node.name), texts, &[])
}

/// The product with a power of ten, rounded to an integer. Of two as near, it is the even one, and the exact product decides which is the
/// nearer one: a product that is not exact can become a half that was none.
fn rounded_product<'f>(x: &Value<'f>, scale: f64, is_exact: bool) -> Value<'f> {
    let product = x * scale;
    let even = product.round();
    if is_exact {
        return even;
    }
    let (high, low) = halves(scale);
    let large = x * SPLITTER;
    let x_high = &large - (&large - x);
    let x_low = x - &x_high;
    let error = &x_high * high - &product + &x_high * low + &x_low * high + &x_low * low;
    let floor = product.floor();
    let is_half = (&product - &floor).is(0.5);
    let nearer = error.greater(0.0).choose(&floor + 1.0, &floor);
    is_half.and(&error.is(0.0).not()).choose(nearer, even)
}

/// What splits a number of float64 into two halves, each with half of its digits.
const SPLITTER: f64 = 134_217_729.0;

fn halves(number: f64) -> (f64, f64) {
    let large = number * SPLITTER;
    let high = large - (large - number);
    (high, number - high)
}
