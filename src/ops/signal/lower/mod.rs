pub mod audio;
pub mod fourier;
pub mod waves;
