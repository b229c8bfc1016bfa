use std::fs::File;
use std::io::Cursor;

use imaging::{LabelFile, encode_png};
use ndarray::{Array2, Array3};
use ndarray_npy::NpzReader;
use png::{BitDepth, ColorType};
use shared::dataset::classes::{UNKNOWN, train_id_of_label_id};
use shared::dataset::{LabelKind, LabelReading};

use crate::files::{chain, golden, input, png, prepare_alone, prepare_bytes};

#[test]
fn prepared_pairs_are_those_of_the_authors_to_the_last_bit() {
    let content = ("00001.png", "00001_label.png", LabelKind::PaletteIds);
    let night = (
        "night_000001_rgb_anon.png",
        "night_000001_gt_labelColor.png",
        LabelKind::Colour,
    );
    let snow = (
        "snow_000002_leftImg8bit.png",
        "snow_000002_gtFine_color.png",
        LabelKind::Colour,
    );
    for (folder, arrays, (image, label, kind)) in [
        ("cacti-night", "content", content),
        ("cacti-night", "style", night),
        ("adain-snow", "style", snow),
    ] {
        let prepared = prepare_bytes(&input(image), &input(label), kind).unwrap();
        let file = File::open(golden(folder).join("golden.npz")).unwrap();
        let mut npz = NpzReader::new(file).unwrap();
        let expected: Array3<u8> = npz.by_name(&format!("image_{arrays}")).unwrap();
        assert!(prepared.image == expected, "{image}");
        let expected: Array2<u8> = npz.by_name(&format!("label_{arrays}")).unwrap();
        assert!(prepared.label == expected, "{label}");
        let expected: Array2<u8> = npz.by_name(&format!("label_{arrays}_latent")).unwrap();
        assert!(prepared.label_latent == expected, "{label}");
        assert_eq!(prepared.warnings, []);
    }
}

#[test]
fn a_palette_label_keeps_its_palette_and_all_its_ids() {
    let label = input("00002_label.png");
    let prepared = prepare_bytes(&input("00002.png"), &label, LabelKind::PaletteIds).unwrap();
    let palette = |bytes: &[u8]| {
        let reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        reader.info().palette.as_ref().unwrap().to_vec()
    };
    let stored_label = prepared.stored_label.unwrap();
    assert_eq!(palette(&stored_label), palette(&label));

    let mut reader = png::Decoder::new(Cursor::new(&stored_label))
        .read_info()
        .unwrap();
    let mut ids = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut ids).unwrap();
    assert_eq!((info.width, info.height), (256, 128));
    assert_eq!(
        (info.color_type, info.bit_depth),
        (ColorType::Indexed, BitDepth::Eight)
    );
    let train_ids: Vec<u8> = ids.iter().map(|&id| train_id_of_label_id(id)).collect();
    assert_eq!(train_ids, prepared.label.into_raw_vec_and_offset().0);
}

#[test]
fn grey_ids_and_colours_are_stored_as_they_came() {
    let image = png((8, 4), ColorType::Rgb, BitDepth::Eight, &[9; 8 * 4 * 3]);
    let size = shared::model::ImageSize {
        width: 4,
        height: 2,
        latent_width: 2,
        latent_height: 1,
    };
    let prepare = |label: &[u8], kind| {
        let named = |name, bytes| imaging::NamedBytes { name, bytes };
        let label = LabelFile::new(named("l.png", label), LabelReading::promised(kind));
        imaging::prepare(named("i.png", &image), Some(label), size).unwrap()
    };
    let decode = |bytes: &[u8]| image::load_from_memory(bytes).unwrap();

    let label_ids = png((8, 4), ColorType::Grayscale, BitDepth::Eight, &[26; 32]);
    let prepared = prepare(&label_ids, LabelKind::LabelIds);
    assert!(prepared.label.iter().all(|&train_id| train_id == 13));
    assert_eq!(
        decode(prepared.stored_label.as_ref().unwrap())
            .as_luma8()
            .unwrap()
            .as_raw(),
        &[26; 8]
    );

    let train_ids = png((8, 4), ColorType::Grayscale, BitDepth::Eight, &[13; 32]);
    let prepared = prepare(&train_ids, LabelKind::TrainIds);
    assert!(prepared.label_latent.iter().all(|&train_id| train_id == 13));
    assert_eq!(
        decode(prepared.stored_label.as_ref().unwrap())
            .as_luma8()
            .unwrap()
            .as_raw(),
        &[13; 8]
    );

    let car = [0, 0, 142, 255].repeat(32);
    let colours = png((8, 4), ColorType::Rgba, BitDepth::Eight, &car);
    let prepared = prepare(&colours, LabelKind::Colour);
    assert!(prepared.label.iter().all(|&train_id| train_id == 13));
    let stored = decode(prepared.stored_label.as_ref().unwrap());
    assert_eq!(stored.as_rgb8().unwrap().as_raw(), &[0, 0, 142].repeat(8));
}

