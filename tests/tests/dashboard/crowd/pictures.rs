//! Pictures that claim many pixels, or are no pictures.

use crate::{HTML, Planned, get, wait_for_run};

/// Returns a picture of few bytes that claims to have many pixels.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0; 16]).unwrap();
    drop(writer);
    bytes
}

#[tokio::test]
async fn pictures_that_claim_much_take_little() {
    let planned = Planned::new(4).await;
    let service = planned.serve(&[]);
    wait_for_run(&service, "planned", &[]);
    let folder = planned.root.path().join("runs/planned/images/fog");
    std::fs::create_dir_all(&folder).unwrap();
    let output = |name: &str| folder.join(format!("{name}.png"));
    std::fs::write(output("00001"), claiming(23_000, 23_000)).unwrap();
    std::fs::write(output("00002"), vec![0; 1 << 20]).unwrap();
    let sparse = std::fs::File::create(output("00003")).unwrap();
    sparse.set_len(6 << 30).unwrap();
    std::fs::write(output("00004"), "root:x:0:0").unwrap();
    for (name, width, words) in [
        ("00004", "", "no PNG file"),
        ("00004", "?w=320", "cannot be shown"),
        ("00001", "?w=320", "33554432 pixels"),
        ("00002", "?w=320", "1048576 bytes"),
        ("00002", "", "1048576 bytes"),
        ("00003", "", "6442450944 bytes"),
    ] {
        let path = format!("/runs/planned/images/output/fog/{name}{width}");
        let answer = get(&service, &path, &[HTML]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
        assert!(!answer.body.contains("root:x"), "{path}");
    }
    let _ = service.stop().exits(0);
}
