//! `docs/api/openapi.json` is printed from the types: a changed API shows as a changed file. `BARID_DOCS=write` (`cargo xtask docs`) rewrites it.

use std::path::Path;

use serde_json::Value;

#[test]
fn the_description_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api/openapi.json");
    let printed = admin::api::openapi();
    if std::env::var("BARID_DOCS").is_ok_and(|v| v == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == printed, "docs/api/openapi.json is out of date: run `cargo xtask docs`");
}

fn operations() -> Vec<(String, String, Value)> {
    let root: Value = serde_json::from_str(&admin::api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in root["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

/// S6.2: every operation says its refusals, and has words, a name of its own and a tag.
#[test]
fn every_operation_is_described() {
    let mut names = Vec::new();
    for (method, path, operation) in operations() {
        let what = format!("{method} {path}");
        assert!(operation["summary"].is_string() || operation["description"].is_string(), "{what} has no words");
        assert!(operation["tags"][0].is_string(), "{what} has no tag");
        assert!(operation["security"].is_array(), "{what} does not say who may");
        names.push(operation["operationId"].as_str().unwrap().to_owned());
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "two operations share a name");
}

/// Every reference leads somewhere.
#[test]
fn every_reference_is_there() {
    let text = admin::api::openapi();
    let root: Value = serde_json::from_str(&text).unwrap();
    for part in text.split("\"$ref\": \"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(root.pointer(pointer).is_some(), "{pointer} is nowhere");
    }
}