#[test]
fn palettes_of_a_few_colours_are_unpacked() {
    let image = png((6, 3), ColorType::Rgb, BitDepth::Eight, &[9; 6 * 3 * 3]);
    // Four bits an index: 7 (road) and 11 (building) side by side.
    let label = png((6, 3), ColorType::Indexed, BitDepth::Four, &[0x7b; 9]);
    let named = |name, bytes| imaging::NamedBytes { name, bytes };
    let size = shared::model::ImageSize {
        width: 6,
        height: 3,
        latent_width: 2,
        latent_height: 1,
    };
    let reading = LabelReading::promised(LabelKind::PaletteIds);
    let label = LabelFile::new(named("l.png", label.as_slice()), reading);
    let image = named("i.png", image.as_slice());
    let prepared = imaging::prepare(image, Some(label), size).unwrap();
    assert_eq!(prepared.label.row(0).to_vec(), [0, 2, 0, 2, 0, 2]);
}

#[test]
fn images_of_other_formats_become_rgb_with_a_warning() {
    let label = png(
        (256, 128),
        ColorType::Indexed,
        BitDepth::Eight,
        &[21; 256 * 128],
    );
    let pixels = 256 * 128;
    for (colour, depth, bytes, value, warnings) in [
        (
            ColorType::Grayscale,
            BitDepth::Eight,
            1,
            77,
            vec!["is greyscale"],
        ),
        (
            ColorType::Rgba,
            BitDepth::Eight,
            4,
            77,
            vec!["alpha channel"],
        ),
        // 0x4d4d of 65535 is 0x4d of 255.
        (
            ColorType::Rgb,
            BitDepth::Sixteen,
            6,
            77,
            vec!["more than 8 bits"],
        ),
        (
            ColorType::GrayscaleAlpha,
            BitDepth::Sixteen,
            4,
            77,
            vec!["is greyscale", "alpha channel", "more than 8 bits"],
        ),
    ] {
        let image = png((256, 128), colour, depth, &vec![value; pixels * bytes]);
        let prepared = prepare_bytes(&image, &label, LabelKind::PaletteIds).unwrap();
        assert!(
            prepared.image.iter().all(|&found| found == value),
            "{colour:?}"
        );
        assert_eq!(prepared.warnings.len(), warnings.len());
        for (warning, expected) in prepared.warnings.iter().zip(warnings) {
            assert!(warning.text.starts_with("images/a.png "), "{warning}");
            assert!(warning.text.contains(expected), "{warning}");
        }
    }
}

#[test]
fn a_jpeg_is_an_image_and_an_unfinished_one_is_not() {
    let label = png(
        (512, 256),
        ColorType::Indexed,
        BitDepth::Eight,
        &[21; 512 * 256],
    );
    let decoded = image::load_from_memory(&input("night_000001_rgb_anon.png")).unwrap();
    let mut jpeg = Vec::new();
    decoded
        .write_to(&mut Cursor::new(&mut jpeg), image::ImageFormat::Jpeg)
        .unwrap();
    let prepared = prepare_bytes(&jpeg, &label, LabelKind::PaletteIds).unwrap();
    assert_eq!(prepared.warnings, []);

    let cut = &jpeg[..jpeg.len() / 2];
    let error = prepare_bytes(cut, &label, LabelKind::PaletteIds).unwrap_err();
    assert_eq!(
        chain(&error),
        "images/a.png cannot be decoded: expected a complete JPEG file, \
         copy or download it again: the file ends before the image does"
    );
}

