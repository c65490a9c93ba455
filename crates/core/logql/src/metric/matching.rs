//! Binary operators between two vectors: how their series find one another.

use hashbrown::HashMap;
use skald_model::{Labels, LabelsBuilder};

use super::{ABSENT, StepSeries, binary::combine_present, is_absent};
use crate::{
    error::QueryError,
    syntax::ast::{Binary, BinaryOp, Group, VectorMatching},
};

/// `left op right` over `steps` steps.
///
/// # Errors
/// More than one series on a side that may have only one.
pub(crate) fn vector_with_vector(
    binary: &Binary,
    left: Vec<StepSeries>,
    right: Vec<StepSeries>,
    steps: usize,
) -> Result<Vec<StepSeries>, QueryError> {
    let mut result = if binary.op.is_set() {
        set_operation(binary, left, right, steps)
    } else {
        match binary.matching.as_ref().and_then(|matching| matching.group.as_ref()) {
            Some(group) => many_to_one(binary, group, left, right, steps)?,
            None => one_to_one(binary, left, right, steps)?,
        }
    };
    result.retain(|series| !series.is_empty());
    Ok(result)
}

/// The labels by which a series is matched.
fn signature(labels: &Labels, matching: Option<&VectorMatching>, builder: &mut LabelsBuilder) -> Labels {
    let Some(VectorMatching { on, labels: names, .. }) = matching else { return labels.clone() };
    if !on && names.is_empty() {
        return labels.clone();
    }
    builder.clear();
    for (name, value) in labels.iter().filter(|(name, _)| names.iter().any(|n| n == name) == *on) {
        builder.push(name, value);
    }
    builder.build()
}

/// One side by signature: series with equal signatures are laid over one another, which is an error
/// where two of them have a value at one step.
struct OneSide {
    index: HashMap<Labels, usize>,
    values: Vec<Vec<f64>>,
    /// The labels of the series that has the value; only asked for where labels are included.
    labels: Vec<Labels>,
    /// Steps at which two series met.
    clashes: Vec<Vec<bool>>,
}

impl OneSide {
    fn new(series: Vec<StepSeries>, matching: Option<&VectorMatching>, steps: usize) -> Self {
        let mut side = Self { index: HashMap::new(), values: Vec::new(), labels: Vec::new(), clashes: Vec::new() };
        let mut builder = LabelsBuilder::new();
        for StepSeries { labels, values } in series {
            let signature = signature(&labels, matching, &mut builder);
            if let Some(at) = side.index.get(&signature).copied() {
                let clashes = &mut side.clashes[at];
                clashes.resize(steps, false);
                for ((have, value), clash) in side.values[at].iter_mut().zip(values).zip(clashes) {
                    if is_absent(*have) {
                        *have = value;
                    } else if !is_absent(value) {
                        *clash = true;
                    }
                }
            } else {
                side.index.insert(signature, side.values.len());
                side.values.push(values);
                side.labels.push(labels);
                side.clashes.push(Vec::new());
            }
        }
        side
    }

    fn any_clash(&self) -> bool {
        self.clashes.iter().flatten().any(|clash| *clash)
    }
}

fn duplicates_on_one_side() -> QueryError {
    QueryError::BadRequest(
        "found duplicate series on the right hand-side;many-to-many matching not allowed: matching labels must be unique on one side"
            .to_owned(),
    )
}

fn one_to_one(
    binary: &Binary,
    left: Vec<StepSeries>,
    right: Vec<StepSeries>,
    steps: usize,
) -> Result<Vec<StepSeries>, QueryError> {
    let matching = binary.matching.as_ref();
    let right = OneSide::new(right, matching, steps);
    if right.any_clash() {
        return Err(duplicates_on_one_side());
    }
    let left = OneSide::new(left, matching, steps);
    let mut out = Vec::new();
    // What `on` or `ignoring` leaves of the labels is both the signature and the result's labels.
    for (labels, at) in left.index {
        let Some(other) = right.index.get(&labels).map(|other| &right.values[*other]) else { continue };
        let clash = left.clashes[at].iter().zip(other).any(|(clash, value)| *clash && !is_absent(*value));
        if clash {
            return Err(QueryError::BadRequest(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                    .to_owned(),
            ));
        }
        let values = left.values[at].iter().zip(other).map(|(l, r)| combine_present(binary, *l, *r)).collect();
        out.push(StepSeries { labels, values });
    }
    Ok(out)
}

