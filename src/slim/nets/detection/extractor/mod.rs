//! The feature extractor of an SSD detector: a classifier, and feature maps made from its end points.
//!
//! Source: `research/object_detection/models/ssd_*_feature_extractor.py`.

mod build;
mod kind;

use self::kind::Kind;
pub use self::kind::{NAMES, recognized};
use super::anchors::MAX_LEVEL;
use super::fields::Message;
use super::hyperparams::Hyperparams;
use crate::error::Result;

/// The fields of `SsdFeatureExtractor`.
#[derive(Debug, Clone)]
pub struct Extractor {
    kind: Kind,
    pub depth_multiplier: f64,
    pub min_depth: usize,
    pub use_explicit_padding: bool,
    pub use_depthwise: bool,
    pad_to_multiple: usize,
    hyperparams: Hyperparams,
    overrides_base: bool,
    num_layers: usize,
    pyramid: Pyramid,
}

/// The fields of `FeaturePyramidNetworks`.
#[derive(Debug, Clone, Copy)]
struct Pyramid {
    min_level: usize,
    max_level: usize,
    depth: usize,
}

impl Extractor {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        message.has_only(&[
            "type",
            "depth_multiplier",
            "min_depth",
            "conv_hyperparams",
            "override_base_feature_extractor_hyperparams",
            "pad_to_multiple",
            "use_explicit_padding",
            "use_depthwise",
            "fpn",
            "num_layers",
            // The input of the model is the preprocessed image.
            "replace_preprocessor_with_placeholder",
        ])?;
        let name = message.word("type", "")?;
        let Some(kind) = Kind::of(name) else {
            let problem = format!("\"{name}\" is not one of the extractors that are converted");
            return Err(message.wrong("type", problem).advice(format!("they are {}", NAMES.join(", "))));
        };
        let fpn = message.message("fpn");
        fpn.has_only(&["min_level", "max_level", "additional_layer_depth"])?;
        if message.has("fpn") && !kind.is_pyramid() {
            return Err(message.wrong("fpn", format!("{name} has no feature pyramid")));
        }
        if message.has("num_layers") && !kind.has_num_layers() {
            return Err(message.wrong("num_layers", format!("{name} does not take it")));
        }
        let extractor = Self {
            kind,
            depth_multiplier: message.number("depth_multiplier", 1.0)?,
            min_depth: message.count("min_depth", 16)?,
            use_explicit_padding: message.flag("use_explicit_padding", false)?,
            use_depthwise: message.flag("use_depthwise", false)?,
            pad_to_multiple: message.count("pad_to_multiple", 1)?.max(1),
            hyperparams: Hyperparams::read(&message.message("conv_hyperparams"))?,
            overrides_base: message.flag("override_base_feature_extractor_hyperparams", false)?,
            num_layers: message.count("num_layers", 6)?,
            pyramid: Pyramid {
                min_level: fpn.count("min_level", 3)?,
                max_level: fpn.count("max_level", 7)?,
                depth: fpn.count("additional_layer_depth", 256)?,
            },
        };
        extractor.check(message)?;
        Ok(extractor)
    }

    /// Refuses what the original refuses.
    fn check(&self, message: &Message<'_>) -> Result<()> {
        let Pyramid { min_level, max_level, .. } = self.pyramid;
        if self.kind.is_pyramid() && !(2..=5).contains(&min_level) || max_level < min_level {
            return Err(message.wrong("fpn", "its levels are not 2 or more, the least one at most 5"));
        }
        if max_level > MAX_LEVEL {
            return Err(message.wrong("fpn.max_level", "it is too large"));
        }
        if matches!(self.kind, Kind::InceptionV2 | Kind::InceptionV3) && !self.overrides_base {
            let name = "override_base_feature_extractor_hyperparams";
            return Err(message.wrong(name, "this extractor needs it to be true"));
        }
        let pads = !matches!(
            self.kind,
            Kind::ResnetFpn(_)
                | Kind::MobileDetCpu
                | Kind::MobileDetDsp
                | Kind::MobileDetEdgeTpu
                | Kind::MobileDetGpu
        );
        if self.use_explicit_padding && !pads {
            return Err(message.wrong("use_explicit_padding", "this extractor does not support it"));
        }
        if matches!(self.kind, Kind::ResnetPpn(_)) && self.depth_multiplier != 1.0 {
            return Err(message.wrong("depth_multiplier", "this extractor does not support it"));
        }
        Ok(())
    }
}
