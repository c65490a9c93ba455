//! Whose request it is: the `X-Scope-OrgID` header over HTTP and its lower-case twin over gRPC.
//!
//! [`Tenant`] and [`Tenants`] are axum extractors; the policy travels in the request's extensions, where
//! the server puts it for every route.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderMap, StatusCode, request::Parts};
use skald_config::Config;
use skald_model::{TenantId, TenantIdError};
use tonic::metadata::MetadataMap;

use crate::ApiError;

/// The header, in the form HTTP/2 wants it.
pub const ORG_ID: &str = "x-scope-orgid";

/// Whether tenants are told apart, and who everybody is when they are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantPolicy {
    /// Set: authentication is off, and this is the tenant of every request.
    everybody: Option<TenantId>,
}

impl TenantPolicy {
    /// Every request must name its tenant.
    pub fn required() -> Self {
        Self { everybody: None }
    }

    /// Every request belongs to `tenant`, whatever its headers say.
    pub fn everybody_is(tenant: TenantId) -> Self {
        Self { everybody: Some(tenant) }
    }

    /// What `config` says. A `no_auth_tenant` that validation would have refused leaves authentication on.
    pub fn from_config(config: &Config) -> Self {
        let everybody = (!config.auth_enabled).then(|| TenantId::new(&config.no_auth_tenant).ok()).flatten();
        Self { everybody }
    }

    /// The tenants named by `headers`: sorted, each once, at least one.
    ///
    /// # Errors
    /// 401 without a tenant, 400 for an invalid one.
    pub fn tenants(&self, headers: &HeaderMap) -> Result<Vec<TenantId>, ApiError> {
        if let Some(tenant) = &self.everybody {
            return Ok(vec![tenant.clone()]);
        }
        let value = headers.get(ORG_ID).ok_or_else(ApiError::no_org_id)?;
        let value = value.to_str().map_err(|_| ApiError::push(StatusCode::BAD_REQUEST, "tenant ID is not ASCII"))?;
        let mut tenants = value.split('|').map(TenantId::new).collect::<Result<Vec<_>, _>>().map_err(refusal)?;
        tenants.sort();
        tenants.dedup();
        Ok(tenants)
    }

    /// The one tenant named by `headers`.
    ///
    /// # Errors
    /// As [`TenantPolicy::tenants`], and 400 for several.
    pub fn tenant(&self, headers: &HeaderMap) -> Result<TenantId, ApiError> {
        let mut tenants = self.tenants(headers)?;
        match (tenants.pop(), tenants.is_empty()) {
            (Some(tenant), true) => Ok(tenant),
            _ => Err(ApiError::push(StatusCode::BAD_REQUEST, "multiple org IDs present")),
        }
    }
}

fn refusal(error: TenantIdError) -> ApiError {
    match error {
        TenantIdError::Empty => ApiError::no_org_id(),
        other => ApiError::push(StatusCode::BAD_REQUEST, other.to_string()),
    }
}

/// The tenant of a request that may name only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(pub TenantId);

/// The tenants of a request that may read several: sorted, each once, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenants(pub Vec<TenantId>);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        policy(parts).tenant(&parts.headers).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Tenants {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        policy(parts).tenants(&parts.headers).map(Self)
    }
}

/// The policy the server attached; without one the strict rule holds.
fn policy(parts: &Parts) -> Arc<TenantPolicy> {
    parts.extensions.get::<Arc<TenantPolicy>>().cloned().unwrap_or_else(|| Arc::new(TenantPolicy::required()))
}

/// The tenant a gRPC call is made for. Services always name it, with authentication on or off.
///
/// # Errors
/// `unauthenticated` without a tenant, `invalid_argument` for an invalid one.
pub fn tenant_of_metadata(metadata: &MetadataMap) -> Result<TenantId, tonic::Status> {
    let value = metadata.get(ORG_ID).ok_or_else(|| tonic::Status::unauthenticated("no org id"))?;
    let value = value.to_str().map_err(|_| tonic::Status::invalid_argument("tenant ID is not ASCII"))?;
    TenantId::new(value).map_err(|error| tonic::Status::invalid_argument(error.to_string()))
}

/// Names the tenant a gRPC call is made for.
pub fn put_tenant(metadata: &mut MetadataMap, tenant: &TenantId) {
    let value = tenant.as_str().parse().expect("tenant ids consist of characters metadata may hold");
    metadata.insert(ORG_ID, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a header leads to: tenants, or a status and a text.
    type Expect<'a> = Result<&'a [&'a str], (u16, &'a str)>;

    #[test]
    fn header_rules() {
        let cases: &[(Option<&str>, Expect<'_>)] = &[
            (None, Err((401, "no org id"))),
            (Some(""), Err((401, "no org id"))),
            (Some("a"), Ok(&["a"])),
            (Some("a:meta=1"), Ok(&["a"])),
            (Some("b|a|b"), Ok(&["a", "b"])),
            (Some("a|a"), Ok(&["a"])),
            (Some("a|"), Err((401, "no org id"))),
            (Some("a/b"), Err((400, "tenant ID 'a/b' contains unsupported character '/'"))),
        ];
        for (header, expect) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = header {
                headers.insert(ORG_ID, value.parse().unwrap());
            }
            let got = TenantPolicy::required().tenants(&headers);
            let got = got.map(|t| t.iter().map(ToString::to_string).collect::<Vec<_>>());
            let got = got.map_err(|e| (e.status().as_u16(), e.message().to_owned()));
            let expect = expect.map(|t| t.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(got, expect.map_err(|(s, m)| (s, m.to_owned())), "{header:?}");
        }
    }

    #[test]
    fn one_tenant_only() {
        let mut headers = HeaderMap::new();
        headers.insert(ORG_ID, "a|b".parse().unwrap());
        let error = TenantPolicy::required().tenant(&headers).unwrap_err();
        assert_eq!((error.status().as_u16(), error.message()), (400, "multiple org IDs present"));
        let fake = TenantId::new("fake").unwrap();
        assert_eq!(TenantPolicy::everybody_is(fake.clone()).tenant(&headers), Ok(fake));
    }

    #[test]
    fn metadata_round_trip() {
        let mut metadata = MetadataMap::new();
        assert_eq!(tenant_of_metadata(&metadata).unwrap_err().code(), tonic::Code::Unauthenticated);
        let tenant = TenantId::new("team-a").unwrap();
        put_tenant(&mut metadata, &tenant);
        assert_eq!(tenant_of_metadata(&metadata).unwrap(), tenant);
    }
}
