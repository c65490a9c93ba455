//! The one place that talks HTTP: addresses, headers, and what becomes of an answer that is an error.

use std::{fmt, time::Duration};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Upgraded, Url,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::{client::generate_key, derive_accept_key},
        protocol::Role,
    },
};

use crate::error::Usage;

/// Parameters longer than this travel in a form body: servers and proxies refuse long addresses, many
/// of them from 8 KiB, while Loki takes queries of 128 KiB.
const QUERY_STRING_BYTES_MAX: usize = 6 * 1024;
/// Of an error's text this much is shown: an error page of a proxy must not scroll the screen away.
const ERROR_TEXT_BYTES_MAX: usize = 4 * 1024;

/// Parameters of a request; names may repeat.
pub(crate) type Params<'a> = Vec<(&'a str, String)>;

/// A websocket to the server.
pub(crate) type WebSocket = WebSocketStream<Upgraded>;

/// How to reach the server.
pub(crate) struct ClientOptions {
    /// `http://host:port`, perhaps with a path before the API's.
    pub(crate) addr: String,
    /// The tenant.
    pub(crate) org_id: Option<String>,
    /// Further headers, `Name: value`.
    pub(crate) headers: Vec<String>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
}

/// The server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
}

/// An answer that is an error: the server's status and text.
#[derive(Debug)]
pub(crate) struct ServerError {
    /// The HTTP status.
    pub(crate) status: StatusCode,
    text: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.status)?;
        if !self.text.is_empty() {
            write!(f, ": {}", self.text)?;
        }
        match self.status {
            StatusCode::UNAUTHORIZED if self.text.contains("org id") => f.write_str(" (name the tenant with --org-id)"),
            StatusCode::NOT_FOUND => f.write_str(" (does --addr name a server of this API?)"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ServerError {}

impl Client {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the address or a header is none (usage errors).
    pub(crate) fn new(options: ClientOptions) -> anyhow::Result<Self> {
        let headers = headers(&options)?;
        let http = reqwest::Client::builder()
            .user_agent(concat!("skaldctl/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // Websockets begin as HTTP/1.1, and one request at a time gains nothing from HTTP/2.
            .http1_only()
            .connect_timeout(options.timeout)
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self { http, base: base(&options.addr)?, timeout: options.timeout })
    }

    /// Asks `path` and reads the JSON answer.
    ///
    /// # Errors
    /// When the server cannot be reached, answers an error ([`ServerError`]) or something else than JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str, params: Params<'_>) -> anyhow::Result<T> {
        let mut url = self.url(path);
        let request = match query_string(&params) {
            query if query.len() <= QUERY_STRING_BYTES_MAX => {
                url.set_query((!query.is_empty()).then_some(&query));
                self.http.get(url)
            }
            query => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                self.http.request(Method::POST, url).header(header::CONTENT_TYPE, form).body(query)
            }
        };
        let request = request.header(header::ACCEPT, "application/json").timeout(self.timeout);
        let response = accepted(self.send(request).await?).await?;
        let body = response.bytes().await.with_context(|| format!("the answer of {} ended early", self.base))?;
        serde_json::from_slice(&body)
            .with_context(|| format!("{} answered something else than expected: {}", self.base, excerpt(&body)))
    }

    /// Posts `body`, a compressed protobuf push, and returns whatever came back.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(crate) async fn push(&self, body: Bytes) -> anyhow::Result<Response> {
        let request = self
            .http
            .post(self.url("loki/api/v1/push"))
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .header(header::CONTENT_ENCODING, "snappy")
            .body(body)
            .timeout(self.timeout);
        self.send(request).await
    }

    /// Opens a websocket to `path`. It has no timeout once it is open.
    ///
    /// # Errors
    /// When the server cannot be reached, answers an error ([`ServerError`]) or opens no websocket.
    pub(crate) async fn websocket(&self, path: &str, params: Params<'_>) -> anyhow::Result<WebSocket> {
        let key = generate_key();
        let mut url = self.url(path);
        url.set_query(Some(&query_string(&params)));
        let request = self
            .http
            .get(url)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        // The client's own timeout would go on counting while lines arrive.
        let response = tokio::time::timeout(self.timeout, self.send(request))
            .await
            .map_err(|_| anyhow!("{} did not answer within {:?}", self.base, self.timeout))??;
        let response = accepted(response).await?;
        let accept = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS
            || accept != Some(derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(anyhow!("{} opened no websocket (it answered {})", self.base, response.status()));
        }
        let upgraded = response.upgrade().await.context("the websocket was not opened")?;
        Ok(WebSocket::from_raw_socket(upgraded, Role::Client, None).await)
    }

    fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("a path joined to an http address is one")
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        // The address stands in our own words; reqwest's would repeat it with the whole query.
        request.send().await.map_err(|error| {
            let late = error.is_timeout();
            let context = match late {
                true => format!("{} did not answer within {:?}", self.base, self.timeout),
                false => format!("cannot reach {}", self.base),
            };
            root_causes(error.without_url()).context(context)
        })
    }
}

