pub mod audio;
pub mod complex;
pub mod fourier;
pub mod waves;
