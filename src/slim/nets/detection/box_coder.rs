//! Box coders: from the encodings that a detector predicts to boxes, relative to the anchors.
//!
//! Source: `research/object_detection/box_coders`.

use super::anchors::Corners;
use super::fields::Message;
use crate::error::Result;
use crate::graph::TensorRef;
use crate::slim::NetworkBuilder;
use crate::tensor::Constant;

/// The coders that a configuration can choose, with their scale factors.
#[derive(Debug, Clone, Copy)]
pub enum BoxCoder {
    /// Offsets of the center, and logarithms of height and width.
    FasterRcnn { center: [f32; 2], size: [f32; 2] },
    /// Offsets of the corners.
    MeanStddev { stddev: f32 },
    /// Offsets of the center, and the logarithm of the length of a square.
    Square { center: [f32; 2], length: f32 },
}

/// The scales of Faster R-CNN, which no field of its configuration changes: of centers, and of sizes.
pub const OF_FASTER_RCNN: [[f32; 2]; 2] = [[10.0; 2], [5.0; 2]];

/// The coder with these scales.
pub const CODER_OF_FASTER_RCNN: BoxCoder =
    BoxCoder::FasterRcnn { center: OF_FASTER_RCNN[0], size: OF_FASTER_RCNN[1] };

impl BoxCoder {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        let (kind, message) =
            message.one_of(&["faster_rcnn_box_coder", "mean_stddev_box_coder", "square_box_coder"])?;
        let scale = |name, default| message.number(name, default).map(|scale| scale as f32);
        match kind {
            "mean_stddev_box_coder" => {
                message.has_only(&["stddev"])?;
                Ok(Self::MeanStddev { stddev: scale("stddev", f64::from(0.01f32))? })
            }
            "square_box_coder" => {
                message.has_only(&["y_scale", "x_scale", "length_scale"])?;
                let center = [scale("y_scale", 10.0)?, scale("x_scale", 10.0)?];
                Ok(Self::Square { center, length: scale("length_scale", 5.0)? })
            }
            _ => {
                message.has_only(&["y_scale", "x_scale", "height_scale", "width_scale"])?;
                let center = [scale("y_scale", 10.0)?, scale("x_scale", 10.0)?];
                let size = [scale("height_scale", 5.0)?, scale("width_scale", 5.0)?];
                Ok(Self::FasterRcnn { center, size })
            }
        }
    }

    /// The number of values that encode a box.
    pub fn code_size(self) -> usize {
        if matches!(self, Self::Square { .. }) { 3 } else { 4 }
    }

    /// Decodes encodings `[images, anchors, code size]`.
    pub fn decode(
        self,
        slim: &mut NetworkBuilder<'_>,
        encodings: TensorRef,
        anchors: &[Corners],
    ) -> TensorRef {
        let size = |[y, x, y2, x2]: Corners| [y2 - y, x2 - x];
        let center = |corners: Corners| {
            let [height, width] = size(corners);
            [corners[0] + height / 2.0, corners[1] + width / 2.0]
        };
        let centers = slim.constant("anchor_centers", constant(anchors, center));
        match self {
            Self::FasterRcnn { center, size: size_scale } => {
                let sizes = slim.constant("anchor_sizes", constant(anchors, size));
                self::decode(slim, encodings, [centers, sizes], [center, size_scale])
            }
            Self::MeanStddev { stddev } => slim.name_scope("Decode", |slim| {
                let net = slim.with_number("Mul", encodings, stddev);
                slim.with_constant("AddV2", net, constant(anchors, |corners| corners))
            }),
            Self::Square { center, length } => {
                let lengths = constant(anchors, |corners| {
                    let [height, width] = size(corners);
                    [(height * width).sqrt()]
                });
                let lengths = slim.constant("anchor_lengths", lengths);
                let [y, x, l] = slim.split(encodings, 2);
                let encodings = slim.concat_along(2, &[y, x, l, l], "concat");
                self::decode(slim, encodings, [centers, lengths], [center, [length; 2]])
            }
        }
    }
}

/// `[1, anchors, …]`
fn constant<const N: usize>(anchors: &[Corners], values: impl Fn(Corners) -> [f32; N]) -> Constant {
    let values: Vec<f32> = anchors.iter().flat_map(|&corners| values(corners)).collect();
    Constant::from_f32(vec![1, anchors.len(), N], &values)
}

/// Decodes encodings `[…, 4]` of boxes with these centers and sizes.
pub fn decode(
    slim: &mut NetworkBuilder<'_>,
    encodings: TensorRef,
    [anchor_centers, anchor_sizes]: [TensorRef; 2],
    [center_scale, size_scale]: [[f32; 2]; 2],
) -> TensorRef {
    slim.name_scope("Decode", |slim| {
        let last = slim.shape(encodings).rank().unwrap_or(3) - 1;
        let [centers, sizes] = slim.split(encodings, last);
        let centers = slim.with_constant("RealDiv", centers, scale(center_scale));
        let sizes = slim.with_constant("RealDiv", sizes, scale(size_scale));
        let sizes = slim.op("Exp", "Exp", &[sizes], []);
        let sizes = slim.product(sizes, anchor_sizes);
        let offsets = slim.product(centers, anchor_sizes);
        let centers = slim.sum(offsets, anchor_centers);
        let halves = slim.with_number("RealDiv", sizes, 2.0);
        let least = slim.op("sub", "Sub", &[centers, halves], []);
        let greatest = slim.sum(centers, halves);
        slim.concat_along(last, &[least, greatest], "concat")
    })
}

fn scale([rows, columns]: [f32; 2]) -> Constant {
    if rows == columns {
        Constant::from_f32(vec![], &[rows])
    } else {
        Constant::from_f32(vec![2], &[rows, columns])
    }
}
