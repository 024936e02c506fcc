//! Our own bodies and what becomes of them. A new provider, or a new shape, is a new file in `tests/cases/` and its snapshot.

use std::path::Path;

use channels::NotJson;
use types::inbound::Delivery;

use crate::summary;

fn run(folder: &str, parse: fn(&[u8]) -> Result<Delivery, NotJson>) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut out = String::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let body = std::fs::read(&file).unwrap();
        out += &format!("{name}\n");
        match parse(&body) {
            Ok(delivery) => {
                assert!(!delivery.items.is_empty(), "{name} gave nothing");
                let text = String::from_utf8(body).unwrap();
                for item in &delivery.items {
                    assert!(text.contains(&item.raw), "{name}: raw is not the body's own text");
                }
                for line in summary::delivery(&delivery) {
                    out += &format!("  {line}\n");
                }
            }
            Err(e) => out += &format!("  {e} (byte {:?})\n", e.at),
        }
    }
    out
}

#[test]
fn meta_bodies_become_these_events() {
    insta::assert_snapshot!(run("meta", channels::meta::parse));
}

#[test]
fn green_bodies_become_these_events() {
    insta::assert_snapshot!(run("green", channels::green::parse));
}
