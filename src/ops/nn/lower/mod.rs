pub mod ctc;
pub mod layer_norm;
pub mod layers;
pub mod local;
pub mod loss;
pub mod patches;
pub mod taps;
pub mod transposed;
