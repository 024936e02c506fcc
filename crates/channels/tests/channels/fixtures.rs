//! Every body of the fixture collection (S1.3), where `BARID_FIXTURES` names its folder; the snapshots beside this file say what each
//! becomes. Without it only our own cases are tested, and the test says so.

use std::path::{Path, PathBuf};

use channels::NotJson;
use channels::meta::AppSecret;
use types::Secret;
use types::inbound::{Delivery, Event};

use crate::summary;

type Parse = fn(&[u8]) -> Result<Delivery, NotJson>;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("BARID_FIXTURES").map(PathBuf::from);
    if folder.is_none() {
        println!("BARID_FIXTURES is not set: only our own cases are tested");
    }
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Parses every file of a provider and returns the table `file -> events`.
fn walk(root: &Path, provider: &str, parse: Parse) -> String {
    let mut out = String::new();
    let files = files(&root.join(provider));
    assert!(files.len() > 50, "{provider}: only {} files", files.len());
    for file in files {
        let name = file.strip_prefix(root).unwrap().with_extension("").to_string_lossy().into_owned();
        let body = std::fs::read(&file).unwrap();
        let invalid = name.contains("/invalid_");
        match parse(&body) {
            Err(e) => {
                assert!(invalid, "{name} is JSON, yet was refused: {e}");
                out += &format!("{name}\n  not JSON\n");
            }
            Ok(delivery) => {
                assert!(!invalid, "{name} is no JSON, yet was taken");
                assert!(!delivery.items.is_empty(), "{name} gave nothing");
                only_customers_start_work(&name, &delivery);
                out += &format!("{name}\n");
                for line in summary::delivery(&delivery) {
                    out += &format!("  {line}\n");
                }
            }
        }
    }
    out
}

/// Rule 4 of the collection: statuses, echoes, history, standby, system and account fields never start work.
fn only_customers_start_work(name: &str, delivery: &Delivery) {
    const NEVER: [&str; 25] = [
        "/account_",
        "/business_",
        "/calls_",
        "/chat_id_broadcast",
        "/contact_avatar",
        "/device_",
        "/group_lifecycle",
        "/group_participants",
        "/history_",
        "/incoming_block",
        "/incoming_call",
        "/message_template_",
        "/messaging_",
        "/outgoing_",
        "/phone_number_name",
        "/phone_number_quality",
        "/quota_",
        "/security_",
        "/smb_",
        "/standby",
        "/state_",
        "/status_",
        "/system_",
        "/user_",
        "/value_errors",
    ];
    let messages = delivery.items.iter().filter(|i| matches!(i.event, Event::Message(_))).count();
    if NEVER.iter().any(|prefix| name.contains(prefix)) {
        assert_eq!(messages, 0, "{name} would start work");
    }
}

#[test]
fn every_meta_fixture_becomes_what_it_should() {
    let Some(root) = folder() else { return };
    insta::assert_snapshot!(walk(&root, "meta", channels::meta::parse));
}

#[test]
fn every_green_fixture_becomes_what_it_should() {
    let Some(root) = folder() else { return };
    insta::assert_snapshot!(walk(&root, "greenapi", channels::green::parse));
}

#[test]
fn the_collections_signatures_verify_and_no_others_do() {
    let Some(root) = folder() else { return };
    let secret = AppSecret::new(&Secret::new("test_app_secret"));
    let vectors = [
        ("meta/text.json", "dc6dfc084816516a52e37046fce08af10b4a7393fdcd8a2308f6ef385d3c56bb"),
        ("meta/text_arabic_emoji.json", "eadd391259e97de3e8dfababe3d49b7ee442a15affdf35bfa10838ad0ba0538c"),
        ("meta/text_unicode_escaped.json", "906e8708b15f3db19272a82ae99eb5a5cd53a21ef733ad9975da754e1d2e770f"),
        ("meta/batch_1000_updates.json", "a3da026368862872dc14af01cd6ae5bf564f9d2c5aceecc2d402071ff420864f"),
        ("meta/malformed/bom.json", "7117f1a711667a6fe254d7178b51fa14b88b27d49d117b178fb8bc27fdb3400d"),
        ("meta/malformed/invalid_bad_utf8.json", "5baca8cf0015537b1486c53c85930f85a6ad7c6bff4ede7066fa3b8f92f5eed2"),
        ("meta/malformed/invalid_empty_body.json", "517bc4c7d1d8d400868e0ad6f64b77098b818a2f2595004253a1922302a602c0"),
    ];
    for (file, digits) in vectors {
        let mut body = std::fs::read(root.join(file)).unwrap();
        let header = format!("sha256={digits}");
        assert!(secret.verify(header.as_bytes(), &body), "{file}");
        body.push(b'\n');
        assert!(!secret.verify(header.as_bytes(), &body), "{file} with another byte");
    }
}
