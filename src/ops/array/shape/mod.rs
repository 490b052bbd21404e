pub mod basic;
pub mod blocks;
pub mod diagonal;
pub mod make;
pub mod order;
