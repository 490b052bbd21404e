//! What a model may use while it runs.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use crate::error::Error;
use crate::interruption;
use crate::setting::{Setting, SettingValue};

/// What any model may use, however small it is.
const BASE_MEMORY: u64 = 128 << 20;
/// The memory of a thread of the runtime.
const MEMORY_OF_THREAD: u64 = 8 << 20;
/// The runtime keeps weights as they are in the file and as its kernels need them.
const MEMORY_PER_BYTE: u64 = 8;
/// The tensors of a network are larger than its inputs: an image of 3 channels becomes one of 64, and several of these exist at a time.
const MEMORY_PER_INPUT_BYTE: u64 = 64;

/// The seconds for any model. Small ones need milliseconds.
const BASE_SECONDS: u64 = 7;
/// How many bytes of weights and inputs have another second, of which most networks need some hundredths.
const BYTES_PER_SECOND: u64 = 1_000_000;

/// A limit on what a model may use, as the user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// How long it may run.
    Seconds(NonZeroU64),
    /// How many bytes of memory it may allocate.
    Memory(NonZeroU64),
}

/// The units of memory.
const UNITS: [(&str, u64); 4] =
    [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "not of the form seconds=N or memory=N, such as seconds=600 or memory=16GB".to_owned();
        let (key, value) = text.split_once('=').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<NonZeroU64>().ok();
        match key {
            "seconds" => number(value).map(Self::Seconds).ok_or_else(wrong),
            "memory" => {
                let unit = UNITS.iter().find_map(|(unit, bytes)| Some((value.strip_suffix(unit)?, *bytes)));
                let (digits, bytes) = unit.unwrap_or((value, 1));
                let bytes = number(digits).and_then(|number| number.checked_mul(NonZeroU64::new(bytes)?));
                bytes.map(Self::Memory).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

/// The limits of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How the user sets them.
    setting: Setting,
    seconds: Option<NonZeroU64>,
    memory: Option<NonZeroU64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { setting: Setting::Limit, seconds: None, memory: None }
    }
}

impl Limits {
    /// The limits that the user gives with a setting. The last of two of a kind counts.
    pub fn of(setting: Setting, limits: &[Limit]) -> Self {
        limits.iter().fold(Self { setting, ..Self::default() }, |limits, limit| match *limit {
            Limit::Seconds(seconds) => Self { seconds: Some(seconds), ..limits },
            Limit::Memory(memory) => Self { memory: Some(memory), ..limits },
        })
    }

    /// How the user raises the limit on time.
    pub(super) fn longer(&self, seconds: u64) -> SettingValue {
        self.setting.to(format!("seconds={}", seconds.saturating_mul(10)))
    }

    /// How the user raises the limit on memory to at least this much.
    pub(super) fn larger(&self, bytes: u64) -> SettingValue {
        self.setting.to(format!("memory={}GB", bytes.div_ceil(1_000_000_000)))
    }

    /// How many seconds a model of this size may run with inputs of this size.
    pub(super) fn seconds(&self, model: u64, inputs: u64) -> u64 {
        let default = || BASE_SECONDS + model.saturating_add(inputs) / BYTES_PER_SECOND;
        self.seconds.map_or_else(default, NonZeroU64::get)
    }

    /// Compares a model of this size with the graph that it was converted from. Evaluating that is slower than a runtime: all in
    /// all, it may take ten times as long as the model.
    pub fn compared<T>(&self, model: u64, compare: impl FnOnce() -> T) -> T {
        let allowed = self.seconds(model, 0);
        let seconds = allowed.saturating_mul(10);
        let late = Error::new("TensorFlow graph", format!("it was not evaluated within {seconds} s"))
            .advice(format!("give it longer with {}", self.longer(allowed)));
        interruption::run_within(Duration::from_secs(seconds), late, compare)
    }

    /// How many bytes it may allocate: at most what the machine has, if the user does not say more.
    pub(super) fn memory(&self, model: u64, inputs: u64) -> u64 {
        let default = || {
            let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
            let of_model = model.saturating_mul(MEMORY_PER_BYTE);
            let of_inputs = inputs.saturating_mul(MEMORY_PER_INPUT_BYTE);
            let needed = (BASE_MEMORY + threads * MEMORY_OF_THREAD).saturating_add(of_model);
            needed.saturating_add(of_inputs).min(physical_memory().unwrap_or(u64::MAX))
        };
        self.memory.map_or_else(default, NonZeroU64::get)
    }
}

/// The memory of the machine, where the system tells it.
pub(super) fn physical_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        let read = |text: &str| text.parse::<Limit>();
        let number = |number| NonZeroU64::new(number).unwrap();
        assert_eq!(read("seconds=90"), Ok(Limit::Seconds(number(90))));
        assert_eq!(read("memory=16GB"), Ok(Limit::Memory(number(16_000_000_000))));
        assert_eq!(read("memory=4096"), Ok(Limit::Memory(number(4096))));
        for wrong in
            ["seconds", "seconds=0", "seconds=-1", "seconds=1.5", "memory=99999999999TB", "nodes=x", ""]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn defaults_grow_with_the_model_and_the_inputs() {
        let limits = Limits::default();
        assert!(limits.seconds(500_000_000, 0) >= 500);
        assert!(limits.memory(100_000_000, 0) > limits.memory(0, 0) || physical_memory().is_some());
        let given = Limits::of(Setting::Limit, &[Limit::Seconds(NonZeroU64::new(3).unwrap())]);
        assert_eq!((given.seconds(1 << 40, 1 << 40), given.memory(0, 0)), (3, limits.memory(0, 0)));
    }
}
