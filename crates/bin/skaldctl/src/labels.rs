//! `labels`: names, or the values of one; and label sets as they are typed.

use std::io::{self, Write};

use skald_model::Labels;
use skald_wire::push::parse_label_text;

use crate::{cli::LabelsArgs, error::of_output, query::nanos_param, response::Envelope, session::Session};

/// Runs `labels`.
///
/// # Errors
/// When the server cannot be asked, refuses, or the output takes no more.
pub(crate) async fn run(session: &Session, args: &LabelsArgs) -> anyhow::Result<()> {
    let range = args.range.resolve(session.now, &session.zone)?;
    let mut params = vec![("start", nanos_param(range.start)), ("end", nanos_param(range.end))];
    params.extend(args.query.iter().map(|query| ("query", query.clone())));
    let path = match &args.name {
        Some(name) => format!("loki/api/v1/label/{}/values", path_segment(name)),
        None => "loki/api/v1/labels".to_owned(),
    };
    let mut answer: Envelope<Vec<String>> = session.client.get(&path, params).await?;
    // An answer put together of several parts is sorted only within each.
    answer.data.sort_unstable();
    let mut text = answer.data.join("\n");
    text.extend((!text.is_empty()).then_some('\n'));
    io::stdout().write_all(text.as_bytes()).map_err(of_output)?;
    Ok(())
}

/// Percent-encoded so that no name leaves its place in the path.
fn path_segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(encode).collect()
}

/// `app=shop,env=prod`, or `{app="shop", env="prod"}` for values with commas.
pub(crate) fn parse_labels(text: &str) -> Result<Labels, String> {
    let labels = match text.trim_start().starts_with('{') {
        true => Labels::from_pairs(parse_label_text(text).map_err(|error| error.to_string())?),
        false => {
            let mut pairs = Vec::new();
            for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} is not name=value"))?;
                pairs.push((name.trim(), value.trim()));
            }
            Labels::from_pairs(pairs)
        }
    };
    for (name, _) in labels.iter() {
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!("{name:?} is no label name"));
        }
    }
    if labels.is_empty() { Err("a stream has at least one label".to_owned()) } else { Ok(labels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_as_typed() {
        let cases = [
            ("a=b", Some(r#"{a="b"}"#)),
            ("c=d, a=b,", Some(r#"{a="b", c="d"}"#)),
            ("a=b=c", Some(r#"{a="b=c"}"#)),
            (r#"{a="b,c", d="e"}"#, Some(r#"{a="b,c", d="e"}"#)),
            ("a", None),
            ("a=", None),
            ("", None),
            ("1a=b", None),
            ("a-b=c", None),
            ("=b", None),
            ("{a=b}", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_labels(text).ok().map(|l| l.to_string()).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn names_stay_in_their_place() {
        for (name, expect) in [("app", "app"), ("../x?y", "%2E%2E%2Fx%3Fy"), ("é", "%C3%A9")] {
            assert_eq!(path_segment(name), expect);
        }
    }
}
