//! S3 and what speaks its protocol (MinIO, Ceph, Garage, R2).
//!
//! Reads, lists and overwrites go through the `object_store` crate. Conditional creation does not:
//! that client repeats a PUT by itself after a 5xx, and a repeated create that meets its own first
//! try looks like a lost race. Here a create is one signed PUT with `If-None-Match: *`, repeated
//! only where the server is known not to have seen it, and streamed from the file it comes from.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::signer::{SignedUrlOptions, Signer};
use reqwest::header::{CONTENT_LENGTH, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use tokio::io::AsyncReadExt;

use crate::remote::{self, CONNECT_TIMEOUT, Remote, check_size, object_path};
use crate::{BlobError, BlobMeta, BlobStore, S3Config};

/// Tries of one create that did not reach the server. The flusher above waits and comes again, so
/// this only bridges a moment.
const CREATE_TRIES_MAX: u32 = 4;

/// Wait before the second try; doubled for each further one, and varied so that many writers that
/// failed together do not come back together.
const CREATE_BACKOFF: Duration = Duration::from_millis(100);

/// A create may take this long plus the time its bytes take at [`CREATE_BYTES_PER_SECOND_MIN`].
const CREATE_TIMEOUT: Duration = Duration::from_secs(15);

/// A slower upload than this is taken for dead.
const CREATE_BYTES_PER_SECOND_MIN: u64 = 2 << 20;

/// How long a signed create may be replayed: the window that S3 gives all other signatures. Bounds
/// how late a lost request can still land.
const SIGNATURE_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Read from a file at a time: large enough to be cheap, small enough to hold for many uploads.
const FILE_CHUNK_BYTES: usize = 256 << 10;

/// The body of an error answer that is kept for the message.
const ERROR_TEXT_BYTES_MAX: usize = 512;

/// A bucket on S3.
pub struct S3Store {
    remote: Remote,
    signer: Arc<AmazonS3>,
    http: reqwest::Client,
}

impl S3Store {
    /// Prepares clients; no request is made. Installs the process's TLS provider if none is.
    pub fn new(config: &S3Config) -> Result<S3Store, BlobError> {
        // Fails only if another provider was installed first, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fault = |reason: String| BlobError::Other { key: config.bucket.clone(), reason };
        let build = |builder: AmazonS3Builder| builder.build().map(Arc::new).map_err(|e| fault(e.to_string()));
        let (client, retry) = remote::read_options(config.allow_http);
        let reads = build(builder(config).with_client_options(client).with_retry(retry))?;
        let (client, retry) = remote::write_options(config.allow_http);
        let credentials = reads.credentials().clone();
        let writes =
            build(builder(config).with_client_options(client).with_retry(retry).with_credentials(credentials))?;
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_gzip().build();
        let http = http.map_err(|e| fault(e.to_string()))?;
        let remote = Remote { reads: reads.clone(), writes, lister: reads.clone() };
        Ok(S3Store { remote, signer: reads, http })
    }

    #[allow(clippy::disallowed_methods, reason = "jitter between processes; no outcome depends on it")]
    async fn create_body(&self, key: &str, body: &Body) -> Result<(), BlobError> {
        check_size(key, body.len())?;
        let mut failure = None;
        for attempt in 0..CREATE_TRIES_MAX {
            if attempt > 0 {
                let wait = CREATE_BACKOFF * 2u32.pow(attempt - 1);
                tokio::time::sleep(wait.mul_f64(rand::random_range(0.5..1.5))).await;
            }
            match self.create_once(key, body).await {
                Err(e) if e.is_transient() => failure = Some(e),
                // Whoever refused the first try may have passed it on all the same.
                Err(BlobError::AlreadyExists { key }) if attempt > 0 => {
                    return Err(BlobError::Ambiguous { key, reason: "found on a repeated try".to_owned() });
                }
                other => return other,
            }
        }
        Err(failure.expect("the loop ran at least once and every turn that went on left its error"))
    }

    async fn create_once(&self, key: &str, body: &Body) -> Result<(), BlobError> {
        let path = object_path(key)?;
        let any = HeaderValue::from_static("*");
        let options = SignedUrlOptions::new().with_signed_header(IF_NONE_MATCH, any.clone());
        let signed = self.signer.signed_url_opts(Method::PUT, &path, SIGNATURE_LIFETIME, &options).await;
        let url = signed.map_err(|e| remote::map_error(key, &e))?;
        let transfer = Duration::from_secs(body.len() / CREATE_BYTES_PER_SECOND_MIN);
        let request = self.http.put(url).timeout(CREATE_TIMEOUT + transfer).header(IF_NONE_MATCH, any);
        let request = request.header(CONTENT_LENGTH, body.len()).body(body.stream(key).await?);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status();
                let text = answer.text().await.unwrap_or_default();
                Err(create_error(key, status, &text))
            }
            Err(e) => {
                let (key, unsent) = (key.to_owned(), e.is_connect() || e.is_builder());
                let reason = error_text(&e.without_url());
                Err(if unsent { BlobError::Unavailable { key, reason } } else { BlobError::Ambiguous { key, reason } })
            }
        }
    }
}

