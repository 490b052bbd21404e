//! Kinds of ops that every part of the program distinguishes.

use super::branches::ON_BRANCH;
use super::{Node, TensorRef};

/// Whether the outputs of an op are its inputs.
pub fn forwards(op: &str) -> bool {
    matches!(
        op,
        "CheckNumerics"
            | "EnsureShape"
            | "Identity"
            | "IdentityN"
            | "PreventGradient"
            | "Print"
            | "ReadVariableOp"
            | "Snapshot"
            | "StopGradient"
            | ON_BRANCH
    )
}

/// Whether an op forwards its first input to one of several branches, which its second input chooses.
pub fn is_switch(op: &str) -> bool {
    matches!(op, "Switch" | "RefSwitch" | "_SwitchN")
}

/// Whether an op merges branches.
pub fn is_merge(op: &str) -> bool {
    matches!(op, "Merge" | "RefMerge")
}

/// Whether an op makes a list of tensors that are still to be written.
pub fn reserves_list(op: &str) -> bool {
    matches!(op, "EmptyTensorList" | "TensorListReserve")
}

/// Whether an op passes a tensor into a loop of TensorFlow 1.
pub fn is_enter(op: &str) -> bool {
    matches!(op, "Enter" | "RefEnter")
}

/// Whether an op passes a tensor out of a loop of TensorFlow 1.
pub fn is_exit(op: &str) -> bool {
    matches!(op, "Exit" | "RefExit")
}

/// Whether an op passes a tensor of a loop of TensorFlow 1 to the next iteration.
pub fn is_next_iteration(op: &str) -> bool {
    matches!(op, "NextIteration" | "RefNextIteration")
}

/// Whether an op is a variable, of either kind.
pub fn is_variable(op: &str) -> bool {
    matches!(op, "Variable" | "VariableV2" | "VarHandleOp")
}

/// Whether an op is fed, or has a default that can be replaced.
pub fn is_placeholder(op: &str) -> bool {
    matches!(op, "Placeholder" | "PlaceholderV2" | "PlaceholderWithDefault")
}

/// Whether an op normalizes batches as a whole.
pub fn is_batch_norm(op: &str) -> bool {
    matches!(op, "FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3")
}

/// Whether an op generates random numbers.
pub fn generates_random_numbers(op: &str) -> bool {
    const STARTS: [&str; 7] = [
        "Random",
        "StatelessRandom",
        "TruncatedNormal",
        "StatelessTruncatedNormal",
        "ParameterizedTruncatedNormal",
        "Multinomial",
        "StatelessMultinomial",
    ];
    STARTS.iter().any(|start| op.starts_with(start))
}

/// Whether the result of an op depends only on the shape of its input, not on the elements.
pub fn is_of_shapes(op: &str) -> bool {
    matches!(op, "Shape" | "ShapeN" | "Size" | "Rank" | "ZerosLike" | "OnesLike")
}

impl Node {
    /// The input that the node forwards as one of its outputs.
    pub fn forwarded(&self, port: usize) -> Option<TensorRef> {
        let index = if self.op == "IdentityN" { port } else { 0 };
        self.inputs.get(index).copied().filter(|_| forwards(&self.op))
    }

    /// Whether the node forwards its first input to one of several branches, which its second input chooses.
    pub fn is_switch(&self) -> bool {
        is_switch(&self.op)
    }

    /// Whether the node merges branches.
    pub fn is_merge(&self) -> bool {
        is_merge(&self.op)
    }

    /// Whether the node is a variable, of either kind.
    pub fn is_variable(&self) -> bool {
        is_variable(&self.op)
    }

    /// Whether the node is fed, or has a default that can be replaced.
    pub fn is_placeholder(&self) -> bool {
        is_placeholder(&self.op)
    }

    /// Whether the node normalizes batches as a whole.
    pub fn is_batch_norm(&self) -> bool {
        is_batch_norm(&self.op)
    }
}
