//! `topk`, `bottomk`: at each step the k series of a group with the largest (smallest) values. Series
//! keep their labels; NaN loses against everything; of equal values the first series stays.

use std::cmp::Ordering;

use super::{ABSENT, StepSeries, is_absent, vector::groups};
use crate::syntax::ast::Grouping;

pub(super) fn select(
    mut series: Vec<StepSeries>,
    grouping: Option<&Grouping>,
    k: usize,
    top: bool,
    steps: usize,
) -> Vec<StepSeries> {
    let (group_of, labels) = groups(&series, grouping);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); labels.len()];
    for (i, group) in group_of.into_iter().enumerate() {
        members[group].push(i);
    }
    let mut ranked: Vec<usize> = Vec::new();
    for step in 0..steps {
        for members in &members {
            ranked.clear();
            ranked.extend(members.iter().copied().filter(|i| !is_absent(series[*i].values[step])));
            if ranked.len() <= k {
                continue;
            }
            ranked.sort_by(|a, b| order(series[*a].values[step], series[*b].values[step], top));
            for loser in ranked.drain(k..) {
                series[loser].values[step] = ABSENT;
            }
        }
    }
    series.retain(|series| !series.is_empty());
    series
}

/// Best first, NaN last.
fn order(a: f64, b: f64, top: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) if top => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    }
}
