//! Anchors: the boxes that predictions are relative to. They depend on the sizes of the image and of the feature maps alone, so
//! they are constants, computed here in the order and precision of TensorFlow.
//!
//! Sources: `research/object_detection/anchor_generators` and `builders/anchor_generator_builder.py`.

use super::fields::Message;
use crate::error::{Error, Result};
use crate::graph::limits::Budget;

/// An anchor: its least row and column, and its greatest.
pub type Corners = [f32; 4];

/// The highest level of a pyramid: each has half of the rows and columns of the one below.
pub const MAX_LEVEL: usize = 24;

/// The bytes that an anchor counts as: its corners, its center and size, and what they are computed from.
const BYTES_OF_ANCHOR: usize = 64;

/// The most scales of an octave and layers of anchors. Published detectors have up to six.
const MAX_SCALES: usize = 100;

/// Checks that there is an anchor for each box, if the number of predicted boxes is known. `generator` is the field that makes the
/// anchors.
pub fn check_count(anchors: &[Corners], predicted: Option<usize>, generator: &str) -> Result<()> {
    match predicted {
        Some(predicted) if predicted != anchors.len() => {
            let problem = format!("it makes {} anchors, but {predicted} boxes are predicted", anchors.len());
            Err(Error::new(generator, problem))
        }
        _ => Ok(()),
    }
}

/// The generators that a configuration can choose.
#[derive(Debug, Clone)]
pub enum AnchorGenerator {
    /// `MultipleGridAnchorGenerator` with the boxes of `create_ssd_anchors`: for each feature map, scales and aspect ratios.
    Ssd {
        /// Scale and aspect ratio of each anchor of a location, for each feature map.
        boxes: Vec<Vec<(f64, f64)>>,
        base_size: [f32; 2],
        /// In pixels. Without them, the anchors are spread over the image.
        strides: Vec<[f32; 2]>,
        offsets: Vec<[f32; 2]>,
    },
    /// `MultiscaleGridAnchorGenerator`: the levels of a feature pyramid.
    Multiscale {
        levels: std::ops::RangeInclusive<usize>,
        anchor_scale: f64,
        aspect_ratios: Vec<f64>,
        scales_per_octave: usize,
        is_normalized: bool,
    },
    /// `FlexibleGridAnchorGenerator`: a grid for each feature map.
    Flexible { grids: Vec<Grid>, is_normalized: bool },
    /// `GridAnchorGenerator`: one grid, in pixels.
    Grid(Grid),
}

/// The anchors of one feature map: those of a location, and the distance of locations.
#[derive(Debug, Clone)]
pub struct Grid {
    scales: Vec<f32>,
    aspect_ratios: Vec<f32>,
    base_size: [f32; 2],
    stride: [f32; 2],
    offset: [f32; 2],
}

impl AnchorGenerator {
    pub fn read(message: &Message<'_>) -> Result<Self> {
        let (kind, message) = message.one_of(&[
            "ssd_anchor_generator",
            "multiscale_anchor_generator",
            "flexible_grid_anchor_generator",
            "grid_anchor_generator",
        ])?;
        match kind {
            "ssd_anchor_generator" => read_ssd(&message),
            "multiscale_anchor_generator" => read_multiscale(&message),
            "flexible_grid_anchor_generator" => read_flexible(&message),
            _ => read_grid(&message),
        }
    }

    /// The number of anchors of a location, for each feature map.
    pub fn per_location(&self) -> Vec<usize> {
        match self {
            Self::Ssd { boxes, .. } => boxes.iter().map(Vec::len).collect(),
            Self::Multiscale { levels, aspect_ratios, scales_per_octave, .. } => {
                levels.clone().map(|_| aspect_ratios.len() * scales_per_octave).collect()
            }
            Self::Flexible { grids, .. } => grids.iter().map(|grid| grid.scales.len()).collect(),
            Self::Grid(grid) => vec![grid.scales.len()],
        }
    }

