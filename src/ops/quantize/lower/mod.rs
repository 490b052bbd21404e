pub mod fake;
pub mod linear;
pub mod round_trip;
