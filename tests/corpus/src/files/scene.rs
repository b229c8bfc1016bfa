//! A small scene: a photograph of it, and its label in every format that labels have.

use png::{BitDepth, ColorType};
use shared::dataset::classes::CLASSES;

/// Width of the scene in pixels.
pub const WIDTH: u32 = 64;
/// Height of the scene in pixels.
pub const HEIGHT: u32 = 32;

/// Returns the train id of the class that the scene shows at a place: sky, building, road, and a car on it.
#[must_use]
pub fn train_id(x: u32, y: u32) -> u8 {
    match (x, y) {
        (24..40, 20..28) => 13,
        (_, 0..10) => 10,
        (_, 10..18) => 2,
        _ => 0,
    }
}

/// Returns the label id of the class that the scene shows at a place.
#[must_use]
pub fn label_id(x: u32, y: u32) -> u8 {
    CLASSES[usize::from(train_id(x, y))].label_id
}

/// Returns the class colour that the scene shows at a place.
#[must_use]
pub fn colour(x: u32, y: u32) -> [u8; 3] {
    CLASSES[usize::from(train_id(x, y))].colour
}

/// Returns something for each place, row by row.
pub fn each<T>(of: impl Fn(u32, u32) -> T) -> Vec<T> {
    sized(WIDTH, HEIGHT, of)
}

/// Returns something for each place of a scene of another size, row by row.
pub fn sized<T>(width: u32, height: u32, of: impl Fn(u32, u32) -> T) -> Vec<T> {
    let rows = 0..height;
    rows.flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| of(x, y))
        .collect()
}

/// Returns the photograph's pixels, `(height, width, 3)`.
#[must_use]
pub fn photograph() -> Vec<u8> {
    photograph_sized(WIDTH, HEIGHT)
}

/// Returns a photograph's pixels at another size.
#[must_use]
pub fn photograph_sized(width: u32, height: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let texture = (x * 7 + y * 13) % 32;
        colour(x % WIDTH, y % HEIGHT).map(|channel| (u32::from(channel) * 3 / 4 + texture) as u8)
    };
    sized(width, height, pixel).concat()
}

/// Returns pixels as a PNG.
#[must_use]
pub fn png(
    (width, height): (u32, u32),
    colour: ColorType,
    depth: BitDepth,
    pixels: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    file
}

/// Returns indices with a palette as a PNG.
#[must_use]
pub fn palette_png(indices: &[u8], palette: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, WIDTH, HEIGHT);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.to_vec());
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(indices).unwrap();
    writer.finish().unwrap();
    file
}

/// Returns a grey picture of 8 bits as a PNG.
#[must_use]
pub fn grey_png(pixels: &[u8]) -> Vec<u8> {
    png(
        (WIDTH, HEIGHT),
        ColorType::Grayscale,
        BitDepth::Eight,
        pixels,
    )
}

/// Returns an RGB picture of 8 bits as a PNG.
#[must_use]
pub fn rgb_png(pixels: &[u8]) -> Vec<u8> {
    png((WIDTH, HEIGHT), ColorType::Rgb, BitDepth::Eight, pixels)
}

/// Returns the photograph as a PNG.
#[must_use]
pub fn photograph_png() -> Vec<u8> {
    rgb_png(&photograph())
}

/// Returns the label as a palette of label ids, as GTA5 has it.
#[must_use]
pub fn label_png() -> Vec<u8> {
    palette_png(&each(label_id), &palette_of_label_ids())
}

/// Returns Cityscapes' colours by label id, black where a label id is no class.
#[must_use]
pub fn palette_of_label_ids() -> Vec<u8> {
    let colour = |id: usize| {
        let class = CLASSES
            .iter()
            .find(|class| usize::from(class.label_id) == id);
        class.map_or([0; 3], |class| class.colour)
    };
    (0..34).flat_map(colour).collect()
}

/// Returns Cityscapes' colours by train id.
#[must_use]
pub fn palette_of_train_ids() -> Vec<u8> {
    CLASSES.iter().flat_map(|class| class.colour).collect()
}