    /// The anchors of feature maps of these heights and widths, for images of this height and width.
    ///
    /// # Errors
    /// If the number of feature maps is another one, or the limit of computed constants is exceeded.
    pub fn generate(&self, budget: &Budget, maps: &[[usize; 2]], image: [usize; 2]) -> Result<Vec<Corners>> {
        let counts = maps.iter().zip(self.per_location());
        let counts =
            counts.map(|(&[height, width], count)| height.saturating_mul(width).saturating_mul(count));
        let count = counts.fold(0, usize::saturating_add);
        budget.charge_constants("anchor_generator", count.saturating_mul(BYTES_OF_ANCHOR))?;
        let grids = self.grids(maps, image);
        if grids.len() != maps.len() {
            let problem = format!("it has {} grids, but there are {} feature maps", grids.len(), maps.len());
            return Err(Error::new("anchor_generator", problem));
        }
        let anchors = grids.iter().zip(maps).flat_map(|(grid, map)| grid.tiled(*map));
        Ok(match self {
            Self::Multiscale { is_normalized: true, .. } | Self::Flexible { is_normalized: true, .. } => {
                let [height, width] = image.map(|length| 1.0 / length as f32);
                anchors.map(|[y, x, y2, x2]| [y * height, x * width, y2 * height, x2 * width]).collect()
            }
            _ => anchors.collect(),
        })
    }

    fn grids(&self, maps: &[[usize; 2]], image: [usize; 2]) -> Vec<Grid> {
        match self {
            Self::Ssd { boxes, base_size, strides, offsets } => {
                let image = image.map(|length| length as f32);
                let least = image[0].min(image[1]);
                let base_size = [0, 1].map(|axis| least / image[axis] * base_size[axis]);
                let grid = |(index, boxes): (usize, &Vec<(f64, f64)>)| {
                    let map = maps.get(index)?;
                    let relative = |pixels: &[f32; 2]| [0, 1].map(|axis| pixels[axis] / image[axis]);
                    let stride = strides.get(index).map(relative);
                    let stride = stride.unwrap_or_else(|| map.map(|length| 1.0 / length as f32));
                    let offset = offsets.get(index).map(relative);
                    let offset = offset.unwrap_or_else(|| stride.map(|stride| 0.5 * stride));
                    let (scales, aspect_ratios) =
                        boxes.iter().map(|&(scale, ratio)| (scale as f32, ratio as f32)).unzip();
                    Some(Grid { scales, aspect_ratios, base_size, stride, offset })
                };
                // The generator of SSD takes as many maps as it has boxes for.
                if boxes.len() != maps.len() {
                    vec![]
                } else {
                    boxes.iter().enumerate().filter_map(grid).collect()
                }
            }
            Self::Multiscale { levels, anchor_scale, aspect_ratios, scales_per_octave, .. } => {
                let scales: Vec<f64> = (0..*scales_per_octave)
                    .map(|scale| 2f64.powf(scale as f64 / *scales_per_octave as f64))
                    .collect();
                let grid = |level: usize| {
                    let stride = (1usize << level) as f64;
                    // Anchors are in the middle of their cell if the cells fill the image.
                    let offset = image
                        .map(|length| if length % (1 << level) == 0 { (stride / 2.0) as f32 } else { 0.0 });
                    let size = (stride * anchor_scale) as f32;
                    Grid::of_all(&scales, aspect_ratios, [size; 2], [stride as f32; 2], offset)
                };
                levels.clone().map(grid).collect()
            }
            Self::Flexible { grids, .. } => grids.clone(),
            Self::Grid(grid) => vec![grid.clone()],
        }
    }
}

