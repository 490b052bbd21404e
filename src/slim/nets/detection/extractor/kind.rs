//! The feature extractors of SSD detectors, by the word `type` of their configurations.

use crate::slim::nets::{LibraryNetwork, resnet_v1};
use crate::slim::{Variables, holds_prefix};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    MobilenetV1,
    EmbeddedMobilenetV1,
    MobilenetV1Fpn,
    MobilenetV1Ppn,
    MobilenetV2,
    MobilenetV2Fpn,
    MobilenetV3Large,
    MobilenetV3Small,
    MobilenetEdgeTpu,
    MobileDetCpu,
    MobileDetDsp,
    MobileDetEdgeTpu,
    MobileDetGpu,
    InceptionV2,
    InceptionV3,
    ResnetFpn(Resnet),
    ResnetPpn(Resnet),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resnet {
    Of50,
    Of101,
    Of152,
}

impl Resnet {
    /// The network, and how many units its blocks have.
    pub(super) fn network(self) -> (&'static LibraryNetwork, [usize; 4]) {
        match self {
            Self::Of50 => (&resnet_v1::RESNET_V1_50, [3, 4, 6, 3]),
            Self::Of101 => (&resnet_v1::RESNET_V1_101, [3, 4, 23, 3]),
            Self::Of152 => (&resnet_v1::RESNET_V1_152, [3, 8, 36, 3]),
        }
    }
}

/// The values of `type`, with the scope of the classifier.
const KINDS: &[(&str, &str, Kind)] = &[
    ("ssd_mobilenet_v1", "MobilenetV1", Kind::MobilenetV1),
    ("ssd_mobilenet_v1_fpn", "MobilenetV1", Kind::MobilenetV1Fpn),
    ("ssd_mobilenet_v1_ppn", "MobilenetV1", Kind::MobilenetV1Ppn),
    ("embedded_ssd_mobilenet_v1", "MobilenetV1", Kind::EmbeddedMobilenetV1),
    ("ssd_mobilenet_v2", "MobilenetV2", Kind::MobilenetV2),
    ("ssd_mobilenet_v2_fpn", "MobilenetV2", Kind::MobilenetV2Fpn),
    ("ssd_mobilenet_v3_large", "MobilenetV3", Kind::MobilenetV3Large),
    ("ssd_mobilenet_v3_small", "MobilenetV3", Kind::MobilenetV3Small),
    ("ssd_mobilenet_edgetpu", "MobilenetEdgeTPU", Kind::MobilenetEdgeTpu),
    ("ssd_mobiledet_cpu", "MobileDetCPU", Kind::MobileDetCpu),
    ("ssd_mobiledet_dsp", "MobileDetDSP", Kind::MobileDetDsp),
    ("ssd_mobiledet_edgetpu", "MobileDetEdgeTPU", Kind::MobileDetEdgeTpu),
    ("ssd_mobiledet_gpu", "MobileDetGPU", Kind::MobileDetGpu),
    ("ssd_inception_v2", "InceptionV2", Kind::InceptionV2),
    ("ssd_inception_v3", "InceptionV3", Kind::InceptionV3),
    ("ssd_resnet50_v1_fpn", "resnet_v1_50", Kind::ResnetFpn(Resnet::Of50)),
    ("ssd_resnet101_v1_fpn", "resnet_v1_101", Kind::ResnetFpn(Resnet::Of101)),
    ("ssd_resnet152_v1_fpn", "resnet_v1_152", Kind::ResnetFpn(Resnet::Of152)),
    ("ssd_resnet50_v1_ppn", "resnet_v1_50", Kind::ResnetPpn(Resnet::Of50)),
    ("ssd_resnet101_v1_ppn", "resnet_v1_101", Kind::ResnetPpn(Resnet::Of101)),
    ("ssd_resnet152_v1_ppn", "resnet_v1_152", Kind::ResnetPpn(Resnet::Of152)),
];

/// The values of `type`.
pub const NAMES: [&str; KINDS.len()] = {
    let mut names = [""; KINDS.len()];
    let mut index = 0;
    while index < KINDS.len() {
        names[index] = KINDS[index].0;
        index += 1;
    }
    names
};

/// The extractor that has these variables, as far as they tell extractors of the same classifier apart.
pub fn recognized(variables: &Variables) -> Option<&'static str> {
    let has = |scope: &str| holds_prefix(variables, &format!("FeatureExtractor/{scope}"));
    let has_map = |kind: Kind, scope: &str| match kind {
        Kind::MobilenetV1Fpn | Kind::MobilenetV2Fpn | Kind::ResnetFpn(_) => has(&format!("{scope}/fpn/")),
        Kind::ResnetPpn(_) => has(&format!("{scope}/Base_Conv2d_")),
        Kind::MobilenetV1 => has(&format!("{scope}/Conv2d_13_pointwise_2_Conv2d_5_3x3")),
        Kind::EmbeddedMobilenetV1 => has(&format!("{scope}/Conv2d_13_pointwise_2_Conv2d_4_2x2")),
        Kind::MobilenetV1Ppn => {
            !has(&format!("{scope}/fpn/")) && !has(&format!("{scope}/Conv2d_13_pointwise_2_"))
        }
        Kind::MobilenetV2 => has(&format!("{scope}/layer_19_2_")),
        Kind::MobilenetV3Large => has(&format!("{scope}/layer_17_2_")),
        Kind::MobilenetV3Small => has(&format!("{scope}/layer_13_2_")),
        _ => true,
    };
    let fits = |(_, scope, kind): &&(&str, &str, Kind)| has(&format!("{scope}/")) && has_map(*kind, scope);
    KINDS.iter().find(fits).map(|(name, ..)| *name)
}

impl Kind {
    /// The extractor with this value of `type`.
    pub(super) fn of(name: &str) -> Option<Self> {
        KINDS.iter().find(|(known, ..)| *known == name).map(|(.., kind)| *kind)
    }

    /// The name of the scope of the classifier.
    pub(super) fn scope(self) -> &'static str {
        KINDS.iter().find(|(.., kind)| *kind == self).map_or("", |(_, scope, _)| scope)
    }

    pub(super) fn is_pyramid(self) -> bool {
        matches!(self, Self::MobilenetV1Fpn | Self::MobilenetV2Fpn | Self::ResnetFpn(_))
    }

    /// Whether the original takes `num_layers`.
    pub(super) fn has_num_layers(self) -> bool {
        matches!(self, Self::MobilenetV1 | Self::MobilenetV2 | Self::InceptionV2 | Self::InceptionV3)
    }
}
