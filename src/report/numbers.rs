//! Numbers as text for people.

use crate::onnx::Dim;

/// A number of bytes: `109.3 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A count with commas: `25,553,192`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number to three digits: `0.0123`, `-1.5e-9`.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = match value.abs() {
        size if !(1e-4..1e6).contains(&size) => return format!("{value:.2e}").replace('-', "−"),
        size if size >= 100.0 => format!("{value:.0}"),
        size => {
            let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{value:.decimals$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    };
    text.replace('-', "−")
}

/// A share: `12.3 %`.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

/// A time: `12 ms`, `1.25 s`.
pub fn seconds(seconds: f64) -> String {
    match seconds * 1000.0 {
        milliseconds if milliseconds < 9.95 => format!("{milliseconds:.1} ms"),
        milliseconds if milliseconds < 999.5 => format!("{milliseconds:.0} ms"),
        _ => format!("{seconds:.2} s"),
    }
}

/// A shape: `batch×35×35×192`.
pub fn shape(dims: Option<&[Dim]>) -> String {
    let dim = |dim: &Dim| match dim {
        Dim::Known(length) => length.to_string(),
        Dim::Named(name) => name.clone(),
        Dim::Unknown => "?".to_owned(),
    };
    match dims {
        None => "unknown rank".to_owned(),
        Some([]) => "scalar".to_owned(),
        Some(dims) => dims.iter().map(dim).collect::<Vec<_>>().join("×"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_in_the_unit_that_fits() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(109_270_000), "109.3 MB");
        assert_eq!(bytes(999_990), "1.0 MB");
    }

    #[test]
    fn numbers_are_short_and_exact_enough() {
        assert_eq!([1, 999, 1000, 25_553_192].map(thousands), ["1", "999", "1,000", "25,553,192"]);
        assert_eq!(
            [0.0, 0.001, 0.012345, -1.5, 12.0, 123.4].map(short),
            ["0", "0.001", "0.0123", "−1.5", "12", "123"]
        );
        assert_eq!([1.5e-9, -2e7, f64::INFINITY].map(short), ["1.50e−9", "−2.00e7", "inf"]);
        assert_eq!([0.0, 0.0004, 0.1234, 1.0].map(percent), ["0 %", "< 0.1 %", "12.3 %", "100.0 %"]);
        assert_eq!([0.00123, 0.0123, 0.9999, 1.25].map(seconds), ["1.2 ms", "12 ms", "1.00 s", "1.25 s"]);
        assert_eq!(shape(Some(&[Dim::Unknown, Dim::Known(35)])), "?×35");
    }
}
