//! A release carries `ui/dist`: built anew, it is to be carried anew.

fn main() {
    let dist = "../../ui/dist";
    // Named while it is missing, it would make every build begin here. `cargo xtask page` touches this file when it makes it.
    let watched = if std::path::Path::new(dist).exists() { dist } else { "build.rs" };
    println!("cargo::rerun-if-changed={watched}");
    println!("cargo::rerun-if-changed=build.rs");
}
