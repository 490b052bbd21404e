pub mod basic;
pub mod blocks;
pub mod make;
pub mod order;