impl Grid {
    /// Each aspect ratio in each scale.
    fn of_all(
        scales: &[f64],
        aspect_ratios: &[f64],
        base_size: [f32; 2],
        stride: [f32; 2],
        offset: [f32; 2],
    ) -> Self {
        let pairs = aspect_ratios.iter().flat_map(|ratio| scales.iter().map(move |scale| (scale, ratio)));
        let (scales, aspect_ratios) = pairs.map(|(&scale, &ratio)| (scale as f32, ratio as f32)).unzip();
        Self { scales, aspect_ratios, base_size, stride, offset }
    }

    /// `tile_anchors`: the anchors of all locations, row by row.
    fn tiled(&self, [height, width]: [usize; 2]) -> Vec<Corners> {
        let sizes: Vec<[f32; 2]> = self
            .scales
            .iter()
            .zip(&self.aspect_ratios)
            .map(|(scale, ratio)| {
                let ratio = ratio.sqrt();
                [scale / ratio * self.base_size[0], scale * ratio * self.base_size[1]]
            })
            .collect();
        let center = |place: usize, axis: usize| place as f32 * self.stride[axis] + self.offset[axis];
        let mut anchors = Vec::with_capacity(height * width * sizes.len());
        for row in 0..height {
            for column in 0..width {
                let (y, x) = (center(row, 0), center(column, 1));
                anchors.extend(sizes.iter().map(|[height, width]| {
                    [y - 0.5 * height, x - 0.5 * width, y + 0.5 * height, x + 0.5 * width]
                }));
            }
        }
        anchors
    }
}

fn floats(numbers: Vec<f64>) -> Vec<f32> {
    numbers.into_iter().map(|number| number as f32).collect()
}

fn scales_count(message: &Message<'_>, field: &str, default: usize) -> Result<usize> {
    let count = message.count(field, default)?;
    if count > MAX_SCALES { Err(message.wrong(field, "it is too large")) } else { Ok(count) }
}

/// `create_ssd_anchors`
fn read_ssd(message: &Message<'_>) -> Result<AnchorGenerator> {
    message.has_only(&[
        "num_layers",
        "min_scale",
        "max_scale",
        "scales",
        "aspect_ratios",
        "interpolated_scale_aspect_ratio",
        "reduce_boxes_in_lowest_layer",
        "base_anchor_height",
        "base_anchor_width",
        "height_stride",
        "width_stride",
        "height_offset",
        "width_offset",
    ])?;
    let num_layers = scales_count(message, "num_layers", 6)?;
    let (least, greatest) =
        (message.number("min_scale", f64::from(0.2f32))?, message.number("max_scale", f64::from(0.95f32))?);
    let mut scales = message.numbers("scales")?;
    if scales.is_empty() {
        if num_layers < 2 {
            return Err(message.wrong("num_layers", "scales between min_scale and max_scale need two layers"));
        }
        let step = |i: usize| least + (greatest - least) * i as f64 / (num_layers - 1) as f64;
        scales = (0..num_layers).map(step).collect();
    }
    scales.push(1.0);
    let aspect_ratios = message.numbers("aspect_ratios")?;
    let interpolated = message.number("interpolated_scale_aspect_ratio", 1.0)?;
    let is_reduced = message.flag("reduce_boxes_in_lowest_layer", true)?;
    let boxes = scales.windows(2).take(num_layers).enumerate().map(|(layer, window)| {
        let (scale, next) = (window[0], window[1]);
        if layer == 0 && is_reduced {
            return vec![(0.1, 1.0), (scale, 2.0), (scale, 0.5)];
        }
        let mut boxes: Vec<(f64, f64)> = aspect_ratios.iter().map(|&ratio| (scale, ratio)).collect();
        boxes.extend((interpolated > 0.0).then(|| ((scale * next).sqrt(), interpolated)));
        boxes
    });
    let boxes: Vec<Vec<(f64, f64)>> = boxes.collect();
    let pairs = |names: [&str; 2]| -> Result<Vec<[f32; 2]>> {
        let [heights, widths] = [message.numbers(names[0])?, message.numbers(names[1])?];
        if heights.is_empty() {
            return Ok(vec![]);
        }
        let pairs: Vec<[f32; 2]> =
            heights.iter().zip(&widths).map(|(&height, &width)| [height as f32, width as f32]).collect();
        if pairs.len() == boxes.len() {
            Ok(pairs)
        } else {
            Err(message.wrong(
                names[0],
                format!("it needs one for each of {} layers, like {}", boxes.len(), names[1]),
            ))
        }
    };
    let (strides, offsets) =
        (pairs(["height_stride", "width_stride"])?, pairs(["height_offset", "width_offset"])?);
    let base_size = [message.number("base_anchor_height", 1.0)?, message.number("base_anchor_width", 1.0)?];
    Ok(AnchorGenerator::Ssd { boxes, base_size: base_size.map(|size| size as f32), strides, offsets })
}

