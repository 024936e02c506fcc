//! Experiments (S3.8): who gets which variant, and what the results say. Pure: exposures and goals are counted elsewhere.
//!
//! A contact gets the same variant every time, by hash. The test is always valid: it may be looked at after every contact and stopped at
//! any moment, and still calls a difference where there is none in at most `alpha` of all experiments.

use ring::digest::{SHA256, digest};

/// One of the ways to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name, stored with each exposure.
    pub name: String,
    /// Its share of the contacts that take part, relative to the others.
    pub weight: u32,
}

/// An experiment as its tenant's file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    id: String,
    salt: String,
    variants: Vec<Variant>,
    percent: u8,
}

/// An experiment that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentError {
    /// One variant compares with nothing.
    #[error("experiment {0:?} has fewer than two variants with a weight: give it one more, or remove it")]
    TooFew(String),
    /// Two variants of one name could not be told apart in the results.
    #[error("experiment {0:?} has two variants called {1:?}: give each a name of its own")]
    Twice(String, String),
    /// More than everyone.
    #[error("experiment {0:?} takes {1} percent of contacts: write 0 to 100")]
    Percent(String, u8),
}

/// What may switch experiments off at once: read it anew for every turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// All agents are off (`WA_ENHANCED_PROCESSING=false`): everyone gets the flow.
    pub all_off: bool,
    /// This experiment is off.
    pub off: bool,
}

/// What a contact gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignment<'a> {
    /// Takes part, with this variant (its place in the list).
    Variant(usize, &'a Variant),
    /// Does not take part: not rolled out this far.
    Outside,
    /// Switched off: nobody takes part, whoever took part before included.
    Off,
}

impl Experiment {
    /// `salt` makes two experiments of one id independent; `percent` is how many contacts take part. Raising it keeps everyone who takes
    /// part already, and their variant.
    ///
    /// # Errors
    /// [`ExperimentError`] when there are not two variants with a weight, two share a name, or the percentage is over 100.
    pub fn new(id: &str, salt: &str, variants: Vec<Variant>, percent: u8) -> Result<Self, ExperimentError> {
        if variants.iter().filter(|v| v.weight > 0).count() < 2 {
            return Err(ExperimentError::TooFew(id.to_owned()));
        }
        if let Some((_, twice)) =
            variants.iter().enumerate().find(|(i, v)| variants[..*i].iter().any(|w| w.name == v.name))
        {
            return Err(ExperimentError::Twice(id.to_owned(), twice.name.clone()));
        }
        if percent > 100 {
            return Err(ExperimentError::Percent(id.to_owned(), percent));
        }
        Ok(Self { id: id.to_owned(), salt: salt.to_owned(), variants, percent })
    }

    /// The variant of a contact: the same one each time. An exposure that is stored already (`before`, a name) goes before the hash, so that
    /// changed weights move nobody.
    #[must_use]
    pub fn assign(&self, contact: &str, before: Option<&str>, switches: Switches) -> Assignment<'_> {
        if switches.all_off || switches.off {
            return Assignment::Off;
        }
        let known = before.and_then(|name| self.variants.iter().position(|v| v.name == name));
        if let Some((at, variant)) = known.and_then(|at| Some((at, self.variants.get(at)?))) {
            return Assignment::Variant(at, variant);
        }
        // Two hashes: who takes part must say nothing of which variant they get.
        if !self.takes_part(contact) {
            return Assignment::Outside;
        }
        let total: f64 = self.variants.iter().map(|v| f64::from(v.weight)).sum();
        let mut left = self.share("variant", contact) * total;
        for (at, variant) in self.variants.iter().enumerate() {
            left -= f64::from(variant.weight);
            if left < 0.0 {
                return Assignment::Variant(at, variant);
            }
        }
        Assignment::Outside
    }

    /// Whether a contact is within the roll-out.
    fn takes_part(&self, contact: &str) -> bool {
        self.share("roll-out", contact) * 100.0 < f64::from(self.percent)
    }

    /// What a contact gets once the variant `picked` was picked as the winner: that one, whoever takes part, also who had another before.
    /// `None`: there is no such variant (any more), and the experiment goes on.
    #[must_use]
    pub fn settled(
        &self,
        contact: &str,
        before: Option<&str>,
        picked: &str,
        switches: Switches,
    ) -> Option<Assignment<'_>> {
        let (at, variant) = self.variants.iter().enumerate().find(|(_, v)| v.name == picked)?;
        let known = before.is_some_and(|name| self.variants.iter().any(|v| v.name == name));
        Some(if switches.all_off || switches.off {
            Assignment::Off
        } else if known || self.takes_part(contact) {
            Assignment::Variant(at, variant)
        } else {
            Assignment::Outside
        })
    }

    /// Where a contact falls between 0 and 1.
    fn share(&self, what: &str, contact: &str) -> f64 {
        // Lengths keep the parts apart: no id and salt make the bytes of another pair.
        point(&format!("{}:{}|{}:{}|{what}|{contact}", self.id.len(), self.id, self.salt.len(), self.salt))
    }

    /// The variants.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The share of each variant among those who take part.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let total: f64 = self.variants.iter().map(|v| f64::from(v.weight)).sum();
        self.variants.iter().map(|v| f64::from(v.weight) / total).collect()
    }
}