#[test]
fn a_small_image_is_enlarged_with_a_warning_and_a_tiny_one_refused() {
    let pair = |width: u32, height: u32| {
        let pixels = (width * height) as usize;
        let image = png(
            (width, height),
            ColorType::Rgb,
            BitDepth::Eight,
            &vec![5; 3 * pixels],
        );
        let label = png(
            (width, height),
            ColorType::Indexed,
            BitDepth::Eight,
            &vec![21; pixels],
        );
        prepare_bytes(&image, &label, LabelKind::PaletteIds)
    };
    let warnings = pair(100, 100).unwrap().warnings;
    let texts: Vec<String> = warnings.into_iter().map(|warning| warning.text).collect();
    assert_eq!(
        texts,
        [
            "images/a.png is 100x100 and was cropped to its middle 100x50, the shape of the model's 256x128: 50 % of it \
             were cut away",
            "images/a.png is 100x100 and its middle 100x50 was enlarged 2.56 times to 256x128",
        ]
    );
    assert_eq!(
        pair(30, 200).unwrap_err().to_string(),
        "images/a.png is 30x200: expected at least 32x16 after the centre crop, \
         use an image of a higher resolution"
    );
    assert!(pair(1, 1).is_err());
}

#[test]
fn a_label_must_be_as_large_as_its_image() {
    let error = prepare_bytes(
        &input("00001.png"),
        &input("00002_label.png"),
        LabelKind::PaletteIds,
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "labels/a.png is 1914x1052 but its image images/a.png is 480x264: \
         expected the same size, check that they belong together"
    );
}

#[test]
fn a_label_without_any_class_is_refused_whatever_it_is() {
    let image = input("00001.png");
    let size = (480, 264);
    let pixels = 480 * 264;
    let refused = |label: &[u8], kind| {
        let error = prepare_bytes(&image, label, kind).unwrap_err();
        error.to_string()
    };
    let rgb = png(size, ColorType::Rgb, BitDepth::Eight, &vec![0; 3 * pixels]);
    assert_eq!(
        refused(&rgb, LabelKind::Colour),
        "labels/a.png shows none of the 19 Cityscapes classes: \
         expected 8-bit RGB or RGBA Cityscapes class colours, check the layout of the dataset"
    );
    assert!(refused(&rgb, LabelKind::PaletteIds).contains("none of the 19"));
    let grey = |level| {
        png(
            size,
            ColorType::Grayscale,
            BitDepth::Eight,
            &vec![level; pixels],
        )
    };
    assert!(refused(&grey(0), LabelKind::LabelIds).contains("none of the 19"));
    assert!(refused(&grey(255), LabelKind::TrainIds).contains("none of the 19"));
}

#[test]
fn an_image_without_a_label_has_unknown_classes_and_nothing_to_store() {
    let image = input("00001.png");
    let label = input("00001_label.png");
    let alone = prepare_alone(&image).unwrap();
    assert_eq!(alone.label.dim(), (128, 256));
    assert_eq!(alone.label_latent.dim(), (16, 32));
    let mut classes = alone.label.iter().chain(&alone.label_latent);
    assert!(classes.all(|&train_id| train_id == UNKNOWN));
    assert_eq!(alone.stored_label, None);
    let labelled = prepare_bytes(&image, &label, LabelKind::PaletteIds).unwrap();
    assert_eq!(alone.image, labelled.image);
}

#[test]
fn an_encoded_image_decodes_to_itself_and_always_to_the_same_bytes() {
    let pixels = Array3::from_shape_fn((5, 7, 3), |(y, x, c)| (y * 50 + x * 5 + c) as u8);
    let encoded = encode_png(pixels.view()).unwrap();
    assert_eq!(encoded, encode_png(pixels.view()).unwrap());
    let decoded = image::load_from_memory(&encoded).unwrap();
    let decoded = decoded.as_rgb8().unwrap().as_raw().clone();
    assert_eq!(decoded, pixels.into_raw_vec_and_offset().0);
    assert!(encode_png(Array3::zeros((0, 7, 3)).view()).is_err());
}

#[test]
fn unknown_is_no_train_id() {
    assert_eq!(train_id_of_label_id(34), UNKNOWN);
}
