//! The workspace as values: what its files say and who imports whom.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::lexer::{Token, lex};
use crate::run::{cargo, output};

/// The workspace. Rules see nothing else.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Path from the workspace's folder, and text; empty for files that are not text of ours.
    pub files: BTreeMap<String, String>,
    /// The Rust files among them, as tokens.
    pub sources: BTreeMap<String, Vec<Token>>,
    /// Every dependency of every member.
    pub edges: Vec<Edge>,
}

/// One dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The room, by its folder's name: `store`.
    pub from: String,
    /// A room, or a package from outside by its name.
    pub to: String,
    /// Only for tests.
    pub dev: bool,
}

impl Tree {
    /// A tree of these files and edges.
    pub fn new(files: BTreeMap<String, String>, edges: Vec<Edge>) -> Self {
        let rust = |path: &str| Path::new(path).extension().is_some_and(|e| e == "rs");
        let sources =
            files.iter().filter(|(path, _)| rust(path)).map(|(path, text)| (path.clone(), lex(text))).collect();
        Self { files, sources, edges }
    }

    /// Reads the workspace at `root`.
    pub fn read(root: &Path) -> Result<Self> {
        Ok(Self::new(files(root)?, edges(root)?))
    }

    /// The rooms, by their folder's name.
    pub fn rooms(&self) -> Vec<&str> {
        self.files
            .keys()
            .filter_map(|path| path.strip_suffix("/Cargo.toml"))
            .filter_map(|dir| dir.rsplit('/').next())
            .collect()
    }
}

/// Where a room's manifest is.
pub fn manifest(room: &str) -> String {
    if matches!(room, "bench" | "xtask") { format!("{room}/Cargo.toml") } else { format!("crates/{room}/Cargo.toml") }
}

/// Whether a file is compiled for tests only.
pub fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches")) || path.ends_with("/tests.rs")
}

/// Every file of ours, by its path from `root`.
pub fn files(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    walk(root, "", &mut found)?;
    Ok(found)
}

fn walk(root: &Path, below: &str, found: &mut BTreeMap<String, String>) -> Result<()> {
    let folder = root.join(below);
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "dist") {
                walk(root, &path, found)?;
            }
        } else if kind.is_file() {
            let ours = Path::new(&name).extension().is_some_and(|e| e == "rs" || e == "toml" || e == "md");
            let text =
                if ours { std::fs::read_to_string(entry.path()).with_context(|| path.clone())? } else { String::new() };
            found.insert(path, text);
        }
    }
    Ok(())
}

/// Every dependency of every member, as cargo understands the manifests.
fn edges(root: &Path) -> Result<Vec<Edge>> {
    let mut command = cargo(root);
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let Some(text) = output(&mut command) else {
        bail!("cargo metadata failed in {}: run it there to see why", root.display())
    };
    edges_of(&serde_json::from_str(&text).context("cargo metadata gave no JSON")?)
}

fn edges_of(metadata: &serde_json::Value) -> Result<Vec<Edge>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let room = |package: &serde_json::Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        Some(manifest.parent()?.file_name()?.to_string_lossy().into_owned())
    };
    let rooms: BTreeMap<&str, String> =
        packages.iter().filter_map(|package| Some((package["name"].as_str()?, room(package)?))).collect();
    let mut edges = Vec::new();
    for package in packages {
        let from = package["name"].as_str().and_then(|name| rooms.get(name)).context("a package without a name")?;
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().context("a dependency without a name")?;
            let inside = !dependency["path"].is_null();
            let to = rooms.get(name).filter(|_| inside).cloned().unwrap_or_else(|| name.to_owned());
            edges.push(Edge { from: from.clone(), to, dev: dependency["kind"] == "dev" });
        }
    }
    Ok(edges)
}
