//! Which axis of a tensor has which role: the messages in attributes `dimension_numbers`.

use prost::Message;

use crate::error::Result;
use crate::graph::{Attr, Node};

/// The message in the attribute of a node.
///
/// # Errors
/// If it is none.
pub fn of<M: Message + Default>(node: &Node) -> Result<M> {
    let bytes = match node.attrs.get("dimension_numbers") {
        Some(Attr::Bytes(bytes)) => &bytes[..],
        _ => &[],
    };
    M::decode(bytes).map_err(|_| node.error("its dimension_numbers are no message of XLA"))
}

/// Axes of a tensor of this rank, each named once.
///
/// # Errors
/// If the tensor does not have one of them, or it is named twice.
pub fn axes(node: &Node, numbers: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut axes: Vec<usize> = vec![];
    for &number in numbers {
        match usize::try_from(number) {
            Ok(axis) if axis < rank && !axes.contains(&axis) => axes.push(axis),
            _ => {
                let problem =
                    format!("its dimension_numbers name axes {numbers:?} of a tensor of rank {rank}");
                return Err(node.error(problem));
            }
        }
    }
    Ok(axes)
}

/// The axes below a rank that are not among these.
pub fn others(axes: &[usize], rank: usize) -> impl Iterator<Item = usize> + '_ {
    (0..rank).filter(|axis| !axes.contains(axis))
}