/// Where a key falls between 0 and 1, always the same.
fn point(key: &str) -> f64 {
    let hash = digest(&SHA256, key.as_bytes());
    let first: [u8; 8] = hash.as_ref().first_chunk().copied().unwrap_or_default();
    // 53 bits are what an f64 holds exactly; so the share is always below one.
    (u64::from_be_bytes(first) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether `unit` is among the `percent` of a hundred to whom `name` is rolled out. More percent keep everyone who is in.
#[must_use]
pub fn within(name: &str, unit: &str, percent: u8) -> bool {
    point(&format!("{}:{name}|roll-out|{unit}", name.len())) * 100.0 < f64::from(percent)
}

/// How strongly the split check holds to the weights before it sees otherwise.
const PRIOR: f64 = 100.0;
/// How many goals' worth of "all variants are alike" the test begins with: near what finds 10 % against 15 % soonest.
const GOALS: f64 = 40.0;

/// Evidence against "nothing but chance", multiplied up as it comes. A product of fair odds exceeds 1/alpha with at most the chance alpha,
/// however often one looks (Ville); hence the p-value may be read at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Evidence {
    now: f64,
    most: f64,
}

impl Evidence {
    fn add(&mut self, odds: f64) {
        self.now += odds.max(1e-12).ln();
        self.most = self.most.max(self.now);
    }

    fn p_value(self) -> f64 {
        (-self.most).exp().min(1.0)
    }
}

/// The sample-ratio check: whether the variants get the contacts that their weights ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitCheck {
    shares: Vec<f64>,
    counts: Vec<u64>,
    evidence: Evidence,
}

impl SplitCheck {
    /// `shares` are [`Experiment::shares`].
    #[must_use]
    pub fn new(shares: Vec<f64>) -> Self {
        let counts = vec![0; shares.len()];
        Self { shares, counts, evidence: Evidence::default() }
    }

    /// One more contact got a variant; unknown variants are ignored.
    pub fn add(&mut self, variant: usize) {
        let seen: u64 = self.counts.iter().sum();
        let (Some(&share), Some(count)) = (self.shares.get(variant), self.counts.get_mut(variant)) else { return };
        if share > 0.0 {
            self.evidence.add((PRIOR * share + *count as f64) / (PRIOR + seen as f64) / share);
            *count += 1;
        }
    }

    /// The always-valid p-value of "the split is another".
    #[must_use]
    pub fn p_value(&self) -> f64 {
        self.evidence.p_value()
    }
}

/// The running test of one experiment: contacts whose outcome is known, in the order they came. Keep it with the experiment and add to it;
/// the p-value never rises again.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    shares: Vec<f64>,
    arms: Vec<Arm>,
    evidence: Evidence,
}

impl Test {
    /// `shares` are [`Experiment::shares`].
    #[must_use]
    pub fn new(shares: Vec<f64>) -> Self {
        let arms = vec![Arm::default(); shares.len()];
        Self { shares, arms, evidence: Evidence::default() }
    }

