//! Values of variables and images that follow from their names, so that a test can write a checkpoint
//! for which TensorFlow's results are known.

/// Values in [0, 1) that follow from a name: splitmix64 seeded with the FNV-1a hash of the name.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (1..=count as u64).map(move |i| {
        let mut z = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f64 / f64::from(1 << 24)
    })
}

/// The contents of a variable: its role, the last part of its name, picks the range.
pub fn variable(name: &str, shape: &[usize], gain: f64) -> Vec<f32> {
    let role = name.rsplit('/').next().unwrap_or_default();
    let fan_in: usize = match role {
        "depthwise_weights" => shape[..2].iter().product(),
        _ => shape[..shape.len().saturating_sub(1)].iter().product(),
    };
    let value = |u: f64| match role {
        "moving_variance" | "gamma" => 0.5 + u,
        "moving_mean" | "beta" | "biases" | "bias" => (u - 0.5) * 0.2,
        _ if shape.len() >= 2 => (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt(),
        _ => 2.0 * u - 1.0,
    };
    uniform(name, shape.iter().product()).map(|u| (value(u) * gain) as f32).collect()
}

/// The image that the networks are run on.
pub fn image(shape: &[usize]) -> Vec<f32> {
    uniform("input", shape.iter().product()).map(|u| (2.0 * u - 1.0) as f32).collect()
}

#[test]
fn the_formula_gives_the_values_it_is_defined_with() {
    // The definition prints eight decimals of the values before they are rounded to float32.
    let near = |values: &[f32], printed: &[f64]| {
        assert_eq!(values.len(), printed.len());
        values.iter().zip(printed).all(|(&value, printed)| (f64::from(value) - printed).abs() < 1e-7)
    };
    assert!(near(&image(&[3]), &[-0.80436337, 0.30472076, -0.59275150]));
    let weights = variable("A/weights", &[3, 3, 2, 4], 1.0);
    assert!(near(&weights[..3], &[-0.04039328, -0.10939004, -0.01442321]));
    let variance = variable("A/BatchNorm/moving_variance", &[4], 1.0);
    assert!(near(&variance, &[1.34130291, 0.66411704, 0.96223468, 1.01142287]));
}