/// Without reqwest's and hyper's own layers, which say no more than that something failed.
fn root_causes(error: reqwest::Error) -> anyhow::Error {
    let mut root: &dyn std::error::Error = &error;
    while let Some(source) = root.source() {
        root = source;
    }
    anyhow!(root.to_string())
}

/// The response itself when it is no error.
///
/// # Errors
/// The server's status and text.
pub(crate) async fn accepted(response: Response) -> anyhow::Result<Response> {
    let status = response.status();
    if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    let body = response.bytes().await.unwrap_or_default();
    Err(ServerError { status, text: excerpt(&body) }.into())
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(ERROR_TEXT_BYTES_MAX)]);
    let more = if body.len() > ERROR_TEXT_BYTES_MAX { " …" } else { "" };
    format!("{}{more}", text.trim())
}

/// Percent-encoded as forms are, which query strings of this API may be as well.
fn query_string(params: &Params<'_>) -> String {
    let mut scratch = Url::parse("http://x").expect("a constant address");
    if !params.is_empty() {
        scratch.query_pairs_mut().extend_pairs(params);
    }
    scratch.query().unwrap_or_default().to_owned()
}

fn base(addr: &str) -> anyhow::Result<Url> {
    let wrong =
        |why: &str| anyhow!(Usage(format!("the address {addr:?} {why}, expected for example http://localhost:3100")));
    // "localhost:3100" parses as an address whose scheme is localhost.
    let with_scheme = if addr.contains("://") { addr.to_owned() } else { format!("http://{addr}") };
    let mut url = Url::parse(&with_scheme).map_err(|error| wrong(&format!("is none ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("is not one of http or https"));
    }
    url.set_query(None);
    url.set_fragment(None);
    // Without the slash, joining would replace the last part of the path.
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn headers(options: &ClientOptions) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let usage = |text: String| anyhow!(Usage(text));
    if let Some(org_id) = &options.org_id {
        let value = HeaderValue::from_str(org_id).map_err(|_| usage(format!("{org_id:?} cannot be a tenant")))?;
        headers.insert("x-scope-orgid", value);
    }
    for text in &options.headers {
        let parsed = text.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let (name, value) = parsed.ok_or_else(|| usage(format!("{text:?} is no header, expected 'Name: value'")))?;
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("http://localhost:3100", Some("http://localhost:3100/loki/api/v1/labels")),
            ("localhost:3100", Some("http://localhost:3100/loki/api/v1/labels")),
            ("https://logs.example/a/b", Some("https://logs.example/a/b/loki/api/v1/labels")),
            ("https://logs.example/a/?x=1#y", Some("https://logs.example/a/loki/api/v1/labels")),
            ("ftp://x", None),
            ("http://", None),
            ("", None),
        ];
        for (addr, expect) in cases {
            let got = base(addr).ok().map(|url| url.join("loki/api/v1/labels").unwrap().to_string());
            assert_eq!(got.as_deref(), expect, "{addr}");
        }
    }

    #[test]
    fn headers_are_parsed() {
        let of = |texts: &[&str]| {
            let headers_given = texts.iter().map(|&text| text.to_owned()).collect();
            let timeout = Duration::from_secs(1);
            let options =
                ClientOptions { addr: String::new(), org_id: Some("t".into()), headers: headers_given, timeout };
            headers(&options).map(|map| map.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect())
        };
        let cases: &[(&[&str], Option<&[&str]>)] = &[
            (&[], Some(&["x-scope-orgid=t"])),
            (&["Authorization: Basic a:b"], Some(&["x-scope-orgid=t", "authorization=Basic a:b"])),
            (&["none"], None),
            (&["a b: c"], None),
            (&["a: b\nc"], None),
        ];
        for (texts, expect) in cases {
            let got: Option<Vec<String>> = of(texts).ok();
            assert_eq!(got, expect.map(|e| e.iter().map(|&s| s.to_owned()).collect()), "{texts:?}");
        }
    }

    #[test]
    fn parameters_are_encoded() {
        let params = vec![("query", "{a=\"b c\"} |~ `x+&%`".to_owned()), ("match[]", "é".to_owned())];
        assert_eq!(query_string(&params), "query=%7Ba%3D%22b+c%22%7D+%7C%7E+%60x%2B%26%25%60&match%5B%5D=%C3%A9");
        assert_eq!(query_string(&vec![]), "");
    }
}
