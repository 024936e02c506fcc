# A table of contents of commands: `just --list`. Each works without just, too.

# What there is.
default:
    @just --list

# A newcomer's minute: the engine with a simulated WhatsApp.
demo *args:
    cargo xtask demo {{ args }}

# Everything that must pass.
test *args:
    cargo xtask test {{ args }}

# The rules of ARCHITECTURE.md.
law:
    cargo xtask law

# Rewrite the pages that are printed from code.
docs:
    cargo xtask docs

# Format and lint, with what can be mended mended.
tidy:
    cargo fmt --all
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# Speed, as ratios to a baseline in the same run.
bench *args:
    cargo run --release --package barid-bench -- {{ args }}

# How well and how fast messages are understood (docs/understanding.md).
understanding *args:
    cargo run --release --package barid-nlu --example figures -- {{ args }}

# Licences, bans and sources of every dependency.
deny:
    cargo deny check bans licenses sources

# What users run.
release:
    cargo build --release --locked --package barid