fn read_multiscale(message: &Message<'_>) -> Result<AnchorGenerator> {
    message.has_only(&[
        "min_level",
        "max_level",
        "anchor_scale",
        "aspect_ratios",
        "scales_per_octave",
        "normalize_coordinates",
    ])?;
    let (least, greatest) = (message.count("min_level", 3)?, message.count("max_level", 7)?);
    if greatest > MAX_LEVEL {
        return Err(message.wrong("max_level", "it is too large"));
    }
    Ok(AnchorGenerator::Multiscale {
        levels: least..=greatest,
        anchor_scale: message.number("anchor_scale", 4.0)?,
        aspect_ratios: message.numbers("aspect_ratios")?,
        scales_per_octave: scales_count(message, "scales_per_octave", 2)?,
        is_normalized: message.flag("normalize_coordinates", true)?,
    })
}

fn read_flexible(message: &Message<'_>) -> Result<AnchorGenerator> {
    message.has_only(&["anchor_grid", "normalize_coordinates"])?;
    let grid = |grid: &Message<'_>| {
        grid.has_only(&[
            "base_sizes",
            "aspect_ratios",
            "height_stride",
            "width_stride",
            "height_offset",
            "width_offset",
        ])?;
        let (scales, aspect_ratios) =
            (floats(grid.numbers("base_sizes")?), floats(grid.numbers("aspect_ratios")?));
        if scales.len() != aspect_ratios.len() {
            return Err(grid.wrong("aspect_ratios", "there is not one for each of base_sizes"));
        }
        let (stride, offset) = strides_and_offsets(grid, 0)?;
        Ok(Grid { scales, aspect_ratios, base_size: [1.0; 2], stride, offset })
    };
    let grids = message.messages("anchor_grid").iter().map(grid).collect::<Result<_>>()?;
    Ok(AnchorGenerator::Flexible { grids, is_normalized: message.flag("normalize_coordinates", true)? })
}

fn strides_and_offsets(message: &Message<'_>, stride: usize) -> Result<([f32; 2], [f32; 2])> {
    let pair = |names: [&str; 2], default: usize| -> Result<[f32; 2]> {
        let [height, width] = names.map(|name| message.count(name, default));
        Ok([height? as f32, width? as f32])
    };
    Ok((pair(["height_stride", "width_stride"], stride)?, pair(["height_offset", "width_offset"], 0)?))
}

fn read_grid(message: &Message<'_>) -> Result<AnchorGenerator> {
    message.has_only(&[
        "height",
        "width",
        "height_stride",
        "width_stride",
        "height_offset",
        "width_offset",
        "scales",
        "aspect_ratios",
    ])?;
    let (scales, aspect_ratios) = (message.numbers("scales")?, message.numbers("aspect_ratios")?);
    let base_size = [message.count("height", 256)? as f32, message.count("width", 256)? as f32];
    let (stride, offset) = strides_and_offsets(message, 16)?;
    Ok(AnchorGenerator::Grid(Grid::of_all(&scales, &aspect_ratios, base_size, stride, offset)))
}
