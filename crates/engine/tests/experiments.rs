//! Assignments stick, and results are honest (S3.8): simulated with and without a true difference, looked at after every contact.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail loudly too")]

use engine::experiment::{
    Assignment, BROKEN_SPLIT, Experiment, ExperimentError, SplitCheck, Switches, Test, Variant, results,
};

fn variants(weights: &[(&str, u32)]) -> Vec<Variant> {
    weights.iter().map(|(name, weight)| Variant { name: (*name).to_owned(), weight: *weight }).collect()
}

fn experiment(percent: u8) -> Experiment {
    Experiment::new("greeting", "2026", variants(&[("plain", 3), ("warm", 1)]), percent).unwrap()
}

fn chosen(experiment: &Experiment, contact: u32) -> Option<usize> {
    match experiment.assign(&format!("contact-{contact}"), None, Switches::default()) {
        Assignment::Variant(at, _) => Some(at),
        Assignment::Outside | Assignment::Off => None,
    }
}

/// A fixed sequence of numbers from 0 to 1.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn a_contact_keeps_its_variant_and_weights_are_kept() {
    let all = experiment(100);
    let warm = (0..20_000).filter(|c| chosen(&all, *c) == Some(1)).count();
    assert!((4_800..5_200).contains(&warm), "{warm} of 20,000 for a quarter");
    assert!((0..500).all(|c| chosen(&all, c) == chosen(&all, c)));
    let other = Experiment::new("greeting", "2027", variants(&[("plain", 3), ("warm", 1)]), 100).unwrap();
    let both = (0..20_000).filter(|c| chosen(&all, *c) == Some(1) && chosen(&other, *c) == Some(1)).count();
    assert!((1_050..1_450).contains(&both), "another salt is independent: {both} of 20,000 for a sixteenth");
}

#[test]
fn a_wider_roll_out_takes_more_in_and_moves_nobody() {
    let (narrow, wide) = (experiment(10), experiment(50));
    let inside = (0..20_000).filter(|c| chosen(&narrow, *c).is_some()).count();
    assert!((1_850..2_150).contains(&inside), "{inside} of 20,000 for 10 %");
    assert!((0..20_000).all(|c| chosen(&narrow, c).is_none_or(|at| chosen(&wide, c) == Some(at))));
    assert!((0..2_000).all(|c| chosen(&experiment(0), c).is_none()));
}

#[test]
fn a_stored_exposure_goes_before_the_hash_and_the_kill_switch_before_all() {
    let e = experiment(0);
    let kept = e.assign("anyone", Some("warm"), Switches::default());
    assert!(matches!(kept, Assignment::Variant(1, _)), "{kept:?}");
    assert_eq!(e.assign("anyone", Some("gone"), Switches::default()), Assignment::Outside);
    for off in [Switches { all_off: true, off: false }, Switches { all_off: false, off: true }] {
        assert_eq!(e.assign("anyone", Some("warm"), off), Assignment::Off);
    }
}

#[test]
fn an_experiment_that_compares_nothing_is_refused() {
    let of = |weights: &[(&str, u32)], percent| Experiment::new("e", "", variants(weights), percent).err();
    assert_eq!(of(&[("a", 1), ("b", 0)], 100), Some(ExperimentError::TooFew("e".to_owned())));
    assert_eq!(of(&[("a", 1), ("a", 1)], 100), Some(ExperimentError::Twice("e".to_owned(), "a".to_owned())));
    assert_eq!(of(&[("a", 1), ("b", 1)], 101), Some(ExperimentError::Percent("e".to_owned(), 101)));
}

/// One experiment of up to `contacts`, looked at after each: when a difference was called, if ever.
fn run(rates: &[f64], contacts: usize, chance: &mut Sequence) -> Option<usize> {
    let share = 1.0 / rates.len() as f64;
    let mut goals = Test::new(vec![share; rates.len()]);
    (1..=contacts).find(|_| {
        let arm = ((chance.next() * rates.len() as f64) as usize).min(rates.len() - 1);
        let reached = chance.next() < rates[arm];
        goals.add(arm, reached);
        goals.is_significant(0.05)
    })
}

/// The share of 2,000 experiments in which a difference was called, and the median contact at which it was.
fn called(rates: &[f64], seed: u64) -> (f64, usize) {
    let mut chance = Sequence(seed);
    let mut stops: Vec<usize> = (0..2_000).filter_map(|_| run(rates, 4_000, &mut chance)).collect();
    stops.sort_unstable();
    (stops.len() as f64 / 2_000.0, stops.get(stops.len() / 2).copied().unwrap_or(0))
}

#[test]
fn no_difference_is_called_in_at_most_five_percent_though_looked_at_after_every_contact() {
    for rates in [&[0.1, 0.1][..], &[0.4, 0.4], &[0.02, 0.02], &[0.1, 0.1, 0.1]] {
        let (called, _) = called(rates, 1);
        println!("false positives at {rates:?}: {:.1} %", called * 100.0);
        assert!(called <= 0.05, "{rates:?}: {called}");
    }
}

#[test]
fn a_true_difference_of_ten_to_fifteen_percent_is_found_within_4_000_contacts() {
    for seed in 2..5 {
        let (power, median) = called(&[0.10, 0.15], seed);
        println!("power from 10 % to 15 %: {:.1} %, median stop at {median} contacts", power * 100.0);
        assert!(power >= 0.95, "{power}");
    }
}

#[test]
fn a_split_that_is_not_what_was_asked_for_spoils_the_results() {
    let mut chance = Sequence(3);
    let mut even = SplitCheck::new(vec![0.5, 0.5]);
    let mut tilted = SplitCheck::new(vec![0.5, 0.5]);
    let mut goals = Test::new(vec![0.5, 0.5]);
    for _ in 0..10_000 {
        even.add(usize::from(chance.next() < 0.5));
        tilted.add(usize::from(chance.next() < 0.45));
        let arm = usize::from(chance.next() < 0.5);
        let reached = chance.next() < [0.1, 0.2][arm];
        goals.add(arm, reached);
    }
    assert!(even.p_value() > BROKEN_SPLIT && tilted.p_value() <= BROKEN_SPLIT);
    let sound = results(&even, &goals);
    assert_eq!((sound.winner, sound.split_is_sound), (Some(1), true));
    assert!(sound.arms[1].rate() > sound.arms[0].rate());
    assert_eq!(results(&tilted, &goals).winner, None, "no winner out of a broken split");
}
