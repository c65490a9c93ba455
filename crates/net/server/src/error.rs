//! The one place where an error becomes an HTTP answer: status, text, and whether a retry makes sense.
//!
//! Loki speaks two dialects and clients depend on both: push and admin endpoints end the text with a
//! newline ([`ApiError::push`] and its kin), query endpoints do not ([`ApiError::query`]).

use std::{borrow::Cow, fmt, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// The answer to a request that its client gave up; nobody reads it, access logs do.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What a query that ran out of time is answered. Grafana looks for `timed out`.
pub const TIMEOUT_TEXT: &str = "request timed out, decrease the duration of the request or add more label matchers \
                                (prefer exact match over regex match) to reduce the amount of data processed";

/// An error as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    message: Cow<'static, str>,
    newline: bool,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// An answer of a push, delete or admin endpoint: the text ends with a newline.
    pub fn push(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), newline: true, retry_after: None }
    }

    /// An answer of a query endpoint: the text as it is.
    pub fn query(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), newline: false, retry_after: None }
    }

    /// 400 of a query: the request is wrong and stays wrong.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::query(StatusCode::BAD_REQUEST, message)
    }

    /// 401: no tenant was named.
    pub fn no_org_id() -> Self {
        Self::push(StatusCode::UNAUTHORIZED, "no org id")
    }

    /// 404 of the router.
    pub fn not_found() -> Self {
        Self::push(StatusCode::NOT_FOUND, "404 page not found")
    }

    /// 405: the route exists for other methods.
    pub fn method_not_allowed() -> Self {
        Self::push(StatusCode::METHOD_NOT_ALLOWED, "")
    }

    /// 413 of a push.
    pub fn body_too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::push(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 422 of a query: understood, and cannot be answered.
    pub fn unprocessable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::query(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 429 of a push; agents keep the batch and come back after `retry_after`.
    pub fn rate_limited(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::push(StatusCode::TOO_MANY_REQUESTS, message).retry_after(retry_after)
    }

    /// 429 of a query whose tenant's queue is full.
    pub fn queue_full() -> Self {
        Self::query(StatusCode::TOO_MANY_REQUESTS, "too many outstanding requests")
    }

    /// 499: the client went away.
    pub fn client_closed() -> Self {
        let status = StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("499 lies between 100 and 999");
        Self::query(status, "the request was cancelled by the client")
    }

    /// 500 of a query.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::query(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// 503 of a push; agents keep the batch and come back after `retry_after`.
    pub fn unavailable(message: impl Into<Cow<'static, str>>, retry_after: Duration) -> Self {
        Self::push(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(retry_after)
    }

    /// 504 of a query.
    pub fn timeout() -> Self {
        Self::query(StatusCode::GATEWAY_TIMEOUT, TIMEOUT_TEXT)
    }

    /// The answer to a query that failed downstream with `status`: a gRPC code is mapped to the HTTP
    /// status that tells the client the same.
    pub fn from_grpc(status: &tonic::Status) -> Self {
        use tonic::Code;
        let message = status.message().to_owned();
        match status.code() {
            Code::Cancelled => Self::client_closed(),
            Code::DeadlineExceeded => Self::timeout(),
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => Self::bad_request(message),
            Code::Unauthenticated => Self::no_org_id(),
            Code::PermissionDenied => Self::query(StatusCode::FORBIDDEN, message),
            Code::NotFound => Self::query(StatusCode::NOT_FOUND, message),
            Code::ResourceExhausted => Self::query(StatusCode::TOO_MANY_REQUESTS, message),
            Code::Unavailable => Self::query(StatusCode::SERVICE_UNAVAILABLE, message),
            _ => Self::internal(message),
        }
    }

    /// The same error with a `Retry-After` of whole seconds, at least one.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The text without the newline.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.message)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = self.message.into_owned();
        // Go's router answers 405 with no body at all.
        if self.newline && !body.is_empty() {
            body.push('\n');
        }
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies() {
        let second = Duration::from_millis(300);
        let cases: Vec<(ApiError, u16, &str, Option<&str>)> = vec![
            (ApiError::bad_request("parse error : x"), 400, "parse error : x", None),
            (ApiError::no_org_id(), 401, "no org id\n", None),
            (ApiError::not_found(), 404, "404 page not found\n", None),
            (ApiError::method_not_allowed(), 405, "", None),
            (ApiError::body_too_large("too big"), 413, "too big\n", None),
            (ApiError::unprocessable("no"), 422, "no", None),
            (ApiError::rate_limited("slow down", second), 429, "slow down\n", Some("1")),
            (ApiError::queue_full(), 429, "too many outstanding requests", None),
            (ApiError::client_closed(), 499, "the request was cancelled by the client", None),
            (ApiError::internal("boom"), 500, "boom", None),
            (ApiError::unavailable("no quorum", Duration::from_secs(5)), 503, "no quorum\n", Some("5")),
            (ApiError::timeout(), 504, TIMEOUT_TEXT, None),
            (ApiError::from_grpc(&tonic::Status::resource_exhausted("full")), 429, "full", None),
            (ApiError::from_grpc(&tonic::Status::invalid_argument("bad")), 400, "bad", None),
            (ApiError::from_grpc(&tonic::Status::unknown("?")), 500, "?", None),
        ];
        for (error, status, body, retry_after) in cases {
            let response = error.into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            assert_eq!(response.headers().get("retry-after").map(|v| v.to_str().unwrap()), retry_after);
            let bytes = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            assert_eq!(bytes, body.as_bytes());
        }
    }
}
