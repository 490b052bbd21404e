pub mod convolution;
pub mod normalization;
pub mod pooling;
pub mod sliding;
