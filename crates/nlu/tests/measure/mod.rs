//! How well understanding does, measured: public sets of intents and labelled leads. Shared by the tests, which hold the floors, and by
//! the example `figures`, which prints the tables.

#![allow(dead_code, clippy::allow_attributes, reason = "each user takes a part of it")]

pub mod leads;
pub mod sets;

use std::path::PathBuf;

/// The folder of the public data, when there is one: `BARID_FIXTURES`.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("BARID_FIXTURES").map(|folder| PathBuf::from(folder).join("nlu"))
}

/// A fixed sequence of numbers for splits.
pub struct Sequence(u64);

impl Sequence {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = usize::try_from(self.next()).unwrap_or(0) % (i + 1);
            items.swap(i, j);
        }
    }
}
