pub mod fake;
pub mod round_trip;
