//! Numbers: matrix, vector, scalar. These bodies end without a newline.

use skald_logql::format_value;
use skald_wire::json;

use super::{Stats, close_data, open_data};
use crate::merge::Series;

/// Series over time, in the order given.
pub(crate) fn matrix_body(series: &[Series], stats: &Stats) -> Vec<u8> {
    let mut out = Vec::new();
    open_data(&mut out, "matrix", "");
    json::array(&mut out, series, |out, series| {
        out.extend_from_slice(b"{\"metric\":");
        json::labels(out, &series.labels);
        out.extend_from_slice(b",\"values\":");
        json::array(out, &series.samples, |out, &(millis, value)| write_sample(out, millis, value));
        out.push(b'}');
    });
    close_data(&mut out, stats);
    out
}

/// The first sample of each series, in the order given.
pub(crate) fn vector_body(series: &[Series], stats: &Stats) -> Vec<u8> {
    let mut out = Vec::new();
    open_data(&mut out, "vector", "");
    let samples = series.iter().filter_map(|s| Some((&s.labels, s.samples.first()?)));
    json::array(&mut out, samples, |out, (labels, &(millis, value))| {
        out.extend_from_slice(b"{\"metric\":");
        json::labels(out, labels);
        out.extend_from_slice(b",\"value\":");
        write_sample(out, millis, value);
        out.push(b'}');
    });
    close_data(&mut out, stats);
    out
}

/// One number.
pub(crate) fn scalar_body(millis: i64, value: f64, stats: &Stats) -> Vec<u8> {
    let mut out = Vec::new();
    open_data(&mut out, "scalar", "");
    write_sample(&mut out, millis, value);
    close_data(&mut out, stats);
    out
}

fn write_sample(out: &mut Vec<u8>, millis: i64, value: f64) {
    out.push(b'[');
    json::seconds(out, millis);
    json::plain(out, format_args!(",\"{}\"]", format_value(value)));
}

#[cfg(test)]
mod tests {
    use skald_model::Labels;

    use super::*;

    fn data(body: Vec<u8>) -> String {
        let body = String::from_utf8(body).unwrap();
        assert!(body.ends_with("}}}"), "{body}");
        body.split_once(",\"stats\":").unwrap().0.to_owned()
    }

    #[test]
    fn shapes() {
        let series = [
            Series {
                labels: Labels::from_pairs([("app", "x")]),
                samples: vec![(1_700_000_000_000, 3.0), (1_700_000_000_500, 0.25)],
            },
            Series { labels: Labels::empty(), samples: vec![(1_000, f64::INFINITY), (2_000, f64::NAN)] },
        ];
        let matrix = concat!(
            r#"{"status":"success","data":{"resultType":"matrix","result":["#,
            r#"{"metric":{"app":"x"},"values":[[1700000000,"3"],[1700000000.5,"0.25"]]},"#,
            r#"{"metric":{},"values":[[1,"+Inf"],[2,"NaN"]]}]"#,
        );
        assert_eq!(data(matrix_body(&series, &Stats::default())), matrix);
        let vector = concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"app":"x"},"value":[1700000000,"3"]},{"metric":{},"value":[1,"+Inf"]}]"#,
        );
        assert_eq!(data(vector_body(&series, &Stats::default())), vector);
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[4,"2"]"#;
        assert_eq!(data(scalar_body(4_000, 2.0, &Stats::default())), scalar);
    }
}