fn many_to_one(
    binary: &Binary,
    group: &Group,
    left: Vec<StepSeries>,
    right: Vec<StepSeries>,
    steps: usize,
) -> Result<Vec<StepSeries>, QueryError> {
    let matching = binary.matching.as_ref();
    let (many, one) = if group.left { (left, right) } else { (right, left) };
    let one = OneSide::new(one, matching, steps);
    if one.any_clash() {
        return Err(duplicates_on_one_side());
    }
    let mut builder = LabelsBuilder::new();
    let mut out: Vec<StepSeries> = Vec::new();
    let mut index: HashMap<Labels, usize> = HashMap::new();
    for StepSeries { labels, values } in many {
        let Some(at) = one.index.get(&signature(&labels, matching, &mut builder)).copied() else { continue };
        let combine = |(many, one): (&f64, &f64)| {
            let (left, right) = if group.left { (*many, *one) } else { (*one, *many) };
            combine_present(binary, left, right)
        };
        let values: Vec<f64> = values.iter().zip(&one.values[at]).map(combine).collect();
        let labels = included(&labels, &one.labels[at], &group.include, &mut builder);
        match index.get(&labels).copied() {
            None => {
                index.insert(labels.clone(), out.len());
                out.push(StepSeries { labels, values });
            }
            Some(before) => {
                for (have, value) in out[before].values.iter_mut().zip(values) {
                    if !is_absent(*have) && !is_absent(value) {
                        return Err(QueryError::BadRequest(
                            "multiple matches for labels: grouping labels must ensure unique matches".to_owned(),
                        ));
                    }
                    if is_absent(*have) {
                        *have = value;
                    }
                }
            }
        }
    }
    Ok(out)
}

/// The many side's labels with those named taken from the one side; empty ones there delete.
fn included(many: &Labels, one: &Labels, include: &[String], builder: &mut LabelsBuilder) -> Labels {
    if include.is_empty() {
        return many.clone();
    }
    builder.clear();
    many.iter()
        .filter(|(name, _)| !include.iter().any(|i| i == name))
        .for_each(|(name, value)| builder.push(name, value));
    include.iter().for_each(|name| builder.push(name, one.get(name).unwrap_or("")));
    builder.build()
}

fn set_operation(binary: &Binary, left: Vec<StepSeries>, right: Vec<StepSeries>, steps: usize) -> Vec<StepSeries> {
    let matching = binary.matching.as_ref();
    let mut builder = LabelsBuilder::new();
    // Which steps have any series of a signature, on the side that decides.
    let mut present: HashMap<Labels, Vec<bool>> = HashMap::new();
    let deciding = if binary.op == BinaryOp::Or { &left } else { &right };
    for series in deciding {
        let steps_of =
            present.entry(signature(&series.labels, matching, &mut builder)).or_insert_with(|| vec![false; steps]);
        for (present, value) in steps_of.iter_mut().zip(&series.values) {
            *present |= !is_absent(*value);
        }
    }
    let mut mask = |mut series: StepSeries, keep_present: bool| {
        let decided = present.get(&signature(&series.labels, matching, &mut builder));
        for (i, value) in series.values.iter_mut().enumerate() {
            if decided.is_some_and(|decided| decided[i]) != keep_present {
                *value = ABSENT;
            }
        }
        series
    };
    match binary.op {
        BinaryOp::And => left.into_iter().map(|series| mask(series, true)).collect(),
        BinaryOp::Unless => left.into_iter().map(|series| mask(series, false)).collect(),
        _ => {
            let added: Vec<StepSeries> = right.into_iter().map(|series| mask(series, false)).collect();
            union(left, added)
        }
    }
}

/// All series of both; where both have one with the same labels, they never have values at the same step.
fn union(mut left: Vec<StepSeries>, added: Vec<StepSeries>) -> Vec<StepSeries> {
    let index: HashMap<Labels, usize> = left.iter().enumerate().map(|(i, series)| (series.labels.clone(), i)).collect();
    for series in added {
        match index.get(&series.labels) {
            Some(at) => {
                for (have, value) in left[*at].values.iter_mut().zip(series.values) {
                    if is_absent(*have) {
                        *have = value;
                    }
                }
            }
            None => left.push(series),
        }
    }
    left
}
