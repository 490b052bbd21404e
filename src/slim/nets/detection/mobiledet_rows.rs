//! The tables of MobileDet.
//!
//! Source: `mobiledet_*_backbone` in `research/object_detection/models/ssd_mobiledet_feature_extractor.py`.

use super::mobiledet::{Block, MobileDet};
use crate::slim::Activation;

/// A row of a table.
pub struct Row {
    pub block: Block,
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub residual: bool,
    /// The end point after the block.
    pub end_point: Option<&'static str>,
}

const fn row(block: Block, outputs: usize) -> Row {
    Row { block, outputs, kernel: 3, stride: 1, residual: true, end_point: None }
}

/// An inverted bottleneck.
const fn ibn(expansion: usize, outputs: usize) -> Row {
    row(Block::Bottleneck(expansion), outputs)
}

const fn fused(expansion: usize, outputs: usize) -> Row {
    row(Block::Fused(expansion), outputs)
}

const fn tucker(of_input: f64, of_output: f64, outputs: usize) -> Row {
    row(Block::Tucker(of_input, of_output), outputs)
}

const fn no_expansion(outputs: usize) -> Row {
    Row { residual: false, ..row(Block::NoExpansion, outputs) }
}

impl Row {
    /// Without a residual connection, with this stride.
    const fn stride(self, stride: usize) -> Self {
        Self { stride, residual: false, ..self }
    }

    const fn kernel(self, kernel: usize) -> Self {
        Self { kernel, ..self }
    }

    const fn ends(self, end_point: &'static str) -> Self {
        Self { end_point: Some(end_point), ..self }
    }
}

pub const CPU: MobileDet = MobileDet {
    activation: Activation::Swish6,
    squeeze_excite: true,
    stem: 16,
    rows: &[
        no_expansion(8).ends("C1"),
        ibn(4, 16).stride(2).ends("C2"),
        ibn(8, 32).stride(2),
        ibn(4, 32),
        ibn(4, 32),
        ibn(4, 32).ends("C3"),
        ibn(8, 72).kernel(5).stride(2),
        ibn(8, 72),
        ibn(4, 72).kernel(5),
        ibn(4, 72),
        ibn(8, 72).stride(1),
        ibn(8, 72),
        ibn(8, 72),
        ibn(8, 72).ends("C4"),
        ibn(8, 104).kernel(5).stride(2),
        ibn(4, 104).kernel(5),
        ibn(4, 104).kernel(5),
        ibn(4, 104),
        ibn(8, 144).stride(1).ends("C5"),
    ],
};

pub const DSP: MobileDet = MobileDet {
    activation: Activation::Relu6,
    squeeze_excite: false,
    stem: 32,
    rows: &[
        no_expansion(24).ends("C1"),
        fused(4, 32).stride(2),
        fused(4, 32),
        ibn(4, 32),
        tucker(0.25, 0.75, 32).ends("C2"),
        fused(8, 64).stride(2),
        ibn(4, 64),
        fused(4, 64),
        fused(4, 64).ends("C3"),
        fused(8, 120).stride(2),
        ibn(4, 120),
        ibn(8, 120),
        ibn(8, 120),
        fused(8, 144).stride(1),
        ibn(8, 144),
        ibn(8, 144),
        ibn(8, 144).ends("C4"),
        ibn(4, 160).stride(2),
        ibn(4, 160),
        fused(4, 160),
        tucker(0.75, 0.75, 160),
        ibn(8, 240).stride(1).ends("C5"),
    ],
};

pub const EDGETPU: MobileDet = MobileDet {
    activation: Activation::Relu6,
    squeeze_excite: false,
    stem: 32,
    rows: &[
        tucker(0.25, 0.75, 16).stride(1).ends("C1"),
        fused(8, 16).stride(2),
        fused(4, 16),
        fused(8, 16),
        fused(4, 16).ends("C2"),
        fused(8, 40).kernel(5).stride(2),
        fused(4, 40),
        fused(4, 40),
        fused(4, 40).ends("C3"),
        ibn(8, 72).stride(2),
        ibn(8, 72),
        fused(4, 72),
        fused(4, 72),
        ibn(8, 96).kernel(5).stride(1),
        ibn(8, 96).kernel(5),
        ibn(8, 96),
        ibn(8, 96).ends("C4"),
        ibn(8, 120).kernel(5).stride(2),
        ibn(8, 120),
        ibn(4, 120).kernel(5),
        ibn(8, 120),
        ibn(8, 384).kernel(5).stride(1).ends("C5"),
    ],
};

pub const GPU: MobileDet = MobileDet {
    activation: Activation::Relu6,
    squeeze_excite: false,
    stem: 32,
    rows: &[
        tucker(0.25, 0.25, 16).stride(1).ends("C1"),
        fused(8, 32).stride(2),
        tucker(0.25, 0.25, 32),
        tucker(0.25, 0.25, 32),
        tucker(0.25, 0.25, 32).ends("C2"),
        fused(8, 64).stride(2),
        fused(8, 64),
        fused(8, 64),
        fused(4, 64).ends("C3"),
        fused(8, 128).stride(2),
        fused(4, 128),
        fused(4, 128),
        fused(4, 128),
        fused(8, 128).stride(1),
        fused(8, 128),
        fused(8, 128),
        fused(8, 128).ends("C4"),
        fused(4, 128).stride(2),
        fused(4, 128),
        fused(4, 128),
        fused(4, 128),
        ibn(8, 384).stride(1).ends("C5"),
    ],
};
