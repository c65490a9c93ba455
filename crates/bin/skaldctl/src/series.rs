//! `series`: streams, or how many values each of their labels has.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use anstyle::Style;
use serde::Deserialize;
use skald_model::Labels;

use crate::{
    cli::SeriesArgs,
    error::of_output,
    query::nanos_param,
    response::{self, Envelope},
    session::Session,
    table::{self, Align},
};

#[derive(Deserialize)]
struct Stream(#[serde(deserialize_with = "response::labels")] Labels);

/// Runs `series`.
///
/// # Errors
/// When the server cannot be asked, refuses, or the output takes no more.
pub(crate) async fn run(session: &Session, args: &SeriesArgs) -> anyhow::Result<()> {
    let range = args.range.resolve(session.now, &session.zone)?;
    let mut params = vec![("start", nanos_param(range.start)), ("end", nanos_param(range.end))];
    params.extend(args.matchers.iter().map(|matcher| ("match[]", matcher.clone())));
    let answer: Envelope<Vec<Stream>> = session.client.get("loki/api/v1/series", params).await?;
    let streams: BTreeSet<Labels> = answer.data.into_iter().map(|stream| stream.0).collect();
    let text = match args.analyze_labels {
        true => analysis(&streams, session.palette.heading()),
        false => {
            let style = |labels: &Labels| session.palette.stream(labels);
            streams.iter().map(|l| format!("{}{l}{:#}\n", style(l), style(l))).collect()
        }
    };
    io::stdout().write_all(text.as_bytes()).map_err(of_output)?;
    Ok(())
}

/// The labels with most values first: those that make streams many.
fn analysis(streams: &BTreeSet<Labels>, heading: Style) -> String {
    let mut by_name: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for (name, value) in streams.iter().flat_map(Labels::iter) {
        let (values, found) = by_name.entry(name).or_default();
        values.insert(value);
        *found += 1;
    }
    let mut labels: Vec<(&str, usize, usize)> =
        by_name.into_iter().map(|(name, (values, found))| (name, values.len(), found)).collect();
    labels.sort_by_key(|&(name, values, _)| (std::cmp::Reverse(values), name));
    let heads = [("Label Name", Align::Left), ("Unique Values", Align::Right), ("Found In Streams", Align::Right)];
    let plain = |text: String| (text, Style::new());
    let row = |&(name, values, found): &(&str, usize, usize)| {
        vec![plain(name.to_owned()), plain(values.to_string()), plain(found.to_string())]
    };
    let rows: Vec<_> = labels.iter().map(row).collect();
    let table = table::render(&heads, &rows, heading);
    format!("Total Streams:  {}\nUnique Labels:  {}\n\n{table}", streams.len(), labels.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_counted() {
        let of = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
        let streams = [of(&[("app", "x"), ("pod", "1")]), of(&[("app", "x"), ("pod", "2")]), of(&[("app", "x")])];
        assert_eq!(
            analysis(&streams.into(), Style::new()),
            "Total Streams:  3\nUnique Labels:  2\n\n\
             Label Name  Unique Values  Found In Streams\n\
             pod                     2                 2\n\
             app                     1                 3\n"
        );
    }
}
