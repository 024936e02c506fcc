//! Softmax regression, trained with one AdaGrad step size per feature. Where there are phrases enough, each step leaves out half of
//! the features, so that no answer hangs on one of them. Chance is a fixed sequence: training gives the same model every time.

use super::grams::Vector;

/// The trained weights: one row of `classes` numbers for each feature.
#[derive(Debug, Default, Clone)]
pub(crate) struct Softmax {
    weights: Vec<f32>,
    classes: usize,
}

/// How to train.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    /// Whether each step leaves out half of the features; it takes twice the epochs.
    pub(crate) thin: bool,
    /// So much of the certainty of each example is spread over all classes: a handful of phrases is no proof.
    pub(crate) smooth: f32,
    /// How many times all examples are seen.
    pub(crate) epochs: u32,
    /// The first step's size; it falls to zero in a straight line.
    pub(crate) rate: f32,
    /// What damps the first steps of a feature.
    pub(crate) ease: f32,
}

/// A fixed sequence: training must not depend on chance.
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 fair coins.
    pub(crate) fn coins(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from((u128::from(self.coins()) * n as u128) >> 64).unwrap_or(0)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

impl Softmax {
    /// Trains on `examples`: a vector and its class each.
    pub(crate) fn train(examples: &[(&Vector, usize)], features: usize, classes: usize, steps: Steps) -> Self {
        let mut model = Self { weights: vec![0.0; features * classes], classes };
        let mut spent = vec![0.0_f32; features];
        let mut order: Vec<usize> = (0..examples.len()).collect();
        let mut sequence = Sequence::new(7);
        let mut scores = vec![0.0; classes];
        let total = (steps.epochs as usize * examples.len()).max(1) as f32;
        let mut kept = Vector::default();
        let spread = steps.smooth / classes.max(1) as f32;
        let mut done = 0_f32;
        for _ in 0..steps.epochs {
            sequence.shuffle(&mut order);
            for &at in &order {
                let (whole, class) = examples[at];
                let vector = if steps.thin {
                    thin(whole, &mut sequence, &mut kept);
                    &kept
                } else {
                    whole
                };
                model.scores(vector, &mut scores);
                softmax(&mut scores);
                for score in &mut scores {
                    *score -= spread;
                }
                scores[class] -= 1.0 - steps.smooth;
                let size: f32 = scores.iter().map(|g| g * g).sum();
                let rate = steps.rate * (1.0 - done / total);
                done += 1.0;
                if size < 1e-8 {
                    continue;
                }
                for &(feature, value) in &vector.items {
                    let feature = feature as usize;
                    spent[feature] += value * value * size;
                    let step = rate * value / (steps.ease + spent[feature]).sqrt();
                    let row = &mut model.weights[feature * classes..(feature + 1) * classes];
                    for (w, g) in row.iter_mut().zip(&scores) {
                        *w -= step * g;
                    }
                }
            }
        }
        model
    }

    /// One score for each class; higher is likelier.
    pub(crate) fn scores(&self, vector: &Vector, scores: &mut [f32]) {
        scores.fill(0.0);
        for &(feature, value) in &vector.items {
            let feature = feature as usize;
            let row = &self.weights[feature * self.classes..(feature + 1) * self.classes];
            for (s, w) in scores.iter_mut().zip(row) {
                *s += value * w;
            }
        }
    }

    /// What it takes in memory, bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.weights.capacity() * 4
    }
}

/// Every second feature by chance, at twice its weight.
fn thin(whole: &Vector, sequence: &mut Sequence, kept: &mut Vector) {
    kept.items.clear();
    for some in whole.items.chunks(64) {
        let mut coins = sequence.coins();
        for &(feature, value) in some {
            if coins & 1 == 1 {
                kept.items.push((feature, value * 2.0));
            }
            coins >>= 1;
        }
    }
}

/// Scores become probabilities.
pub(crate) fn softmax(scores: &mut [f32]) {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for s in scores.iter_mut() {
        *s = (*s - top).exp();
        sum += *s;
    }
    for s in scores.iter_mut() {
        *s /= sum;
    }
}
