//! Vector aggregations that make one series of a group: `sum avg min max count stddev stdvar`.
//! `topk` and `bottomk` are in [`super::topk`].

use hashbrown::HashMap;
use skald_model::{Labels, LabelsBuilder};

use super::{ABSENT, StepSeries, is_absent, topk::select};
use crate::syntax::ast::{Grouping, VectorAggregation, VectorOp};

/// Applies an aggregation to series over `steps` steps.
pub(crate) fn aggregate(aggregation: &VectorAggregation, series: Vec<StepSeries>, steps: usize) -> Vec<StepSeries> {
    let grouping = aggregation.grouping.as_ref();
    match (aggregation.op, aggregation.k) {
        // The order of an answer's values is made at the very end.
        (VectorOp::Sort | VectorOp::SortDesc, _) => series,
        (VectorOp::Topk | VectorOp::ApproxTopk, Some(k)) => select(series, grouping, k, true, steps),
        (VectorOp::Bottomk, Some(k)) => select(series, grouping, k, false, steps),
        (op, _) => reduce(op, series, grouping, steps),
    }
}

/// Which group each series belongs to, and the labels of the groups, in the order of their first series.
pub(super) fn groups(series: &[StepSeries], grouping: Option<&Grouping>) -> (Vec<usize>, Vec<Labels>) {
    let mut builder = LabelsBuilder::new();
    let mut index: HashMap<Labels, usize> = HashMap::new();
    let mut labels = Vec::new();
    let of = series
        .iter()
        .map(|series| {
            let group = group_labels(&series.labels, grouping, &mut builder);
            *index.entry(group).or_insert_with_key(|group| {
                labels.push(group.clone());
                labels.len() - 1
            })
        })
        .collect();
    (of, labels)
}

fn group_labels(labels: &Labels, grouping: Option<&Grouping>, builder: &mut LabelsBuilder) -> Labels {
    builder.clear();
    if let Some(grouping) = grouping {
        for (name, value) in labels.iter() {
            if grouping.labels.iter().any(|label| label == name) != grouping.without {
                builder.push(name, value);
            }
        }
    }
    builder.build()
}

/// What a group has seen at one step.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    count: u32,
    value: f64,
    mean: f64,
    squares: f64,
}

fn reduce(op: VectorOp, series: Vec<StepSeries>, grouping: Option<&Grouping>, steps: usize) -> Vec<StepSeries> {
    let (group_of, labels) = groups(&series, grouping);
    let mut states = vec![State::default(); labels.len() * steps];
    for (series, group) in series.iter().zip(group_of) {
        let states = &mut states[group * steps..(group + 1) * steps];
        for (state, value) in states.iter_mut().zip(&series.values) {
            if !is_absent(*value) {
                state.add(op, *value);
            }
        }
    }
    let finish = |(i, labels)| {
        let values = states[i * steps..(i + 1) * steps].iter().map(|state| state.value(op)).collect();
        StepSeries { labels, values }
    };
    labels.into_iter().enumerate().map(finish).collect()
}

impl State {
    fn add(&mut self, op: VectorOp, value: f64) {
        self.count += 1;
        match op {
            VectorOp::Sum => self.value += value,
            // A NaN gives way to any number.
            VectorOp::Min if self.count == 1 || value < self.value || self.value.is_nan() => self.value = value,
            VectorOp::Max if self.count == 1 || value > self.value || self.value.is_nan() => self.value = value,
            VectorOp::Avg | VectorOp::Stddev | VectorOp::Stdvar => {
                let delta = value - self.mean;
                self.mean += delta / f64::from(self.count);
                self.squares += delta * (value - self.mean);
            }
            _ => {}
        }
    }

    fn value(&self, op: VectorOp) -> f64 {
        let variance = || self.squares / f64::from(self.count);
        match op {
            _ if self.count == 0 => ABSENT,
            VectorOp::Count => f64::from(self.count),
            VectorOp::Avg => self.mean,
            VectorOp::Stdvar => variance(),
            VectorOp::Stddev => variance().sqrt(),
            _ => self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::ast::{Expr, MetricExpr};

    fn input() -> Vec<StepSeries> {
        let series = |pairs: &[(&str, &str)], values: &[f64]| StepSeries {
            labels: Labels::from_pairs(pairs.iter().copied()),
            values: values.to_vec(),
        };
        vec![
            series(&[("a", "1"), ("b", "x")], &[1.0, ABSENT]),
            series(&[("a", "1"), ("b", "y")], &[3.0, 5.0]),
            series(&[("a", "2"), ("b", "x")], &[8.0, f64::NAN]),
            series(&[("b", "z")], &[2.0, 7.0]),
        ]
    }

    #[test]
    fn aggregations() {
        let cases = [
            ("sum(X)", "{} 14 NaN"),
            ("sum by (a) (X)", "{a=\"1\"} 4 5, {a=\"2\"} 8 NaN, {} 2 7"),
            ("avg by (a) (X)", "{a=\"1\"} 2 5, {a=\"2\"} 8 NaN, {} 2 7"),
            ("min(X)", "{} 1 5"),
            ("max(X)", "{} 8 7"),
            ("count without (b) (X)", "{a=\"1\"} 2 1, {a=\"2\"} 1 1, {} 1 1"),
            ("stddev by (a) (X)", "{a=\"1\"} 1 0, {a=\"2\"} 0 NaN, {} 0 0"),
            ("stdvar by (a) (X)", "{a=\"1\"} 1 0, {a=\"2\"} 0 NaN, {} 0 0"),
            ("topk(1, X)", "{a=\"2\", b=\"x\"} 8 -, {b=\"z\"} - 7"),
            ("bottomk(2, X)", "{a=\"1\", b=\"x\"} 1 -, {a=\"1\", b=\"y\"} - 5, {b=\"z\"} 2 7"),
            ("topk(1, X) by (a)", "{a=\"1\", b=\"y\"} 3 5, {a=\"2\", b=\"x\"} 8 NaN, {b=\"z\"} 2 7"),
        ];
        for (query, expect) in cases {
            let query = query.replace('X', "count_over_time({a=\"b\"}[1m])");
            let Expr::Metric(MetricExpr::Vector(aggregation)) = crate::parse(&query).unwrap() else {
                panic!("{query}")
            };
            let show = |series: &StepSeries| {
                let values =
                    series.values.iter().map(|v| if is_absent(*v) { "-".to_owned() } else { crate::format_value(*v) });
                format!("{} {}", series.labels, values.collect::<Vec<_>>().join(" "))
            };
            let got: Vec<String> = aggregate(&aggregation, input(), 2).iter().map(show).collect();
            assert_eq!(got.join(", "), expect, "{query}");
        }
    }
}