    /// One more contact whose outcome is known: it reached the goal, or its time for it is over. Each contact counts once; unknown variants
    /// are ignored.
    pub fn add(&mut self, variant: usize, reached: bool) {
        let Some(&share) = self.shares.get(variant).filter(|s| **s > 0.0) else { return };
        // Without a difference, the outcome says nothing of the variant: its chance is its share. With one, it follows from the rates seen
        // so far. The quotient of the two is a fair bet against "no difference".
        let pooled = self.pooled();
        let chance = |at: usize| {
            let rate = self.rate_so_far(at, pooled);
            self.shares[at] * if reached { rate } else { 1.0 - rate }
        };
        let all: f64 = (0..self.shares.len()).map(chance).sum();
        let odds = chance(variant) / all.max(1e-12) / share;
        self.evidence.add(odds);
        if let Some(arm) = self.arms.get_mut(variant) {
            arm.contacts += 1;
            arm.goals += u64::from(reached);
        }
    }

    fn pooled(&self) -> f64 {
        let (goals, contacts) = self.arms.iter().fold((0, 0), |(g, c), a| (g + a.goals, c + a.contacts));
        (goals as f64 + 0.5) / (contacts as f64 + 1.0)
    }

    /// A variant's rate, drawn towards that of all by a fixed number of goals.
    fn rate_so_far(&self, at: usize, pooled: f64) -> f64 {
        let (arm, share) = (self.arms[at], self.shares[at]);
        (arm.goals as f64 + GOALS * share) / (arm.contacts as f64 + GOALS * share / pooled)
    }

    /// The always-valid p-value of "the variants differ".
    #[must_use]
    pub fn p_value(&self) -> f64 {
        self.evidence.p_value()
    }

    /// Whether a difference is established at `alpha` (0.05 for 5 %).
    #[must_use]
    pub fn is_significant(&self, alpha: f64) -> bool {
        self.p_value() <= alpha
    }
}

/// The split is so far from the weights that the results mean nothing: something loses or doubles contacts.
pub const BROKEN_SPLIT: f64 = 0.001;

/// What an experiment says so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// Per variant.
    pub arms: Vec<Arm>,
    /// The always-valid p-value of "the variants differ".
    pub p_value: f64,
    /// The variant with the best rate, when the difference is established at 5 % and the split is sound.
    pub winner: Option<usize>,
    /// Whether exposures fit the weights; if not, no rate may be believed.
    pub split_is_sound: bool,
}

/// One variant's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arm {
    /// Contacts whose outcome is known.
    pub contacts: u64,
    /// How many of them reached the goal.
    pub goals: u64,
}

impl Arm {
    /// Goals per contact, 0 to 1.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.contacts == 0 { 0.0 } else { self.goals as f64 / self.contacts as f64 }
    }
}

/// How much better one variant does than another, with an interval that holds at any time one looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lift {
    /// Difference of the rates.
    pub difference: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The spread of differences that the interval is sharpest for: five points.
const SPREAD: f64 = 0.05;
/// Below so many contacts of a variant a rate says nothing yet.
const FEW: u64 = 30;

/// The lift of `other` over `base`: a confidence sequence by a Gaussian mixture, wrong at any time with the chance `alpha` at most (for large
/// numbers; the test decides, this shows). `None` before each has [`FEW`] contacts.
#[must_use]
pub fn lift(base: Arm, other: Arm, alpha: f64) -> Option<Lift> {
    if base.contacts < FEW || other.contacts < FEW {
        return None;
    }
    let variance = |arm: Arm| {
        // Half a contact on either side: nobody reached is not certain.
        let rate = (arm.goals as f64 + 0.5) / (arm.contacts as f64 + 1.0);
        rate * (1.0 - rate) / arm.contacts as f64
    };
    let v = variance(base) + variance(other);
    let t = SPREAD * SPREAD;
    let half = (2.0 * v * (v + t) / t * (((v + t) / v).sqrt() / alpha).ln()).sqrt();
    let difference = other.rate() - base.rate();
    Some(Lift { difference, low: difference - half, high: difference + half })
}

/// Puts the test and the check of the split together.
#[must_use]
pub fn results(split: &SplitCheck, test: &Test) -> Results {
    let split_is_sound = split.p_value() > BROKEN_SPLIT;
    let best = test.arms.iter().enumerate().max_by(|a, b| a.1.rate().total_cmp(&b.1.rate())).map(|(at, _)| at);
    let winner = best.filter(|_| split_is_sound && test.is_significant(0.05));
    Results { arms: test.arms.clone(), p_value: test.p_value(), winner, split_is_sound }
}
