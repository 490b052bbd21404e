//! What the tests share. Each test file uses a part of it.
#![allow(dead_code)]

pub mod fill;
pub mod zoo;
