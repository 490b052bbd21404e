pub mod banded;
pub mod cross;
pub mod eigen;
pub mod factors;
mod frame;
pub mod orthogonal;
pub mod solve;
