//! Histories by the hundred. A failure prints its seed: `SKALD_SIM_SEED=<seed>` runs that one alone.

use std::thread;

use skald_sim::{Summary, Variant, Violation, run};

/// Histories of the protocol as it is.
const HISTORIES: u64 = 320;

/// Histories of each broken variant: enough to be sure, few enough to be quick.
const BROKEN_HISTORIES: u64 = 24;

/// Runs `count` histories on all cores, in no particular order.
fn run_all(variant: Variant, count: u64) -> Vec<(u64, Result<Summary, Violation>)> {
    let seeds: Vec<u64> = match std::env::var("SKALD_SIM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => (0..count).collect(),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let share = |at: usize| seeds.iter().copied().skip(at).step_by(threads);
        let run_share = move |at: usize| share(at).map(|seed| (seed, run(seed, variant))).collect::<Vec<_>>();
        let workers: Vec<_> = (0..threads).map(|at| scope.spawn(move || run_share(at))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a history panicked")).collect()
    })
}

#[test]
fn the_protocol_keeps_its_invariants() {
    let outcomes = run_all(Variant::Protocol, HISTORIES);
    let mut total = Summary::default();
    let mut failures = Vec::new();
    for (seed, outcome) in &outcomes {
        match outcome {
            Ok(summary) => {
                total.acknowledged += summary.acknowledged;
                total.reads += summary.reads;
                total.generations += summary.generations;
                total.fenced += summary.fenced;
                total.requests += summary.requests;
            }
            Err(violation) => failures.push(format!("seed {seed}: {violation}")),
        }
    }
    println!("{} histories: {total:?}", outcomes.len());
    assert!(failures.is_empty(), "{} histories fail:\n{}", failures.len(), failures.join("\n"));
    if outcomes.len() > 1 {
        assert!(total.reads > 0 && total.generations > 0 && total.fenced > 0, "histories without events: {total:?}");
    }
}

#[test]
fn a_seed_is_a_history() {
    assert_eq!(run(7, Variant::Protocol), run(7, Variant::Protocol));
}

#[test]
fn broken_variants_are_caught() {
    for variant in [Variant::CatalogFirst, Variant::NoCommitVector] {
        let outcomes = run_all(variant, BROKEN_HISTORIES);
        let caught = outcomes.iter().filter(|(_, outcome)| outcome.is_err()).count();
        println!("{variant:?}: {caught} of {} histories fail", outcomes.len());
        assert!(caught * 4 >= outcomes.len(), "{variant:?} passes unnoticed in most histories");
        let lost = |outcome: &Result<Summary, Violation>| matches!(outcome, Err(v) if v.invariant == "NoAckedLoss");
        assert!(outcomes.iter().any(|(_, outcome)| lost(outcome)), "{variant:?} loses rows");
    }
}
