//! From scores to the probability that the answer is right: a small logistic regression over signs of doubt.

/// How many signs there are.
pub(crate) const SIGNS: usize = 5;

/// One judged answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    pub(crate) signs: [f32; SIGNS],
    pub(crate) right: bool,
    pub(crate) weight: f32,
}

/// The fitted regression.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calibration {
    mean: [f32; SIGNS],
    spread: [f32; SIGNS],
    weights: [f32; SIGNS],
    bias: f32,
}

impl Calibration {
    /// Fits it by Newton's method with a little ridge; deterministic.
    pub(crate) fn fit(judged: &[Judged]) -> Self {
        let total: f32 = judged.iter().map(|j| j.weight).sum::<f32>().max(1e-6);
        let mut out = Self::default();
        for s in 0..SIGNS {
            out.mean[s] = judged.iter().map(|j| j.weight * j.signs[s]).sum::<f32>() / total;
            let variance = judged.iter().map(|j| j.weight * (j.signs[s] - out.mean[s]).powi(2)).sum::<f32>() / total;
            out.spread[s] = variance.sqrt().max(1e-3);
        }
        let mut theta = [0.0_f64; SIGNS + 1];
        for _ in 0..30 {
            let mut gradient = [0.0_f64; SIGNS + 1];
            let mut hessian = [[0.0_f64; SIGNS + 1]; SIGNS + 1];
            for j in judged {
                let x = out.scaled(&j.signs);
                let z: f64 = theta.iter().zip(&x).map(|(t, v)| t * v).sum();
                let p = 1.0 / (1.0 + (-z).exp());
                let (w, y) = (f64::from(j.weight), f64::from(u8::from(j.right)));
                for a in 0..=SIGNS {
                    gradient[a] += w * (p - y) * x[a];
                    for b in 0..=SIGNS {
                        hessian[a][b] += w * (p * (1.0 - p)) * x[a] * x[b];
                    }
                }
            }
            for a in 0..=SIGNS {
                let ridge = if a == SIGNS { 1e-3 } else { 1.0 };
                gradient[a] += ridge * theta[a];
                hessian[a][a] += ridge;
            }
            let step = solve(hessian, gradient);
            let size: f64 = step.iter().map(|s| s.abs()).sum();
            for (t, s) in theta.iter_mut().zip(step) {
                *t -= s.clamp(-4.0, 4.0);
            }
            if size < 1e-6 {
                break;
            }
        }
        for (weight, t) in out.weights.iter_mut().zip(theta) {
            *weight = t as f32;
        }
        out.bias = theta[SIGNS] as f32;
        out
    }

    fn scaled(&self, signs: &[f32; SIGNS]) -> [f64; SIGNS + 1] {
        let mut x = [1.0; SIGNS + 1];
        for s in 0..SIGNS {
            x[s] = f64::from((signs[s] - self.mean[s]) / self.spread[s]);
        }
        x
    }

    /// The probability that the answer with these signs is right.
    pub(crate) fn confidence(&self, signs: &[f32; SIGNS]) -> f32 {
        let x = self.scaled(signs);
        let z: f32 = (0..SIGNS).map(|s| self.weights[s] * x[s] as f32).sum::<f32>() + self.bias;
        1.0 / (1.0 + (-z).exp())
    }
}

/// Gaussian elimination with pivoting; the ridge keeps the matrix regular.
fn solve(mut a: [[f64; SIGNS + 1]; SIGNS + 1], mut b: [f64; SIGNS + 1]) -> [f64; SIGNS + 1] {
    const N: usize = SIGNS + 1;
    for i in 0..N {
        let pivot = (i..N).max_by(|x, y| a[*x][i].abs().total_cmp(&a[*y][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        b.swap(i, pivot);
        let d = if a[i][i].abs() < 1e-12 { 1e-12 } else { a[i][i] };
        for row in i + 1..N {
            let factor = a[row][i] / d;
            let upper = a[i];
            for (cell, above) in a[row].iter_mut().zip(upper) {
                *cell -= factor * above;
            }
            b[row] -= factor * b[i];
        }
    }
    let mut x = [0.0; N];
    for i in (0..N).rev() {
        let rest: f64 = (i + 1..N).map(|j| a[i][j] * x[j]).sum();
        let d = if a[i][i].abs() < 1e-12 { 1e-12 } else { a[i][i] };
        x[i] = (b[i] - rest) / d;
    }
    x
}
