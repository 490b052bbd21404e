//! TensorFlow's stateless random numbers, exactly: Philox with 4 x 32 bits and 10 rounds, in integers of 64 bits.
//!
//! Sources: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), for the rounds;
//! `tensorflow/core/lib/random/{philox_random.h,random_distributions.h}` and
//! `tensorflow/core/kernels/{stateless_random_ops.cc,random_op_cpu.h}` for the keys, the counters and the distributions.

use crate::error::Result;
use crate::graph::NodeRef;
use crate::lower::context::Lowering;
use crate::lower::steps::Steps;
use crate::tensor::{Constant, DType};

/// 2 to the power of 32, and its half in bits.
const WORD: i64 = 1 << 32;
const HALF_WORD: i64 = 1 << 16;
/// The factors of a round, and what the key grows by.
const FACTORS: [i64; 2] = [0xD251_1F53, 0xCD9E_8D57];
const GROWTH: [i64; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: i64 = 10;
/// The key with which seeds are mixed.
const MIXING_KEY: [i64; 2] = [0x3EC8_F720, 0x0246_1E29];

/// Where a generator begins: four words of a counter and two of a key, as columns `[4, 1]` and `[2, 1]` of int64.
pub struct Generator {
    pub counter: String,
    pub key: String,
}

/// A constant column of int64.
fn column(steps: &mut Steps<'_, '_, '_>, what: &str, values: &[i64]) -> String {
    let constant = Constant::from_i64(vec![values.len(), 1], values);
    steps.cx.initializer(&format!("{}/{what}", steps.node.name), constant, &[])
}

/// The quotient and the remainder of numbers that are not negative.
fn divided(steps: &mut Steps<'_, '_, '_>, value: &String, divisor: i64) -> [String; 2] {
    let divisor = steps.int(divisor);
    [steps.op("Div", &[value, &divisor]), steps.op("Mod", &[value, &divisor])]
}

/// The low and the high word of each number, in this order: `[n]` becomes `[2 n, 1]`.
fn words(steps: &mut Steps<'_, '_, '_>, numbers: &String) -> String {
    let word = steps.int(WORD);
    // ONNX's Mod of integers has the sign of the divisor.
    let low = steps.op("Mod", &[numbers, &word]);
    let high = steps.op("Sub", &[numbers, &low]);
    let high = steps.op("Div", &[&high, &word]);
    let high = steps.op("Mod", &[&high, &word]);
    let behind = steps.ints(&[1]);
    let [low, high] = [low, high].map(|words| steps.op("Unsqueeze", &[&words, &behind]));
    let pairs = steps.op_with("Concat", &[&low, &high], "axis", 1);
    let shape = steps.ints(&[-1, 1]);
    steps.op("Reshape", &[&pairs, &shape])
}

/// The number of two words as int64, whose highest bit is the sign.
pub fn joined(steps: &mut Steps<'_, '_, '_>, low: &String, high: &String) -> String {
    let (word, sign, none) = (steps.int(WORD), steps.int(WORD / 2), steps.int(0));
    let is_negative = steps.op("GreaterOrEqual", &[high, &sign]);
    let less = steps.op("Where", &[&is_negative, &word, &none]);
    let high = steps.op("Sub", &[high, &less]);
    let high = steps.op("Mul", &[&high, &word]);
    steps.op("Add", &[&high, low])
}

/// Four random words for each column of counters `[4, n]`.
pub fn random_words(steps: &mut Steps<'_, '_, '_>, counters: String, key: &str) -> Result<String> {
    let rounds = steps.int(ROUNDS);
    let state = [(counters, DType::Int64), (key.to_owned(), DType::Int64)];
    let [words, _] = steps.repeat(&rounds, state, |steps, _, [counters, key]| {
        let [even, odd] = [[0, 2], [1, 3]].map(|rows| {
            let rows = steps.ints(&rows);
            steps.op_with("Gather", &[counters, &rows], "axis", 0)
        });
        // The products have 64 bits, more than int64 has: they are made of two of 48 bits each.
        let great = column(steps, "great_factors", &FACTORS.map(|factor| factor / HALF_WORD));
        let small = column(steps, "small_factors", &FACTORS.map(|factor| factor % HALF_WORD));
        let (great, small) = (steps.op("Mul", &[&even, &great]), steps.op("Mul", &[&even, &small]));
        let [carried, lowest] = divided(steps, &small, HALF_WORD);
        let great = steps.op("Add", &[&great, &carried]);
        let [high, middle] = divided(steps, &great, HALF_WORD);
        let half = steps.int(HALF_WORD);
        let middle = steps.op("Mul", &[&middle, &half]);
        let low = steps.op("Add", &[&middle, &lowest]);
        let swapped = steps.ints(&[1, 0]);
        let high = steps.op_with("Gather", &[&high, &swapped], "axis", 0);
        let mixed = steps.op("BitwiseXor", &[&high, &odd]);
        let mixed = steps.op("BitwiseXor", &[&mixed, key]);
        let all = steps.op_with("Concat", &[&mixed, &low], "axis", 0);
        let order = steps.ints(&[0, 3, 1, 2]);
        let counters = steps.op_with("Gather", &[&all, &order], "axis", 0);
        let growth = column(steps, "growth", &GROWTH);
        let key = steps.op("Add", &[key, &growth]);
        let word = steps.int(WORD);
        Ok([counters, steps.op("Mod", &[&key, &word])])
    })?;
    Ok(words)
}

impl Generator {
    /// The generator of a seed, which is an input of two numbers: the seed is mixed first.
    pub fn of_seed(steps: &mut Steps<'_, '_, '_>, index: usize) -> Result<Self> {
        let seed = steps.integers(index)?;
        let counter = words(steps, &seed);
        let key = column(steps, "mixing_key", &MIXING_KEY);
        let mixed = random_words(steps, counter, &key)?;
        let key = steps.part(&mixed, 0, 0, 2);
        let nonce = steps.part(&mixed, 0, 2, 4);
        let none = column(steps, "counter", &[0, 0]);
        Ok(Self { counter: steps.op_with("Concat", &[&none, &nonce], "axis", 0), key })
    }

    /// The generator of a key and a counter, which are the inputs `index` and the one after it.
    pub fn of_key(steps: &mut Steps<'_, '_, '_>, index: usize) -> Result<Self> {
        let (key, counter) = (steps.integers(index)?, steps.integers(index + 1)?);
        // A counter for other algorithms may be longer.
        let counter = steps.part(&counter, 0, 0, 2);
        Ok(Self { counter: words(steps, &counter), key: words(steps, &key) })
    }

    /// The counters that are so many steps after the first one: `[4, n]`.
    fn counters(&self, steps: &mut Steps<'_, '_, '_>, offsets: &String) -> String {
        let first = steps.ints(&[0]);
        let mut carried = steps.op("Unsqueeze", &[offsets, &first]);
        let mut rows = vec![];
        for row in 0..4 {
            let word = steps.part(&self.counter, 0, row, row + 1);
            let sum = steps.op("Add", &[&word, &carried]);
            let [more, rest] = divided(steps, &sum, WORD);
            rows.push(rest);
            carried = more;
        }
        let rows: Vec<&String> = rows.iter().collect();
        steps.op_with("Concat", &rows, "axis", 0)
    }

    /// Groups of random words `[groups, 4]`: of one group for each offset.
    pub fn groups(&self, steps: &mut Steps<'_, '_, '_>, offsets: &String) -> Result<String> {
        // ONNX Runtime mistakes the remainders of no numbers, so there is always one group, the last one, that is not used.
        let unused = steps.ints(&[0]);
        let offsets = steps.op_with("Concat", &[offsets, &unused], "axis", 0);
        let counters = self.counters(steps, &offsets);
        let words = random_words(steps, counters, &self.key)?;
        let words = steps.part(&words, 1, 0, -1);
        Ok(steps.transpose(&words, &[1, 0]))
    }
}

/// The key and the counter of a seed, as two uint64 numbers and one.
pub fn key_and_counter(cx: &mut Lowering<'_>, node: NodeRef<'_>) -> Result<()> {
    let mut steps = Steps { cx, node };
    let Generator { counter, key } = Generator::of_seed(&mut steps, 0)?;
    for (port, words, count) in [(0, key, 2), (1, counter, 4)] {
        let shape = steps.ints(&[count / 2, 2]);
        let pairs = steps.op("Reshape", &[&words, &shape]);
        let flat = steps.ints(&[-1]);
        let [low, high] = [0, 1].map(|column| {
            let words = steps.part(&pairs, 1, column, column + 1);
            steps.op("Reshape", &[&words, &flat])
        });
        let numbers = joined(&mut steps, &low, &high);
        steps.set_output(port, numbers, DType::Int64);
    }
    if node.outputs.len() == 3 {
        steps.cx.set_constant(node.output(2), Constant::scalar(DType::Int32, 1.0));
    }
    Ok(())
}
