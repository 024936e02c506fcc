//! The figures of docs/understanding.md: `cargo run --release -p barid-nlu --example figures`.
//!
//! - without words: everything, from the folder in `BARID_FIXTURES`
//! - `intents TRAIN.csv TEST.csv`: any set of two columns, text and label, with a head line
//! - `leads FILE.jsonl`: other labelled leads, read as shipped
//! - `choose`: what choices are made by: training phrases that are left out, and CLINC150's validation part; no test set is opened

#![expect(clippy::print_stdout, reason = "it prints tables")]

#[path = "../tests/measure/mod.rs"]
mod measure;

use std::path::Path;
use std::time::Duration;

use measure::leads::{Confusion, Lead, Slots, cross_validate, read_set};
use measure::sets::{accuracy, at, calibration_error, clinc, csv, shots};
use nlu::classify::Classifier;
use nlu::{Background, Reader};
use types::{Clock, SystemClock};

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> Done {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let Some(folder) = measure::folder() else {
                println!(
                    "Set BARID_FIXTURES to the folder that holds nlu/ to measure on public data; speed and memory only:"
                );
                return speed();
            };
            banking(&folder)?;
            clinc150(&folder)?;
            leads(&folder.join("leads_dev.jsonl"), true)?;
            speed()
        }
        ["intents", train, test] => intents(Path::new(train), Path::new(test)),
        ["leads", file] => leads(Path::new(file), false),
        ["choose"] => choose(&measure::folder().ok_or("set BARID_FIXTURES")?),
        _ => Err("say nothing, or: choose, or: intents TRAIN.csv TEST.csv, or: leads FILE.jsonl".into()),
    }
}

/// What `work` gives and how long it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = SystemClock.now();
    let out = work();
    (out, SystemClock.now().since(before))
}

fn intents(train: &Path, test: &Path) -> Done {
    let (train, test) = (csv(train)?, csv(test)?);
    let (model, took) = timed(|| Classifier::train(&train));
    println!("accuracy {:.2} % of {}; trained on {} in {took:.0?}", accuracy(&model, &test), test.len(), train.len());
    Ok(())
}

fn banking(folder: &Path) -> Done {
    let (train, test) = (csv(&folder.join("banking77/train.csv"))?, csv(&folder.join("banking77/test.csv"))?);
    let (model, took) = timed(|| Classifier::train(&train));
    println!(
        "BANKING77, all {} phrases: {:.2} % of {} (trained and calibrated in {took:.1?})",
        train.len(),
        accuracy(&model, &test),
        test.len()
    );
    let (_, took) = timed(|| test.iter().map(|(t, _)| model.classify(t).confidence).sum::<f32>());
    println!(
        "  {:.1} us a text; calibration error {:.3}",
        took.as_secs_f64() * 1e6 / test.len() as f64,
        calibration_error(&model, &test)
    );
    for n in [10, 5] {
        let runs: Vec<f64> = (1..=5).map(|seed| accuracy(&Classifier::train(&shots(&train, n, seed)), &test)).collect();
        let mean = runs.iter().sum::<f64>() / runs.len() as f64;
        let (low, high) = runs.iter().fold((f64::MAX, 0.0_f64), |(l, h), r| (l.min(*r), h.max(*r)));
        println!("BANKING77, {n} phrases an intent: {mean:.2} % (mean of 5 random choices, {low:.2} to {high:.2})");
    }
    Ok(())
}

