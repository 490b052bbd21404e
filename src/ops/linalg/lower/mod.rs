pub mod banded;
pub mod cross;
pub mod eigen;
pub mod factors;
mod frame;
mod number;
pub mod orthogonal;
pub mod solve;