fn builder(config: &S3Config) -> AmazonS3Builder {
    // From the environment: web identity, container and instance credentials, AWS_REGION.
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(&config.bucket);
    builder = builder.with_allow_http(config.allow_http).with_virtual_hosted_style_request(!config.path_style);
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(virtual_hosted_endpoint(config, endpoint));
    }
    if let (Some(id), Some(secret)) = (&config.access_key_id, &config.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    if let Some(token) = &config.session_token {
        builder = builder.with_token(token);
    }
    builder
}

/// The client expects the bucket in the endpoint's host already, unless paths carry it.
fn virtual_hosted_endpoint(config: &S3Config, endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) if !config.path_style => format!("{scheme}://{}.{host}", config.bucket),
        _ => endpoint.to_owned(),
    }
}

/// What the answer to a conditional PUT means. Only 503 and 429 promise that nothing happened: they
/// are given before the work. A 409 means that another request was under way on the same key, and
/// any other 5xx may come from a proxy whose backend finished.
fn create_error(key: &str, status: StatusCode, text: &str) -> BlobError {
    let mut end = text.len().min(ERROR_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let reason = format!("{status}: {}", &text[..end]);
    let key = key.to_owned();
    match status.as_u16() {
        412 => BlobError::AlreadyExists { key },
        429 => BlobError::Throttled { key, reason },
        503 if text.contains("SlowDown") => BlobError::Throttled { key, reason },
        503 => BlobError::Unavailable { key, reason },
        401 | 403 => BlobError::Denied { key, reason },
        // Conditions are not implemented there: nothing was written, and never will be.
        501 => BlobError::Other { key, reason },
        408 | 409 | 500.. => BlobError::Ambiguous { key, reason },
        _ => BlobError::Other { key, reason },
    }
}

fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A body that can be sent again.
enum Body {
    Bytes(Bytes),
    File { path: PathBuf, len: u64 },
}

impl Body {
    fn len(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::File { len, .. } => *len,
        }
    }

    async fn stream(&self, key: &str) -> Result<reqwest::Body, BlobError> {
        match self {
            Body::Bytes(bytes) => Ok(bytes.clone().into()),
            Body::File { path, len } => {
                let file = tokio::fs::File::open(path).await.map_err(|e| file_error(key, path, &e))?;
                Ok(reqwest::Body::wrap_stream(file_chunks(file, *len)))
            }
        }
    }
}

fn file_error(key: &str, path: &Path, error: &std::io::Error) -> BlobError {
    BlobError::Other { key: key.to_owned(), reason: format!("{}: {error}", path.display()) }
}

/// The first `len` bytes of a file; fewer end in an error, so that the request breaks off instead
/// of storing a short object.
fn file_chunks(file: tokio::fs::File, len: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::try_unfold((file, len), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(FILE_CHUNK_BYTES);
        let mut chunk = vec![0; want];
        file.read_exact(&mut chunk).await?;
        Ok(Some((Bytes::from(chunk), (file, left - want as u64))))
    })
}

#[async_trait]
impl BlobStore for S3Store {
    async fn create(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.create_body(key, &Body::Bytes(body)).await
    }

    async fn create_from_file(&self, key: &str, file: &Path) -> Result<(), BlobError> {
        let meta = tokio::fs::metadata(file).await.map_err(|e| file_error(key, file, &e))?;
        self.create_body(key, &Body::File { path: file.to_path_buf(), len: meta.len() }).await
    }

    async fn put(&self, key: &str, body: Bytes) -> Result<(), BlobError> {
        self.remote.put(key, body).await
    }

    async fn get(&self, key: &str) -> Result<Bytes, BlobError> {
        self.remote.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.remote.get_range(key, range).await
    }

    async fn get_suffix(&self, key: &str, len: u64) -> Result<(Bytes, u64), BlobError> {
        self.remote.get_suffix(key, len).await
    }

    async fn head(&self, key: &str) -> Result<BlobMeta, BlobError> {
        self.remote.head(key).await
    }

    async fn list(&self, prefix: &str, start_after: Option<&str>, limit: usize) -> Result<Vec<BlobMeta>, BlobError> {
        self.remote.list(prefix, start_after, limit).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BlobError> {
        self.remote.delete(keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_a_create() {
        let name = |e: &BlobError| match e {
            BlobError::AlreadyExists { .. } => "exists",
            BlobError::Ambiguous { .. } => "ambiguous",
            BlobError::Throttled { .. } => "throttled",
            BlobError::Unavailable { .. } => "unavailable",
            BlobError::Denied { .. } => "denied",
            _ => "other",
        };
        let table = [
            (412, "", "exists"),
            (409, "<Code>ConditionalRequestConflict</Code>", "ambiguous"),
            (429, "", "throttled"),
            (503, "<Code>SlowDown</Code>", "throttled"),
            (503, "", "unavailable"),
            (500, "", "ambiguous"),
            (502, "", "ambiguous"),
            (504, "", "ambiguous"),
            (408, "", "ambiguous"),
            (501, "", "other"),
            (403, "", "denied"),
            (401, "", "denied"),
            (404, "<Code>NoSuchBucket</Code>", "other"),
            (400, "", "other"),
            (301, "", "other"),
        ];
        for (status, text, expected) in table {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(name(&create_error("k", status, text)), expected, "{status} {text}");
        }
        let long = "ä".repeat(1000);
        assert!(create_error("k", StatusCode::BAD_REQUEST, &long).to_string().len() < 700);
    }
}
