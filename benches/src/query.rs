//! `skald-bench query`: latencies of a set of queries.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    /// Where to query.
    #[arg(long, default_value = "http://127.0.0.1:3100")]
    url: String,
    /// Tenant to query; none by default.
    #[arg(long)]
    org_id: Option<String>,
    /// Hours to look back.
    #[arg(long, default_value_t = 6.0)]
    hours: f64,
    /// Runs of each query after one that warms up.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// A query of your own instead of the set.
    #[arg(long)]
    query: Option<String>,
}

const SET: [(&str, &str); 8] = [
    ("latest 100 lines of a selector", r#"{app="checkout"}"#),
    ("absent 32-digit id", r#"{cluster="bench"} |= "ffffffffffffffffffffffffffffffff""#),
    ("common word", r#"sum(count_over_time({cluster="bench"} |= "error" [1m]))"#),
    ("rare regex", r#"{cluster="bench"} |~ "authorised \\(id 0000[0-9a-f]+""#),
    ("count by label and minute", r#"sum by (app) (count_over_time({cluster="bench"}[1m]))"#),
    ("bytes by label", r#"sum by (namespace) (bytes_over_time({cluster="bench"}[1m]))"#),
    (
        "json, filter and group by a field",
        r#"sum by (status) (count_over_time({cluster="bench"} |= "status" | json | status >= 400 [1m]))"#,
    ),
    ("logfmt, filter", r#"sum(count_over_time({cluster="bench"} | logfmt | level="error" [1m]))"#),
];

pub(crate) async fn run(options: Options) -> Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(300)).build().context("an HTTP client")?;
    let end = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let start = end.saturating_sub(Duration::from_secs_f64(options.hours * 3600.0));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "machine: {cores} cores; milliseconds: least, median, most of {} runs, results cache bypassed",
        options.runs
    );
    let set: Vec<(&str, &str)> = match &options.query {
        Some(query) => vec![("given", query)],
        None => SET.to_vec(),
    };
    for (name, query) in set {
        let mut times = Vec::new();
        let mut results = 0;
        for run in 0..=options.runs {
            let begin = Instant::now();
            results = ask(&http, &options, query, start, end).await.with_context(|| format!("query {query}"))?;
            if run > 0 {
                times.push(begin.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.sort_by(f64::total_cmp);
        let middle = times.get(times.len() / 2).copied().unwrap_or(0.0);
        let (least, most) = (times.first().copied().unwrap_or(0.0), times.last().copied().unwrap_or(0.0));
        println!("{least:>9.1} {middle:>9.1} {most:>9.1}  {name} ({results} results)");
    }
    Ok(())
}

/// How many streams or series the answer has.
async fn ask(http: &reqwest::Client, options: &Options, query: &str, start: Duration, end: Duration) -> Result<usize> {
    let parameters = [
        ("query", query.to_owned()),
        ("start", start.as_nanos().to_string()),
        ("end", end.as_nanos().to_string()),
        ("step", "60".to_owned()),
        ("limit", "100".to_owned()),
    ];
    let form = parameters.map(|(name, value)| format!("{name}={}", escape(&value))).join("&");
    let mut request = http
        .post(format!("{}/loki/api/v1/query_range", options.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cache-control", "no-cache")
        .body(form);
    if let Some(tenant) = &options.org_id {
        request = request.header("x-scope-orgid", tenant);
    }
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    let body: serde_json::Value = serde_json::from_str(&text).context("the answer is not JSON")?;
    Ok(body["data"]["result"].as_array().map_or(0, Vec::len))
}

/// Percent-encoding of everything that is not a letter or digit.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}
