pub mod audio;
pub mod spectral;