fn choose(folder: &Path) -> Done {
    let banking = csv(&folder.join("banking77/train.csv"))?;
    let data = clinc(folder)?;
    let rest = |chosen: &[(String, String)]| -> Vec<(String, String)> {
        banking.iter().filter(|e| !chosen.contains(e)).cloned().collect()
    };
    for n in [5, 10] {
        let mean = |one: &dyn Fn(u64) -> f64| (11..=16).map(one).sum::<f64>() / 6.0;
        let left = mean(&|seed| {
            let chosen = shots(&banking, n, seed);
            accuracy(&Classifier::train(&chosen), &rest(&chosen))
        });
        let other = mean(&|seed| accuracy(&Classifier::train(&shots(&data["train"], n, seed)), &data["val"]));
        println!(
            "{n} phrases an intent: BANKING77's other training phrases {left:.2} %, CLINC150's validation {other:.2} %"
        );
    }
    let chosen = shots(&banking, 90, 11);
    println!(
        "BANKING77, at most 90 phrases an intent, on the others: {:.2} %",
        accuracy(&Classifier::train(&chosen), &rest(&chosen))
    );
    clinc150(folder)
}

fn clinc150(folder: &Path) -> Done {
    let data = clinc(folder)?;
    let (train, val) = (&data["train"], &data["val"]);
    let outside: Vec<(String, String)> = data["oos_val"].iter().chain(&data["oos_train"]).cloned().collect();
    let (model, took) = timed(|| Classifier::train(train));
    println!(
        "CLINC150, all {} phrases: {:.2} % of validation (trained and calibrated in {took:.1?}, {:.0} MB)",
        train.len(),
        accuracy(&model, val),
        model.bytes() as f64 / 1e6
    );
    println!("  calibration error {:.3}", calibration_error(&model, val));
    for threshold in [0.3, 0.5, 0.7] {
        let (inside, refused) = at(&model, threshold, val, &data["oos_val"]);
        let (_, both) = at(&model, threshold, val, &outside);
        println!(
            "  confidence >= {threshold}: in-scope right {inside:.1} %, out-of-scope refused {refused:.1} % (validation), {both:.1} % (validation and training part)"
        );
    }
    Ok(())
}

fn leads(path: &Path, develop: bool) -> Done {
    let leads = read_set(&std::fs::read_to_string(path)?)?;
    let (reader, background) = (Reader::new()?, Background::new(&[], "AE")?);
    println!("\nLeads, {} of {}", leads.len(), path.display());
    if develop {
        println!("\nIntents learnt from four fifths of the leads, tested on the fifth, three times:");
        println!("{}", cross_validate(&leads, &[], 3)?.table());
    }
    let mut shipped = Confusion::default();
    shipped.add(&reader, &background, &leads.iter().collect::<Vec<&Lead>>());
    println!("Intents as shipped, nothing learnt from these leads:\n{}", shipped.table());
    let slots = Slots::measure(&reader, &background, &leads);
    println!("{}", slots.table());
    for line in shipped.missed.iter().chain(&slots.missed) {
        println!("  {line}");
    }
    Ok(())
}

/// The built-in model alone.
fn speed() -> Done {
    let background = Background::new(&[], "AE")?;
    let before = resident();
    let (reader, first) = timed(Reader::new);
    let after = resident();
    let mut reader = reader?;
    let phrases = Reader::built_in_phrases()?;
    let (_, train) = timed(|| reader.learn(&phrases));
    let (_, took) = timed(|| {
        for _ in 0..20 {
            for (text, _) in &phrases {
                std::hint::black_box(reader.read(text, &background, None, None));
            }
        }
    });
    let each = took.as_secs_f64() * 1e6 / (20 * phrases.len()) as f64;
    println!(
        "\nBuilt in: {} phrases; everything ready in {first:.0?}, of which training {train:.0?}; a message with slots {each:.1} us",
        phrases.len()
    );
    println!("  memory: model {:.2} MiB, word lists {:.2} MiB", mib(reader.model_bytes()), mib(reader.lexicon_bytes()));
    if let (Some(before), Some(after)) = (before, after) {
        println!(
            "  resident: {:.1} MiB before, {:.1} MiB with everything ready (phone number plans included)",
            mib(before),
            mib(after)
        );
    }
    Ok(())
}

/// What the process holds in memory, where the system says it.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / 1_048_576.0
}
