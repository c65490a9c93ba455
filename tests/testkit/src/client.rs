//! A client as users have one: pushes with retries as agents do, queries as Grafana does.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long one HTTP call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Pushes to the distributors in turn and queries the frontends in turn, for one tenant.
pub struct Client {
    http: reqwest::Client,
    distributors: Vec<String>,
    frontends: Vec<String>,
    tenant: String,
    turn: AtomicUsize,
}

/// A line as it was pushed, or as it came back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line {
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    /// The text.
    pub text: String,
}

impl Client {
    /// A client of the services at these URLs.
    pub fn new(distributors: Vec<String>, frontends: Vec<String>, tenant: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(CALL_TIMEOUT).build().context("an HTTP client")?;
        Ok(Self { http, distributors, frontends, tenant: tenant.to_owned(), turn: AtomicUsize::new(0) })
    }

    fn next<'a>(&self, urls: &'a [String]) -> &'a str {
        &urls[self.turn.fetch_add(1, Ordering::Relaxed) % urls.len()]
    }

    /// Pushes lines of one stream once; the status and the text of the answer.
    pub async fn push_once(&self, labels: &[(&str, &str)], lines: &[Line]) -> Result<(u16, String)> {
        let values: Vec<_> = lines.iter().map(|l| json!([l.timestamp.to_string(), l.text])).collect();
        let stream: BTreeMap<_, _> = labels.iter().copied().collect();
        let body = json!({ "streams": [{ "stream": stream, "values": values }] });
        self.push_body(body.to_string().into_bytes(), "application/json").await
    }

    /// Pushes a ready body once.
    pub async fn push_body(&self, body: Vec<u8>, content_type: &str) -> Result<(u16, String)> {
        let url = format!("{}/loki/api/v1/push", self.next(&self.distributors));
        let request = self.http.post(url).header("content-type", content_type).header("x-scope-orgid", &self.tenant);
        let response = request.body(body).send().await.context("pushing")?;
        let status = response.status().as_u16();
        Ok((status, response.text().await.unwrap_or_default()))
    }

    /// Pushes until it is acknowledged, as agents do: again after 429, 5xx and lost connections, with the
    /// same lines. `false` when `attempts` were not enough; the lines may or may not be stored then.
    pub async fn push(&self, labels: &[(&str, &str)], lines: &[Line], attempts: usize) -> Result<bool> {
        let mut wait = Duration::from_millis(50);
        for _ in 0..attempts {
            match self.push_once(labels, lines).await {
                Ok((204, _)) => return Ok(true),
                Ok((status, text)) if status != 429 && status < 500 => bail!("push refused for good: {status} {text}"),
                _ => {}
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(1));
        }
        Ok(false)
    }

    /// A GET of the query API: status and text.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<(u16, String)> {
        let query: Vec<_> = parameters.iter().map(|(n, v)| format!("{n}={}", escape(v))).collect();
        let url = format!("{}{path}?{}", self.next(&self.frontends), query.join("&"));
        let response = self.http.get(url).header("x-scope-orgid", &self.tenant).send().await.context("querying")?;
        let status = response.status().as_u16();
        Ok((status, response.text().await.context("reading an answer")?))
    }

    /// As [`Client::get`], for an answer that must be JSON with status 200.
    pub async fn json(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let (status, text) = self.get(path, parameters).await?;
        if status != 200 {
            bail!("{path}: {status} {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))
    }

    /// All lines of a log query in `[start, end)`, page by page as a client pages: forward, `page` lines at
    /// a time. Pages overlap by whole timestamps, so lines of one timestamp must fit a page.
    pub async fn lines(&self, query: &str, start: i64, end: i64, page: usize) -> Result<Vec<Line>> {
        let mut out: Vec<Line> = Vec::new();
        let mut from = start;
        loop {
            let batch = self.page(query, from, end, page, "forward").await?;
            let full = batch.len() == page;
            let Some(last) = batch.last().map(|l| l.timestamp) else { return Ok(out) };
            if !full {
                out.extend(batch);
                return Ok(out);
            }
            if last == from {
                bail!("more than {page} lines with timestamp {last}");
            }
            out.extend(batch.into_iter().filter(|l| l.timestamp < last));
            from = last;
        }
    }

    /// One page of a log query, sorted as the direction asks.
    pub async fn page(&self, query: &str, start: i64, end: i64, limit: usize, direction: &str) -> Result<Vec<Line>> {
        let (start, end, limit) = (start.to_string(), end.to_string(), limit.to_string());
        let parameters =
            [("query", query), ("start", &*start), ("end", &*end), ("limit", &*limit), ("direction", direction)];
        let body = self.json("/loki/api/v1/query_range", &parameters).await?;
        let mut lines = Vec::new();
        for stream in body["data"]["result"].as_array().context("no result")? {
            for value in stream["values"].as_array().context("no values")? {
                let timestamp = value[0].as_str().and_then(|t| t.parse().ok()).context("no timestamp")?;
                lines.push(Line { timestamp, text: value[1].as_str().context("no line")?.to_owned() });
            }
        }
        // Stable: lines of one timestamp keep the order in which their stream returned them.
        match direction {
            "backward" => lines.sort_by_key(|l| std::cmp::Reverse(l.timestamp)),
            _ => lines.sort_by_key(|l| l.timestamp),
        }
        Ok(lines)
    }

    /// The one value of an instant query that yields at most one series; 0 when it yields none.
    pub async fn instant(&self, query: &str, time: i64) -> Result<f64> {
        let time = time.to_string();
        let body = self.json("/loki/api/v1/query", &[("query", query), ("time", &time)]).await?;
        let result = body["data"]["result"].as_array().context("no result")?;
        match result.as_slice() {
            [] => Ok(0.0),
            [one] => one["value"][1].as_str().and_then(|v| v.parse().ok()).context("no value"),
            more => bail!("{} series, expected one", more.len()),
        }
    }
}

/// Percent-encoding of everything that is not a letter or digit.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}
