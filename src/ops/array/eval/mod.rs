pub mod basic;
pub mod blocks;
pub mod making;
pub mod order;
pub mod padding;
